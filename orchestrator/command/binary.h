/* SPDX-License-Identifier: ISC */
/* What a program says when it is asked for its version. */
#ifndef ORCHESTRATOR_BINARY_H
#define ORCHESTRATOR_BINARY_H

#include <stddef.h>

#define BINARY_PATIENCE_MS 10000

/*
 * Run PATH --version and keep the first line that it writes. 0, or -errno:
 * -EIO when it fails, -ETIMEDOUT when it says nothing for too long (it is
 * then killed). out is set in either case.
 */
int binary_version(const char *path, char *out, size_t size);

#endif

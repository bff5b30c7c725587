/* SPDX-License-Identifier: ISC */
/* Programs that natsburn starts: where they are, and of what version. */
#ifndef ORCHESTRATOR_BINARY_H
#define ORCHESTRATOR_BINARY_H

#include <stddef.h>

#include "proto/config.h"

#define BINARY_PATIENCE_MS 10000

/*
 * Run PATH --version and keep the first line that it writes. 0, or -errno:
 * -EIO when it fails, -ETIMEDOUT when it says nothing for too long (it is
 * then killed). out is set in either case.
 */
int binary_version(const char *path, char *out, size_t size);

/*
 * Run a program and keep what it writes to its standard output, a text shorter
 * than size; what it writes elsewhere is gone. argv ends with NULL. 0 or
 * -errno as above; -EFBIG when it writes more.
 */
int binary_output(
    const char *path, const char *const *argv, char *out, size_t size);

/* The first of that name on PATH, or where Debian puts daemons. */
bool binary_find(const char *name, char *out, size_t size);

/*
 * Resolve server binaries: config's list, or nats-server from PATH and the
 * usual places. Fills config->server_bin. 0 or an exit code, said.
 */
int binary_find_server(struct run_config *);

#endif

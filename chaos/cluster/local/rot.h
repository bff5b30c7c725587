/* SPDX-License-Identifier: ISC */
/* Damage to what a server has stored, as a disk that decays does it. */
#ifndef CHAOS_LOCAL_ROT_H
#define CHAOS_LOCAL_ROT_H

#include <stddef.h>

#include "chaos/cluster/cluster.h"

/*
 * Damage a file of the store in this folder, whose server does not run: which
 * one, and where, is drawn. how (size bytes) becomes what was done. 0; -ENOENT
 * when there is no such file that holds anything; -EAGAIN when it looks as it
 * did before, and other dice will do; or another -errno.
 */
int rot_store(
    const char *store, const struct disk_rot *, char *how, size_t size);

#endif

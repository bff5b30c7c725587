/* SPDX-License-Identifier: ISC */
/*
 * Small disks for the stores of servers, which can be filled. They are in
 * memory (tmpfs), and mounted in a mount namespace of this process and its
 * children only: nobody else sees them, and they are gone with the last of
 * these processes, however it ends. What is on them goes with them.
 */
#ifndef CHAOS_DISK_H
#define CHAOS_DISK_H

#include <stdint.h>

/*
 * Give this process a mount namespace of its own; without privileges a user
 * namespace as well. 0 or -errno. Must come before any thread is made.
 */
int disk_isolate(void);

/*
 * Mount a disk of so many bytes on a folder, which is made. 0 or -errno.
 */
int disk_mount(const char *dir, uint64_t bytes);
void disk_unmount(const char *dir); /* also when nothing is mounted */

/*
 * Make the disk mounted there larger. 0, or -errno; -ENOMEM when the host has
 * less than twice the memory free that this would take.
 */
int disk_grow(const char *dir, uint64_t from_bytes, uint64_t to_bytes);

/*
 * Take all the space that is left on the disk of a folder, or give it back.
 * 0 or -errno. Space that others free meanwhile is taken by the next call.
 */
int disk_fill(const char *dir);
int disk_free(const char *dir);

/* Bytes that can still be written there, or -errno. */
int64_t disk_room(const char *dir);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Files by name, of folders that others may have prepared: links are not
 * followed, and nothing but a regular file is read or written, so that no
 * name leads elsewhere and no FIFO makes natsburn wait. What is made is the
 * user's alone (mode 0600).
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Open a regular file for reading: a descriptor, or -errno; -EINVAL when it
 * is something else.
 */
int file_open(const char *path);

/*
 * Make a file that does not exist and open it for writing: a descriptor, or
 * -errno. What is left of an earlier one with this name goes first.
 */
int file_create(const char *path);

/*
 * Open a file for writing behind what it has, and make it if it is missing:
 * a descriptor, or -errno; -EINVAL when it is not a regular file.
 */
int file_append(const char *path);

/*
 * All of a file and a NUL behind it, which len does not count; the caller
 * frees it. NULL with errno: as file_open(), EFBIG above max bytes, ENOMEM.
 */
char *file_read(const char *path, size_t max, size_t *len);

/* Write len bytes, all of them: 0 or -errno. */
int file_write_all(int fd, const void *data, size_t len);

/*
 * Give path these contents, whole or not at all: they are written into a
 * file beside it (path and ".new"), which then takes its name. 0 or -errno.
 */
int file_replace(const char *path, const void *data, size_t len);

/*
 * Make a folder (mode 0700), unless it is there. 0 or -errno; -ENOTDIR when
 * something else has its name, a link to a folder included.
 */
int file_make_dir(const char *path);

/*
 * Open a folder for file names below it: a descriptor, or -errno; a link to
 * a folder is refused.
 */
int file_open_dir(const char *path);

/*
 * Remove a folder with all that is in it; links are removed, not followed. 0
 * or -errno: 0 also when it is not there.
 */
int file_remove_tree(const char *path);

/* Is there anything of this name? A link that leads nowhere is something. */
bool file_exists(const char *path);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * The files of a simulated disk, twice: as they are now, and as they would be
 * found after a loss of power. Names are in memory; contents are in numbered
 * files of a folder, the ground, and are what they are now.
 *
 * What is kept of a file are its first kept_size bytes. Before any of these
 * is changed the ground's file is copied, and the copy is what is kept. So a
 * sync costs nothing, and what is not synced costs memory nowhere.
 *
 * What is kept changes by a sync alone:
 *
 *	of a file	its contents
 *	of a folder	the names in it. A rename from or to it is one step:
 *			it is kept as a whole
 *
 * POSIX promises a name by a sync of its folder only (DISK_NAMES_FOLDER).
 * btrfs also keeps the name of a new or renamed file with the file, and those
 * of the folders above it (DISK_NAMES_FILE). ext4 and XFS have a journal of
 * names, in their order, which each sync of anything writes: all names are
 * then kept as they are (DISK_NAMES_JOURNAL). There a file that is renamed
 * over another one is written first, as ext4 does.
 */
#ifndef CHAOS_DRIVE_FILES_H
#define CHAOS_DRIVE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "chaos/cluster/cluster.h"
#include "proto/base/rng.h"

#define FILES_BUCKETS 4096
#define FILES_SECTOR  512

struct file_node;

/* A name of a node, as it is now or as it is kept. */
struct file_link {
	struct file_node *node, *parent; /* parent: NULL when it has no name */
	char *name;
	LIST_ENTRY(file_link) sibling, chain;
};
LIST_HEAD(file_links, file_link);

enum file_when {
	FILE_NOW,
	FILE_KEPT,
	FILE_WHENS
};

/* A file or a folder. */
struct file_node {
	bool is_dir;
	mode_t mode;	    /* the permissions */
	int64_t changed_ns; /* when it was changed last, by the wall clock */
	struct file_link links[FILE_WHENS];
	struct file_links children[FILE_WHENS];
	uint64_t data, copy;	  /* numbers of ground files; 0: none */
	uint64_t size, kept_size; /* of the contents, bytes */
	uint64_t unsynced;	  /* bytes written since the last sync */
	int fd;			  /* of data while it is open, or -1 */
	unsigned opens;
	uint64_t lookups; /* the kernel's references */
	LIST_ENTRY(file_node) all, moved;
	bool is_moved; /* its name may not be the one that is kept */
};

struct files {
	int ground; /* the folder */
	enum disk_names names;
	uint64_t last; /* number given to a ground file */
	struct file_node *root;
	LIST_HEAD(, file_node) all, moved;
	struct file_links buckets[FILE_WHENS][FILES_BUCKETS];
};

/* Begin an empty disk on this folder, which is made. 0 or -errno. */
int files_init(struct files *, const char *ground, enum disk_names);

/* Forget everything; the ground's files stay. Also before files_init(). */
void files_fini(struct files *);

/* The node of that name now, or NULL. */
struct file_node *files_find(
    struct files *, const struct file_node *parent, const char *name);

/* Make a file or a folder: 0, -EEXIST, -ENOMEM or another -errno. */
struct file_what {
	bool is_dir;
	mode_t mode;
};
int files_make(struct files *, struct file_node *parent, const char *name,
    struct file_what, struct file_node **);

/* Take a name away: 0, -ENOENT, -ENOTDIR, -EISDIR or -ENOTEMPTY. */
int files_remove(
    struct files *, struct file_node *parent, const char *name, bool is_dir);

/* Rename, over what has the new name unless is_new. 0 or -errno. */
struct file_place {
	struct file_node *parent;
	const char *name;
};
int files_rename(
    struct files *, struct file_place from, struct file_place to, bool is_new);

/* Contents. A file has to be open for these. 0 or bytes, or -errno. */
int files_open(struct files *, struct file_node *);
void files_close(struct files *, struct file_node *);
ssize_t files_read(const struct file_node *, void *, size_t, off_t);
ssize_t files_write(
    struct files *, struct file_node *, const void *, size_t, off_t);
int files_truncate(struct files *, struct file_node *, uint64_t size);

/* Keep what a file or a folder holds now. 0 or -ENOMEM. */
int files_sync(struct files *, struct file_node *);

/* The kernel drops so many references to a node; it may be freed then. */
void files_forget(struct files *, struct file_node *, uint64_t lookups);

/*
 * The power is lost: what is kept is what is there. Files that are open and
 * references of the kernel are forgotten. With rng a random part of what was
 * appended to a file, in whole sectors from its beginning, was written all the
 * same. 0 or -errno; loss is what it took.
 */
int files_drop(struct files *, struct rng *, struct disk_loss *);

#endif

/* SPDX-License-Identifier: ISC */
/* What a simulated disk holds and keeps; see files.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chaos/cluster/local/drive/files.h"
#include "proto/base/clock.h"
#include "proto/base/ensure.h"
#include "proto/base/file.h"
#include "proto/base/text.h"

#define COPY_MAX ((size_t)1 << 30) /* of one call */

static void
ground_name(uint64_t data, char out[24])
{
	text_format(out, 24, "%llu", (unsigned long long)data);
}

/* Open a ground file, or make it: a descriptor or -errno. */
static int
ground_open(const struct files *f, uint64_t data, int flags)
{
	char name[24];
	int fd;

	ground_name(data, name);
	fd = openat(f->ground, name, O_RDWR | O_CLOEXEC | flags, 0600);
	return fd < 0 ? -errno : fd;
}

static void
ground_remove(const struct files *f, uint64_t *data)
{
	char name[24];

	if (*data == 0)
		return;
	ground_name(*data, name);
	(void)unlinkat(f->ground, name, 0); /* it only takes room */
	*data = 0;
}

/* -- Names */

static struct file_links *
bucket_of(struct files *f, enum file_when when, const struct file_node *parent,
    const char *name)
{
	uint64_t hash = rng_mix((uint64_t)(uintptr_t)parent);

	while (*name != '\0')
		hash = hash * 31 + (unsigned char)*name++;
	return &f->buckets[when][rng_mix(hash) % FILES_BUCKETS];
}

static struct file_link *
link_find(struct files *f, enum file_when when, const struct file_node *parent,
    const char *name)
{
	struct file_link *l;

	LIST_FOREACH(l, bucket_of(f, when, parent, name), chain)
	if (l->parent == parent && strcmp(l->name, name) == 0)
		return l;
	return NULL;
}

static void
link_clear(struct file_link *l)
{
	if (l->parent == NULL)
		return;
	LIST_REMOVE(l, sibling);
	LIST_REMOVE(l, chain);
	free(l->name);
	l->name = NULL;
	l->parent = NULL;
}

static bool
link_is(
    const struct file_link *l, const struct file_node *parent, const char *name)
{
	return l->parent == parent && strcmp(l->name, name) == 0;
}

/* Give a node this name, which nobody has. 0 or -ENOMEM. */
static int
link_set(struct files *f, enum file_when when, struct file_node *n,
    struct file_place at)
{
	struct file_link *l = &n->links[when];
	char *copy = strdup(at.name);

	if (copy == NULL)
		return -ENOMEM;
	link_clear(l);
	l->parent = at.parent;
	l->name = copy;
	LIST_INSERT_HEAD(&at.parent->children[when], l, sibling);
	LIST_INSERT_HEAD(bucket_of(f, when, at.parent, copy), l, chain);
	return 0;
}

/* -- Nodes */

static void
node_free(struct files *f, struct file_node *n)
{
	link_clear(&n->links[FILE_NOW]);
	link_clear(&n->links[FILE_KEPT]);
	LIST_REMOVE(n, all);
	if (n->is_moved)
		LIST_REMOVE(n, moved);
	if (n->fd >= 0)
		close(n->fd);
	ground_remove(f, &n->data);
	ground_remove(f, &n->copy);
	free(n);
}

/* Free it when nobody can reach it any more. */
static void
node_release(struct files *f, struct file_node *n)
{
	if (n == f->root || n->links[FILE_NOW].parent != NULL ||
	    n->links[FILE_KEPT].parent != NULL || n->lookups > 0 ||
	    n->opens > 0)
		return;
	ensure(LIST_EMPTY(&n->children[FILE_NOW]));
	ensure(LIST_EMPTY(&n->children[FILE_KEPT]));
	node_free(f, n);
}

static void
node_touch(struct file_node *n)
{
	n->changed_ns = clock_wall_ns();
}

/* Its name has changed, or is gone. */
static void
node_move(struct files *f, struct file_node *n)
{
	if (!n->is_moved)
		LIST_INSERT_HEAD(&f->moved, n, moved);
	n->is_moved = true;
}

static struct file_node *
node_create(struct files *f, struct file_what what)
{
	struct file_node *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return NULL;
	n->is_dir = what.is_dir;
	n->mode = what.mode & 07777;
	n->fd = -1;
	n->links[FILE_NOW].node = n->links[FILE_KEPT].node = n;
	node_touch(n);
	LIST_INSERT_HEAD(&f->all, n, all);
	return n;
}

static int keep_name(struct files *, struct file_node *);

/*
 * The name is gone for good, and what was kept in a folder of that name with
 * it; but what has moved from there to another place is kept there.
 */
static int
drop_name(struct files *f, struct file_node *n)
{
	struct file_node *child;
	struct file_link *l;
	int err = 0, got;

	while ((l = LIST_FIRST(&n->children[FILE_KEPT])) != NULL) {
		child = l->node;
		link_clear(l);
		got = child->links[FILE_NOW].parent != NULL
			  ? keep_name(f, child)
			  : drop_name(f, child);
		err = got < 0 ? got : err;
	}
	link_clear(&n->links[FILE_KEPT]);
	node_release(f, n);
	return err;
}

/* Its name now is kept, whoever had that before. 0 or -ENOMEM. */
static int
keep_name(struct files *f, struct file_node *n)
{
	const struct file_link *now = &n->links[FILE_NOW];
	struct file_link *other;
	int err = 0;

	if (link_is(&n->links[FILE_KEPT], now->parent, now->name))
		return 0;
	/* Two may have changed places: the other one finds its place free. */
	link_clear(&n->links[FILE_KEPT]);
	other = link_find(f, FILE_KEPT, now->parent, now->name);
	if (other != NULL)
		err = other->node->links[FILE_NOW].parent != NULL
			  ? keep_name(f, other->node)
			  : drop_name(f, other->node);
	if (err == 0)
		err = link_set(f, FILE_KEPT, n,
		    (struct file_place){now->parent, now->name});
	return err;
}

/* The names of the folders above it as well. */
static int
keep_path(struct files *f, struct file_node *n)
{
	int err = 0;

	while (err == 0 && n->links[FILE_NOW].parent != NULL) {
		err = keep_name(f, n);
		n = n->links[FILE_NOW].parent;
	}
	return err;
}

/* All names as they are now. */
static int
keep_all(struct files *f)
{
	struct file_node *n;
	int err = 0, got;

	while ((n = LIST_FIRST(&f->moved)) != NULL) {
		LIST_REMOVE(n, moved);
		n->is_moved = false;
		got = n->links[FILE_NOW].parent != NULL ? keep_name(f, n)
							: drop_name(f, n);
		err = got < 0 ? got : err;
	}
	return err;
}

static void
keep_contents(struct files *f, struct file_node *n)
{
	ground_remove(f, &n->copy);
	n->kept_size = n->size;
	n->unsynced = 0;
}

/* -- The disk */

int
files_init(struct files *f, const char *ground, enum disk_names names)
{
	int err = file_make_dir(ground);

	memset(f, 0, sizeof(*f));
	f->names = names;
	f->ground = err < 0 ? err : file_open_dir(ground);
	if (f->ground < 0)
		return f->ground;
	f->root = node_create(f, (struct file_what){true, 0700});
	return f->root != NULL ? 0 : -ENOMEM;
}

void
files_fini(struct files *f)
{
	struct file_node *n, *next;

	if (f->root == NULL)
		return;
	LIST_FOREACH(n, &f->all, all)
	{
		link_clear(&n->links[FILE_NOW]);
		link_clear(&n->links[FILE_KEPT]);
		n->data = n->copy = 0; /* they stay */
	}
	for (n = LIST_FIRST(&f->all); n != NULL; n = next) {
		next = LIST_NEXT(n, all);
		node_free(f, n);
	}
	close(f->ground);
	f->root = NULL;
}

struct file_node *
files_find(struct files *f, const struct file_node *parent, const char *name)
{
	struct file_link *l = link_find(f, FILE_NOW, parent, name);

	return l != NULL ? l->node : NULL;
}

int
files_make(struct files *f, struct file_node *parent, const char *name,
    struct file_what what, struct file_node **out)
{
	struct file_node *n;
	int fd = 0, err;

	if (files_find(f, parent, name) != NULL)
		return -EEXIST;
	n = node_create(f, what);
	if (n == NULL)
		return -ENOMEM;
	if (!what.is_dir) {
		fd = ground_open(f, f->last + 1, O_CREAT | O_EXCL);
		if (fd >= 0)
			n->data = ++f->last;
	}
	err = fd < 0
		  ? fd
		  : link_set(f, FILE_NOW, n, (struct file_place){parent, name});
	if (fd > 0)
		close(fd);
	if (err < 0) {
		node_free(f, n);
		return err;
	}
	node_move(f, n);
	node_touch(parent);
	*out = n;
	return 0;
}

int
files_remove(
    struct files *f, struct file_node *parent, const char *name, bool is_dir)
{
	struct file_node *n = files_find(f, parent, name);

	if (n == NULL)
		return -ENOENT;
	if (n->is_dir != is_dir)
		return n->is_dir ? -EISDIR : -ENOTDIR;
	if (!LIST_EMPTY(&n->children[FILE_NOW]))
		return -ENOTEMPTY;
	link_clear(&n->links[FILE_NOW]);
	node_move(f, n);
	node_touch(parent);
	node_release(f, n);
	return 0;
}

int
files_rename(
    struct files *f, struct file_place from, struct file_place to, bool is_new)
{
	struct file_node *n = files_find(f, from.parent, from.name), *old;
	int err = 0;

	if (n == NULL)
		return -ENOENT;
	old = files_find(f, to.parent, to.name);
	if (old == n)
		return 0;
	if (old != NULL && is_new)
		return -EEXIST;
	if (old != NULL && n->is_dir != old->is_dir)
		return old->is_dir ? -EISDIR : -ENOTDIR;
	if (old != NULL)
		err = files_remove(f, to.parent, to.name, old->is_dir);
	if (err == 0)
		err = link_set(f, FILE_NOW, n, to);
	if (err == 0 && old != NULL && !n->is_dir &&
	    f->names == DISK_NAMES_JOURNAL)
		keep_contents(f, n);
	node_move(f, n);
	node_touch(from.parent);
	node_touch(to.parent);
	return err;
}

int
files_open(struct files *f, struct file_node *n)
{
	int fd;

	if (n->fd < 0) {
		fd = ground_open(f, n->data, 0);
		if (fd < 0)
			return fd;
		n->fd = fd;
	}
	n->opens++;
	return 0;
}

void
files_close(struct files *f, struct file_node *n)
{
	if (--n->opens > 0)
		return;
	close(n->fd);
	n->fd = -1;
	node_release(f, n);
}

ssize_t
files_read(const struct file_node *n, void *out, size_t size, off_t at)
{
	ssize_t got = pread(n->fd, out, size, at);

	return got < 0 ? -errno : got;
}

/*
 * Something that is kept changes: from now on the ground's file is not what
 * is kept. Where nothing of it is wanted it goes to the kept side as it is.
 */
static int
part(struct files *f, struct file_node *n, bool is_wanted)
{
	uint64_t left = n->kept_size;
	off_t from = 0, to = 0;
	ssize_t got = 1;
	int fd;

	if (n->copy != 0 || n->kept_size == 0)
		return 0;
	fd = ground_open(f, f->last + 1, O_CREAT | O_EXCL);
	if (fd < 0)
		return fd;
	if (!is_wanted) {
		n->copy = n->data;
		n->data = ++f->last;
		close(n->fd);
		n->fd = fd;
		return 0;
	}
	n->copy = ++f->last;
	while (left > 0 && got > 0) {
		got = copy_file_range(n->fd, &from, fd, &to,
		    left < COPY_MAX ? left : COPY_MAX, 0);
		left -= got > 0 ? (uint64_t)got : 0;
	}
	if (left > 0) {
		got = got < 0 ? -errno : -EIO;
		ground_remove(f, &n->copy);
	}
	close(fd);
	return left > 0 ? (int)got : 0;
}

ssize_t
files_write(struct files *f, struct file_node *n, const void *data, size_t size,
    off_t at)
{
	ssize_t put;
	int err = 0;

	if ((uint64_t)at < n->kept_size)
		err = part(f, n, true);
	if (err < 0)
		return err;
	put = pwrite(n->fd, data, size, at);
	if (put < 0)
		return -errno;
	n->unsynced += (uint64_t)put;
	if ((uint64_t)(at + put) > n->size)
		n->size = (uint64_t)(at + put);
	node_touch(n);
	return put;
}

int
files_truncate(struct files *f, struct file_node *n, uint64_t size)
{
	int err = 0;

	if (size < n->kept_size)
		err = part(f, n, size > 0);
	if (err < 0)
		return err;
	if (ftruncate(n->fd, (off_t)size) < 0)
		return -errno;
	n->size = size;
	node_touch(n);
	return 0;
}

static int
sync_folder(struct files *f, struct file_node *dir)
{
	struct file_link *l, *next;
	int err = 0, got;

	LIST_FOREACH(l, &dir->children[FILE_NOW], sibling)
	{
		got = keep_name(f, l->node);
		err = got < 0 ? got : err;
	}
	for (l = LIST_FIRST(&dir->children[FILE_KEPT]); l != NULL; l = next) {
		next = LIST_NEXT(l, sibling);
		if (l->node->links[FILE_NOW].parent == dir)
			continue;
		got = l->node->links[FILE_NOW].parent != NULL
			  ? keep_name(f, l->node)
			  : drop_name(f, l->node);
		err = got < 0 ? got : err;
	}
	return err;
}

int
files_sync(struct files *f, struct file_node *n)
{
	int err = 0;

	if (n->is_dir)
		err = sync_folder(f, n);
	else
		keep_contents(f, n);
	if (err == 0 && f->names == DISK_NAMES_FILE)
		err = keep_path(f, n);
	return err == 0 && f->names == DISK_NAMES_JOURNAL ? keep_all(f) : err;
}

void
files_forget(struct files *f, struct file_node *n, uint64_t lookups)
{
	n->lookups -= lookups < n->lookups ? lookups : n->lookups;
	node_release(f, n);
}

/* -- The loss of power */

/* Can it be found from the root by what is kept? */
static bool
is_kept(const struct files *f, const struct file_node *n)
{
	while (n != NULL && n != f->root)
		n = n->links[FILE_KEPT].parent;
	return n != NULL;
}

/* How much of what was appended to a file was written all the same. */
static uint64_t
draw_tail(const struct file_node *n, struct rng *rng)
{
	uint64_t first = n->kept_size / FILES_SECTOR + 1, sectors;

	if (rng == NULL || n->copy != 0 || n->size <= first * FILES_SECTOR)
		return n->kept_size;
	sectors = n->size / FILES_SECTOR - first + 1;
	return (first + rng_below(rng, sectors)) * FILES_SECTOR;
}

/* Contents as they are kept. 0 or -errno. */
static int
drop_contents(struct files *f, struct file_node *n, struct rng *rng,
    struct disk_loss *loss)
{
	uint64_t size = draw_tail(n, rng);
	int err = 0, fd;

	if (n->copy == 0 && n->size == size) {
		n->kept_size = size;
		n->unsynced = 0;
		return 0;
	}
	loss->files++;
	loss->bytes += n->unsynced > size - n->kept_size
			   ? n->unsynced - (size - n->kept_size)
			   : 0;
	if (n->copy != 0) {
		ground_remove(f, &n->data);
		n->data = n->copy;
		n->copy = 0;
	}
	fd = ground_open(f, n->data, 0);
	if (fd < 0)
		return fd;
	if (ftruncate(fd, (off_t)size) < 0)
		err = -errno;
	close(fd);
	n->size = n->kept_size = size;
	n->unsynced = 0;
	return err;
}

/* Forget who uses a node; returns whether its name changes. */
static bool
abandon(const struct files *f, struct file_node *n)
{
	const struct file_link *now = &n->links[FILE_NOW];
	const struct file_link *kept = &n->links[FILE_KEPT];

	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
	n->opens = 0;
	n->lookups = 0;
	if (n == f->root)
		return false;
	if (!is_kept(f, n))
		return now->parent != NULL;
	return now->parent == NULL || !link_is(now, kept->parent, kept->name);
}

/* It is as it is kept, if it is. 0 or -errno. */
static int
go_back(struct files *f, struct file_node *n, struct rng *rng,
    struct disk_loss *loss)
{
	const struct file_link *kept = &n->links[FILE_KEPT];
	int err;

	if (n == f->root || !is_kept(f, n))
		return 0;
	err = link_set(
	    f, FILE_NOW, n, (struct file_place){kept->parent, kept->name});
	return err == 0 && !n->is_dir ? drop_contents(f, n, rng, loss) : err;
}

int
files_drop(struct files *f, struct rng *rng, struct disk_loss *loss)
{
	struct file_node *n, *next;
	int err = 0, got;

	memset(loss, 0, sizeof(*loss));
	LIST_FOREACH(n, &f->all, all)
	loss->names += abandon(f, n);
	LIST_FOREACH(n, &f->all, all)
	link_clear(&n->links[FILE_NOW]);
	LIST_FOREACH(n, &f->all, all)
	{
		got = go_back(f, n, rng, loss);
		err = got < 0 ? got : err;
	}
	/* Who has no name is gone, and nothing in it has one. */
	for (n = LIST_FIRST(&f->all); n != NULL; n = next) {
		next = LIST_NEXT(n, all);
		if (n == f->root || n->links[FILE_NOW].parent != NULL)
			continue;
		loss->files += !n->is_dir;
		loss->bytes += n->unsynced;
		while (!LIST_EMPTY(&n->children[FILE_KEPT]))
			link_clear(LIST_FIRST(&n->children[FILE_KEPT]));
		node_free(f, n);
	}
	return err;
}

/* SPDX-License-Identifier: ISC */
/*
 * A simulated disk as a file system; see drive.h. The kernel keeps names and
 * attributes, for nobody else changes them, but no contents: every read and
 * write comes here (direct_io).
 */
#define FUSE_USE_VERSION 34

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "chaos/cluster/local/drive/drive.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/base/text.h"

#define KNOWN_S	  3600.0 /* that names and attributes are known to hold */
#define LATES_MAX 65536
#define SERVE_MAX 64 /* requests, before others get a turn */

/* What is answered: bytes, or -errno. */
struct drive_late {
	fuse_req_t req;
	uint64_t due_ns;
	ssize_t got;
	bool is_write;
};

/* The names of a folder as they were when it was opened. */
struct listing {
	uint32_t n, room;
	struct listed {
		char *name;
		fuse_ino_t node;
		mode_t type;
	} * names;
};

static struct drive *
drive_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static struct file_node *
node_of(fuse_req_t req, fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? drive_of(req)->files.root
				   : (struct file_node *)(uintptr_t)ino;
}

static void
fill_stat(fuse_req_t req, const struct file_node *n, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino =
	    n == drive_of(req)->files.root ? FUSE_ROOT_ID : (ino_t)(uintptr_t)n;
	st->st_mode = (n->is_dir ? S_IFDIR : S_IFREG) | n->mode;
	st->st_nlink = n->is_dir ? 2 : 1;
	st->st_uid = geteuid();
	st->st_gid = getegid();
	st->st_size = (off_t)n->size;
	st->st_blksize = 4096;
	st->st_blocks = (st->st_size + 511) / 512;
	st->st_mtim.tv_sec = n->changed_ns / (int64_t)CLOCK_S;
	st->st_mtim.tv_nsec = n->changed_ns % (int64_t)CLOCK_S;
	st->st_ctim = st->st_atim = st->st_mtim;
}

/* An answer that can't be given is one to a caller that is gone. */
static void
answer_error(fuse_req_t req, int err)
{
	(void)fuse_reply_err(req, -err);
}

static void
fill_entry(fuse_req_t req, struct file_node *n, struct fuse_entry_param *e)
{
	memset(e, 0, sizeof(*e));
	fill_stat(req, n, &e->attr);
	e->ino = e->attr.st_ino;
	e->attr_timeout = e->entry_timeout = KNOWN_S;
	n->lookups++;
}

static void
answer_entry(fuse_req_t req, struct file_node *n)
{
	struct fuse_entry_param e;

	fill_entry(req, n, &e);
	(void)fuse_reply_entry(req, &e); /* as answer_error() */
}

static void
answer_stat(fuse_req_t req, const struct file_node *n)
{
	struct stat st;

	fill_stat(req, n, &st);
	(void)fuse_reply_attr(req, &st, KNOWN_S); /* as answer_error() */
}

/* -- Trouble */

/* Does the policy have this one fail? Then it has. */
static bool
fails(struct drive *d, unsigned what)
{
	if ((d->policy.fails & what) == 0 ||
	    (d->policy.times != 0 && d->effect.failed >= d->policy.times))
		return false;
	d->effect.failed++;
	return true;
}

/* When a write or a sync that was done now is answered. */
static uint64_t
draw_due(struct drive *d, uint64_t now_ns)
{
	const struct disk_policy *p = &d->policy;
	uint64_t due_ns = now_ns;

	if (p->high_ns > 0)
		due_ns +=
		    p->low_ns + rng_below(&d->rng, p->high_ns - p->low_ns + 1);
	if (p->stall_ns > 0 && now_ns >= d->stall_ns &&
	    rng_below(&d->rng, 1000) < p->stall_share)
		d->stall_ns = now_ns + 1 + rng_below(&d->rng, p->stall_ns);
	return d->stall_ns > due_ns ? d->stall_ns : due_ns;
}

static void
answer_got(fuse_req_t req, ssize_t got, bool is_write)
{
	if (got < 0)
		answer_error(req, (int)got);
	else if (is_write)
		(void)fuse_reply_write(req, (size_t)got); /* likewise */
	else
		answer_error(req, 0);
}

/* Answer a write or a sync, late if the disk is slow. */
static void
answer_slowly(fuse_req_t req, ssize_t got, bool is_write)
{
	struct drive *d = drive_of(req);
	uint64_t now_ns = clock_mono_ns(), due_ns = draw_due(d, now_ns);

	if (due_ns == now_ns ||
	    array_reserve(&d->lates, &d->room, d->nlates + 1, sizeof(*d->lates),
		LATES_MAX) < 0) {
		answer_got(req, got, is_write);
		return;
	}
	d->effect.late++;
	if (due_ns - now_ns > d->effect.latest_ns)
		d->effect.latest_ns = due_ns - now_ns;
	d->lates[d->nlates++] = (struct drive_late){req, due_ns, got, is_write};
}

uint64_t
drive_answer_late(struct drive *d, uint64_t now_ns)
{
	uint64_t next_ns = UINT64_MAX;
	uint32_t i = 0;
	struct drive_late late;

	while (i < d->nlates) {
		late = d->lates[i];
		if (late.due_ns > now_ns) {
			next_ns = late.due_ns < next_ns ? late.due_ns : next_ns;
			i++;
			continue;
		}
		d->lates[i] = d->lates[--d->nlates];
		answer_got(late.req, late.got, late.is_write);
	}
	return next_ns;
}

void
drive_set(struct drive *d, const struct disk_policy *policy)
{
	d->policy = *policy;
	d->effect = (struct disk_effect){0};
	d->stall_ns = 0;
}

/* -- Names */

static void
on_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct file_node *n =
	    files_find(&drive_of(req)->files, node_of(req, parent), name);

	if (n != NULL)
		answer_entry(req, n);
	else
		answer_error(req, -ENOENT);
}

static void
on_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
	files_forget(&drive_of(req)->files, node_of(req, ino), lookups);
	fuse_reply_none(req);
}

static void
on_forget_multi(fuse_req_t req, size_t n, struct fuse_forget_data *all)
{
	size_t i;

	for (i = 0; i < n; i++)
		files_forget(&drive_of(req)->files, node_of(req, all[i].ino),
		    all[i].nlookup);
	fuse_reply_none(req);
}

static void
on_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct file_node *n;
	int err = files_make(&drive_of(req)->files, node_of(req, parent), name,
	    (struct file_what){true, mode}, &n);

	if (err < 0)
		answer_error(req, err);
	else
		answer_entry(req, n);
}

static void
on_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	answer_error(req, files_remove(&drive_of(req)->files,
			      node_of(req, parent), name, false));
}

static void
on_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	answer_error(req, files_remove(&drive_of(req)->files,
			      node_of(req, parent), name, true));
}

static void
on_rename(fuse_req_t req, fuse_ino_t from, const char *name, fuse_ino_t to,
    const char *new_name, unsigned flags)
{
	if ((flags & ~(unsigned)RENAME_NOREPLACE) != 0) {
		answer_error(req, -EINVAL);
		return;
	}
	answer_error(req,
	    files_rename(&drive_of(req)->files,
		(struct file_place){node_of(req, from), name},
		(struct file_place){node_of(req, to), new_name}, flags != 0));
}

static void
on_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)fi; /* a node is the same however it is named */
	answer_stat(req, node_of(req, ino));
}

static int
set_size(struct drive *d, struct file_node *n, off_t size)
{
	int err = files_open(&d->files, n);

	if (err < 0)
		return err;
	err = files_truncate(&d->files, n, (uint64_t)size);
	files_close(&d->files, n);
	return err;
}

static void
on_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int what,
    struct fuse_file_info *fi)
{
	struct file_node *n = node_of(req, ino);
	int err = 0;

	(void)fi; /* likewise */
	if ((what & FUSE_SET_ATTR_SIZE) != 0)
		err = set_size(drive_of(req), n, st->st_size);
	if ((what & FUSE_SET_ATTR_MODE) != 0)
		n->mode = st->st_mode & 07777;
	if ((what & FUSE_SET_ATTR_MTIME) != 0)
		n->changed_ns =
		    st->st_mtim.tv_sec * (int64_t)CLOCK_S + st->st_mtim.tv_nsec;
	if (err < 0)
		answer_error(req, err);
	else
		answer_stat(req, n);
}

/* -- Folders */

static void
listing_free(struct listing *l)
{
	uint32_t i;

	for (i = 0; l != NULL && i < l->n; i++)
		free(l->names[i].name);
	if (l != NULL)
		free(l->names);
	free(l);
}

static int
listing_add(struct listing *l, const char *name, const struct file_node *n)
{
	int err = array_reserve(
	    &l->names, &l->room, l->n + 1, sizeof(*l->names), UINT32_MAX / 2);

	if (err < 0)
		return err;
	l->names[l->n].name = strdup(name);
	if (l->names[l->n].name == NULL)
		return -ENOMEM;
	l->names[l->n].node = (fuse_ino_t)(uintptr_t)n;
	l->names[l->n++].type = n->is_dir ? S_IFDIR : S_IFREG;
	return 0;
}

static void
on_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct file_node *dir = node_of(req, ino);
	struct listing *l = calloc(1, sizeof(*l));
	const struct file_link *link;
	int err = l == NULL ? -ENOMEM : listing_add(l, ".", dir);

	if (err == 0)
		err = listing_add(l, "..", dir);
	LIST_FOREACH(link, &dir->children[FILE_NOW], sibling)
	if (err == 0)
		err = listing_add(l, link->name, link->node);
	if (err < 0) {
		listing_free(l);
		answer_error(req, err);
		return;
	}
	fi->fh = (uint64_t)(uintptr_t)l;
	if (fuse_reply_open(req, fi) < 0)
		listing_free(l); /* nobody will close it */
}

static void
on_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t at,
    struct fuse_file_info *fi)
{
	const struct listing *l = (struct listing *)(uintptr_t)fi->fh;
	char *out = malloc(size);
	size_t used = 0, need;
	struct stat st = {0};
	uint32_t i;

	(void)ino; /* of the listing */
	for (i = (uint32_t)at; out != NULL && i < l->n; i++) {
		st.st_ino = l->names[i].node;
		st.st_mode = l->names[i].type;
		need = fuse_add_direntry(req, out + used, size - used,
		    l->names[i].name, &st, (off_t)i + 1);
		if (need > size - used)
			break;
		used += need;
	}
	if (out == NULL)
		answer_error(req, -ENOMEM);
	else
		(void)fuse_reply_buf(req, out, used); /* likewise */
	free(out);
}

static void
on_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino; /* likewise */
	listing_free((struct listing *)(uintptr_t)fi->fh);
	answer_error(req, 0);
}

/* -- Contents */

/* fh says whether each write is synced. */
static void
note_flags(struct fuse_file_info *fi)
{
	fi->fh = (fi->flags & (O_SYNC | O_DSYNC)) != 0;
	fi->direct_io = 1;
}

static void
on_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct drive *d = drive_of(req);
	struct file_node *n = node_of(req, ino);
	int err = files_open(&d->files, n);

	if (err == 0 && (fi->flags & O_TRUNC) != 0) {
		err = files_truncate(&d->files, n, 0);
		if (err < 0)
			files_close(&d->files, n);
	}
	if (err < 0) {
		answer_error(req, err);
		return;
	}
	note_flags(fi);
	if (fuse_reply_open(req, fi) < 0)
		files_close(&d->files, n); /* nobody will close it */
}

static void
on_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
    struct fuse_file_info *fi)
{
	struct drive *d = drive_of(req);
	struct fuse_entry_param e;
	struct file_node *n;
	int err = files_make(&d->files, node_of(req, parent), name,
	    (struct file_what){false, mode}, &n);

	if (err == 0)
		err = files_open(&d->files, n);
	if (err < 0) {
		answer_error(req, err);
		return;
	}
	note_flags(fi);
	fill_entry(req, n, &e);
	if (fuse_reply_create(req, &e, fi) < 0) {
		n->lookups--;
		files_close(&d->files, n); /* nobody will close it */
	}
}

static void
on_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)fi; /* all of a file's opens are alike */
	files_close(&drive_of(req)->files, node_of(req, ino));
	answer_error(req, 0);
}

static void
on_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t at,
    struct fuse_file_info *fi)
{
	struct drive *d = drive_of(req);
	char *out = malloc(size);
	ssize_t got = out == NULL ? -ENOMEM : 0;

	(void)fi; /* likewise */
	if (got == 0)
		got = fails(d, DISK_FAILS_READ)
			  ? -EIO
			  : files_read(node_of(req, ino), out, size, at);
	if (got < 0)
		answer_error(req, (int)got);
	else
		(void)fuse_reply_buf(req, out, (size_t)got); /* likewise */
	free(out);
}

static void
on_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size,
    off_t at, struct fuse_file_info *fi)
{
	struct drive *d = drive_of(req);
	struct file_node *n = node_of(req, ino);
	ssize_t got = -EIO;
	int err = 0;

	if (!fails(d, DISK_FAILS_WRITE))
		got = files_write(&d->files, n, data, size, at);
	if (got > 0 && fi->fh != 0)
		err =
		    fails(d, DISK_FAILS_SYNC) ? -EIO : files_sync(&d->files, n);
	answer_slowly(req, err < 0 ? err : got, true);
}

static void
on_fsync(fuse_req_t req, fuse_ino_t ino, int is_data, struct fuse_file_info *fi)
{
	struct drive *d = drive_of(req);

	(void)is_data; /* a size is of the data */
	(void)fi;      /* likewise */
	answer_slowly(req,
	    fails(d, DISK_FAILS_SYNC)
		? -EIO
		: files_sync(&d->files, node_of(req, ino)),
	    false);
}

static void
on_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs s;

	(void)ino; /* one disk */
	if (fstatvfs(drive_of(req)->files.ground, &s) < 0)
		answer_error(req, -errno);
	else
		(void)fuse_reply_statfs(req, &s); /* likewise */
}

static const struct fuse_lowlevel_ops drive_ops = {
    .lookup = on_lookup,
    .forget = on_forget,
    .forget_multi = on_forget_multi,
    .getattr = on_getattr,
    .setattr = on_setattr,
    .mkdir = on_mkdir,
    .unlink = on_unlink,
    .rmdir = on_rmdir,
    .rename = on_rename,
    .open = on_open,
    .create = on_create,
    .read = on_read,
    .write = on_write,
    .release = on_release,
    .fsync = on_fsync,
    .opendir = on_opendir,
    .readdir = on_readdir,
    .releasedir = on_releasedir,
    .fsyncdir = on_fsync,
    .statfs = on_statfs,
};

/* -- The mount */

/*
 * By mount(2), as the process that this is: fusermount3, the way of those who
 * may not, would mount it for the whole host.
 */
static int
mount_here(struct drive *d, struct fuse_session *session)
{
	char options[128], place[32];
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK), err = 0;

	if (fd < 0)
		return -errno;
	text_format(options, sizeof(options),
	    "fd=%d,rootmode=40000,user_id=%u,group_id=%u,"
	    "default_permissions",
	    fd, geteuid(), getegid());
	if (mount("natsburn", d->store, "fuse", MS_NOSUID | MS_NODEV, options) <
	    0)
		err = -errno;
	text_format(place, sizeof(place), "/dev/fd/%d", fd);
	if (err == 0 && fuse_session_mount(session, place) < 0) {
		(void)umount2(d->store, MNT_DETACH); /* it is of no use */
		err = -EIO;
	}
	if (err < 0)
		close(fd);
	return err;
}

static int
begin_session(struct drive *d)
{
	char name[] = "natsburn", *argv[] = {name, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_session *session =
	    fuse_session_new(&args, &drive_ops, sizeof(drive_ops), d);
	int err;

	fuse_opt_free_args(&args); /* what the library has added */
	if (session == NULL)
		return -ENOMEM;
	err = mount_here(d, session);
	if (err < 0) {
		fuse_session_destroy(session);
		return err;
	}
	d->session = session;
	return 0;
}

/* What waits for an answer is told that there is none. */
static void
end_session(struct drive *d)
{
	while (d->nlates > 0)
		answer_error(d->lates[--d->nlates].req, -EIO);
	if (d->session == NULL)
		return;
	(void)umount2(d->store, MNT_DETACH); /* or it is gone already */
	fuse_session_destroy(d->session);
	d->session = NULL;
}

int
drive_open(struct drive *d, const char *store, const char *ground,
    enum disk_names names)
{
	int err = file_make_dir(store);

	rng_init(&d->rng, rng_fresh_seed(), "drive");
	text_set(d->store, sizeof(d->store), store);
	if (err == 0)
		err = files_init(&d->files, ground, names);
	return err < 0 ? err : begin_session(d);
}

void
drive_close(struct drive *d)
{
	end_session(d);
	files_fini(&d->files);
	free(d->lates);
	memset(d, 0, sizeof(*d));
}

int
drive_fd(const struct drive *d)
{
	return d->session != NULL ? fuse_session_fd(d->session) : -1;
}

int
drive_serve(struct drive *d)
{
	static struct fuse_buf buf; /* its memory is used again */
	int i, got = 1;

	for (i = 0; i < SERVE_MAX && got > 0 && d->session != NULL; i++) {
		got = fuse_session_receive_buf(d->session, &buf);
		if (got > 0)
			fuse_session_process_buf(d->session, &buf);
	}
	if (got == 0)
		return -ENODEV;
	return got < 0 && got != -EAGAIN && got != -EINTR ? got : 0;
}

int
drive_drop(struct drive *d, bool is_torn, struct disk_loss *loss)
{
	int err;

	end_session(d);
	err = files_drop(&d->files, is_torn ? &d->rng : NULL, loss);
	return err < 0 ? err : begin_session(d);
}

/* SPDX-License-Identifier: ISC */
/* Small disks that can be filled; see disk.h. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "chaos/cluster/local/disk.h"
#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/config.h"

#define BALLAST	   "natsburn-ballast"
#define FILL_TRIES 16 /* others write and free meanwhile */

static int
write_map(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* Inside the new namespace we are the same user and group as outside. */
static int
map_ids(uid_t uid, gid_t gid)
{
	char text[64];
	int err;

	text_format(text, sizeof(text), "%u %u 1", uid, uid);
	err = write_map("/proc/self/uid_map", text);
	if (err == 0)
		err = write_map("/proc/self/setgroups", "deny");
	text_format(text, sizeof(text), "%u %u 1", gid, gid);
	if (err == 0)
		err = write_map("/proc/self/gid_map", text);
	return err;
}

int
disk_isolate(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int err, death = 0;

	/* else there is none to keep */
	(void)prctl(PR_GET_PDEATHSIG, &death, 0, 0, 0);
	if (unshare(CLONE_NEWNS) < 0) {
		if (errno != EPERM || unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
			return -errno;
		err = map_ids(uid, gid);
		if (err < 0)
			return err;
	}
	/*
	 * The kernel may have cleared the death signal when the credentials
	 * changed.
	 */
	if (death != 0 && prctl(PR_SET_PDEATHSIG, death, 0, 0, 0) < 0)
		return -errno;
	/* What is mounted here must not show elsewhere. */
	return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? -errno
								       : 0;
}

int
disk_mount(const char *dir, uint64_t bytes)
{
	char options[64];
	int err = file_make_dir(dir);

	if (err < 0)
		return err;
	text_format(options, sizeof(options), "mode=0700,size=%llu",
	    (unsigned long long)bytes);
	return mount("natsburn", dir, "tmpfs", MS_NOSUID | MS_NODEV, options) <
		       0
		   ? -errno
		   : 0;
}

/* Memory that is free without swapping, in bytes; 0 when that is not known. */
static uint64_t
memory_left(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	unsigned long long kib = 0;
	char line[128];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			break;
	if (f != NULL)
		(void)fclose(f); /* it was only read */
	return kib << 10;
}

int
disk_grow(const char *dir, uint64_t from_bytes, uint64_t to_bytes)
{
	char options[64];

	if (memory_left() / 2 < to_bytes - from_bytes)
		return -ENOMEM;
	text_format(options, sizeof(options), "size=%llu",
	    (unsigned long long)to_bytes);
	return mount(NULL, dir, NULL, MS_REMOUNT | MS_NOSUID | MS_NODEV,
		   options) < 0
		   ? -errno
		   : 0;
}

void
disk_unmount(const char *dir)
{
	(void)umount2(dir, MNT_DETACH); /* nothing may be mounted there */
}

int64_t
disk_room(const char *dir)
{
	struct statvfs s;

	if (statvfs(dir, &s) < 0)
		return -errno;
	return (int64_t)(s.f_bavail * s.f_frsize);
}

static void
ballast_path(const char *dir, char *out, size_t size)
{
	out[0] = '\0';
	text_add(out, size, "%s/%s", dir, BALLAST);
}

/* Reserve all that is free. Servers write and free meanwhile, so look again. */
static int
take_room(int fd, const char *dir)
{
	int64_t room = disk_room(dir);
	struct stat st;
	unsigned i;

	for (i = 0; i < FILL_TRIES && room > 0; i++) {
		if (fstat(fd, &st) < 0)
			return -errno;
		/* A server may have taken some of it first: try less. */
		if (fallocate(fd, 0, st.st_size, room) < 0) {
			if (errno != ENOSPC && errno != EINTR)
				return -errno;
			room /= 2;
			continue;
		}
		room = disk_room(dir);
	}
	return room < 0 ? (int)room : 0;
}

int
disk_fill(const char *dir)
{
	char path[CONFIG_PATH_MAX + 64];
	int fd, err;

	ballast_path(dir, path, sizeof(path));
	fd = file_create(path);
	if (fd < 0)
		return fd;
	err = take_room(fd, dir);
	close(fd);
	return err;
}

int
disk_free(const char *dir)
{
	char path[CONFIG_PATH_MAX + 64];

	ballast_path(dir, path, sizeof(path));
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

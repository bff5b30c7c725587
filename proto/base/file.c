/* SPDX-License-Identifier: ISC */
/* Files by name; see file.h. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/file.h"
#include "proto/base/text.h"

#define TREE_FDS 16 /* descriptors that a walk may hold */

/* The descriptor that open() gave, if it is one of a regular file. */
static int
take_regular(int fd)
{
	struct stat st;
	int err = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = -EINVAL;
	if (err == 0)
		return fd;
	(void)close(fd); /* nothing was written */
	return err;
}

/* Without O_NONBLOCK a FIFO is waited for. */
#define CAREFULLY (O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)

int
file_open(const char *path)
{
	return take_regular(open(path, O_RDONLY | CAREFULLY));
}

int
file_append(const char *path)
{
	return take_regular(
	    open(path, O_WRONLY | O_APPEND | O_CREAT | CAREFULLY, 0600));
}

int
file_create(const char *path)
{
	int fd;

	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	fd = open(
	    path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? -errno : fd;
}

static ssize_t
read_some(int fd, char *at, size_t len)
{
	ssize_t n;

	do
		n = read(fd, at, len);
	while (n < 0 && errno == EINTR);
	return n;
}

/* Read to the end: 0, or -errno. The text is the caller's in either case. */
static int
read_rest(int fd, size_t max, char **text, size_t *len)
{
	size_t room = 0;
	ssize_t n = 1;
	char *grown;

	while (n > 0) {
		if (*len + 1 >= room) {
			room = room ? room * 2 : 4096;
			grown = realloc(*text, room);
			if (grown == NULL)
				return -ENOMEM;
			*text = grown;
		}
		n = read_some(fd, *text + *len, room - *len - 1);
		if (n < 0)
			return -errno;
		*len += (size_t)n;
		if (*len > max)
			return -EFBIG;
	}
	(*text)[*len] = '\0';
	return 0;
}

char *
file_read(const char *path, size_t max, size_t *len)
{
	int err, fd = file_open(path);
	char *text = NULL;

	*len = 0;
	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	err = read_rest(fd, max, &text, len);
	(void)close(fd); /* nothing was written */
	if (err == 0)
		return text;
	free(text);
	*len = 0;
	errno = -err;
	return NULL;
}

int
file_write_all(int fd, const void *data, size_t len)
{
	const char *at = data;
	ssize_t n;

	while (len > 0) {
		n = write(fd, at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int
file_replace(const char *path, const void *data, size_t len)
{
	char temp[PATH_MAX] = "";
	int fd, err;

	if (!text_fits_add(temp, sizeof(temp), "%s.new", path))
		return -ENAMETOOLONG;
	fd = file_create(temp);
	if (fd < 0)
		return fd;
	err = file_write_all(fd, data, len);
	if (close(fd) < 0 && err == 0)
		err = -errno;
	if (err == 0 && rename(temp, path) < 0)
		err = -errno;
	if (err < 0)
		(void)unlink(temp); /* half a file is worse than none */
	return err;
}

int
file_make_dir(const char *path)
{
	struct stat st;

	if (mkdir(path, 0700) == 0)
		return 0;
	if (errno != EEXIST || lstat(path, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int
file_open_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

static int
remove_entry(
    const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st; /* whatever it is */
	(void)type;
	(void)where;
	return remove(path);
}

int
file_remove_tree(const char *path)
{
	if (nftw(path, remove_entry, TREE_FDS, FTW_DEPTH | FTW_PHYS) == 0 ||
	    errno == ENOENT)
		return 0;
	return -errno;
}

bool
file_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

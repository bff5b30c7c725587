/* SPDX-License-Identifier: ISC */
/* Calls that fail when they are told to; see fail.h. */
#include <archive.h>
#include <archive_entry.h>
#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "proto/base/text.h"
#include "tests/torture/fail.h"

static const char *const names[FAIL_KINDS] = FAIL_NAMES;
static uint64_t counts[FAIL_KINDS], nth = UINT64_MAX;
static enum fail_kind kind;
static bool is_on, for_ever;

/* Count a call: true when it is the one to fail. */
static bool
fails(enum fail_kind k, int error)
{
	if (!is_on)
		return false;
	counts[k]++;
	if (k != kind || counts[k] < nth || (counts[k] > nth && !for_ever))
		return false;
	errno = error;
	return true;
}

/* The real call has the name of the wrapped one with another prefix. */
#define WRAP(type, name, params)                                               \
	type __real_##name params;                                             \
	type __wrap_##name params;                                             \
	type __wrap_##name params

/* A call that gives something new, or NULL when there is no memory. */
#define WRAP_MEMORY(type, name, params, args)                                  \
	WRAP(type, name, params)                                               \
	{                                                                      \
		return fails(FAIL_MEMORY, ENOMEM) ? NULL : __real_##name args; \
	}

WRAP_MEMORY(void *, malloc, (size_t n), (n))
WRAP_MEMORY(void *, calloc, (size_t n, size_t size), (n, size))
WRAP_MEMORY(void *, realloc, (void *p, size_t n), (p, n))
WRAP_MEMORY(
    void *, reallocarray, (void *p, size_t n, size_t size), (p, n, size))
WRAP_MEMORY(void *, aligned_alloc, (size_t align, size_t n), (align, n))
WRAP_MEMORY(char *, strdup, (const char *s), (s))
WRAP_MEMORY(char *, realpath, (const char *path, char *out), (path, out))
WRAP_MEMORY(FILE *, fopen, (const char *path, const char *mode), (path, mode))
WRAP_MEMORY(FILE *, fopencookie,
    (void *cookie, const char *mode, cookie_io_functions_t io),
    (cookie, mode, io))
WRAP_MEMORY(DIR *, opendir, (const char *path), (path))
WRAP_MEMORY(ZSTD_CCtx *, ZSTD_createCCtx, (void), ())
WRAP_MEMORY(ZSTD_DCtx *, ZSTD_createDCtx, (void), ())
WRAP_MEMORY(struct archive *, archive_write_new, (void), ())
WRAP_MEMORY(struct archive_entry *, archive_entry_new, (void), ())

static bool
is_stream_of_bytes(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 &&
	       (S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode));
}

WRAP(ssize_t, read, (int fd, void *data, size_t n))
{
	if (fails(FAIL_READ, EIO))
		return -1;
	if (n > 1 && is_on && is_stream_of_bytes(fd) &&
	    fails(FAIL_SHORT_READ, 0))
		n = 1;
	return __real_read(fd, data, n);
}

WRAP(ssize_t, write, (int fd, const void *data, size_t n))
{
	if (fails(FAIL_WRITE, ENOSPC))
		return -1;
	if (n > 1 && fails(FAIL_SHORT_WRITE, 0))
		n = 1;
	return __real_write(fd, data, n);
}

WRAP(int, poll, (struct pollfd * fds, nfds_t n, int timeout_ms))
{
	return fails(FAIL_POLL, ENOMEM) ? -1 : __real_poll(fds, n, timeout_ms);
}

WRAP(int, epoll_wait,
    (int fd, struct epoll_event *events, int n, int timeout_ms))
{
	return fails(FAIL_POLL, ENOMEM)
		   ? -1
		   : __real_epoll_wait(fd, events, n, timeout_ms);
}

WRAP(pid_t, fork, (void))
{
	pid_t pid = fails(FAIL_FORK, EAGAIN) ? -1 : __real_fork();

	if (pid == 0)
		is_on = false;
	return pid;
}

static void
take_order(const char *order)
{
	char word[32];
	size_t len = strcspn(order, " ");
	unsigned k;

	text_set(word, sizeof(word), order);
	word[len < sizeof(word) ? len : 0] = '\0';
	for (k = 0; k < FAIL_KINDS; k++)
		if (strcmp(names[k], word) == 0)
			kind = (enum fail_kind)k;
	nth = strtoull(order + len, NULL, 10);
	for_ever = strstr(order, "ever") != NULL;
}

static void __attribute__((constructor)) begin(int argc, char **argv)
{
	/* cJSON is a library, whose calls --wrap does not see. */
	cJSON_Hooks hooks = {__wrap_malloc, free};
	const char *order = getenv("TORTURE");

	if (argc > 1 && strncmp(argv[1], "--child=", 8) == 0)
		return;
	cJSON_InitHooks(&hooks);
	if (order != NULL)
		take_order(order);
	is_on = true;
}

static void __attribute__((destructor)) end(void)
{
	const char *path = is_on ? getenv("TORTURE_COUNTS") : NULL;
	unsigned k;
	FILE *f;

	is_on = false;
	f = path != NULL ? fopen(path, "we") : NULL;
	if (f == NULL)
		return;
	for (k = 0; k < FAIL_KINDS; k++)
		fprintf(f, "%llu\n", (unsigned long long)counts[k]);
	fclose(f);
}

/* SPDX-License-Identifier: ISC */
/* Files that grow; see tail.h. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chaos/tail.h"
#include "proto/base/file.h"

void
tail_begin(struct tail *t, const char *path)
{
	struct stat st;

	memset(t, 0, sizeof(*t));
	if (stat(path, &st) == 0 && st.st_size > 0)
		t->at = (uint64_t)st.st_size;
}

static void
take_bytes(struct tail *t, const char *data, size_t n,
    void (*take)(void *arg, const char *line), void *arg)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (data[i] != '\n') {
			if (t->len < sizeof(t->line) - 1)
				t->line[t->len++] = data[i];
			continue;
		}
		t->line[t->len] = '\0';
		take(arg, t->line);
		t->len = 0;
	}
}

size_t
tail_read(struct tail *t, const char *path, size_t max,
    void (*take)(void *arg, const char *line), void *arg)
{
	char data[16384];
	size_t total = 0;
	ssize_t n;
	int fd = file_open(path);

	while (fd >= 0 && total < max) {
		n = pread(fd, data, sizeof(data), (off_t)t->at);
		if (n <= 0)
			break;
		t->at += (uint64_t)n;
		total += (size_t)n;
		take_bytes(t, data, (size_t)n, take, arg);
	}
	if (fd >= 0)
		close(fd);
	return total;
}

bool
tail_is_at_end(const struct tail *t, const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && (uint64_t)st.st_size == t->at;
}

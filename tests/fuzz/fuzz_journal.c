/* SPDX-License-Identifier: ISC */
/*
 * Any bytes as the only segment of a journal: reading ends, with an answer
 * that fits, and never reads the same event twice.
 */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/journal.h"

static char dir[64], path[96];

static void
leave(void)
{
	(void)unlink(path);
	path[strlen(dir) + sizeof("/journal") - 1] = '\0';
	(void)rmdir(path);
	(void)rmdir(dir);
}

static void
prepare(void)
{
	if (dir[0] != '\0')
		return;
	/* In memory when it can be: there is a file for each input. */
	(void)snprintf(dir, sizeof(dir), "%s/natsburn-fuzz.XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	MUST(mkdtemp(dir) != NULL);
	(void)snprintf(path, sizeof(path), "%s/journal", dir);
	MUST(mkdir(path, 0755) == 0);
	(void)snprintf(path, sizeof(path), "%s/journal/000001.nbj", dir);
	MUST(atexit(leave) == 0);
}

/* Read to the end; returns the bytes of all events. */
static size_t
read_all(struct journal_reader *r, enum journal_state *state)
{
	const uint8_t *raw;
	struct event ev;
	size_t len, total = 0;

	while ((*state = journal_next(r, &ev, &raw, &len)) == JOURNAL_EVENT)
		total += len;
	return total;
}

static void
write_input(const uint8_t *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	MUST(fd >= 0);
	MUST(write(fd, data, size) == (ssize_t)size);
	close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct journal_reader r;
	enum journal_state state;
	size_t total;

	prepare();
	write_input(data, size);
	if (journal_open(&r, dir) == 0) {
		total = read_all(&r, &state);
		MUST(total <= size);
		MUST(state != JOURNAL_STATES);
		if (state == JOURNAL_END)
			MUST(size == 0 || total + 8 == size);
	}
	journal_reader_fini(&r);
	return 0;
}

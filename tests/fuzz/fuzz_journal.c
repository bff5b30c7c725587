/* SPDX-License-Identifier: ISC */
/*
 * Any bytes as the only segment of a journal, plain or as if compressed:
 * reading ends, with an answer that fits, and never reads the same event
 * twice.
 */
#include "proto/base/text.h"
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "proto/journal.h"

static char dir[64], path[96], packed[104];

static void
leave(void)
{
	(void)unlink(path); /* what was never made isn't there */
	(void)unlink(packed);
	path[strlen(dir) + sizeof("/journal") - 1] = '\0';
	(void)rmdir(path); /* likewise */
	(void)rmdir(dir);
}

static void
prepare(void)
{
	if (dir[0] != '\0')
		return;
	/* In memory when it can be: there is a file for each input. */
	text_format(dir, sizeof(dir), "%s/natsburn-fuzz.XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	MUST(mkdtemp(dir) != NULL);
	text_format(path, sizeof(path), "%s/journal", dir);
	MUST(mkdir(path, 0755) == 0);
	text_format(path, sizeof(path), "%s/journal/000001.nbj", dir);
	text_format(packed, sizeof(packed), "%s.zst", path);
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
write_input(const char *name, const uint8_t *data, size_t size)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	MUST(fd >= 0);
	MUST(write(fd, data, size) == (ssize_t)size);
	close(fd);
}

/* Read what stands there; returns how it ended and the bytes of all events. */
static enum journal_state
read_input(size_t *total)
{
	enum journal_state state = JOURNAL_STATES;
	struct journal_reader r;

	*total = 0;
	if (journal_open(&r, dir) == 0) {
		*total = read_all(&r, &state);
		MUST(state != JOURNAL_STATES);
	}
	journal_reader_fini(&r);
	return state;
}

/* The same compressed, whole and cut: as much of it, or less. */
static void
try_packed(const uint8_t *data, size_t size, enum journal_state was, size_t all)
{
	size_t room = ZSTD_compressBound(size), len, total;
	uint8_t *out = malloc(room);
	enum journal_state state;

	MUST(out != NULL);
	len = ZSTD_compress(out, room, data, size, 1);
	MUST(!ZSTD_isError(len));
	write_input(packed, out, len);
	state = read_input(&total);
	MUST(state == was && total == all);
	write_input(packed, out, size % len);
	state = read_input(&total);
	MUST(total <= all);
	MUST(state != JOURNAL_END || size % len == 0);
	free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum journal_state state;
	size_t total;

	prepare();
	write_input(path, data, size);
	state = read_input(&total);
	MUST(total <= size);
	if (state == JOURNAL_END)
		MUST(size == 0 || total + 8 == size);
	try_packed(data, size, state, total);
	write_input(packed, data, size);
	(void)read_input(&total); /* any answer but a crash */
	(void)unlink(packed);	  /* perhaps it was never made */
	return 0;
}

/* SPDX-License-Identifier: ISC */
/*
 * The journal's writer and reader, for torture.c: writes a journal of some
 * segments into the folder that it is given, and reads it back. Exit codes:
 * 0 all was read; 70 writer or reader said that not all is there; 1 they did
 * not, or what was read is not what was written.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/text.h"
#include "proto/frame.h"
#include "proto/journal.h"

#define EVENTS	      6000
#define SEGMENT_BYTES 100000
#define FLUSH_EVERY   700

static void
make_event(struct event *ev, uint64_t i)
{
	memset(ev, 0, sizeof(*ev));
	ev->type = MESSAGE_LOG;
	ev->source = 1;
	ev->seq = i;
	ev->time_ns = 1000 * i;
	ev->u.log.level = 1;
	text_format(ev->u.log.text, sizeof(ev->u.log.text), "line %llu",
	    (unsigned long long)(i * UINT64_C(0x9e3779b97f4a7c15)));
}

/* As a run does it: what fails is tried once more at the end. */
static int
write_all(const char *dir)
{
	struct journal_writer j;
	uint8_t frame[FRAME_MAX];
	struct event ev;
	uint64_t i;
	int len, err = journal_create(&j, dir, 1);

	if (err < 0)
		return err;
	j.segment_max = SEGMENT_BYTES;
	for (i = 1; i <= EVENTS; i++) {
		make_event(&ev, i);
		len = frame_encode(&ev, frame);
		err = journal_append(&j, frame, (size_t)len);
		if (i % FLUSH_EVERY == 0)
			err = journal_flush(&j);
	}
	if (err < 0)
		err = journal_retry(&j);
	len = journal_close(&j);
	return err < 0 ? err : len;
}

/* 0 and how many; -EBADMSG: another event than was written; or -errno. */
static int
read_all(const char *dir, uint64_t *n)
{
	enum journal_state state = JOURNAL_END;
	struct journal_reader j;
	struct event ev, want;
	int err = journal_open(&j, dir);

	*n = 0;
	while (err == 0 &&
	       (state = journal_next(&j, &ev, NULL, NULL)) == JOURNAL_EVENT) {
		make_event(&want, ++*n);
		if (ev.seq != want.seq || ev.time_ns != want.time_ns ||
		    strcmp(ev.u.log.text, want.u.log.text) != 0)
			err = -EBADMSG;
	}
	journal_reader_fini(&j);
	if (err == 0 && state != JOURNAL_END)
		err = -EILSEQ;
	return err;
}

int
main(int argc, char **argv)
{
	uint64_t n = 0;
	int wrote, got;

	if (argc != 2)
		return 64;
	wrote = write_all(argv[1]);
	got = read_all(argv[1], &n);
	frame_cleanup();
	printf("wrote: %s; read: %s, %llu events\n", strerror(-wrote),
	    strerror(-got), (unsigned long long)n);
	if (got == -EBADMSG || (wrote == 0 && got == 0 && n != EVENTS))
		return 1;
	return wrote == 0 && got == 0 ? 0 : 70;
}

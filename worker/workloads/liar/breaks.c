/* SPDX-License-Identifier: ISC */
/* Ways to break the harness; see breaks.h. */
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "worker/workloads/liar/breaks.h"

void
break_gap(struct worker *w)
{
	w->child.up.seq++;
}

void
break_diag(struct worker *w)
{
	child_diag(&w->child, 0, "the liar pretends that it is broken");
}

void
break_exit(struct worker *w)
{
	(void)w;
	_exit(3);
}

void
break_abort(struct worker *w)
{
	static const struct rlimit none = {0, 0};

	(void)w;
	(void)setrlimit(
	    RLIMIT_CORE, &none); /* best effort: saves a core file */
	abort();
}

void
break_torn(struct worker *w)
{
	struct event ev = {.type = MESSAGE_HEARTBEAT,
	    .source = w->source,
	    .incarnation = w->incarnation,
	    .seq = w->child.up.seq + 1,
	    .time_ns = clock_mono_ns()};
	uint8_t frame[FRAME_MAX];
	int len = frame_encode(&ev, frame);

	(void)!write(CHILD_UP, frame, (size_t)len / 2); /* torn anyway */
	_exit(3);
}

void
break_garbage(struct worker *w)
{
	static const char noise[] = "\x08\0nonsense";

	(void)!write(CHILD_UP, noise, sizeof(noise)); /* noise anyway */
	/* The parent kills us now: it can't trust this pipe any more. */
	for (;;)
		worker_commands(w, 100);
}

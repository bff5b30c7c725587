/* SPDX-License-Identifier: ISC */
/* The template that forks the workers; see forker.h. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "orchestrator/live/forker.h"
#include "proto/base/clock.h"

#define ANSWER_NS (30 * CLOCK_S) /* it takes a millisecond on an idle host */

void
forker_init(struct forker *f)
{
	memset(f, 0, sizeof(*f));
	f->fd = -1;
}

bool
forker_has_room(const struct forker *f)
{
	return f->failed || f->n < FORKER_ASKED_MAX;
}

int
forker_start(struct forker *f)
{
	/* Room for the words of a worker, which ps is to show. */
	static char room[] = "----------------------------------------";
	static char name[] = "natsburn-worker", role[] = "--child=template";
	static char *argv[] = {name, role, room, NULL};
	pid_t pid;

	if (f->pid != 0)
		return -EAGAIN; /* the last one has not been reaped yet */
	pid = template_start(argv, &f->fd);
	if (pid < 0)
		return (int)pid;
	f->pid = pid;
	return 0;
}

int
forker_ask(struct forker *f, const struct spawn_request *r,
    struct child_slot *slot, uint64_t now_ns)
{
	int err = f->n < FORKER_ASKED_MAX ? template_ask(f->fd, r) : -EAGAIN;

	if (err < 0)
		return err;
	if (f->n == 0)
		f->heard_ns = now_ns;
	f->asked[f->n++] = slot;
	return 0;
}

int
forker_answer(struct forker *f, uint64_t now_ns, pid_t *pid)
{
	int err = f->fd < 0 ? -EAGAIN : template_answer(f->fd, pid);

	if (err == 0)
		f->heard_ns = now_ns;
	return err == 0 && f->n == 0 ? -EPROTO : err;
}

struct child_slot *
forker_take_back(struct forker *f)
{
	struct child_slot *first = f->asked[0];

	if (f->n == 0)
		return NULL;
	f->n--;
	memmove(f->asked, f->asked + 1, f->n * sizeof(f->asked[0]));
	return first;
}

bool
forker_is_late(const struct forker *f, uint64_t now_ns)
{
	return f->n > 0 && now_ns > f->heard_ns + ANSWER_NS;
}

void
forker_end(struct forker *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	if (f->pid > 0)
		(void)kill(f->pid, SIGKILL); /* not reaped */
}

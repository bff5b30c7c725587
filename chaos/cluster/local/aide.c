/* SPDX-License-Identifier: ISC */
/* A process that works for chaos; see aide.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "chaos/cluster/local/aide.h"
#include "proto/base/log.h"
#include "proto/base/spawn.h"
#include "proto/base/text.h"
#include "proto/child.h"

static pid_t
run(const char *name, int up, int down)
{
	char title[32], program[32], role[16], source[] = "1",
					       incarnation[] = "1";
	char *argv[] = {title, program, role, source, incarnation, NULL};
	struct spawn_request r = {.path = "/proc/self/exe", .argv = argv};

	text_format(title, sizeof(title), "natsburn-%s", name);
	text_format(program, sizeof(program), "--child=%s", name);
	text_set(role, sizeof(role), name);
	r.fds[r.nfds++] = (struct spawn_fd){down, CHILD_DOWN};
	r.fds[r.nfds++] = (struct spawn_fd){up, CHILD_UP};
	r.fds[r.nfds++] = (struct spawn_fd){2, 2};
	return spawn(&r);
}

int
aide_start(struct aide *a, const char *name)
{
	int up[2], down[2], err;
	pid_t pid;

	memset(a, 0, sizeof(*a));
	a->name = name;
	text_format(a->why, sizeof(a->why), "the %s process died", name);
	err = spawn_pipes(down, up);
	if (err < 0)
		return err;
	pid = run(name, up[1], down[0]);
	close(up[1]);
	close(down[0]);
	if (pid < 0) {
		close(up[0]);
		close(down[1]);
		return (int)pid;
	}
	a->pid = pid;
	channel_in_init(&a->up, up[0]);
	channel_out_init(&a->down, down[1], 0, 1);
	(void)fcntl(up[0], F_SETFL, O_NONBLOCK); /* a pipe: can't fail */
	return 0;
}

int
aide_send(struct aide *a, struct event *ev)
{
	int err = channel_send(&a->down, ev);

	return err < 0 ? err : channel_flush(&a->down);
}

bool
aide_read(struct aide *a, aide_take *take, void *arg)
{
	const uint8_t *raw;
	struct event ev;
	size_t len;
	int n;

	if (a->pid == 0)
		return true; /* it does not run, or we have ended it */
	while ((n = channel_fill(&a->up)) > 0)
		while (channel_next(&a->up, &ev, &raw, &len) == FRAME_WHOLE) {
			if (a->heard_ns != 0 && a->since_ns == 0 &&
			    ev.time_ns > a->heard_ns + AIDE_SILENT_NS)
				a->since_ns = a->heard_ns;
			a->heard_ns = ev.time_ns;
			if (ev.type == MESSAGE_DIAG)
				text_format(a->why, sizeof(a->why),
				    "the %s process ends: %s", a->name,
				    ev.u.diag.text);
			else if (ev.type == MESSAGE_LOG &&
				 ev.u.log.level >= LOG_WARN)
				log_warn("%s: %s", a->name, ev.u.log.text);
			else
				take(arg, &ev);
		}
	return n == -EAGAIN;
}

uint64_t
aide_silence(struct aide *a, uint64_t now_ns)
{
	uint64_t since_ns = a->since_ns;

	if (since_ns != 0) {
		a->since_ns = 0;
		return now_ns - since_ns;
	}
	if (a->heard_ns == 0 || now_ns <= a->heard_ns + AIDE_SILENT_NS ||
	    now_ns < a->told_ns + CLOCK_S)
		return 0;
	a->told_ns = now_ns;
	return now_ns - a->heard_ns;
}

void
aide_stop(struct aide *a)
{
	if (a->pid == 0)
		return;
	spawn_end(a->pid); /* it holds nothing that wants an orderly end */
	close(a->up.fd);
	close(a->down.fd);
	channel_in_fini(&a->up);
	channel_out_fini(&a->down);
	a->pid = 0;
}

/* SPDX-License-Identifier: ISC */
/* Supervision of the child processes; see children.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "orchestrator/live/children.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/sig.h"
#include "proto/base/spawn.h"
#include "proto/base/template.h"
#include "proto/base/text.h"
#include "proto/child.h"

#define EVENTS_A_POLL 64
#define START_NS      (60 * CLOCK_S)  /* from start to READY */
#define TERM_NS	      (5 * CLOCK_S)   /* from SIGTERM to SIGKILL */
#define SILENCE_NS    (120 * CLOCK_S) /* without a frame: it hangs */
#define FAILURES_MAX  8
#define LIVED_NS      (10 * CLOCK_S) /* shorter lives count as failures */
#define BACKOFF_NS    (200 * CLOCK_MS)
#define FILLS_A_POLL  8 /* reads of one child before the others' turn */
#define AWAKE_NS      (5 * CLOCK_S) /* between two polls; longer: we slept */

struct children {
	struct children_hooks hooks;
	void *arg;
	int epoll_fd, signal_fd, stderr_fd;
	pid_t template_pid; /* 0: none */
	int template_fd;    /* -1: none; workers are then started one by one */
	bool template_failed;
	uint64_t polled_ns; /* when we last listened */
	uint64_t awake_ns;  /* we have done so all the time since then */
	struct child_slot *slots[CHILDREN_MAX];
	uint32_t n;
};

struct children *
children_create(const struct children_hooks *hooks, void *arg, int stderr_fd)
{
	static const int signals[] = {SIGCHLD, SIGINT, SIGTERM, SIGHUP};
	struct children *c = calloc(1, sizeof(*c));
	struct epoll_event e = {.events = EPOLLIN};
	int err;

	if (c == NULL)
		return NULL;
	c->hooks = *hooks;
	c->arg = arg;
	c->stderr_fd = stderr_fd;
	c->signal_fd = c->template_fd = -1;
	c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (c->epoll_fd < 0)
		goto fail;
	err = sig_open(signals, 4);
	if (err < 0) {
		errno = -err;
		goto fail;
	}
	c->signal_fd = err;
	if (epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, c->signal_fd, &e) < 0)
		goto fail;
	return c;
fail:
	err = errno;
	children_destroy(c);
	errno = err;
	return NULL;
}

struct child_slot *
children_slot(const struct children *c, uint32_t source)
{
	return source >= 1 && source <= c->n ? c->slots[source - 1] : NULL;
}

struct child_slot *
children_add(
    struct children *c, const char *program, const char *role, bool restarts)
{
	struct child_slot *s;

	if (c->n == CHILDREN_MAX) {
		errno = EAGAIN;
		return NULL;
	}
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->source = c->n + 1;
	s->restarts = restarts;
	text_set(s->program, sizeof(s->program), program);
	text_set(s->role, sizeof(s->role), role);
	s->in.fd = s->out.fd = -1;
	c->slots[c->n++] = s;
	return s;
}

static bool
slot_is_alive(const struct child_slot *s)
{
	return s->state != CHILD_IDLE && s->state != CHILD_FINISHED;
}

static void
slot_release(struct children *c, struct child_slot *s)
{
	if (s->in.fd >= 0) {
		(void)epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, s->in.fd, NULL);
		close(s->in.fd);
	}
	if (s->out.fd >= 0) {
		if (s->wants_write)
			(void)epoll_ctl(
			    c->epoll_fd, EPOLL_CTL_DEL, s->out.fd, NULL);
		close(s->out.fd);
	}
	s->in.fd = s->out.fd = -1;
	s->wants_write = false;
	channel_in_fini(&s->in);
	channel_out_fini(&s->out);
}

static void
template_close(struct children *c)
{
	if (c->template_fd >= 0)
		close(c->template_fd);
	c->template_fd = -1; /* it sees that, and ends */
}

/* Fork it by the template: its pid, or -errno when that can't be done. */
static pid_t
spawn_by_template(struct children *c, const struct spawn_request *r)
{
	/* Room for the words of a worker, which ps is to show. */
	static char room[] = "----------------------------------------";
	static char name[] = "natsburn-worker", role[] = "--child=template";
	static char *argv[] = {name, role, room, NULL};
	pid_t pid = -ENOENT;

	if (c->template_failed)
		return pid;
	if (c->template_fd < 0 && c->template_pid == 0) {
		pid = template_start(argv, &c->template_fd);
		c->template_pid = pid > 0 ? pid : 0;
	}
	if (c->template_fd >= 0)
		pid = template_spawn(c->template_fd, r);
	if (pid < 0) {
		log_warn("workers can't be forked by a template (%s): each is "
			 "loaded by itself",
		    strerror(-pid));
		c->template_failed = true;
		template_close(c);
	}
	return pid;
}

static int
slot_spawn(struct children *c, struct child_slot *s, int down, int up)
{
	char name[64] = "natsburn-", program[32], role[40], source[16],
	     incarnation[16];
	char *argv[] = {name, program, role, source, incarnation, NULL};
	struct spawn_request r = {.path = "/proc/self/exe", .argv = argv};
	pid_t pid = -ENOENT;

	text_add(name, sizeof(name), "%s", s->program);
	text_format(program, sizeof(program), "--child=%s", s->program);
	text_set(role, sizeof(role), s->role);
	text_format(source, sizeof(source), "%u", s->source);
	text_format(incarnation, sizeof(incarnation), "%u", s->incarnation);
	r.fds[r.nfds++] = (struct spawn_fd){down, CHILD_DOWN};
	r.fds[r.nfds++] = (struct spawn_fd){up, CHILD_UP};
	if (c->stderr_fd >= 0)
		r.fds[r.nfds++] = (struct spawn_fd){c->stderr_fd, 2};
	if (strcmp(s->program, "worker") == 0)
		pid = spawn_by_template(c, &r);
	if (pid < 0)
		pid = spawn(&r);
	if (pid < 0)
		return (int)pid;
	s->pid = pid;
	return 0;
}

static int
slot_connect(struct children *c, struct child_slot *s, int in, int out)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = s};

	channel_in_init(&s->in, in);
	channel_out_init(&s->out, out, 0, 1);
	if (fcntl(in, F_SETFL, O_NONBLOCK) < 0 ||
	    fcntl(out, F_SETFL, O_NONBLOCK) < 0 ||
	    epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, in, &e) < 0)
		return -errno;
	return 0;
}

int
children_start(struct children *c, struct child_slot *s)
{
	int up[2] = {-1, -1}, down[2] = {-1, -1}, err;

	s->incarnation++;
	s->reaped = s->at_end = s->torn = s->said_bye = s->bye_ok = false;
	s->last_seq = 0;
	s->restart_ns = 0;
	s->started_ns = s->heard_ns = clock_mono_ns();
	err = spawn_pipe(up);
	if (err == 0)
		err = spawn_pipe(down);
	if (err == 0)
		err = slot_spawn(c, s, down[0], up[1]);
	if (up[1] >= 0)
		close(up[1]);
	if (down[0] >= 0)
		close(down[0]);
	if (err < 0) {
		if (up[0] >= 0)
			close(up[0]);
		if (down[1] >= 0)
			close(down[1]);
		return err;
	}
	s->state = CHILD_STARTING;
	s->deadline_ns = s->started_ns + START_NS;
	err = slot_connect(c, s, up[0], down[1]);
	if (err < 0)
		children_kill(c, s);
	c->hooks.started(c->arg, s);
	return err;
}

/* Write what is queued; poll for room when the pipe is full. */
static void
slot_flush(struct children *c, struct child_slot *s)
{
	struct epoll_event e = {.events = EPOLLOUT, .data.ptr = s};
	int err = channel_flush(&s->out);

	if (err == -EAGAIN && !s->wants_write) {
		s->wants_write =
		    epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, s->out.fd, &e) == 0;
	} else if (err != -EAGAIN && s->wants_write) {
		(void)epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, s->out.fd, NULL);
		s->wants_write = false;
	}
	/* EPIPE: it is dying, and the end of its pipe will say so. */
}

void
children_send(struct children *c, struct child_slot *s, struct event *ev)
{
	if (!slot_is_alive(s) || s->out.fd < 0)
		return;
	if (channel_send(&s->out, ev) == -ENOBUFS) {
		log_warn("%s %u does not read its commands: killed", s->role,
		    s->source);
		children_kill(c, s);
		return;
	}
	if (ev->type == MESSAGE_START)
		s->state = CHILD_RUNNING;
	slot_flush(c, s);
}

void
children_stop(struct children *c, struct child_slot *s, uint64_t patience_ns)
{
	struct event ev = {.type = MESSAGE_STOP};

	s->restarts = false;
	s->restart_ns = 0;
	if (s->state == CHILD_IDLE)
		s->state = CHILD_FINISHED;
	if (!slot_is_alive(s) || s->state >= CHILD_STOPPING)
		return;
	children_send(c, s, &ev);
	s->state = CHILD_STOPPING;
	s->deadline_ns = clock_mono_ns() + patience_ns;
}

void
children_kill(struct children *c, struct child_slot *s)
{
	(void)c;
	if (!slot_is_alive(s))
		return;
	s->state = CHILD_KILLED;
	s->deadline_ns = 0;
	if (s->pid > 0)
		(void)kill(s->pid, SIGKILL); /* not reaped: the pid is ours */
}

/* The ladder: what follows when a state's deadline has passed. */
static void
slot_step_up(struct children *c, struct child_slot *s, uint64_t now)
{
	if (s->state == CHILD_STARTING)
		log_warn("%s %u was not ready within %llu s: killed", s->role,
		    s->source, (unsigned long long)(START_NS / CLOCK_S));
	if (s->state == CHILD_STOPPING && s->pid > 0) {
		s->state = CHILD_ENDING;
		s->deadline_ns = now + TERM_NS;
		(void)kill(s->pid, SIGTERM); /* not reaped */
		return;
	}
	children_kill(c, s);
}

/* Both its end of file and its status were seen. */
static void
slot_finish(struct children *c, struct child_slot *s)
{
	struct child_end end = {0};
	uint64_t delay;

	if (WIFSIGNALED(s->wait_status))
		end.signal = WTERMSIG(s->wait_status);
	else
		end.code = WEXITSTATUS(s->wait_status);
	end.expected =
	    s->said_bye && s->bye_ok && end.signal == 0 && end.code == 0;
	s->failures =
	    clock_mono_ns() < s->started_ns + LIVED_NS ? s->failures + 1 : 0;
	slot_release(c, s);
	s->deadline_ns = 0;
	s->state = CHILD_FINISHED;
	if (!end.expected && s->restarts && s->failures < FAILURES_MAX) {
		delay = BACKOFF_NS << s->failures;
		s->restart_ns = clock_mono_ns() + delay;
		s->state = CHILD_IDLE;
		end.will_restart = true;
	}
	c->hooks.ended(c->arg, s, &end);
}

static void
slot_event(struct children *c, struct child_slot *s, struct event *ev,
    const uint8_t *raw, size_t len)
{
	s->heard_ns = clock_mono_ns();
	if (ev->source != s->source || ev->incarnation != s->incarnation ||
	    ev->seq != s->last_seq + 1)
		c->hooks.gap(c->arg, s, s->last_seq + 1, ev->seq);
	s->last_seq = ev->seq;
	/* Whatever it claims, these bytes came out of this slot's pipe. */
	ev->source = s->source;
	ev->incarnation = s->incarnation;
	if (ev->type == MESSAGE_READY && s->state == CHILD_STARTING) {
		s->state = CHILD_READY;
		s->deadline_ns = 0;
	} else if (ev->type == MESSAGE_BYE) {
		s->said_bye = true;
		s->bye_ok = ev->u.bye.ok == 1;
	}
	c->hooks.event(c->arg, s, ev, raw, len);
}

static void
slot_end_of_file(struct children *c, struct child_slot *s)
{
	s->at_end = true;
	s->torn = channel_is_torn(&s->in);
	(void)epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, s->in.fd, NULL);
	if (s->reaped)
		slot_finish(c, s);
}

static void
slot_read(struct children *c, struct child_slot *s)
{
	const uint8_t *raw;
	struct event ev;
	enum frame_state state;
	size_t len;
	int i, n;

	for (i = 0; i < FILLS_A_POLL; i++) {
		n = channel_fill(&s->in);
		if (n == -EAGAIN)
			return;
		while ((state = channel_next(&s->in, &ev, &raw, &len)) ==
		       FRAME_WHOLE)
			slot_event(c, s, &ev, raw, len);
		if (state == FRAME_MALFORMED) {
			/* Nothing after this can be trusted. */
			c->hooks.gap(c->arg, s, s->last_seq + 1, 0);
			buf_consume(&s->in.buf, buf_len(&s->in.buf));
			children_kill(c, s);
		}
		if (n <= 0) {
			slot_end_of_file(c, s);
			return;
		}
		if ((size_t)n < CHANNEL_FILL_BYTES)
			return; /* the pipe was emptied */
	}
}

static struct child_slot *
slot_by_pid(const struct children *c, pid_t pid)
{
	uint32_t i;

	for (i = 0; i < c->n; i++)
		if (c->slots[i]->pid == pid)
			return c->slots[i];
	return NULL;
}

static void
reap(struct children *c)
{
	struct child_slot *s;
	pid_t pid;
	int status;

	/* Orphans of a dead chaos process fall to us, too. */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == c->template_pid) {
			c->template_pid = 0; /* the next worker gets another */
			template_close(c);
		}
		s = slot_by_pid(c, pid);
		if (s == NULL)
			continue;
		s->pid = 0;
		s->reaped = true;
		s->wait_status = status;
		if (s->at_end)
			slot_finish(c, s);
	}
}

static void
on_signals(struct children *c)
{
	int sig;

	while ((sig = sig_next(c->signal_fd)) > 0) {
		if (sig == SIGCHLD)
			reap(c);
		else
			c->hooks.signalled(c->arg, sig);
	}
}

uint64_t
children_silence(
    const struct children *c, const struct child_slot *s, uint64_t now_ns)
{
	uint64_t since = s->heard_ns > c->awake_ns ? s->heard_ns : c->awake_ns;

	return now_ns > since ? now_ns - since : 0;
}

static void
on_timers(struct children *c)
{
	uint64_t now = clock_mono_ns();
	struct child_slot *s;
	uint32_t i;

	for (i = 0; i < c->n; i++) {
		s = c->slots[i];
		if (s->deadline_ns != 0 && now >= s->deadline_ns)
			slot_step_up(c, s, now);
		if (s->restart_ns != 0 && now >= s->restart_ns &&
		    children_start(c, s) < 0)
			s->restart_ns = now + CLOCK_S;
		if (slot_is_alive(s) && s->state != CHILD_KILLED &&
		    children_silence(c, s, now) > SILENCE_NS) {
			log_warn("%s %u was silent for %llu s: killed", s->role,
			    s->source,
			    (unsigned long long)(SILENCE_NS / CLOCK_S));
			children_kill(c, s);
		}
	}
}

int
children_poll(struct children *c, int timeout_ms)
{
	struct epoll_event events[EVENTS_A_POLL];
	struct child_slot *s;
	int i, n;

	n = epoll_wait(c->epoll_fd, events, EVENTS_A_POLL, timeout_ms);
	if (clock_mono_ns() > c->polled_ns + AWAKE_NS)
		c->awake_ns = clock_mono_ns();
	c->polled_ns = clock_mono_ns();
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (i = 0; i < n; i++) {
		s = events[i].data.ptr;
		if (s == NULL)
			on_signals(c);
		else if (events[i].events & EPOLLOUT)
			slot_flush(c, s);
		else if (s->in.fd >= 0)
			slot_read(c, s);
	}
	on_timers(c);
	return 0;
}

unsigned
children_alive(const struct children *c)
{
	unsigned alive = 0;
	uint32_t i;

	for (i = 0; i < c->n; i++)
		alive += slot_is_alive(c->slots[i]);
	return alive;
}

void
children_destroy(struct children *c)
{
	uint32_t i;

	if (c == NULL)
		return;
	for (i = 0; i < c->n; i++) {
		if (c->slots[i]->pid > 0) {
			(void)kill(c->slots[i]->pid, SIGKILL);
			(void)waitpid(c->slots[i]->pid, NULL, 0);
		}
		slot_release(c, c->slots[i]);
		free(c->slots[i]);
	}
	template_close(c);
	if (c->template_pid > 0) {
		(void)kill(c->template_pid, SIGKILL); /* not reaped */
		(void)waitpid(c->template_pid, NULL, 0);
	}
	if (c->epoll_fd >= 0)
		close(c->epoll_fd);
	if (c->signal_fd >= 0)
		close(c->signal_fd);
	free(c);
}

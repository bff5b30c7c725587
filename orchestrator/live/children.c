/* SPDX-License-Identifier: ISC */
/* Supervision of the child processes; see children.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "orchestrator/live/children.h"
#include "orchestrator/live/forker.h"
#include "proto/base/ensure.h"
#include "proto/base/log.h"
#include "proto/base/pace.h"
#include "proto/base/sig.h"
#include "proto/base/spawn.h"
#include "proto/base/text.h"
#include "proto/child.h"

#define EVENTS_A_POLL 64
#define START_NS      (60 * CLOCK_S) /* from start to READY */
#define TERM_NS	      (5 * CLOCK_S)  /* from SIGTERM to SIGKILL */
#define LAST_NS	      (10 * CLOCK_S) /* for its end and its pipe's to come */
#define AGAIN_NS      CLOCK_S	     /* to the next try to start it */
#define GONE_NS	      (5 * CLOCK_S)  /* until the last ones are reaped */
#define STRAYS_MAX    64
#define SILENCE_NS    (120 * CLOCK_S) /* without a frame: it hangs */
#define STILL_NS      (6 * CLOCK_S)   /* longer than any one call of it */
#define FAILURES_MAX  8
#define LIVED_NS      (10 * CLOCK_S) /* shorter lives count as failures */
#define BACKOFF_NS    (200 * CLOCK_MS)
#define FILLS_A_POLL  8 /* reads of one child before the others' turn */

struct children {
	struct children_hooks hooks;
	void *arg;
	int epoll_fd, signal_fd, stderr_fd;
	struct pace pace;
	struct forker forker;
	bool must_reap;	 /* some may have ended meanwhile */
	bool has_strays; /* processes may have fallen to us that nobody knows */
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
	c->signal_fd = -1;
	forker_init(&c->forker);
	pace_begin(&c->pace, clock_mono_ns());
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

/* Ask no more for what happens to a descriptor. */
static void
slot_forget(struct children *c, int fd)
{
	(void)epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* or it isn't */
}

static void
slot_release(struct children *c, struct child_slot *s)
{
	if (s->in.fd >= 0) {
		slot_forget(c, s->in.fd);
		close(s->in.fd);
	}
	if (s->out.fd >= 0) {
		if (s->wants_write)
			slot_forget(c, s->out.fd);
		close(s->out.fd);
	}
	s->in.fd = s->out.fd = -1;
	s->wants_write = false;
	channel_in_fini(&s->in);
	channel_out_fini(&s->out);
}

/*
 * New pipes for the slot: its own ends are kept, those of the child go to
 * theirs (commands, events) and are the caller's to close. 0 or -errno.
 */
static int
slot_open(struct child_slot *s, int theirs[2])
{
	int up[2], down[2], err;

	err = spawn_pipes(down, up);
	if (err < 0)
		return err;
	channel_in_init(&s->in, up[0]);
	channel_out_init(&s->out, down[1], 0, 1);
	(void)fcntl(up[0], F_SETFL, O_NONBLOCK);   /* a pipe: can't fail */
	(void)fcntl(down[1], F_SETFL, O_NONBLOCK); /* likewise */
	theirs[0] = down[0];
	theirs[1] = up[1];
	return 0;
}

/* Its process runs, and has a pid. */
static void
slot_born(struct children *c, struct child_slot *s, pid_t pid)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = s};
	struct event stop = {.type = MESSAGE_STOP};

	s->pid = pid;
	s->silent_ns = c->pace.ns;
	if (s->state == CHILD_FORKING) {
		s->state = CHILD_STARTING;
		s->deadline_ns = c->pace.ns + START_NS;
	}
	if (epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, s->in.fd, &e) < 0) {
		log_warn("%s %u can't be listened to: %s", s->role, s->source,
		    strerror(errno));
		s->at_end = true;
		children_kill(c, s);
	}
	c->hooks.started(c->arg, s);
	/* What was decided about it while it had no pid. */
	if (s->state == CHILD_STOPPING)
		children_send(c, s, &stop);
	else if (s->state == CHILD_KILLED)
		children_kill(c, s);
}

/* There is no process, and none that may still come has our pipes. */
static void
slot_fail(struct children *c, struct child_slot *s, int err)
{
	slot_release(c, s);
	s->deadline_ns = 0;
	s->state = CHILD_FINISHED;
	if (err != -ECANCELED && s->restarts && s->incarnation > 1) {
		s->state = CHILD_IDLE;
		s->restart_ns = c->pace.ns + AGAIN_NS;
	}
	c->hooks.failed(c->arg, s, err);
}

static void slot_spawn(struct children *, struct child_slot *, bool may_ask);

/*
 * The template is stuck or gone. Whether it has forked those it was asked for
 * nobody knows: they are started anew, with new pipes. What comes late finds
 * its pipes closed and ends, if it was not ended before (end_strays).
 */
static void
template_fail(struct children *c, int err)
{
	struct child_slot *s;

	log_warn("workers can't be forked by a template (%s): each is loaded "
		 "by itself",
	    strerror(-err));
	c->forker.failed = true;
	forker_end(&c->forker);
	c->has_strays = true;
	while ((s = forker_take_back(&c->forker)) != NULL) {
		slot_release(c, s);
		if (s->state == CHILD_FORKING)
			slot_spawn(c, s, false);
		else
			slot_fail(c, s, -ECANCELED);
	}
}

/* Ask the template for it: false when that can't be done. */
static bool
ask_template(
    struct children *c, struct child_slot *s, const struct spawn_request *r)
{
	struct forker *f = &c->forker;
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = f};
	int err = 0;

	if (f->failed || strcmp(s->program, "worker") != 0)
		return false;
	if (f->fd < 0) {
		err = forker_start(f);
		if (err == 0 &&
		    epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, f->fd, &e) < 0)
			err = -errno;
	}
	if (err == 0)
		err = forker_ask(f, r, s, c->pace.ns);
	if (err < 0 && err != -EAGAIN)
		template_fail(c, err);
	return err == 0;
}

/*
 * Start it: by the template, if it may be asked, or by a fork of our own, with
 * pipes that no other process has.
 */
static void
slot_spawn(struct children *c, struct child_slot *s, bool may_ask)
{
	char name[64] = "natsburn-", program[32], role[40], source[16],
	     incarnation[16];
	char *argv[] = {name, program, role, source, incarnation, NULL};
	struct spawn_request r = {.path = "/proc/self/exe", .argv = argv};
	int theirs[2], err;
	pid_t pid = 0;

	text_add(name, sizeof(name), "%s", s->program);
	text_format(program, sizeof(program), "--child=%s", s->program);
	text_set(role, sizeof(role), s->role);
	text_format(source, sizeof(source), "%u", s->source);
	text_format(incarnation, sizeof(incarnation), "%u", s->incarnation);
	err = slot_open(s, theirs);
	if (err < 0) {
		slot_fail(c, s, err);
		return;
	}
	r.fds[r.nfds++] = (struct spawn_fd){theirs[0], CHILD_DOWN};
	r.fds[r.nfds++] = (struct spawn_fd){theirs[1], CHILD_UP};
	if (c->stderr_fd >= 0)
		r.fds[r.nfds++] = (struct spawn_fd){c->stderr_fd, 2};
	if (!may_ask || !ask_template(c, s, &r))
		pid = spawn(&r);
	close(theirs[0]);
	close(theirs[1]);
	if (pid > 0)
		slot_born(c, s, pid);
	else if (pid < 0)
		slot_fail(c, s, (int)pid);
}

void
children_start(struct children *c, struct child_slot *s)
{
	s->incarnation++;
	s->reaped = s->at_end = s->torn = s->said_bye = s->bye_ok = false;
	s->stood_still = false;
	s->last_seq = 0;
	s->restart_ns = s->deadline_ns = 0;
	s->started_ns = clock_mono_ns();
	s->state = CHILD_FORKING;
	c->hooks.starting(c->arg, s);
	slot_spawn(c, s, true);
}

bool
children_have_room(const struct children *c)
{
	return forker_has_room(&c->forker);
}

/* A child that misses a command would wait for it for ever. */
static void
slot_unheard(struct children *c, struct child_slot *s, int err)
{
	if (err == -EPIPE) /* it is dying: the end of its pipe will say so */
		return;
	if (err == -ENOBUFS)
		log_warn("%s %u does not read its commands: killed", s->role,
		    s->source);
	else
		log_warn("%s %u can't be told its commands (%s): killed",
		    s->role, s->source, strerror(-err));
	children_kill(c, s);
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
		slot_forget(c, s->out.fd);
		s->wants_write = false;
	}
	if (err < 0 && err != -EAGAIN)
		slot_unheard(c, s, err);
}

void
children_send(struct children *c, struct child_slot *s, struct event *ev)
{
	int err;

	if (!slot_is_alive(s) || s->pid == 0 || s->out.fd < 0)
		return;
	err = channel_send(&s->out, ev);
	if (err < 0) {
		slot_unheard(c, s, err);
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
	s->deadline_ns = c->pace.ns + patience_ns;
}

void
children_kill(struct children *c, struct child_slot *s)
{
	(void)c; /* as all of children_*() have it */
	if (!slot_is_alive(s))
		return;
	s->state = CHILD_KILLED;
	s->deadline_ns = c->pace.ns + LAST_NS;
	if (s->pid > 0)
		(void)kill(s->pid, SIGKILL); /* not reaped: the pid is ours */
}

/* Both its end of file and its status were seen. */
static void
slot_finish(struct children *c, struct child_slot *s)
{
	struct child_end end = {0};
	uint64_t delay;

	ensure(s->at_end && s->reaped);
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
		s->restart_ns = c->pace.ns + delay;
		s->state = CHILD_IDLE;
		end.will_restart = true;
	}
	c->hooks.ended(c->arg, s, &end);
}

static void
slot_event(struct children *c, struct child_slot *s, struct event *ev,
    const uint8_t *raw, size_t len)
{
	/* A heartbeat is no event: it says the number of the last one. */
	uint64_t next = s->last_seq + (ev->type != MESSAGE_HEARTBEAT);

	s->silent_ns = c->pace.ns;
	if (ev->source != s->source || ev->incarnation != s->incarnation ||
	    ev->seq != next)
		c->hooks.gap(c->arg, s, next, ev->seq);
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
	message_make_printable(ev);
	c->hooks.event(c->arg, s, ev, raw, len);
}

static void
slot_end_of_file(struct children *c, struct child_slot *s)
{
	s->at_end = true;
	s->torn = channel_is_torn(&s->in);
	slot_forget(c, s->in.fd);
	if (s->reaped)
		slot_finish(c, s);
}

/* The ladder: what follows when a state's deadline has passed. */
static void
slot_step_up(struct children *c, struct child_slot *s)
{
	s->deadline_ns = 0;
	if (s->reaped) {
		/* Nothing of it is left in the pipe, which others hold open. */
		log_warn("%s %u ended, the end of its pipe did not come",
		    s->role, s->source);
		slot_end_of_file(c, s);
	} else if (s->state == CHILD_STOPPING && s->pid > 0) {
		s->state = CHILD_ENDING;
		s->deadline_ns = c->pace.ns + TERM_NS;
		(void)kill(s->pid, SIGTERM); /* not reaped */
	} else if (s->state == CHILD_KILLED) {
		/* Whoever waits for it has a deadline, too. */
		if (s->pid > 0)
			log_warn("%s %u was killed and does not end", s->role,
			    s->source);
	} else {
		if (s->state == CHILD_STARTING)
			log_warn("%s %u was not ready within %llu s: killed",
			    s->role, s->source,
			    (unsigned long long)(START_NS / CLOCK_S));
		children_kill(c, s);
	}
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
		if (n < 0) {
			/* What it sent is lost, and more would be. */
			c->hooks.gap(c->arg, s, s->last_seq + 1, 0);
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

/* One of ours, or an orphan of ours, has ended. */
static void
on_end(struct children *c, pid_t pid, int status)
{
	struct child_slot *s = slot_by_pid(c, pid);

	if (pid == c->forker.pid) {
		c->forker.pid = 0;
		if (c->forker.n > 0)
			template_fail(c, -EPIPE);
		else
			forker_end(
			    &c->forker); /* the next worker gets another */
		return;
	}
	if (s == NULL) {
		c->has_strays = true; /* what it had started falls to us */
		return;
	}
	s->pid = 0;
	s->reaped = true;
	s->wait_status = status;
	s->deadline_ns = c->pace.ns + LAST_NS;
	if (s->at_end)
		slot_finish(c, s);
}

/* Those that are known, by their pids. */
static void
reap_known(struct children *c)
{
	pid_t pid = c->forker.pid;
	int status;
	uint32_t i;

	if (pid > 0 && waitpid(pid, &status, WNOHANG) == pid)
		on_end(c, pid, status);
	for (i = 0; i < c->n; i++) {
		pid = c->slots[i]->pid;
		if (pid > 0 && waitpid(pid, &status, WNOHANG) == pid)
			on_end(c, pid, status);
	}
}

static void
reap(struct children *c)
{
	pid_t pid;
	int status;

	/* One whose pid the template has yet to tell must keep its status. */
	c->must_reap = c->forker.n > 0;
	if (c->must_reap) {
		reap_known(c);
		return;
	}
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		on_end(c, pid, status);
}

/*
 * End processes of ours that fell to us and that nobody knows: what a killed
 * template had forked unheard. Until it was reaped there may come more.
 */
static void
end_strays(struct children *c)
{
	pid_t pids[STRAYS_MAX];
	int i, n;

	if (c->forker.n > 0 || (c->forker.failed && c->forker.pid > 0))
		return;
	n = spawn_find_children("--child=", pids, STRAYS_MAX);
	c->has_strays = n == STRAYS_MAX;
	for (i = 0; i < n; i++)
		if (pids[i] != c->forker.pid && slot_by_pid(c, pids[i]) == NULL)
			(void)kill(pids[i], SIGKILL); /* a child, not reaped */
}

/* The template has answered, or is gone. */
static void
on_template(struct children *c)
{
	pid_t pid;
	int err;

	while ((err = forker_answer(&c->forker, c->pace.ns, &pid)) == 0) {
		if (pid > 0)
			slot_born(c, forker_take_back(&c->forker), pid);
		else
			template_fail(c, (int)pid);
	}
	if (err != -EAGAIN && c->forker.n > 0)
		template_fail(c, err);
	else if (err != -EAGAIN)
		forker_end(&c->forker);
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
	if (sig < 0)
		reap(c); /* what the signal was can't be known */
}

uint64_t
children_silence(const struct children *c, const struct child_slot *s)
{
	return c->pace.ns > s->silent_ns ? c->pace.ns - s->silent_ns : 0;
}

static bool
slot_stands_still(const struct children *c, const struct child_slot *s)
{
	return s->pid > 0 && s->state != CHILD_KILLED &&
	       children_silence(c, s) > STILL_NS;
}

bool
children_stand_still(const struct children *c)
{
	uint32_t i;

	for (i = 0; i < c->n; i++)
		if (slot_stands_still(c, c->slots[i]))
			return true;
	return false;
}

static void
slot_timers(struct children *c, struct child_slot *s)
{
	uint64_t now = c->pace.ns;
	bool is_still = slot_stands_still(c, s);

	s->stood_still |= is_still;
	if (s->deadline_ns != 0 && now >= s->deadline_ns &&
	    (s->state < CHILD_STOPPING || !is_still))
		slot_step_up(c, s);
	if (s->restart_ns != 0 && now >= s->restart_ns && children_have_room(c))
		children_start(c, s);
	if (s->pid > 0 && s->state != CHILD_KILLED &&
	    children_silence(c, s) > SILENCE_NS) {
		log_warn("%s %u was silent for %llu s: killed", s->role,
		    s->source, (unsigned long long)(SILENCE_NS / CLOCK_S));
		children_kill(c, s);
	}
}

static void
on_timers(struct children *c)
{
	uint64_t now = pace_turn(&c->pace, clock_mono_ns());
	uint32_t i;

	if (forker_is_late(&c->forker, now))
		template_fail(c, -ETIMEDOUT);
	if (c->must_reap && c->forker.n == 0)
		reap(c);
	if (c->has_strays)
		end_strays(c);
	for (i = 0; i < c->n; i++)
		slot_timers(c, c->slots[i]);
}

int
children_poll(struct children *c, int timeout_ms)
{
	struct epoll_event events[EVENTS_A_POLL];
	struct child_slot *s;
	int i, n;

	n = epoll_wait(c->epoll_fd, events, EVENTS_A_POLL, timeout_ms);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (i = 0; i < n; i++) {
		s = events[i].data.ptr;
		if (events[i].data.ptr == NULL)
			on_signals(c);
		else if (events[i].data.ptr == &c->forker)
			on_template(c);
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

uint64_t
children_time(const struct children *c)
{
	return c->pace.ns;
}

/* Kill it, and reap it unless it can't even be killed. */
static void
end_now(pid_t pid, uint64_t deadline_ns)
{
	if (pid <= 0)
		return;
	(void)kill(pid, SIGKILL); /* not reaped */
	while (
	    waitpid(pid, NULL, WNOHANG) == 0 && clock_mono_ns() < deadline_ns)
		(void)poll(NULL, 0, 1); /* shorter is fine */
}

/* What has fallen to us unknown; of one that ends others may be left. */
static void
end_rest(uint64_t deadline_ns)
{
	pid_t pids[STRAYS_MAX];
	int i, n;

	do {
		n = spawn_find_children("--child=", pids, STRAYS_MAX);
		for (i = 0; i < n; i++)
			end_now(pids[i], deadline_ns);
	} while (n > 0 && clock_mono_ns() < deadline_ns);
}

void
children_destroy(struct children *c)
{
	uint64_t deadline = clock_mono_ns() + GONE_NS;
	uint32_t i;

	if (c == NULL)
		return;
	forker_end(&c->forker);
	end_now(c->forker.pid, deadline);
	for (i = 0; i < c->n; i++) {
		end_now(c->slots[i]->pid, deadline);
		slot_release(c, c->slots[i]);
		free(c->slots[i]);
	}
	end_rest(deadline);
	if (c->epoll_fd >= 0)
		close(c->epoll_fd);
	if (c->signal_fd >= 0)
		close(c->signal_fd);
	free(c);
}

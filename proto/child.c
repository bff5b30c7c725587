/* SPDX-License-Identifier: ISC */
/* What every child process has; see child.h. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/confine.h"
#include "proto/base/log.h"
#include "proto/base/sig.h"
#include "proto/base/text.h"
#include "proto/child.h"

static void
child_log(void *arg, enum log_level level, const char *text)
{
	struct event ev = {.type = MESSAGE_LOG};

	ev.u.log.level = (uint8_t)level;
	text_set(ev.u.log.text, sizeof(ev.u.log.text), text);
	child_emit(arg, &ev);
}

void
child_init(struct child *c, const char *role, const char *library,
    uint32_t source, uint32_t incarnation)
{
	struct event ev = {.type = MESSAGE_HELLO};

	memset(c, 0, sizeof(*c));
	c->role = role;
	channel_in_init(&c->down, CHILD_DOWN);
	channel_out_init(&c->up, CHILD_UP, source, incarnation);
	ev.u.hello.pid = (uint32_t)getpid();
	ev.u.hello.wall_ns = clock_wall_ns();
	text_set(ev.u.hello.role, sizeof(ev.u.hello.role), role);
	text_set(ev.u.hello.library, sizeof(ev.u.hello.library), library);
	child_emit(c, &ev);
	child_flush(c);
	log_set_sink(child_log, c);
}

void
child_fini(struct child *c)
{
	log_set_sink(NULL, NULL);
	channel_in_fini(&c->down);
	channel_out_fini(&c->up);
}

void
child_confine(void)
{
	int err = confine_self();

	if (err < 0)
		log_info(
		    "system calls can't be filtered here: %s", strerror(-err));
}

/* The parent is gone, so nobody can be told: exit at once. */
static void __attribute__((noreturn)) child_orphaned(void)
{
	_exit(0);
}

void
child_emit(struct child *c, struct event *ev)
{
	if (channel_send(&c->up, ev) < 0)
		child_orphaned();
}

void
child_flush(struct child *c)
{
	if (channel_flush(&c->up) < 0)
		child_orphaned();
}

void
child_say(struct child *c, enum message_type type)
{
	struct event ev = {.type = type};

	child_emit(c, &ev);
	child_flush(c);
}

void
child_beat(struct child *c)
{
	uint64_t now = clock_mono_ns();

	if (c->beat_ns != 0 && now > c->beat_ns + CHILD_CALL_NS)
		c->stood_ns += now - c->beat_ns - CHILD_CALL_NS;
	c->beat_ns = now;
	if (now >= c->up.last_ns + CHILD_BEAT_NS)
		child_say(c, MESSAGE_HEARTBEAT);
	else if (now >= c->flushed_ns + c->lazy_ns) {
		c->flushed_ns = now;
		child_flush(c);
	}
}

static bool
child_take(struct child *c, struct event *cmd)
{
	const uint8_t *raw;
	size_t len;

	switch (channel_next(&c->down, cmd, &raw, &len)) {
	case FRAME_WHOLE:
		if (cmd->type == MESSAGE_STOP)
			c->stopping = true;
		return true;
	case FRAME_MALFORMED:
		child_diag(c, 0, "a damaged command came from the parent");
		exit(70);
	case FRAME_MORE:
	case FRAME_STATES:
		break;
	}
	return false;
}

bool
child_command(struct child *c, int timeout_ms, struct event *cmd)
{
	uint64_t deadline = clock_mono_ns() + (uint64_t)timeout_ms * CLOCK_MS;
	struct pollfd p = {.fd = c->down.fd, .events = POLLIN};
	int n;

	for (;;) {
		if (child_take(c, cmd))
			return true;
		child_beat(c);
		n = poll(&p, 1, clock_poll_ms(clock_mono_ns(), deadline, 100));
		if (n > 0) {
			if (channel_fill(&c->down) <= 0)
				child_orphaned();
		} else if (clock_mono_ns() >= deadline)
			return false;
	}
}

void
child_diag(struct child *c, int code, const char *fmt, ...)
{
	struct event ev = {.type = MESSAGE_DIAG};
	va_list ap;

	ev.u.diag.code = code;
	va_start(ap, fmt);
	(void)vsnprintf(ev.u.diag.text, sizeof(ev.u.diag.text), fmt, ap);
	va_end(ap);
	child_emit(c, &ev);
	child_flush(c);
}

/* SPDX-License-Identifier: ISC */
/*
 * Pulling one message at a time by raw requests. The library's Fetch is not
 * used: 3.4.1 returns early after an empty one and keeps state between
 * calls. Each request has a reply subject of its own, so that a status that
 * ends an older one is not taken for the end of this one; deliveries are
 * taken from whatever request they answer, because an unanswered request
 * lives on at the server and may eat the message that the next one is for.
 */
#include <errno.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "worker/internal.h"

#define SLICE_MS 100
/* A request that the server has not ended so long after its end is lost. */
#define GRACE_NS (CLOCK_S / 4)

int
pull_open(struct pull *p, struct session *s)
{
	return session_listen(s, &p->sub, p->inbox);
}

void
pull_close(struct pull *p)
{
	natsSubscription_Destroy(p->sub);
	p->sub = NULL;
}

static void
send_request(struct worker *w, struct pull *p, const struct session_consumer *c,
    uint64_t expires_ns)
{
	char reply[sizeof(p->inbox) + 24] = "";

	text_add(reply, sizeof(reply), "%s.%llu", p->inbox,
	    (unsigned long long)++p->number);
	session_pull(&w->session, c, reply, 1, expires_ns);
}

/* A message that is no delivery: true when it ends the latest request. */
static bool
ends_request(struct worker *w, struct pull *p, natsMsg *msg)
{
	const char *dot = strrchr(natsMsg_GetSubject(msg), '.');
	const char *status = NULL;
	char number[24] = "";

	text_add(number, sizeof(number), "%llu", (unsigned long long)p->number);
	if (dot == NULL || strcmp(dot + 1, number) != 0 ||
	    natsMsgHeader_Get(msg, "Status", &status) != NATS_OK)
		return false;
	/* 404 and 408: there is no message. After others a pause. */
	if (strcmp(status, "404") != 0 && strcmp(status, "408") != 0)
		session_backoff(&p->pause, &w->child);
	return true;
}

/*
 * Look at what came within wait_ms: 1 for a delivery, in *msg; 0 when the
 * latest request is over; -EAGAIN when it isn't; -EIO.
 */
static int
look(struct worker *w, struct pull *p, int wait_ms, natsMsg **msg)
{
	natsStatus st = natsSubscription_NextMsg(msg, p->sub, wait_ms);
	bool is_over;

	if (st == NATS_TIMEOUT) {
		worker_commands(w, 0); /* and a sign of life */
		return -EAGAIN;
	}
	/* The library makes a status of its own of "503 no responders". */
	if (st == NATS_NO_RESPONDERS) {
		session_backoff(&p->pause, &w->child);
		return 0;
	}
	if (st != NATS_OK) {
		log_error("cannot receive: %s", natsStatus_GetText(st));
		return -EIO;
	}
	/* A delivery is known by the subject that its ack goes to. */
	if (natsMsg_GetReply(*msg) != NULL) {
		p->pause.step = 0;
		return 1;
	}
	is_over = ends_request(w, p, *msg);
	natsMsg_Destroy(*msg);
	*msg = NULL;
	return is_over ? 0 : -EAGAIN;
}

int
pull_next(struct worker *w, struct pull *p, const struct session_consumer *c,
    uint64_t expires_ns, natsMsg **msg)
{
	uint64_t deadline = 0, queued = 0;
	int wait_ms = SLICE_MS, got;

	do {
		/* It fails when the subscription has ended: then nothing is
		 * queued. */
		(void)natsSubscription_QueuedMsgs(p->sub, &queued);
		if (deadline == 0 && queued == 0) {
			send_request(w, p, c, expires_ns);
			deadline = clock_mono_ns() + expires_ns + GRACE_NS;
		}
		if (deadline != 0)
			wait_ms =
			    clock_poll_ms(clock_mono_ns(), deadline, SLICE_MS);
		if (wait_ms == 0)
			return 0;
		got = look(w, p, wait_ms, msg);
	} while (got == -EAGAIN);
	return got;
}

/* SPDX-License-Identifier: ISC */
/* Questions to the stream leader, many at a time; see ask.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "worker/audit/ask.h"

#define WINDOW 512 /* questions that wait for an answer */

int
ask_open(struct ask *a, struct scan *s)
{
	memset(a, 0, sizeof(*a));
	a->scan = s;
	return session_listen(&s->w->session, &a->sub, a->inbox);
}

void
ask_close(struct ask *a)
{
	natsSubscription_Destroy(a->sub);
	a->sub = NULL;
}

static void
send_question(struct ask *a, const struct question *q, size_t i)
{
	char api[SCAN_API_MAX], text[SCAN_TEXT_MAX];
	char reply[sizeof(a->inbox) + 24];

	scan_question(a->scan, q->seq, q->is_next, api, text);
	text_format(reply, sizeof(reply), "%s.%llu", a->inbox,
	    (unsigned long long)(a->number + i));
	session_send(&a->scan->w->session, api, reply, text);
}

static void
read_answer(struct question *q, const natsMsg *msg)
{
	int got = scan_answer(msg, q->seq, &q->found);

	if (got == 0)
		q->answer = ASK_ABSENT;
	else if (got == 1 && (q->is_next || q->found == q->seq))
		q->answer = ASK_PRESENT;
}

/* Which question an answer is for; n when it is for none of these. */
static size_t
index_of(const struct ask *a, natsMsg *msg, size_t n)
{
	const char *dot = strrchr(natsMsg_GetSubject(msg), '.');
	uint64_t number = dot != NULL ? strtoull(dot + 1, NULL, 10) : 0;

	return number >= a->number && number - a->number < n
		   ? (size_t)(number - a->number)
		   : n;
}

static void
ask_window(struct ask *a, struct question *q, size_t n)
{
	uint64_t deadline = clock_mono_ns() + SCAN_REQUEST_MS * CLOCK_MS;
	size_t i, got = 0;
	natsMsg *msg;
	int wait_ms;

	for (i = 0; i < n; i++) {
		q[i].answer = ASK_NONE;
		send_question(a, &q[i], i);
	}
	while (got < n) {
		wait_ms = clock_poll_ms(clock_mono_ns(), deadline, 100);
		if (wait_ms == 0)
			break;
		msg = NULL;
		if (natsSubscription_NextMsg(&msg, a->sub, wait_ms) ==
		    NATS_OK) {
			i = index_of(a, msg, n);
			if (i < n && q[i].answer == ASK_NONE) {
				read_answer(&q[i], msg);
				got++;
			}
		}
		natsMsg_Destroy(msg);
		child_beat(&a->scan->w->child);
	}
	a->number += n;
}

void
ask_leader(struct ask *a, struct question *q, size_t n, uint64_t deadline_ns)
{
	size_t i, some;

	for (i = 0; i < n && clock_mono_ns() < deadline_ns; i += some) {
		some = n - i < WINDOW ? n - i : WINDOW;
		ask_window(a, &q[i], some);
	}
}

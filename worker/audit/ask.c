/* SPDX-License-Identifier: ISC */
/* Questions to the stream leader, many at a time; see ask.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "worker/audit/ask.h"

#define WINDOW	 64 /* questions that wait for an answer */
#define JSON_MAX 512

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
	char api[96] = "", reply[sizeof(a->inbox) + 24], text[80];

	text_add(api, sizeof(api), "$JS.API.STREAM.MSG.GET.%s",
	    a->scan->target->name);
	text_format(reply, sizeof(reply), "%s.%llu", a->inbox,
	    (unsigned long long)(a->number + i));
	text_format(text, sizeof(text), "{\"seq\":%llu%s}",
	    (unsigned long long)q->seq,
	    q->is_next ? ",\"next_by_subj\":\">\"" : "");
	session_send(&a->scan->w->session, api, reply, text);
}

/* The beginning of an answer says it all; its content is base64. */
static void
read_answer(struct question *q, natsMsg *msg)
{
	size_t len = (size_t)natsMsg_GetDataLength(msg);
	char json[JSON_MAX];
	const char *at;

	if (len >= sizeof(json))
		len = sizeof(json) - 1;
	if (len > 0)
		memcpy(json, natsMsg_GetData(msg), len);
	json[len] = '\0';
	at = strstr(json, "\"seq\":");
	if (strstr(json, "\"error\"") != NULL)
		q->answer =
		    strstr(json, "10037") != NULL ? ASK_ABSENT : ASK_NONE;
	else if (at != NULL) {
		q->found = strtoull(at + 6, NULL, 10);
		if (q->found == q->seq || (q->is_next && q->found > q->seq))
			q->answer = ASK_PRESENT;
	}
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

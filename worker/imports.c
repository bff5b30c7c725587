/* SPDX-License-Identifier: ISC */
/*
 * Streams of another account (--js-prefix). Its API is imported, or setup would
 * have got no answer. But acks go to subjects of their own, and so do the
 * messages of push consumers: where these don't cross, no ack is ever
 * confirmed, and JetStream is blameless.
 */
#include <errno.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "worker/internal.h"

#define TRY_NS	   (10 * CLOCK_S) /* longer than an election */
#define REQUEST_MS 2000

/*
 * "In progress", for a message that isn't there yet: who hears it does
 * nothing but answer.
 */
static bool
ack_arrives(struct worker *w, const char *stream, const jsConsumerConfig *cc)
{
	char subject[192];

	text_format(subject, sizeof(subject), "$JS.ACK.%s.%s.1.1.1.0.0", stream,
	    cc->Durable);
	return session_confirm(&w->session, subject, "+WPI",
		   REQUEST_MS * CLOCK_MS) == OUTCOME_OK;
}

/* The server says whether anybody listens where a consumer pushes to. */
static bool
push_arrives(struct worker *w, const char *stream, const jsConsumerConfig *cc)
{
	struct session_consumer c = {stream, cc->Durable};
	jsConsumerInfo *ci = NULL;
	bool is_bound = false;

	if (session_consumer_info(&w->session, &c, REQUEST_MS, &ci) ==
	    OUTCOME_OK)
		is_bound = ci->PushBound;
	jsConsumerInfo_Destroy(ci);
	return is_bound;
}

static int
await(struct worker *w, const char *stream, const jsConsumerConfig *cc,
    bool (*arrives)(struct worker *, const char *, const jsConsumerConfig *))
{
	uint64_t deadline = clock_mono_ns() + TRY_NS;
	struct backoff b = {0};

	while (!arrives(w, stream, cc)) {
		if (clock_mono_ns() >= deadline)
			return -EACCES;
		session_backoff(&b, &w->child);
	}
	return 0;
}

static int
await_push(struct worker *w, const char *stream, const jsConsumerConfig *cc)
{
	natsSubscription *sub = NULL;
	natsStatus st;
	int err;

	st = natsConnection_QueueSubscribeSync(
	    &sub, w->session.nc, cc->DeliverSubject, cc->DeliverGroup);
	err = st == NATS_OK ? await(w, stream, cc, push_arrives) : -EACCES;
	natsSubscription_Destroy(sub);
	return err;
}

int
imports_try(struct worker *w, const char *stream, const jsConsumerConfig *cc)
{
	if (w->config.js_prefix[0] == '\0')
		return 0;
	if (await(w, stream, cc, ack_arrives) < 0)
		text_format(w->session.refusal, sizeof(w->session.refusal),
		    "nobody takes acks (%.60s): with --js-prefix the subjects "
		    "$JS.ACK.> have to be imported as well",
		    session_words(&w->session));
	else if (cc->DeliverSubject != NULL && await_push(w, stream, cc) < 0)
		text_format(w->session.refusal, sizeof(w->session.refusal),
		    "what consumers push to %.80s arrives nowhere: with "
		    "--js-prefix that has to be imported as a stream",
		    cc->DeliverSubject);
	else
		return 0;
	return -EACCES;
}

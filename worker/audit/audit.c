/* SPDX-License-Identifier: ISC */
/*
 * The audit: a full scan of every stream by a second path, after all faults
 * were healed. First a fresh pull consumer (as many replicas as the stream)
 * reads everything; it may lose deliveries on the way and may read from a
 * replica that is behind, so what it did not show is then asked of the stream
 * leader, several times, before it is called absent (absent.h).
 */
#include <errno.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "worker/audit/absent.h"
#include "worker/audit/audit.h"
#include "worker/audit/reader.h"

#define BATCH	   256
#define IDLE_PULLS 3 /* empty pulls before the path is over */
#define READERS	   3 /* consumers made until one reads to the end */
#define GET_NS	   (90 * CLOCK_S)
#define LEADER_NS  (30 * CLOCK_S) /* of these, as long as that is possible */

struct audit {
	struct scan scan;
	uint64_t next;	/* behind the highest that the consumer has shown */
	unsigned made;	/* consumers */
	bool is_at_end; /* the consumer said that nothing follows */
	struct gaps gaps;
};

/* A message of the consumer path: the next, behind a gap, or one in a gap. */
static int
take(struct reader *r, natsMsg *msg, const struct delivery *d)
{
	struct audit *a = r->arg;

	bool is_next = d->seq >= a->next;
	int err;

	if (!is_next)
		err = gaps_fill(&a->gaps, d->seq);
	else
		err = gaps_add(&a->gaps, a->next, d->seq - 1);
	if (err < 0 || (err == 0 && !is_next))
		return err; /* 0: shown before */
	scan_message(&a->scan, SCAN_CONSUMER, d->seq, d->stamp_ns, msg);
	if (is_next)
		a->next = d->seq + 1;
	a->is_at_end = d->pending == 0;
	r->is_over = a->next > a->scan.last || a->is_at_end;
	return 1;
}

static int
make_consumer(struct audit *a, const char *name)
{
	struct worker *w = a->scan.w;
	jsConsumerConfig cc;
	int err;

	reader_config(&cc, name);
	cc.Replicas = a->scan.replicas;
	if (a->next > 1) {
		cc.DeliverPolicy = js_DeliverByStartSequence;
		cc.OptStartSeq = a->next;
	}
	err = setup_add_consumer(w, a->scan.target->name, &cc,
	    limit_deadline(w, SCAN_QUIET_NS), NULL);
	if (err < 0)
		text_format(a->scan.why, sizeof(a->scan.why),
		    "no audit consumer: %.90s", w->session.why);
	return err;
}

/*
 * The newest messages may have been removed: the consumer and the leader then
 * agree that nothing follows what was shown.
 */
static bool
is_over(struct audit *a)
{
	uint64_t seq;

	return a->next > a->scan.last ||
	       (a->is_at_end && scan_next(&a->scan, a->next, &seq) == 0);
}

/* With one consumer from the next sequence on: 0 or -errno. */
static int
read_on(struct audit *a)
{
	struct worker *w = a->scan.w;
	char name[64];
	struct reader r = {.w = w,
	    .consumer = {a->scan.target->name, name},
	    .batch = reader_batch(BATCH, a->scan.bytes, a->scan.messages),
	    .take = take,
	    .arg = a};
	/* An empty stream has nothing that could come late. */
	unsigned idle = a->scan.messages == 0 ? IDLE_PULLS - 1 : 0;
	int err, got;

	text_format(name, sizeof(name), "natsburn_audit_%u_%u_%u", w->source,
	    w->incarnation, ++a->made);
	err = make_consumer(a, name);
	if (err == 0)
		err = reader_open(&r);
	while (err == 0 && !is_over(a) && idle < IDLE_PULLS) {
		r.is_over = false;
		got = reader_pull(&r);
		if (got < 0)
			err = got;
		else if (limit_is_over(w) && !is_over(a))
			err = scan_is_late(&a->scan, "to read it to its end");
		idle = got > 0 ? 0 : idle + 1;
	}
	reader_close(&r);
	return err;
}

/*
 * The consumer path. One that shows nothing any more may have lost its
 * place: another one reads on. What none shows is left to the leader.
 */
static int
scan_by_consumer(struct audit *a)
{
	int err;

	do
		err = read_on(a);
	while (err == 0 && a->scan.messages > 0 && !is_over(a) &&
	       a->made < READERS);
	return err == -ETIMEDOUT && a->made > 1 && !limit_is_over(a->scan.w)
		   ? 0
		   : err;
}

void
audit_stream(struct worker *w, const struct worker_target *target)
{
	struct audit a = {.scan = {.w = w, .target = target}, .next = 1};
	int err, left;

	err = scan_begin(&a.scan);
	if (err < 0) {
		scan_end(&a.scan, err);
		return;
	}
	err = scan_by_consumer(&a);
	/* Acknowledged sequences beyond the end are asked for as well. */
	if (err == 0)
		err = gaps_add(&a.gaps, a.next, scan_last(&a.scan));
	if (err == -E2BIG)
		text_format(a.scan.why, sizeof(a.scan.why),
		    "more than %u ranges of sequences are missing", GAPS_MAX);
	/* What is missing up to there is proven all the same. */
	if (a.gaps.n > 0)
		limit_prove(w, LEADER_NS, "messages are missing");
	left = absent_settle(&a.scan, &a.gaps, limit_deadline(w, GET_NS));
	if (err == 0)
		err = left;
	if (err == 0)
		err = tally_tell(&a.scan);
	scan_end(&a.scan, err);
	gaps_fini(&a.gaps);
}

int
audit_streams(struct worker *w)
{
	unsigned i;

	for (i = 0; i < w->ntargets; i++)
		audit_stream(w, &w->targets[i]);
	return 0;
}

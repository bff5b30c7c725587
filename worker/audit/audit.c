/* SPDX-License-Identifier: ISC */
/*
 * The audit: a full scan of every stream by a second path, after all faults
 * were healed. First a fresh pull consumer (as many replicas as the stream)
 * reads everything; it may lose deliveries on the way and may read from a
 * replica that is behind, so each sequence it did not show is then asked of
 * the stream leader by number, several times, before it is called absent.
 */
#include <errno.h>
#include <stdlib.h>

#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "worker/audit/audit.h"
#include "worker/audit/reader.h"
#include "worker/audit/scan.h"

#define BATCH	    256
#define IDLE_PULLS  3 /* empty pulls before the path is over */
#define GET_TRIES   5 /* "not found" answers that settle it */
#define GET_NS	    (90 * CLOCK_S)
#define MISSING_MAX 100000

/* A sequence that the consumer did not show. */
struct gap {
	uint64_t seq;
	uint32_t not_found; /* times the leader said so */
};

struct audit {
	struct scan scan;
	uint64_t next; /* lowest sequence the consumer has not shown */
	struct gap *missing;
	uint32_t nmissing, room;
};

static int
note_missing(struct audit *a, uint64_t from, uint64_t to)
{
	struct gap *g;
	uint64_t seq;

	for (seq = from; seq <= to; seq++) {
		if (a->nmissing == MISSING_MAX) {
			text_format(a->scan.why, sizeof(a->scan.why),
			    "more than %d sequences are missing", MISSING_MAX);
			return -E2BIG;
		}
		g = array_at(&a->missing, &a->room, a->nmissing, sizeof(*g),
		    MISSING_MAX);
		if (g == NULL)
			return -ENOMEM;
		a->nmissing++;
		*g = (struct gap){seq, 0};
	}
	return 0;
}

/* One message of the consumer path: in order, or a gap before it. */
static int
take(struct reader *r, natsMsg *msg, const struct delivery *d)
{
	struct audit *a = r->arg;
	int err;

	if (d->seq < a->next)
		return 0; /* shown before */
	err = note_missing(a, a->next, d->seq - 1);
	if (err < 0)
		return err;
	scan_message(&a->scan, SCAN_CONSUMER, d->seq, d->stamp_ns, msg);
	a->next = d->seq + 1;
	r->is_over = a->next > a->scan.last;
	return 1;
}

static int
make_consumer(struct audit *a, const char *name)
{
	struct worker *w = a->scan.w;
	jsConsumerConfig cc;
	int err;

	reader_config(&cc, name);
	cc.Replicas = (int64_t)w->config.replicas;
	err = setup_add_consumer(w, a->scan.target->name, &cc,
	    clock_mono_ns() + SCAN_QUIET_NS, NULL);
	if (err < 0)
		text_format(a->scan.why, sizeof(a->scan.why),
		    "no audit consumer: %.90s", w->session.why);
	return err;
}

/* The consumer path. What it does not show is left to the leader. */
static int
scan_by_consumer(struct audit *a)
{
	struct worker *w = a->scan.w;
	char name[64];
	struct reader r = {.w = w,
	    .consumer = {a->scan.target->name, name},
	    .batch = BATCH,
	    .take = take,
	    .arg = a,
	    .is_over = a->next > a->scan.last};
	unsigned idle = 0;
	int err, got;

	text_format(name, sizeof(name), "natsburn_audit_%u_%u", w->source,
	    w->incarnation);
	err = make_consumer(a, name);
	if (err == 0)
		err = reader_open(&r);
	while (err == 0 && !r.is_over && idle < IDLE_PULLS) {
		got = reader_pull(&r);
		if (got < 0)
			err = got;
		idle = got > 0 ? 0 : idle + 1;
	}
	reader_close(&r);
	return err;
}

/* One round over what is missing: what stays open is kept. */
static void
ask_leader(struct audit *a, uint64_t deadline)
{
	struct gap *g;
	uint32_t i, left = 0;
	int got;

	for (i = 0; i < a->nmissing; i++) {
		g = &a->missing[i];
		got = clock_mono_ns() < deadline ? scan_get(&a->scan, g->seq)
						 : -ETIMEDOUT;
		g->not_found += got == 0;
		if (got == 1)
			continue;
		if (g->not_found >= GET_TRIES)
			scan_tell_absent(&a->scan, g->seq, g->not_found);
		else
			a->missing[left++] = *g;
	}
	a->nmissing = left;
}

/* The leader path, for all that the consumer did not show. */
static int
scan_by_leader(struct audit *a)
{
	uint64_t deadline = clock_mono_ns() + GET_NS;
	struct backoff b = {0};

	/* Rounds, so that the answers of one sequence lie apart in time. */
	while (a->nmissing > 0) {
		ask_leader(a, deadline);
		if (a->nmissing > 0 && clock_mono_ns() >= deadline)
			return -ETIMEDOUT;
		session_backoff(&b, &a->scan.w->child);
	}
	return 0;
}

static void
audit_stream(struct worker *w, const struct worker_target *target)
{
	struct audit a = {.scan = {.w = w, .target = target}, .next = 1};
	uint64_t last;
	int err;

	err = scan_begin(&a.scan);
	if (err == 0)
		err = scan_by_consumer(&a);
	/* Acknowledged sequences beyond the end are asked for as well. */
	last = scan_last(&a.scan);
	if (err == 0 && a.next <= last)
		err = note_missing(&a, a.next, last);
	if (err == 0)
		err = scan_by_leader(&a);
	scan_end(&a.scan, err);
	free(a.missing);
}

int
audit_streams(struct worker *w)
{
	unsigned i;

	for (i = 0; i < w->ntargets; i++)
		audit_stream(w, &w->targets[i]);
	return 0;
}

/* SPDX-License-Identifier: ISC */
/* The last listings; see add_remove_streams.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "worker/audit/scan.h"
#include "worker/workloads/add_remove_streams/add_remove_streams.h"

#define AUDIT_NS      (90 * CLOCK_S)
#define AUDIT_LIST_NS (10 * CLOCK_S) /* the last listing that counts */
#define CONTENT_NS    (20 * CLOCK_S) /* for the messages of all streams */
#define CONTENT_MAX   100	     /* of one of them */

static int
target_order(const void *a, const void *b)
{
	const struct worker_target *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* Rows and targets are both sorted: exactly the same names? */
static bool
view_is_expected(const struct worker *w, const struct ar_view *v)
{
	size_t i;

	if (v->n != w->ntargets)
		return false;
	for (i = 0; i < v->n; i++)
		if (strcmp(v->rows[i].name, w->targets[i].name) != 0)
			return false;
	return true;
}

/* What the listings say of a stream is all that its scan says. */
static void
tell_scan(struct worker *w, uint32_t stream, const struct ar_row *r)
{
	struct worker_target target = {.stream = stream};
	struct scan s = {.w = w, .target = &target};

	if (r != NULL) {
		s.messages = s.read = r->messages;
		s.created = r->created;
	}
	scan_tell_begin(&s);
	scan_end(&s, 0);
}

static void
tell_scans(struct worker *w, const struct ar_view *v)
{
	struct ar_row key;
	unsigned i;

	for (i = 0; i < w->ntargets; i++) {
		text_set(key.name, sizeof(key.name), w->targets[i].name);
		tell_scan(w, w->targets[i].stream,
		    v->n > 0 ? bsearch(&key, v->rows, v->n, sizeof(key),
				   ar_row_order)
			     : NULL);
	}
}

/* False when the leader has no answer, or no such message. */
static bool
read_message(struct worker *w, const struct ar_row *r, uint64_t seq)
{
	struct event ev = {.type = MESSAGE_STREAM_CONTENT};
	struct msg_stream_content *m = &ev.u.stream_content;
	struct payload p = {0};
	natsMsg *msg = NULL;
	jsErrCode code = 0;
	jsOptions jo;
	natsStatus st;

	session_options(&jo, SCAN_REQUEST_MS);
	st = js_GetMsg(&msg, w->session.js, r->name, seq, &jo, &code);
	child_beat(&w->child);
	if (st != NATS_OK)
		return false;
	m->id = r->id;
	m->seq = seq;
	m->messages = r->messages;
	m->intact = payload_read(
	    &p, natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg));
	m->held = p.id;
	m->run = p.run;
	natsMsg_Destroy(msg);
	child_emit(&w->child, &ev);
	return true;
}

/* Whose messages the streams hold, for as many as there is time. */
static void
read_contents(struct worker *w, const struct ar_view *v)
{
	uint64_t deadline = clock_mono_ns() + CONTENT_NS, seq;
	const struct ar_row *r;
	size_t i;

	for (i = 0; i < v->n; i++) {
		r = &v->rows[i];
		for (seq = 1; seq <= r->messages && seq <= CONTENT_MAX; seq++)
			if (clock_mono_ns() >= deadline ||
			    !read_message(w, r, seq))
				break;
	}
	child_flush(&w->child);
}

/* Tell of streams that no client told of, so that they are cleaned up. */
static void
tell_others(struct worker *w, const struct ar_view *v)
{
	struct worker_target key;
	uint32_t index = 1;
	size_t i;

	for (i = 0; i < w->ntargets; i++)
		if (w->targets[i].stream >= index)
			index = w->targets[i].stream + 1;
	for (i = 0; i < v->n && index <= UINT16_MAX; i++) {
		text_set(key.name, sizeof(key.name), v->rows[i].name);
		if (w->ntargets > 0 && bsearch(&key, w->targets, w->ntargets,
					   sizeof(key), target_order) != NULL)
			continue;
		tell_stream(w, index, v->rows[i].name, v->rows[i].created, 0);
		tell_scan(w, index++, &v->rows[i]);
	}
}

/* List until it is as expected, or was not for long enough to convict. */
static int
audit_listings(struct worker *w, struct ar_view *v, char *why, size_t size)
{
	uint64_t now, begin_ns = clock_mono_ns(), wrong_ns = 0, list = 0;
	struct backoff b = {.step = 3};

	for (;; session_backoff(&b, &w->child)) {
		why[0] = '\0';
		if (ar_list(w, v, ++list, true) < 0)
			text_add(
			    why, size, "no listing: %.90s", w->session.why);
		else if (!v->has_states)
			text_add(
			    why, size, "no state of stream %s", v->stateless);
		else if (view_is_expected(w, v))
			return 0;
		now = clock_mono_ns();
		if (wrong_ns == 0 && why[0] == '\0') {
			wrong_ns = now;
			limit_prove(w, AUDIT_WRONG_NS + AUDIT_LIST_NS,
			    "the listing of the streams is wrong");
		}
		/* The check has seen enough, right or wrong. */
		if (why[0] == '\0' && now >= wrong_ns + AUDIT_WRONG_NS)
			return 0;
		if (now < begin_ns + AUDIT_NS && !limit_is_over(w))
			continue;
		if (why[0] == '\0')
			text_set(why, size,
			    "a wrong listing, and no time was left to see "
			    "whether that lasts");
		return -ETIMEDOUT;
	}
}

int
ar_audit(struct worker *w)
{
	static const struct worker_target whole; /* number 0 is no stream's */
	struct scan s = {.w = w, .target = &whole};
	struct ar_view v = {.is_thorough = true};
	size_t i;
	int err;

	if (w->ntargets > 0)
		qsort(w->targets, w->ntargets, sizeof(w->targets[0]),
		    target_order);
	scan_tell_begin(&s);
	child_flush(&w->child);
	err = audit_listings(w, &v, s.why, sizeof(s.why));
	for (i = 0; i < v.n; i++)
		s.read += v.rows[i].messages;
	read_contents(w, &v);
	tell_scans(w, &v);
	tell_others(w, &v);
	scan_end(&s, err);
	ar_view_clear(&v);
	return 0;
}

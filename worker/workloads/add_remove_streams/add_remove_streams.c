/* SPDX-License-Identifier: ISC */
/*
 * add-remove-streams: each client works on streams of its own:
 *
 *	for i in 1..N { one of { add a stream, delete one, nothing };
 *	list the streams; verify the list }
 *
 * A stream gets a few messages when it is added; they are counted in each
 * listing and before it is deleted. Its configuration says which stream it
 * is: the id stands in the description, the variant in numbers that the
 * server keeps. An add or delete is retried until it is answered; a name is
 * only used again when its first life had no attempt without an answer,
 * since such an attempt may take effect at any later time.
 *
 * What is judged is judged centrally (the check "streams"). A client compares
 * too, but only to know when to look again: while a listing is wrong it
 * does nothing else, until a listing is right or the parent, or its own
 * patience, gives up. The audit compares with what the clients, at their
 * end, said that there is.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "worker/workloads/add_remove_streams/add_remove_streams.h"

#define PATIENCE_NS (120 * CLOCK_S) /* with a listing that stays wrong */
#define LAST_NS	    (20 * CLOCK_S)  /* beyond --op-timeout, after STOP */
#define INDICES	    65000	    /* stream numbers to share out */

static const struct option_spec options[] = {
    {"min", OPTION_U64, offsetof(struct ar_options, min), 8, "1", 0, 1000, NULL,
	"N", "fewest streams of a client", false},
    {"max", OPTION_U64, offsetof(struct ar_options, max), 8, "10", 1, 1000,
	NULL, "N", "most streams of a client", false},
    {"messages", OPTION_U64, offsetof(struct ar_options, messages), 8, "3", 0,
	1000, NULL, "N", "messages put into a new stream", false},
    {"again", OPTION_U64, offsetof(struct ar_options, again), 8, "30", 0, 100,
	NULL, "PERCENT", "adds that use the name of a deleted stream", false},
    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
};

static int
ar_setup(struct worker *w)
{
	const struct ar_options *o = w->options;
	bool is_plain = strcmp(w->config.storage_compression, "none") == 0;

	if (o->min <= o->max)
		return is_plain && w->config.servers_are_ours
			   ? 0
			   : setup_try_stream(w);
	log_error("-o %s.min=%llu is more than max=%llu", w->ops->name,
	    (unsigned long long)o->min, (unsigned long long)o->max);
	return -EINVAL;
}

static int
ar_begin(struct worker *w)
{
	struct ar_state *s = w->state;
	char stream[64];

	text_format(stream, sizeof(stream), "add-remove-streams %u %u",
	    w->source, w->incarnation);
	rng_init(&s->rng, w->config.seed, stream);
	return 0;
}

static int
ar_step(struct worker *w)
{
	struct ar_state *s = w->state;
	int err = 0;

	if (s->wrong_ns == 0)
		err = ar_operate(w);
	else if (clock_mono_ns() - s->wrong_ns > PATIENCE_NS)
		ar_ignore_wrong(s);
	else
		session_backoff(&s->pause, &w->child);
	if (err < 0)
		return err;
	if (ar_list_verify(w) == 0)
		s->failing.step = 0;
	else
		session_backoff(&s->failing, &w->child);
	return 0;
}

static void
ar_command(struct worker *w, const struct event *cmd)
{
	struct ar_state *s = w->state;
	uint64_t id = cmd->u.give_up.id;
	size_t i;

	if (cmd->type != MESSAGE_GIVE_UP || id == 0)
		return;
	if (id == s->at)
		s->given_up = true;
	for (i = 0; i < s->nheld; i++)
		if (s->held[i].id == id && s->held[i].is_wrong)
			s->held[i].state = HELD_IGNORED;
}

/* Everything of this client, those of its earlier incarnations too. */
static void
tell_streams(struct worker *w)
{
	struct ar_state *s = w->state;
	uint64_t share = INDICES / w->config.clients, n = 0;
	uint32_t first = (uint32_t)(1 + w->index * share); /* 0: the audit */
	const struct ar_held *h;
	const struct ar_row *r;
	char prefix[64];
	size_t i;

	ar_prefix_own(w, prefix, sizeof(prefix));
	for (i = 0; i < s->nheld && n < share; i++) {
		h = &s->held[i];
		if (h->state == HELD_GOOD ||
		    (h->state != HELD_STRAY && h->is_listed))
			tell_stream(
			    w, first + (uint32_t)n++, h->name, h->created, 0);
	}
	for (i = 0; i < s->view.n && n < share; i++) {
		r = &s->view.rows[i];
		if (strncmp(r->name, prefix, strlen(prefix)) == 0 &&
		    !ar_is_own_name(w, r->name))
			tell_stream(
			    w, first + (uint32_t)n++, r->name, r->created, 0);
	}
}

/* Listings are right, or were wrong for long enough for the check. */
static bool
is_settled(struct ar_state *s)
{
	if (s->wrong_ns == 0)
		return true;
	if (clock_mono_ns() - s->wrong_ns < AUDIT_WRONG_NS)
		return false;
	ar_ignore_wrong(s);
	return true;
}

/* List until a listing is right, for some time. */
static int
ar_drain(struct worker *w)
{
	struct ar_state *s = w->state;
	uint64_t deadline = s->stop_ns != 0 ? s->stop_ns : clock_mono_ns();

	deadline += w->config.op_timeout_ns + LAST_NS;
	s->pause.step = 0;
	while (ar_list_verify(w) < 0 || !is_settled(s)) {
		if (clock_mono_ns() >= deadline)
			break;
		worker_commands(w, 0); /* GIVE_UP may have come */
		session_backoff(&s->pause, &w->child);
	}
	tell_streams(w);
	return 0;
}

static void
ar_end(struct worker *w)
{
	struct ar_state *s = w->state;

	ar_view_clear(&s->view);
	free(s->held);
}

static const struct workload_role roles[] = {
    {"client", WORKLOAD_CLIENTS, true},
    {NULL, WORKLOAD_ONE, false},
};

const struct workload_ops workload_add_remove_streams = {
    .name = "add-remove-streams",
    .summary = "streams are added and deleted, and every listing verified",
    .roles = roles,
    .options = options,
    .options_size = sizeof(struct ar_options),
    .state_size = sizeof(struct ar_state),
    .setup = ar_setup,
    .audit = ar_audit,
    .begin = ar_begin,
    .step = ar_step,
    .command = ar_command,
    .drain = ar_drain,
    .end = ar_end,
};

/* SPDX-License-Identifier: ISC */
/*
 * liar: tests the tester. It speaks for a publisher, a consumer and a
 * perfect server that does not exist, emits what they would have seen, and
 * plants what it is asked to: one broken promise (-o liar.plant), which the
 * checks must find, or one legal oddity (-o liar.legal), which they must
 * not. It never connects to anything.
 *
 * The story is a pure function of the options and the seed, told round by
 * round as a list of acts, so that the audit, another process, tells the
 * same story and reads the same pretended stream.
 */
#include <errno.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/rng.h"
#include "proto/base/text.h"
#include "proto/numbers.h"
#include "worker/audit/scan.h"
#include "worker/workloads/liar/twists.h"

#define SUFFIX	 "liar"
#define CONSUMER "burn"
#define OTHER	 9 /* a consumer that comes and goes */
/* Children are numbered as they are started: chaos, setup, the liar. */
#define LIAR_SOURCE 3
#define LATE_NS	    (CLOCK_S / 2) /* a pause is that much too long */

struct liar_options {
	char plant[32], legal[32], at[16];
	uint64_t messages, rate;
};

struct liar_state {
	struct story story;
	uint64_t begin_ns;
	bool is_behind; /* an earlier incarnation told the beginning */
};

static const char *const places[] = {"start", "middle", "end", "seed", NULL};

static const struct option_spec options[] = {
    {"plant", OPTION_CHOICE, offsetof(struct liar_options, plant), 32, "none",
	0, 0, liar_plant_names, "NAME", "a broken promise, or a broken harness",
	false},
    {"legal", OPTION_CHOICE, offsetof(struct liar_options, legal), 32, "none",
	0, 0, liar_legal_names, "NAME", "a legal oddity", false},
    {"at", OPTION_CHOICE, offsetof(struct liar_options, at), 16, "middle", 0, 0,
	places, "WHERE", "start, middle, end, or drawn from the seed", false},
    {"messages", OPTION_U64, offsetof(struct liar_options, messages), 8, "200",
	UINT64_C(2) * LATE_ROUNDS, UINT32_MAX, NULL, "N",
	"rounds of the whole story", false},
    {"rate", OPTION_U64, offsetof(struct liar_options, rate), 8, "1000", 0,
	1000000, NULL, "N", "rounds a second; 0 is as fast as it can", false},
    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
};

static const struct twist *
twist_find(const struct twist *rows, const char *name)
{
	while (strcmp(rows->name, name) != 0)
		rows++; /* the options allow no other name */
	return rows;
}

static void
story_begin(struct story *st, const struct worker *w)
{
	const struct liar_options *o = w->options;
	uint64_t room, twist;
	struct rng rng;

	memset(st, 0, sizeof(*st));
	st->plant = twist_find(liar_plants, o->plant);
	st->legal = twist_find(liar_legals, o->legal);
	st->messages = o->messages;
	st->op_late_ns = w->config.op_timeout_ns + LATE_NS;
	st->consume_late_ns = w->config.consume_timeout_ns + LATE_NS;
	st->recover_late_ns = w->config.recover_timeout_ns + LATE_NS;
	/* A run may end with the last round: no twist comes after it. */
	twist = st->plant->rounds + st->legal->rounds;
	room = st->messages - (twist > 0 ? twist : 1);
	if (strcmp(o->at, "middle") == 0)
		st->twist_at = room / 2;
	else if (strcmp(o->at, "end") == 0)
		st->twist_at = room;
	else if (strcmp(o->at, "seed") == 0) {
		rng_init(&rng, w->config.seed, SUFFIX);
		st->twist_at = rng_below(&rng, room + 1);
	}
}

/* Playing: what the pretended client would have seen, as events */

static uint64_t
id_of(uint64_t counter)
{
	return message_id(LIAR_SOURCE, counter);
}

static uint64_t
sum_of(const struct worker *w, uint64_t counter)
{
	return rng_mix(w->config.run ^ rng_mix(counter));
}

static struct attempt
attempt_of(const struct worker *w, const struct act *a)
{
	return (struct attempt){.id = id_of(a->counter),
	    .number = a->count,
	    .sum = sum_of(w, a->counter),
	    .size = PAYLOAD_MIN};
}

static void
play_batch(struct worker *w, const struct act *a)
{
	struct event ev = {
	    .type = a->flag ? MESSAGE_FAST_BATCH : MESSAGE_BATCH};

	if (a->flag) {
		ev.u.fast_batch.id = id_of(a->counter);
		ev.u.fast_batch.count = a->count;
	} else {
		ev.u.batch.id = id_of(a->counter);
		ev.u.batch.count = a->count;
	}
	child_emit(&w->child, &ev);
}

static void
play_invoke(struct worker *w, const struct act *a)
{
	struct attempt at = attempt_of(w, a);

	tell_invoke(w, &at);
}

static void
play_ok(struct worker *w, const struct act *a)
{
	struct attempt at = attempt_of(w, a);

	tell_published(w, &at, a->seq, a->flag);
}

static void
play_count(struct worker *w, const struct act *a)
{
	char value[PAYLOAD_ADDS_MAX];
	struct counted c = {0, id_of(a->counter), a->seq,
	    (enum message_word)a->count, SUFFIX, "+1", value};

	text_format(
	    value, sizeof(value), "%llu", (unsigned long long)a->number);
	tell_count(w, &c);
}

/* It is stored, and the audit reads at once what it has sent. */
static void
play_schedule(struct worker *w, const struct act *a)
{
	struct changing at = {.id = id_of(a->counter)};
	struct event ev = {.type = MESSAGE_SCHEDULE};
	int64_t at_ns = clock_wall_ns();

	ev.u.schedule = (struct msg_schedule){.id = at.id,
	    .attempt = 1,
	    .group = at.id,
	    .times = TIMES_ONCE,
	    .at_ns = at_ns};
	child_emit(&w->child, &ev);
	ev = (struct event){.type = MESSAGE_SCHEDULE_OK};
	ev.u.schedule_ok = (struct msg_schedule_ok){.id = at.id, .seq = 1};
	child_emit(&w->child, &ev);
	tell_change_over(w, &at, OUTCOME_OK);
	ev = (struct event){.type = MESSAGE_FIRED};
	ev.u.fired = (struct msg_fired){.id = at.id,
	    .seq = 2,
	    .stamp_ns = at_ns - (int64_t)a->number,
	    .group = at.id,
	    .fits = 1};
	child_emit(&w->child, &ev);
}

static void
play_bare(struct worker *w, const struct act *a)
{
	struct changing at = {.id = id_of(a->counter), .attempt = 1};
	struct event ev = {.type = MESSAGE_CONSUMER_TERMS};

	ev.u.consumer_terms = (struct msg_consumer_terms){.consumer = OTHER,
	    .kind = KIND_PULL,
	    .headers_only = 1,
	    .is_durable = 1};
	child_emit(&w->child, &ev);
	ev = (struct event){.type = MESSAGE_CONSUMER_EDIT};
	ev.u.consumer_edit = (struct msg_consumer_edit){.consumer = OTHER,
	    .id = at.id,
	    .attempt = 1,
	    .what = EDIT_CREATE,
	    .name = "bare"};
	child_emit(&w->child, &ev);
	ev = (struct event){.type = MESSAGE_CHANGE_OK};
	ev.u.change_ok.id = at.id;
	child_emit(&w->child, &ev);
	tell_change_over(w, &at, OUTCOME_OK);
	ev = (struct event){.type = MESSAGE_BARE};
	ev.u.bare = (struct msg_bare){
	    .consumer = OTHER, .seq = 1, .payload = (uint32_t)a->number};
	child_emit(&w->child, &ev);
	ev = (struct event){.type = MESSAGE_CONSUMER_OVER};
	ev.u.consumer_over.consumer = OTHER;
	child_emit(&w->child, &ev);
}

static void
play_repeat(struct worker *w, const struct act *a)
{
	struct attempt at = attempt_of(w, a);
	struct event ev = {.type = MESSAGE_REPEAT_INVOKE};

	ev.u.repeat_invoke.id = at.id;
	ev.u.repeat_invoke.attempt = 1;
	ev.u.repeat_invoke.seq = a->number;
	child_emit(&w->child, &ev);
	memset(&ev, 0, sizeof(ev));
	ev.type = MESSAGE_REPEAT_OK;
	ev.u.repeat_ok.id = at.id;
	ev.u.repeat_ok.seq = a->seq;
	ev.u.repeat_ok.duplicate = a->flag;
	ev.u.repeat_ok.first = a->number;
	ev.u.repeat_ok.first_ns = clock_mono_ns();
	child_emit(&w->child, &ev);
}

static void
play_failure(struct worker *w, const struct act *a)
{
	struct attempt at = attempt_of(w, a);

	tell_failure(
	    w, &at, a->type == ACT_FAIL ? OUTCOME_FAIL : OUTCOME_UNKNOWN);
}

static void
play_end(struct worker *w, const struct act *a)
{
	struct attempt at = attempt_of(w, a);

	tell_end(w, &at, (enum outcome)a->count);
}

/* What a reader makes of a message and its oddity. */
static struct payload
read_oddly(const struct worker *w, const struct act *a)
{
	struct payload p = {.run = w->config.run,
	    .id = id_of(a->counter),
	    .sum = sum_of(w, a->counter)};

	if (a->odd == ODD_BROKEN)
		p = (struct payload){.sum = 1}; /* as payload_read does */
	else if (a->odd == ODD_CHANGED)
		p.sum++;
	else if (a->odd == ODD_FOREIGN)
		p.run++;
	return p;
}

static void
play_deliver(struct worker *w, const struct act *a)
{
	struct consumption c = {
	    .payload = read_oddly(w, a), .intact = a->odd != ODD_BROKEN};

	c.delivery.seq = a->seq;
	c.delivery.consumer_seq = a->number;
	c.delivery.delivered = a->count;
	c.delivery.stamp_ns = a->stamp_ns;
	tell_delivery(w, &c);
}

static void
play_ack(struct worker *w, const struct act *a)
{
	struct ack ack = {0, a->seq, a->number, id_of(a->counter)};

	if (a->type == ACT_ACK_INVOKE)
		tell_ack_invoke(w, &ack, a->count);
	else if (a->type == ACT_ACK_UNKNOWN)
		tell_unconfirmed(w, &ack, false);
	else
		tell_confirmed(w, &ack);
}

static void
play_leader(struct worker *w, const struct act *a)
{
	struct event ev = {.type = MESSAGE_LEADER};
	struct msg_leader *m = &ev.u.leader;

	m->what = 3;
	worker_stream_name(w, SUFFIX, m->name, sizeof(m->name));
	text_add(m->name, sizeof(m->name), "/%s", CONSUMER);
	text_set(m->leader, sizeof(m->leader), a->text);
	child_emit(&w->child, &ev);
}

static void
play_fault(struct worker *w, const struct act *a)
{
	struct event ev = {.type = MESSAGE_FAULT_PLANNED};

	ev.u.fault_planned.fault = 1; /* the first field of all of these */
	if (a->type == ACT_PLANNED) {
		ev.u.fault_planned.round = 1;
		ev.u.fault_planned.stops_clock = a->flag;
		ev.u.fault_planned.ends_server = 1;
		text_set(ev.u.fault_planned.mode,
		    sizeof(ev.u.fault_planned.mode), "pretended");
		text_set(ev.u.fault_planned.target,
		    sizeof(ev.u.fault_planned.target), "n1");
	} else if (a->type == ACT_APPLIED) {
		ev.type = MESSAGE_FAULT_APPLIED;
		ev.u.fault_applied.ok = 1;
	} else if (a->type == ACT_UNDONE) {
		ev.type = MESSAGE_FAULT_UNDONE;
		ev.u.fault_undone.patience_ns = 120 * CLOCK_S;
	} else {
		ev.type = MESSAGE_FAULT_HEALED;
		ev.u.fault_healed.ok = !a->flag;
	}
	child_emit(&w->child, &ev);
}

static void
play_health(struct worker *w, const struct act *a)
{
	struct event ev = {.type = MESSAGE_GROUP_SICK};
	struct msg_group_sick *m = &ev.u.group_sick;

	if (a->type == ACT_SICK) {
		m->what = LEADS_STREAM;
		m->sick_ns = a->number;
		worker_stream_name(w, SUFFIX, m->name, sizeof(m->name));
		text_set(m->says, sizeof(m->says), "nobody leads it");
	} else if (a->type == ACT_WELL) {
		ev.type = MESSAGE_GROUP_WELL;
		ev.u.group_well.what = LEADS_STREAM;
		worker_stream_name(w, SUFFIX, ev.u.group_well.name,
		    sizeof(ev.u.group_well.name));
	} else {
		ev.type = MESSAGE_OURS_SILENT;
		ev.u.ours_silent.silent_ns = a->number;
		text_set(ev.u.ours_silent.who, sizeof(ev.u.ours_silent.who),
		    "pretended");
	}
	child_emit(&w->child, &ev);
}

static void
play_ended(struct worker *w, const struct act *a)
{
	struct event ev = {.type = MESSAGE_SERVER_ENDED};
	struct msg_server_ended *m = &ev.u.server_ended;

	m->node = 1;
	m->is_read = 1;
	m->cause = (uint8_t)a->number;
	m->code = m->cause == CAUSE_PANIC ? 2 : 0;
	text_set(m->name, sizeof(m->name), "n1");
	if (m->cause == CAUSE_PANIC)
		text_set(m->says, sizeof(m->says), "panic: pretended");
	child_emit(&w->child, &ev);
}

static void
play_pause(struct worker *w, const struct act *a)
{
	uint64_t end = clock_mono_ns() + a->number, now;

	child_flush(&w->child);
	while ((now = clock_mono_ns()) < end)
		worker_commands(w, clock_poll_ms(now, end, 100));
}

static void
play_break(struct worker *w, const struct act *a)
{
	child_flush(&w->child);
	a->how(w);
}

static void (*const plays[ACT_TYPES])(struct worker *, const struct act *) = {
    [ACT_BATCH] = play_batch,
    [ACT_INVOKE] = play_invoke,
    [ACT_OK] = play_ok,
    [ACT_FAIL] = play_failure,
    [ACT_UNKNOWN] = play_failure,
    [ACT_END] = play_end,
    [ACT_REPEAT] = play_repeat,
    [ACT_COUNT] = play_count,
    [ACT_SCHEDULE] = play_schedule,
    [ACT_BARE] = play_bare,
    [ACT_DELIVER] = play_deliver,
    [ACT_ACK_INVOKE] = play_ack,
    [ACT_ACK_OK] = play_ack,
    [ACT_ACK_UNKNOWN] = play_ack,
    [ACT_LEADER] = play_leader,
    [ACT_PLANNED] = play_fault,
    [ACT_APPLIED] = play_fault,
    [ACT_UNDONE] = play_fault,
    [ACT_HEALED] = play_fault,
    [ACT_SICK] = play_health,
    [ACT_WELL] = play_health,
    [ACT_SILENT] = play_health,
    [ACT_ENDED] = play_ended,
    [ACT_PAUSE] = play_pause,
    [ACT_BREAK] = play_break,
};

static void
play_round(struct worker *w)
{
	struct liar_state *l = w->state;
	const struct act *a;
	unsigned i;

	for (i = 0; i < l->story.n; i++) {
		a = &l->story.acts[i];
		if (a->type == ACT_INVOKE && a->counter >= w->counter)
			l->is_behind = false;
		if (!l->is_behind && plays[a->type] != NULL)
			plays[a->type](w, a);
	}
}

/* Wait until the next round is due. */
static void
keep_pace(struct worker *w)
{
	const struct liar_options *o = w->options;
	struct liar_state *l = w->state;
	uint64_t due, now = clock_mono_ns();

	if (l->begin_ns == 0)
		l->begin_ns = now;
	if (o->rate == 0 || l->is_behind)
		return;
	due = l->begin_ns + l->story.rounds * CLOCK_S / o->rate;
	if (due > now)
		worker_commands(w, clock_poll_ms(now, due, 100));
}

/* The hooks */

static int
liar_setup(struct worker *w)
{
	struct event ev = {.type = MESSAGE_CONSUMER};
	struct msg_consumer *c = &ev.u.consumer;
	char name[64];

	worker_stream_name(w, SUFFIX, name, sizeof(name));
	tell_stream(w, 0, name, (uint64_t)CREATED_NS, WINDOW_NS);
	c->created = (uint64_t)CREATED_NS;
	c->ack_wait_ns = LIAR_ACK_WAIT_NS;
	text_set(c->name, sizeof(c->name), CONSUMER);
	child_emit(&w->child, &ev);
	memset(&ev, 0, sizeof(ev));
	ev.type = MESSAGE_SERVER_ANSWERS; /* the one that isn't there */
	ev.u.server_answers.node = ev.u.server_answers.ok = 1;
	child_emit(&w->child, &ev);
	child_flush(&w->child);
	return 0;
}

static int
liar_begin(struct worker *w)
{
	struct liar_state *l = w->state;

	if (w->source != LIAR_SOURCE) {
		log_error("the liar is process %u instead of %d", w->source,
		    LIAR_SOURCE);
		return -EINVAL; /* its message ids would name another */
	}
	text_set(w->session.why, sizeof(w->session.why), "pretended");
	story_begin(&l->story, w);
	l->is_behind = w->incarnation > 1;
	return 0;
}

static int
liar_step(struct worker *w)
{
	struct liar_state *l = w->state;

	if (!story_tell_next(&l->story)) {
		worker_commands(w, 100);
		return 0;
	}
	play_round(w);
	keep_pace(w);
	return 0;
}

static void
scan_stored(struct scan *s, const struct act *a)
{
	struct scan_seen seen = {.path = SCAN_CONSUMER,
	    .seq = a->seq,
	    .stamp_ns = a->stamp_ns,
	    .payload = read_oddly(s->w, a),
	    .intact = a->odd != ODD_BROKEN};

	if (a->odd == ODD_ABSENT)
		scan_tell_absent(s, a->seq, 5);
	else if (a->odd != ODD_SILENT)
		scan_tell(s, &seen);
}

#define MIRROR 1 /* index of the stream that mirrors the other */

/* What the mirror has of a message. */
static void
copy_stored(struct scan *s, const struct act *a)
{
	struct payload p = read_oddly(s->w, a);
	struct event ev = {.type = MESSAGE_COPIED};

	if (a->odd == ODD_UNCOPIED)
		return;
	ev.u.copied = (struct msg_copied){.stream = MIRROR,
	    .seq = a->seq,
	    .stamp_ns = a->stamp_ns,
	    .subject = 1,
	    .id = p.id,
	    .run = p.run,
	    .sum = p.sum,
	    .intact = 1};
	if (a->odd == ODD_MISCOPIED)
		ev.u.copied.id = id_of(a->counter == 1 ? 2 : 1);
	child_emit(&s->w->child, &ev);
}

/* Tell the story again, as far as it was told, and read its stream. */
static void
scan_story(struct scan *s, void (*read)(struct scan *, const struct act *))
{
	struct liar_state *l = s->w->state;
	unsigned i;

	story_begin(&l->story, s->w);
	while (l->story.seq < s->last && story_tell_next(&l->story))
		for (i = 0; i < l->story.n; i++)
			if (l->story.acts[i].type == ACT_STORE)
				read(s, &l->story.acts[i]);
}

/* It has got nothing for 150 s. */
static void
scan_mirror(struct scan *s)
{
	struct event ev = {.type = MESSAGE_COPY_TERMS};

	ev.u.copy_terms.stream = MIRROR;
	ev.u.copy_terms.mirrors = 1;
	child_emit(&s->w->child, &ev);
	ev = (struct event){.type = MESSAGE_COPY_LAG};
	ev.u.copy_lag.stream = MIRROR;
	ev.u.copy_lag.waited_ns = ev.u.copy_lag.stalled_ns = 150 * CLOCK_S;
	child_emit(&s->w->child, &ev);
	scan_story(s, copy_stored);
	ev = (struct event){.type = MESSAGE_SCAN_END};
	ev.u.scan_end.stream = MIRROR;
	ev.u.scan_end.complete = 1;
	child_emit(&s->w->child, &ev);
}

static void
tell_config(struct worker *w, bool asked, const char *text)
{
	struct event ev = {.type = MESSAGE_STREAM_CONFIG};
	struct msg_stream_config *m = &ev.u.stream_config;

	m->asked = asked;
	m->polls = 5;
	text_set(m->text, sizeof(m->text), text);
	child_emit(&w->child, &ev);
}

/* Numbers of the stream that are not those of what was read. */
static void
tell_numbers(const struct scan *s, bool is_miscounted)
{
	struct event ev = {.type = MESSAGE_SCAN_TALLY};
	struct msg_scan_tally *m = &ev.u.scan_tally;

	m->polls = 60;
	m->lasted_ns = NUMBERS_LONG_NS;
	m->same = 1;
	m->read = m->read_last = m->messages = m->last = s->last;
	m->read_first = m->first = 1;
	m->subjects = m->read_subjects = 1;
	if (is_miscounted) {
		m->messages += 7;
		m->last += 7;
	} else
		m->mislabelled = m->mislabelled_seq = 1;
	child_emit(&s->w->child, &ev);
}

/* What is planted in the stream's state and not in its messages. */
static void
tell_planted(const struct scan *s, const char *plant)
{
	if (strcmp(plant, "reconfigured") == 0) {
		tell_config(s->w, true, "subjects=a; max_msgs=-1");
		tell_config(s->w, false, "subjects=a; max_msgs=100");
	} else if (strcmp(plant, "miscounted") == 0)
		tell_numbers(s, true);
	else if (strcmp(plant, "mislabelled") == 0)
		tell_numbers(s, false);
}

/* The leader's numbers of a stream that begins again, and is empty. */
static void
tell_anew(const struct scan *s)
{
	struct event ev = {.type = MESSAGE_SCAN_STATE};
	struct msg_scan_state *m = &ev.u.scan_state;

	m->polls = 3;
	m->first = 1;
	m->created = s->created;
	child_emit(&s->w->child, &ev);
}

static int
liar_audit(struct worker *w)
{
	static const struct worker_target only;
	const struct liar_options *o = w->options;
	bool is_anew = strcmp(o->plant, "recreated") == 0; /* and empty */
	bool is_incomplete = strcmp(o->plant, "incomplete") == 0;
	struct scan s = {.w = w,
	    .target = &only,
	    .first = 1,
	    .created = (uint64_t)CREATED_NS + is_anew,
	    .why = "the liar pretends that it can't go on"};

	if (strcmp(o->plant, "unaudited") == 0)
		return 0;
	if (w->ntargets > 0 && !is_anew)
		s.last = s.messages = w->targets[0].last_acked;
	scan_tell_begin(&s);
	if (is_anew)
		tell_anew(&s);
	scan_story(&s, scan_stored);
	s.read = s.last;
	tell_planted(&s, o->plant);
	scan_end(&s, is_incomplete ? -EIO : 0);
	if (strstr(o->plant, "copied") != NULL ||
	    strcmp(o->legal, "copied_once") == 0)
		scan_mirror(&s);
	return 0;
}

static const struct workload_role roles[] = {
    {"liar", WORKLOAD_ONE, true},
    {NULL, WORKLOAD_ONE, false},
};

const struct workload_ops workload_liar = {
    .name = "liar",
    .summary = "no servers: plants broken promises and legal oddities, to "
	       "test the checks",
    .roles = roles,
    .options = options,
    .options_size = sizeof(struct liar_options),
    .state_size = sizeof(struct liar_state),
    .needs_no_cluster = true,
    .setup = liar_setup,
    .audit = liar_audit,
    .begin = liar_begin,
    .step = liar_step,
};

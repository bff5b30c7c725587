/* SPDX-License-Identifier: ISC */
/*
 * streams: planted violations that the check must report, each exactly, and
 * legal oddities that it must not. The judge is fed directly; time is ours.
 */
#include "tests/support.h"

#include <string.h>

#include "orchestrator/judge/judge.h"

#define S      UINT64_C(1000000000)
#define MS     UINT64_C(1000000)
#define PREFIX "NB_7_"
#define NAME   "NB_7_3_1_1"

/* A client, as a source; ids and rows of the usual two. */
#define ANN 3
#define BOB 4
#define ID1 message_id(ANN, 1)
#define ID2 message_id(ANN, 2)

struct row {
	const char *name;
	uint64_t id, messages, created;
	uint32_t variant;
};

struct story {
	struct judge *judge;
	uint64_t now, seq[8], lists;
	uint32_t faults;
	struct judge_result result;
};

static void
feed(struct story *t, uint32_t source, struct event *ev)
{
	ev->time_ns = ++t->now;
	ev->source = source;
	ev->incarnation = 1;
	ev->seq = ++t->seq[source];
	assert_int_equal(judge_event(t->judge, ev), 0);
}

static void
option(struct story *t, const char *name, const char *value)
{
	struct event ev = {.type = MESSAGE_OPTION};

	(void)strncpy(ev.u.option.name, name, sizeof(ev.u.option.name) - 1);
	(void)strncpy(ev.u.option.value, value, sizeof(ev.u.option.value) - 1);
	feed(t, 0, &ev);
}

static void
begin(struct story *t)
{
	struct event ev = {.type = MESSAGE_RUN};

	memset(t, 0, sizeof(*t));
	t->now = 1000 * S;
	t->judge = judge_create(NULL, NULL);
	assert_non_null(t->judge);
	ev.u.run.run = 7;
	feed(t, 0, &ev);
}

/* Time passes, with the ticks of the parent. */
static void
pass(struct story *t, uint64_t ns)
{
	uint64_t end = t->now + ns;
	struct event tick = {.type = MESSAGE_TICK};

	while (t->now + S < end) {
		t->now += S;
		feed(t, 0, &tick);
	}
	t->now = end;
}

/* A client neither works nor beats, and the parent says so. */
static void
stand_still(struct story *t, uint32_t source, uint64_t ns)
{
	struct event ev = {.type = MESSAGE_CHILD_SILENT};
	uint64_t begin_ns = t->now, end = t->now + ns;

	ev.u.child_silent.child = source;
	while (t->now + S < end) {
		pass(t, S);
		ev.u.child_silent.silent_ns = t->now - begin_ns;
		feed(t, 0, &ev);
	}
}

/* The run came to its end, and the judge says its verdict. */
static void
finish(struct story *t)
{
	struct event ev = {.type = MESSAGE_PHASE};

	(void)strncpy(ev.u.phase.name, "end", sizeof(ev.u.phase.name) - 1);
	feed(t, 0, &ev);
	judge_finish(t->judge, &t->result);
}

static void
leader(struct story *t, const char *name)
{
	struct event ev = {.type = MESSAGE_LEADER};

	ev.u.leader.what = 1;
	(void)strncpy(ev.u.leader.leader, name, sizeof(ev.u.leader.leader) - 1);
	feed(t, 1, &ev);
}

static void
fault_begins(struct story *t, bool stops)
{
	struct event ev = {.type = MESSAGE_FAULT_PLANNED};

	ev.u.fault_planned.fault = ++t->faults;
	ev.u.fault_planned.stops_clock = stops;
	feed(t, 1, &ev);
	memset(&ev, 0, sizeof(ev));
	ev.type = MESSAGE_FAULT_APPLIED;
	ev.u.fault_applied.fault = t->faults;
	ev.u.fault_applied.ok = 1;
	feed(t, 1, &ev);
}

static void
fault_ends(struct story *t, bool ok)
{
	struct event ev = {.type = MESSAGE_FAULT_HEALED};

	ev.u.fault_healed.fault = t->faults;
	ev.u.fault_healed.ok = ok;
	feed(t, 1, &ev);
}

static void
add(struct story *t, uint64_t id, const char *name, uint32_t attempt)
{
	struct event ev = {.type = MESSAGE_STREAM_ADD};

	ev.u.stream_add.id = id;
	ev.u.stream_add.attempt = attempt;
	ev.u.stream_add.variant = (uint32_t)message_id_counter(id);
	(void)strncpy(
	    ev.u.stream_add.name, name, sizeof(ev.u.stream_add.name) - 1);
	feed(t, message_id_source(id), &ev);
}

static void
add_ok(struct story *t, uint64_t id, uint64_t created)
{
	struct event ev = {.type = MESSAGE_STREAM_ADD_OK};

	ev.u.stream_add_ok.id = id;
	ev.u.stream_add_ok.created = created;
	feed(t, message_id_source(id), &ev);
}

static void
filled(struct story *t, uint64_t id, uint64_t seq)
{
	struct event ev = {.type = MESSAGE_STREAM_FILLED};

	ev.u.stream_filled.id = id;
	ev.u.stream_filled.seq = seq;
	feed(t, message_id_source(id), &ev);
}

static void
remove_once(struct story *t, uint64_t id, const char *name, uint32_t attempt)
{
	struct event ev = {.type = MESSAGE_STREAM_REMOVE};

	ev.u.stream_remove.id = id;
	ev.u.stream_remove.attempt = attempt;
	(void)strncpy(
	    ev.u.stream_remove.name, name, sizeof(ev.u.stream_remove.name) - 1);
	feed(t, message_id_source(id), &ev);
}

static void
remove_ok(struct story *t, uint64_t id)
{
	struct event ev = {.type = MESSAGE_STREAM_REMOVE_OK};

	ev.u.stream_remove_ok.id = id;
	feed(t, message_id_source(id), &ev);
}

static void
op_failed(struct story *t, uint64_t id, bool certain)
{
	struct event ev = {.type = MESSAGE_STREAM_OP_FAILED};

	ev.u.stream_op_failed.id = id;
	ev.u.stream_op_failed.certain = certain;
	feed(t, message_id_source(id), &ev);
}

static void
op_end(struct story *t, uint64_t id, uint8_t outcome)
{
	struct event ev = {.type = MESSAGE_STREAM_OP_END};

	ev.u.stream_op_end.id = id;
	ev.u.stream_op_end.outcome = outcome;
	feed(t, message_id_source(id), &ev);
}

static void
counted(struct story *t, uint64_t id, bool found, uint64_t messages)
{
	struct event ev = {.type = MESSAGE_STREAM_COUNTED};

	ev.u.stream_counted.id = id;
	ev.u.stream_counted.found = found;
	ev.u.stream_counted.messages = messages;
	ev.u.stream_counted.created = found ? 100 : 0;
	feed(t, message_id_source(id), &ev);
}

/* A confirmed stream with three messages: created is 100 for all. */
static void
have(struct story *t, uint64_t id, const char *name)
{
	uint64_t seq;

	add(t, id, name, 1);
	add_ok(t, id, 100);
	for (seq = 1; seq <= 3; seq++)
		filled(t, id, seq);
	op_end(t, id, 0);
}

static void
drop(struct story *t, uint64_t id, const char *name)
{
	remove_once(t, id, name, 1);
	remove_ok(t, id);
	op_end(t, id, 0);
}

static void
list_begin(struct story *t, uint32_t source, const char *prefix)
{
	struct event ev = {.type = MESSAGE_STREAM_LIST};

	ev.u.stream_list.list = ++t->lists;
	(void)strncpy(ev.u.stream_list.prefix, prefix,
	    sizeof(ev.u.stream_list.prefix) - 1);
	feed(t, source, &ev);
}

static void
list_end(struct story *t, uint32_t source, const struct row *rows, unsigned n,
    bool ok)
{
	struct event ev;
	unsigned i;

	for (i = 0; i < n; i++) {
		memset(&ev, 0, sizeof(ev));
		ev.type = MESSAGE_STREAM_LISTED;
		ev.u.stream_listed.list = t->lists;
		ev.u.stream_listed.id = rows[i].id;
		ev.u.stream_listed.variant = rows[i].variant;
		ev.u.stream_listed.messages = rows[i].messages;
		ev.u.stream_listed.created = rows[i].created;
		(void)strncpy(ev.u.stream_listed.name, rows[i].name,
		    sizeof(ev.u.stream_listed.name) - 1);
		feed(t, source, &ev);
	}
	memset(&ev, 0, sizeof(ev));
	ev.type = MESSAGE_STREAM_LIST_END;
	ev.u.stream_list_end.list = t->lists;
	ev.u.stream_list_end.ok = ok;
	ev.u.stream_list_end.count = n;
	feed(t, source, &ev);
}

static void
list(struct story *t, uint32_t source, const struct row *rows, unsigned n)
{
	list_begin(t, source, PREFIX);
	t->now += 2 * MS;
	list_end(t, source, rows, n, true);
}

/* The same listing every second for so many seconds. */
static void
list_for(struct story *t, unsigned seconds, const struct row *rows, unsigned n)
{
	struct event tick = {.type = MESSAGE_TICK};
	unsigned i;

	for (i = 0; i <= seconds; i++) {
		list(t, ANN, rows, n);
		t->now += S;
		feed(t, 0, &tick);
	}
}

static uint64_t
count(const struct story *t, enum anomaly_kind kind, enum anomaly_class class)
{
	return judge_count(t->judge, kind, class);
}

static uint64_t
count_class(const struct story *t, enum anomaly_class class)
{
	uint64_t n = 0;
	unsigned k;

	for (k = 0; k < ANOMALY_COUNT; k++)
		n += judge_count(t->judge, k, class);
	return n;
}

/* Exactly one violation, of that kind; whatever else is said. */
static void
expect_violation(struct story *t, enum anomaly_kind kind)
{
	finish(t);
	assert_int_equal(count(t, kind, CLASS_VIOLATION), 1);
	assert_int_equal(count_class(t, CLASS_VIOLATION), 1);
	assert_int_equal(t->result.verdict, VERDICT_FAIL);
	judge_destroy(t->judge);
}

/* No violation; so many warnings and documented oddities. */
static void
expect_legal(struct story *t, uint64_t warnings, uint64_t documented)
{
	finish(t);
	assert_int_equal(count_class(t, CLASS_VIOLATION), 0);
	assert_int_equal(count_class(t, CLASS_WARNING), warnings);
	assert_int_equal(count_class(t, CLASS_DOCUMENTED), documented);
	assert_int_not_equal(t->result.verdict, VERDICT_FAIL);
	judge_destroy(t->judge);
}

/* True when the result says that something could not be decided. */
static bool
has_reason(const struct story *t, const char *part)
{
	unsigned i;

	for (i = 0; i < t->result.nreasons; i++)
		if (strstr(t->result.reasons[i], part) != NULL)
			return true;
	return false;
}

static struct row
row_of(uint64_t id, const char *name)
{
	struct row r = {name, id, 3, 100, (uint32_t)message_id_counter(id)};

	return r;
}

/* what must be reported */

static void
test_missing(void **state)
{
	struct row r = row_of(ID1, NAME);
	struct story t;

	(void)state;
	begin(&t);
	leader(&t, "n1");
	have(&t, ID1, NAME);
	list(&t, ANN, &r, 1);
	list_for(&t, 32, NULL, 0);
	expect_violation(&t, ANOMALY_STREAM_MISSING);
}

/* A leader told again is the same one; the first one told is no change. */
static void
test_missing_under_steady_leader(void **state)
{
	struct story t;
	unsigned i;

	(void)state;
	begin(&t);
	have(&t, ID1, NAME);
	list(&t, ANN, NULL, 0);
	for (i = 0; i < 8; i++) {
		leader(&t, "n1");
		list_for(&t, 4, NULL, 0);
	}
	expect_violation(&t, ANOMALY_STREAM_MISSING);
}

/* Three listings are enough when they lie far apart, whoever made them. */
static void
test_missing_for_all_clients(void **state)
{
	struct story t;

	(void)state;
	begin(&t);
	have(&t, ID1, NAME);
	list(&t, ANN, NULL, 0);
	pass(&t, 16 * S);
	list(&t, BOB, NULL, 0);
	pass(&t, 16 * S);
	list(&t, BOB, NULL, 0);
	expect_violation(&t, ANOMALY_STREAM_MISSING);
}

static void
test_missing_after_faults(void **state)
{
	struct story t;
	unsigned i;

	(void)state;
	begin(&t);
	have(&t, ID1, NAME);
	for (i = 0; i < 10; i++) {
		fault_begins(&t, false);
		list_for(&t, 3, NULL, 0);
		fault_ends(&t, true);
		list_for(&t, 3, NULL, 0);
	}
	assert_int_equal(count_class(&t, CLASS_VIOLATION), 0);
	list_for(&t, 32, NULL, 0);
	expect_violation(&t, ANOMALY_STREAM_MISSING);
}

/* A delete says "not found" at the first attempt, and it stays so. */
static void
test_missing_when_deleted(void **state)
{
	struct story t;

	(void)state;
	begin(&t);
	have(&t, ID1, NAME);
	remove_once(&t, ID1, NAME, 1);
	op_failed(&t, ID1, true);
	op_end(&t, ID1, 1);
	list_for(&t, 32, NULL, 0);
	expect_violation(&t, ANOMALY_STREAM_MISSING);
}

static void
test_resurrected(void **state)
{
	struct row r = row_of(ID1, NAME);
	struct story t;

	(void)state;
	begin(&t);
	have(&t, ID1, NAME);
	drop(&t, ID1, NAME);
	list(&t, ANN, NULL, 0);
	list_for(&t, 32, &r, 1);
	expect_violation(&t, ANOMALY_STREAM_RESURRECTED);
}

/* Long after its delete, when the check no longer remembers it. */
static void
test_resurrected_late(void **state)
{
	struct row r = row_of(ID1, NAME);
	struct story t;
	unsigned i;

	(void)state;
	begin(&t);
	have(&t, ID1, NAME);
	drop(&t, ID1, NAME);
	for (i = 0; i < 30; i++) {
		list(&t, ANN, NULL, 0);
		pass(&t, 10 * S);
	}
	list_for(&t, 32, &r, 1);
	expect_violation(&t, ANOMALY_STREAM_RESURRECTED);
}

/* A server that doesn't answer for it leaves a row without state. */
static void
test_resurrected_without_state(void **state)
{
	struct row r = {NAME, 0, 0, 0, 0};
	struct story t;

	(void)state;
	begin(&t);
	have(&t, ID1, NAME);
	drop(&t, ID1, NAME);
	list_for(&t, 32, &r, 1);
	expect_violation(&t, ANOMALY_STREAM_RESURRECTED);
}

/* An add of it was never answered, but what is there is the old one. */
static void
test_resurrected_itself(void **state)
{
	struct row r = row_of(ID1, NAME);
	struct story t;

	(void)state;
	begin(&t);
	add(&t, ID1, NAME, 1);
	op_failed(&t, ID1, false);
	add(&t, ID1, NAME, 2);
	add_ok(&t, ID1, 100);
	op_end(&t, ID1, 0);
	drop(&t, ID1, NAME);
	list_for(&t, 32, &r, 1);
	expect_violation(&t, ANOMALY_STREAM_RESURRECTED);
}

/* Every add of it was refused for certain, and yet it is there. */
static void
test_added_though_refused(void **state)
{
	struct row r = row_of(ID1, NAME);
	struct story t;

	(void)state;
	begin(&t);
	add(&t, ID1, NAME, 1);
	op_failed(&t, ID1, true);
	op_end(&t, ID1, 1);
	list_for(&t, 32, &r, 1);
	expect_violation(&t, ANOMALY_STREAM_RESURRECTED);
}

/* The name lives again, and the first life is shown in its place. */
static void
test_first_life_is_back(void **state)
{
	struct row r = row_of(ID1, NAME);
	struct story t;

	(void)state;
	begin(&t);
	have(&t, ID1, NAME);
	drop(&t, ID1, NAME);
	have(&t, ID2, NAME);
	list_for(&t, 32, &r, 1);
	judge_finish(t.judge, &t.result);
	assert_int_equal(count(&t, ANOMALY_STREAM_MISSING, CLASS_VIOLATION), 1);
	assert_int_equal(
	    count(&t, ANOMALY_STREAM_RESURRECTED, CLASS_VIOLATION), 1);
	assert_int_equal(count_class(&t, CLASS_VIOLATION), 2);
	judge_destroy(t.judge);
}

static void
test_lost(void **state)
{
	struct row r = row_of(ID1, NAME);
	struct story t;

	(void)state;
	begin(&t);
	have(&t, ID1, NAME);
	r.messages = 2;
	list_for(&t, 32, &r, 1);
	expect_violation(&t, ANOMALY_LOST);
}

static void
test_lost_when_counted(void **state)
{
	struct story t;

	(void)state;
	begin(&t);
	have(&t, ID1, NAME);
	counted(&t, ID1, true, 0);
	pass(&t, 20 * S);
	counted(&t, ID1, true, 0);
	pass(&t, 20 * S);
	counted(&t, ID1, true, 0);
	expect_violation(&t, ANOMALY_LOST);
}

static void
test_lost_created_anew(void **state)
{
	struct row r = row_of(ID1, NAME);
	const struct anomaly *a;
	struct story t;
	size_t i;
	bool told = false;

	(void)state;
	begin(&t);
	have(&t, ID1, NAME);
	r.messages = 0;
	r.created = 200;
	list_for(&t, 32, &r, 1);
	for (i = 0; (a = judge_anomaly(t.judge, i)) != NULL; i++)
		told |= a->kind == ANOMALY_LOST &&
			strstr(a->says, "created anew") != NULL;
	assert_true(told);
	expect_violation(&t, ANOMALY_LOST);
}

static void
test_corrupt(void **state)
{
	struct row r = row_of(ID1, NAME);
	struct story t;

	(void)state;
	begin(&t);
	have(&t, ID1, NAME);
	r.variant = 5;
	list_for(&t, 32, &r, 1);
	expect_violation(&t, ANOMALY_CORRUPT);
}

static void
test_op_timeout_add(void **state)
{
	struct story t;
	uint32_t attempt;

	(void)state;
	begin(&t);
	for (attempt = 1; attempt <= 12; attempt++) {
		add(&t, ID1, NAME, attempt);
		pass(&t, 3 * S);
		op_failed(&t, ID1, false);
	}
	op_end(&t, ID1, 2);
	expect_violation(&t, ANOMALY_OP_TIMEOUT);
}

static void
test_op_timeout_fill(void **state)
{
	struct story t;

	(void)state;
	begin(&t);
	add(&t, ID1, NAME, 1);
	add_ok(&t, ID1, 100);
	filled(&t, ID1, 1);
	pass(&t, 40 * S);
	filled(&t, ID1, 2);
	op_end(&t, ID1, 0);
	expect_violation(&t, ANOMALY_OP_TIMEOUT);
}

static void
test_op_timeout_delete(void **state)
{
	struct story t;

	(void)state;
	begin(&t);
	have(&t, ID1, NAME);
	remove_once(&t, ID1, NAME, 1);
	t.now += 31 * S; /* no tick between: the end of it tells */
	remove_ok(&t, ID1);
	expect_violation(&t, ANOMALY_OP_TIMEOUT);
}

static void
test_op_timeout_list(void **state)
{
	struct story t;
	unsigned i;

	(void)state;
	begin(&t);
	for (i = 0; i < 20; i++) {
		list_begin(&t, ANN, PREFIX);
		pass(&t, 2 * S);
		list_end(&t, ANN, NULL, 0, false);
	}
	expect_violation(&t, ANOMALY_OP_TIMEOUT);
}

/* what must not */

static void
test_right(void **state)
{
	struct row rows[2] = {row_of(ID1, NAME), row_of(ID2, "NB_7_3_1_2")};
	struct story t;

	(void)state;
	begin(&t);
	have(&t, ID1, NAME);
	have(&t, ID2, "NB_7_3_1_2");
	rows[1].messages = 5; /* more than acknowledged: unknown publishes */
	list_for(&t, 40, rows, 2);
	drop(&t, ID1, NAME);
	list_for(&t, 40, rows + 1, 1);
	expect_legal(&t, 0, 0);
}

static void
test_one_miss_heals(void **state)
{
	struct row r = row_of(ID1, NAME);
	struct story t;

	(void)state;
	begin(&t);
	have(&t, ID1, NAME);
	list(&t, ANN, NULL, 0);
	list(&t, ANN, &r, 1);
	drop(&t, ID1, NAME);
	list(&t, ANN, &r, 1);
	t.now += 86 * MS;
	list(&t, ANN, NULL, 0);
	expect_legal(&t, 0, 2);
}

/* 29 s in quiet are too few; so long a miss is worth a warning. */
static void
test_long_miss_heals(void **state)
{
	struct row r = row_of(ID1, NAME);
	struct story t;

	(void)state;
	begin(&t);
	have(&t, ID1, NAME);
	list_for(&t, 28, NULL, 0);
	list(&t, ANN, &r, 1);
	expect_legal(&t, 1, 0);
}

/* Any right answer between ends it: two listings that never agree. */
static void
test_flapping(void **state)
{
	struct row r = row_of(ID1, NAME);
	struct story t;
	unsigned i;

	(void)state;
	begin(&t);
	have(&t, ID1, NAME);
	for (i = 0; i < 20; i++) {
		list(&t, ANN, NULL, 0);
		pass(&t, 2 * S);
		list(&t, BOB, &r, 1);
		pass(&t, 2 * S);
	}
	expect_legal(&t, 0, 20);
}

static void
test_wrong_under_faults(void **state)
{
	struct row r = row_of(ID1, NAME);
	struct story t;
	unsigned i;

	(void)state;
	begin(&t);
	have(&t, ID1, NAME);
	for (i = 0; i < 12; i++) {
		fault_begins(&t, false);
		list_for(&t, 3, NULL, 0);
		fault_ends(&t, true);
		list_for(&t, 5, NULL, 0);
	}
	list(&t, ANN, &r, 1);
	expect_legal(&t, 0, 1);
}

static void
test_wrong_over_elections(void **state)
{
	struct row r = row_of(ID1, NAME);
	struct story t;
	unsigned i;

	(void)state;
	begin(&t);
	have(&t, ID1, NAME);
	for (i = 0; i < 4; i++) {
		leader(&t, i % 2 ? "n1" : "n2");
		list_for(&t, 20, NULL, 0);
		leader(&t, "");
	}
	list(&t, ANN, &r, 1);
	expect_legal(&t, 0, 1);
}

/* The last fault could not be healed: there is no quiet. */
static void
test_wrong_while_sick(void **state)
{
	struct story t;

	(void)state;
	begin(&t);
	have(&t, ID1, NAME);
	fault_begins(&t, false);
	fault_ends(&t, false);
	list_for(&t, 60, NULL, 0);
	judge_finish(t.judge, &t.result);
	assert_int_equal(count_class(&t, CLASS_VIOLATION), 0);
	assert_int_equal(count(&t, ANOMALY_STREAM_MISSING, CLASS_WARNING), 1);
	assert_true(has_reason(&t, "not watched"));
	judge_destroy(t.judge);
}

static void
test_wrong_at_the_end(void **state)
{
	struct story t;

	(void)state;
	begin(&t);
	have(&t, ID1, NAME);
	list_for(&t, 10, NULL, 0);
	judge_finish(t.judge, &t.result);
	assert_int_equal(count_class(&t, CLASS_VIOLATION), 0);
	assert_int_equal(count(&t, ANOMALY_STREAM_MISSING, CLASS_WARNING), 1);
	assert_int_equal(t.result.verdict, VERDICT_INCONCLUSIVE);
	assert_true(has_reason(&t, "not watched"));
	judge_destroy(t.judge);
}

/* Two listings are too few, however far apart. */
static void
test_two_listings(void **state)
{
	struct row r = row_of(ID1, NAME);
	struct story t;

	(void)state;
	begin(&t);
	have(&t, ID1, NAME);
	list(&t, ANN, NULL, 0);
	pass(&t, 60 * S);
	list(&t, ANN, NULL, 0);
	list(&t, ANN, &r, 1);
	expect_legal(&t, 1, 0);
}

/* An add without an answer: never, late, and gone for another reason. */
static void
test_unknown_add(void **state)
{
	struct row r = row_of(ID1, NAME);
	struct story t;

	(void)state;
	begin(&t);
	add(&t, ID1, NAME, 1);
	op_failed(&t, ID1, false);
	op_end(&t, ID1, 2);
	list_for(&t, 40, NULL, 0);
	list_for(&t, 40, &r, 1);
	expect_legal(&t, 0, 0);
}

/* Seen, then gone: nobody confirmed it. */
static void
test_unknown_add_vanishes(void **state)
{
	struct row r = row_of(ID1, NAME);
	struct story t;

	(void)state;
	begin(&t);
	add(&t, ID1, NAME, 1);
	op_failed(&t, ID1, false);
	op_end(&t, ID1, 2);
	list(&t, ANN, &r, 1);
	list_for(&t, 40, NULL, 0);
	expect_legal(&t, 1, 0);
}

static void
test_unknown_delete(void **state)
{
	struct row r = row_of(ID1, NAME);
	struct story t;

	(void)state;
	begin(&t);
	have(&t, ID1, NAME);
	remove_once(&t, ID1, NAME, 1);
	op_failed(&t, ID1, false);
	op_end(&t, ID1, 2);
	list_for(&t, 40, &r, 1);
	list_for(&t, 40, NULL, 0);
	expect_legal(&t, 0, 0);
}

/* "Not found" after an attempt without an answer is done. */
static void
test_retried_delete(void **state)
{
	struct story t;

	(void)state;
	begin(&t);
	have(&t, ID1, NAME);
	remove_once(&t, ID1, NAME, 1);
	op_failed(&t, ID1, false);
	remove_once(&t, ID1, NAME, 2);
	remove_ok(&t, ID1);
	op_end(&t, ID1, 0);
	list_for(&t, 40, NULL, 0);
	expect_legal(&t, 0, 0);
}

/* The unanswered delete of the first life reaches the second. */
static void
test_late_delete_of_next_life(void **state)
{
	struct story t;

	(void)state;
	begin(&t);
	have(&t, ID1, NAME);
	remove_once(&t, ID1, NAME, 1);
	op_failed(&t, ID1, false);
	remove_once(&t, ID1, NAME, 2);
	remove_ok(&t, ID1);
	op_end(&t, ID1, 0);
	have(&t, ID2, NAME);
	list_for(&t, 40, NULL, 0);
	expect_legal(&t, 0, 0);
}

/* The unanswered add comes when the stream was deleted already. */
static void
test_late_add(void **state)
{
	struct row r = row_of(ID1, NAME);
	struct story t;

	(void)state;
	begin(&t);
	add(&t, ID1, NAME, 1);
	op_failed(&t, ID1, false);
	add(&t, ID1, NAME, 2);
	add_ok(&t, ID1, 100);
	op_end(&t, ID1, 0);
	drop(&t, ID1, NAME);
	list(&t, ANN, NULL, 0);
	pass(&t, 200 * S);
	r.created = 300;
	r.messages = 0;
	list_for(&t, 40, &r, 1);
	expect_legal(&t, 0, 1);
}

static void
test_failed_listing(void **state)
{
	struct row r = row_of(ID1, NAME);
	struct story t;
	unsigned i;

	(void)state;
	begin(&t);
	have(&t, ID1, NAME);
	for (i = 0; i < 40; i++) {
		list_begin(&t, ANN, PREFIX);
		pass(&t, S / 2);
		list_end(&t, ANN, NULL, 0, false);
		list(&t, BOB, &r, 1);
		if (i % 8 == 7)
			list(&t, ANN, &r, 1);
	}
	expect_legal(&t, 0, 0);
}

/* Listings that began before the confirmation may show either. */
static void
test_overlap(void **state)
{
	struct row r = row_of(ID1, NAME);
	struct story t;

	(void)state;
	begin(&t);
	add(&t, ID1, NAME, 1);
	list_begin(&t, BOB, PREFIX);
	add_ok(&t, ID1, 100);
	op_end(&t, ID1, 0);
	list_end(&t, BOB, NULL, 0, true);
	list_begin(&t, BOB, PREFIX);
	remove_once(&t, ID1, NAME, 1);
	remove_ok(&t, ID1);
	list_end(&t, BOB, &r, 1, true);
	expect_legal(&t, 0, 0);
}

/* Messages are counted only by who asked after they were confirmed. */
static void
test_fill_overlaps(void **state)
{
	struct row r = row_of(ID1, NAME);
	struct story t;

	(void)state;
	begin(&t);
	add(&t, ID1, NAME, 1);
	add_ok(&t, ID1, 100);
	list_begin(&t, BOB, PREFIX);
	filled(&t, ID1, 1);
	op_end(&t, ID1, 0);
	r.messages = 0;
	list_end(&t, BOB, &r, 1, true);
	expect_legal(&t, 0, 0);
}

/* Streams whose servers don't answer, for as long as it takes. */
static void
test_no_state(void **state)
{
	struct row r = {NAME, 0, 0, 0, 0};
	struct story t;

	(void)state;
	begin(&t);
	have(&t, ID1, NAME);
	list_for(&t, 60, &r, 1);
	expect_legal(&t, 0, 0);
}

static void
test_memory_storage(void **state)
{
	struct row r = row_of(ID1, NAME);
	struct story t;

	(void)state;
	begin(&t);
	option(&t, "storage", "memory");
	have(&t, ID1, NAME);
	fault_begins(&t, false);
	fault_ends(&t, true);
	r.messages = 0;
	list_for(&t, 60, &r, 1);
	expect_legal(&t, 0, 1);
}

/* The client dies in the middle: what it did not confirm is unknown. */
static void
test_client_dies(void **state)
{
	struct row r = row_of(ID1, NAME);
	struct event ev = {.type = MESSAGE_CHILD_EXIT};
	struct story t;

	(void)state;
	begin(&t);
	have(&t, ID2, "NB_7_3_1_2");
	add(&t, ID1, NAME, 1);
	ev.u.child_exit.child = ANN;
	ev.u.child_exit.signal = 9;
	feed(&t, 0, &ev);
	pass(&t, 60 * S); /* nobody tries it any more: no op_timeout */
	list(&t, BOB, &r, 0);
	judge_finish(t.judge, &t.result);
	/* Its confirmed stream is still expected. */
	assert_int_equal(count_class(&t, CLASS_VIOLATION), 0);
	assert_int_equal(count(&t, ANOMALY_STREAM_MISSING, CLASS_WARNING), 1);
	assert_int_equal(count_class(&t, CLASS_WARNING), 1);
	judge_destroy(t.judge);
}

/* What a client of ours did not ask for was not refused to it. */
static void
test_client_stands_still(void **state)
{
	struct story t;

	(void)state;
	begin(&t);
	add(&t, ID1, NAME, 1);
	stand_still(&t, ANN, 40 * S);
	add_ok(&t, ID1, 100);
	stand_still(&t, ANN, 40 * S);
	filled(&t, ID1, 1);
	op_end(&t, ID1, 0);
	list_begin(&t, ANN, PREFIX);
	stand_still(&t, ANN, 40 * S);
	list_end(&t, ANN, NULL, 0, false);
	list_begin(&t, ANN, PREFIX);
	list_end(&t, ANN, NULL, 0, false);
	expect_legal(&t, 0, 0);
}

/* The time after a client stood still is the server's again. */
static void
test_op_timeout_behind_silence(void **state)
{
	struct story t;

	(void)state;
	begin(&t);
	stand_still(&t, BOB, 40 * S);
	add(&t, ID1, NAME, 1);
	pass(&t, 51 * S);
	op_end(&t, ID1, 2);
	expect_violation(&t, ANOMALY_OP_TIMEOUT);
}

/* A listing of one client's streams says nothing of the others'. */
static void
test_prefix(void **state)
{
	struct story t;
	unsigned i;

	(void)state;
	begin(&t);
	have(&t, ID1, NAME);
	for (i = 0; i < 40; i++) {
		list_begin(&t, BOB, "NB_7_4_");
		list_end(&t, BOB, NULL, 0, true);
		t.now += S;
	}
	expect_legal(&t, 0, 0);
}

static void
test_op_while_clock_stands(void **state)
{
	struct story t;

	(void)state;
	begin(&t);
	add(&t, ID1, NAME, 1);
	fault_begins(&t, true);
	pass(&t, 120 * S);
	fault_ends(&t, true);
	pass(&t, 40 * S); /* 20 s of elections, then 20 s that count */
	add_ok(&t, ID1, 100);
	op_end(&t, ID1, 0);
	expect_legal(&t, 0, 0);
}

/* Of a stream that has another creation time and all its messages. */
static void
test_created_anew_whole(void **state)
{
	struct row r = row_of(ID1, NAME);
	struct story t;

	(void)state;
	begin(&t);
	have(&t, ID1, NAME);
	r.created = 200;
	list_for(&t, 40, &r, 1);
	expect_legal(&t, 1, 0);
}

/* Two of its attempts were carried out: replicas differ in the time. */
static void
test_assigned_twice(void **state)
{
	struct row r = row_of(ID1, NAME);
	struct story t;

	(void)state;
	begin(&t);
	add(&t, ID1, NAME, 1);
	op_failed(&t, ID1, false);
	add(&t, ID1, NAME, 2);
	add_ok(&t, ID1, 100);
	filled(&t, ID1, 1);
	op_end(&t, ID1, 0);
	list_for(&t, 4, &r, 1);
	r.created = 101;
	list_for(&t, 40, &r, 1);
	expect_legal(&t, 0, 0);
}

/* The other client's view of a stream that its own client then deletes. */
static void
test_wrong_then_deleted(void **state)
{
	struct story t;

	(void)state;
	begin(&t);
	have(&t, ID1, NAME);
	list(&t, BOB, NULL, 0);
	drop(&t, ID1, NAME);
	list_for(&t, 40, NULL, 0);
	expect_legal(&t, 0, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_missing),
	    cmocka_unit_test(test_missing_under_steady_leader),
	    cmocka_unit_test(test_missing_for_all_clients),
	    cmocka_unit_test(test_missing_after_faults),
	    cmocka_unit_test(test_missing_when_deleted),
	    cmocka_unit_test(test_resurrected),
	    cmocka_unit_test(test_resurrected_late),
	    cmocka_unit_test(test_resurrected_without_state),
	    cmocka_unit_test(test_resurrected_itself),
	    cmocka_unit_test(test_added_though_refused),
	    cmocka_unit_test(test_first_life_is_back),
	    cmocka_unit_test(test_lost),
	    cmocka_unit_test(test_lost_when_counted),
	    cmocka_unit_test(test_lost_created_anew),
	    cmocka_unit_test(test_corrupt),
	    cmocka_unit_test(test_op_timeout_add),
	    cmocka_unit_test(test_op_timeout_fill),
	    cmocka_unit_test(test_op_timeout_delete),
	    cmocka_unit_test(test_op_timeout_list),
	    cmocka_unit_test(test_right),
	    cmocka_unit_test(test_one_miss_heals),
	    cmocka_unit_test(test_long_miss_heals),
	    cmocka_unit_test(test_flapping),
	    cmocka_unit_test(test_wrong_under_faults),
	    cmocka_unit_test(test_wrong_over_elections),
	    cmocka_unit_test(test_wrong_while_sick),
	    cmocka_unit_test(test_wrong_at_the_end),
	    cmocka_unit_test(test_two_listings),
	    cmocka_unit_test(test_unknown_add),
	    cmocka_unit_test(test_unknown_add_vanishes),
	    cmocka_unit_test(test_unknown_delete),
	    cmocka_unit_test(test_retried_delete),
	    cmocka_unit_test(test_late_delete_of_next_life),
	    cmocka_unit_test(test_late_add),
	    cmocka_unit_test(test_failed_listing),
	    cmocka_unit_test(test_overlap),
	    cmocka_unit_test(test_fill_overlaps),
	    cmocka_unit_test(test_no_state),
	    cmocka_unit_test(test_memory_storage),
	    cmocka_unit_test(test_client_dies),
	    cmocka_unit_test(test_client_stands_still),
	    cmocka_unit_test(test_op_timeout_behind_silence),
	    cmocka_unit_test(test_prefix),
	    cmocka_unit_test(test_op_while_clock_stands),
	    cmocka_unit_test(test_created_anew_whole),
	    cmocka_unit_test(test_assigned_twice),
	    cmocka_unit_test(test_wrong_then_deleted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

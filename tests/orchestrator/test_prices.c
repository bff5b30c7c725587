/* SPDX-License-Identifier: ISC */
/*
 * What faults cost, told by hand: what is charged to a fault, to its mode and
 * to the time without any; stalls that are the test's own AckWait; and limits
 * on these figures, each just kept and just exceeded.
 */
#include "tests/support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/history/thresholds.h"
#include "orchestrator/report/hgrm.h"
#include "proto/base/stream.h"
#include "proto/base/text.h"

#define S CLOCK_S

static struct stats stats;
static struct ledger ledger;

static void
tell(struct event *ev, uint64_t at_ns)
{
	ev->time_ns = at_ns;
	stats_event(&stats, &ledger, ev);
	ledger_event(&ledger, ev);
}

static void
phase(const char *name, uint64_t at_ns)
{
	struct event ev = {.type = MESSAGE_PHASE};

	text_set(ev.u.phase.name, sizeof(ev.u.phase.name), name);
	tell(&ev, at_ns);
}

static void
planned(uint32_t fault, const char *mode, uint64_t at_ns)
{
	struct event ev = {.type = MESSAGE_FAULT_PLANNED};
	struct msg_fault_planned *m = &ev.u.fault_planned;

	m->fault = fault;
	text_set(m->mode, sizeof(m->mode), mode);
	text_set(m->target, sizeof(m->target), "n1");
	tell(&ev, at_ns);
}

static void
applied(uint32_t fault, bool ok, uint64_t at_ns)
{
	struct event ev = {.type = MESSAGE_FAULT_APPLIED};

	ev.u.fault_applied.fault = fault;
	ev.u.fault_applied.ok = ok;
	tell(&ev, at_ns);
}

static void
healed(uint32_t fault, uint64_t at_ns)
{
	struct event ev = {.type = MESSAGE_FAULT_HEALED};

	ev.u.fault_healed.fault = fault;
	ev.u.fault_healed.ok = 1;
	tell(&ev, at_ns);
}

/* An operation that began then, with so many attempts, and ends at at_ns. */
static void
operation(uint64_t from_ns, unsigned attempts, uint64_t at_ns)
{
	struct event ask = {.type = MESSAGE_KV_UPDATE, .source = 3};
	struct event ok = {.type = MESSAGE_KV_UPDATE_OK, .source = 3};
	unsigned i;

	for (i = 1; i <= attempts; i++) {
		ask.u.kv_update.attempt = i;
		ask.time_ns = from_ns;
		stats_event(&stats, &ledger, &ask);
	}
	ok.time_ns = at_ns;
	stats_event(&stats, &ledger, &ok);
}

/* Histograms are exact to some 3 %. */
static void
near(uint64_t got, uint64_t want)
{
	assert_between(got, want - want / 16, want + want / 16);
}

/*
 * From 10 s the load; a round each second, but for 3.2 s of the fault from 15
 * to 20 s. A second fault has no effect, a third never ends.
 */
static void
tell_story(void)
{
	uint64_t t;

	phase("quiet", 10 * S);
	for (t = 11; t <= 14; t++)
		operation(t * S - 1000000, 1, t * S);
	planned(1, "pause", 15 * S);
	applied(1, true, 15 * S + S / 2);
	operation(15 * S, 3, 18 * S + S / 5);
	healed(1, 19 * S);
	operation(18 * S + S / 2, 1, 20 * S);
	operation(21 * S - 1000000, 2, 21 * S);
	planned(2, "partition", 22 * S);
	applied(2, false, 23 * S);
	healed(2, 23 * S);
	operation(24 * S - 1000000, 1, 24 * S);
	planned(3, "pause", 25 * S);
	applied(3, true, 25 * S);
	operation(25 * S, 1, 26 * S);
	phase("drain", 31 * S);
}

static void
test_charges(void **state)
{
	const struct prices *p = stats.prices;
	const struct stats_fault *f = stats.faults;

	(void)state;
	tell_story();
	f = stats.faults;
	assert_int_equal(stats.nmodes, 2);
	assert_string_equal(stats.modes[0].name, "pause");
	assert_int_equal(p->modes[0].faults, 2);
	assert_int_equal(p->modes[1].faults, 0); /* it had no effect */
	assert_int_equal(p->nopen, 0);
	assert_int_equal(f[0].price.outage_ns, 3 * S + S / 5);
	assert_int_equal(f[0].price.operations, 2);
	assert_int_equal(f[0].price.retries, 2);
	near(f[0].price.p50_ns, S + S / 2);
	near(f[0].price.p99_ns, 3 * S + S / 5);
	assert_int_equal(f[1].price.operations, 0);
	/* From the last round to the end of the load. */
	assert_int_equal(f[2].price.outage_ns, 5 * S);
	assert_int_equal(p->modes[0].outage_ns, 5 * S);
	assert_int_equal(p->modes[0].outages_ns, 8 * S + S / 5);
	assert_int_equal(p->modes[0].heal_ns, 3 * S + S / 2);
	assert_int_equal(p->modes[0].latency.count, 3);
	/* 11 to 14, 21 and 24 s. */
	assert_int_equal(p->none.latency.count, 6);
	near(p->none.latency.max, 1000000);
	assert_int_equal(p->none.retries, 1);
}

static void
deliver(uint64_t id, uint32_t number, uint64_t at_ns)
{
	struct event ev = {.type = MESSAGE_DELIVER};

	ev.u.deliver.id = id;
	ev.u.deliver.delivered = number;
	ev.u.deliver.seq = 1;
	tell(&ev, at_ns);
}

static void
test_ack_wait(void **state)
{
	struct prices *p = stats.prices;
	const struct price_delivery first = {7, 100 * S, 0},
				    again = {7, 110 * S, 0};

	(void)state;
	prices_delivery(p, &first, 10 * S, false);
	assert_false(prices_is_ack_wait(p, 7, 100 * S, 110 * S));
	prices_delivery(p, &again, 10 * S, true);
	assert_true(prices_is_ack_wait(p, 7, 100 * S, 110 * S + S / 10));
	assert_true(prices_is_ack_wait(p, 7, 99 * S, 111 * S));
	/* It ended another stall, or was the lesser part of this one. */
	assert_false(prices_is_ack_wait(p, 8, 100 * S, 110 * S));
	assert_false(prices_is_ack_wait(p, 7, 90 * S, 110 * S));
	/* Later than the AckWait by more than servers are: an outage. */
	prices_delivery(
	    p, &(struct price_delivery){9, 200 * S, 0}, 10 * S, false);
	prices_delivery(
	    p, &(struct price_delivery){9, 215 * S, 0}, 10 * S, true);
	assert_false(prices_is_ack_wait(p, 9, 200 * S, 215 * S));
	/* At once, as after a NAK: no wait of ours. */
	prices_delivery(
	    p, &(struct price_delivery){9, 216 * S, 0}, 10 * S, true);
	assert_false(prices_is_ack_wait(p, 9, 215 * S, 216 * S));
}

static void
test_redeliveries(void **state)
{
	(void)state;
	phase("quiet", 10 * S);
	deliver(1, 1, 11 * S);
	deliver(1, 2, 12 * S);
	planned(1, "pause", 13 * S);
	applied(1, true, 13 * S);
	deliver(1, 3, 14 * S);
	deliver(1, 4, 15 * S);
	assert_int_equal(stats.prices->none.redeliveries, 1);
	assert_int_equal(stats.prices->modes[0].redeliveries, 2);
}

/* A limit, and whether the story above keeps it. */
static const struct {
	const char *limit;
	enum threshold_says says;
} rows[] = {
    {"stall<5001ms", THRESHOLD_KEPT},
    {"stall<5s", THRESHOLD_EXCEEDED},
    {"outage<5001ms", THRESHOLD_KEPT},
    {"outage<5s", THRESHOLD_EXCEEDED},
    {"heal<4s", THRESHOLD_KEPT},
    {"heal<3s", THRESHOLD_EXCEEDED},
    {"operation.max<4s", THRESHOLD_KEPT},
    {"operation.p99<3s", THRESHOLD_EXCEEDED},
    {"operation.p50<3s", THRESHOLD_KEPT},
    {"publish.p99<1h", THRESHOLD_UNMEASURED},
    {"consume.max<1h", THRESHOLD_UNMEASURED},
    {"redeliveries<10", THRESHOLD_UNMEASURED},
    {"retries<4", THRESHOLD_KEPT},
    {"retries<3", THRESHOLD_EXCEEDED},
    {"rate>0/s", THRESHOLD_KEPT},
    {"rate>1/s", THRESHOLD_EXCEEDED},
    {"rate<1/s", THRESHOLD_KEPT},
};

static void
test_limits(void **state)
{
	struct threshold t[THRESHOLDS_MAX];
	char why[OPTION_WHY_MAX];
	size_t i;

	(void)state;
	tell_story();
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(thresholds_parse(rows[i].limit, t, why), 1);
		assert_int_equal(thresholds_look(&stats, t, 1),
		    rows[i].says != THRESHOLD_KEPT);
		if (t[0].says != rows[i].says)
			fail_msg("%s: %s (%f)", rows[i].limit,
			    threshold_word(t[0].says), t[0].measured);
	}
}

static void
test_parse(void **state)
{
	static const char *const bad[] = {"stall", "stall<", "stall<10", "<10s",
	    "stal<10s", "publish<10s", "publish.p98<1s", "retries<1s",
	    "retries<-1", "rate>fast", "stall=10s", "stall<1s;rate>1"};
	struct threshold t[THRESHOLDS_MAX];
	char why[OPTION_WHY_MAX], list[CONFIG_LIST_MAX] = "";
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why[0] = '\0';
		assert_int_equal(thresholds_parse(bad[i], t, why), -EINVAL);
		assert_non_null(strstr(why, "--limit"));
	}
	(void)thresholds_parse("stal<10s", t, why);
	assert_non_null(strstr(why, "did you mean stall?"));
	assert_int_equal(thresholds_parse("", t, why), 0);
	assert_int_equal(thresholds_parse("stall<10s,rate>5/s", t, why), 2);
	assert_string_equal(t[1].text, "rate>5/s");
	for (i = 0; i < THRESHOLDS_MAX; i++)
		text_add(list, sizeof(list), "%sstall<%zus", i ? "," : "", i);
	assert_int_equal(thresholds_parse(list, t, why), THRESHOLDS_MAX);
	text_add(list, sizeof(list), ",stall<1s");
	assert_int_equal(thresholds_parse(list, t, why), -EINVAL);
}

/* A message that --rate was late with waits from when it was due. */
static void
test_late(void **state)
{
	struct event made = {.type = MESSAGE_STREAM};
	struct event ask = {.type = MESSAGE_PUBLISH_INVOKE, .source = 3};
	struct event late = {.type = MESSAGE_PUBLISH_LATE, .source = 3};
	struct event ok = {.type = MESSAGE_PUBLISH_OK, .source = 3};

	(void)state;
	tell(&made, S);
	ask.u.publish_invoke.id = late.u.publish_late.id = ok.u.publish_ok.id =
	    1;
	tell(&ask, 10 * S);
	late.u.publish_late.late_ns = 4 * S;
	tell(&late, 10 * S);
	ok.u.publish_ok.seq = 1;
	tell(&ok, 11 * S);
	assert_true(stats.publish.max == 5 * S);
	ask.u.publish_invoke.id = ok.u.publish_ok.id = 2;
	tell(&ask, 20 * S);
	ok.u.publish_ok.seq = 2;
	tell(&ok, 21 * S);
	assert_true(stats.publish.sum == 6 * S);
}

/* As HdrHistogram's plotter reads it: each value, and the sums. */
static void
test_hgrm(void **state)
{
	static const char want[] =
	    "       Value     Percentile TotalCount 1/(1-Percentile)\n\n"
	    "       0.000 0.750000000000          3           4.00\n"
	    "       2.000 1.000000000000          4\n"
	    "#[Mean    =        0.500, StdDeviation   =        0.866]\n"
	    "#[Max     =        2.000, Total count    =            4]\n"
	    "#[Buckets =           60, SubBuckets     =           32]\n";
	struct hist *h = calloc(1, sizeof(*h));
	struct stream out;
	char *text;
	size_t len;
	int i;

	(void)state;
	assert_non_null(h);
	for (i = 0; i < 3; i++)
		hist_add(h, 0);
	hist_add(h, 2000000);
	assert_non_null(stream_open(&out));
	hgrm_write(h, out.file);
	assert_int_equal(stream_close(&out, &text, &len), 0);
	assert_string_equal(text, want);
	free(text);
	memset(h, 0, sizeof(*h));
	assert_non_null(stream_open(&out));
	hgrm_write(h, out.file);
	assert_int_equal(stream_close(&out, &text, &len), 0);
	assert_int_equal(len, 0);
	free(text);
	free(h);
}

static int
setup(void **state)
{
	(void)state;
	stats_init(&stats);
	ledger_init(&ledger);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	stats_fini(&stats);
	ledger_fini(&ledger);
	return 0;
}

#define FRESH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    FRESH(test_charges),
	    FRESH(test_ack_wait),
	    FRESH(test_redeliveries),
	    FRESH(test_limits),
	    FRESH(test_parse),
	    FRESH(test_late),
	    FRESH(test_hgrm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

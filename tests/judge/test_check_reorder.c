/* SPDX-License-Identifier: ISC */
/*
 * Must fail: a stream that turns round what one connection sent. And what is
 * legal: a connection that publishes to two streams, whose sequences have
 * nothing to do with each other.
 */
#include "tests/stories/store_story.h"

#include "proto/base/text.h"

static const struct msg_contents plain = {.allow_rollup = 1};

/* Sent one after the other, and not the one after the answer to the other. */
static void
turned_round(void **state)
{
	struct msg_publish_terms a, b;
	struct store_story s;

	(void)state;
	store_begin(&s, &plain);
	a = store_terms(&s, 1);
	b = store_terms(&s, 1);
	store_sent(&s, &a);
	store_sent(&s, &b);
	store_acked(&s, a.id, 2, false);
	store_acked(&s, b.id, 1, false);
	store_pass(&s, 40 * CLOCK_S);
	store_end_with(&s, ANOMALY_REORDER, CLASS_VIOLATION);
}

static void
two_streams(void **state)
{
	struct event ev = {.type = MESSAGE_STREAM};
	struct store_story s;
	uint64_t id;

	(void)state;
	store_begin(&s, &plain);
	ev.u.stream.stream = 1;
	ev.u.stream.replicas = 3;
	text_set(ev.u.stream.name, sizeof(ev.u.stream.name), "s1");
	store_feed(&s, &ev);
	id = store_terms(&s, 1).id;
	ev = (struct event){.type = MESSAGE_PUBLISH_INVOKE};
	ev.u.publish_invoke.stream = 1;
	ev.u.publish_invoke.id = id;
	ev.u.publish_invoke.attempt = 1;
	store_feed(&s, &ev);
	ev = (struct event){.type = MESSAGE_PUBLISH_OK};
	ev.u.publish_ok = (struct msg_publish_ok){1, id, 1, 100, 0};
	store_feed(&s, &ev);
	store_publish_many(&s, 3, 1);
	store_pass(&s, 40 * CLOCK_S);
	store_end(&s);
}

/* It is sent again when its id is forgotten: that is later, with an old id. */
static void
an_old_id(void **state)
{
	struct msg_publish_terms old, lost;
	struct event ev = {.type = MESSAGE_PUBLISH_INVOKE};
	struct store_story s;

	(void)state;
	store_begin(&s, &plain);
	old = store_terms(&s, 1);
	store_put(&s, &old);
	lost = store_terms(&s, 1);
	store_sent(&s, &lost);
	store_unknown(&s, lost.id, true);
	store_publish_many(&s, 3, 1);
	store_pass(&s, 700 * CLOCK_S);
	ev.u.publish_invoke.id = old.id;
	ev.u.publish_invoke.attempt = 2;
	ev.u.publish_invoke.sum = old.id * 31;
	store_feed(&s, &ev);
	ev = (struct event){.type = MESSAGE_PUBLISH_OK};
	ev.u.publish_ok =
	    (struct msg_publish_ok){STORE_STREAM, old.id, 2, s.last + 1, 0};
	store_feed(&s, &ev);
	store_pass(&s, 40 * CLOCK_S);
	store_end(&s);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(turned_round),
	    cmocka_unit_test(two_streams),
	    cmocka_unit_test(an_old_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

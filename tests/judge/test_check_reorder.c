/* SPDX-License-Identifier: ISC */
/*
 * The order in which one process publishes: the other way round in one stream
 * it is told; each of several streams has an order of its own.
 */
#include "tests/stories/store_story.h"

#include "proto/base/text.h"

#define PUBLISHER 5 /* as the story has it */

static const struct msg_contents plain = {.allow_rollup = 1};

static void
begin(struct store_story *s)
{
	struct event ev = {.type = MESSAGE_STREAM};

	store_begin(s, &plain);
	ev.u.stream.stream = 1;
	ev.u.stream.replicas = 3;
	ev.u.stream.created = 1000;
	text_set(ev.u.stream.name, sizeof(ev.u.stream.name), "s1");
	text_set(ev.u.stream.storage, sizeof(ev.u.stream.storage), "file");
	store_feed(s, &ev);
}

/* Time passes, and monitoring names a leader of the second stream, too. */
static void
lead_on(struct store_story *s)
{
	struct event ev;
	unsigned i;

	for (i = 0; i < 30; i++) {
		store_pass(s, CLOCK_S);
		ev = (struct event){.type = MESSAGE_LEADER};
		ev.u.leader.what = LEADS_STREAM;
		text_set(ev.u.leader.name, sizeof(ev.u.leader.name), "s1");
		text_set(ev.u.leader.leader, sizeof(ev.u.leader.leader), "n2");
		store_feed(s, &ev);
	}
}

static uint64_t
send_to(struct store_story *s, uint32_t stream)
{
	struct event ev = {.type = MESSAGE_PUBLISH_INVOKE};

	ev.u.publish_invoke.stream = stream;
	ev.u.publish_invoke.id = message_id(PUBLISHER, ++s->counter);
	ev.u.publish_invoke.attempt = 1;
	store_feed(s, &ev);
	return ev.u.publish_invoke.id;
}

static void
acked(struct store_story *s, uint32_t stream, uint64_t id, uint64_t seq)
{
	struct event ev = {.type = MESSAGE_PUBLISH_OK};

	ev.u.publish_ok = (struct msg_publish_ok){stream, id, 1, seq, 0};
	store_feed(s, &ev);
}

/* Two in flight, of which the later one is stored first, and acked last. */
static void
overtaken(void **state)
{
	struct store_story s;
	uint64_t first, second;
	uint32_t stream;

	(void)state;
	for (stream = 0; stream < 2; stream++) {
		begin(&s);
		lead_on(&s);
		first = send_to(&s, 1);
		second = send_to(&s, stream);
		acked(&s, 1, first, 9);
		acked(&s, stream, second, 8);
		lead_on(&s);
		s.expected[ANOMALY_REORDER][CLASS_VIOLATION] = stream == 1;
		store_end(&s);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(overtaken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/*
 * Links between pods: what is written to cut them, and what is read of the
 * servers' pages to see whether that did anything.
 */
#include "proto/base/text.h"
#include "tests/support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chaos/cluster/kubernetes/kube_policy.h"
#include "chaos/cluster/kubernetes/kube_routes.h"
#include "proto/base/clock.h"
#include "proto/json.h"

static const struct kube_pod pods[] = {
    {.name = "nats-0", .uid = "u0", .ips = {"10.0.0.1", ""}},
    {.name = "nats-1", .uid = "u1", .ips = {"10.0.0.2", "fd00::2"}},
    {.name = "nats-2", .uid = "u2", .ips = {"", ""}},
};

/* Policies */

static void
test_policy(void **state)
{
	struct kube_policy p = {.name = "natsburn-nats-0-7",
	    .set = "nats",
	    .pod = "nats-0",
	    .n = 2,
	    .from = {&pods[1], &pods[2]}};
	char *text = kube_policy_text(&p);

	(void)state;
	assert_non_null(text);
	assert_string_equal(text,
	    "{\"apiVersion\":\"networking.k8s.io/v1\",\"kind\":"
	    "\"NetworkPolicy\",\"metadata\":{\"name\":\"natsburn-nats-0-7\","
	    "\"labels\":{\"natsburn/set\":\"nats\"}},\"spec\":{"
	    "\"podSelector\":{\"matchLabels\":{\"natsburn/server\":\"nats-0\"}}"
	    ",\"policyTypes\":[\"Ingress\"],\"ingress\":[{\"from\":[{"
	    "\"namespaceSelector\":{},\"podSelector\":{\"matchExpressions\":[{"
	    "\"key\":\"natsburn/server\",\"operator\":\"NotIn\",\"values\":["
	    "\"nats-1\",\"nats-2\"]}]}},{\"ipBlock\":{\"cidr\":\"0.0.0.0/0\","
	    "\"except\":[\"10.0.0.2/32\"]}},{\"ipBlock\":{\"cidr\":\"::/0\","
	    "\"except\":[\"fd00::2/128\"]}}]}]}}");
	cJSON_free(text);
	/* Without addresses nothing is excepted, not even by an empty list. */
	p.n = 1;
	p.from[0] = &pods[2];
	text = kube_policy_text(&p);
	assert_null(strstr(text, "except"));
	cJSON_free(text);
}

static void
test_label(void **state)
{
	char *text = kube_policy_label(&pods[0], true);

	(void)state;
	assert_string_equal(text,
	    "{\"metadata\":{\"uid\":\"u0\",\"labels\":{\"natsburn/server\":"
	    "\"nats-0\"}}}");
	cJSON_free(text);
	text = kube_policy_label(&pods[0], false);
	assert_string_equal(text,
	    "{\"metadata\":{\"uid\":\"u0\",\"labels\":{\"natsburn/server\":"
	    "null}}}");
	cJSON_free(text);
}

static void
test_policy_of_others(void **state)
{
	static const struct {
		const char *spec;
		bool selects;
	} rows[] = {
	    {"{}", true},
	    {"{\"podSelector\":{}}", true},
	    {"{\"podSelector\":{\"matchLabels\":{\"a\":\"b\"}}}", true},
	    {"{\"podSelector\":{\"matchLabels\":{\"a\":\"c\"}}}", false},
	    {"{\"podSelector\":{\"matchLabels\":{\"x\":\"b\"}}}", false},
	    {"{\"podSelector\":{},\"policyTypes\":[\"Egress\"]}", false},
	    {"{\"podSelector\":{},\"policyTypes\":[\"Egress\",\"Ingress\"]}",
		true},
	    {"{\"policyTypes\":[7]}", false},
	};
	cJSON *labels = cJSON_Parse("{\"a\":\"b\",\"c\":\"d\"}"), *o;
	char text[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		text_format(text, sizeof(text), "{\"spec\":%s}", rows[i].spec);
		o = cJSON_Parse(text);
		assert_int_equal(
		    kube_policy_selects(o, labels), rows[i].selects);
		cJSON_Delete(o);
	}
	cJSON_Delete(labels);
}

/* Routes */

static struct cluster_node nodes[3];
static struct kube_routes routes;
static uint64_t now;

static int
begin_routes(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++)
		text_format(nodes[i].name, sizeof(nodes[i].name), "nats-%u", i);
	kube_routes_init(&routes, nodes, 3);
	now = 100 * CLOCK_S;
	return 0;
}

/* A page of node with one route to peer, a second after the last one. */
static void
take(unsigned node, const char *server, unsigned peer, unsigned id, unsigned in,
    unsigned out)
{
	char text[512];
	cJSON *o;

	now += CLOCK_S / 2;
	text_format(text, sizeof(text),
	    "{\"server_id\":\"%s\",\"num_routes\":2,\"routes\":[{\"rid\":%u,"
	    "\"remote_name\":\"nats-%u\",\"in_bytes\":%u,\"out_bytes\":%u},"
	    "{\"rid\":99,\"remote_name\":\"stranger\",\"in_bytes\":1}]}",
	    server, id, peer - 1, in, out);
	o = cJSON_Parse(text);
	assert_int_equal(kube_routes_take(&routes, node, o, now), 0);
	cJSON_Delete(o);
}

static void
test_open_link(void **state)
{
	struct link_flow flow;

	(void)state;
	take(1, "a", 2, 5, 1000, 2000);
	take(2, "b", 1, 6, 2000, 1000);
	kube_routes_begin(&routes, 1, 2, false, now + 1);
	take(1, "a", 2, 5, 1000, 2100); /* the page before is too old */
	assert_false(kube_routes_flow(&routes, 1, 2, &flow));
	take(2, "b", 1, 6, 2050, 1000);
	assert_false(kube_routes_flow(&routes, 1, 2, &flow));
	take(1, "a", 2, 5, 1000, 2190);
	assert_false(kube_routes_flow(&routes, 1, 2, &flow));
	take(2, "b", 1, 6, 2130, 1000);
	assert_true(kube_routes_flow(&routes, 1, 2, &flow));
	assert_int_equal(flow.passed, 80);
	assert_int_equal(flow.refused, 0);
	/* Of the other links nobody has asked. */
	assert_false(kube_routes_flow(&routes, 2, 3, &flow));
}

static void
test_cut_link(void **state)
{
	struct link_flow flow;
	unsigned i;

	(void)state;
	take(1, "a", 2, 5, 0, 2000);
	take(2, "b", 1, 6, 2000, 0);
	kube_routes_begin(&routes, 1, 2, true, now);
	for (i = 1; i <= 6; i++) { /* nothing enforces it yet */
		take(1, "a", 2, 5, 0, 2000 + 100 * i);
		take(2, "b", 1, 6, 2000 + 100 * i, 0);
		if (kube_routes_flow(&routes, 1, 2, &flow))
			assert_true(flow.passed > 0);
	}
	for (i = 1; i <= 4; i++) { /* now it does, but was it chance? */
		take(1, "a", 2, 5, 0, 2600 + 100 * i);
		take(2, "b", 1, 6, 2600, 0);
		if (i < 4 && kube_routes_flow(&routes, 1, 2, &flow))
			assert_true(flow.passed > 0);
	}
	assert_true(kube_routes_flow(&routes, 1, 2, &flow));
	assert_int_equal(flow.passed, 0);
	assert_int_equal(flow.held, 300); /* from the second page on */
	assert_true(routes.links[0][1].leaked >= 500);
	/* It leaks again: it never was one. */
	take(2, "b", 1, 6, 2601, 0);
	if (kube_routes_flow(&routes, 1, 2, &flow))
		assert_true(flow.passed > 0);
}

/* What nobody sent was not stopped by anybody. */
static void
test_silent_link(void **state)
{
	struct link_flow flow;
	unsigned i;

	(void)state;
	kube_routes_begin(&routes, 1, 2, true, now);
	for (i = 0; i < 20; i++) {
		take(1, "a", 2, 5, 0, 2000);
		take(2, "b", 1, 6, 2000, 0);
	}
	assert_true(kube_routes_flow(&routes, 1, 2, &flow));
	assert_int_equal(flow.passed + flow.held + flow.refused, 0);
}

static void
test_routes_that_go(void **state)
{
	struct link_flow flow;
	unsigned i;

	(void)state;
	take(1, "a", 2, 5, 0, 2000);
	take(2, "b", 1, 6, 2000, 0);
	kube_routes_begin(&routes, 1, 2, true, now);
	take(1, "a", 2, 5, 0, 2000);
	take(2, "b", 1, 6, 2000, 0);
	for (i = 0; i < 10; i++) { /* the connection is gone */
		take(1, "a", 3, 7, 0, 0);
		take(2, "b", 3, 8, 0, 0);
	}
	assert_true(kube_routes_flow(&routes, 1, 2, &flow));
	assert_int_equal(flow.passed, 0);
	assert_int_equal(flow.refused, 1);
	/* Another process, another connection: all that it has is new. */
	kube_routes_begin(&routes, 1, 2, false, now);
	take(1, "a", 3, 7, 0, 0);
	take(2, "b", 3, 8, 0, 0);
	take(2, "c", 1, 8, 70, 0);
	take(1, "a", 2, 9, 0, 80);
	assert_true(kube_routes_flow(&routes, 1, 2, &flow));
	assert_int_equal(flow.passed, 70);
	/* The same number in yet another process is another one. */
	take(2, "d", 1, 8, 30, 0);
	assert_true(kube_routes_flow(&routes, 1, 2, &flow));
	assert_int_equal(flow.passed, 100);
}

static void
test_no_page(void **state)
{
	static const char *const texts[] = {"{}", "[]", "null", "7",
	    "{\"routes\":[]}", "{\"server_id\":\"a\"}",
	    "{\"server_id\":\"a\",\"routes\":7}"};
	cJSON *o;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		o = cJSON_Parse(texts[i]);
		assert_int_equal(
		    kube_routes_take(&routes, 1, o, now + i + 1), -EINVAL);
		cJSON_Delete(o);
	}
	assert_int_equal(kube_routes_take(&routes, 1, NULL, now), -EINVAL);
	/* A server alone has no list, or null for one. */
	o = cJSON_Parse("{\"server_id\":\"a\",\"num_routes\":0}");
	assert_int_equal(kube_routes_take(&routes, 1, o, now + 9), 0);
	/* One that was asked before the last one comes too late. */
	assert_int_equal(kube_routes_take(&routes, 1, o, now + 8), -EINVAL);
	cJSON_Delete(o);
}

/* More connections than there is room for do no harm. */
static void
test_many_routes(void **state)
{
	cJSON *o = cJSON_CreateObject(), *list, *row;
	unsigned i;

	(void)state;
	json_put_text(o, "server_id", "a");
	list = cJSON_AddArrayToObject(o, "routes");
	for (i = 0; i < 2 * KUBE_ROUTES_MAX; i++) {
		row = cJSON_CreateObject();
		json_put_number(row, "rid", i);
		json_put_text(row, "remote_name", "nats-1");
		json_append(list, row);
	}
	assert_int_equal(kube_routes_take(&routes, 1, o, now), 0);
	assert_int_equal(kube_routes_take(&routes, 1, o, now + 1), 0);
	assert_int_equal(routes.pages[0].n, KUBE_ROUTES_MAX);
	cJSON_Delete(o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_policy),
	    cmocka_unit_test(test_label),
	    cmocka_unit_test(test_policy_of_others),
	    cmocka_unit_test_setup(test_open_link, begin_routes),
	    cmocka_unit_test_setup(test_cut_link, begin_routes),
	    cmocka_unit_test_setup(test_silent_link, begin_routes),
	    cmocka_unit_test_setup(test_routes_that_go, begin_routes),
	    cmocka_unit_test_setup(test_no_page, begin_routes),
	    cmocka_unit_test_setup(test_many_routes, begin_routes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

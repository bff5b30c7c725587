/* SPDX-License-Identifier: ISC */
/*
 * What is read of Kubernetes: objects, watch lines, answers to reviews,
 * frames of a WebSocket; whole, in pieces, cut short and damaged.
 */
#include "proto/base/text.h"
#include "tests/support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chaos/cluster/kubernetes/kube_forward.h"
#include "chaos/cluster/kubernetes/kube_frame.h"
#include "chaos/cluster/kubernetes/kube_object.h"
#include "chaos/cluster/kubernetes/kube_scrub.h"
#include "chaos/cluster/kubernetes/kube_watch.h"
#include "proto/json.h"

#define POD                                                                    \
	"{\"metadata\":{\"name\":\"my-nats-12\",\"uid\":\"u-1\",\"labels\":{"  \
	"\"controller-revision-hash\":\"r2\"}},\"status\":{\"podIP\":"         \
	"\"10.0.0.7\",\"conditions\":[{\"type\":\"Initialized\",\"status\":"   \
	"\"True\"},{\"type\":\"Ready\",\"status\":\"True\"}],"                 \
	"\"containerStatuses\":[{\"name\":\"reloader\",\"restartCount\":9},"   \
	"{\"name\":\"nats\",\"restartCount\":2,\"lastState\":{"                \
	"\"terminated\":{\"exitCode\":137,\"reason\":\"OOMKilled\","           \
	"\"startedAt\":\"2026-11-29T11:04:28Z\",\"finishedAt\":"               \
	"\"2026-11-29T12:04:30Z\"}}}]}}"

static void
test_pod(void **state)
{
	cJSON *o = cJSON_Parse(POD);
	struct kube_pod p;

	(void)state;
	assert_int_equal(kube_object_pod(o, "nats", &p), 0);
	assert_string_equal(p.name, "my-nats-12");
	assert_string_equal(p.uid, "u-1");
	assert_string_equal(p.ips[0], "10.0.0.7");
	assert_string_equal(p.revision, "r2");
	assert_int_equal(p.ordinal, 12);
	assert_int_equal(p.restarts, 2);
	assert_int_equal(p.last.code, 137);
	assert_string_equal(p.last.reason, "OOMKilled");
	assert_int_equal(p.last.lived_s, 3602);
	assert_true(p.is_ready);
	assert_false(p.is_ending);
	json_put_text(json_get(o, "metadata"), "deletionTimestamp", "now");
	assert_int_equal(kube_object_pod(o, "nats", &p), 0);
	assert_true(p.is_ending);
	cJSON_Delete(o);
}

static void
test_no_pod(void **state)
{
	static const char *const texts[] = {"{}", "[]", "3", "null",
	    "{\"metadata\":{\"name\":\"nats\",\"uid\":\"u\"}}",
	    "{\"metadata\":{\"name\":\"nats-x\",\"uid\":\"u\"}}",
	    "{\"metadata\":{\"name\":\"nats-1\"}}",
	    "{\"metadata\":{\"name\":7,\"uid\":\"u\"}}",
	    "{\"metadata\":[\"name\"]}"};
	struct kube_pod p;
	cJSON *o;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		o = cJSON_Parse(texts[i]);
		assert_int_equal(kube_object_pod(o, "nats", &p), -EINVAL);
		cJSON_Delete(o);
	}
	/* A pod that has no status yet is one that isn't ready. */
	o = cJSON_Parse("{\"metadata\":{\"name\":\"n-0\",\"uid\":\"u\"}}");
	assert_int_equal(kube_object_pod(o, "nats", &p), 0);
	assert_false(p.is_ready);
	assert_int_equal(p.last.code, 0);
	assert_int_equal(p.last.lived_s, 0);
	assert_string_equal(p.ips[0], "");
	cJSON_Delete(o);
}

/* As the Helm chart writes it, shortened. */
#define SET                                                                    \
	"{\"metadata\":{\"name\":\"nats\",\"uid\":\"u\",\"generation\":4},"    \
	"\"spec\":{\"replicas\":3,\"selector\":{\"matchLabels\":{"             \
	"\"app.kubernetes.io/name\":\"nats\",\"a\":\"b\"}},"                   \
	"\"updateStrategy\":{\"type\":\"RollingUpdate\"},"                     \
	"\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{"     \
	"\"containers\":[{\"name\":\"reloader\"},{\"name\":\"server\","        \
	"\"args\":[\"--config\",\"/etc/nats-config/nats.conf\"],"              \
	"\"ports\":[{\"name\":\"nats\",\"containerPort\":4333},"               \
	"{\"name\":\"monitor\",\"containerPort\":8111}],"                      \
	"\"volumeMounts\":[{\"name\":\"d\",\"mountPath\":\"/data\"},"          \
	"{\"name\":\"c\",\"mountPath\":\"/etc/nats-config\"}]}],"              \
	"\"volumes\":[{\"name\":\"c\",\"configMap\":{\"name\":\"cm\"}}]}},"    \
	"\"volumeClaimTemplates\":[{\"metadata\":{\"name\":\"d\"}}]},"         \
	"\"status\":{\"observedGeneration\":4,\"readyReplicas\":3,"            \
	"\"updatedReplicas\":3,\"currentRevision\":\"r1\","                    \
	"\"updateRevision\":\"r1\"}}"

static void
test_set(void **state)
{
	cJSON *o = cJSON_Parse(SET);
	struct kube_set s;

	(void)state;
	assert_int_equal(kube_object_set(o, &s), 0);
	assert_string_equal(s.name, "nats");
	assert_string_equal(s.selector, "app.kubernetes.io/name=nats,a=b");
	assert_string_equal(s.container, "server");
	assert_int_equal(s.client_port, 4333);
	assert_int_equal(s.monitor_port, 8111);
	assert_string_equal(s.config_path, "/etc/nats-config/nats.conf");
	assert_string_equal(s.config_map, "cm");
	assert_string_equal(s.config_key, "nats.conf");
	assert_int_equal(s.replicas, 3);
	assert_false(s.is_on_delete);
	assert_true(kube_object_is_rolled(&s));
	assert_string_equal(kube_object_claim(&s, "/data/jetstream"), "d");
	assert_string_equal(kube_object_claim(&s, "/data"), "d");
	assert_string_equal(kube_object_claim(&s, "/database"), "");
	assert_string_equal(kube_object_claim(&s, "/etc/nats-config/x"), "");
	assert_string_equal(kube_object_claim(&s, "/tmp"), "");
	assert_string_equal(kube_object_claim(&s, ""), "");
	/* A volume in it that goes with the pod; and all of it is one. */
	text_set(s.mounts[1].path, sizeof(s.mounts[1].path), "/data/jetstream");
	assert_string_equal(kube_object_claim(&s, "/data/jetstream"), "");
	assert_string_equal(kube_object_claim(&s, "/data/other"), "d");
	s.mounts[0].path[0] = '\0';
	assert_string_equal(kube_object_claim(&s, "/tmp/jetstream"), "d");
	cJSON_Delete(o);
}

/* Labels in a list, numbers that no counter holds. */
static void
test_odd_set(void **state)
{
	cJSON *o = cJSON_Parse(
	    "{\"metadata\":{\"name\":\"n\",\"uid\":\"u\",\"generation\":1e300},"
	    "\"spec\":{\"replicas\":-1,\"selector\":{\"matchLabels\":[\"a\",1]}"
	    "}"
	    "}");
	struct kube_set s;

	(void)state;
	assert_int_equal(kube_object_set(o, &s), 0);
	assert_string_equal(s.selector, "");
	assert_true(s.generation == UINT64_MAX);
	assert_int_equal(s.replicas, 0);
	cJSON_Delete(o);
}

static void
test_rolled(void **state)
{
	struct kube_set whole, s;
	cJSON *o = cJSON_Parse(SET);

	(void)state;
	assert_int_equal(kube_object_set(o, &whole), 0);
	cJSON_Delete(o);
	s = whole;
	s.generation++; /* the controller has not looked yet */
	assert_false(kube_object_is_rolled(&s));
	s = whole;
	s.ready--;
	assert_false(kube_object_is_rolled(&s));
	s = whole;
	s.updated--;
	assert_false(kube_object_is_rolled(&s));
	s = whole;
	s.update[0] = 'x';
	assert_false(kube_object_is_rolled(&s));
	s.partition = 2; /* only the last pod is to be the new one */
	s.updated = 1;
	assert_true(kube_object_is_rolled(&s));
	s.updated = 0;
	assert_false(kube_object_is_rolled(&s));
}

static void
test_budget(void **state)
{
	static const struct {
		const char *labels; /* of its selector */
		bool is_ours;
	} rows[] = {
	    {"{\"a\":\"b\"}", true},
	    {"{\"a\":\"b\",\"c\":\"d\"}", true},
	    {"{\"a\":\"x\"}", false},
	    {"{\"e\":\"b\"}", false},
	    {"{}", false},
	    {"null", false},
	};
	cJSON *ours = cJSON_Parse("{\"a\":\"b\",\"c\":\"d\"}"), *o;
	struct kube_budget b;
	char text[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		text_format(text, sizeof(text),
		    "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"selector\":{"
		    "\"matchLabels\":%s}},\"status\":{"
		    "\"disruptionsAllowed\":1,\"expectedPods\":5,"
		    "\"desiredHealthy\":3}}",
		    rows[i].labels);
		o = cJSON_Parse(text);
		assert_int_equal(kube_object_budget(o, ours, &b), 0);
		assert_int_equal(b.is_ours, rows[i].is_ours);
		assert_int_equal(b.allowed, 1);
		assert_int_equal(b.most, 2);
		cJSON_Delete(o);
	}
	o = cJSON_Parse("{\"metadata\":{\"name\":\"p\"},\"status\":{"
			"\"expectedPods\":2,\"desiredHealthy\":3}}");
	assert_int_equal(kube_object_budget(o, ours, &b), 0);
	assert_int_equal(b.most, 0);
	cJSON_Delete(o);
	cJSON_Delete(ours);
}

static void
test_events(void **state)
{
	static const struct {
		const char *line;
		enum kube_event event;
	} rows[] = {
	    {"{\"type\":\"ADDED\",\"object\":" POD "}", KUBE_PUT},
	    {"{\"type\":\"MODIFIED\",\"object\":" POD "}", KUBE_PUT},
	    {"{\"type\":\"DELETED\",\"object\":" POD "}", KUBE_GONE},
	    {"{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{"
	     "\"resourceVersion\":\"9\"}}}",
		KUBE_BOOKMARK},
	    {"{\"type\":\"ERROR\",\"object\":{\"code\":410}}", KUBE_EXPIRED},
	    {"{\"type\":\"ERROR\",\"object\":{\"code\":500}}", KUBE_ERROR},
	    {"{\"type\":\"ERROR\",\"object\":{}}", KUBE_ERROR},
	    {"{\"type\":\"OTHER\",\"object\":{}}", KUBE_MALFORMED},
	    {"{\"type\":\"ADDED\"}", KUBE_MALFORMED},
	    {"{\"type\":\"ADDED\",\"object\":3}", KUBE_MALFORMED},
	    {"{\"type\":7,\"object\":{}}", KUBE_MALFORMED},
	    {"{\"type\":\"ADDED\",\"object\":{", KUBE_MALFORMED},
	    {"", KUBE_MALFORMED},
	};
	const cJSON *inner;
	cJSON *o;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(kube_object_event(rows[i].line,
				     strlen(rows[i].line), &o, &inner),
		    rows[i].event);
		cJSON_Delete(o);
	}
}

/* However the bytes are cut: the same lines, and nothing of half a line. */
static void
test_lines(void **state)
{
	static const char text[] = "one\n\ntwo, longer\nhalf";
	static const char *const want[] = {"one", "", "two, longer"};
	const char *line;
	struct buf in;
	size_t piece, at, len, n;
	long got;

	(void)state;
	for (piece = 1; piece <= sizeof(text); piece++) {
		buf_init(&in, 64);
		n = 0;
		assert_int_equal(kube_watch_line(&in, &line), -1);
		for (at = 0; at < sizeof(text) - 1; at += len) {
			len = sizeof(text) - 1 - at;
			len = len < piece ? len : piece;
			assert_int_equal(buf_append(&in, text + at, len), 0);
			while ((got = kube_watch_line(&in, &line)) >= 0) {
				assert_true(n < 3);
				assert_int_equal(got, strlen(want[n]));
				assert_memory_equal(line, want[n], (size_t)got);
				buf_consume(&in, (size_t)got + 1);
				n++;
			}
		}
		assert_int_equal(n, 3);
		assert_int_equal(buf_len(&in), 4);
		buf_fini(&in);
	}
}

static void
test_reviews(void **state)
{
	static const struct {
		const char *body;
		int got;
		const char *why;
	} rows[] = {
	    {"{\"status\":{\"allowed\":true,\"reason\":\"RBAC: x\"}}", 1,
		"RBAC: x"},
	    {"{\"status\":{\"allowed\":false}}", 0, ""},
	    {"{\"status\":{\"allowed\":false,\"denied\":true,\"reason\":\"n\"}"
	     "}",
		0, "n"},
	    {"{\"status\":{\"allowed\":\"true\"}}", -EINVAL, ""},
	    {"{\"status\":{}}", -EINVAL, ""},
	    {"{\"kind\":\"Status\",\"status\":\"Failure\"}", -EINVAL, ""},
	    {"{\"status\":{\"allowed\":tr", -EINVAL, ""},
	    {"", -EINVAL, ""},
	};
	char why[32];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(
		    kube_object_review(rows[i].body, why, sizeof(why)),
		    rows[i].got);
		assert_string_equal(why, rows[i].why);
	}
}

static void
test_exit_codes(void **state)
{
	static const struct {
		const char *body;
		int code;
	} rows[] = {
	    {"{\"status\":\"Success\"}", 0},
	    {"{\"status\":\"Failure\",\"details\":{\"causes\":[{\"reason\":"
	     "\"ExitCode\",\"message\":\"7\"}]}}",
		7},
	    {"{\"status\":\"Failure\",\"details\":{\"causes\":[{\"reason\":"
	     "\"ExitCode\",\"message\":\"x\"}]}}",
		-EINVAL},
	    {"{\"status\":\"Failure\",\"message\":\"no such file\"}", -EINVAL},
	    {"{\"status\":\"Fail", -EINVAL},
	    {"", -EINVAL},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
		    kube_object_exit_code(rows[i].body), rows[i].code);
}

static void
test_marks(void **state)
{
	static const struct {
		const char *config, *want;
	} rows[] = {
	    {"port: 4222\n", "port: 4222\nmax_connections: 60001 # natsburn\n"},
	    {"port: 4222", "port: 4222\nmax_connections: 60001 # natsburn\n"},
	    {"a\nmax_connections: 60000 # natsburn\nb\n",
		"a\nb\nmax_connections: 60001 # natsburn\n"},
	    {"{\n  \"port\": 4222\n}\n",
		"{\n  \"port\": 4222\nmax_connections: 60001 # natsburn\n}\n"},
	    {"{\"port\": 4222}",
		"{\"port\": 4222\nmax_connections: 60001 # natsburn\n}"},
	    {"", "max_connections: 60001 # natsburn\n"},
	    {"{ \"port\": 4222", NULL},
	};
	char *got, *again;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		got = kube_object_mark(rows[i].config, 60001);
		if (rows[i].want == NULL) {
			assert_null(got);
			continue;
		}
		assert_string_equal(got, rows[i].want);
		again = kube_object_mark(got, 60001);
		assert_string_equal(again, got);
		free(again);
		free(got);
	}
}

static void
test_forward_ports(void **state)
{
	(void)state;
	assert_int_equal(kube_forward_port(
			     "Forwarding from 127.0.0.1:40123 -> 4222\n", 4222),
	    40123);
	assert_int_equal(kube_forward_port(
			     "Forwarding from 127.0.0.1:40123 -> 4222\n", 8222),
	    0);
	assert_int_equal(
	    kube_forward_port("Forwarding from [::1]:40123 -> 4222\n", 4222),
	    0);
	assert_int_equal(
	    kube_forward_port("Handling connection for 4222\n", 4222), 0);
	assert_int_equal(kube_forward_port("", 4222), 0);
}

/* Frames of a server, built by hand. */
static size_t
add_frame(uint8_t *out, uint8_t first, size_t len, uint8_t fill)
{
	size_t n = 0, i;

	out[n++] = first;
	if (len < 126)
		out[n++] = (uint8_t)len;
	else if (len < 65536) {
		out[n++] = 126;
		out[n++] = (uint8_t)(len >> 8);
		out[n++] = (uint8_t)len;
	} else {
		out[n++] = 127;
		for (i = 0; i < 8; i++)
			out[n++] = (uint8_t)((uint64_t)len >> (56 - 8 * i));
	}
	memset(out + n, fill, len);
	return n + len;
}

static void
test_frames(void **state)
{
	static const size_t lens[] = {0, 1, 125, 126, 300, 65535, 65536};
	static const size_t pieces[] = {1, 2, 3, 7, 4096, 1000000};
	uint8_t *bytes = malloc(200000);
	struct kube_frame f;
	struct buf in;
	size_t total = 0, i, p, at, len, n;
	long got;

	(void)state;
	assert_non_null(bytes);
	for (i = 0; i < 7; i++)
		total += add_frame(bytes + total, 0x82, lens[i], (uint8_t)i);
	for (p = 0; p < 6; p++) {
		buf_init(&in, 400000);
		n = 0;
		for (at = 0; at < total; at += len) {
			len = total - at < pieces[p] ? total - at : pieces[p];
			assert_int_equal(buf_append(&in, bytes + at, len), 0);
			while ((got = kube_frame_next(&in, &f)) > 0) {
				assert_int_equal(f.opcode, KUBE_FRAME_BINARY);
				assert_true(f.is_last);
				assert_int_equal(f.len, lens[n]);
				assert_true(
				    f.len == 0 || f.data[f.len - 1] == n);
				buf_consume(&in, (size_t)got);
				n++;
			}
			assert_int_equal(got, 0);
		}
		assert_int_equal(n, 7);
		buf_fini(&in);
	}
	free(bytes);
}

static void
test_bad_frames(void **state)
{
	static const struct {
		uint8_t bytes[10];
		size_t len;
		long got;
	} rows[] = {
	    {{0xc2, 0}, 2, -EPROTO},	       /* a reserved bit */
	    {{0x82, 0x81}, 2, -EPROTO},	       /* masked by a server */
	    {{0x83, 0}, 2, -EPROTO},	       /* an unknown opcode */
	    {{0x8b, 0}, 2, -EPROTO},	       /* another one */
	    {{0x89, 126, 0, 126}, 4, -EPROTO}, /* a long ping */
	    {{0x08, 0}, 2, -EPROTO},	       /* a close in pieces */
	    {{0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0}, 10, -EMSGSIZE},
	    {{0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255}, 10,
		-EMSGSIZE},
	    {{0x82}, 1, 0},
	    {{0x82, 127, 0, 0}, 4, 0},
	};
	struct kube_frame f;
	struct buf in;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_init(&in, 64);
		assert_int_equal(
		    buf_append(&in, rows[i].bytes, rows[i].len), 0);
		assert_int_equal(kube_frame_next(&in, &f), rows[i].got);
		buf_fini(&in);
	}
}

/* What a client sends is masked, and reads as what it was. */
static void
test_client_frame(void **state)
{
	static const char text[] = "ping";
	struct buf out;
	uint8_t *p;
	size_t i;

	(void)state;
	buf_init(&out, 1024);
	assert_int_equal(kube_frame_put(&out, KUBE_FRAME_PONG, text, 4), 0);
	p = buf_data(&out);
	assert_int_equal(buf_len(&out), 10);
	assert_int_equal(p[0], 0x8a);
	assert_int_equal(p[1], 0x84);
	for (i = 0; i < 4; i++)
		assert_int_equal(p[6 + i] ^ p[2 + i], text[i]);
	assert_int_equal(
	    kube_frame_put(&out, KUBE_FRAME_PONG, text, 126), -EMSGSIZE);
	buf_fini(&out);
}

static void
test_heads(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		int status;
	} rows[] = {
	    {"HTTP/1.1 101 Switching\r\nA: b\r\n\r\nrest", 32, 101},
	    {"HTTP/1.1 403 Forbidden\r\n\r\n", 26, 403},
	    {"HTTP/1.1 101 Switching\r\nA: b\r\n", 0, -EPROTO},
	    {"HTTP/1.1 x01 Switching\r\n\r\n", 26, -EPROTO},
	    {"SSH-2.0\r\n\r\n", 11, -EPROTO},
	    {"\r\n\r\n", 4, -EPROTO},
	    {"", 0, -EPROTO},
	};
	struct buf in;
	size_t i;
	int status;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_init(&in, 256);
		assert_int_equal(
		    buf_append(&in, rows[i].text, strlen(rows[i].text)), 0);
		assert_int_equal(kube_frame_head(&in, &status), rows[i].len);
		assert_int_equal(status, rows[i].status);
		buf_fini(&in);
	}
}

static void
test_scrub_text(void **state)
{
	static const struct {
		const char *in, *config, *log;
	} rows[] = {
	    {"port: 4222\n", "port: 4222\n", "port: 4222\n"},
	    {"password: s3cr3t\nport: 1", "password: [removed]\nport: 1",
		"password: [removed]\nport: 1"},
	    {"{user: a, password: \"x y\", b: 1}",
		"{user: a, password: [removed], b: 1}",
		"{user: a, password: [removed], b: 1}"},
	    {"authorization { token hush }",
		"authorization { token [removed] }",
		"authorization { token hush }"},
	    {"Authorization Violation", "Authorization [removed]",
		"Authorization Violation"},
	    {"nats://u:p@host:4222/", "nats://[removed]@host:4222/",
		"nats://[removed]@host:4222/"},
	    {"nats://host:4222", "nats://host:4222", "nats://host:4222"},
	    {"x eyJ0eXAiOiJqd3QiLCJhbGciOiJlZDI1NTE5", "x [removed]",
		"x [removed]"},
	    {"SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY",
		"[removed]", "[removed]"},
	    {"tls: {\n cert: x\n", "tls: {\n cert: x\n", "tls: {\n cert: x\n"},
	    {"", "", ""},
	};
	char *got;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		got = kube_scrub_text(rows[i].in, true);
		assert_string_equal(got, rows[i].config);
		free(got);
		got = kube_scrub_text(rows[i].in, false);
		assert_string_equal(got, rows[i].log);
		free(got);
	}
}

static void
test_scrub_object(void **state)
{
	cJSON *o = cJSON_Parse(
	    "{\"metadata\":{\"managedFields\":[1],\"annotations\":{"
	    "\"kubectl.kubernetes.io/last-applied-configuration\":\"hush\","
	    "\"natsburn/original\":\"hush\",\"k\":\"v\"}},"
	    "\"data\":{\"nats.conf\":\"a: 1\\ntoken "
	    "hush\",\"password\":\"hush\"},"
	    "\"spec\":{\"containers\":[{\"name\":\"n\",\"env\":["
	    "{\"name\":\"X\",\"value\":\"hush\"},"
	    "{\"name\":\"Y\",\"valueFrom\":{\"secretKeyRef\":{"
	    "\"name\":\"s\",\"key\":\"k\"}}}],"
	    "\"args\":[\"--pass\",\"hush\",\"--auth=hush\",\"-c\",\"f\"]}]}}");
	char *text;

	(void)state;
	kube_scrub(o);
	text = cJSON_PrintUnformatted(o);
	assert_null(strstr(text, "hush"));
	assert_null(strstr(text, "managedFields"));
	assert_non_null(strstr(text, "\"k\":\"v\""));
	assert_non_null(strstr(text, "a: 1"));
	assert_non_null(strstr(text, "secretKeyRef"));
	assert_non_null(strstr(text, "\"-c\",\"f\""));
	cJSON_free(text);
	cJSON_Delete(o);
	kube_scrub(NULL);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pod),
	    cmocka_unit_test(test_no_pod),
	    cmocka_unit_test(test_set),
	    cmocka_unit_test(test_odd_set),
	    cmocka_unit_test(test_rolled),
	    cmocka_unit_test(test_budget),
	    cmocka_unit_test(test_events),
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_reviews),
	    cmocka_unit_test(test_exit_codes),
	    cmocka_unit_test(test_marks),
	    cmocka_unit_test(test_forward_ports),
	    cmocka_unit_test(test_frames),
	    cmocka_unit_test(test_bad_frames),
	    cmocka_unit_test(test_client_frame),
	    cmocka_unit_test(test_heads),
	    cmocka_unit_test(test_scrub_text),
	    cmocka_unit_test(test_scrub_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/*
 * The Kubernetes API when it fails, played by a small server that gives the
 * answers it was told, one a connection: refusals, a watch that is too old,
 * errors of the API server, connections that break in the middle.
 */
#include "tests/support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chaos/cluster/kubernetes/kube.h"
#include "chaos/cluster/kubernetes/kube_exec.h"
#include "chaos/cluster/kubernetes/kube_object.h"
#include "chaos/cluster/kubernetes/kube_state.h"
#include "chaos/cluster/kubernetes/kube_watch.h"
#include "chaos/internal.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define ASKED_MAX 16
#define WAIT_NS	  (90 * CLOCK_S)

struct stub {
	int fd;
	char base[64];
	const char *const *replies; /* NULL-terminated; the last one stays */
	char asked[ASKED_MAX][256]; /* first lines of requests */
	atomic_uint count;
	pthread_t thread;
	size_t piece; /* bytes of one write; 0: all */
};

static void
read_head(int fd, char *line, size_t size)
{
	char head[8192];
	size_t n = 0;
	ssize_t got;

	do {
		got = read(fd, head + n, sizeof(head) - 1 - n);
		n += got > 0 ? (size_t)got : 0;
		head[n] = '\0';
	} while (got > 0 && strstr(head, "\r\n\r\n") == NULL);
	head[strcspn(head, "\r\n")] = '\0';
	text_set(line, size, head);
}

static void
write_all(int fd, const char *text, size_t piece)
{
	size_t len = strlen(text), at = 0;
	ssize_t n;

	while (at < len) {
		n = send(fd, text + at,
		    piece != 0 && piece < len - at ? piece : len - at,
		    MSG_NOSIGNAL);
		if (n <= 0)
			return;
		at += (size_t)n;
	}
}

/* "..." at the end of a reply: the connection stays open. */
static void *
serve(void *arg)
{
	struct stub *s = arg;
	char text[16384];
	unsigned n;
	size_t len;
	int fd, one = 1;

	while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
		/* At worst it is slower. */
		(void)setsockopt(
		    fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &one, sizeof(one));
		n = atomic_load(&s->count);
		read_head(fd, s->asked[n % ASKED_MAX], sizeof(s->asked[0]));
		text_format(text, sizeof(text), "%s", *s->replies);
		if (s->replies[1] != NULL)
			s->replies++;
		len = strlen(text);
		if (len > 3 && strcmp(text + len - 3, "...") == 0)
			text[len - 3] = '\0';
		else
			len = 0;
		write_all(fd, text, s->piece);
		atomic_store(&s->count, n + 1);
		if (len == 0)
			close(fd);
	}
	return NULL;
}

static void
stub_open(struct stub *s, const char *const *replies, size_t piece)
{
	struct sockaddr_in a = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);

	memset(s, 0, sizeof(*s));
	s->replies = replies;
	s->piece = piece;
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(s->fd >= 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&a, len), 0);
	assert_int_equal(listen(s->fd, 16), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &len), 0);
	text_format(
	    s->base, sizeof(s->base), "http://127.0.0.1:%u", ntohs(a.sin_port));
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void
stub_close(struct stub *s)
{
	(void)shutdown(s->fd, SHUT_RDWR); /* that ends the thread */
	assert_int_equal(pthread_join(s->thread, NULL), 0);
	close(s->fd);
}

static struct kube *
open_kube(const struct stub *s)
{
	struct kube_login login = {"", "", ".", s->base};
	struct kube *k = kube_create(&login);

	assert_non_null(k);
	assert_int_equal(kube_start(k), 0);
	return k;
}

#define OK_HEAD "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
#define LIST(version, names)                                                   \
	OK_HEAD "{\"metadata\":{\"resourceVersion\":\"" version                \
		"\"},\"items\":[" names "]}"
#define POD(name)                                                              \
	"{\"metadata\":{\"name\":\"" name "\",\"uid\":\"u\","                  \
	"\"resourceVersion\":\"77\"}}"
#define PUT(name) "{\"type\":\"ADDED\",\"object\":" POD(name) "}\n"
#define STATUS(code, text)                                                     \
	"HTTP/1.1 " #code " x\r\nConnection: close\r\n\r\n{\"kind\":"          \
	"\"Status\",\"code\":" #code ",\"message\":\"" text "\"}"

struct told {
	char names[512]; /* "[" begins a list, "]" ends it, "-" is gone */
};

static void
note(void *arg, enum kube_change change, const cJSON *o)
{
	static const char *const marks[] = {"[", "]", "", "-"};
	struct told *t = arg;
	size_t n = strlen(t->names);

	text_format(t->names + n, sizeof(t->names) - n, "%s%s%s", marks[change],
	    kube_object_text(o, "metadata.name"), o != NULL ? " " : "");
}

/* Watch until what was told is want. */
static void
expect_told(const char *const *replies, size_t piece, const char *want,
    struct stub *s, int error)
{
	uint64_t deadline = clock_mono_ns() + WAIT_NS;
	struct told t = {""};
	struct kube_watch *w;
	struct kube *k;
	bool saw_error = error == 0;

	stub_open(s, replies, piece);
	k = open_kube(s);
	w = kube_watch_create(k, "/api/v1/pods", "", note, &t);
	assert_non_null(w);
	while (strcmp(t.names, want) != 0 || !kube_watch_is_live(w)) {
		kube_watch_step(w);
		kube_step(k);
		if (error != 0 && kube_watch_error(w) == error) {
			assert_false(kube_watch_is_live(w));
			saw_error = true;
		}
		(void)usleep(1000); /* cut is fine */
		if (clock_mono_ns() >= deadline)
			fail_msg("told \"%s\", not \"%s\"", t.names, want);
	}
	assert_true(saw_error);
	kube_watch_destroy(w);
	kube_destroy(k);
	stub_close(s);
}

static void
test_watch(void **state)
{
	static const char *const replies[] = {
	    LIST("5", POD("a-0")), OK_HEAD PUT("a-1") PUT("a-2") "...", NULL};
	struct stub s;
	size_t piece;

	(void)state;
	for (piece = 0; piece < 3; piece++) {
		expect_told(replies, piece, "[a-0 ]a-1 a-2 ", &s, 0);
		assert_string_equal(s.asked[0], "GET /api/v1/pods HTTP/1.1");
		assert_non_null(strstr(s.asked[1], "watch=1"));
		assert_non_null(strstr(s.asked[1], "resourceVersion=5 "));
	}
}

/* Too old, told in the stream: list again, and go on from there. */
static void
test_watch_expires(void **state)
{
	static const char *const replies[] = {LIST("5", POD("a-0")),
	    OK_HEAD PUT("a-1") "{\"type\":\"ERROR\",\"object\":{\"kind\":"
			       "\"Status\",\"code\":410}}\n" PUT("lost"),
	    LIST("9", POD("a-2")), OK_HEAD PUT("a-3") "...", NULL};
	struct stub s;

	(void)state;
	expect_told(replies, 0, "[a-0 ]a-1 [a-2 ]a-3 ", &s, 410);
	assert_non_null(strstr(s.asked[3], "resourceVersion=9 "));
}

/* Too old, told as the answer. */
static void
test_watch_refused(void **state)
{
	static const char *const replies[] = {LIST("5", POD("a-0")),
	    STATUS(410, "too old"), LIST("9", ""), OK_HEAD PUT("a-3") "...",
	    NULL};
	struct stub s;

	(void)state;
	expect_told(replies, 0, "[a-0 ][]a-3 ", &s, 410);
}

/* Half a line is nothing; after a break everything is listed anew. */
static void
test_watch_breaks(void **state)
{
	static const char *const replies[] = {LIST("5", POD("a-0")),
	    OK_HEAD PUT("a-1") "{\"type\":\"ADDED\",\"object\":{\"metada",
	    LIST("9", POD("a-0") "," POD("a-1")), OK_HEAD PUT("a-3") "...",
	    NULL};
	struct stub s;

	(void)state;
	expect_told(replies, 0, "[a-0 ]a-1 [a-0 a-1 ]a-3 ", &s, 200);
}

static void
test_watch_forbidden(void **state)
{
	static const char *const replies[] = {STATUS(403, "no"),
	    LIST("5", POD("a-0")), OK_HEAD PUT("a-1") "...", NULL};
	struct stub s;

	(void)state;
	expect_told(replies, 0, "[a-0 ]a-1 ", &s, 403);
}

static void
test_watch_server_errors(void **state)
{
	static const char *const replies[] = {STATUS(500, "etcd"),
	    "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"items\":[",
	    LIST("5", POD("a-0")), OK_HEAD PUT("a-1") "...", NULL};
	struct stub s;

	(void)state;
	expect_told(replies, 0, "[a-0 ]a-1 ", &s, -ECONNRESET);
}

/* Answers that are 200 and nonsense must not look like an empty list. */
static void
test_watch_nonsense(void **state)
{
	static const char *const replies[] = {OK_HEAD "<html>", OK_HEAD "{}",
	    LIST("5", POD("a-0")), OK_HEAD PUT("a-1") "...", NULL};
	struct stub s;

	(void)state;
	expect_told(replies, 0, "[a-0 ]a-1 ", &s, -EPROTO);
}

struct heard {
	bool is_there;
	int status;
	char body[256];
};

static void
hear(void *arg, int status, const char *body)
{
	struct heard *h = arg;

	h->is_there = true;
	h->status = status;
	text_format(h->body, sizeof(h->body), "%s", body);
}

static void
ask(struct kube *k, long timeout_ms, struct heard *h)
{
	uint64_t deadline = clock_mono_ns() + WAIT_NS;
	struct kube_ask a = {.method = "PATCH",
	    .path = "/x",
	    .body = "{}",
	    .type = KUBE_MERGE_TYPE,
	    .timeout_ms = timeout_ms,
	    .done = hear,
	    .arg = h};

	memset(h, 0, sizeof(*h));
	assert_int_equal(kube_request(k, &a), 0);
	assert_false(h->is_there); /* never from within */
	while (!h->is_there && clock_mono_ns() < deadline) {
		kube_step(k);
		(void)usleep(1000); /* cut is fine */
	}
	assert_true(h->is_there);
}

static void
test_requests(void **state)
{
	static const char *const replies[] = {STATUS(403, "not you"),
	    STATUS(500, "etcd"), "HTTP/1.1 200 OK\r\nContent-Le", "",
	    "HTTP/1.1 200 OK\r\n\r\n...", NULL};
	static const int want[] = {403, 500, -EPROTO, -ECONNRESET, -ETIMEDOUT};
	struct heard h;
	struct stub s;
	struct kube *k;
	size_t i;

	(void)state;
	stub_open(&s, replies, 0);
	k = open_kube(&s);
	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		ask(k, want[i] == -ETIMEDOUT ? 300 : 60000, &h);
		assert_int_equal(h.status, want[i]);
	}
	assert_string_equal(s.asked[0], "PATCH /x HTTP/1.1");
	stub_close(&s);
	ask(k, 60000, &h); /* nobody listens any more */
	assert_int_equal(h.status, -ECONNREFUSED);
	kube_destroy(k);
}

/* What is forgotten is not told, and nothing leaks. */
static void
test_forget(void **state)
{
	static const char *const replies[] = {STATUS(200, ""), NULL};
	uint64_t deadline = clock_mono_ns() + WAIT_NS;
	struct heard h = {false, 0, ""};
	struct kube_ask a = {.path = "/x", .done = hear, .arg = &h};
	struct stub s;
	struct kube *k;

	(void)state;
	stub_open(&s, replies, 0);
	k = open_kube(&s);
	assert_int_equal(kube_request(k, &a), 0);
	kube_forget(k, &h);
	while (atomic_load(&s.count) == 0 && clock_mono_ns() < deadline)
		kube_step(k);
	assert_int_equal(kube_request(k, &a), 0);
	kube_destroy(k);
	assert_false(h.is_there);
	stub_close(&s);
}

#define UPGRADE "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
/* Binary frames: channel, then data. */
#define OUT_FRAME "\x82\x04\x01pid"
#define OUT_MORE  "\x02\x02\x01 " /* begins a message ... */
#define OUT_REST                                                               \
	"\x80\x01"                                                             \
	"9" /* ... and ends it */
#define SUCCESS_FRAME "\x82\x15\x03{\"status\":\"Success\"}"
#define CLOSE_FRAME   "\x88\x02\x03\xe8"

/* An answer that ends in dots stays open: only there is a deadline met. */
static int
run(const char *reply, size_t piece, char *out, size_t size)
{
	const char *const replies[] = {reply, NULL};
	const char *const argv[] = {"sh", "-c", "echo a&b", NULL};
	bool stays_open = strstr(reply, "...") != NULL;
	struct kube_command c = {"default", "a-0", "nats", argv,
	    stays_open ? 3 * CLOCK_S : 60 * CLOCK_S};
	struct kube_exec *x;
	struct stub s;
	struct kube *k;
	int code;

	stub_open(&s, replies, piece);
	k = open_kube(&s);
	x = kube_exec_create(k, &c);
	assert_non_null(x);
	while (!kube_exec_step(x)) {
		kube_step(k);
		(void)usleep(1000); /* cut is fine */
	}
	code = kube_exec_code(x);
	text_format(out, size, "%s", kube_exec_output(x));
	if (atomic_load(&s.count) > 0)
		assert_string_equal(s.asked[0],
		    "GET /api/v1/namespaces/default/pods/a-0/exec?container="
		    "nats&stdout=1&stderr=1&command=sh&command=-c&command="
		    "echo%20a%26b HTTP/1.1");
	kube_exec_destroy(x);
	kube_destroy(k);
	stub_close(&s);
	return code;
}

static void
test_exec(void **state)
{
	static const struct {
		const char *reply;
		int code;
		const char *output;
	} rows[] = {
	    {UPGRADE OUT_FRAME OUT_MORE OUT_REST SUCCESS_FRAME CLOSE_FRAME, 0,
		"pid 9"},
	    /* Its end was told: what breaks then does not matter. */
	    {UPGRADE OUT_FRAME SUCCESS_FRAME, 0, "pid"},
	    /* Not told: nobody knows how it ended. */
	    {UPGRADE OUT_FRAME CLOSE_FRAME, -ECONNRESET, "pid"},
	    {UPGRADE OUT_FRAME, -ECONNRESET, "pid"},
	    {UPGRADE "\x82\x15\x03{\"stat", -ECONNRESET, ""},
	    {UPGRADE "\xff\xff", -EPROTO, ""},
	    {STATUS(403, "pods a-0 is forbidden"), -EACCES,
		"pods a-0 is forbidden"},
	    {STATUS(500, "oops"), -EPROTO, "oops"},
	    /* The connection stays, and so does a body that never ends. */
	    {STATUS(403, "still no") "...", -EACCES, "still no"},
	    {"HTTP/1.1 403 No\r\n\r\nbecause...", -EACCES, "because"},
	    {"HTTP/1.1 101 Switch", -ECONNRESET, ""},
	    {"", -ECONNRESET, ""},
	    {UPGRADE OUT_FRAME "...", -ETIMEDOUT, "pid"},
	};
	char out[256];
	size_t i, piece;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (piece = 0; piece < 3; piece++) {
			assert_int_equal(
			    run(rows[i].reply, piece, out, sizeof(out)),
			    rows[i].code);
			assert_string_equal(out, rows[i].output);
		}
}

static struct msg_server_ended ended[4];
static unsigned nended;

struct child *__wrap_chaos_child(struct chaos *);
void __wrap_child_emit(struct child *, struct event *);

struct child *
__wrap_chaos_child(struct chaos *c)
{
	(void)c;
	return NULL;
}

static unsigned ndoomed, nspared;

void
__wrap_child_emit(struct child *c, struct event *ev)
{
	(void)c;
	if (ev->type == MESSAGE_STORE_DOOMED) {
		assert_int_equal(ev->u.store_doomed.node, 2);
		assert_int_equal(ev->u.store_doomed.whole_ns, 77);
		ndoomed += !ev->u.store_doomed.spared;
		nspared += ev->u.store_doomed.spared;
		return;
	}
	assert_int_equal(ev->type, MESSAGE_SERVER_ENDED);
	assert_true(nended < 4);
	ended[nended++] = ev->u.server_ended;
}

#define HEAD "[1] 2026/11/29 11:10:43.147424 "
#define PANIC                                                                  \
	"panic: boom\n\ngoroutine 7 [running]:\n"                              \
	"github.com/nats-io/nats-server/v2/server.(*stream).f(0x1)\n"          \
	"\t/src/server/stream.go:12 +0x1d\n\n"
#define RACE                                                                   \
	"==================\nWARNING: DATA RACE\nRead at 0x1 by goroutine "    \
	"7:\n"                                                                 \
	"==================\n"

struct container {
	const char *reply; /* to the request for its log */
	struct kube_exit exit;
	bool was_told;
	unsigned cause; /* what is told; NOTHING: nothing is */
	unsigned code, signal, is_read;
	const char *says, *frames;
};
#define NOTHING 99

/* Until its log came, or does not come. */
static void
step_end(struct cluster *c)
{
	struct kubernetes *k = c->state;
	struct kube_end *end = &k->nodes[1].end;

	assert_int_equal(nended, 0); /* nothing waits for the log */
	kube_end_step(c);
	assert_false(end->is_asking); /* it is not there yet */
	while (end->is_wanted) {
		end->next_ns = 0;
		kube_end_step(c);
		kube_step(k->api);
		(void)usleep(1000); /* cut is fine */
	}
}

static void
end_container(const struct container *t)
{
	const char *const replies[] = {t->reply, NULL};
	static struct kubernetes k;
	static struct cluster c;
	struct kube_pod pod = {.name = "nats-1", .last = t->exit};
	struct stub s;

	memset(&k, 0, sizeof(k));
	memset(&c, 0, sizeof(c));
	c.state = &k;
	c.n = 2;
	text_set(c.nodes[1].name, sizeof(c.nodes[1].name), "server-1");
	text_set(k.ns, sizeof(k.ns), "burn");
	text_set(k.set.container, sizeof(k.set.container), "nats");
	k.nodes[1].seen = pod;
	k.begin_ns = 1;
	nended = 0;
	stub_open(&s, replies, 0);
	k.api = open_kube(&s);
	kube_end_restarted(&c, 2, &pod, t->was_told);
	step_end(&c);
	assert_string_equal(s.asked[0],
	    "GET /api/v1/namespaces/burn/pods/nats-1/log?container=nats&"
	    "previous=true&tailLines=20000&limitBytes=4000000 HTTP/1.1");
	kube_destroy(k.api);
	stub_close(&s);
	if (t->cause == NOTHING) {
		assert_int_equal(nended, 0);
		return;
	}
	assert_int_equal(nended, 1);
	assert_int_equal(ended[0].node, 2);
	assert_string_equal(ended[0].name, "server-1");
	assert_int_equal(ended[0].cause, t->cause);
	assert_int_equal(ended[0].code, t->code);
	assert_int_equal(ended[0].signal, t->signal);
	assert_int_equal(ended[0].is_read, t->is_read);
	assert_int_equal(ended[0].asked, t->was_told);
	assert_true(ended[0].lived_ns == t->exit.lived_s * CLOCK_S);
	assert_string_equal(ended[0].says, t->says);
	assert_string_equal(ended[0].frames, t->frames);
}

static void
test_ends(void **state)
{
	static const char frames[] = "server.(*stream).f (stream.go:12)";
	static const struct container rows[] = {
	    {OK_HEAD HEAD "[INF] Server is ready\n" PANIC HEAD "[INF] x\n",
		{2, "Error", 7}, false, CAUSE_PANIC, 2, 0, 1, "panic: boom",
		frames},
	    {OK_HEAD RACE PANIC, {2, "Error", 0}, false, CAUSE_PANIC, 2, 0, 1,
		"panic: boom", frames},
	    {OK_HEAD PANIC, {2, "Error", 7}, true, CAUSE_PANIC, 2, 0, 1,
		"panic: boom", frames},
	    {OK_HEAD "fatal error: all goroutines are asleep", {2, "Error", 7},
		false, CAUSE_FATAL, 2, 0, 1,
		"fatal error: all goroutines are asleep", ""},
	    {OK_HEAD HEAD "[INF] fine\n", {1, "Error", 7}, false, CAUSE_NONE, 1,
		0, 1, "", ""},
	    {OK_HEAD RACE, {66, "Error", 7}, false, CAUSE_NONE, 66, 0, 1, "",
		""},
	    /* its doing, or not known */
	    {OK_HEAD "", {0, "Completed", 7}, true, NOTHING, 0, 0, 0, "", ""},
	    {OK_HEAD HEAD "[INF] fine\n", {137, "OOMKilled", 7}, false,
		CAUSE_HOST, 0, 9, 1,
		"OOMKilled: it had more memory than its container may have",
		""},
	    {STATUS(403, "no"), {137, "OOMKilled", 7}, false, CAUSE_HOST, 0, 9,
		0, "OOMKilled: it had more memory than its container may have",
		""},
	    {OK_HEAD "", {137, "Error", 7}, false, CAUSE_SIGNAL, 0, 9, 0, "",
		""},
	    {OK_HEAD HEAD "[INF] Initiating Shutdown...\n", {1, "Error", 7},
		false, CAUSE_SHUTDOWN, 1, 0, 1, "", ""},
	    {OK_HEAD HEAD "[FTL] write x: no space left on device\n" HEAD
			  "[ERR] another\n",
		{1, "Error", 7}, false, CAUSE_HOST, 1, 0, 1,
		"[FTL] write x: no space left on device", ""},
	    {OK_HEAD "nats-server: /c:3: unknown field\n", {1, "Error", 7},
		false, CAUSE_HOST, 1, 0, 1, "nats-server: /c:3: unknown field",
		""},
	    {STATUS(403, "no"), {2, "Error", 7}, false, CAUSE_NONE, 2, 0, 0, "",
		""},
	    {STATUS(400, "previous terminated container not found"),
		{2, "Error", 0}, false, CAUSE_NONE, 2, 0, 0, "", ""},
	    {"", {2, "Error", 0}, false, CAUSE_NONE, 2, 0, 0, "", ""},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		end_container(&rows[i]);
}

bool __wrap_kube_pods_is_ready(struct cluster *, unsigned node);

bool
__wrap_kube_pods_is_ready(struct cluster *c, unsigned node)
{
	(void)c;
	return node == 2;
}

#define CLAIM(uid, volume)                                                     \
	OK_HEAD "{\"metadata\":{\"uid\":\"" uid "\"},\"spec\":{" volume "}}"
#define VOLUME(name) "\"volumeName\":\"" name "\""
#define OLD_CLAIM    CLAIM("a", VOLUME("pv1"))
#define NEW_CLAIM    CLAIM("b", VOLUME("pv2"))
#define DONE	     OK_HEAD "{}"
#define ANOTHER	     "its pod ended, and its claim data-nats-1 is another one"

struct loss {
	const char *replies[12];
	enum kube_store_step step; /* in the end */
	unsigned doomed, spared;
	const char *how; /* NULL: none */
};

/* Until nothing more is done about it; its pod ends when it is told to. */
static void
lose_store(const struct loss *t)
{
	static struct kubernetes k;
	static struct cluster c;
	struct kube_store *store = &k.nodes[1].store;
	struct stub s;

	memset(&k, 0, sizeof(k));
	memset(&c, 0, sizeof(c));
	c.state = &k;
	c.n = 2;
	text_set(k.ns, sizeof(k.ns), "burn");
	store->cluster = &c;
	store->node = 2;
	text_set(store->claim, sizeof(store->claim), "data-nats-1");
	k.nodes[1].is_there = true;
	k.nodes[1].seen = (struct kube_pod){.name = "nats-1", .uid = "p"};
	ndoomed = nspared = 0;
	stub_open(&s, t->replies, 0);
	k.api = open_kube(&s);
	assert_int_equal(kube_store_lose(&c, 2, 77), 0);
	assert_int_equal(kube_store_empty(&c, 2), -EAGAIN);
	while (store->step != STORE_IS_KEPT && store->step < STORE_IS_NEW) {
		store->next_ns = 0;
		kube_store_step(&c);
		kube_step(k.api);
		k.nodes[1].has_ended = store->step == STORE_IS_GOING;
		(void)usleep(1000); /* cut is fine */
	}
	assert_int_equal(store->step, t->step);
	assert_int_equal(
	    kube_store_empty(&c, 2), t->step == STORE_IS_NEW ? 0 : -EIO);
	assert_int_equal(ndoomed, t->doomed);
	assert_int_equal(nspared, t->spared);
	assert_int_equal(c.refused_nodes, t->step == STORE_IS_KEPT ? 2 : 0);
	if (t->how != NULL)
		assert_string_equal(k.nodes[1].how, t->how);
	kube_destroy(k.api);
	stub_close(&s);
}

static void
test_stores(void **state)
{
	static const struct loss rows[] = {
	    {{OLD_CLAIM, DONE, DONE, STATUS(404, "no"), OLD_CLAIM,
		 CLAIM("b", ""), NEW_CLAIM,
		 OK_HEAD "[INF] JetStream cluster bootstrapping\n"},
		STORE_IS_NEW, 1, 0,
		ANOTHER "; the server says that it has no state"},
	    /* Refused: nothing is lost. */
	    {{STATUS(403, "no")}, STORE_IS_KEPT, 0, 0, NULL},
	    {{STATUS(500, "etcd"), OLD_CLAIM, STATUS(500, "etcd"),
		 STATUS(403, "no")},
		STORE_IS_KEPT, 1, 1, NULL},
	    /* It was deleted, but the answer was lost. */
	    {{OLD_CLAIM, "", STATUS(404, "no"), DONE, NEW_CLAIM,
		 OK_HEAD "[INF] Server is ready\n"},
		STORE_IS_NEW, 1, 0,
		ANOTHER "; its log doesn't say what was there"},
	    {{OLD_CLAIM, DONE, DONE, NEW_CLAIM, STATUS(500, "kubelet"),
		 STATUS(403, "no")},
		STORE_IS_NEW, 1, 0, ANOTHER "; its log can't be read"},
	    /* It has what it had. */
	    {{OLD_CLAIM, DONE, DONE, CLAIM("b", VOLUME("pv1"))}, STORE_IS_OLD,
		1, 0, ANOTHER " of the same volume"},
	    {{OLD_CLAIM, DONE, DONE, NEW_CLAIM,
		 OK_HEAD "[INF] JetStream cluster recovering state\n"},
		STORE_IS_OLD, 1, 0,
		ANOTHER ", but the server recovers a state"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		lose_store(&rows[i]);
}

static char lines[8][128];
static unsigned nlines;

void __wrap_chaos_take_log(struct chaos *, unsigned, const char *);

void
__wrap_chaos_take_log(struct chaos *c, unsigned node, const char *line)
{
	(void)c;
	assert_int_equal(node, 1);
	assert_true(nlines < 8);
	text_set(lines[nlines++], sizeof(lines[0]), line);
}

/* A kubelet that has not got the log yet. */
static void
test_log_comes_later(void **state)
{
	static const char *const replies[] = {
	    STATUS(400, "previous terminated container not found"),
	    STATUS(500, "oops"), OK_HEAD PANIC, NULL};
	static struct kubernetes k;
	static struct cluster c;
	struct kube_pod pod = {.name = "nats-1", .last = {2, "Error", 7}};
	struct stub s;

	(void)state;
	c.state = &k;
	c.n = 2;
	k.begin_ns = 1;
	nended = 0;
	stub_open(&s, replies, 0);
	k.api = open_kube(&s);
	kube_end_restarted(&c, 2, &pod, false);
	step_end(&c);
	assert_int_equal(nended, 1);
	assert_int_equal(ended[0].cause, CAUSE_PANIC);
	assert_int_equal(ended[0].is_read, 1);
	assert_int_equal(atomic_load(&s.count), 3);
	/* Two ends, of which one was not asked for: it counts as that. */
	nended = 0;
	kube_end_restarted(&c, 2, &pod, true);
	kube_end_restarted(&c, 2, &pod, false);
	kube_end_restarted(&c, 2, &pod, true);
	step_end(&c);
	assert_int_equal(nended, 1);
	assert_int_equal(ended[0].asked, 0);
	kube_destroy(k.api);
	stub_close(&s);
}

/* What was taken already, and half a line, are not taken again. */
static void
test_logs(void **state)
{
	static const char *const replies[] = {STATUS(500, "etcd"),
	    OK_HEAD "2026-11-29T11:44:06.5Z [1] a\n"
		    "2026-11-29T11:44:06.7Z [1] b\n2026-11-29T11:44:0",
	    OK_HEAD "2026-11-29T11:44:06.7Z [1] b\n\nnonsense\n"
		    "2026-11-29T11:44:07.1Z [1] c\n",
	    STATUS(403, "no"), NULL};
	static struct kubernetes k;
	static struct cluster c;
	struct kube_logs *l = &k.nodes[0].logs;
	struct stub s;
	unsigned i;

	(void)state;
	c.state = &k;
	c.n = 1;
	text_set(k.ns, sizeof(k.ns), "burn");
	text_set(k.set.container, sizeof(k.set.container), "nats");
	text_set(k.nodes[0].seen.name, sizeof(k.nodes[0].seen.name), "nats-0");
	k.nodes[0].is_there = true;
	stub_open(&s, replies, 0);
	k.api = open_kube(&s);
	kube_logs_step(&c); /* not before it is up */
	assert_false(l->is_asking);
	k.begin_ns = 1;
	for (i = 0; i < 5; i++) {
		l->next_ns = 0;
		kube_logs_step(&c);
		assert_true(l->is_asking == (i < 4));
		while (l->is_asking) {
			kube_step(k.api);
			(void)usleep(1000); /* cut is fine */
		}
	}
	assert_true(l->is_refused);
	assert_int_equal(atomic_load(&s.count), 4);
	assert_string_equal(s.asked[0],
	    "GET /api/v1/namespaces/burn/pods/nats-0/log?container=nats&"
	    "timestamps=true&sinceSeconds=10&limitBytes=1000000 HTTP/1.1");
	assert_int_equal(nlines, 3);
	assert_string_equal(lines[0], "[1] a");
	assert_string_equal(lines[1], "[1] b");
	assert_string_equal(lines[2], "[1] c");
	kube_destroy(k.api);
	stub_close(&s);
}

/* A pod that others delete is gone with its log. */
static void
test_pod_is_gone(void **state)
{
	static struct kubernetes k;
	static struct cluster c;

	(void)state;
	c.state = &k;
	nended = 0;
	kube_end_gone(&c, 1); /* the cluster is not up yet */
	assert_int_equal(nended, 0);
	k.begin_ns = 1;
	kube_end_gone(&c, 1);
	assert_int_equal(nended, 1);
	assert_int_equal(ended[0].cause, CAUSE_SIGNAL);
	assert_int_equal(ended[0].signal, 15);
	assert_string_equal(ended[0].says, "its pod was deleted or evicted");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_watch),
	    cmocka_unit_test(test_watch_expires),
	    cmocka_unit_test(test_watch_refused),
	    cmocka_unit_test(test_watch_breaks),
	    cmocka_unit_test(test_watch_forbidden),
	    cmocka_unit_test(test_watch_server_errors),
	    cmocka_unit_test(test_watch_nonsense),
	    cmocka_unit_test(test_requests),
	    cmocka_unit_test(test_forget),
	    cmocka_unit_test(test_exec),
	    cmocka_unit_test(test_ends),
	    cmocka_unit_test(test_stores),
	    cmocka_unit_test(test_pod_is_gone),
	    cmocka_unit_test(test_log_comes_later),
	    cmocka_unit_test(test_logs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

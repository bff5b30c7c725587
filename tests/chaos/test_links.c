/* SPDX-License-Identifier: ISC */
/*
 * The link proxies, with real sockets and the real process: what is set for
 * two servers happens to their bytes, and to nobody else's.
 */
#include "proto/base/text.h"
#include "tests/support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chaos/chaos.h"
#include "chaos/cluster/local/links.h"
#include "proto/base/clock.h"

#define SERVERS	  3
#define DEADLINE  (20 * CLOCK_S)
#define HELLO_MAX 128
#define INFO	  "INFO {}\r\n"

static const struct link_policy open_policy = {LINK_OPEN, 0, 0};
static const struct link_policy held = {LINK_HOLD, 0, 0};
static const struct link_policy refused = {LINK_REFUSE, 0, 0};

struct bench {
	struct links links;
	int listeners[SERVERS + 1];
	uint16_t ports[SERVERS + 1];
};

/* Two ends of one link: who dialled, and the server behind the front. */
struct wire {
	int dialler, server;
};

static void
pump(struct bench *b)
{
	assert_true(links_read(&b->links));
	(void)poll(NULL, 0, 2); /* cut is fine */
}

static int
listen_any(uint16_t *port)
{
	struct sockaddr_in a = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

static void
name_of(unsigned node, char *out, size_t size)
{
	text_format(out, size, "n%u", node);
}

static int
setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	uint64_t deadline = clock_mono_ns() + DEADLINE;
	char name[8];
	unsigned i;

	assert_non_null(b);
	assert_int_equal(links_start(&b->links), 0);
	for (i = 1; i <= SERVERS; i++) {
		b->listeners[i] = listen_any(&b->ports[i]);
		name_of(i, name, sizeof(name));
		assert_int_equal(
		    links_open(&b->links, i, name, b->ports[i], LINKS_ROUTES),
		    0);
		assert_int_equal(
		    links_open(&b->links, i, name, b->ports[i], LINKS_CLIENTS),
		    0);
	}
	while (!links_are_open(&b->links, SERVERS, LINKS_ROUTES) ||
	       !links_are_open(&b->links, SERVERS, LINKS_CLIENTS)) {
		assert_true(clock_mono_ns() < deadline);
		pump(b);
	}
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	struct bench *b = *state;
	unsigned i;

	aide_stop(&b->links.aide);
	for (i = 1; i <= SERVERS; i++)
		close(b->listeners[i]);
	free(b);
	return 0;
}

static int
dial(uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void
write_text(int fd, const char *text)
{
	size_t len = strlen(text);

	assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), len);
}

/* True when there is something to read, or the end, within ms. */
static bool
is_readable(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, ms) > 0;
}

/* Read exactly that. */
static void
expect_text(int fd, const char *text)
{
	char got[HELLO_MAX] = "";
	size_t len = strlen(text), at = 0;
	ssize_t n;

	assert_true(len < sizeof(got));
	while (at < len) {
		assert_true(is_readable(fd, (int)(DEADLINE / CLOCK_MS)));
		n = recv(fd, got + at, len - at, 0);
		assert_true(n > 0);
		at += (size_t)n;
	}
	assert_string_equal(got, text);
}

/* The connection is over, whatever way. */
static void
expect_end(int fd)
{
	char byte;

	assert_true(is_readable(fd, (int)(DEADLINE / CLOCK_MS)));
	assert_true(recv(fd, &byte, 1, 0) <= 0);
}

static int
accept_from(int listener)
{
	int fd;

	assert_true(is_readable(listener, (int)(DEADLINE / CLOCK_MS)));
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void
say_hello(unsigned from, char *out, size_t size)
{
	text_format(out, size,
	    "CONNECT {\"echo\":true,\"server_name\":\"n%u\",\"lnoc\":true}\r\n",
	    from);
}

/* A route from one to another, as servers make it, up to the CONNECT. */
static struct wire
dial_only(struct bench *b, unsigned to)
{
	struct wire w;

	w.dialler = dial(b->links.fronts[LINKS_ROUTES][to - 1]);
	w.server = accept_from(b->listeners[to]);
	write_text(w.server, INFO);
	expect_text(w.dialler, INFO);
	return w;
}

static struct wire
make_wire(struct bench *b, unsigned from, unsigned to)
{
	struct wire w = dial_only(b, to);
	char hello[HELLO_MAX];

	say_hello(from, hello, sizeof(hello));
	write_text(w.dialler, hello);
	expect_text(w.server, hello);
	return w;
}

static void
close_wire(struct wire w)
{
	close(w.dialler);
	close(w.server);
}

static void
set(struct bench *b, unsigned from, unsigned to, const struct link_policy *p)
{
	assert_int_equal(links_set(&b->links, from, to, p), 0);
}

/* Wait until the proxies know of the policy; what they saw since. */
static struct link_flow
flow_of(struct bench *b, unsigned from, unsigned to)
{
	uint64_t deadline = clock_mono_ns() + DEADLINE;
	struct link_flow f;

	while (!links_flow(&b->links, from, to, &f)) {
		assert_true(clock_mono_ns() < deadline);
		pump(b);
	}
	return f;
}

static void
await_policy(struct bench *b, unsigned from, unsigned to)
{
	(void)flow_of(b, from, to); /* it waits for that */
}

/* So many bytes have come to the proxies and wait there. */
static void
await_held(struct bench *b, unsigned from, unsigned to, uint64_t bytes)
{
	uint64_t deadline = clock_mono_ns() + DEADLINE;

	while (flow_of(b, from, to).held < bytes) {
		assert_true(clock_mono_ns() < deadline);
		pump(b);
	}
	assert_int_equal(flow_of(b, from, to).held, bytes);
	assert_int_equal(flow_of(b, from, to).passed, 0);
}

static void
test_held_bytes_come_when_opened(void **state)
{
	struct bench *b = *state;
	struct wire w = make_wire(b, 1, 2), other = make_wire(b, 3, 2);

	set(b, 1, 2, &held);
	set(b, 2, 1, &held);
	await_policy(b, 1, 2);
	await_policy(b, 2, 1);
	write_text(w.dialler, "one");
	write_text(w.server, "eins and zwei");
	await_held(b, 1, 2, 3);
	await_held(b, 2, 1, 13);
	/* Others are not held, and ours did not get past them. */
	write_text(other.dialler, "hey");
	expect_text(other.server, "hey");
	assert_false(is_readable(w.server, 20));
	assert_false(is_readable(w.dialler, 0));
	write_text(w.dialler, " two");
	await_held(b, 1, 2, 7);
	set(b, 1, 2, &open_policy);
	set(b, 2, 1, &open_policy);
	expect_text(w.server, "one two");
	expect_text(w.dialler, "eins and zwei");
	write_text(w.dialler, " three");
	expect_text(w.server, " three");
	close_wire(w);
	close_wire(other);
}

static void
test_one_way_hold(void **state)
{
	struct bench *b = *state;
	struct wire out = make_wire(b, 1, 2), in = make_wire(b, 2, 1);

	/* Who dialled makes no difference: bytes of 1 for 2 wait. */
	set(b, 1, 2, &held);
	await_policy(b, 1, 2);
	write_text(out.dialler, "abc");
	write_text(in.server, "defg");
	await_held(b, 1, 2, 7);
	write_text(out.server, "back");
	expect_text(out.dialler, "back");
	write_text(in.dialler, "forth");
	expect_text(in.server, "forth");
	assert_false(is_readable(out.server, 20));
	assert_false(is_readable(in.dialler, 0));
	set(b, 1, 2, &open_policy);
	expect_text(out.server, "abc");
	expect_text(in.dialler, "defg");
	close_wire(out);
	close_wire(in);
}

/* A link that is made while its servers are apart. */
static void
test_hold_catches_new_links(void **state)
{
	struct bench *b = *state;
	struct wire w;

	set(b, 1, 2, &held);
	await_policy(b, 1, 2);
	w = dial_only(b, 2);
	write_text(w.dialler, "x \"server_name\":\"n1\" y");
	await_held(b, 1, 2, 22);
	assert_false(is_readable(w.server, 20));
	set(b, 1, 2, &open_policy);
	expect_text(w.server, "x \"server_name\":\"n1\" y");
	close_wire(w);
}

static void
test_refused(void **state)
{
	struct bench *b = *state;
	struct wire w = make_wire(b, 1, 2), other = make_wire(b, 3, 2), late;
	char hello[HELLO_MAX];

	set(b, 1, 2, &refused);
	expect_end(w.dialler);
	expect_end(w.server);
	assert_int_equal(flow_of(b, 1, 2).refused, 1);
	/* It may dial, but is closed as soon as it says who it is. */
	late = dial_only(b, 2);
	say_hello(1, hello, sizeof(hello));
	write_text(late.dialler, hello);
	expect_end(late.dialler);
	expect_end(late.server);
	write_text(other.server, "still");
	expect_text(other.dialler, "still");
	close_wire(w);
	close_wire(late);
	set(b, 1, 2, &open_policy);
	await_policy(b, 1, 2);
	w = make_wire(b, 1, 2);
	close_wire(w);
	close_wire(other);
}

/* Nobody may speak to it: then it is not even asked. */
static void
test_isolated(void **state)
{
	struct bench *b = *state;
	int fd;

	set(b, 2, 1, &refused); /* either direction will do */
	set(b, 3, 2, &refused);
	await_policy(b, 2, 1);
	await_policy(b, 3, 2);
	fd = dial(b->links.fronts[LINKS_ROUTES][1]);
	expect_end(fd);
	close(fd);
	assert_false(is_readable(b->listeners[2], 20));
	set(b, 2, 1, &open_policy);
	await_policy(b, 2, 1);
	close_wire(make_wire(b, 1, 2));
}

static void
test_delayed_at_least_and_in_order(void **state)
{
	static const struct link_policy slow = {
	    LINK_OPEN, 100 * CLOCK_MS, 150 * CLOCK_MS};
	struct bench *b = *state;
	struct wire w = make_wire(b, 1, 2);
	char text[HELLO_MAX], byte;
	uint64_t sent[20];
	unsigned i;

	set(b, 1, 2, &slow);
	await_policy(b, 1, 2);
	for (i = 0; i < 20; i++) {
		sent[i] = clock_mono_ns();
		text[0] = (char)('a' + i);
		text[1] = '\0';
		write_text(w.dialler, text);
		(void)poll(NULL, 0, (int)(i % 3)); /* some apart, some not */
	}
	write_text(w.server, "fast"); /* the other way is not slow */
	expect_text(w.dialler, "fast");
	for (i = 0; i < 20; i++) {
		assert_true(is_readable(w.server, (int)(DEADLINE / CLOCK_MS)));
		assert_int_equal(recv(w.server, &byte, 1, 0), 1);
		assert_int_equal(byte, 'a' + (int)i);
		assert_true(clock_mono_ns() - sent[i] >= slow.delay_ns);
	}
	while (flow_of(b, 1, 2).late < 20)
		pump(b);
	assert_int_equal(flow_of(b, 1, 2).late, 20);
	/* What was late already stays before what is fast now. */
	write_text(w.dialler, "X");
	set(b, 1, 2, &open_policy);
	await_policy(b, 1, 2);
	write_text(w.dialler, "Y");
	expect_text(w.server, "XY");
	close_wire(w);
}

/* How many of them are over. */
static unsigned
count_ended(const struct wire *wires, unsigned n)
{
	unsigned i, ended = 0;
	char byte;

	for (i = 0; i < n; i++)
		if (is_readable(wires[i].dialler, 0) &&
		    recv(wires[i].dialler, &byte, 1, MSG_PEEK) <= 0)
			ended++;
	return ended;
}

static void
test_reset_of_a_share(void **state)
{
	struct bench *b = *state;
	struct wire wires[8], other = make_wire(b, 3, 1);
	uint64_t deadline;
	unsigned i;

	for (i = 0; i < 8; i++)
		wires[i] = i % 2 ? make_wire(b, 1, 2) : make_wire(b, 2, 1);
	assert_int_equal(links_reset(&b->links, 1, 2, 25), 0);
	assert_int_equal(flow_of(b, 1, 2).refused, 2);
	assert_int_equal(flow_of(b, 2, 1).refused, 2);
	deadline = clock_mono_ns() + DEADLINE;
	while (count_ended(wires, 8) < 2)
		assert_true(clock_mono_ns() < deadline);
	assert_int_equal(count_ended(wires, 8), 2);
	assert_int_equal(links_reset(&b->links, 2, 1, 100), 0);
	assert_int_equal(flow_of(b, 2, 1).refused, 6);
	for (i = 0; i < 8; i++) {
		expect_end(wires[i].dialler);
		expect_end(wires[i].server);
		close_wire(wires[i]);
	}
	write_text(other.dialler, "alive");
	expect_text(other.server, "alive");
	close_wire(make_wire(b, 1, 2)); /* and may be made again */
	close_wire(other);
}

/* An end that is over behind a black hole is not told before it opens. */
static void
check_end_is_held(struct bench *b, bool broken)
{
	struct linger hard = {.l_onoff = 1, .l_linger = 0};
	struct wire w = make_wire(b, 1, 2), after = make_wire(b, 3, 2);

	set(b, 1, 2, &held);
	set(b, 2, 1, &held);
	await_policy(b, 1, 2);
	await_policy(b, 2, 1);
	write_text(w.dialler, "last words");
	await_held(b, 1, 2, 10);
	if (broken)
		assert_int_equal(setsockopt(w.dialler, SOL_SOCKET, SO_LINGER,
				     &hard, sizeof(hard)),
		    0);
	close(w.dialler);
	/* What comes through elsewhere was sent later. */
	write_text(after.dialler, "later");
	expect_text(after.server, "later");
	assert_false(is_readable(w.server, 50));
	/* Nor does it notice by writing: a black hole takes everything. */
	write_text(w.server, "anybody there?");
	assert_false(is_readable(w.server, 50));
	set(b, 1, 2, &open_policy);
	set(b, 2, 1, &open_policy);
	if (!broken) /* a break may take what was under way along */
		expect_text(w.server, "last words");
	else
		while (is_readable(w.server, (int)(DEADLINE / CLOCK_MS))) {
			char byte;

			if (recv(w.server, &byte, 1, 0) <= 0)
				break;
		}
	expect_end(w.server);
	close(w.server);
	close_wire(after);
}

static void
test_end_behind_a_hold(void **state)
{
	check_end_is_held(*state, false);
}

static void
test_break_behind_a_hold(void **state)
{
	check_end_is_held(*state, true);
}

/* The name in pieces of every size, and one that is another's beginning. */
static void
test_names_in_pieces(void **state)
{
	struct bench *b = *state;
	char hello[HELLO_MAX], part[HELLO_MAX];
	struct wire w;
	size_t len, cut;

	say_hello(1, hello, sizeof(hello));
	len = strlen(hello);
	assert_int_equal(
	    links_open(&b->links, 3, "n11", b->ports[3], LINKS_ROUTES), 0);
	for (cut = 1; cut < len; cut += 2) {
		w = dial_only(b, 2);
		text_format(part, sizeof(part), "%.*s", (int)cut, hello);
		write_text(w.dialler, part);
		expect_text(w.server, part); /* so it was read by itself */
		set(b, 1, 2, &held);
		await_policy(b, 1, 2);
		write_text(w.dialler, hello + cut);
		while (flow_of(b, 1, 2).held == 0 && !is_readable(w.server, 0))
			pump(b);
		set(b, 1, 2, &open_policy);
		expect_text(w.server, hello + cut);
		/* Named by now, if not before. */
		set(b, 1, 2, &held);
		await_policy(b, 1, 2);
		write_text(w.dialler, "after");
		await_held(b, 1, 2, 5);
		set(b, 1, 2, &open_policy);
		expect_text(w.server, "after");
		close_wire(w);
	}
	/* "n1" is the beginning of "n11" and must not be taken for it. */
	w = dial_only(b, 2);
	write_text(w.dialler, "\"server_name\":\"n1");
	expect_text(w.server, "\"server_name\":\"n1");
	set(b, 1, 2, &held);
	await_policy(b, 1, 2);
	write_text(w.dialler, "1\" PING");
	expect_text(w.server, "1\" PING");
	set(b, 3, 2, &held);
	await_policy(b, 3, 2);
	write_text(w.dialler, "now");
	await_held(b, 3, 2, 3);
	close_wire(w);
}

/* A server that was replaced dials by its new name. */
static void
test_new_name(void **state)
{
	struct bench *b = *state;
	static const char hello[] = "{\"server_name\":\"n1-2\"}";
	struct wire w;

	assert_int_equal(
	    links_open(&b->links, 1, "n1-2", b->ports[1], LINKS_ROUTES), 0);
	set(b, 1, 2, &refused);
	await_policy(b, 1, 2);
	w = dial_only(b, 2);
	write_text(w.dialler, hello);
	expect_end(w.dialler);
	close_wire(w);
	/* The name of before is nobody's. */
	w = dial_only(b, 2);
	write_text(w.dialler, "{\"server_name\":\"n1\"}");
	expect_text(w.server, "{\"server_name\":\"n1\"}");
	close_wire(w);
}

static void
test_clients(void **state)
{
	struct bench *b = *state;
	struct wire w[4];
	unsigned i;
	int fd;

	for (i = 0; i < 4; i++) {
		w[i].dialler = dial(b->links.fronts[LINKS_CLIENTS][1]);
		w[i].server = accept_from(b->listeners[2]);
		write_text(w[i].dialler, "PING");
		expect_text(w[i].server, "PING");
	}
	assert_int_equal(links_reset(&b->links, LINK_CLIENTS, 2, 50), 0);
	assert_int_equal(flow_of(b, LINK_CLIENTS, 2).refused, 2);
	set(b, LINK_CLIENTS, 2, &refused);
	for (i = 0; i < 4; i++) {
		expect_end(w[i].dialler);
		expect_end(w[i].server);
		close_wire(w[i]);
	}
	fd = dial(b->links.fronts[LINKS_CLIENTS][1]);
	expect_end(fd);
	close(fd);
	/* Routes of the same server are no clients. */
	close_wire(make_wire(b, 1, 2));
	set(b, LINK_CLIENTS, 2, &open_policy);
	await_policy(b, LINK_CLIENTS, 2);
	fd = dial(b->links.fronts[LINKS_CLIENTS][1]);
	close(accept_from(b->listeners[2]));
	expect_end(fd);
	close(fd);
}

/* More than a socket takes, so that the proxy has to wait for room. */
static void
test_much_is_whole(void **state)
{
	struct bench *b = *state;
	struct wire w = make_wire(b, 1, 2);
	size_t total = (size_t)3 << 20, sent = 0, got = 0, i;
	static uint8_t data[65536];
	ssize_t n;

	set(b, 1, 2, &held);
	await_policy(b, 1, 2);
	while (sent < total) {
		for (i = 0; i < sizeof(data); i++)
			data[i] = (uint8_t)((sent + i) * 31 >> 3);
		n = send(w.dialler, data, sizeof(data), MSG_NOSIGNAL);
		assert_true(n > 0);
		sent += (size_t)n;
	}
	set(b, 1, 2, &open_policy);
	while (got < sent) {
		assert_true(is_readable(w.server, (int)(DEADLINE / CLOCK_MS)));
		n = recv(w.server, data, sizeof(data), 0);
		assert_true(n > 0);
		for (i = 0; i < (size_t)n; i++)
			assert_int_equal(
			    data[i], (uint8_t)((got + i) * 31 >> 3));
		got += (size_t)n;
	}
	close_wire(w);
}

/* What it has to say comes by a pipe of our own, in a time of our own. */
static void
beat(struct links *l, int fd, uint64_t ns)
{
	struct event ev = {.type = MESSAGE_HEARTBEAT, .time_ns = ns};
	uint8_t frame[FRAME_MAX];
	int len = frame_encode(&ev, frame);

	assert_true(len > 0 && write(fd, frame, (size_t)len) == len);
	assert_true(links_read(l));
}

static void
test_silence_is_told(void **state)
{
	struct links l = {.aide.pid = 1};
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	channel_in_init(&l.aide.up, ends[0]);
	assert_int_equal(
	    aide_silence(&l.aide, 99 * CLOCK_S), 0); /* not begun */
	beat(&l, ends[1], 100 * CLOCK_S);
	beat(&l, ends[1], 101 * CLOCK_S);
	assert_int_equal(aide_silence(&l.aide, 104 * CLOCK_S), 0);
	/* While it lasts, once a second. */
	assert_int_equal(
	    aide_silence(&l.aide, 104 * CLOCK_S + 1), 3 * CLOCK_S + 1);
	assert_int_equal(aide_silence(&l.aide, 104 * CLOCK_S + 2), 0);
	assert_int_equal(aide_silence(&l.aide, 106 * CLOCK_S), 5 * CLOCK_S);
	/* When it is over, at once, and then no more. */
	beat(&l, ends[1], 106 * CLOCK_S + 1);
	beat(&l, ends[1], 106 * CLOCK_S + 2);
	assert_int_equal(
	    aide_silence(&l.aide, 106 * CLOCK_S + 3), 5 * CLOCK_S + 3);
	assert_int_equal(aide_silence(&l.aide, 106 * CLOCK_S + 4), 0);
	/* Read late, after its end, by one that did not look meanwhile. */
	beat(&l, ends[1], 200 * CLOCK_S);
	beat(&l, ends[1], 204 * CLOCK_S);
	assert_int_equal(aide_silence(&l.aide, 205 * CLOCK_S),
	    205 * CLOCK_S - (106 * CLOCK_S + 2));
	/* We were away for long, and they were not. */
	beat(&l, ends[1], 206 * CLOCK_S);
	beat(&l, ends[1], 208 * CLOCK_S);
	assert_int_equal(aide_silence(&l.aide, 210 * CLOCK_S), 0);
	channel_in_fini(&l.aide.up);
	close(ends[0]);
	close(ends[1]);
}

static uint64_t
await_silence(struct bench *b, uint64_t least_ns)
{
	uint64_t deadline = clock_mono_ns() + 4 * DEADLINE, ns = 0;

	while (ns < least_ns) {
		assert_true(clock_mono_ns() < deadline);
		pump(b);
		ns = aide_silence(&b->links.aide, clock_mono_ns());
	}
	return ns;
}

/* The real process, stopped as a starved one would be. */
static void
test_stopped_process_is_told(void **state)
{
	struct bench *b = *state;
	uint64_t stopped_ns = clock_mono_ns(), ns;

	assert_int_equal(kill(b->links.aide.pid, SIGSTOP), 0);
	ns = await_silence(b, AIDE_SILENT_NS);
	assert_true(clock_mono_ns() - ns < stopped_ns + CLOCK_S);
	assert_int_equal(kill(b->links.aide.pid, SIGCONT), 0);
	while (b->links.aide.since_ns == 0)
		pump(b);
	assert_true(await_silence(b, 1) >= ns);
}

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
#define LINKS_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	    LINKS_TEST(test_held_bytes_come_when_opened),
	    LINKS_TEST(test_one_way_hold),
	    LINKS_TEST(test_hold_catches_new_links),
	    LINKS_TEST(test_refused),
	    LINKS_TEST(test_isolated),
	    LINKS_TEST(test_delayed_at_least_and_in_order),
	    LINKS_TEST(test_reset_of_a_share),
	    LINKS_TEST(test_end_behind_a_hold),
	    LINKS_TEST(test_break_behind_a_hold),
	    LINKS_TEST(test_names_in_pieces),
	    LINKS_TEST(test_new_name),
	    LINKS_TEST(test_clients),
	    LINKS_TEST(test_much_is_whole),
	    cmocka_unit_test(test_silence_is_told),
	    LINKS_TEST(test_stopped_process_is_told),
	};

	/* links_start() executes /proc/self/exe: that is this program. */
	if (argc > 1 && strcmp(argv[1], "--child=links") == 0)
		return link_main(1, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

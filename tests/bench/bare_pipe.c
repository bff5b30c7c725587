/* SPDX-License-Identifier: ISC */
/*
 * bench_bare_pipe: the calls of the workload pipeline in a bare program over
 * nats.c, judging and recording nothing: publishers with a window of
 * publishes in flight, consumer processes that pull batches of two durables
 * and wait for the confirmation of each ack. Each process tells the first
 * one through a shared pipe how many were confirmed; that is all. Stream,
 * consumers, connections and requests are those of worker/setup.c,
 * worker/session.c, worker/workloads/pipeline/publisher.c and
 * worker/workloads/pipeline/consumer.c; who changes those changes these.
 * Failures are not retried: it is for quiet clusters.
 *
 * Which servers lead the stream and its consumers is chance, and decides more
 * of the speed than anything else here. So --show-leaders tells it of a
 * running natsburn, and with --leaders stream and consumers are made again
 * until they are led alike.
 */
#include <errno.h>
#include <nats/nats.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/option.h"
#include "proto/base/spawn.h"
#include "proto/base/text.h"

#define TELL_FD	    3
#define PROCESSES   256
#define URLS_MAX    16
#define BURST	    64
#define ACKS_MAX    1100
#define PULLS	    2
#define PULL_NS	    CLOCK_S
#define SETUP_MS    2000
#define SETUP_NS    (60 * CLOCK_S)
#define READY_MS    30000
#define IDLE_MS	    10
#define LAG_NS	    (50 * CLOCK_MS)
#define TELL_NS	    (50 * CLOCK_MS)
#define SIZE_MOST   ((uint64_t)1 << 20)
#define FORMS_MAX   500 /* of 27 with three servers */
#define LEAD_NS	    (2 * CLOCK_S)
#define DURABLES    2
#define WHAT_READY  100
#define WHAT_STORED 101 /* below: confirmed, of that durable */

struct told {
	uint64_t what, n;
};

struct bare {
	char urls[URLS_MAX][256];
	unsigned nurls;
	char tag[32], leaders[128]; /* of stream and durables: "n1 n2 n1" */
	uint64_t consumers, clients, size, seconds, window, batch, backlog;
	natsConnection *nc;
	jsCtx *js;
	natsSubscription *sub;
	char inbox[64];
	pid_t pids[PROCESSES];
	unsigned npids;
	int tell_fd;
	uint64_t sums[DURABLES], stored;
};

static void
pause_ms(int ms)
{
	(void)poll(NULL, 0, ms); /* cut is fine */
}

static void
send_text(
    struct bare *b, const char *subject, const char *reply, const char *text)
{
	/* What can't be sent is like what is lost: that shows in the sums. */
	if (reply != NULL)
		(void)natsConnection_PublishRequestString(
		    b->nc, subject, reply, text);
	else
		(void)natsConnection_PublishString(b->nc, subject, text);
}

static int
fail(const char *what, natsStatus st)
{
	fprintf(stderr, "bench_bare_pipe: cannot %s: %s\n", what,
	    natsStatus_GetText(st));
	return -1;
}

static void
name_of(const struct bare *b, const char *what, char *out, size_t size)
{
	out[0] = '\0';
	text_add(out, size, "bare.%s.%s", b->tag, what);
}

static natsStatus
set_options(natsOptions *o, const struct bare *b, unsigned source)
{
	const char *servers[URLS_MAX];
	natsStatus st;
	unsigned i;

	for (i = 0; i < b->nurls; i++)
		servers[i] = b->urls[(i + source) % b->nurls];
	st = natsOptions_SetServers(o, servers, (int)b->nurls);
	if (st == NATS_OK)
		st = natsOptions_SetNoRandomize(o, true);
	if (st == NATS_OK)
		st = natsOptions_SetPingInterval(o, 2000);
	if (st == NATS_OK)
		st = natsOptions_SetMaxPingsOut(o, 2);
	return st;
}

/* Connect, and listen to an inbox for all that comes. */
static int
connect_to(struct bare *b, unsigned source)
{
	natsOptions *o = NULL;
	natsInbox *inbox = NULL;
	char wild[sizeof(b->inbox) + 2] = "";
	natsStatus st = natsOptions_Create(&o);

	if (st == NATS_OK)
		st = set_options(o, b, source);
	if (st == NATS_OK)
		st = natsConnection_Connect(&b->nc, o);
	natsOptions_Destroy(o);
	if (st == NATS_OK)
		st = natsConnection_JetStream(&b->js, b->nc, NULL);
	if (st == NATS_OK)
		st = natsInbox_Create(&inbox);
	if (st == NATS_OK) {
		text_set(b->inbox, sizeof(b->inbox), inbox);
		text_add(wild, sizeof(wild), "%s.*", b->inbox);
		st = natsConnection_SubscribeSync(&b->sub, b->nc, wild);
	}
	if (st == NATS_OK)
		st = natsSubscription_SetPendingLimits(b->sub, -1, -1);
	natsInbox_Destroy(inbox);
	return st == NATS_OK ? 0 : fail("connect", st);
}

static int
tell(uint64_t what, uint64_t n)
{
	struct told t = {what, n};

	return write(TELL_FD, &t, sizeof(t)) == (ssize_t)sizeof(t) ? 0 : -1;
}

/* A publisher */

static int
publish(struct bare *b, const char *subject, uint8_t *data, uint64_t counter)
{
	char reply[sizeof(b->inbox) + 48], id[64];
	natsMsg *msg = NULL;
	natsStatus st;

	memcpy(data, &counter, sizeof(counter));
	text_format(reply, sizeof(reply), "%s.%u-%llu-1", b->inbox, 1u,
	    (unsigned long long)counter);
	text_format(id, sizeof(id), "%s-%d-%llx", b->tag, (int)getpid(),
	    (unsigned long long)counter);
	st = natsMsg_Create(
	    &msg, subject, reply, (const char *)data, (int)b->size);
	if (st == NATS_OK)
		st = natsMsgHeader_Set(msg, "Nats-Msg-Id", id);
	if (st == NATS_OK)
		st = natsConnection_PublishMsg(b->nc, msg);
	natsMsg_Destroy(msg);
	return st == NATS_OK ? 0 : fail("publish", st);
}

static bool
is_too_far_ahead(struct bare *b, natsSubscription *lag_sub, uint64_t *lag)
{
	natsMsg *msg = NULL;
	unsigned long long pending;
	unsigned k;

	while (natsSubscription_NextMsg(&msg, lag_sub, 0) == NATS_OK) {
		if (sscanf(natsMsg_GetData(msg), "%u %llu", &k, &pending) == 2)
			lag[k % DURABLES] = pending;
		natsMsg_Destroy(msg);
	}
	return lag[0] > b->backlog || lag[1] > b->backlog;
}

static int
publisher_load(struct bare *b, natsSubscription *lag_sub, uint8_t *data)
{
	uint64_t lag[DURABLES] = {0}, sent = 0, acked = 0, said = 0, at = 0;
	char subject[96];
	natsMsg *msg;
	unsigned n;

	name_of(b, "pipe.0", subject, sizeof(subject));
	for (;;) {
		for (n = 0; n < BURST && sent - acked < b->window &&
			    !(n == 0 && is_too_far_ahead(b, lag_sub, lag));
		     n++)
			if (publish(b, subject, data, ++sent) < 0)
				return -1;
		while (natsSubscription_NextMsg(
			   &msg, b->sub, n ? 0 : IDLE_MS) == NATS_OK) {
			acked += strstr(natsMsg_GetData(msg), "\"seq\"") != 0;
			natsMsg_Destroy(msg);
			n = 1;
		}
		if (acked > said && clock_mono_ns() >= at) {
			if (tell(WHAT_STORED, acked - said) < 0)
				return 0;
			said = acked;
			at = clock_mono_ns() + TELL_NS;
		}
	}
}

static int
publisher_main(struct bare *b, unsigned source)
{
	natsSubscription *lag_sub = NULL;
	uint8_t *data = calloc(1, b->size);
	char lag[96];

	name_of(b, "lag", lag, sizeof(lag));
	if (data == NULL || connect_to(b, source) < 0 ||
	    natsConnection_SubscribeSync(&lag_sub, b->nc, lag) != NATS_OK ||
	    tell(WHAT_READY, 0) < 0)
		return 1;
	return publisher_load(b, lag_sub, data) < 0;
}

/* A consumer */

struct intake {
	unsigned k;		      /* durable */
	uint64_t left[PULLS], end_ns; /* of the requests under way */
	uint64_t number, open, confirmed, said, tell_ns, lag_ns;
	natsMsg *batch[1024];
	unsigned n;
	unsigned long long pending;
};

static void
pull(struct bare *b, struct intake *t)
{
	char api[128], reply[sizeof(b->inbox) + 24], request[64];
	uint64_t now = clock_mono_ns();
	unsigned i;

	if (now >= t->end_ns)
		t->left[0] = t->left[1] = 0;
	for (i = 0; i < PULLS; i++) {
		if (t->left[i] > 0 || t->open + t->left[1 - i] > ACKS_MAX / 2)
			continue;
		t->left[i] = b->batch;
		t->end_ns = now + PULL_NS + PULL_NS / 4;
		text_format(api, sizeof(api),
		    "$JS.API.CONSUMER.MSG.NEXT.BARE_%s.pipe%u", b->tag, t->k);
		text_format(reply, sizeof(reply), "%s.p%llu", b->inbox,
		    (unsigned long long)++t->number);
		text_format(request, sizeof(request),
		    "{\"batch\":%llu,\"expires\":%llu}",
		    (unsigned long long)b->batch, (unsigned long long)PULL_NS);
		send_text(b, api, reply, request);
	}
}

static void
take(struct bare *b, struct intake *t, natsMsg *msg)
{
	const char *reply = natsMsg_GetReply(msg), *dot;

	if (reply != NULL && strncmp(reply, "$JS.ACK.", 8) == 0) {
		dot = strrchr(reply, '.');
		t->pending = strtoull(dot + 1, NULL, 10);
		t->left[t->left[0] > 0 ? 0 : 1]--;
		t->batch[t->n++] = msg;
		return;
	}
	dot = strrchr(natsMsg_GetSubject(msg), '.');
	if (dot != NULL && dot[1] == 'a') {
		t->open--;
		t->confirmed++;
	} else
		t->left[0] = t->left[1] = 0; /* a request ended */
	natsMsg_Destroy(msg);
	(void)b;
}

static void
ack_batch(struct bare *b, struct intake *t)
{
	char reply[sizeof(b->inbox) + 24];
	unsigned i;

	for (i = 0; i < t->n; i++) {
		text_format(reply, sizeof(reply), "%s.a%u-1", b->inbox, i);
		send_text(b, natsMsg_GetReply(t->batch[i]), reply, "+ACK");
		natsMsg_Destroy(t->batch[i]);
		t->open++;
	}
	t->n = 0;
}

static void
tell_lag(struct bare *b, struct intake *t, uint64_t now)
{
	char subject[96], text[48];

	if (now < t->lag_ns || t->pending == 0)
		return;
	t->lag_ns = now + LAG_NS;
	name_of(b, "lag", subject, sizeof(subject));
	text_format(text, sizeof(text), "%u %llu", t->k, t->pending);
	send_text(b, subject, NULL, text);
}

static int
consumer_main(struct bare *b, unsigned source)
{
	struct intake t = {.k = source % DURABLES};
	natsMsg *msg;
	uint64_t now;
	unsigned n;

	if (connect_to(b, source) < 0 || tell(WHAT_READY, 0) < 0)
		return 1;
	for (;;) {
		pull(b, &t);
		for (n = 0; n < 2000 && t.n < b->batch &&
			    natsSubscription_NextMsg(
				&msg, b->sub, n ? 0 : IDLE_MS) == NATS_OK;
		     n++)
			take(b, &t, msg);
		ack_batch(b, &t);
		now = clock_mono_ns();
		tell_lag(b, &t, now);
		if (t.confirmed > t.said && now >= t.tell_ns) {
			if (tell(t.k, t.confirmed - t.said) < 0)
				return 0;
			t.said = t.confirmed;
			t.tell_ns = now + TELL_NS;
		}
	}
}

/* The first process: makes the stream, starts the others, and counts */

static natsStatus
set_up_once(struct bare *b)
{
	char name[64] = "", subject[96], durable[16];
	const char *subjects[1] = {subject};
	jsConsumerConfig cc;
	jsStreamConfig sc;
	jsOptions jo;
	natsStatus st;
	unsigned k;

	name_of(b, "pipe.>", subject, sizeof(subject));
	text_add(name, sizeof(name), "BARE_%s", b->tag);
	(void)jsStreamConfig_Init(&sc); /* can't fail: not NULL */
	sc.Name = name;
	sc.Subjects = subjects;
	sc.SubjectsLen = 1;
	sc.Replicas = 3;
	sc.Storage = js_FileStorage;
	sc.Duplicates = (int64_t)(600 * CLOCK_S);
	(void)jsOptions_Init(&jo); /* can't fail: not NULL */
	jo.Wait = SETUP_MS;
	st = js_AddStream(NULL, b->js, &sc, &jo, NULL);
	for (k = 0; k < DURABLES && st == NATS_OK; k++) {
		text_format(durable, sizeof(durable), "pipe%u", k);
		(void)jsConsumerConfig_Init(&cc); /* can't fail: not NULL */
		cc.Durable = durable;
		cc.AckPolicy = js_AckExplicit;
		cc.AckWait = (int64_t)(5 * CLOCK_S);
		cc.MaxAckPending = 1000;
		cc.MaxDeliver = -1;
		cc.Replicas = 3;
		st = js_AddConsumer(NULL, b->js, name, &cc, &jo, NULL);
	}
	return st;
}

/* Who leads it, as --leaders wants it; false while one has no leader. */
static bool
leaders_of(struct bare *b, const char *name, char *out, size_t size)
{
	jsStreamInfo *si = NULL;
	jsConsumerInfo *ci;
	char durable[16];
	unsigned k;
	bool ok;

	out[0] = '\0';
	ok = js_GetStreamInfo(&si, b->js, name, NULL, NULL) == NATS_OK &&
	     si->Cluster != NULL && si->Cluster->Leader != NULL &&
	     text_fits_add(out, size, "%s", si->Cluster->Leader);
	jsStreamInfo_Destroy(si);
	for (k = 0; k < DURABLES && ok; k++) {
		ci = NULL;
		text_format(durable, sizeof(durable), "pipe%u", k);
		ok = js_GetConsumerInfo(
			 &ci, b->js, name, durable, NULL, NULL) == NATS_OK &&
		     ci->Cluster != NULL && ci->Cluster->Leader != NULL &&
		     text_fits_add(out, size, " %s", ci->Cluster->Leader);
		jsConsumerInfo_Destroy(ci);
	}
	return ok;
}

/* The leaders of the first stream of natsburn's that has two durables. */
static int
show_leaders(struct bare *b)
{
	jsStreamNamesList *names = NULL;
	char leaders[sizeof(b->leaders)];
	bool is_found = false;
	int i;

	if (connect_to(b, 3) < 0 ||
	    js_StreamNames(&names, b->js, NULL, NULL) != NATS_OK)
		return 1;
	for (i = 0; i < names->Count && !is_found; i++)
		is_found =
		    strncmp(names->List[i], "NB_", 3) == 0 &&
		    leaders_of(b, names->List[i], leaders, sizeof(leaders));
	jsStreamNamesList_Destroy(names);
	if (is_found)
		puts(leaders);
	return is_found ? 0 : 1;
}

/* Again and again, until the leaders are those that are wanted. */
static natsStatus
set_up_alike(struct bare *b, const char *name)
{
	char leaders[sizeof(b->leaders)];
	natsStatus st = NATS_OK;
	uint64_t deadline;
	unsigned i;

	for (i = 0; i < FORMS_MAX && st == NATS_OK; i++) {
		st = set_up_once(b);
		if (st != NATS_OK || b->leaders[0] == '\0')
			return st;
		deadline = clock_mono_ns() + LEAD_NS;
		while (!leaders_of(b, name, leaders, sizeof(leaders)) &&
		       clock_mono_ns() < deadline)
			pause_ms(10);
		if (strcmp(leaders, b->leaders) == 0)
			return NATS_OK;
		st = js_DeleteStream(b->js, name, NULL, NULL);
	}
	return st != NATS_OK ? st : NATS_TIMEOUT;
}

static int
spawn_role(
    struct bare *b, const char *role, unsigned source, int fd, const char *urls)
{
	char text[6][24];
	char *argv[] = {(char *)"bench_bare_pipe", (char *)role, text[0],
	    text[1], text[2], text[3], text[4], b->tag, (char *)urls, NULL};
	struct spawn_request r = {.path = "/proc/self/exe",
	    .argv = argv,
	    .fds = {{fd, TELL_FD}, {2, 2}},
	    .nfds = 2};
	pid_t pid;

	text_format(text[0], sizeof(text[0]), "%u", source);
	text_format(
	    text[1], sizeof(text[1]), "%llu", (unsigned long long)b->size);
	text_format(
	    text[2], sizeof(text[2]), "%llu", (unsigned long long)b->window);
	text_format(
	    text[3], sizeof(text[3]), "%llu", (unsigned long long)b->batch);
	text_format(
	    text[4], sizeof(text[4]), "%llu", (unsigned long long)b->backlog);
	pid = spawn(&r);
	if (pid < 0)
		return (int)pid;
	b->pids[b->npids++] = pid;
	return 0;
}

static int
start_processes(struct bare *b, const char *urls)
{
	int fds[2], err = spawn_pipe(fds);
	uint64_t i;

	if (err < 0)
		return err;
	b->tell_fd = fds[0];
	for (i = 0; i < b->consumers && err == 0; i++)
		err = spawn_role(
		    b, "--consumer", (unsigned)(4 + i), fds[1], urls);
	for (i = 0; i < b->clients && err == 0; i++)
		err = spawn_role(
		    b, "--publisher", (unsigned)(3 + i), fds[1], urls);
	close(fds[1]);
	return err;
}

static int
hear(struct bare *b, struct told *t, int timeout_ms)
{
	struct pollfd p = {.fd = b->tell_fd, .events = POLLIN};

	if (poll(&p, 1, timeout_ms) != 1 ||
	    read(b->tell_fd, t, sizeof(*t)) != (ssize_t)sizeof(*t))
		return -1;
	return 0;
}

/* The time begins when all are there; publishers may be a little ahead. */
static int
count_all(struct bare *b)
{
	uint64_t now = clock_mono_ns(), end = 0;
	unsigned ready = 0;
	struct told t;

	while (end == 0 || (now = clock_mono_ns()) < end) {
		if (hear(b, &t, end == 0 ? READY_MS : 100) < 0) {
			if (end == 0)
				return -1;
			continue;
		}
		if (t.what == WHAT_READY)
			ready++;
		else if (t.what == WHAT_STORED)
			b->stored += t.n;
		else
			b->sums[t.what % DURABLES] += t.n;
		if (end == 0 && ready == b->npids)
			end = clock_mono_ns() + b->seconds * CLOCK_S;
	}
	return 0;
}

static int
first_main(struct bare *b, const char *urls)
{
	uint64_t deadline = clock_mono_ns() + SETUP_NS;
	char name[64] = "";
	natsStatus st;
	int err = connect_to(b, 3);
	unsigned i;

	if (err < 0)
		return 1;
	text_add(name, sizeof(name), "BARE_%s", b->tag);
	while ((st = set_up_alike(b, name)) != NATS_OK &&
	       clock_mono_ns() < deadline)
		pause_ms(100);
	err = st == NATS_OK ? start_processes(b, urls)
			    : fail("make stream and consumers", st);
	if (err == 0)
		err = count_all(b);
	for (i = 0; i < b->npids; i++) {
		(void)kill(b->pids[i], SIGKILL);    /* not reaped: it is ours */
		(void)waitpid(b->pids[i], NULL, 0); /* there it is */
	}
	if (err == 0)
		printf("bare: %.1f stored/s, %.1f confirmed/s\n",
		    (double)b->stored / (double)b->seconds,
		    (double)(b->sums[0] + b->sums[1]) / (double)b->seconds);
	(void)js_DeleteStream(b->js, name, NULL, NULL); /* tidiness */
	return err == 0 ? 0 : 1;
}

#define ROW(name, member, def, low, high, help)                                \
	{                                                                      \
		name, OPTION_U64, offsetof(struct bare, member), 8, def, low,  \
		    high, NULL, "N", help, false                               \
	}

static const struct option_spec options[] = {
    ROW("seconds", seconds, "10", 1, 86400, "time of the load"),
    ROW("consumers", consumers, "4", 2, 200, "consumer processes"),
    ROW("clients", clients, "1", 1, 50, "publishers"),
    ROW("size", size, "128", 8, SIZE_MOST, "bytes of a payload"),
    ROW("window", window, "256", 1, 65536, "publishes in flight"),
    ROW("batch", batch, "100", 1, 500, "messages of a pull"),
    ROW("backlog", backlog, "20000", 1, 1000000000, "publishers wait beyond"),
    {"leaders", OPTION_STRING, offsetof(struct bare, leaders),
	sizeof(((struct bare *)NULL)->leaders), "", 0, 0, NULL, "NAMES",
	"who leads the stream and each durable", false},
    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
};

static void
take_urls(struct bare *b, const char *list)
{
	while (b->nurls < URLS_MAX &&
	       text_next_item(&list, b->urls[b->nurls], sizeof(b->urls[0])))
		b->nurls++;
}

/* role source size window batch backlog tag urls */
static int
play_role(struct bare *b, char **argv)
{
	uint64_t source = 0;

	if (text_to_u64(argv[2], UINT32_MAX, &source) < 0 ||
	    text_to_u64(argv[3], SIZE_MOST, &b->size) < 0 ||
	    text_to_u64(argv[4], 65536, &b->window) < 0 ||
	    text_to_u64(argv[5], 500, &b->batch) < 0 ||
	    text_to_u64(argv[6], UINT64_MAX, &b->backlog) < 0)
		return 64;
	text_set(b->tag, sizeof(b->tag), argv[7]);
	take_urls(b, argv[8]);
	return strcmp(argv[1], "--consumer") == 0
		   ? consumer_main(b, (unsigned)source)
		   : publisher_main(b, (unsigned)source);
}

int
main(int argc, char **argv)
{
	struct bare *b = calloc(1, sizeof(*b));
	char why[OPTION_WHY_MAX];
	int i;

	if (b == NULL)
		return 1;
	option_defaults(options, b);
	if (argc == 9)
		return play_role(b, argv);
	if (argc == 3 && strcmp(argv[1], "--show-leaders") == 0) {
		take_urls(b, argv[2]);
		return show_leaders(b);
	}
	for (i = 1; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2)
		if (option_set(
			options, b, "--", argv[i] + 2, argv[i + 1], why) < 0) {
			fprintf(stderr, "bench_bare_pipe: %s\n", why);
			return 64;
		}
	if (i + 1 != argc) {
		fputs("bench_bare_pipe [--seconds N] [--consumers N] "
		      "[--clients N] [--size N] [--window N] [--batch N] "
		      "[--backlog N] [--leaders NAMES] URL[,URL...]\n"
		      "bench_bare_pipe --show-leaders URL[,URL...]\n",
		    stderr);
		return 64;
	}
	text_format(b->tag, sizeof(b->tag), "%d", (int)getpid());
	take_urls(b, argv[i]);
	return first_main(b, argv[i]);
}

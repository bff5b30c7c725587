/* SPDX-License-Identifier: ISC */
/*
 * What the bare loops share: the command line, processes, connections, and
 * the calls that several of them make. See bare.h.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/option.h"
#include "proto/base/spawn.h"
#include "proto/base/text.h"
#include "tests/bench/bare.h"

#define TELL_FD	  3 /* of a child */
#define GO_FD	  4 /* of a child: end of file says "go" */
#define SETUP_MS  2000
#define SETUP_NS  (60 * CLOCK_S)
#define READY_MS  30000
#define SIZE_MAX_ ((uint64_t)1 << 20)

static const struct bare_loop *const loops[] = {
    &bare_queue,
    &bare_lanes,
    &bare_keys,
    &bare_streams,
};

static const char *const tests[] = {"queue-group-consumer",
    "durable-pull-consumer", "kv-cas", "add-remove-streams", NULL};

int
bare_fail(const char *what, natsStatus st)
{
	fprintf(stderr, "bench_bare: cannot %s: %s\n", what,
	    natsStatus_GetText(st));
	return -1;
}

void
bare_pause(int ms)
{
	(void)poll(NULL, 0, ms); /* cut is fine */
}

void
bare_stream_name(const struct bare *b, const char *what, char *out, size_t size)
{
	out[0] = '\0';
	text_add(out, size, "BARE_%s_%s", b->tag, what);
}

void
bare_subject(const struct bare *b, const char *what, char *out, size_t size)
{
	out[0] = '\0';
	text_add(out, size, "bare.%s.%s", b->tag, what);
}

/* connections */

/* As worker/session.c, so that both ask the same of the servers. */
static natsStatus
set_options(natsOptions *o, const struct bare *b)
{
	const char *servers[BARE_URLS_MAX];
	uint64_t source = BARE_FIRST + b->child;
	natsStatus st;
	unsigned i;

	for (i = 0; i < b->nurls; i++)
		servers[i] = b->urls[(i + source) % b->nurls];
	st = natsOptions_SetServers(o, servers, (int)b->nurls);
	if (st == NATS_OK)
		st = natsOptions_SetNoRandomize(o, true);
	if (st == NATS_OK)
		st = natsOptions_SetTimeout(o, 2000);
	if (st == NATS_OK)
		st = natsOptions_SetMaxReconnect(o, -1);
	if (st == NATS_OK)
		st = natsOptions_SetReconnectWait(o, 100);
	if (st == NATS_OK)
		st = natsOptions_SetReconnectJitter(o, 50, 50);
	if (st == NATS_OK)
		st = natsOptions_SetPingInterval(o, 2000);
	if (st == NATS_OK)
		st = natsOptions_SetMaxPingsOut(o, 2);
	if (st == NATS_OK)
		st = natsOptions_SetFailRequestsOnDisconnect(o, true);
	return st;
}

static int
connect_to(struct bare *b)
{
	natsOptions *o = NULL;
	natsStatus st = natsOptions_Create(&o);

	if (st == NATS_OK)
		st = set_options(o, b);
	if (st == NATS_OK)
		st = natsConnection_Connect(&b->nc, o);
	natsOptions_Destroy(o);
	if (st == NATS_OK)
		st = natsConnection_JetStream(&b->js, b->nc, NULL);
	return st == NATS_OK ? 0 : bare_fail("connect", st);
}

/* calls */

int
bare_add_stream(struct bare *b, jsStreamConfig *sc)
{
	uint64_t deadline = clock_mono_ns() + SETUP_NS;
	natsStatus st;
	jsOptions jo;

	sc->Replicas = (int64_t)b->replicas;
	sc->Storage = js_FileStorage;
	(void)jsOptions_Init(&jo); /* can't fail: not NULL */
	jo.Wait = SETUP_MS;
	while ((st = js_AddStream(NULL, b->js, sc, &jo, NULL)) != NATS_OK &&
	       clock_mono_ns() < deadline)
		bare_pause(100);
	return st == NATS_OK ? 0 : bare_fail("make a stream", st);
}

int
bare_add_consumer(struct bare *b, const char *stream, jsConsumerConfig *cc)
{
	uint64_t deadline = clock_mono_ns() + SETUP_NS;
	natsStatus st;
	jsOptions jo;

	cc->AckPolicy = js_AckExplicit;
	cc->AckWait = (int64_t)BARE_ACK_WAIT_NS;
	cc->MaxDeliver = -1;
	cc->Replicas = (int64_t)b->replicas;
	(void)jsOptions_Init(&jo); /* can't fail: not NULL */
	jo.Wait = SETUP_MS;
	while ((st = js_AddConsumer(NULL, b->js, stream, cc, &jo, NULL)) !=
		   NATS_OK &&
	       clock_mono_ns() < deadline)
		bare_pause(100);
	return st == NATS_OK ? 0 : bare_fail("make a consumer", st);
}

int
bare_set_up_stream(struct bare *b, const char *what)
{
	char name[64], subject[96], below[98] = "";
	const char *subjects[2] = {subject, below};
	jsStreamConfig sc;

	bare_stream_name(b, what, name, sizeof(name));
	bare_subject(b, what, subject, sizeof(subject));
	text_add(below, sizeof(below), "%s.>", subject);
	(void)jsStreamConfig_Init(&sc); /* can't fail: not NULL */
	sc.Name = name;
	sc.Subjects = subjects;
	sc.SubjectsLen = 2;
	sc.Duplicates = (int64_t)BARE_DEDUPE_NS;
	return bare_add_stream(b, &sc);
}

void
bare_publish(const struct bare *b, const char *subject, const void *data,
    size_t len, const char *message_id)
{
	jsPubAck *ack = NULL;
	jsPubOptions o;
	natsStatus st;

	do {
		(void)jsPubOptions_Init(&o); /* can't fail: not NULL */
		o.MaxWait = BARE_ATTEMPT_MS;
		o.MsgId = message_id;
		st = js_Publish(&ack, b->js, subject, data, (int)len, &o, NULL);
		jsPubAck_Destroy(ack);
		ack = NULL;
	} while (st != NATS_OK);
}

static natsStatus
ack_once(const struct bare *b, const char *reply_subject)
{
	natsMsg *reply = NULL;
	const char *status = NULL;
	natsStatus st = natsConnection_RequestString(
	    &reply, b->nc, reply_subject, "+ACK", BARE_ATTEMPT_MS);

	if (st == NATS_OK && natsMsg_GetDataLength(reply) == 0 &&
	    natsMsgHeader_Get(reply, "Status", &status) == NATS_OK)
		st = NATS_NO_RESPONDERS;
	natsMsg_Destroy(reply);
	return st;
}

void
bare_ack(const struct bare *b, const char *reply_subject)
{
	while (ack_once(b, reply_subject) != NATS_OK)
		bare_pause(10);
}

/* processes */

bool
bare_tell(const uint64_t *numbers, size_t n)
{
	ssize_t len = (ssize_t)(n * sizeof(*numbers));

	return write(TELL_FD, numbers, (size_t)len) == len;
}

void
bare_await_go(void)
{
	struct pollfd p = {.fd = GO_FD, .events = POLLIN};

	(void)poll(&p, 1, -1); /* nothing is ever written to it */
}

int
bare_hear(const struct bare *b, uint64_t *number, int timeout_ms)
{
	struct pollfd p = {.fd = b->in_fd, .events = POLLIN};
	ssize_t n;

	if (poll(&p, 1, timeout_ms) != 1)
		return -ETIMEDOUT;
	n = read(b->in_fd, number, sizeof(*number));
	return n == (ssize_t)sizeof(*number) ? 0 : -EPIPE;
}

static int
spawn_child(struct bare *b, const char *urls, unsigned i, const int fds[2])
{
	char child[24], size[24], seconds[24];
	char *argv[] = {(char *)"bench_bare", (char *)"--test", b->test,
	    (char *)"--tag", b->tag, (char *)"--child", child, (char *)"--size",
	    size, (char *)"--seconds", seconds, (char *)urls, NULL};
	struct spawn_request r = {.path = "/proc/self/exe", .argv = argv};

	text_format(child, sizeof(child), "%u", i + 1);
	text_format(size, sizeof(size), "%llu", (unsigned long long)b->size);
	text_format(
	    seconds, sizeof(seconds), "%llu", (unsigned long long)b->seconds);
	r.fds[r.nfds++] = (struct spawn_fd){fds[0], TELL_FD};
	r.fds[r.nfds++] = (struct spawn_fd){fds[1], GO_FD};
	r.fds[r.nfds++] = (struct spawn_fd){2, 2};
	b->pids[i] = spawn(&r);
	return b->pids[i] < 0 ? (int)b->pids[i] : 0;
}

static int
spawn_children(struct bare *b, const char *urls)
{
	int in[2], go[2], err = spawn_pipes(go, in);
	unsigned i;

	if (err < 0)
		return err;
	b->in_fd = in[0];
	b->go_fd = go[1];
	for (i = 0; i < b->consumers && err == 0; i++)
		err = spawn_child(b, urls, i, (int[]){in[1], go[0]});
	close(in[1]);
	close(go[0]);
	return err;
}

static void
end_children(struct bare *b)
{
	unsigned i;

	for (i = 0; i < BARE_CHILDREN_MAX; i++) {
		if (b->pids[i] <= 0)
			continue;
		(void)kill(b->pids[i], SIGKILL);    /* not reaped: it is ours */
		(void)waitpid(b->pids[i], NULL, 0); /* there it is */
	}
}

/* Each child says once that it is ready. */
static int
await_children(const struct bare *b)
{
	uint64_t i, number;

	for (i = 0; i < b->consumers; i++)
		if (bare_hear(b, &number, READY_MS) < 0) {
			fprintf(stderr,
			    "bench_bare: only %llu of %llu processes came\n",
			    (unsigned long long)i,
			    (unsigned long long)b->consumers);
			return -1;
		}
	return 0;
}

static int
start_children(struct bare *b, const char *urls)
{
	int err = spawn_children(b, urls);

	if (err < 0) {
		fprintf(stderr, "bench_bare: cannot start processes: %s\n",
		    strerror(-err));
		return -1;
	}
	return await_children(b);
}

static int
child_main(struct bare *b, const struct bare_loop *loop)
{
	if (connect_to(b) < 0)
		return 1;
	loop->child(b, (unsigned)(b->child - 1));
	return 0;
}

static double
cpu_seconds(int who)
{
	struct rusage u;

	(void)getrusage(who, &u); /* can't fail: valid arguments */
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void
say(const struct bare *b)
{
	double n = b->rounds > 0 ? (double)b->rounds : 1;
	double cpu = cpu_seconds(RUSAGE_SELF) + cpu_seconds(RUSAGE_CHILDREN);

	printf("bare: %llu rounds in %.2f s, %.1f rounds/s, publish p50 %.3f "
	       "ms, round p50 %.3f ms, %.0f us of CPU a round\n",
	    (unsigned long long)b->rounds, (double)b->took_ns / 1e9,
	    (double)b->rounds / ((double)b->took_ns / 1e9),
	    (double)hist_quantile(&b->publish, 0.5) / 1e6,
	    (double)hist_quantile(&b->round, 0.5) / 1e6, cpu * 1e6 / n);
	if (b->adds + b->removes > 0)
		printf("bare: %llu streams added, %llu deleted\n",
		    (unsigned long long)b->adds,
		    (unsigned long long)b->removes);
}

static int
first_main(struct bare *b, const struct bare_loop *loop, const char *urls)
{
	int err = connect_to(b);
	uint64_t since;

	if (err == 0)
		err = loop->set_up(b);
	if (err == 0 && loop->has_children)
		err = start_children(b, urls);
	since = clock_mono_ns();
	if (b->go_fd > 0)
		close(b->go_fd);
	if (err == 0)
		err = loop->load(b);
	b->took_ns = clock_mono_ns() - since;
	end_children(b);
	if (err == 0)
		say(b);
	if (b->js != NULL)
		loop->tear_down(b);
	return err == 0 ? 0 : 1;
}

/* the command line */

#define ROW(name, member, def, low, high, arg, help)                           \
	{                                                                      \
		name, OPTION_U64, offsetof(struct bare, member), 8, def, low,  \
		    high, NULL, arg, help, false                               \
	}

static const struct option_spec options[] = {
    {"test", OPTION_CHOICE, offsetof(struct bare, test),
	sizeof(((struct bare *)0)->test), "queue-group-consumer", 0, 0, tests,
	"NAME", "whose calls", false},
    ROW("seconds", seconds, "10", 1, 86400, "N", "time of the load"),
    ROW("consumers", consumers, "10", 1, BARE_CHILDREN_MAX, "N", "processes"),
    ROW("size", size, "128", BARE_SIZE_MIN, SIZE_MAX_, "BYTES",
	"payload of a message"),
    ROW("replicas", replicas, "3", 1, 5, "N", "of streams and consumers"),
    ROW("seed", seed, "1", 0, UINT64_MAX, "N", "as natsburn's --seed"),
    ROW("child", child, "0", 0, BARE_CHILDREN_MAX, "N", "internal"),
    {"tag", OPTION_STRING, offsetof(struct bare, tag),
	sizeof(((struct bare *)0)->tag), "", 0, 0, NULL, "TEXT", "internal",
	false},
    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
};

static int
usage(void)
{
	fputs("bench_bare [--test NAME] [--seconds N] [--consumers N] [--size "
	      "BYTES] [--replicas N] [--seed N] URL[,URL...]\n",
	    stderr);
	return 64;
}

static void
take_urls(struct bare *b, const char *list)
{
	while (b->nurls < BARE_URLS_MAX &&
	       text_next_item(&list, b->urls[b->nurls], sizeof(b->urls[0])))
		b->nurls++;
}

static const struct bare_loop *
find_loop(const char *test)
{
	size_t i;

	for (i = 0; i < sizeof(loops) / sizeof(loops[0]); i++)
		if (strcmp(loops[i]->test, test) == 0)
			return loops[i];
	return NULL;
}

/* 0, or -1 when the command line can't be understood. */
static int
take_arguments(struct bare *b, int argc, char **argv)
{
	char why[OPTION_WHY_MAX];
	int i;

	option_defaults(options, b);
	for (i = 1; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2)
		if (option_set(
			options, b, "--", argv[i] + 2, argv[i + 1], why) < 0) {
			fprintf(stderr, "bench_bare: %s\n", why);
			return -1;
		}
	if (i + 1 != argc)
		return -1;
	if (b->tag[0] == '\0')
		text_format(b->tag, sizeof(b->tag), "%d", (int)getpid());
	take_urls(b, argv[i]);
	return 0;
}

int
main(int argc, char **argv)
{
	struct bare *b = calloc(1, sizeof(*b));
	const struct bare_loop *loop;
	int code;

	if (b == NULL)
		return 1;
	if (take_arguments(b, argc, argv) < 0) {
		free(b);
		return usage();
	}
	loop = find_loop(b->test);
	code = b->child != 0 ? child_main(b, loop)
			     : first_main(b, loop, argv[argc - 1]);
	jsCtx_Destroy(b->js);
	natsConnection_Destroy(b->nc);
	nats_Close();
	free(b);
	return code;
}

/* SPDX-License-Identifier: ISC */
/*
 * bench_bare: the calls of the workload queue-group-consumer in a bare loop
 * over nats.c, judging and recording nothing. It is what natsburn's rounds
 * a second are compared with. One publisher (this process), N consumers in
 * processes of their own, a connection each; a consumer tells the publisher
 * through one shared pipe that its ack was confirmed, which is the cheapest
 * hand-over there is. Stream, consumer and connection have the settings of
 * worker/setup.c, worker/workloads/queue_group_consumer.c and
 * worker/session.c; who changes those changes these.
 */
#include <errno.h>
#include <nats/nats.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/hist.h"
#include "proto/base/option.h"
#include "proto/base/spawn.h"
#include "proto/base/text.h"

#define DURABLE	      "burn"
#define DONE_FD	      3 /* of a consumer: writes what was confirmed */
#define CONSUMERS_MAX 512
#define URLS_MAX      16
#define SIZE_MAX_     ((uint64_t)1 << 20)
#define ATTEMPT_MS    2000
#define SETUP_MS      2000
#define SETUP_NS      (60 * CLOCK_S)
#define READY_MS      30000
#define ROUND_MS      30000
#define DEDUPE_NS     (600 * CLOCK_S)
#define ACK_WAIT_NS   (5 * CLOCK_S)
#define PUBLISHER     3 /* natsburn's first source number of the load */

struct bare {
	char urls[URLS_MAX][256];
	unsigned nurls;
	char tag[32]; /* of this run's stream and subjects */
	uint64_t consumers, size, seconds, replicas;
	natsConnection *nc;
	jsCtx *js;
	pid_t pids[CONSUMERS_MAX];
	int done_fd; /* of the publisher: reads what was confirmed */
	uint64_t rounds;
	struct hist publish, round;
};

static int
fail(const char *what, natsStatus st)
{
	fprintf(stderr, "bench_bare: cannot %s: %s\n", what,
	    natsStatus_GetText(st));
	return -1;
}

static void
subject_of(const struct bare *b, const char *what, char *out, size_t size)
{
	out[0] = '\0';
	(void)text_add(out, size, "bare.%s.%s", b->tag, what);
}

/* As worker/session.c, so that both ask the same of the servers. */
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
connect_to(struct bare *b, unsigned source)
{
	natsOptions *o = NULL;
	natsStatus st = natsOptions_Create(&o);

	if (st == NATS_OK)
		st = set_options(o, b, source);
	if (st == NATS_OK)
		st = natsConnection_Connect(&b->nc, o);
	natsOptions_Destroy(o);
	if (st == NATS_OK)
		st = natsConnection_JetStream(&b->js, b->nc, NULL);
	return st == NATS_OK ? 0 : fail("connect", st);
}

/* The consumers' side: a process of its own */

static natsStatus
ack(struct bare *b, const char *reply_subject)
{
	natsMsg *reply = NULL;
	const char *status = NULL;
	natsStatus st = natsConnection_RequestString(
	    &reply, b->nc, reply_subject, "+ACK", ATTEMPT_MS);

	if (st == NATS_OK && natsMsg_GetDataLength(reply) == 0 &&
	    natsMsgHeader_Get(reply, "Status", &status) == NATS_OK)
		st = NATS_NO_RESPONDERS;
	natsMsg_Destroy(reply);
	return st;
}

static int
tell(uint64_t counter)
{
	ssize_t n = write(DONE_FD, &counter, sizeof(counter));

	return n == (ssize_t)sizeof(counter) ? 0 : -1;
}

/* Receive, ack, tell; until the publisher is gone. */
static int
consume(struct bare *b, natsSubscription *sub)
{
	natsMsg *msg = NULL;
	uint64_t counter;
	natsStatus st;

	for (;;) {
		st = natsSubscription_NextMsg(&msg, sub, 1000);
		if (st == NATS_TIMEOUT)
			continue;
		if (st != NATS_OK)
			return fail("receive", st);
		if (natsMsg_GetDataLength(msg) < (int)sizeof(counter)) {
			natsMsg_Destroy(msg); /* a status message */
			continue;
		}
		memcpy(&counter, natsMsg_GetData(msg), sizeof(counter));
		while (ack(b, natsMsg_GetReply(msg)) != NATS_OK)
			(void)poll(NULL, 0, 10);
		natsMsg_Destroy(msg);
		if (tell(counter) < 0)
			return 0;
	}
}

static int
consumer_main(struct bare *b, unsigned source)
{
	natsSubscription *sub = NULL;
	char deliver[96];
	natsStatus st;

	subject_of(b, "deliver", deliver, sizeof(deliver));
	if (connect_to(b, source) < 0)
		return 1;
	st = natsConnection_QueueSubscribeSync(&sub, b->nc, deliver, DURABLE);
	if (st == NATS_OK)
		st = natsConnection_FlushTimeout(b->nc, 5000);
	if (st != NATS_OK)
		(void)fail("subscribe", st);
	else if (tell(0) == 0) /* counter 0 says: ready */
		(void)consume(b, sub);
	return 1;
}

/* The publisher's side */

static int
spawn_consumers(struct bare *b, const char *urls)
{
	char source[24];
	char *argv[] = {(char *)"bench_bare", (char *)"--consumer", source,
	    b->tag, (char *)urls, NULL};
	struct spawn_request r = {.path = "/proc/self/exe", .argv = argv};
	int fds[2], err = spawn_pipe(fds);
	uint64_t i;

	if (err < 0)
		return err;
	b->done_fd = fds[0];
	r.fds[r.nfds++] = (struct spawn_fd){fds[1], DONE_FD};
	r.fds[r.nfds++] = (struct spawn_fd){2, 2};
	for (i = 0; i < b->consumers && err == 0; i++) {
		(void)snprintf(source, sizeof(source), "%u",
		    (unsigned)(PUBLISHER + 1 + i));
		b->pids[i] = spawn(&r);
		if (b->pids[i] < 0)
			err = (int)b->pids[i];
	}
	close(fds[1]);
	return err;
}

static void
end_consumers(struct bare *b)
{
	uint64_t i;

	for (i = 0; i < b->consumers; i++) {
		if (b->pids[i] <= 0)
			continue;
		(void)kill(b->pids[i], SIGKILL); /* not reaped: it is ours */
		(void)waitpid(b->pids[i], NULL, 0);
	}
}

/* The next counter that a consumer tells: 0, or -errno. */
static int
hear(const struct bare *b, uint64_t *counter, int timeout_ms)
{
	struct pollfd p = {.fd = b->done_fd, .events = POLLIN};
	ssize_t n;

	if (poll(&p, 1, timeout_ms) != 1)
		return -ETIMEDOUT;
	n = read(b->done_fd, counter, sizeof(*counter));
	return n == (ssize_t)sizeof(*counter) ? 0 : -EPIPE;
}

static int
await_consumers(const struct bare *b)
{
	uint64_t i, counter;

	for (i = 0; i < b->consumers; i++)
		if (hear(b, &counter, READY_MS) < 0) {
			fprintf(stderr,
			    "bench_bare: only %llu of %llu consumers came\n",
			    (unsigned long long)i,
			    (unsigned long long)b->consumers);
			return -1;
		}
	return 0;
}

static natsStatus
add_stream(struct bare *b)
{
	char name[64] = "", subject[96];
	const char *subjects[1] = {subject};
	jsStreamConfig sc;
	jsOptions jo;

	subject_of(b, "queue", subject, sizeof(subject));
	(void)text_add(name, sizeof(name), "BARE_%s", b->tag);
	(void)jsStreamConfig_Init(&sc); /* can't fail: not NULL */
	sc.Name = name;
	sc.Subjects = subjects;
	sc.SubjectsLen = 1;
	sc.Replicas = (int64_t)b->replicas;
	sc.Storage = js_FileStorage;
	sc.Duplicates = (int64_t)DEDUPE_NS;
	(void)jsOptions_Init(&jo); /* can't fail: not NULL */
	jo.Wait = SETUP_MS;
	return js_AddStream(NULL, b->js, &sc, &jo, NULL);
}

static natsStatus
add_consumer(struct bare *b)
{
	char name[64] = "", deliver[96];
	jsConsumerConfig cc;
	jsOptions jo;

	subject_of(b, "deliver", deliver, sizeof(deliver));
	(void)text_add(name, sizeof(name), "BARE_%s", b->tag);
	(void)jsConsumerConfig_Init(&cc); /* can't fail: not NULL */
	cc.Durable = DURABLE;
	cc.DeliverSubject = deliver;
	cc.DeliverGroup = DURABLE;
	cc.AckPolicy = js_AckExplicit;
	cc.AckWait = (int64_t)ACK_WAIT_NS;
	cc.MaxDeliver = -1;
	cc.Replicas = (int64_t)b->replicas;
	(void)jsOptions_Init(&jo); /* can't fail: not NULL */
	jo.Wait = SETUP_MS;
	return js_AddConsumer(NULL, b->js, name, &cc, &jo, NULL);
}

static int
set_up(struct bare *b)
{
	uint64_t deadline = clock_mono_ns() + SETUP_NS;
	natsStatus st;

	while ((st = add_stream(b)) != NATS_OK && clock_mono_ns() < deadline)
		(void)poll(NULL, 0, 100);
	while (st == NATS_OK && (st = add_consumer(b)) != NATS_OK &&
	       clock_mono_ns() < deadline)
		(void)poll(NULL, 0, 100);
	return st == NATS_OK ? 0 : fail("make stream and consumer", st);
}

/* publish(i), again until it is acknowledged */
static void
publish(struct bare *b, const char *subject, uint8_t *data, uint64_t counter)
{
	jsPubOptions o;
	jsPubAck *pa = NULL;
	char id[64];
	natsStatus st;

	(void)snprintf(
	    id, sizeof(id), "%s-%llx", b->tag, (unsigned long long)counter);
	memcpy(data, &counter, sizeof(counter));
	do {
		(void)jsPubOptions_Init(&o); /* can't fail: not NULL */
		o.MaxWait = ATTEMPT_MS;
		o.MsgId = id;
		st = js_Publish(
		    &pa, b->js, subject, data, (int)b->size, &o, NULL);
		jsPubAck_Destroy(pa);
		pa = NULL;
	} while (st != NATS_OK);
}

static int
load(struct bare *b)
{
	uint64_t end = clock_mono_ns() + b->seconds * CLOCK_S, begun, now, got;
	uint8_t *data = calloc(1, b->size);
	char subject[96];

	if (data == NULL)
		return -1;
	subject_of(b, "queue", subject, sizeof(subject));
	for (now = clock_mono_ns(); now < end; now = clock_mono_ns()) {
		begun = now;
		publish(b, subject, data, ++b->rounds);
		hist_add(&b->publish, clock_mono_ns() - begun);
		do
			if (hear(b, &got, ROUND_MS) < 0) {
				fprintf(stderr,
				    "bench_bare: round %llu was "
				    "not confirmed in time\n",
				    (unsigned long long)b->rounds);
				free(data);
				return -1;
			}
		while (got != b->rounds);
		hist_add(&b->round, clock_mono_ns() - begun);
	}
	free(data);
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
say(const struct bare *b, uint64_t took_ns)
{
	double n = b->rounds > 0 ? (double)b->rounds : 1;
	double cpu = cpu_seconds(RUSAGE_SELF) + cpu_seconds(RUSAGE_CHILDREN);

	printf("bare: %llu rounds in %.2f s, %.1f rounds/s, publish p50 %.3f "
	       "ms, round p50 %.3f ms, %.0f us of CPU a round\n",
	    (unsigned long long)b->rounds, (double)took_ns / 1e9,
	    (double)b->rounds / ((double)took_ns / 1e9),
	    (double)hist_quantile(&b->publish, 0.5) / 1e6,
	    (double)hist_quantile(&b->round, 0.5) / 1e6, cpu * 1e6 / n);
}

static int
publisher_main(struct bare *b, const char *urls)
{
	char name[64] = "";
	uint64_t since;
	int err = spawn_consumers(b, urls);

	if (err < 0)
		fprintf(stderr, "bench_bare: cannot start consumers: %s\n",
		    strerror(-err));
	if (err == 0)
		err = connect_to(b, PUBLISHER);
	if (err == 0)
		err = set_up(b);
	if (err == 0)
		err = await_consumers(b);
	since = clock_mono_ns();
	if (err == 0)
		err = load(b);
	since = clock_mono_ns() - since;
	end_consumers(b);
	if (err == 0)
		say(b, since);
	(void)text_add(name, sizeof(name), "BARE_%s", b->tag);
	if (b->js != NULL)
		(void)js_DeleteStream(b->js, name, NULL, NULL); /* tidiness */
	return err == 0 ? 0 : 1;
}

#define ROW(name, member, def, low, high, arg, help)                           \
	{                                                                      \
		name, OPTION_U64, offsetof(struct bare, member), 8, def, low,  \
		    high, NULL, arg, help, false                               \
	}

static const struct option_spec options[] = {
    ROW("seconds", seconds, "10", 1, 86400, "N", "time of the load"),
    ROW("consumers", consumers, "10", 1, CONSUMERS_MAX, "N", "processes"),
    ROW("size", size, "128", 8, SIZE_MAX_, "BYTES", "payload of a message"),
    ROW("replicas", replicas, "3", 1, 5, "N", "of stream and consumer"),
    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
};

static int
usage(void)
{
	fputs("bench_bare [--seconds N] [--consumers N] [--size BYTES] "
	      "[--replicas N] URL[,URL...]\n",
	    stderr);
	return 64;
}

static void
take_urls(struct bare *b, const char *list)
{
	while (b->nurls < URLS_MAX &&
	       text_next_item(&list, b->urls[b->nurls], sizeof(b->urls[0])))
		b->nurls++;
}

int
main(int argc, char **argv)
{
	struct bare *b = calloc(1, sizeof(*b));
	char why[OPTION_WHY_MAX];
	uint64_t source = 0;
	int i, code;

	if (b == NULL)
		return 1;
	option_defaults(options, b);
	if (argc == 5 && strcmp(argv[1], "--consumer") == 0 &&
	    text_to_u64(argv[2], UINT32_MAX, &source) == 0) {
		(void)text_copy(b->tag, sizeof(b->tag), argv[3]);
		take_urls(b, argv[4]);
		return consumer_main(b, (unsigned)source);
	}
	for (i = 1; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2)
		if (option_set(
			options, b, "--", argv[i] + 2, argv[i + 1], why) < 0) {
			fprintf(stderr, "bench_bare: %s\n", why);
			free(b);
			return usage();
		}
	if (i + 1 != argc) {
		free(b);
		return usage();
	}
	(void)snprintf(b->tag, sizeof(b->tag), "%d", (int)getpid());
	take_urls(b, argv[i]);
	code = publisher_main(b, argv[i]);
	jsCtx_Destroy(b->js);
	natsConnection_Destroy(b->nc);
	nats_Close();
	free(b);
	return code;
}

/* SPDX-License-Identifier: ISC */
/*
 * bench_requests: what natsburn costs the tests whose clients send a request
 * and wait for its answer. It runs natsburn on a cluster, records the requests
 * of its clients as any subscriber sees them, and sends the very same ones
 * again from as many bare processes, which judge and record nothing. The
 * recording subscriber stays meanwhile, so that both have the same load beside
 * them. It prints the requests a second of both, and what one took of CPU and
 * switches of context.
 *
 *	bench_requests SECONDS CLIENTS URL PROGRAM ARGUMENT...
 *
 * It is for tests whose requests cost the same whatever was answered before:
 * an update that expects a revision is refused when it is sent again.
 * SECONDS: length of the program's load; what comes later is its audit. A
 * client is an inbox; answers of several messages have inboxes of their own
 * and are left out on both sides.
 */
#include <errno.h>
#include <nats/nats.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/spawn.h"
#include "proto/base/text.h"

#define COMMON_FD    3 /* of a child */
#define RECORDS_FD   4
#define CLIENTS_MAX  256
#define INBOXES_MAX  4096
#define KEY_MAX	     96
#define WAIT_MS	     2000
#define PENDING_MAX  (1 << 22) /* messages that wait for the recorder */
#define RECORDED_MAX ((uint64_t)2 << 30)

/* A request, and behind it: subject, reply, headers, data, all but the last
 * with a NUL; headers are names and values. */
struct record {
	uint64_t time_ns;
	uint32_t subject, reply, headers, data; /* bytes */
};

struct seen {
	uint64_t time_ns;
	const char *subject, *reply, *headers, *data;
	int len; /* of data */
};

/* What the processes share. */
struct common {
	atomic_bool is_ready, is_enough, is_go, is_full;
	atomic_uint readied, failed;
	atomic_ullong ended_ns[CLIENTS_MAX];
};

struct inbox {
	char key[KEY_MAX];
	uint64_t requests;
	int client; /* from 0; -1: none */
};

/* A request that is sent again: by a client, or (-1) before the load. */
struct again {
	size_t at; /* its record */
	int client;
};

struct bench {
	const char *url;
	uint64_t load_ns;
	unsigned clients;
	int common_fd;
	struct common *common;
	FILE *file;
	const char *bytes; /* what was recorded */
	size_t size;
	struct inbox inboxes[INBOXES_MAX];
	unsigned ninboxes;
	struct again *again;
	size_t nagain;
	uint64_t requests; /* of clients, while the load runs */
};

struct cost {
	struct rusage usage;
	double seconds;
};

static int
fail(const char *what, const char *why)
{
	fprintf(stderr, "bench_requests: cannot %s: %s\n", what, why);
	return -1;
}

static natsConnection *
connect_to(const struct bench *b)
{
	natsConnection *nc = NULL;
	natsStatus st = natsConnection_ConnectTo(&nc, b->url);

	if (st != NATS_OK)
		(void)fail(
		    "connect", natsStatus_GetText(st)); /* NULL says it */
	return nc;
}

/* recording */

static size_t
put_headers(natsMsg *msg, char *out, size_t size)
{
	const char **keys = NULL, **values = NULL;
	int nkeys = 0, nvalues, i, k;
	size_t len = 0;

	if (natsMsgHeader_Keys(msg, &keys, &nkeys) != NATS_OK)
		return 0;
	for (i = 0; i < nkeys; i++) {
		if (natsMsgHeader_Values(msg, keys[i], &values, &nvalues) !=
		    NATS_OK)
			continue;
		for (k = 0; k < nvalues; k++) {
			size_t a = strlen(keys[i]) + 1;
			size_t v = strlen(values[k]) + 1;

			if (len + a + v > size)
				break;
			memcpy(out + len, keys[i], a);
			memcpy(out + len + a, values[k], v);
			len += a + v;
		}
		free(values);
	}
	free(keys);
	return len;
}

static void
on_message(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *arg)
{
	struct bench *b = arg;
	const char *subject = natsMsg_GetSubject(msg);
	const char *reply = natsMsg_GetReply(msg);
	char headers[8192];
	struct record r = {.time_ns = clock_mono_ns()};

	(void)nc;
	(void)sub;
	flockfile(b->file); /* each subscription has a thread of its own */
	if (reply != NULL && strncmp(reply, "_INBOX.", 7) == 0 &&
	    !b->common->is_enough && b->size < RECORDED_MAX) {
		r.subject = (uint32_t)strlen(subject) + 1;
		r.reply = (uint32_t)strlen(reply) + 1;
		r.headers =
		    (uint32_t)put_headers(msg, headers, sizeof(headers));
		r.data = (uint32_t)natsMsg_GetDataLength(msg);
		b->size += sizeof(r) + r.subject + r.reply + r.headers + r.data;
		if (fwrite(&r, sizeof(r), 1, b->file) != 1 ||
		    fwrite(subject, r.subject, 1, b->file) != 1 ||
		    fwrite(reply, r.reply, 1, b->file) != 1 ||
		    fwrite(headers, 1, r.headers, b->file) != r.headers ||
		    fwrite(natsMsg_GetData(msg), 1, r.data, b->file) != r.data)
			b->common->is_full = true;
		if (b->size >= RECORDED_MAX)
			b->common->is_full = true;
	}
	funlockfile(b->file);
	natsMsg_Destroy(msg);
}

/* The process that records until it is enough, and listens until its end. */
static int
recorder(struct bench *b)
{
	static const char *const subjects[] = {"$JS.API.>", "$KV.>", "nb.>"};
	natsConnection *nc = connect_to(b);
	natsSubscription *subs[3] = {NULL};
	natsStatus st = nc != NULL ? NATS_OK : NATS_ERR;
	unsigned i;

	for (i = 0; i < 3 && st == NATS_OK; i++) {
		st = natsConnection_Subscribe(
		    &subs[i], nc, subjects[i], on_message, b);
		if (st == NATS_OK)
			st = natsSubscription_SetPendingLimits(
			    subs[i], PENDING_MAX, INT32_MAX);
	}
	if (st == NATS_OK)
		st = natsConnection_Flush(nc);
	if (st != NATS_OK)
		return fail("subscribe", natsStatus_GetText(st));
	b->common->is_ready = true;
	while (!b->common->is_enough)
		nats_Sleep(20);
	nats_Sleep(200); /* callbacks that have begun */
	fflush(b->file);
	b->common->is_ready = false;
	for (;;)
		nats_Sleep(1000); /* it ends with the first process */
}

/* Wait until the recorder says so; false: it has ended, or a minute is over. */
static bool
await_recorder(struct bench *b, pid_t pid, bool is_ready)
{
	uint64_t deadline = clock_mono_ns() + 60 * CLOCK_S;

	while (b->common->is_ready != is_ready) {
		if (waitpid(pid, NULL, WNOHANG) == pid ||
		    clock_mono_ns() > deadline)
			return false;
		usleep(20000);
	}
	return true;
}

/* what was recorded */

/* The record there, and *at the next; false: there is none. */
static bool
next_record(const struct bench *b, size_t *at, struct seen *out)
{
	const char *p = b->bytes + *at;
	struct record r;

	if (b->size - *at < sizeof(r))
		return false;
	memcpy(&r, p, sizeof(r));
	out->time_ns = r.time_ns;
	out->subject = p + sizeof(r);
	out->reply = out->subject + r.subject;
	out->headers = out->reply + r.reply;
	out->data = out->headers + r.headers;
	out->len = (int)r.data;
	*at += sizeof(r) + r.subject + r.reply + r.headers + r.data;
	return *at <= b->size;
}

static struct inbox *
inbox_of(struct bench *b, const char *reply)
{
	const char *dot = strrchr(reply, '.');
	size_t n = dot != NULL ? (size_t)(dot - reply) : strlen(reply);
	unsigned i;

	for (i = 0; i < b->ninboxes; i++)
		if (strncmp(b->inboxes[i].key, reply, n) == 0 &&
		    b->inboxes[i].key[n] == '\0')
			return &b->inboxes[i];
	if (b->ninboxes == INBOXES_MAX || n >= KEY_MAX)
		return NULL;
	b->inboxes[i].client = -1;
	memcpy(b->inboxes[i].key, reply, n);
	b->inboxes[i].key[n] = '\0';
	b->ninboxes++;
	return &b->inboxes[i];
}

/* The load begins with the first of them. */
static bool
is_message(const struct seen *r)
{
	return strncmp(r->subject, "$JS.API.", 8) != 0;
}

/* Those that send the most while the load runs are its clients. */
static void
find_clients(struct bench *b)
{
	uint64_t end_ns = 0;
	struct inbox *x;
	struct seen r;
	unsigned c, i;
	size_t at = 0;

	while (next_record(b, &at, &r)) {
		if (end_ns == 0 && is_message(&r))
			end_ns = r.time_ns + b->load_ns;
		x = inbox_of(b, r.reply);
		if (x != NULL && r.time_ns < end_ns)
			x->requests++;
		b->nagain++;
	}
	for (c = 0; c < b->clients; c++) {
		x = NULL;
		for (i = 0; i < b->ninboxes; i++)
			if (b->inboxes[i].client < 0 &&
			    (x == NULL || b->inboxes[i].requests > x->requests))
				x = &b->inboxes[i];
		if (x != NULL)
			x->client = (int)c;
	}
}

/* What clients send while the load runs, and what others send before. */
static int
choose(struct bench *b)
{
	uint64_t end_ns = 0;
	size_t at = 0, from;
	struct seen r;

	find_clients(b);
	b->again = calloc(b->nagain + 1, sizeof(*b->again));
	if (b->again == NULL)
		return fail("keep what was recorded", strerror(ENOMEM));
	b->nagain = 0;
	for (from = 0; next_record(b, &at, &r); from = at) {
		const struct inbox *x = inbox_of(b, r.reply);
		int client = x != NULL ? x->client : -1;

		if (client >= 0 && end_ns == 0 && is_message(&r))
			end_ns = r.time_ns + b->load_ns;
		if (end_ns == 0)
			client = -1;
		else if (client < 0 || r.time_ns >= end_ns)
			continue;
		b->again[b->nagain++] = (struct again){from, client};
		b->requests += client >= 0;
	}
	return b->requests > 0 ? 0 : fail("find the clients", "no requests");
}

static int
take_records(struct bench *b)
{
	long size;

	if (b->common->is_full || fseek(b->file, 0, SEEK_END) < 0 ||
	    (size = ftell(b->file)) <= 0)
		return fail("record", "no room, or nothing was seen");
	b->size = (size_t)size;
	b->bytes =
	    mmap(NULL, b->size, PROT_READ, MAP_PRIVATE, fileno(b->file), 0);
	if (b->bytes == MAP_FAILED)
		return fail("read what was recorded", strerror(errno));
	return choose(b);
}

/* sending again */

static void
send_again(const struct bench *b, natsConnection *nc, size_t at)
{
	natsMsg *msg = NULL, *reply = NULL;
	const char *header;
	struct seen r;
	natsStatus st;

	if (!next_record(b, &at, &r))
		return;
	st = natsMsg_Create(&msg, r.subject, NULL, r.data, r.len);
	header = r.headers;
	while (st == NATS_OK && header < r.data) {
		const char *value = header + strlen(header) + 1;

		st = natsMsgHeader_Add(msg, header, value);
		header = value + strlen(value) + 1;
	}
	if (st == NATS_OK)
		st = natsConnection_RequestMsg(&reply, nc, msg, WAIT_MS);
	b->common->failed += st != NATS_OK;
	natsMsg_Destroy(reply);
	natsMsg_Destroy(msg);
}

/* A process: the requests of one client, or (-1) what came before the load. */
static int
sender(struct bench *b, int client)
{
	natsConnection *nc = connect_to(b);
	size_t i;

	if (nc == NULL)
		return -1;
	b->common->readied++;
	while (!b->common->is_go && client >= 0)
		nats_Sleep(1);
	for (i = 0; i < b->nagain; i++)
		if (b->again[i].client == client)
			send_again(b, nc, b->again[i].at);
	if (client >= 0)
		b->common->ended_ns[client] = clock_mono_ns();
	natsConnection_Destroy(nc);
	return 0;
}

/* A process: every stream that was made goes. */
static int
sweeper(struct bench *b)
{
	static const char verb[] = "$JS.API.STREAM.CREATE.";
	natsConnection *nc = connect_to(b);
	char subject[KEY_MAX * 3];
	natsMsg *reply;
	struct seen r;
	size_t at = 0;

	while (nc != NULL && next_record(b, &at, &r)) {
		if (strncmp(r.subject, verb, sizeof(verb) - 1) != 0)
			continue;
		reply = NULL;
		text_format(subject, sizeof(subject),
		    "$JS.API.STREAM.DELETE.%s", r.subject + sizeof(verb) - 1);
		/* One that is gone is fine. */
		(void)natsConnection_RequestString(
		    &reply, nc, subject, "", WAIT_MS);
		natsMsg_Destroy(reply);
	}
	natsConnection_Destroy(nc);
	return nc != NULL ? 0 : -1;
}

/* This program again, in that role, with what all of them share. */
static pid_t
start(struct bench *b, const char *role, unsigned client)
{
	char seconds[24], clients[24], which[24];
	char *argv[] = {(char *)"bench_requests", (char *)role, which, seconds,
	    clients, (char *)b->url, NULL};
	struct spawn_request r = {.path = "/proc/self/exe", .argv = argv};

	text_format(which, sizeof(which), "%u", client);
	text_format(seconds, sizeof(seconds), "%llu",
	    (unsigned long long)(b->load_ns / CLOCK_S));
	text_format(clients, sizeof(clients), "%u", b->clients);
	r.fds[r.nfds++] = (struct spawn_fd){2, 2};
	r.fds[r.nfds++] = (struct spawn_fd){b->common_fd, COMMON_FD};
	r.fds[r.nfds++] = (struct spawn_fd){fileno(b->file), RECORDS_FD};
	return spawn(&r);
}

static bool
await_end(pid_t pid, struct cost *c)
{
	struct rusage u;
	int status = 1;

	if (pid < 0 || wait4(pid, &status, 0, &u) != pid)
		return false;
	if (c == NULL)
		return status == 0;
	c->usage.ru_utime.tv_sec += u.ru_utime.tv_sec;
	c->usage.ru_utime.tv_usec += u.ru_utime.tv_usec;
	c->usage.ru_stime.tv_sec += u.ru_stime.tv_sec;
	c->usage.ru_stime.tv_usec += u.ru_stime.tv_usec;
	c->usage.ru_nvcsw += u.ru_nvcsw;
	c->usage.ru_nivcsw += u.ru_nivcsw;
	return status == 0;
}

static int
send_all(struct bench *b, struct cost *c)
{
	pid_t pids[CLIENTS_MAX];
	uint64_t begin, end = 0;
	bool is_good = true;
	unsigned i;

	if (!await_end(start(b, "--set-up", 0), NULL))
		return fail("make the streams again", "a process failed");
	b->common->readied = 0;
	b->common->failed = 0;
	for (i = 0; i < b->clients; i++)
		pids[i] = start(b, "--client", i);
	for (i = 0; i < 600 && b->common->readied < b->clients; i++)
		usleep(100000);
	begin = clock_mono_ns();
	b->common->is_go = true;
	for (i = 0; i < b->clients; i++) {
		is_good = await_end(pids[i], c) && is_good;
		if (b->common->ended_ns[i] > end)
			end = b->common->ended_ns[i];
	}
	if (!is_good || end <= begin)
		return fail("send requests again", "a process failed");
	c->seconds = (double)(end - begin) / 1e9;
	return 0;
}

/* the figures */

static void
say_cost(const struct bench *b, const char *who, const struct cost *c)
{
	const struct rusage *u = &c->usage;
	double n = (double)b->requests;

	printf("requests: %s: %.1f/s; %.1f us of user and %.1f us of system "
	       "time and %.2f switches a request\n",
	    who, n / c->seconds,
	    ((double)u->ru_utime.tv_sec * 1e6 + (double)u->ru_utime.tv_usec) /
		n,
	    ((double)u->ru_stime.tv_sec * 1e6 + (double)u->ru_stime.tv_usec) /
		n,
	    (double)(u->ru_nvcsw + u->ru_nivcsw) / n);
}

static int
say_all(const struct bench *b, const struct cost *ours, const struct cost *bare)
{
	printf("requests: %llu of %u clients; sent again, %u had no answer\n",
	    (unsigned long long)b->requests, b->clients,
	    (unsigned)b->common->failed);
	say_cost(b, "natsburn", ours);
	say_cost(b, "bare", bare);
	printf("requests: ratio %.3f\n", bare->seconds / ours->seconds);
	return 0;
}

/* The program's load; its exit code is its own affair but for 64 and more. */
static int
run_program(struct bench *b, char **argv, struct cost *c)
{
	struct spawn_request r = {.path = argv[0], .argv = argv};
	int status = -1;
	pid_t pid;

	r.fds[r.nfds++] = (struct spawn_fd){2, 2};
	pid = spawn(&r);
	if (pid < 0)
		return fail("start the program", strerror((int)-pid));
	if (wait4(pid, &status, 0, &c->usage) != pid || !WIFEXITED(status) ||
	    WEXITSTATUS(status) >= 64)
		return fail("run the program", "it failed");
	c->seconds = (double)b->load_ns / 1e9;
	return 0;
}

static int
measure(struct bench *b, pid_t listening, char **argv)
{
	struct cost ours = {.seconds = 0}, bare = {.seconds = 0};
	int err;

	if (listening <= 0 || !await_recorder(b, listening, true))
		return fail("record", "the recorder did not begin");
	err = run_program(b, argv, &ours);
	b->common->is_enough = true;
	if (err == 0 && !await_recorder(b, listening, false))
		err = fail("record", "the recorder did not end");
	if (err == 0)
		err = take_records(b);
	if (err < 0)
		return err;
	err = send_all(b, &bare);
	if (!await_end(start(b, "--sweep", 0), NULL))
		err = fail("delete the streams", "a process failed");
	return err < 0 ? err : say_all(b, &ours, &bare);
}

static bool
take_arguments(struct bench *b, char **argv)
{
	uint64_t seconds, clients;

	if (text_to_u64(argv[0], 3600, &seconds) < 0 ||
	    text_to_u64(argv[1], CLIENTS_MAX, &clients) < 0 || clients == 0)
		return false;
	b->load_ns = seconds * CLOCK_S;
	b->clients = (unsigned)clients;
	b->url = argv[2];
	return true;
}

static int
share(struct bench *b, bool is_first)
{
	if (is_first) {
		b->common_fd = memfd_create("bench_requests", MFD_CLOEXEC);
		b->file = tmpfile();
		if (b->common_fd >= 0 &&
		    ftruncate(b->common_fd, sizeof(*b->common)) < 0)
			return fail("share memory", strerror(errno));
	} else {
		b->common_fd = COMMON_FD;
		b->file = fdopen(RECORDS_FD, "r+");
	}
	b->common = mmap(NULL, sizeof(*b->common), PROT_READ | PROT_WRITE,
	    MAP_SHARED, b->common_fd, 0);
	if (b->common == MAP_FAILED || b->file == NULL)
		return fail("share memory", strerror(errno));
	return 0;
}

static int
child_main(struct bench *b, const char *role, const char *which)
{
	uint64_t client = 0;

	if (strcmp(role, "--record") == 0)
		return recorder(b);
	if (text_to_u64(which, CLIENTS_MAX, &client) < 0 || take_records(b) < 0)
		return -1;
	if (strcmp(role, "--sweep") == 0)
		return sweeper(b);
	return sender(b, strcmp(role, "--client") == 0 ? (int)client : -1);
}

static int
first_main(struct bench *b, char **argv)
{
	pid_t pid = start(b, "--record", 0);
	int err = measure(b, pid, argv);

	spawn_end(pid);
	return err;
}

int
main(int argc, char **argv)
{
	struct bench *b = calloc(1, sizeof(*b));
	bool is_child = argc == 6 && strncmp(argv[1], "--", 2) == 0;
	int err;

	if (b == NULL || argc < 5 ||
	    !take_arguments(b, argv + (is_child ? 3 : 1))) {
		fputs(
		    "bench_requests SECONDS CLIENTS URL PROGRAM ARGUMENT...\n",
		    stderr);
		free(b);
		return 64;
	}
	err = share(b, !is_child);
	if (err == 0)
		err = is_child ? child_main(b, argv[1], argv[2])
			       : first_main(b, argv + 4);
	free(b->again);
	free(b);
	return err != 0 ? 70 : 0;
}

/* SPDX-License-Identifier: ISC */
/*
 * kv-cas: one client; read a key by its leader, update it with the revision
 * that was read. Keys and sizes are drawn as the workload draws them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/rng.h"
#include "proto/base/text.h"
#include "tests/bench/bare.h"

#define KEYS	 8
#define SIZE	 512
#define SETUP_MS 2000

static void
names(const struct bare *b, char *bucket, size_t size, char *stream,
    size_t stream_size)
{
	bare_stream_name(b, "kv", bucket, size);
	text_format(stream, stream_size, "KV_%s", bucket);
}

static int
keys_set_up(struct bare *b)
{
	char bucket[64], stream[72], subject[96];
	const char *subjects[1] = {subject};
	jsStreamConfig sc;

	names(b, bucket, sizeof(bucket), stream, sizeof(stream));
	text_format(subject, sizeof(subject), "$KV.%s.>", bucket);
	(void)jsStreamConfig_Init(&sc); /* can't fail: not NULL */
	sc.Name = stream;
	sc.Subjects = subjects;
	sc.SubjectsLen = 1;
	sc.MaxMsgsPerSubject = 1;
	sc.Discard = js_DiscardNew;
	sc.AllowRollup = true;
	sc.DenyDelete = true;
	sc.Duplicates = (int64_t)BARE_DEDUPE_NS;
	return bare_add_stream(b, &sc);
}

/* The key's revision: 0 when it has none. */
static uint64_t
read_key(const struct bare *b, const char *stream, const char *subject)
{
	uint64_t revision = 0;
	natsMsg *msg = NULL;
	jsErrCode code;
	natsStatus st;
	jsOptions jo;

	(void)jsOptions_Init(&jo); /* can't fail: not NULL */
	jo.Wait = BARE_ATTEMPT_MS;
	do {
		code = 0;
		st = js_GetLastMsg(&msg, b->js, stream, subject, &jo, &code);
	} while (st != NATS_OK && code != JSNoMessageFoundErr);
	if (msg != NULL)
		revision = natsMsg_GetSequence(msg);
	natsMsg_Destroy(msg);
	return revision;
}

/* One attempt is enough: a refusal or a time-out ends the round. */
static bool
update_key(const struct bare *b, const char *subject, const char *id,
    const uint8_t *data, size_t len, uint64_t expected)
{
	jsPubAck *ack = NULL;
	jsPubOptions o;
	natsStatus st;

	(void)jsPubOptions_Init(&o); /* can't fail: not NULL */
	o.MaxWait = BARE_ATTEMPT_MS;
	o.MsgId = id;
	o.ExpectLastSubjectSeq = expected;
	o.ExpectNoMessage = expected == 0;
	st = js_Publish(&ack, b->js, subject, data, (int)len, &o, NULL);
	jsPubAck_Destroy(ack);
	return st == NATS_OK;
}

static int
keys_load(struct bare *b)
{
	uint64_t now = clock_mono_ns(), end = now + b->seconds * CLOCK_S;
	uint64_t begun, counter = 0, revision, size;
	char bucket[64], stream[72], subject[96], id[64];
	uint8_t data[SIZE] = {0};
	struct rng rng;

	names(b, bucket, sizeof(bucket), stream, sizeof(stream));
	rng_init(&rng, b->seed, "kv 3.1");
	for (; now < end; now = clock_mono_ns()) {
		begun = now;
		text_format(subject, sizeof(subject), "$KV.%s.k%u", bucket,
		    (unsigned)rng_below(&rng, KEYS));
		revision = read_key(b, stream, subject);
		counter++;
		text_format(id, sizeof(id), "%s-%llx", b->tag,
		    (unsigned long long)counter);
		memcpy(data, &counter, sizeof(counter));
		size =
		    BARE_SIZE_MIN + rng_below(&rng, SIZE - BARE_SIZE_MIN + 1);
		now = clock_mono_ns();
		if (!update_key(b, subject, id, data, size, revision))
			continue;
		b->rounds++;
		hist_add(&b->publish, clock_mono_ns() - now);
		hist_add(&b->round, clock_mono_ns() - begun);
	}
	return 0;
}

static void
keys_tear_down(struct bare *b)
{
	char bucket[64], stream[72];

	names(b, bucket, sizeof(bucket), stream, sizeof(stream));
	(void)js_DeleteStream(b->js, stream, NULL, NULL); /* tidiness */
}

const struct bare_loop bare_keys = {
    .test = "kv-cas",
    .set_up = keys_set_up,
    .load = keys_load,
    .tear_down = keys_tear_down,
};

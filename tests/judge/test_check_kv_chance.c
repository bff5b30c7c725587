/* SPDX-License-Identifier: ISC */
/*
 * The check "kv" against a random bucket: an honest one must pass whatever
 * the order of its answers, and one fork in it must be found.
 */
#include "tests/stories/bucket_story.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/rng.h"

/*
 * A random honest bucket. Requests take effect at some moment between their
 * sending and their answer; answers may be lost; lost requests may take
 * effect much later or never; direct gets answer from the past.
 */

#define KEYS	4
#define CLIENTS 4
#define PAST	64

struct stored {
	uint64_t revision, id;
};

struct request {
	bool sent, done, answered, accepted;
	uint64_t n, expected, revision;
	uint32_t key;
};

struct bucket {
	struct rng rng;
	uint64_t last;
	struct stored past[KEYS][PAST]; /* the last one first */
	struct request requests[CLIENTS], late[CLIENTS];
	uint64_t known[CLIENTS][KEYS], counters[CLIENTS];
	bool forks; /* the plant: expectations are not looked at once */
};

static void
take_effect(struct bucket *s, uint32_t source, struct request *r)
{
	struct stored *past = s->past[r->key];

	if (r->done)
		return;
	r->done = true;
	r->accepted = past[0].revision == r->expected;
	if (!r->accepted && s->forks && past[0].revision > r->expected &&
	    r->expected != 0) {
		r->accepted = true;
		s->forks = false;
	}
	if (!r->accepted)
		return;
	memmove(past + 1, past, (PAST - 1) * sizeof(*past));
	past[0].revision = r->revision = ++s->last;
	past[0].id = ID(source, r->n);
}

static void
client_sends(struct bucket *s, struct bucket_story *b, uint32_t client)
{
	struct request *r = &s->requests[client];
	uint32_t source = A + client;

	memset(r, 0, sizeof(*r));
	r->sent = true;
	r->n = ++s->counters[client];
	r->key = (uint32_t)rng_below(&s->rng, KEYS);
	r->expected = s->known[client][r->key];
	bucket_update(b, source, r->n, r->key, r->expected);
}

static void
client_learns(struct bucket *s, struct bucket_story *b, uint32_t client)
{
	struct request *r = &s->requests[client];
	uint32_t source = A + client;

	r->sent = false;
	if (rng_below(&s->rng, 8) == 0) {
		bucket_unknown(b, source, r->n);
		bucket_over(b, source, r->n, 2);
		if (!r->done)
			s->late[client] = *r;
		return;
	}
	take_effect(s, source, r);
	if (r->accepted) {
		bucket_accept(b, source, r->n, r->key, r->revision);
		s->known[client][r->key] = r->revision;
		return;
	}
	bucket_reject(b, source, r->n, r->key);
	bucket_over(b, source, r->n, 1);
}

static void
client_reads(struct bucket *s, struct bucket_story *b, uint32_t client)
{
	uint32_t key = (uint32_t)rng_below(&s->rng, KEYS), source = A + client;
	bool direct = rng_below(&s->rng, 2) == 0;
	uint64_t age = direct ? rng_below(&s->rng, PAST / 2) : 0;
	const struct stored *v = &s->past[key][age];
	uint8_t path = direct ? DIRECT : LEADER;

	bucket_ask(b, source, key, path);
	bucket_answer(b, source, bucket_value(key, path, v->revision, v->id));
	if (v->revision > s->known[client][key])
		s->known[client][key] = v->revision;
}

static void
bucket_runs(struct bucket *s, struct bucket_story *b, unsigned steps)
{
	struct request *r;
	uint32_t client;

	while (steps-- > 0) {
		client = (uint32_t)rng_below(&s->rng, CLIENTS);
		r = &s->requests[client];
		if (rng_below(&s->rng, 16) == 0 && s->late[client].sent)
			take_effect(s, A + client, &s->late[client]);
		if (!r->sent && rng_below(&s->rng, 2) == 0)
			client_reads(s, b, client);
		else if (!r->sent)
			client_sends(s, b, client);
		else if (rng_below(&s->rng, 2) == 0)
			take_effect(s, A + client, r);
		else
			client_learns(s, b, client);
	}
}

static void
bucket_is_audited(const struct bucket *s, struct bucket_story *b)
{
	uint32_t key;

	bucket_scan_begin(b);
	for (key = 0; key < KEYS; key++) {
		bucket_final(b, LEADER, key, s->past[key][0].revision,
		    s->past[key][0].id);
		if (s->past[key][0].revision != 0)
			bucket_final(b, CONSUMER, key, s->past[key][0].revision,
			    s->past[key][0].id);
	}
	bucket_scan_end(b);
}

static void
legal_chance(void **state)
{
	struct bucket *s = calloc(1, sizeof(*s));
	struct bucket_story b;
	uint64_t seed;

	(void)state;
	assert_non_null(s);
	for (seed = 1; seed <= 40; seed++) {
		memset(s, 0, sizeof(*s));
		rng_init(&s->rng, seed, "honest");
		b = bucket_begin();
		bucket_runs(s, &b, 3000);
		bucket_is_audited(s, &b);
		b.expected[ANOMALY_STALE_READ][CLASS_DOCUMENTED] =
		    judge_count(b.judge, ANOMALY_STALE_READ, CLASS_DOCUMENTED);
		bucket_end(&b);
	}
	free(s);
}

/* One fork in such a bucket is always found. */
static void
plant_chance(void **state)
{
	struct bucket *s = calloc(1, sizeof(*s));
	struct bucket_story b;
	uint64_t seed;

	(void)state;
	assert_non_null(s);
	for (seed = 1; seed <= 40; seed++) {
		memset(s, 0, sizeof(*s));
		rng_init(&s->rng, seed, "fork");
		b = bucket_begin();
		bucket_runs(s, &b, 1000);
		s->forks = true;
		bucket_runs(s, &b, 1000);
		bucket_is_audited(s, &b);
		assert_false(s->forks);
		assert_true(judge_count(b.judge, ANOMALY_CAS_VIOLATED,
				CLASS_VIOLATION) >= 1);
		judge_destroy(b.judge);
	}
	free(s);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plant_chance),
	    cmocka_unit_test(legal_chance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/*
 * kv-cas: compare and set on the keys of a replicated bucket:
 *
 *	for i in 1..N { read(k); verify k; update(k) with the revision last
 *	known to be committed }
 *
 * The bucket is a stream made as ADR-8 says, and the calls are those that a
 * KV client sends, without the client library's KV layer: that one hides
 * the error codes by which "refused" and "unknown" are told apart. One
 * client has a perfect view of what it saw; several contend for the same
 * keys. Nothing is judged here: the check "kv" does that for all clients.
 *
 * All attempts of an update carry one message id, so a retry of one that
 * was stored comes back as its duplicate and never as a second update.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"
#include "worker/workloads/kv_cas/kv_cas.h"

#define FORGET_NS   CLOCK_S
#define LEADER_TURN 4 /* each so many re-reads go to the leader */

static const char *const read_modes[] = {"leader", "direct", "mixed", NULL};

static const struct option_spec options[] = {
    {"keys", OPTION_U64, offsetof(struct kv_options, keys), 8, "8", 1, KEYS_MAX,
	NULL, "N", "keys of the bucket", false},
    {"size", OPTION_U64, offsetof(struct kv_options, size), 8, "512",
	PAYLOAD_MIN, PAYLOAD_MAX, NULL, "BYTES",
	"longest value; each has a random size up to it", false},
    {"history", OPTION_U64, offsetof(struct kv_options, history), 8, "1", 1, 64,
	NULL, "N", "revisions that the bucket keeps of a key", false},
    {"read", OPTION_CHOICE, offsetof(struct kv_options, read),
	sizeof(((struct kv_options *)0)->read), "leader", 0, 0, read_modes,
	"PATH", "who answers reads", false},
    {"confirm", OPTION_DURATION, offsetof(struct kv_options, confirm_ns), 8,
	"20s", CLOCK_S, 3600 * CLOCK_S, NULL, "TIME",
	"how long a read may stay older than the last commit", false},
    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
};

/* As ADR-8 says, except that allow_direct is what the test is about. */
static void
bucket_config(const struct worker *w, jsStreamConfig *sc)
{
	const struct kv_options *o = w->options;
	const struct kv_state *kv = w->state;

	setup_stream_config(w, kv->stream, sc);
	sc->MaxMsgsPerSubject = (int64_t)o->history;
	sc->Discard = js_DiscardNew;
	sc->AllowRollup = true;
	sc->DenyDelete = true;
	sc->AllowDirect = kv->mode != READ_LEADER;
	sc->Duplicates = (int64_t)DEDUPE_NS;
}

static int
kv_setup(struct worker *w)
{
	struct kv_state *kv = w->state;
	char subject[96];
	const char *subjects[1] = {subject};
	jsStreamConfig sc;

	kv_names(w);
	text_format(subject, sizeof(subject), "$KV.%s.>", kv->bucket);
	bucket_config(w, &sc);
	sc.Subjects = subjects;
	sc.SubjectsLen = 1;
	return setup_add_stream(w, 0, &sc);
}

static int
kv_begin(struct worker *w)
{
	const struct kv_options *o = w->options;
	struct kv_state *kv = w->state;
	char stream[32];

	kv_names(w);
	text_format(
	    stream, sizeof(stream), "kv %u.%u", w->source, w->incarnation);
	rng_init(&kv->rng, w->config.seed, stream);
	kv->data = malloc(o->size);
	return kv->data != NULL ? 0 : -ENOMEM;
}

static enum kv_path
choose_path(struct kv_state *kv)
{
	if (kv->mode == READ_LEADER)
		return PATH_LEADER;
	/* Old answers of one replica prove nothing: ask the leader as well. */
	if (kv->doubt_ns != 0 && ++kv->rereads % LEADER_TURN == 0)
		return PATH_LEADER;
	if (kv->mode == READ_MIXED && rng_below(&kv->rng, 2) == 0)
		return PATH_LEADER;
	return PATH_DIRECT;
}

/*
 * Older than what is known to be committed: read again until it agrees. If
 * that takes longer than it should, go on from what is there, so that the
 * run does: updating what was really overwritten would be refused.
 */
static bool
is_too_old(struct worker *w, const struct kv_reading *r)
{
	const struct kv_options *o = w->options;
	struct kv_state *kv = w->state;
	struct kv_key *k = &kv->keys[kv->key];
	uint64_t now = clock_mono_ns(), patience = o->confirm_ns;

	if (r->revision >= k->revision) {
		kv->doubt_ns = 0;
		return false;
	}
	if (kv->doubt_ns == 0) {
		kv->doubt_ns = now;
		kv->rereads = 0;
		memset(&kv->pause, 0, sizeof(kv->pause));
	}
	/* Memory storage may lawfully forget: waiting for it is of no use. */
	if (strcmp(w->config.storage, "memory") == 0 && patience > FORGET_NS)
		patience = FORGET_NS;
	if (now >= kv->doubt_ns + patience) {
		kv->doubt_ns = 0;
		return false;
	}
	session_backoff(&kv->pause, &w->child);
	return true;
}

static int
kv_step(struct worker *w)
{
	const struct kv_options *o = w->options;
	struct kv_state *kv = w->state;
	struct kv_reading r;

	if (kv->doubt_ns == 0)
		kv->key = (uint32_t)rng_below(&kv->rng, o->keys);
	if (kv_read_key(w, kv->key, choose_path(kv), &r) < 0) {
		session_backoff(&kv->pause, &w->child);
		return 0;
	}
	if (is_too_old(w, &r))
		return 0;
	memset(&kv->pause, 0, sizeof(kv->pause));
	kv_know(&kv->keys[kv->key], r.revision, r.payload.id);
	kv_update_key(w, kv->key);
	return 0;
}

static void
kv_command(struct worker *w, const struct event *cmd)
{
	const struct kv_options *o = w->options;
	struct kv_state *kv = w->state;
	uint64_t id = cmd->u.give_up.id, i;

	if (cmd->type != MESSAGE_GIVE_UP || id == 0)
		return;
	if (id == kv->now.id)
		kv->now.given_up = true;
	/* The parent has called it lost: nobody waits for it any more. */
	for (i = 0; i < o->keys; i++)
		if (kv->keys[i].id == id) {
			kv_know(&kv->keys[i], 0, 0);
			if (kv->key == i)
				kv->doubt_ns = 0;
		}
}

static void
kv_end(struct worker *w)
{
	struct kv_state *kv = w->state;

	free(kv->data);
}

static const struct workload_role roles[] = {
    {"client", WORKLOAD_CLIENTS, true},
    {NULL, WORKLOAD_ONE, false},
};

const struct workload_ops workload_kv_cas = {
    .name = "kv-cas",
    .summary = "clients read keys and update them by compare-and-set",
    .roles = roles,
    .clients = 4, /* one alone contends with nobody */
    .options = options,
    .options_size = sizeof(struct kv_options),
    .state_size = sizeof(struct kv_state),
    .setup = kv_setup,
    .audit = kv_audit,
    .begin = kv_begin,
    .step = kv_step,
    .command = kv_command,
    .end = kv_end,
};

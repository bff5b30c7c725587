/* SPDX-License-Identifier: ISC */
/* What all parts use; see kv.h. */
#include <string.h>

#include "orchestrator/check/kv/kv.h"
#include "proto/base/array.h"
#include "proto/base/text.h"

#define KEYS_MAX 1024

enum anomaly_class
kv_loss_class(const struct check *c)
{
	const struct kv_state *st = c->state;
	const struct ledger_stream *s = ledger_stream(c->ledger, st->stream);

	if (s != NULL && strcmp(s->storage, "memory") == 0 &&
	    c->faults->applied > 0)
		return CLASS_DOCUMENTED;
	return CLASS_VIOLATION;
}

struct anomaly
kv_anomaly(const struct check *c, enum anomaly_kind kind, uint64_t id,
    uint64_t revision)
{
	const struct kv_state *st = c->state;
	struct anomaly a = {.kind = kind, .stream = st->stream};

	a.class = kv_loss_class(c);
	a.ids[0] = id;
	a.seqs[0] = revision;
	return a;
}

struct kv_id_text
kv_id_text(uint64_t id)
{
	struct kv_id_text t;

	text_format(t.s, sizeof(t.s), "%u:%llu", message_id_source(id),
	    (unsigned long long)message_id_counter(id));
	return t;
}

struct kv_key *
kv_key_at(struct kv_state *st, uint32_t key)
{
	return array_at(
	    &st->keys, &st->nkeys, key, sizeof(struct kv_key), KEYS_MAX);
}

uint32_t
kv_replicas_of(const struct check *c)
{
	const struct kv_state *st = c->state;
	const struct ledger_stream *s = ledger_stream(c->ledger, st->stream);

	return s != NULL ? s->replicas : 0;
}

struct kv_client *
kv_client_at(struct kv_state *st, uint32_t source)
{
	return array_at(&st->clients, &st->nclients, source,
	    sizeof(struct kv_client), CHECK_SLOTS_MAX);
}

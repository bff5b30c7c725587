/* SPDX-License-Identifier: ISC */
/* What all parts use; see kv.h. */
#include <stddef.h>
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

const struct kv_settings *
kv_settings(const struct check *c)
{
	static const struct option_spec rows[] = {
	    {"confirm", OPTION_DURATION,
		offsetof(struct kv_settings, confirm_ns), 8, "20s", 0,
		UINT64_MAX, NULL, NULL, NULL, false},
	    {"history", OPTION_U64, offsetof(struct kv_settings, history), 8,
		"1", 0, UINT64_MAX, NULL, NULL, NULL, false},
	    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
	};
	struct kv_state *st = c->state;
	static const char prefix[] = "kv-cas.";
	char why[OPTION_WHY_MAX], name[32];
	const char *extra, *value;
	size_t i;

	if (st->has_settings)
		return &st->settings;
	st->has_settings = true;
	option_defaults(rows, &st->settings);
	for (i = 0; i < c->config->nextras; i++) {
		extra = c->config->extras[i];
		value = strchr(extra, '=');
		if (value == NULL ||
		    strncmp(extra, prefix, strlen(prefix)) != 0)
			continue;
		text_format(name, sizeof(name), "%.*s",
		    (int)(value - extra - (ptrdiff_t)strlen(prefix)),
		    extra + strlen(prefix));
		/* Other options are the workload's own business. */
		(void)option_set(rows, &st->settings, "", name, value + 1, why);
	}
	return &st->settings;
}

struct check_span
kv_span(const struct check *c, uint64_t from_ns, uint64_t to_ns)
{
	const struct kv_state *st = c->state;
	const struct ledger_stream *s = ledger_stream(c->ledger, st->stream);

	return (struct check_span){.what = LEADERS_STREAM,
	    .name = s != NULL ? s->name : "",
	    .replicas = kv_replicas_of(c),
	    .from_ns = from_ns,
	    .to_ns = to_ns};
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

	return ledger_replicas(c->ledger, st->stream);
}

struct kv_client *
kv_client_at(struct kv_state *st, uint32_t source)
{
	return array_at(&st->clients, &st->nclients, source,
	    sizeof(struct kv_client), CHECK_SLOTS_MAX);
}

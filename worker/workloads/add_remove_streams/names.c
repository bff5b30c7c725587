/* SPDX-License-Identifier: ISC */
/* What streams are called, and their configurations; see add_remove_streams.h.
 */
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "worker/workloads/add_remove_streams/add_remove_streams.h"

#define VARIANT_NONE UINT32_MAX /* a configuration that nobody gave */
#define SIZE_LEAST   4096	/* max_msg_size of variant 0 */
#define DEDUPE_LEAST 60		/* its duplicate window, in seconds */
#define DESCRIPTION  "natsburn stream "

void
ar_prefix_whole(const struct worker *w, char *name, size_t size)
{
	worker_stream_name(w, "", name, size);
}

void
ar_prefix_own(const struct worker *w, char *name, size_t size)
{
	char suffix[16];

	text_format(suffix, sizeof(suffix), "%u_", w->source);
	worker_stream_name(w, suffix, name, size);
}

void
ar_filter(const struct worker *w, bool is_whole, char *out, size_t size)
{
	char suffix[16] = ">";

	if (!is_whole)
		text_format(suffix, sizeof(suffix), "%u.>", w->source);
	worker_subject(w, suffix, out, size);
}

/* A new name, which no other process uses: it has client and incarnation. */
static void
name_new(struct worker *w, struct ar_held *h)
{
	struct ar_state *s = w->state;
	char suffix[64];

	s->names++;
	text_format(suffix, sizeof(suffix), "%u_%u_%llu", w->source,
	    w->incarnation, (unsigned long long)s->names);
	worker_stream_name(w, suffix, h->name, sizeof(h->name));
	text_format(suffix, sizeof(suffix), "%u.%u.%llu", w->source,
	    w->incarnation, (unsigned long long)s->names);
	worker_subject(w, suffix, h->subject, sizeof(h->subject));
}

void
ar_config(const struct worker *w, const struct ar_held *h, jsStreamConfig *sc,
    char *description, size_t size)
{
	text_format(
	    description, size, DESCRIPTION "%llu", (unsigned long long)h->id);
	setup_stream_config(w, h->name, sc);
	sc->Description = description;
	sc->MaxMsgSize = (int32_t)(SIZE_LEAST + h->variant);
	sc->Duplicates = (int64_t)((DEDUPE_LEAST + h->variant) * CLOCK_S);
}

/* The subject that goes with a name: NB_<run>_3_1_7 has nb.<run>.3.1.7. */
static void
subject_of(const struct worker *w, const char *name, char *out, size_t size)
{
	char prefix[64];
	size_t i, own;

	ar_prefix_whole(w, prefix, sizeof(prefix));
	worker_subject(w, "", out, size);
	own = strlen(out);
	if (strncmp(name, prefix, strlen(prefix)) != 0)
		return; /* not ours: no subject fits */
	text_add(out, size, "%s", name + strlen(prefix));
	for (i = own; out[i] != '\0'; i++)
		if (out[i] == '_')
			out[i] = '.';
}

uint32_t
ar_variant(const struct worker *w, const jsStreamConfig *sc)
{
	char asked[SETUP_CONFIG_MAX], got[SETUP_CONFIG_MAX], description[64];
	int64_t v = sc->MaxMsgSize - SIZE_LEAST;
	struct ar_held h = {.variant = (uint32_t)v};
	const char *subjects[1] = {h.subject};
	jsStreamConfig expected;

	if (v < 0 || v >= VARIANTS)
		return VARIANT_NONE;
	text_set(h.name, sizeof(h.name), sc->Name);
	subject_of(w, sc->Name, h.subject, sizeof(h.subject));
	ar_config(w, &h, &expected, description, sizeof(description));
	expected.Subjects = subjects;
	expected.SubjectsLen = 1;
	setup_config_text(&expected, asked);
	setup_config_text(sc, got);
	return strcmp(asked, got) == 0 ? (uint32_t)v : VARIANT_NONE;
}

uint64_t
ar_id(const jsStreamConfig *sc)
{
	size_t len = sizeof(DESCRIPTION) - 1;
	uint64_t id = 0;

	if (sc->Description == NULL ||
	    strncmp(sc->Description, DESCRIPTION, len) != 0 ||
	    text_to_u64(sc->Description + len, UINT64_MAX, &id) < 0)
		return 0;
	return id;
}

void
ar_name_pick(struct worker *w, struct ar_held *h)
{
	struct ar_state *s = w->state;
	const struct ar_options *o = w->options;
	struct ar_used *u;

	if (s->nused == 0 || rng_below(&s->rng, 100) >= o->again) {
		name_new(w, h);
		return;
	}
	u = &s->used[rng_below(&s->rng, s->nused)];
	text_set(h->name, sizeof(h->name), u->name);
	text_set(h->subject, sizeof(h->subject), u->subject);
	*u = s->used[--s->nused];
}

void
ar_name_return(struct ar_state *s, const struct ar_held *h)
{
	struct ar_used *u;

	if (s->nused < USED_MAX)
		u = &s->used[s->nused++];
	else
		u = &s->used[rng_below(&s->rng, USED_MAX)];
	text_set(u->name, sizeof(u->name), h->name);
	text_set(u->subject, sizeof(u->subject), h->subject);
}

bool
ar_is_own_name(const struct worker *w, const char *name)
{
	char suffix[32], prefix[64];

	text_format(
	    suffix, sizeof(suffix), "%u_%u_", w->source, w->incarnation);
	worker_stream_name(w, suffix, prefix, sizeof(prefix));
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

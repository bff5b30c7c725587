/* SPDX-License-Identifier: ISC */
/* The streams of a client, compared with a listing; see add_remove_streams.h.
 */
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "worker/workloads/add_remove_streams/add_remove_streams.h"

#define WHOLE_CLIENTS 8 /* clients that always list everything */

struct ar_held *
ar_held_add(struct ar_state *s, const struct ar_held *h)
{
	struct ar_held *new =
	    array_at(&s->held, &s->room, s->nheld, sizeof(*new), UINT32_MAX);

	if (new == NULL)
		return NULL;
	s->nheld++;
	*new = *h;
	return new;
}

void
ar_held_drop(struct ar_state *s, uint32_t i)
{
	s->held[i] = s->held[--s->nheld];
}

static struct ar_held *
held_find(struct ar_state *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->nheld; i++)
		if (strcmp(s->held[i].name, name) == 0)
			return &s->held[i];
	return NULL;
}

uint32_t
ar_held_good(const struct ar_state *s)
{
	uint32_t i, n = 0;

	for (i = 0; i < s->nheld; i++)
		n += s->held[i].state == HELD_GOOD;
	return n;
}

static bool
row_is_wrong(
    const struct worker *w, const struct ar_held *h, const struct ar_row *r)
{
	if (r->created == 0)
		return false; /* its state isn't known */
	if (r->id != h->id || r->variant != h->variant)
		return true;
	if (r->messages > h->filled + h->unheard)
		return true;
	/* Memory storage may forget: not worth waiting for. */
	return r->messages < h->filled &&
	       strcmp(w->config.storage, "memory") != 0;
}

static void
verify_row(struct worker *w, const struct ar_row *r)
{
	struct ar_state *s = w->state;
	struct ar_held *h = held_find(s, r->name), stray = {0};

	if (h == NULL) {
		if (!ar_is_own_name(w, r->name))
			return;
		stray.id = r->id;
		stray.state = HELD_STRAY;
		text_set(stray.name, sizeof(stray.name), r->name);
		h = ar_held_add(s, &stray);
		if (h == NULL)
			return; /* the check sees it anyway */
	}
	h->is_listed = true;
	if (h->state == HELD_STRAY)
		h->is_wrong = true;
	else if (h->state == HELD_GOOD)
		h->is_wrong = row_is_wrong(w, h, r);
}

/* Compare the latest listing with what there should be. */
static bool
verify(struct worker *w)
{
	struct ar_state *s = w->state;
	struct ar_held *h;
	bool is_right = true;
	uint32_t i;

	for (i = 0; i < s->nheld; i++)
		s->held[i].is_listed = s->held[i].is_wrong = false;
	for (i = 0; i < s->view.n; i++)
		verify_row(w, &s->view.rows[i]);
	for (i = 0; i < s->nheld;) {
		h = &s->held[i];
		if (h->state == HELD_STRAY && !h->is_listed) {
			ar_held_drop(s, i);
			continue;
		}
		if (h->state == HELD_GOOD && !h->is_listed)
			h->is_wrong = true;
		is_right &= !h->is_wrong;
		i++;
	}
	return is_right;
}

int
ar_list_verify(struct worker *w)
{
	struct ar_state *s = w->state;
	uint64_t clients = w->config.clients;
	bool is_whole = clients <= WHOLE_CLIENTS ||
			rng_below(&s->rng, clients) < WHOLE_CLIENTS;
	int err;

	s->view.is_thorough = s->wrong_ns != 0;
	err = ar_list(w, &s->view, ++s->listings, is_whole);
	if (err < 0)
		return err;
	if (verify(w))
		s->wrong_ns = 0;
	else if (s->wrong_ns == 0) {
		s->wrong_ns = clock_mono_ns();
		s->pause.step = 0;
	}
	return 0;
}

void
ar_ignore_wrong(struct ar_state *s)
{
	size_t i;

	for (i = 0; i < s->nheld; i++)
		if (s->held[i].is_wrong)
			s->held[i].state = HELD_IGNORED;
	s->wrong_ns = 0;
}

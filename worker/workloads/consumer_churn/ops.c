/* SPDX-License-Identifier: ISC */
/*
 * What is done with consumers that are there: a table. A new operation is a
 * row: its name, how often it is done, what its server has to know, when a
 * consumer can have it, and what it does.
 */
#include <string.h>

#include "worker/workloads/consumer_churn/consumer_churn.h"

#define PULL_NS	   (CLOCK_S / 10)
#define DRAIN_NS   (5 * CLOCK_S)  /* an ack wait, and more */
#define PAUSE_MAX  4		  /* seconds */
#define REST_MAX   10		  /* likewise */
#define LEAVE_MAX  (20 * CLOCK_S) /* one that goes so soon is left alone */
#define IDLE_MS	   20		  /* with one that nobody uses */
#define LOOK_TIMES 3
/* Of a request: from less than a message to some ten. */
#define BYTES_LEAST 200
#define BYTES_MORE  4000

static uint64_t
below(struct worker *w, uint64_t n)
{
	struct churn *s = w->state;

	return rng_below(&s->rng, n);
}

/* An edit of the consumer of a place, which begins as it is. */
static struct churn_edit *
edit_begin(struct worker *w, struct churn_place *p, enum message_word what)
{
	struct churn *s = w->state;
	struct churn_edit *e = &s->edit;

	memset(e, 0, sizeof(*e));
	e->at = p;
	e->what = what;
	e->is_strict = s->streams[p->life.terms.stream].level >= CHURN_2_10;
	e->terms = p->life.terms;
	memcpy(e->config, p->life.config, sizeof(e->config));
	return e;
}

/* Do it. One whose outcome is unknown may be done later. */
static enum outcome
edit_end(struct worker *w, struct churn_place *p)
{
	enum outcome outcome = churn_edit(w);

	if (outcome == OUTCOME_UNKNOWN)
		p->life.state = LIFE_DOUBTED;
	return outcome;
}

static bool
always(const struct churn_life *l)
{
	(void)l; /* any will do */
	return true;
}

static bool
is_running(const struct churn_life *l)
{
	return !l->is_paused;
}

static bool
is_paused(const struct churn_life *l)
{
	return l->is_paused;
}

static bool
is_pulled(const struct churn_life *l)
{
	return l->terms.kind == KIND_PULL;
}

static bool
is_short_lived(const struct churn_life *l)
{
	return l->terms.inactive_ns != 0 && l->terms.inactive_ns <= LEAVE_MAX;
}

static int
act_pull(struct worker *w, struct churn_place *p)
{
	struct churn_take take = {.batch = 1 + (uint32_t)below(w, 40),
	    .expires_ns = PULL_NS,
	    .is_instant = below(w, 2) == 0,
	    .is_silent = below(w, 8) == 0};
	int got;

	if (below(w, 4) == 0)
		take.max_bytes = BYTES_LEAST + below(w, BYTES_MORE);
	if (take.is_instant && below(w, 2) == 0)
		take.is_one_shot = true;
	else if (below(w, 4) == 0)
		take.heartbeat_ns = PULL_NS / 4;
	got = churn_take(w, p, &take);
	return got < 0 ? got : 0;
}

static int
act_drain(struct worker *w, struct churn_place *p)
{
	return churn_drain(w, p, DRAIN_NS);
}

static int
act_see(struct worker *w, struct churn_place *p)
{
	struct churn_seen seen = {.found = false};
	struct backoff b = {.step = 4};
	unsigned n;

	for (n = 0; n < LOOK_TIMES && !seen.found; n++) {
		if (!churn_see(w, p, false, &seen))
			return 0;
		if (!seen.found)
			session_backoff(&b, &w->child);
	}
	/* It has ended by itself, or should not have. */
	return seen.found ? 0 : churn_end(w, p);
}

static int
act_list(struct worker *w, struct churn_place *p)
{
	churn_list(w, p->life.terms.stream);
	return 0;
}

/* Made again, as it is: nothing happens. */
static int
act_again(struct worker *w, struct churn_place *p)
{
	edit_begin(w, p, EDIT_CREATE);
	(void)edit_end(w, p); /* its events say how it ended */
	return 0;
}

/* Made as another one, which is refused. */
static int
act_refused(struct worker *w, struct churn_place *p)
{
	struct churn_edit *e = edit_begin(w, p, EDIT_CREATE);

	churn_terms_spoil(&e->terms);
	churn_terms_write(w, &p->life, &e->terms, 0, e->config);
	(void)edit_end(w, p); /* its events say how it ended */
	return 0;
}

static int
act_update(struct worker *w, struct churn_place *p)
{
	struct churn_edit *e = edit_begin(w, p, EDIT_UPDATE);

	churn_terms_vary(w, &e->terms);
	churn_terms_write(
	    w, &p->life, &e->terms, below(w, UINT32_MAX), e->config);
	(void)edit_end(w, p); /* its events say how it ended */
	return 0;
}

static int
act_pause(struct worker *w, struct churn_place *p)
{
	struct churn_edit *e = edit_begin(w, p, EDIT_PAUSE);
	struct churn_seen seen;

	e->until_ns = clock_wall_ns() / (int64_t)CLOCK_S * (int64_t)CLOCK_S +
		      (int64_t)((2 + below(w, PAUSE_MAX)) * CLOCK_S);
	/* The answer promises nothing; what is seen then does. */
	if (edit_end(w, p) == OUTCOME_OK)
		(void)churn_see(w, p, false, &seen);
	return 0;
}

static int
act_resume(struct worker *w, struct churn_place *p)
{
	edit_begin(w, p, EDIT_PAUSE);
	(void)edit_end(w, p); /* its events say how it ended */
	return 0;
}

/* What was not answered waits for its client, as does what comes. */
static int
act_rest(struct worker *w, struct churn_place *p)
{
	p->life.rests_ns = clock_mono_ns() + (1 + below(w, REST_MAX)) * CLOCK_S;
	return 0;
}

static int
act_leave(struct worker *w, struct churn_place *p)
{
	churn_leave(w, p);
	return 0;
}

static const struct churn_row rows[] = {
    {"pull", 40, CHURN_2_9, always, act_pull},
    {"drain", 5, CHURN_2_9, is_running, act_drain},
    {"see", 5, CHURN_2_9, always, act_see},
    {"list", 2, CHURN_2_9, always, act_list},
    {"again", 3, CHURN_2_9, always, act_again},
    {"refused", 3, CHURN_2_10, always, act_refused},
    {"update", 8, CHURN_2_9, always, act_update},
    {"pause", 3, CHURN_2_11, is_running, act_pause},
    {"resume", 6, CHURN_2_11, is_paused, act_resume},
    {"rest", 1, CHURN_2_9, is_pulled, act_rest},
    {"leave", 2, CHURN_2_9, is_short_lived, act_leave},
    {"delete", 3, CHURN_2_9, always, churn_end},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* Of one that nobody uses. */
static int
wait_for(struct worker *w, struct churn_place *p)
{
	worker_commands(w, IDLE_MS);
	if (p->life.state == LIFE_LEFT)
		return churn_await_gone(w, p);
	if (p->life.state == LIFE_ENDED)
		churn_recheck(w, p);
	return 0;
}

int
churn_operate(struct worker *w, struct churn_place *p)
{
	const struct churn *s = w->state;
	const struct churn_life *l = &p->life;
	const struct churn_row *row = rows;
	uint64_t sum = 0, at;
	size_t i;

	if (l->state == LIFE_DOUBTED)
		return churn_end(w, p);
	if (l->state == LIFE_ENDED || l->state == LIFE_LEFT ||
	    l->rests_ns > clock_mono_ns())
		return wait_for(w, p);
	for (i = 0; i < ROWS; i++)
		sum += rows[i].weight;
	at = below(w, sum);
	for (; at >= row->weight; row++)
		at -= row->weight;
	if (row->level > s->streams[l->terms.stream].level || !row->draw(l))
		return 0;
	return row->act(w, p);
}

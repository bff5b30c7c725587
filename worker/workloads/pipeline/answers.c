/* SPDX-License-Identifier: ISC */
/* How a consumer process answers, and the back-off; see pipeline.h. */
#include <errno.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/option.h"
#include "proto/base/text.h"
#include "worker/workloads/pipeline/pipeline.h"

#define ITEM_MAX   64
#define WEIGHT_MAX 1000
#define WAIT_MAX   (3600 * CLOCK_S)

static const char *const names[PIPE_ANSWERS] = {
    [PIPE_ACK] = "ack",
    [PIPE_NAK] = "nak",
    [PIPE_NAK_DELAY] = "nak-delay",
    [PIPE_TERM] = "term",
    [PIPE_PROGRESS] = "progress",
    [PIPE_NONE] = "none",
};

static int
complain(const char *item, const char *what, char *why)
{
	size_t i;

	text_format(why, OPTION_WHY_MAX,
	    "-o pipeline.answers: \"%s\" %s; allowed are NAME:WEIGHT,... with "
	    "weights from 0 to %d of",
	    item, what, WEIGHT_MAX);
	for (i = 0; i < PIPE_ANSWERS; i++)
		text_add(
		    why, OPTION_WHY_MAX, "%s %s", i == 0 ? "" : ",", names[i]);
	return -EINVAL;
}

static size_t
find(const char *name)
{
	size_t i = 0;

	while (i < PIPE_ANSWERS && strcmp(names[i], name) != 0)
		i++;
	return i;
}

int
pipe_answers_read(
    const struct pipe_options *o, struct pipe_answers *a, char *why)
{
	const char *list = o->answers;
	char item[ITEM_MAX], name[ITEM_MAX], *colon;
	uint64_t value;
	size_t row;

	memset(a, 0, sizeof(*a));
	while (text_next_item(&list, item, sizeof(item))) {
		text_set(name, sizeof(name), item);
		colon = strchr(name, ':');
		if (colon == NULL)
			return complain(item, "has no weight", why);
		*colon = '\0';
		row = find(name);
		if (row == PIPE_ANSWERS)
			return complain(item, "is no answer", why);
		if (text_to_u64(colon + 1, WEIGHT_MAX, &value) < 0)
			return complain(item, "has no such weight", why);
		a->sum += value - a->weights[row];
		a->weights[row] = value;
	}
	/* A message has to leave its consumer somehow. */
	if (o->answers[0] != '\0' && o->max_deliver == 0 &&
	    a->weights[PIPE_ACK] + a->weights[PIPE_TERM] +
		    a->weights[PIPE_PROGRESS] ==
		0)
		return complain(o->answers, "ends no message", why);
	if (o->answers[0] != '\0' && a->sum == 0)
		return complain(o->answers, "leaves nothing to say", why);
	return 0;
}

enum pipe_answer_row
pipe_answers_draw(const struct pipe_answers *a, struct rng *r)
{
	uint64_t at = a->sum != 0 ? rng_below(r, a->sum) : 0;
	unsigned row = PIPE_ACK;

	for (; a->sum != 0 && at >= a->weights[row]; row++)
		at -= a->weights[row];
	return (enum pipe_answer_row)row;
}

int
pipe_backoff_read(const struct pipe_options *o, int64_t waits[PIPE_WAITS_MAX],
    int *n, char *why)
{
	const char *list = o->backoff;
	char item[ITEM_MAX];
	uint64_t ns;

	for (*n = 0; text_next_item(&list, item, sizeof(item)); (*n)++) {
		if (*n == PIPE_WAITS_MAX || text_to_duration(item, &ns) < 0 ||
		    ns < CLOCK_S / 10 || ns > WAIT_MAX) {
			text_format(why, OPTION_WHY_MAX,
			    "-o pipeline.backoff \"%s\": must be at most %d "
			    "times from 100ms to 1h, as in 1s,5s,10s",
			    o->backoff, PIPE_WAITS_MAX);
			return -EINVAL;
		}
		waits[*n] = (int64_t)ns;
	}
	return 0;
}

int
pipe_wait_read(const struct pipe_options *o, uint64_t *ns, char *why)
{
	int64_t waits[PIPE_WAITS_MAX];
	int n, i, err = pipe_backoff_read(o, waits, &n, why);

	*ns = n > 0 ? UINT64_MAX : o->ack_wait_ns;
	for (i = 0; err == 0 && i < n; i++)
		if ((uint64_t)waits[i] < *ns)
			*ns = (uint64_t)waits[i];
	return err;
}

void
pipe_tell_answer(struct worker *w, const struct pipe_said *s)
{
	struct event ev;
	struct msg_answer_invoke *m = &ev.u.answer_invoke;

	ev.type = MESSAGE_ANSWER_INVOKE;
	m->consumer = s->ack.consumer;
	m->seq = s->ack.seq;
	m->consumer_seq = s->ack.consumer_seq;
	m->id = s->ack.id;
	m->attempt = s->attempt;
	m->how = (uint8_t)s->how;
	m->awaited = s->how != ANSWER_NOTHING;
	m->delay_ns = s->delay_ns;
	child_emit(&w->child, &ev);
}

/* ANSWER_OK has the fields that ANSWER_UNKNOWN begins with. */
static struct event
outcome_of(enum message_type type, const struct pipe_said *s)
{
	struct event ev = {.type = type};
	struct msg_answer_unknown *m = &ev.u.answer_unknown;

	m->consumer = s->ack.consumer;
	m->seq = s->ack.seq;
	m->consumer_seq = s->ack.consumer_seq;
	m->id = s->ack.id;
	m->how = (uint8_t)s->how;
	return ev;
}

void
pipe_tell_answered(struct worker *w, const struct pipe_said *s)
{
	struct event ev = outcome_of(MESSAGE_ANSWER_OK, s);

	child_emit(&w->child, &ev);
}

void
pipe_tell_unanswered(struct worker *w, const struct pipe_said *s)
{
	struct event ev = outcome_of(MESSAGE_ANSWER_UNKNOWN, s);
	struct msg_answer_unknown *m = &ev.u.answer_unknown;

	m->gave_up = 1;
	text_set(m->why, sizeof(m->why), w->session.why);
	child_emit(&w->child, &ev);
}

/* SPDX-License-Identifier: ISC */
/* What goes on at the moment, and what is next; see operate.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"
#include "worker/denial.h"
#include "worker/operate/operate.h"

int
operate_init(struct worker *w, const struct operate_ops *ops,
    const char *weights, uint64_t streams)
{
	struct operate *s = w->state;
	char name[64], why[OPTION_WHY_MAX];
	uint32_t i;
	int err = operate_weights_read(ops, weights, s->weights, why);

	if (err < 0)
		return err;
	s->ops = ops;
	for (i = 0; i < OPERATE_ROWS_MAX; i++)
		s->weight += s->weights[i];
	text_format(name, sizeof(name), "%s client %u.%u", w->ops->name,
	    w->source, w->incarnation);
	rng_init(&s->rng, w->config.seed, name);
	s->streams = calloc(streams, sizeof(*s->streams));
	s->data = malloc(PAYLOAD_MAX);
	return s->streams != NULL && s->data != NULL ? 0 : -ENOMEM;
}

void
operate_fini(struct worker *w)
{
	struct operate *s = w->state;

	free(s->streams);
	free(s->data);
}

void
operate_command(struct worker *w, const struct event *cmd)
{
	struct operate *s = w->state;

	if (cmd->type == MESSAGE_GIVE_UP && cmd->u.give_up.id != 0 &&
	    cmd->u.give_up.id == s->at)
		s->given_up = true;
}

bool
operate_draw(struct worker *w, const struct operate_row *row, uint32_t stream,
    struct operation *op)
{
	struct operate *s = w->state;

	memset(op, 0, sizeof(*op));
	op->at = &s->streams[stream];
	op->stream = stream;
	return row->level <= op->at->level && row->draw(w, op);
}

void
operate_step(struct worker *w, uint32_t stream)
{
	struct operate *s = w->state;
	const struct operate_row *row;
	struct operation op;

	row = operate_weights_pick(s->ops, &s->rng, s->weights, s->weight);
	if (!operate_draw(w, row, stream, &op))
		return;
	if (op.at->is_full && row->send == operate_put &&
	    rng_below(&s->rng, 4) != 0)
		return;
	row->send(w, &op);
}

enum outcome
operate_ask(struct worker *w, const char *verb, const char *stream,
    const char *text, cJSON **tree)
{
	struct request r = {verb, stream, text, OPERATE_ATTEMPT_MS};

	return request_send(&w->session, &r, tree);
}

void
operate_at(struct operate *s, uint64_t id)
{
	s->at = id;
	s->given_up = false;
}

uint64_t
operate_next_id(struct worker *w)
{
	struct operate *s = w->state;

	if (s->counter == 0)
		s->counter = w->counter;
	return message_id(w->source, s->counter++);
}

bool
operate_must_give_up(struct worker *w, uint64_t since_ns, uint64_t patience_ns)
{
	const struct operate *s = w->state;
	bool stopping = worker_must_stop(w); /* and GIVE_UP may have come */
	uint64_t now = clock_mono_ns();

	return s->given_up || now >= since_ns + patience_ns ||
	       (stopping && now >= since_ns + w->config.op_timeout_ns) ||
	       denial_look(w) < 0;
}

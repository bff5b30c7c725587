/* SPDX-License-Identifier: ISC */
/*
 * counter: clients add to the same counters, and subtract:
 *
 *	for i in 1..N { one of { add, add the same again, reset, read } }
 *
 * What a message adds follows from its id (payload.h), so that the audit knows
 * it. Some add more than fits into 64 bits. One more stream may add up the
 * shared counters of all: it has them as its sources (ADR-49).
 */
#include <errno.h>
#include <stdlib.h>

#include "proto/base/text.h"
#include "worker/audit/audit.h"
#include "worker/audit/scan.h"
#include "worker/operate/operate.h"

#define STREAMS_MAX 64
#define LEVEL_2_12  2 /* of the API: counters */
#define DEDUPE_NS   (120 * CLOCK_S)
#define STALL_NS    (150 * CLOCK_S) /* guarantees 27 */

struct counter_options {
	struct plain_options plain; /* first, as operate.h has it */
	bool sums;
};

static const struct option_spec options[] = {
    {"streams", OPTION_U64, OPTION_AT(struct counter_options, plain.streams),
	"2", 1, STREAMS_MAX, NULL, "N", "streams", false},
    {"subjects", OPTION_U64, OPTION_AT(struct counter_options, plain.subjects),
	"4", 1, OPERATE_SUBJECTS_MAX, NULL, "N", "counters of each stream",
	false},
    {"weights", OPTION_STRING, OPTION_AT(struct counter_options, plain.weights),
	"", 0, 0, NULL, "LIST",
	"operations and how often: add:20,last:5; others are not done", false},
    {"sums", OPTION_FLAG, OPTION_AT(struct counter_options, sums), "false", 0,
	0, NULL, NULL, "one more stream adds up the counters of all", false},
    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
};

static bool
draw_add(struct worker *w, struct operation *op)
{
	const struct plain_options *o = w->options;

	op->subject = 1 + (uint32_t)operate_below(w, o->subjects);
	op->adds = true;
	return true;
}

static bool
draw_repeat(struct worker *w, struct operation *op)
{
	op->adds = true;
	return operate_draw_repeat(w, op);
}

static bool
draw_last(struct worker *w, struct operation *op)
{
	const struct plain_options *o = w->options;

	op->look = LOOK_LAST;
	op->is_direct = operate_below(w, 4) == 0;
	op->subject = 1 + (uint32_t)operate_below(w, o->subjects);
	return true;
}

/* Behind the shared ones, what this client alone adds to; 0: nothing. */
static uint32_t
own_counter(const struct worker *w)
{
	const struct plain_options *o = w->options;
	uint64_t n = o->subjects + 1 + w->index;

	return n <= OPERATE_SUBJECTS_MAX ? (uint32_t)n : 0;
}

static bool
draw_own(struct worker *w, struct operation *op)
{
	op->subject = own_counter(w);
	op->adds = true;
	return op->subject != 0;
}

static bool
draw_reset(struct worker *w, struct operation *op)
{
	op->how = REMOVER_PURGE;
	op->subject = own_counter(w);
	return op->subject != 0;
}

/* The next addition begins with nothing. */
static void
send_reset(struct worker *w, struct operation *op)
{
	struct operation add = {.at = op->at,
	    .stream = op->stream,
	    .subject = op->subject,
	    .adds = true};

	operate_remove(w, op);
	operate_put(w, &add);
}

static uint32_t
subject_read(const struct worker *w, uint32_t stream, const char *subject)
{
	return operate_subject_read(w, stream, OPERATE_SUBJECTS_MAX, subject);
}

static const struct operate_row rows[] = {
    {"add", 40, LEVEL_2_12, draw_add, operate_put},
    {"own", 6, LEVEL_2_12, draw_own, operate_put},
    {"reset", 2, LEVEL_2_12, draw_reset, send_reset},
    {"repeat", 3, LEVEL_2_12, draw_repeat, operate_put},
    {"get", 4, 0, plain_draw_get, operate_look},
    {"last", 6, 0, draw_last, operate_look},
    {"state", 1, 0, plain_draw_state, operate_look_state},
};

static const struct operate_ops counter_operate = {
    .option = "counter.weights",
    .rows = rows,
    .nrows = sizeof(rows) / sizeof(rows[0]),
    .subject = operate_subject,
    .subject_read = subject_read,
    .config_read = plain_config_read,
};

static int
validate(const struct run_config *c, const void *values, char *why)
{
	const struct plain_options *o = values;
	uint64_t weights[OPERATE_ROWS_MAX];

	(void)c; /* any run will do */
	return operate_weights_read(&counter_operate, o->weights, weights, why);
}

/* One of the streams that are added up: its shared counters, by their names. */
static cJSON *
write_source(const struct worker *w, uint32_t source, uint32_t sum)
{
	const struct plain_options *o = w->options;
	cJSON *to = cJSON_CreateObject(), *list, *item;
	char text[OPERATE_SUBJECT_MAX];
	uint32_t i;

	operate_name(w, source, text);
	json_put_text(to, "name", text);
	list = json_put_array(to, "subject_transforms");
	for (i = 1; i <= o->subjects; i++) {
		item = cJSON_CreateObject();
		operate_subject(w, source, i, text);
		json_put_text(item, "src", text);
		operate_subject(w, sum, i, text);
		json_put_text(item, "dest", text);
		json_append(list, item);
	}
	return to;
}

/* The stream that adds up, behind all others. */
static int
setup_sum(struct worker *w)
{
	const struct plain_options *o = w->options;
	uint32_t sum = (uint32_t)o->streams, i;
	cJSON *tree = cJSON_CreateObject(), *list, *answer;
	uint64_t created;
	char name[64], *text;
	int err = -ENOMEM;

	operate_name(w, sum, name);
	json_put_text(tree, "name", name);
	json_put_text(tree, "storage", w->config.storage);
	json_put_number(tree, "num_replicas", (double)w->config.replicas);
	json_put_number(tree, "duplicate_window", (double)DEDUPE_NS);
	json_put_bool(tree, "allow_direct", true);
	json_put_bool(tree, "allow_msg_counter", true);
	list = json_put_array(tree, "sources");
	for (i = 0; i < sum; i++)
		json_append(list, write_source(w, i, sum));
	text = cJSON_PrintUnformatted(tree);
	cJSON_Delete(tree);
	if (text != NULL)
		err = operate_make(w, name, text, &answer, &created);
	free(text);
	if (err < 0)
		return err;
	cJSON_Delete(answer);
	tell_stream(w, sum, name, created, DEDUPE_NS);
	child_flush(&w->child);
	return 0;
}

static int
setup(struct worker *w)
{
	const struct counter_options *o = w->options;
	int err = operate_require(
	    w, LEVEL_2_12, "counters came with nats-server 2.12");

	if (err == 0)
		err = plain_setup(
		    w, 0, o->plain.streams, "\"allow_msg_counter\":true");
	return err == 0 && o->sums ? setup_sum(w) : err;
}

/* What is in the streams: messages to be added up, those that are, sequences.
 */
struct standing {
	uint64_t wanted, summed, ends;
};

/* False when a stream did not answer. */
static bool
ask_standing(struct worker *w, struct standing *s)
{
	const struct plain_options *o = w->options;
	char name[64], subject[OPERATE_SUBJECT_MAX];
	const cJSON *state;
	uint32_t i, k;
	cJSON *tree;

	*s = (struct standing){0};
	for (i = 0; i <= o->streams; i++) {
		operate_name(w, i, name);
		if (operate_ask(w, "STREAM.INFO", name,
			"{\"subjects_filter\":\">\"}", &tree) != OUTCOME_OK)
			return false;
		state = json_get(tree, "state");
		if (i == o->streams)
			s->summed = json_count(state, "messages");
		else
			s->ends += json_count(state, "last_seq");
		for (k = 1; i < o->streams && k <= o->subjects; k++) {
			operate_subject(w, i, k, subject);
			s->wanted +=
			    json_count(json_get(state, "subjects"), subject);
		}
		cJSON_Delete(tree);
	}
	return true;
}

/* Of messages that are added up the value is told (COUNTED), and no more. */
static bool
is_summed(struct worker *w, uint32_t stream, const struct scan_seen *seen,
    natsMsg *msg)
{
	const struct plain_options *o = w->options;

	(void)msg; /* the scan tells what it has */
	return stream == o->streams && seen->intact;
}

/*
 * A server copies when it can: wait until all has come, or nothing for longer
 * than it tries again.
 */
static uint64_t
wait_for_sums(struct worker *w, struct standing *now)
{
	uint64_t moved = clock_mono_ns(), had = 0;
	struct backoff b = {0};
	bool is_prolonged = false;

	while ((!ask_standing(w, now) || now->summed != now->wanted) &&
	       clock_mono_ns() < moved + STALL_NS && !limit_is_over(w)) {
		if (now->summed != had)
			moved = clock_mono_ns();
		had = now->summed;
		if (!is_prolonged)
			limit_prove(w, STALL_NS, "sums lack messages");
		is_prolonged = true;
		session_backoff(&b, &w->child);
	}
	return clock_mono_ns() - moved;
}

static int
audit(struct worker *w)
{
	const struct counter_options *o = w->options;
	struct event ev = {.type = MESSAGE_SUMMED};
	struct msg_summed *m = &ev.u.summed;
	struct standing before, after;

	if (!o->sums)
		return audit_streams(w);
	m->stalled_ns = wait_for_sums(w, &before);
	w->scanned = is_summed;
	(void)audit_streams(w); /* always 0 */
	m->stream = m->sources = (uint32_t)o->plain.streams;
	m->counters = (uint32_t)o->plain.subjects;
	m->same = before.summed == before.wanted;
	m->steady = ask_standing(w, &after) && after.ends == before.ends &&
		    after.summed == before.summed;
	child_emit(&w->child, &ev);
	child_flush(&w->child);
	return 0;
}

static int
begin(struct worker *w)
{
	return plain_begin(w, &counter_operate);
}

static const struct workload_role roles[] = {
    {"client", WORKLOAD_CLIENTS, true},
    {NULL, WORKLOAD_ONE, false},
};

const struct workload_ops workload_counter = {
    .name = "counter",
    .summary = "clients add to shared counters, and read them",
    .roles = roles,
    .options = options,
    .options_size = sizeof(struct counter_options),
    .state_size = sizeof(struct operate),
    .clients = 4,
    .validate = validate,
    .setup = setup,
    .begin = begin,
    .step = plain_step,
    .command = operate_command,
    .end = operate_fini,
    .audit = audit,
};

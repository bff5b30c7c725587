/* SPDX-License-Identifier: ISC */
/*
 * natsburn events: what a recorded run's history holds, as text or as JSON
 * lines, all of it or what bears on one thing. Nothing is judged.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/command/cli.h"
#include "orchestrator/command/usage.h"
#include "orchestrator/history/evidence.h"
#include "orchestrator/judge/judge.h"
#include "orchestrator/live/phase_name.h"
#include "proto/base/array.h"
#include "proto/base/text.h"
#include "proto/journal.h"
#include "proto/json.h"

#define LINE_BYTES    8192
#define CONSUMERS_MAX 65536

struct events_options {
	char id[32], seq[24], stream[80];
	char types[CONFIG_LIST_MAX];
	char from[24], to[24];
};

#define ROW(name, member, arg, help)                                           \
	{                                                                      \
		name, OPTION_STRING, OPTION_AT(struct events_options, member), \
		    "", 0, 0, NULL, arg, "events: " help, false                \
	}

const struct option_spec events_options[] = {
    ROW("id", id, "SOURCE:N", "of this message or operation"),
    ROW("seq", seq, "N", "of this stream sequence"),
    ROW("stream", stream, "NAME", "of this stream, by name or number"),
    ROW("type", types, "NAME[,NAME]", "with these names, as DELIVER"),
    ROW("from", from, "SECONDS", "from so long after the load began"),
    ROW("to", to, "SECONDS", "until then; before the load is negative"),
    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
};

struct wanted {
	uint64_t id, seq; /* 0: any */
	const char *stream;
	uint64_t number; /* of the stream, once it is known */
	bool has_number;
	const char *types;
	double from, to;
	/* 1 and the stream of each consumer, for events that say only that */
	uint64_t *streams;
	uint32_t room;
};

static const struct message_field *
field_with(const struct event *ev, enum field_key key)
{
	const struct message_spec *spec = message_spec(ev->type);
	unsigned i;

	for (i = 0; i < spec->nfields; i++)
		if (spec->fields[i].key == key)
			return &spec->fields[i];
	return NULL;
}

static bool
has_key(const struct event *ev, enum field_key key, uint64_t number)
{
	const struct message_spec *spec = message_spec(ev->type);
	unsigned i;

	for (i = 0; i < spec->nfields; i++)
		if (spec->fields[i].key == key &&
		    (uint64_t)message_get(ev, &spec->fields[i]) == number)
			return true;
	return false;
}

/* What the history says of streams and consumers. 0 or -ENOMEM. */
static int
learn(struct wanted *w, const struct event *ev)
{
	uint64_t *slot;

	if (ev->type == MESSAGE_STREAM &&
	    strcmp(ev->u.stream.name, w->stream) == 0) {
		w->number = ev->u.stream.stream;
		w->has_number = true;
	}
	if (ev->type != MESSAGE_CONSUMER)
		return 0;
	if (ev->u.consumer.consumer >= CONSUMERS_MAX)
		return 0;
	slot = array_at(&w->streams, &w->room, ev->u.consumer.consumer,
	    sizeof(*slot), CONSUMERS_MAX);
	if (slot == NULL)
		return -ENOMEM;
	*slot = ev->u.consumer.stream + UINT64_C(1);
	return 0;
}

static bool
is_of_stream(const struct wanted *w, const struct event *ev)
{
	const struct message_field *f = field_with(ev, KEY_STREAM);
	uint64_t consumer;

	if (!w->has_number)
		return false;
	if (f != NULL)
		return (uint64_t)message_get(ev, f) == w->number;
	f = field_with(ev, KEY_CONSUMER);
	if (f == NULL)
		return false;
	consumer = (uint64_t)message_get(ev, f);
	return consumer < w->room && w->streams[consumer] == w->number + 1;
}

static bool
is_wanted(const struct wanted *w, const struct event *ev, double t)
{
	if (t < w->from || t > w->to)
		return false;
	if (w->types[0] != '\0' &&
	    !config_list_has(w->types, message_spec(ev->type)->name))
		return false;
	if (w->id != 0 && !has_key(ev, KEY_ID, w->id))
		return false;
	if (w->seq != 0 && !has_key(ev, KEY_SEQ, w->seq))
		return false;
	return w->stream[0] == '\0' || is_of_stream(w, ev);
}

/* When the load begins, by the first pass; else when the history does. */
static int
load_begins(const char *dir, uint64_t *at_ns)
{
	struct journal_reader in;
	struct event ev;
	int err = journal_open(&in, dir);

	*at_ns = 0;
	if (err < 0)
		return err;
	while (journal_next(&in, &ev, NULL, NULL) == JOURNAL_EVENT) {
		if (*at_ns == 0)
			*at_ns = ev.time_ns;
		if (ev.type != MESSAGE_PHASE ||
		    strcmp(ev.u.phase.name, phase_name(PHASE_QUIET)) != 0)
			continue;
		*at_ns = ev.time_ns;
		break;
	}
	journal_reader_fini(&in);
	return 0;
}

static void
print_text(const struct event *ev, double t)
{
	char line[LINE_BYTES];

	(void)message_print(ev, line, sizeof(line)); /* cut is fine */
	printf("%12.6f  %s\n", t, line);
}

/* 0 or -ENOMEM. */
static int
print_json(const struct event *ev, uint64_t load_ns)
{
	cJSON *o = evidence_event(ev, load_ns);
	char *text = o != NULL ? cJSON_PrintUnformatted(o) : NULL;
	int err = text != NULL && json_is_whole() ? 0 : -ENOMEM;

	if (err == 0)
		puts(text);
	cJSON_free(text);
	cJSON_Delete(o);
	return err;
}

static int
print_events(struct wanted *w, const char *dir, bool is_json)
{
	struct journal_reader in;
	enum journal_state state;
	struct event ev;
	uint64_t load_ns;
	double t;
	int err = load_begins(dir, &load_ns);

	if (err == 0)
		err = journal_open(&in, dir);
	if (err < 0)
		return usage_error(
		    "\"%s\" holds no journal that can be read: %s", dir,
		    strerror(-err));
	while (err == 0 &&
	       (state = journal_next(&in, &ev, NULL, NULL)) == JOURNAL_EVENT) {
		t = ((double)ev.time_ns - (double)load_ns) / 1e9;
		err = learn(w, &ev);
		if (err < 0 || !is_wanted(w, &ev, t))
			continue;
		if (is_json)
			err = print_json(&ev, load_ns);
		else
			print_text(&ev, t);
	}
	if (err == 0 && state == JOURNAL_DAMAGED)
		fprintf(
		    stderr, "natsburn: the journal is damaged: %s\n", in.why);
	journal_reader_fini(&in);
	if (err == 0 && fflush(stdout) == 0 && !ferror(stdout))
		return state == JOURNAL_DAMAGED ? EXIT_HARNESS : EXIT_PASS;
	fputs("natsburn: cannot write all events\n", stderr);
	return EXIT_HARNESS;
}

/* Seconds, with or without an s behind them. */
static int
take_seconds(const char *name, const char *text, double def, double *out)
{
	char *end;

	*out = def;
	if (text[0] == '\0')
		return 0;
	*out = strtod(text, &end);
	if (end == text || (*end != '\0' && strcmp(end, "s") != 0) ||
	    !isfinite(*out))
		return usage_error(
		    "--%s \"%s\": must be seconds, like 12.5", name, text);
	return 0;
}

static int
take_types(const char *list)
{
	const char *names[MESSAGE_TYPES], *near;
	char name[64];
	size_t n = 0, i;
	unsigned type;

	for (type = 0; type < MESSAGE_TYPES; type++)
		if (message_spec(type) != NULL)
			names[n++] = message_spec(type)->name;
	while (text_next_item(&list, name, sizeof(name))) {
		for (i = 0; i < n && strcmp(names[i], name) != 0; i++)
			continue;
		if (i < n)
			continue;
		near = text_nearest(name, names, n);
		if (near != NULL)
			return usage_error("--type \"%s\": no such event; did "
					   "you mean %s?",
			    name, near);
		return usage_error("--type \"%s\": no such event; "
				   "docs/protocol.md has them all",
		    name);
	}
	return 0;
}

/* What the options mean. 0 or EXIT_USAGE after it was said what is wrong. */
static int
take_wanted(const struct events_options *o, struct wanted *w)
{
	uint64_t source = 0, counter = 0;
	char left[sizeof(o->id)];
	char *colon;
	int bad;

	memset(w, 0, sizeof(*w));
	w->stream = o->stream;
	w->types = o->types;
	w->has_number = text_to_u64(o->stream, UINT32_MAX, &w->number) == 0;
	text_set(left, sizeof(left), o->id);
	colon = strchr(left, ':');
	if (colon != NULL)
		*colon = '\0';
	if (o->id[0] != '\0' &&
	    (colon == NULL || text_to_u64(left, UINT16_MAX, &source) < 0 ||
		text_to_u64(colon + 1, UINT64_MAX, &counter) < 0))
		return usage_error("--id \"%s\": must be SOURCE:NUMBER, as a "
				   "report has it",
		    o->id);
	w->id = message_id((uint32_t)source, counter);
	if (o->seq[0] != '\0' &&
	    (text_to_u64(o->seq, UINT64_MAX, &w->seq) < 0 || w->seq == 0))
		return usage_error(
		    "--seq \"%s\": must be a number from 1", o->seq);
	bad = take_types(o->types);
	if (bad == 0)
		bad = take_seconds("from", o->from, -INFINITY, &w->from);
	if (bad == 0)
		bad = take_seconds("to", o->to, INFINITY, &w->to);
	return bad;
}

int
cmd_events(int argc, char **argv)
{
	struct run_config *c = calloc(1, sizeof(*c));
	struct events_options own;
	struct wanted w = {.streams = NULL};
	const char *dir = NULL;
	int code;

	if (c == NULL)
		return usage_error("out of memory");
	config_init(c);
	code = cli_take_own(events_options, &own, &argc, argv);
	if (code == 0)
		code = take_wanted(&own, &w);
	if (code == 0 && cli_options(c, argc, argv, &dir, 1) < 0)
		code = EXIT_USAGE;
	if (code == 0 && dir == NULL)
		code = usage_error("events: which run folder?");
	if (code == 0)
		code = print_events(&w, dir, c->json);
	free(w.streams);
	free(c);
	return code;
}

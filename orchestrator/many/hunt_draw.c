/* SPDX-License-Identifier: ISC */
/*
 * What a run of a hunt is: drawn from the hunt's seed and the run's number, in
 * what the user left open; see hunt.h. A run that breaks down where another
 * is strong finds other defects, so each has a few of all things (swarm
 * testing, Groce et al. 2012), and weights go to what was drawn least.
 */
#include <stdlib.h>
#include <string.h>

#include "chaos/mayhem/mayhem.h"
#include "orchestrator/command/usage.h"
#include "orchestrator/command/validate.h"
#include "orchestrator/judge/judge.h"
#include "orchestrator/many/hunt.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/json.h"
#include "proto/topology.h"
#include "worker/worker.h"

#define TRIES	   200 /* until a run can be done at all */
#define WEIGHT	   UINT64_C(1000000)
#define NEIGHBOURS 3 /* one of so many runs is a neighbour of a failed one */
#define MODES_MAX  64
#define TOGETHER   3 /* modes of a run, at most */
#define EXTRAS	   6 /* options of its test and modes, at most */

struct drawing {
	const struct hunt *hunt;
	struct rng rng;
	struct run_config *c;
};

static uint64_t
below(struct drawing *d, uint64_t n)
{
	return rng_below(&d->rng, n);
}

static const char *
one_of(struct drawing *d, const char *const *words)
{
	size_t n = 0;

	while (words[n] != NULL)
		n++;
	return words[below(d, n)];
}

/* Did the user leave this option of run open? */
static bool
is_open(const struct hunt *h, const char *name)
{
	const struct option_spec *row = option_find(config_options, name);
	char a[OPTION_VALUE_MAX], b[OPTION_VALUE_MAX];

	option_get(row, &h->base, a, sizeof(a));
	option_get(row, &h->open, b, sizeof(b));
	return strcmp(a, b) == 0;
}

static void
set(struct drawing *d, const char *name, const char *value)
{
	char why[OPTION_WHY_MAX];

	/* What can't be is found when the whole is looked at. */
	if (is_open(d->hunt, name))
		(void)config_set(d->c, name, value, why);
}

static void
set_number(struct drawing *d, const char *name, uint64_t value)
{
	char text[24];

	text_format(text, sizeof(text), "%llu", (unsigned long long)value);
	set(d, name, text);
}

/* How many runs had this name in a field that is a list. */
static uint64_t
times_drawn(const struct hunt *h, const char *field, const char *name)
{
	const cJSON *row;
	uint64_t n = 0;

	cJSON_ArrayForEach (row, json_get(h->tree, "runs"))
		n += config_list_has(json_text(row, field), name);
	return n;
}

/* An index below n, by the weights. */
static size_t
pick(struct drawing *d, const uint64_t *weights, size_t n)
{
	uint64_t sum = 0, at;
	size_t i;

	for (i = 0; i < n; i++)
		sum += weights[i];
	at = below(d, sum);
	for (i = 0; at >= weights[i]; i++)
		at -= weights[i];
	return i;
}

static void
draw_test(struct drawing *d)
{
	const struct axis *tests = &d->hunt->tests;
	uint64_t weights[AXIS_ITEMS_MAX];
	unsigned i;

	for (i = 0; i < tests->n; i++)
		weights[i] = WEIGHT / (1 + times_drawn(d->hunt, "test",
					       tests->items[i].value));
	text_set(d->c->test, sizeof(d->c->test),
	    tests->items[pick(d, weights, tests->n)].value);
}

/*
 * Seldom something else than one cluster, for that takes many servers. Of how
 * many it has and which domain it takes it speaks for itself.
 */
static void
draw_topology(struct drawing *d)
{
	static const char *const others[] = {
	    "supercluster:2x3", "leaf:3+1", NULL};
	bool is_other = below(d, 8) == 0;
	const char *other = one_of(d, others);

	if (!is_open(d->hunt, "topology") || !is_open(d->hunt, "servers") ||
	    d->hunt->base.server_conf[0] != '\0')
		return;
	set(d, "topology", is_other ? other : TOPOLOGY_PLAIN);
	set(d, "servers", "3");
	set(d, "js-domain", "");
}

/* The cluster, and how it stores. */
static void
draw_cluster(struct drawing *d)
{
	static const char *const servers[] = {"3", "3", "3", "5", NULL};
	static const char *const storage[] = {"file", "file", "memory", NULL};
	static const char *const cipher[] = {
	    "none", "none", "aes", "chacha", NULL};
	static const char *const sync[] = {"", "", "always", "1s", NULL};

	draw_topology(d);
	if (strcmp(d->c->topology, TOPOLOGY_PLAIN) == 0)
		set(d, "servers", one_of(d, servers));
	if (below(d, 4) == 0)
		set_number(d, "replicas", 1 + below(d, topology_home(d->c)));
	set(d, "storage", one_of(d, storage));
	if (strcmp(d->c->storage, "file") != 0)
		return;
	set(d, "storage-compression", below(d, 3) == 0 ? "s2" : "none");
	set(d, "encryption", one_of(d, cipher));
	set(d, "sync", one_of(d, sync));
}

static void
draw_processes(struct drawing *d)
{
	static const char *const few[] = {"1", "2", "3", "4", "8", NULL};
	static const char *const many[] = {"1", "2", "4", "8", "16", NULL};

	if (validate_has_role(d->c->test, WORKLOAD_CLIENTS))
		set(d, "clients", one_of(d, few));
	if (validate_has_role(d->c->test, WORKLOAD_CONSUMERS))
		set(d, "consumers", one_of(d, many));
}

/* The modes that this configuration allows; how many. */
static size_t
find_modes(struct drawing *d, char names[MODES_MAX][CONFIG_NAME_MAX])
{
	struct run_config *c = calloc(1, sizeof(*c));
	const char *list;
	size_t n = 0;

	if (c == NULL)
		return 0;
	*c = *d->c;
	text_set(c->mayhem, sizeof(c->mayhem),
	    is_open(d->hunt, "mayhem") ? "all" : d->hunt->base.mayhem);
	list = validate_fill(c) == 0 ? c->mayhem : "";
	while (
	    n < MODES_MAX && text_next_item(&list, names[n], sizeof(names[n])))
		n++;
	free(c);
	return n;
}

/* None, or up to three; one that has to stand alone does. */
static void
draw_mayhem(struct drawing *d)
{
	char names[MODES_MAX][CONFIG_NAME_MAX],
	    drawn[sizeof(d->c->mayhem)] = "";
	uint64_t weights[MODES_MAX];
	size_t n = find_modes(d, names), i;
	uint64_t left = below(d, 6) == 0 ? 0 : 1 + below(d, TOGETHER);
	const struct mayhem_ops *ops;

	for (i = 0; i < n; i++)
		weights[i] =
		    WEIGHT / (1 + times_drawn(d->hunt, "mayhem", names[i]));
	for (; left > 0 && n > 0; left--) {
		i = pick(d, weights, n);
		ops = mayhem_find(names[i]);
		if (config_list_has(drawn, names[i]) || ops == NULL ||
		    (ops->stands_alone && drawn[0] != '\0'))
			continue;
		text_add(drawn, sizeof(drawn), "%s%s",
		    drawn[0] != '\0' ? "," : "", names[i]);
		if (ops->stands_alone)
			break;
	}
	text_set(d->c->mayhem, sizeof(d->c->mayhem),
	    drawn[0] != '\0' ? drawn : "none");
	if (drawn[0] == '\0')
		set(d, "aim", "");
}

static void
draw_times(struct drawing *d)
{
	static const char *const intervals[] = {
	    "1s", "2s..4s", "5s", "2s..12s", NULL};
	static const char *const holds[] = {
	    "0", "0", "300ms..2s", "2s..8s", NULL};
	/* Half of the runs that have faults aim them. */
	static const char *const aims[] = {
	    "", "", "", "all", "all", "publish,acked", NULL};
	const struct option_times *t = &d->hunt->own.run_time;

	d->c->duration_ns =
	    (t->low + below(d, t->high - t->low + 1)) / CLOCK_S * CLOCK_S;
	if (d->c->duration_ns < t->low)
		d->c->duration_ns = t->low;
	set(d, "fault-interval", one_of(d, intervals));
	set(d, "fault-duration", one_of(d, holds));
	if (strcmp(d->c->mayhem, "none") != 0)
		set(d, "aim", one_of(d, aims));
}

/* Another value for an option, near its default; false when there is none. */
static bool
draw_value(
    struct drawing *d, const struct option_spec *row, char *out, size_t size)
{
	static const uint64_t parts[][2] = {{1, 4}, {1, 2}, {2, 1}, {4, 1}};
	const uint64_t *part = parts[below(d, 4)];
	uint64_t value;

	if (row->type == OPTION_FLAG) {
		text_set(out, size, "true");
		return true;
	}
	if (row->type == OPTION_CHOICE) {
		text_set(out, size, one_of(d, row->choices));
		return true;
	}
	if (row->type != OPTION_U64 ||
	    text_to_u64(row->def, UINT64_MAX, &value) < 0)
		return false;
	if (value == 0 && row->max > 100)
		return false; /* no limit, most of the time: of what size? */
	value = value == 0 ? below(d, row->max + 1) : value * part[0] / part[1];
	if (value < row->min)
		value = row->min;
	if (value > row->max)
		value = row->max;
	text_format(out, size, "%llu", (unsigned long long)value);
	return true;
}

/* Has the user set this option of a test or mode? */
static bool
is_set(const struct hunt *h, const char *extra)
{
	size_t len = strcspn(extra, "=") + 1, i;

	for (i = 0; i < h->base.nextras; i++)
		if (strncmp(h->base.extras[i], extra, len) == 0)
			return true;
	return false;
}

static void
draw_scope(struct drawing *d, const char *scope, const struct option_spec *rows)
{
	char value[64], extra[192], why[OPTION_WHY_MAX];
	const struct option_spec *row;

	for (row = rows; row != NULL && row->name != NULL; row++) {
		if (d->c->nextras >= d->hunt->base.nextras + EXTRAS ||
		    below(d, 4) != 0 ||
		    !draw_value(d, row, value, sizeof(value)))
			continue;
		text_format(
		    extra, sizeof(extra), "%s.%s=%s", scope, row->name, value);
		/* One too many is no harm. */
		if (!is_set(d->hunt, extra))
			(void)config_set(d->c, "o", extra, why);
	}
}

/* Options of the test and of its modes. */
static void
draw_extras(struct drawing *d)
{
	const struct workload_ops *w = workload_find(d->c->test);
	const char *list = d->c->mayhem;
	const struct mayhem_ops *m;
	char mode[64];

	memcpy(d->c->extras, d->hunt->base.extras, sizeof(d->c->extras));
	d->c->nextras = d->hunt->base.nextras;
	if (below(d, 2) == 0)
		return;
	draw_scope(d, w->name, w->options);
	while (text_next_item(&list, mode, sizeof(mode))) {
		m = mayhem_find(mode);
		if (m != NULL)
			draw_scope(d, mode, m->options);
	}
}

static void
draw_server(struct drawing *d)
{
	const struct axis *v = &d->hunt->versions;

	text_set(d->c->server_bin, sizeof(d->c->server_bin),
	    v->items[below(d, v->n)].value);
}

static void
draw_all(struct drawing *d)
{
	draw_server(d);
	draw_test(d);
	draw_cluster(d);
	draw_processes(d);
	draw_mayhem(d);
	draw_times(d);
	draw_extras(d);
}

/* A run that failed, or NULL. */
static const cJSON *
pick_failed(struct drawing *d)
{
	const cJSON *row;
	uint64_t n = 0, at;

	cJSON_ArrayForEach (row, json_get(d->hunt->tree, "runs"))
		n += strcmp(json_text(row, "result"), "FAIL") == 0;
	at = n != 0 ? below(d, n) : 0;
	cJSON_ArrayForEach (row, json_get(d->hunt->tree, "runs"))
		if (strcmp(json_text(row, "result"), "FAIL") == 0 && at-- == 0)
			return row;
	return NULL;
}

/*
 * The configuration that a row has, where what stands at its default has no
 * entry, and secrets have none. 0 or -EINVAL.
 */
static int
read_row(const struct hunt *h, const cJSON *row, struct run_config *c)
{
	const struct option_spec *spec;
	char why[OPTION_WHY_MAX];
	const cJSON *o;
	int err = 0;

	*c = h->base;
	c->nextras = 0;
	for (spec = config_options; spec->name != NULL && err == 0; spec++)
		if (!spec->secret)
			err = config_set(c, spec->name, spec->def, why);
	cJSON_ArrayForEach (o, json_get(row, "options")) {
		if (err == 0)
			err = config_set(c, json_text(o, "name"),
			    json_text(o, "value"), why);
	}
	return err;
}

/* One or two things of it are drawn anew. */
static void
draw_neighbour(struct drawing *d, const cJSON *row)
{
	void (*const things[])(struct drawing *) = {draw_server, draw_cluster,
	    draw_processes, draw_mayhem, draw_times, draw_extras};
	unsigned i;

	if (read_row(d->hunt, row, d->c) < 0) {
		draw_all(d);
		return;
	}
	for (i = 0; i < 2; i++)
		things[below(d, sizeof(things) / sizeof(things[0]))](d);
}

static void
add_option(void *arg, const char *name, const char *value)
{
	cJSON *options = arg, *o;

	if (strcmp(name, "run") == 0 || strcmp(name, "out") == 0)
		return;
	o = cJSON_CreateObject();
	json_put_text(o, "name", name);
	json_put_text(o, "value", value);
	json_append(options, o);
}

static const char *
label_of(const struct hunt *h, const char *server_bin)
{
	unsigned i;

	for (i = 0; i < h->versions.n; i++)
		if (strcmp(h->versions.items[i].value, server_bin) == 0)
			return h->versions.items[i].label;
	return "";
}

static void
fill_row(const struct hunt *h, const struct run_config *c, cJSON *row)
{
	json_put_text(row, "test", c->test);
	json_put_text(row, "mayhem", c->mayhem);
	json_put_text(row, "version", label_of(h, c->server_bin));
	json_put_number(row, "seed", (double)c->seed);
	json_put_number(row, "duration_s", (double)(c->duration_ns / CLOCK_S));
	config_each(c, false, add_option, json_put_array(row, "options"));
}

static void
finish(const struct hunt *h, struct run_config *c, cJSON *row)
{
	hunt_path(h, row, NULL, c->out, sizeof(c->out));
	c->json = c->quiet = false;
	fill_row(h, c, row);
}

int
hunt_draw(const struct hunt *h, unsigned n, struct run_config *c, cJSON *row)
{
	struct drawing d = {.hunt = h, .c = c};
	const cJSON *failed;
	char stream[32];
	int bad = EXIT_USAGE, i;

	text_format(stream, sizeof(stream), "run %u", n);
	rng_init(&d.rng, h->seed, stream);
	for (i = 1; i <= TRIES && bad != 0; i++) {
		usage_be_silent(i < TRIES);
		*c = h->base;
		failed = below(&d, NEIGHBOURS) == 0 ? pick_failed(&d) : NULL;
		if (failed != NULL)
			draw_neighbour(&d, failed);
		else
			draw_all(&d);
		c->seed = 1 + below(&d, INT32_MAX);
		bad = validate_fill(c);
		if (bad == 0)
			bad = validate_config(c);
		usage_be_silent(false);
	}
	if (bad == 0)
		finish(h, c, row);
	return bad;
}

int
hunt_draw_again(
    const struct hunt *h, const cJSON *failed, struct run_config *c, cJSON *row)
{
	int err = read_row(h, failed, c);

	json_put_number(row, "again", json_number(failed, "run"));
	if (err == 0)
		finish(h, c, row);
	return err < 0 ? EXIT_USAGE : 0;
}

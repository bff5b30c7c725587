/* SPDX-License-Identifier: ISC */
/* What can be taken away from a run; see shrink.h. */
#include <errno.h>
#include <string.h>

#include "orchestrator/command/validate.h"
#include "orchestrator/many/shrink.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/json.h"
#include "proto/topology.h"

#define SHORTEST_NS	 (5 * CLOCK_S) /* of a load */
#define FAULTS_MAX_BYTES ((size_t)1 << 26)

/* An item of a list, by its place. */
static bool
item_at(const char *list, unsigned at, char *out, size_t size)
{
	unsigned i;

	for (i = 0; i <= at; i++)
		if (!text_next_item(&list, out, size))
			return false;
	return true;
}

/* Options of a mode or test that isn't there any more. */
static void
drop_extras(struct run_config *c, const char *scope)
{
	size_t i, n = 0, len = strlen(scope);

	for (i = 0; i < c->nextras; i++) {
		if (strncmp(c->extras[i], scope, len) == 0 &&
		    c->extras[i][len] == '.')
			continue;
		if (n != i)
			memcpy(
			    c->extras[n], c->extras[i], sizeof(c->extras[0]));
		n++;
	}
	c->nextras = n;
}

static bool
without_mode(struct run_config *c, unsigned at, char *what)
{
	char rest[sizeof(c->mayhem)] = "", mode[64], out[64];
	const char *list = c->mayhem;

	if (strcmp(c->mayhem, "none") == 0 ||
	    !item_at(c->mayhem, at, out, sizeof(out)))
		return false;
	while (text_next_item(&list, mode, sizeof(mode)))
		if (strcmp(mode, out) != 0)
			text_add(rest, sizeof(rest), "%s%s",
			    rest[0] != '\0' ? "," : "", mode);
	text_set(c->mayhem, sizeof(c->mayhem), rest[0] != '\0' ? rest : "none");
	if (rest[0] == '\0')
		c->aim[0] = '\0';
	drop_extras(c, out);
	text_format(what, SHRINK_WHAT_MAX, "mayhem without %s", out);
	return true;
}

static bool
without_extra(struct run_config *c, unsigned at, char *what)
{
	size_t i;

	if (at >= c->nextras)
		return false;
	text_format(what, SHRINK_WHAT_MAX, "without -o %s", c->extras[at]);
	for (i = at; i + 1 < c->nextras; i++)
		memcpy(c->extras[i], c->extras[i + 1], sizeof(c->extras[0]));
	c->nextras--;
	return true;
}

/* Options that are best left at their defaults. */
static bool
with_default(struct run_config *c, unsigned at, char *what)
{
	static const char *const names[] = {"encryption", "storage-compression",
	    "sync", "server-conf", "rate", "aim", "mix", "mix-time",
	    "fault-duration", "fault-interval", "quiet-time"};
	const struct option_spec *row;
	char why[OPTION_WHY_MAX];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		row = option_find(config_options, names[i]);
		if (option_is_default(row, c) || at-- != 0)
			continue;
		text_format(
		    what, SHRINK_WHAT_MAX, "--%s at its default", names[i]);
		return config_set(c, names[i], row->def, why) == 0;
	}
	return false;
}

static bool
halve(
    uint64_t *value, uint64_t least, unsigned at, const char *name, char *what)
{
	if (at > 0 || *value <= least)
		return false;
	*value = *value / 2 > least ? *value / 2 : least;
	text_format(what, SHRINK_WHAT_MAX, "--%s %llu", name,
	    (unsigned long long)*value);
	return true;
}

static bool
fewer_clients(struct run_config *c, unsigned at, char *what)
{
	return validate_has_role(c->test, WORKLOAD_CLIENTS) &&
	       halve(&c->clients, 1, at, "clients", what);
}

static bool
fewer_consumers(struct run_config *c, unsigned at, char *what)
{
	return validate_has_role(c->test, WORKLOAD_CONSUMERS) &&
	       halve(&c->consumers, 1, at, "consumers", what);
}

static bool
one_cluster(struct run_config *c, unsigned at, char *what)
{
	if (at > 0 || strcmp(c->topology, TOPOLOGY_PLAIN) == 0)
		return false;
	c->servers = topology_home(c);
	text_set(c->topology, sizeof(c->topology), TOPOLOGY_PLAIN);
	c->js_domain[0] = '\0';
	text_format(what, SHRINK_WHAT_MAX, "--topology cluster --servers %llu",
	    (unsigned long long)c->servers);
	return true;
}

/* Five, three, one: two or four are no better than one less. */
static bool
fewer_servers(struct run_config *c, unsigned at, char *what)
{
	if (at > 0 || c->servers < 3 ||
	    strcmp(c->topology, TOPOLOGY_PLAIN) != 0)
		return false;
	c->servers -= 2;
	if (c->replicas > c->servers)
		c->replicas = c->servers;
	text_format(what, SHRINK_WHAT_MAX, "--servers %llu --replicas %llu",
	    (unsigned long long)c->servers, (unsigned long long)c->replicas);
	return true;
}

static bool
one_replica(struct run_config *c, unsigned at, char *what)
{
	if (at > 0 || c->replicas <= 1)
		return false;
	c->replicas = 1;
	text_set(what, SHRINK_WHAT_MAX, "--replicas 1");
	return true;
}

static bool
shorter(struct run_config *c, unsigned at, char *what)
{
	char time[32];

	if (at > 0 || c->duration_ns <= SHORTEST_NS)
		return false;
	c->duration_ns = c->duration_ns / 2 > SHORTEST_NS
			     ? c->duration_ns / 2 / CLOCK_S * CLOCK_S
			     : SHORTEST_NS;
	text_from_duration(c->duration_ns, time, sizeof(time));
	text_format(what, SHRINK_WHAT_MAX, "--duration %s", time);
	return true;
}

static int
save(const cJSON *tree, const char *path)
{
	char *text = cJSON_Print(tree);
	int err =
	    text != NULL ? file_replace(path, text, strlen(text)) : -ENOMEM;

	cJSON_free(text);
	return err;
}

int
shrink_save_faults(const cJSON *report, const char *path)
{
	cJSON *o = cJSON_CreateObject();
	int err = -ENOENT;

	json_put_copy(o, report, "phases");
	json_put_copy(o, report, "faults");
	if (cJSON_GetArraySize(json_get(o, "faults")) > 0)
		err = save(o, path);
	cJSON_Delete(o);
	return err;
}

/*
 * Parts of n things, from halves to single ones: first, and how many, of part
 * number at. False when there are no so many.
 */
static bool
part_of(int n, unsigned at, int *first, int *count)
{
	int size, parts;

	for (size = (n + 1) / 2; size > 0;
	     size = size > 1 ? (size + 1) / 2 : 0) {
		parts = (n + size - 1) / size;
		if ((int)at < parts) {
			*first = (int)at * size;
			*count = *first + size > n ? n - *first : size;
			return n > *count;
		}
		at -= (unsigned)parts;
	}
	return false;
}

/* The other file has the number of its faults in its name. */
static bool
without_faults(struct run_config *c, unsigned at, char *what)
{
	cJSON *o = json_load(c->schedule, FAULTS_MAX_BYTES);
	cJSON *faults = cJSON_GetObjectItem(o, "faults");
	int n = cJSON_GetArraySize(faults), first, count, i;
	char path[sizeof(c->schedule)];
	const char *slash = strrchr(c->schedule, '/');
	bool ok;

	if (o == NULL || slash == NULL || !part_of(n, at, &first, &count)) {
		cJSON_Delete(o);
		return false;
	}
	for (i = 0; i < count; i++)
		cJSON_DeleteItemFromArray(faults, first);
	text_format(path, sizeof(path), "%.*s/faults-%d-%u.json",
	    (int)(slash - c->schedule), c->schedule, n, at);
	ok = save(o, path) == 0;
	cJSON_Delete(o);
	text_set(c->schedule, sizeof(c->schedule), path);
	text_format(what, SHRINK_WHAT_MAX, "%d of %d faults", n - count, n);
	return ok;
}

const struct shrink_step shrink_fault_steps[] = {{without_faults}, {NULL}};

const struct shrink_step shrink_steps[] = {{without_mode}, {one_cluster},
    {fewer_servers}, {one_replica}, {shorter}, {without_extra}, {with_default},
    {fewer_clients}, {fewer_consumers}, {NULL}};

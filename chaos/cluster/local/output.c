/* SPDX-License-Identifier: ISC */
/* What a server of ours writes; see output.h. */
#include <string.h>
#include <sys/wait.h>

#include "chaos/cluster/local/local_state.h"
#include "chaos/cluster/local/server.h"
#include "chaos/internal.h"
#include "chaos/oom.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define LOOK_NS	 CLOCK_S
#define SOON_NS	 CLOCK_MS	    /* when the lines are waited for */
#define LOOK_MAX ((size_t)1 << 20)  /* bytes in a second */
#define END_MAX	 ((size_t)64 << 20) /* of stacks of all goroutines */

struct reading {
	struct cluster *c;
	unsigned node;
	struct output *o;
};

static void
file_path(const struct cluster *c, unsigned node, const char *name, char *out)
{
	server_dir(c, node, out, CONFIG_PATH_MAX);
	text_add(out, CONFIG_PATH_MAX + 32, "/%s", name);
}

static bool
was_told(struct output *o, const char *frames)
{
	uint64_t hash = text_hash(TEXT_HASH, frames);
	unsigned i;

	for (i = 0; i < o->nraces; i++)
		if (o->races[i] == hash)
			return true;
	if (o->nraces == OUTPUT_RACES)
		return true;
	o->races[o->nraces++] = hash;
	return false;
}

static void
tell_race(struct cluster *c, unsigned node, struct output *o)
{
	struct event ev = {.type = MESSAGE_SERVER_RACE};
	struct msg_server_race *m = &ev.u.server_race;

	if (was_told(o, o->trace.frames))
		return;
	m->node = node;
	text_set(m->name, sizeof(m->name), c->nodes[node - 1].name);
	text_set(m->frames, sizeof(m->frames), o->trace.frames);
	child_emit(chaos_child(c->chaos), &ev);
}

static void
take_output(void *arg, const char *line)
{
	struct reading *r = arg;
	struct output *o = r->o;

	trace_line(&o->trace, line);
	if (o->trace.cause == CAUSE_RACE && o->trace.is_over) {
		tell_race(r->c, r->node, o);
		trace_reset(&o->trace);
	}
	/* A configuration that it refuses is told here, not in its log. */
	if (strncmp(line, "nats-server: ", strlen("nats-server: ")) == 0)
		trace_error_note(&o->error, line);
}

/* "[pid] date time [ERR] text" */
static void
take_log(void *arg, const char *line)
{
	struct reading *r = arg;
	struct output *o = r->o;
	const char *fatal = strstr(line, "[FTL] ");
	const char *error = strstr(line, "[ERR] ");

	chaos_take_log(r->c->chaos, r->node, line);
	if (strstr(line, "[INF] Initiating Shutdown") != NULL)
		o->is_shut = true;
	if (fatal != NULL || error != NULL)
		trace_error_note(&o->error, fatal != NULL ? fatal : error);
}

/* True when both were read to their ends. */
static bool
read_files(struct cluster *c, unsigned node, size_t max)
{
	struct local *l = c->state;
	struct output *o = &l->nodes[node - 1].output;
	struct reading r = {.c = c, .node = node, .o = o};
	char path[CONFIG_PATH_MAX + 32];
	bool is_whole;

	file_path(c, node, "output.log", path);
	(void)tail_read(&o->out, path, max, take_output, &r);
	is_whole = tail_is_at_end(&o->out, path);
	file_path(c, node, "server.log", path);
	(void)tail_read(&o->log, path, max, take_log, &r);
	return is_whole && tail_is_at_end(&o->log, path);
}

void
output_begin(struct cluster *c, unsigned node)
{
	struct local *l = c->state;
	struct output *o = &l->nodes[node - 1].output;
	char path[CONFIG_PATH_MAX + 32];

	trace_reset(&o->trace);
	o->begun_ns = clock_mono_ns();
	o->oom_kills = oom_kills();
	o->is_shut = false;
	memset(&o->error, 0, sizeof(o->error));
	file_path(c, node, "output.log", path);
	tail_begin(&o->out, path);
	file_path(c, node, "server.log", path);
	tail_begin(&o->log, path);
}

void
output_look(struct cluster *c, unsigned node)
{
	struct local *l = c->state;
	struct output *o = &l->nodes[node - 1].output;
	uint64_t now = clock_mono_ns();

	if (c->nodes[node - 1].pid == 0 ||
	    now < o->looked_ns + (c->is_listened_to ? SOON_NS : LOOK_NS))
		return;
	o->looked_ns = now;
	o->error.looks++;
	(void)read_files(c, node, LOOK_MAX); /* the rest comes later */
}

/* What its output does not tell its status and its log do. */
static void
find_cause(struct output *o, int status)
{
	struct trace *t = &o->trace;

	if (t->cause != CAUSE_NONE)
		return;
	if (WIFSIGNALED(status))
		t->cause = CAUSE_SIGNAL;
	else if (o->is_shut)
		t->cause = CAUSE_SHUTDOWN;
	else if (trace_error_is_host(&o->error))
		t->cause = CAUSE_HOST;
	text_set(t->says, sizeof(t->says), o->error.says);
}

static bool
is_crash(uint8_t cause)
{
	return cause == CAUSE_PANIC || cause == CAUSE_FATAL;
}

void
output_end(struct cluster *c, unsigned node, int status, bool asked)
{
	struct local *l = c->state;
	struct output *o = &l->nodes[node - 1].output;
	struct event ev = {.type = MESSAGE_SERVER_ENDED};
	struct msg_server_ended *m = &ev.u.server_ended;
	bool is_read = read_files(c, node, END_MAX);

	if (o->trace.cause == CAUSE_RACE) {
		tell_race(c, node, o); /* the report was cut off */
		trace_reset(&o->trace);
	}
	find_cause(o, status);
	/* Why it can't be started at all the driver says. */
	if ((asked || !l->is_up) && !is_crash(o->trace.cause))
		return;
	m->node = node;
	m->code = WIFEXITED(status) ? (uint32_t)WEXITSTATUS(status) : 0;
	m->signal = WIFSIGNALED(status) ? (uint8_t)WTERMSIG(status) : 0;
	m->asked = asked;
	m->cause = o->trace.cause;
	m->is_read = is_read;
	m->lived_ns = clock_mono_ns() - o->begun_ns;
	m->oom_kills = oom_kills() - o->oom_kills;
	text_set(m->name, sizeof(m->name), c->nodes[node - 1].name);
	text_set(m->says, sizeof(m->says), o->trace.says);
	text_set(m->frames, sizeof(m->frames), o->trace.frames);
	child_emit(chaos_child(c->chaos), &ev);
}

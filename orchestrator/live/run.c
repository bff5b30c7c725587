/* SPDX-License-Identifier: ISC */
/* A live run: what the events of its children mean; see run.h. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "chaos/cluster/cluster.h"
#include "orchestrator/live/run.h"
#include "orchestrator/live/servers.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "proto/moment.h"

#define ANOMALIES_SAID 3 /* of a kind and class */

/* An event is lost: the run proves nothing any more, and goes down. */
static void
lose_event(struct run *r, const char *whose, int err)
{
	char why[160] = "";

	text_add(why, sizeof(why), "cannot queue an event of %s: %s", whose,
	    strerror(-err));
	if (!r->history.is_lost)
		log_error("%s", why);
	history_lose(&r->history, why);
	r->doomed = true;
}

void
run_note(struct run *r, struct event *ev)
{
	const uint8_t *raw;
	struct event back;
	size_t used;
	int err;

	/* Stamp and encode by the same code as a child does. */
	err = channel_send(&r->own, ev);
	if (err == 0) {
		raw = buf_data(&r->own.buf);
		if (frame_decode(raw, buf_len(&r->own.buf), &back, &used) ==
		    FRAME_WHOLE)
			err = merge_push(r->merge, &back, raw, used);
		buf_consume(&r->own.buf, buf_len(&r->own.buf));
	}
	if (err < 0)
		lose_event(r, "natsburn itself", err);
}

void
run_doom(struct run *r, const char *fmt, ...)
{
	struct event ev = {.type = MESSAGE_HARNESS};
	va_list ap;

	va_start(ap, fmt);
	/* Cut is fine. */
	(void)vsnprintf(ev.u.harness.why, sizeof(ev.u.harness.why), fmt, ap);
	va_end(ap);
	log_error("%s", ev.u.harness.why);
	run_note(r, &ev);
	r->doomed = true;
}

static void
send_option(void *arg, const char *name, const char *value)
{
	void **both = arg;
	struct event ev = {.type = MESSAGE_OPTION};

	text_set(ev.u.option.name, sizeof(ev.u.option.name), name);
	text_set(ev.u.option.value, sizeof(ev.u.option.value), value);
	children_send(both[0], both[1], &ev);
}

void
run_configure(struct run *r, struct child_slot *s)
{
	const struct cluster_ops *driver = cluster_find(r->config.cluster);
	void *both[2] = {r->children, s};
	struct event ev;
	unsigned i;

	for (i = 0; i < CONFIG_NODES_MAX; i++) {
		if (!servers_takes_clients(r, i + 1))
			continue;
		memset(&ev, 0, sizeof(ev));
		ev.type = MESSAGE_SERVER_URL;
		text_set(ev.u.server_url.url, sizeof(ev.u.server_url.url),
		    r->nodes[i].url);
		children_send(r->children, s, &ev);
	}
	if (driver->owner == OWNER_US)
		send_option(both, CONFIG_OURS, "");
	if (driver->hides_servers)
		send_option(both, CONFIG_HIDDEN, "");
	/* Ends with the run id, by which the child knows that it has all. */
	config_each(&r->config, true, send_option, both);
}

void
run_start_worker(struct run *r, struct child_slot *s)
{
	struct event ev = {.type = MESSAGE_START};

	ev.u.start.counter = r->workers[s->source].counter + 1;
	ev.u.start.index = r->workers[s->source].index;
	children_send(r->children, s, &ev);
}

/* The publisher of a message learns what became of it. */
static void
tell_publisher(struct run *r, enum message_type type, uint64_t id)
{
	struct child_slot *s =
	    children_slot(r->children, message_id_source(id));
	struct event ev = {.type = type};

	if (s == NULL ||
	    (s->state != CHILD_RUNNING && s->state != CHILD_STOPPING))
		return;
	ev.u.done.id = id; /* DONE and GIVE_UP are alike */
	children_send(r->children, s, &ev);
}

/* The first few of a kind explain; thousands would hide the rest. */
static void
say_anomaly(struct run *r, const struct anomaly *a)
{
	uint64_t n = judge_count(r->history.judge, a->kind, a->class);

	if (n > ANOMALIES_SAID)
		return;
	progress_say(&r->progress, "%s (%s): %s%s", anomaly_kind_name(a->kind),
	    anomaly_class_name(a->class), a->says,
	    n == ANOMALIES_SAID ? " (more of this kind are only counted)" : "");
}

void
run_on_anomaly(void *arg, const struct anomaly *a)
{
	struct run *r = arg;
	enum message_type command = anomaly_command(a->kind);

	r->progress.anomalies++;
	say_anomaly(r, a);
	if (r->config.stop_on_anomaly && a->class == CLASS_VIOLATION)
		r->stopped = true; /* the load ends; healing and audit follow */
	/* The run goes on: no client waits for what is judged already. */
	if (command != 0 && a->ids[0] != 0)
		tell_publisher(r, command, a->ids[0]);
}

static void
on_ready(struct run *r, struct child_slot *s)
{
	const struct run_worker *w = &r->workers[s->source];

	phase_prolong(r, PHASE_SETUP);
	phase_prolong(r, PHASE_START);
	if (!w->is_load || s->state != CHILD_READY)
		return;
	/* One that was restarted joins the load, or what is left to consume. */
	if (r->phase >= PHASE_QUIET &&
	    r->phase < (w->produces ? PHASE_DRAIN : PHASE_SETTLE))
		run_start_worker(r, s);
}

static void
on_node(struct run *r, const struct msg_node *m)
{
	if (m->node >= 1 && m->node <= CONFIG_NODES_MAX)
		r->nodes[m->node - 1] = *m;
	if (r->is_up)
		servers_write(r); /* another version */
}

static void
on_up(struct run *r)
{
	char urls[CONFIG_NODES_MAX * 64];

	servers_write(r);
	if (config_has_load(&r->config))
		return;
	servers_urls(r, urls, sizeof(urls));
	progress_say(
	    &r->progress, "the servers are up: clients connect to %s", urls);
}

/*
 * The next incarnation goes on behind every counter that was used: what is
 * begun under an id of this process may have made it.
 */
static void
note_counter(struct run *r, const struct child_slot *s, uint64_t id)
{
	struct run_worker *w = &r->workers[s->source];

	if (message_id_source(id) == s->source &&
	    message_id_counter(id) > w->counter)
		w->counter = message_id_counter(id);
}

/*
 * The ack of a message was confirmed, or nobody will ever know: it may have
 * been committed unheard, and then the message never comes again. In either
 * case the lockstep goes on.
 */
static void
ack_settled(struct run *r, const struct child_slot *s, uint64_t id)
{
	r->workers[s->source].acking = 0;
	if (r->workload->is_steered && id != 0)
		tell_publisher(r, MESSAGE_DONE, id);
}

/* What chaos waits for has come: it is told once, at once. */
static void
tell_moment(struct run *r, const struct event *ev)
{
	struct event say = {.type = MESSAGE_MOMENT};
	unsigned found = moment_of_event(r->moments, ev->type);

	if (found == 0 || ev->time_ns < r->aimed_ns)
		return;
	r->moments &= ~found;
	say.u.moment.moments = found;
	say.u.moment.at_ns = ev->time_ns;
	children_send(r->children, r->chaos, &say);
}

/* Steering: raw arrivals, before the merge. Judges nothing. */
static void
steer(struct run *r, struct child_slot *s, const struct event *ev)
{
	if (message_class(ev->type) & IS_INVOKE)
		note_counter(r, s, message_id_of(ev));
	if (r->moments != 0)
		tell_moment(r, ev);
	switch ((unsigned)ev->type) {
	case MESSAGE_PUBLISH_INVOKE:
		r->published_bytes += ev->u.publish_invoke.size;
		break;
	case MESSAGE_ACK_INVOKE:
		r->workers[s->source].acking = ev->u.ack_invoke.id;
		break;
	case MESSAGE_ACK_OK:
		ack_settled(r, s, ev->u.ack_ok.id);
		break;
	case MESSAGE_ACK_UNKNOWN:
		if (ev->u.ack_unknown.gave_up)
			ack_settled(r, s, ev->u.ack_unknown.id);
		break;
	case MESSAGE_AIM:
		r->moments = ev->u.aim.moments;
		r->aimed_ns = ev->time_ns;
		break;
	case MESSAGE_READY:
		on_ready(r, s);
		break;
	case MESSAGE_NODE:
		on_node(r, &ev->u.node);
		break;
	case MESSAGE_CLUSTER_UP:
		r->is_up = true;
		on_up(r);
		break;
	case MESSAGE_CLUSTER_FAILED:
	case MESSAGE_SKIPPED:
		r->doomed = true;
		r->is_refused = s != r->chaos && r->phase < PHASE_CLEAN;
		break;
	case MESSAGE_STREAM:
	case MESSAGE_CONSUMER:
		phase_prolong(r, PHASE_SETUP);
		break;
	case MESSAGE_ALL_HEALED:
		r->all_healed = true;
		r->healed_ns = clock_mono_ns();
		break;
	case MESSAGE_SETTLED:
		r->settled = true;
		r->is_unsettled = !ev->u.settled.ok;
		break;
	case MESSAGE_COMPARED:
		r->compared = true;
		break;
	case MESSAGE_DUMPED:
		r->dumped = true;
		break;
	default:
		break;
	}
}

static void
say_log(struct run *r, const struct child_slot *s, const struct event *ev)
{
	char who[48];

	if (ev->type == MESSAGE_DIAG)
		progress_say(&r->progress, "harness: %s %u: %s", s->role,
		    s->source, ev->u.diag.text);
	if (ev->type != MESSAGE_LOG || ev->u.log.level < LOG_WARN ||
	    r->config.quiet)
		return;
	progress_end(&r->progress);
	text_format(who, sizeof(who), "%s %u", s->role, s->source);
	log_print(who, ev->u.log.level, ev->u.log.text);
}

static void
hook_event(void *arg, struct child_slot *s, const struct event *ev,
    const uint8_t *raw, size_t raw_len)
{
	struct run *r = arg;
	char whose[48];
	int err;

	if (ev->type == MESSAGE_HEARTBEAT) {
		merge_mark(r->merge, s->source, ev->time_ns);
		return;
	}
	steer(r, s, ev);
	say_log(r, s, ev);
	err = merge_push(r->merge, ev, raw, raw_len);
	if (err == 0)
		return;
	text_format(whose, sizeof(whose), "%s %u", s->role, s->source);
	lose_event(r, whose, err);
}

static void
hook_gap(void *arg, struct child_slot *s, uint64_t expected, uint64_t got)
{
	struct event ev = {.type = MESSAGE_CHILD_GAP};

	ev.u.child_gap.child = s->source;
	ev.u.child_gap.expected = expected;
	ev.u.child_gap.got = got;
	run_note(arg, &ev);
}

/* From here on the history waits for what it may say. */
static void
hook_starting(void *arg, struct child_slot *s)
{
	struct run *r = arg;
	int err = merge_open(r->merge, s->source, s->started_ns);

	if (err < 0)
		run_doom(r, "cannot follow %s %u: %s", s->role, s->source,
		    strerror(-err));
}

static void
hook_failed(void *arg, struct child_slot *s, int err)
{
	struct run *r = arg;

	merge_close(r->merge, s->source);
	if (s->state == CHILD_FINISHED && err != -ECANCELED)
		run_doom(r, "cannot start a process for %s: %s", s->role,
		    strerror(-err));
}

static void
hook_started(void *arg, struct child_slot *s)
{
	struct run *r = arg;
	struct event ev = {.type = MESSAGE_CHILD_START};

	ev.u.child_start.child = s->source;
	ev.u.child_start.child_incarnation = s->incarnation;
	ev.u.child_start.pid = (uint32_t)s->pid;
	text_set(ev.u.child_start.role, sizeof(ev.u.child_start.role), s->role);
	run_note(r, &ev);
	run_configure(r, s);
	phase_prolong(r, PHASE_SETUP);
	phase_prolong(r, PHASE_START);
}

static void
hook_ended(void *arg, struct child_slot *s, const struct child_end *end)
{
	struct run *r = arg;
	struct event ev = {.type = MESSAGE_CHILD_EXIT};
	struct msg_child_exit *m = &ev.u.child_exit;

	merge_close(r->merge, s->source);
	ack_settled(r, s, r->workers[s->source].acking);
	m->child = s->source;
	m->child_incarnation = s->incarnation;
	m->code = (uint8_t)end->code;
	m->signal = (uint8_t)end->signal;
	m->expected = end->expected || r->killed || r->concluding;
	m->torn = s->torn;
	m->last_seq = s->last_seq;
	run_note(r, &ev);
	if (m->expected)
		return;
	progress_say(&r->progress,
	    "%s %u ended unexpectedly (exit code %d, signal %d)%s", s->role,
	    s->source, end->code, end->signal,
	    end->will_restart ? "; it is started again" : "");
	if (s == r->chaos && !r->doomed)
		run_doom(r, "the chaos process %s; its servers died with it",
		    s->stood_still ? "stood still and was ended" : "died");
	else if (r->workers[s->source].is_load && !end->will_restart &&
		 r->phase < PHASE_DRAIN)
		run_doom(r, "%s %u can't be kept running", s->role, s->source);
}

static void
hook_signalled(void *arg, int sig)
{
	struct run *r = arg;
	struct event ev = {.type = MESSAGE_INTERRUPT};

	if (r->interrupted) {
		r->killed = true;
		return;
	}
	r->interrupted = true;
	progress_say(&r->progress,
	    "%s: the load ends here; healing and judging what was seen "
	    "(once more kills everything)",
	    sig == SIGINT ? "interrupted" : "told to end");
	text_format(
	    ev.u.interrupt.why, sizeof(ev.u.interrupt.why), "signal %d", sig);
	run_note(r, &ev);
}

const struct children_hooks run_hooks = {
    .event = hook_event,
    .gap = hook_gap,
    .starting = hook_starting,
    .started = hook_started,
    .failed = hook_failed,
    .ended = hook_ended,
    .signalled = hook_signalled,
};

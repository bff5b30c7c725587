/* SPDX-License-Identifier: ISC */
/* A live run: the loop and what children's events mean; see run.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "orchestrator/live/reserve.h"
#include "orchestrator/live/run.h"
#include "orchestrator/live/servers.h"
#include "orchestrator/report/report.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/spawn.h"
#include "proto/base/text.h"

#define LOOP_MS	       20
#define GATHER_MS      2
#define TICK_NS	       CLOCK_S
#define ANOMALIES_SAID 3	      /* of a kind and class */
#define SILENT_NS      (6 * CLOCK_S)  /* longer than any one call of a child */
#define FLUSH_NS       CLOCK_S	      /* journal to the kernel */
#define LAST_NS	       (10 * CLOCK_S) /* for the last children to leave */

void
run_note(struct run *r, struct event *ev)
{
	const uint8_t *raw;
	struct event back;
	size_t used;

	/* Stamp and encode by the same code as a child does. */
	if (channel_send(&r->own, ev) < 0)
		return;
	raw = buf_data(&r->own.buf);
	if (frame_decode(raw, buf_len(&r->own.buf), &back, &used) ==
	    FRAME_WHOLE)
		(void)merge_push(r->merge, &back, raw, used);
	buf_consume(&r->own.buf, buf_len(&r->own.buf));
}

void
run_doom(struct run *r, const char *fmt, ...)
{
	struct event ev = {.type = MESSAGE_HARNESS};
	va_list ap;

	va_start(ap, fmt);
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
	void *both[2] = {r->children, s};
	struct event ev;
	unsigned i;

	for (i = 0; i < CONFIG_NODES_MAX; i++) {
		if (r->nodes[i].url[0] == '\0')
			continue;
		memset(&ev, 0, sizeof(ev));
		ev.type = MESSAGE_SERVER_URL;
		text_set(ev.u.server_url.url, sizeof(ev.u.server_url.url),
		    r->nodes[i].url);
		children_send(r->children, s, &ev);
	}
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

static void
on_anomaly(void *arg, const struct anomaly *a)
{
	struct run *r = arg;

	r->progress.anomalies++;
	say_anomaly(r, a);
	if (r->config.stop_on_anomaly && a->class == CLASS_VIOLATION)
		r->stopped = true; /* the load ends; healing and audit follow */
	/* The run goes on: the lockstep must not wait for what is judged. */
	if (a->kind == ANOMALY_STUCK && a->ids[0] != 0)
		tell_publisher(r, MESSAGE_DONE, a->ids[0]);
	else if (a->ids[0] != 0 && (a->kind == ANOMALY_OP_TIMEOUT ||
				       a->kind == ANOMALY_LOST_UPDATE ||
				       a->kind == ANOMALY_STREAM_MISSING ||
				       a->kind == ANOMALY_STREAM_RESURRECTED))
		tell_publisher(r, MESSAGE_GIVE_UP, a->ids[0]);
}

static void
on_ready(struct run *r, struct child_slot *s)
{
	const struct run_worker *w = &r->workers[s->source];

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
	if (strcmp(r->config.test, "none") != 0)
		return;
	servers_urls(r, urls, sizeof(urls));
	progress_say(
	    &r->progress, "the servers are up: clients connect to %s", urls);
}

/* The next incarnation goes on behind every counter that was used. */
static void
note_counter(struct run *r, const struct child_slot *s, uint64_t id)
{
	struct run_worker *w = &r->workers[s->source];

	if (message_id_counter(id) > w->counter)
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

/* Steering: raw arrivals, before the merge. Judges nothing. */
static void
steer(struct run *r, struct child_slot *s, const struct event *ev)
{
	switch ((unsigned)ev->type) {
	case MESSAGE_PUBLISH_INVOKE:
		note_counter(r, s, ev->u.publish_invoke.id);
		break;
	case MESSAGE_KV_UPDATE:
		note_counter(r, s, ev->u.kv_update.id);
		break;
	case MESSAGE_STREAM_ADD:
		note_counter(r, s, ev->u.stream_add.id);
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
		break;
	case MESSAGE_STREAM:
	case MESSAGE_CONSUMER:
		phase_prolong(r, PHASE_SETUP);
		break;
	case MESSAGE_ALL_HEALED:
		r->all_healed = true;
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
	int err;

	if (ev->type == MESSAGE_HEARTBEAT) {
		merge_mark(r->merge, s->source, ev->time_ns);
		return;
	}
	steer(r, s, ev);
	say_log(r, s, ev);
	err = merge_push(r->merge, ev, raw, raw_len);
	if (err < 0 && !r->doomed)
		run_doom(r, "cannot queue an event of %s %u: %s", s->role,
		    s->source, strerror(-err));
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

static void
hook_started(void *arg, struct child_slot *s)
{
	struct run *r = arg;
	struct event ev = {.type = MESSAGE_CHILD_START};
	int err = merge_open(r->merge, s->source, s->started_ns);

	if (err < 0)
		run_doom(r, "cannot follow %s %u: %s", s->role, s->source,
		    strerror(-err));
	ev.u.child_start.child = s->source;
	ev.u.child_start.child_incarnation = s->incarnation;
	ev.u.child_start.pid = (uint32_t)s->pid;
	text_set(ev.u.child_start.role, sizeof(ev.u.child_start.role), s->role);
	run_note(r, &ev);
	run_configure(r, s);
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
		run_doom(r, "the chaos process died; its servers died with it");
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

/* Release what can be released into the history. */
static void
release(struct run *r)
{
	const uint8_t *raw;
	struct event ev;
	size_t len;
	int err;

	while (merge_next(r->merge, &ev, &raw, &len)) {
		err = history_enter(&r->history, &ev, raw, len);
		if (err == 0 || r->journal_failed)
			continue;
		r->journal_failed = true;
		run_doom(r,
		    "cannot write the journal in \"%s\": %s; the load ends "
		    "and what was seen so far is judged",
		    r->dir, strerror(-err));
	}
}

static void
flush_journal(struct run *r, uint64_t now)
{
	int err;

	if (now < r->flush_ns)
		return;
	r->flush_ns = now + FLUSH_NS;
	err = journal_flush(&r->journal);
	if (err == 0 || r->journal_failed)
		return;
	r->journal_failed = true;
	run_doom(r, "cannot write the journal in \"%s\": %s", r->dir,
	    strerror(-err));
}

/*
 * The servers' stores may be on the same disk, and a server that can't store
 * looks like one that does not answer: the load ends before that convicts.
 */
static void
look_at_disk(struct run *r)
{
	if (r->doomed || r->journal_failed || reserve_has_room(r->dir))
		return;
	r->journal_failed = true;
	run_doom(r,
	    "no room is left in \"%s\": %s; the load ends and what was seen "
	    "so far is judged",
	    r->dir, strerror(ENOSPC));
}

/* Keep the journal near its size; a bounded piece of work. */
static void
retain(struct run *r)
{
	int err = retain_poll(&r->retain, &r->history);

	if (err < 0)
		progress_say(&r->progress,
		    "cannot drop old events of the journal in \"%s\": %s; it "
		    "grows from here on",
		    r->dir, strerror(-err));
}

/*
 * What a person sees of a run of days, and a script in report.json. The
 * evidence is left for the end: it takes a pass over the whole journal.
 */
static void
status(struct run *r, uint64_t now)
{
	cJSON *tree;
	char *text;
	int err;

	if (r->config.status_interval_ns == 0 || now < r->status_ns)
		return;
	r->status_ns = now + r->config.status_interval_ns;
	progress_status(&r->progress, r, now);
	history_look(&r->history);
	tree = report_tree(&r->history, NULL);
	text = tree != NULL ? cJSON_Print(tree) : NULL;
	err = text != NULL
		  ? report_save(text, strlen(text), r->dir, "report.json")
		  : -ENOMEM;
	free(text);
	cJSON_Delete(tree);
	if (err < 0 && !r->journal_failed)
		progress_say(&r->progress,
		    "cannot renew \"%s/report.json\": %s", r->dir,
		    strerror(-err));
}

static void
note_option(void *arg, const char *name, const char *value)
{
	struct event ev = {.type = MESSAGE_OPTION};

	text_set(ev.u.option.name, sizeof(ev.u.option.name), name);
	text_set(ev.u.option.value, sizeof(ev.u.option.value), value);
	run_note(arg, &ev);
}

static void
note_head(struct run *r)
{
	struct event ev = {.type = MESSAGE_RUN};

	ev.u.run.run = r->config.run;
	ev.u.run.wall_ns = clock_wall_ns();
	text_set(ev.u.run.version, sizeof(ev.u.run.version), NATSBURN_VERSION);
	run_note(r, &ev);
	config_each(&r->config, false, note_option, r);
}

static int
run_prepare(struct run *r)
{
	static const struct children_hooks hooks = {
	    hook_event, hook_gap, hook_started, hook_ended, hook_signalled};
	char path[CONFIG_PATH_MAX + 16] = "";
	int fd, err;

	text_add(path, sizeof(path), "%s/stderr.log", r->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	err = journal_create(&r->journal, r->dir);
	if (err == 0)
		err = history_init(&r->history, on_anomaly, r);
	if (err == 0)
		err = spawn_subreaper();
	if (err < 0) {
		close(fd);
		return err;
	}
	r->history.journal = &r->journal;
	retain_init(&r->retain, &r->journal, r->config.journal_keep);
	/* The other half is for the report. */
	r->journal.held_max = reserve_make(r->dir) / 2;
	channel_out_init(&r->own, -1, 0, 1);
	r->merge = merge_create();
	r->children = children_create(&hooks, r, fd);
	if (r->merge == NULL || r->children == NULL)
		return -ENOMEM;
	progress_init(
	    &r->progress, r->config.quiet, r->config.status_interval_ns);
	r->status_ns = clock_mono_ns() + r->config.status_interval_ns;
	return merge_open(r->merge, 0, clock_mono_ns());
}

/*
 * A process of ours that stands still (stopped, starved) looks like a server
 * that does not answer: the judge must know whose silence it is. That of the
 * link proxies tells chaos; our own shows by the ticks that are missing, and
 * the template only works while we wait for it.
 */
static void
note_silence(struct run *r, uint64_t now)
{
	struct event ev = {.type = MESSAGE_CHILD_SILENT};
	const struct child_slot *s;
	uint64_t silent_ns;
	uint32_t i;

	for (i = 1; (s = children_slot(r->children, i)) != NULL; i++) {
		silent_ns = children_silence(r->children, s, now);
		if (s->pid == 0 || silent_ns < SILENT_NS)
			continue;
		ev.u.child_silent.child = i;
		ev.u.child_silent.silent_ns = silent_ns;
		run_note(r, &ev);
	}
}

static void
loop_once(struct run *r)
{
	struct event tick = {.type = MESSAGE_TICK};
	uint64_t now;

	/*
	 * Where nobody waits for an answer from here, events may gather for a
	 * moment: woken by each of many writers we would take their time.
	 */
	if (!r->workload->is_steered && r->phase >= PHASE_QUIET &&
	    r->phase <= PHASE_DRAIN)
		(void)poll(NULL, 0, GATHER_MS);
	(void)children_poll(r->children, LOOP_MS);
	now = clock_mono_ns();
	if (now >= r->tick_ns) {
		r->tick_ns = now + TICK_NS;
		if (r->phase >= PHASE_QUIET)
			note_silence(r, now);
		look_at_disk(r);
		run_note(r, &tick);
	}
	merge_mark(r->merge, 0, now);
	release(r);
	flush_journal(r, now);
	retain(r);
	status(r, now);
	progress_show(&r->progress, r, now);
	metrics_poll(r->metrics, now);
}

/* Everything that is left, in order; then nothing runs any more. */
static void
run_conclude(struct run *r)
{
	uint64_t deadline = clock_mono_ns() + LAST_NS;
	uint32_t i;

	r->concluding = true; /* whoever still runs is ended by us */
	for (i = 1; children_slot(r->children, i) != NULL; i++) {
		children_slot(r->children, i)->restarts = false;
		children_kill(r->children, children_slot(r->children, i));
	}
	while (children_alive(r->children) > 0 && clock_mono_ns() < deadline)
		loop_once(r);
	/* Nobody is left who would take the room away again. */
	reserve_release(r->dir);
	(void)journal_retry(&r->journal);
	merge_close(r->merge, 0);
	release(r);
	retain_fini(&r->retain);
	(void)journal_close(&r->journal); /* its error stands in the journal */
	r->history.journal = NULL;
	history_finish(&r->history);
	servers_remove(r);
	progress_end(&r->progress);
}

int
run_execute(struct run *r)
{
	int err = run_prepare(r);

	if (err < 0)
		return err;
	note_head(r);
	phase_enter(r, PHASE_UP);
	while (r->phase != PHASE_END && !r->killed) {
		loop_once(r);
		phase_poll(r);
	}
	run_conclude(r);
	return 0;
}

void
run_fini(struct run *r)
{
	children_destroy(r->children);
	merge_destroy(r->merge);
	channel_out_fini(&r->own);
	history_fini(&r->history);
}

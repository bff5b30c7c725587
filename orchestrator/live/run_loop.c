/* SPDX-License-Identifier: ISC */
/* A live run from its first process to its judged history; see run.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chaos/cluster/cluster.h"
#include "orchestrator/live/reserve.h"
#include "orchestrator/live/run.h"
#include "orchestrator/live/servers.h"
#include "orchestrator/report/report.h"
#include "orchestrator/report/report_files.h"
#include "proto/base/file.h"
#include "proto/base/spawn.h"
#include "proto/base/text.h"

#define LOOP_MS	  20
#define GATHER_MS 2
#define TICK_NS	  CLOCK_S
#define SILENT_NS (6 * CLOCK_S)	 /* longer than any one call of a child */
#define DEAF_NS	  (2 * CLOCK_S)	 /* children can't be heard for so long */
#define FLUSH_NS  CLOCK_S	 /* journal to the kernel */
#define LAST_NS	  (10 * CLOCK_S) /* for the last children to leave */

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
		  ? report_files_save(text, strlen(text), r->dir, "report.json")
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
	char path[CONFIG_PATH_MAX + 16] = "";
	int fd, err;

	/* Without servers nobody is starved. */
	if (cluster_find(r->config.cluster)->owner != OWNER_NONE)
		host_init(&r->host);
	text_add(path, sizeof(path), "%s/stderr.log", r->dir);
	fd = file_create(path);
	if (fd < 0)
		return fd;
	err = journal_create(&r->journal, r->dir, r->config.run);
	r->has_journal = err == 0;
	if (err == 0)
		err = history_init(&r->history, run_on_anomaly, r);
	if (err == 0)
		err = spawn_subreaper();
	if (err < 0) {
		close(fd);
		return err;
	}
	r->history.journal = &r->journal;
	r->history.run_dir = r->dir;
	retain_init(&r->retain, &r->journal, r->config.journal_keep);
	/* The other half is for the report. */
	r->journal.held_max = reserve_make(r->dir) / 2;
	channel_out_init(&r->own, -1, 0, 1);
	r->merge = merge_create();
	r->children = children_create(&run_hooks, r, fd);
	if (r->children == NULL)
		close(fd);
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
note_silence(struct run *r)
{
	struct event ev = {.type = MESSAGE_CHILD_SILENT};
	const struct child_slot *s;
	uint64_t silent_ns;
	uint32_t i;

	for (i = 1; (s = children_slot(r->children, i)) != NULL; i++) {
		silent_ns = children_silence(r->children, s);
		if (s->pid == 0 || silent_ns < SILENT_NS)
			continue;
		ev.u.child_silent.child = i;
		ev.u.child_silent.silent_ns = silent_ns;
		run_note(r, &ev);
	}
}

/* Without word from any child nothing more can be known, or be done. */
static void
look_for_deafness(struct run *r, int err, uint64_t now)
{
	if (err == 0)
		r->deaf_ns = 0;
	else if (r->deaf_ns == 0)
		r->deaf_ns = now;
	else if (now >= r->deaf_ns + DEAF_NS && !r->is_deaf) {
		r->is_deaf = true;
		run_doom(r, "cannot wait for the child processes: %s",
		    strerror(-err));
	}
}

/* Before an event is lost for want of room it is ended: it stands still. */
static void
end_holder(struct run *r)
{
	struct child_slot *s;
	uint32_t holder;

	if (!merge_is_held_up(r->merge, &holder))
		return;
	s = children_slot(r->children, holder);
	if (s == NULL || s->pid == 0 || s->state == CHILD_KILLED)
		return;
	progress_say(&r->progress,
	    "%s %u stands still, and too many events wait for it: killed",
	    s->role, s->source);
	children_kill(r->children, s);
}

static void
loop_once(struct run *r)
{
	struct event tick = {.type = MESSAGE_TICK}, load;
	uint64_t now;
	int err;

	/*
	 * Where nobody waits for an answer from here, events may gather for a
	 * moment: woken by each of many writers we would take their time.
	 */
	if (!r->workload->is_steered && r->phase >= PHASE_QUIET &&
	    r->phase <= PHASE_DRAIN)
		(void)poll(NULL, 0, GATHER_MS); /* shorter is fine */
	err = children_poll(r->children, LOOP_MS);
	now = clock_mono_ns();
	look_for_deafness(r, err, now);
	if (now >= r->tick_ns) {
		if (r->tick_ns != 0)
			host_late(&r->host, now - r->tick_ns);
		r->tick_ns = now + TICK_NS;
		if (r->phase >= PHASE_QUIET)
			note_silence(r);
		end_holder(r);
		look_at_disk(r);
		run_note(r, &tick);
	}
	if (host_poll(&r->host, now, &load))
		run_note(r, &load);
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
	uint64_t deadline = children_time(r->children) + LAST_NS;
	uint32_t i;

	r->concluding = true; /* whoever still runs is ended by us */
	for (i = 1; children_slot(r->children, i) != NULL; i++) {
		children_slot(r->children, i)->restarts = false;
		children_kill(r->children, children_slot(r->children, i));
	}
	while (children_alive(r->children) > 0 && !r->is_deaf &&
	       children_time(r->children) < deadline)
		loop_once(r);
	/* Nobody is left who would take the room away again. */
	reserve_release(r->dir);
	(void)journal_retry(&r->journal); /* its error stands in the journal */
	/* One that was not seen to end would hold back what others sent. */
	for (i = 0; i == 0 || children_slot(r->children, i) != NULL; i++)
		merge_close(r->merge, i);
	release(r);
	retain_fini(&r->retain);
	(void)journal_close(&r->journal); /* likewise */
	r->has_journal = false;
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
	while (r->phase != PHASE_END && !r->killed && !r->is_deaf) {
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
	if (!r->has_journal)
		return;
	(void)journal_close(&r->journal); /* nothing was run */
	reserve_release(r->dir);
}

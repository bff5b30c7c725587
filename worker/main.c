/* SPDX-License-Identifier: ISC */
/*
 * A worker process: takes its configuration, connects, says READY, waits
 * for START, works step by step until STOP, settles, says BYE.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "proto/backup.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/sig.h"
#include "proto/base/text.h"
#include "worker/audit/audit.h"
#include "worker/denial.h"
#include "worker/internal.h"

#define WAIT_MS	    1000
#define CONNECT_NS  (50 * CLOCK_S)
#define EXIT_FAILED 70

/*
 * Everything until the run id, which comes last: as long as the parent takes,
 * for at its end this process ends. 0 or -errno.
 */
static int
take_config(struct worker *w)
{
	struct session *s = &w->session;
	char why[OPTION_WHY_MAX];
	struct event cmd;

	config_init(&w->config);
	while (w->config.run == 0) {
		if (!child_command(&w->child, WAIT_MS, &cmd))
			continue;
		if (cmd.type == MESSAGE_SERVER_URL &&
		    s->nurls < CONFIG_NODES_MAX)
			text_set(s->urls[s->nurls++], sizeof(s->urls[0]),
			    cmd.u.server_url.url);
		else if (cmd.type == MESSAGE_OPTION &&
			 config_set(&w->config, cmd.u.option.name,
			     cmd.u.option.value, why) < 0)
			return -EINVAL;
	}
	return 0;
}

/*
 * A process that wakes up for each message takes the processor from a server
 * that was about to send more. As a batch process it waits for its turn and
 * finds many messages (sched(7)). The library's threads inherit that.
 */
static void
gather(void)
{
	const struct sched_param none = {0};

	if (sched_setscheduler(0, SCHED_BATCH, &none) < 0)
		log_debug("no batch scheduling: %s", strerror(errno));
}

static int
prepare(struct worker *w)
{
	static const struct option_spec no_rows[] = {
	    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false}};
	char why[OPTION_WHY_MAX];
	int err = take_config(w);

	if (err < 0)
		return err;
	w->ops = workload_find(w->config.test);
	if (w->ops == NULL)
		return -ENOENT;
	w->state = calloc(1, w->ops->state_size ? w->ops->state_size : 1);
	w->options = calloc(1, w->ops->options_size ? w->ops->options_size : 1);
	if (w->state == NULL || w->options == NULL)
		return -ENOMEM;
	err = config_extras(&w->config, w->ops->name,
	    w->ops->options != NULL ? w->ops->options : no_rows, w->options,
	    why);
	if (err < 0 || w->ops->needs_no_cluster)
		return err;
	if (w->ops->is_bulk)
		gather();
	return session_open(
	    &w->session, &w->child, &w->config, clock_mono_ns() + CONNECT_NS);
}

/*
 * Setup, which connects first, says that nobody gets in, or that these servers
 * lack what the test is about (-ENOTSUP), and anybody what may not be done:
 * each ends the run.
 */
static void
emit_refused(struct worker *w, int err)
{
	struct event ev = {
	    .type = err == -ENOTSUP ? MESSAGE_SKIPPED : MESSAGE_CLUSTER_FAILED};

	/* Both have the same field. */
	text_set(ev.u.cluster_failed.why, sizeof(ev.u.cluster_failed.why),
	    w->session.refusal);
	child_emit(&w->child, &ev);
	child_flush(&w->child);
}

/*
 * Nothing may be left on servers of others: who may not delete streams makes
 * none. Asked of one that isn't there; any answer will do.
 */
static int
may_delete(struct worker *w)
{
	char stream[64];
	natsStatus st;
	jsErrCode code = 0;

	if (w->ops->needs_no_cluster || w->config.servers_are_ours)
		return 0;
	worker_stream_name(w, "none", stream, sizeof(stream));
	st = js_DeleteStream(w->session.js, stream, NULL, &code);
	session_note(&w->session, st, code);
	return denial_permission(w) != NULL
		   ? denial_say(w, "cannot delete streams, and makes none")
		   : 0;
}

static int
play_setup(struct worker *w)
{
	int err = may_delete(w);

	if (err == 0 && w->ops->setup != NULL)
		err = w->ops->setup(w);
	return err;
}

/* What the streams hold, on all servers. */
static int
audit_all(struct worker *w)
{
	int err;

	if (!w->ops->needs_no_cluster)
		consumers_ask(w);
	limit_enter(w, LIMIT_SCANS);
	err = w->ops->audit != NULL ? w->ops->audit(w) : audit_streams(w);
	if (err < 0 || w->ops->needs_no_cluster)
		return err;
	limit_enter(w, LIMIT_COPIES);
	return copies_streams(w);
}

static int
play_audit(struct worker *w)
{
	bool has_backups = config_list_has(w->config.mayhem, BACKUP_MODE);
	int err = 0;

	if (has_backups && restores_have_replaced(w))
		limit_enter(w, LIMIT_COPIES);
	else
		err = audit_all(w);
	/* Last, for it may replace the streams. */
	if (err == 0 && has_backups)
		restores_streams(w);
	return err;
}

/* The steps of a role of the load. */
static int
work(struct worker *w)
{
	int err = 0;

	while (err == 0 && !worker_must_stop(w)) {
		err = w->ops->step(w);
		if (err == 0)
			err = denial_look(w);
	}
	if (err == 0 && w->ops->drain != NULL)
		err = w->ops->drain(w);
	if (w->ops->end != NULL)
		w->ops->end(w);
	return err;
}

/* Roles that every workload has: short-lived, once a run. */
static const struct service {
	const char *role;
	int (*play)(struct worker *);
} services[] = {
    {"setup", play_setup},
    {"audit", play_audit},
    {"clean", setup_clean},
};

#define SERVICES (sizeof(services) / sizeof(services[0]))

static int
play_role(struct worker *w)
{
	const struct service *service = NULL;
	size_t i;
	int err = 0;

	for (i = 0; i < SERVICES; i++)
		if (strcmp(w->role, services[i].role) == 0)
			service = &services[i];
	if (service == NULL && w->ops->begin != NULL)
		err = w->ops->begin(w);
	if (err < 0)
		return err;
	child_say(&w->child, MESSAGE_READY);
	while (!w->is_started) {
		worker_commands(w, WAIT_MS);
		if (w->child.stopping)
			return 0; /* stopped before it began */
	}
	return service != NULL ? service->play(w) : work(w);
}

static void
library_version(char *out, size_t size)
{
	text_format(out, size, "nats.c %s", nats_GetVersion());
}

int
worker_main(const char *role, uint32_t source, uint32_t incarnation)
{
	struct event bye = {.type = MESSAGE_BYE};
	struct worker *w = calloc(1, sizeof(*w));
	char library[32];
	int err;

	if (w == NULL || sig_open(NULL, 0) < 0)
		return EXIT_FAILED;
	w->source = source;
	w->incarnation = incarnation;
	text_set(w->role, sizeof(w->role), role);
	library_version(library, sizeof(library));
	child_init(&w->child, w->role, library, source, incarnation);
	child_confine(); /* before the library has threads */
	w->session.gives_up = strcmp(role, "setup") == 0;
	err = prepare(w);
	if (err == 0)
		err = play_role(w);
	if ((err == -EACCES || err == -ENOTSUP) &&
	    w->session.refusal[0] != '\0') {
		emit_refused(w, err);
		err = 0; /* said; that is no fault of this process */
	}
	if (err < 0)
		log_error("%s ends: %s", role, strerror(-err));
	session_close(&w->session);
	natsStatistics_Destroy(w->stats);
	bye.u.bye.ok = err == 0;
	child_emit(&w->child, &bye);
	child_flush(&w->child);
	child_fini(&w->child);
	/* After TLS the library (3.4.1) frees what OpenSSL frees at exit. */
	if (w->config.servers_are_ours && w->config.server_conf[0] == '\0')
		nats_Close();
	free(w->targets);
	free(w->asked);
	free(w->state);
	free(w->options);
	free(w);
	frame_cleanup();
	return err == 0 ? 0 : EXIT_FAILED;
}

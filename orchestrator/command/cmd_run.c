/* SPDX-License-Identifier: ISC */
/* natsburn run: from the command line to the exit code. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "orchestrator/command/binary.h"
#include "chaos/cluster/cluster.h"
#include "chaos/mayhem/mayhem.h"
#include "orchestrator/command/cli.h"
#include "orchestrator/command/folder.h"
#include "orchestrator/command/job.h"
#include "orchestrator/command/limits.h"
#include "orchestrator/command/usage.h"
#include "orchestrator/command/validate.h"
#include "orchestrator/live/run.h"
#include "orchestrator/report/bundle.h"
#include "orchestrator/report/report.h"
#include "orchestrator/report/report_files.h"
#include "proto/base/file.h"
#include "proto/base/rng.h"
#include "proto/base/sig.h"
#include "proto/base/text.h"
#include "proto/json.h"

/*
 * Make the run folder; it must not hold an earlier run, or what somebody has
 * prepared where the run's files are to be.
 */
static int
make_run_dir(struct run *r)
{
	static const char *const names[] = {"journal", "servers"};
	char path[CONFIG_PATH_MAX + 32];
	size_t i;
	int bad =
	    folder_name(r->config.out, sizeof(r->config.out), r->config.test);

	if (bad != 0)
		return bad;
	if (strpbrk(r->config.out, "\"\\\n") != NULL)
		return usage_error(
		    "--out \"%s\": quotes, backslashes and line "
		    "ends can't stand in a server's configuration",
		    r->config.out);
	text_set(r->dir, sizeof(r->dir), r->config.out);
	if (mkdir(r->dir, 0700) < 0 && errno != EEXIST)
		return usage_error("--out \"%s\": cannot make this folder: %s",
		    r->dir, strerror(errno));
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		text_format(path, sizeof(path), "%s/%s", r->dir, names[i]);
		if (file_exists(path))
			return usage_error(
			    "--out \"%s\": holds an earlier run already (%s)",
			    r->dir, names[i]);
	}
	if (access(r->dir, W_OK | X_OK) < 0)
		return usage_error("--out \"%s\": cannot be written: %s",
		    r->dir, strerror(errno));
	return 0;
}

static int
open_metrics(struct run *r)
{
	char why[160];

	if (r->config.metrics[0] == '\0')
		return 0;
	r->metrics = metrics_open(r->config.metrics, r, why, sizeof(why));
	if (r->metrics == NULL)
		return usage_error(
		    "--metrics \"%s\": %s", r->config.metrics, why);
	return 0;
}

/* Nobody has said how many replicas: as many as the cluster of others has. */
static void
count_servers(struct run_config *c)
{
	const struct cluster_ops *driver = cluster_find(c->cluster);
	unsigned n = driver->count != NULL ? driver->count(c) : 0;

	if (n > 0 && n < c->replicas)
		c->replicas = n;
}

/* What the options mean, and whether they can be meant. */
static int
prepare(struct run *r)
{
	/* From the run folder on there is something to end in order. */
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
	bool is_open = r->config.replicas == 0;
	int bad;

	bad = validate_fill(&r->config);
	if (bad == 0)
		bad = validate_config(&r->config);
	if (bad != 0 || job_is_dumped())
		return bad;
	if (cluster_find(r->config.cluster)->owner == OWNER_US)
		bad = binary_find_server(&r->config);
	if (bad == 0)
		bad = limits_check(&r->config);
	if (bad == 0)
		bad = open_metrics(r);
	if (bad == 0) {
		sig_hold(ends, 3);
		bad = make_run_dir(r);
	}
	if (bad != 0)
		return bad;
	if (is_open)
		count_servers(&r->config);
	if (is_open && r->config.replicas < 3 && !r->config.quiet)
		fprintf(stderr,
		    "--replicas %llu, as many as there are servers\n",
		    (unsigned long long)r->config.replicas);
	r->workload = workload_find(r->config.test);
	if (r->config.seed == 0)
		r->config.seed = rng_fresh_seed();
	r->config.run = rng_fresh_seed();
	return 0;
}

/* The absolute path, so that children need not care where they stand. */
static void
resolve_dir(struct run *r)
{
	char *full = realpath(r->dir, NULL);

	if (full != NULL && strlen(full) < sizeof(r->dir)) {
		text_set(r->dir, sizeof(r->dir), full);
		text_set(r->config.out, sizeof(r->config.out), full);
	}
	free(full);
}

/* A violation is there to be shown to somebody. */
static void
make_bundle(const struct run *r, const cJSON *tree)
{
	bool is_quiet = r->config.quiet || r->config.json;
	char why[256];

	if (bundle_write(
		&r->history, tree, r->dir, &r->config, why, sizeof(why)) < 0)
		fprintf(stderr, "natsburn: cannot write \"%s/%s\": %s\n",
		    r->dir, BUNDLE_NAME, why);
	else if (!is_quiet)
		printf("  to attach   %s/%s\n", r->dir, BUNDLE_NAME);
}

static int
conclude(struct run *r)
{
	cJSON *tree = report_tree(&r->history, r->dir);
	int err = tree != NULL ? report_files_write(&r->history, tree, r->dir)
			       : -ENOMEM;

	if (err < 0)
		fprintf(stderr,
		    "natsburn: cannot write the report in \"%s\": %s\n", r->dir,
		    strerror(-err));
	if (r->config.json)
		json_print(tree, stdout);
	else if (!r->config.quiet)
		report_say(&r->history, r->dir, stdout);
	if (r->history.result.verdict == VERDICT_FAIL && tree != NULL &&
	    !r->killed)
		make_bundle(r, tree);
	cJSON_Delete(tree);
	if (fflush(stdout) != 0 || ferror(stdout) ||
	    (r->config.json && !json_is_whole())) {
		fputs("natsburn: cannot write to stdout\n", stderr);
		err = -EIO;
	}
	if (r->killed)
		return EXIT_KILLED;
	if (err < 0 && r->history.result.exit_code != EXIT_VIOLATION)
		return EXIT_HARNESS;
	return (int)r->history.result.exit_code;
}

/* Modes take turns, and a short run does not come to all of them. */
static void
note_mixes(const struct run_config *c)
{
	const char *list = c->mayhem;
	char mode[64], wants[64];
	unsigned n = 0, at_once;
	uint64_t ns;

	while (text_next_item(&list, mode, sizeof(mode)))
		n++;
	at_once = mayhem_at_once(c, n);
	ns = (n + at_once - 1) / at_once * (c->quiet_ns + c->mix_time_ns);
	if (at_once == n || c->duration_ns >= ns)
		return;
	text_from_duration(ns, wants, sizeof(wants));
	fprintf(stderr,
	    "%u modes, %u at a time: all of them come in --duration %s, or "
	    "with a shorter --mix-time\n",
	    n, at_once, wants);
}

/* What will run, in some lines. */
static void
greet(const struct run *r)
{
	const struct run_config *c = &r->config;
	bool is_idle = !config_has_load(c);

	fprintf(stderr,
	    "natsburn %s: %s%s%smayhem %s, cluster %s, seed %llu\n"
	    "run folder %s\n",
	    NATSBURN_VERSION, is_idle ? "" : "test ", is_idle ? "" : c->test,
	    is_idle ? "" : ", ", c->mayhem, c->cluster,
	    (unsigned long long)c->seed, r->dir);
	note_mixes(c);
	if (c->context[0] != '\0')
		fprintf(stderr, "servers %s, context \"%s\" of the nats CLI\n",
		    c->url, c->context);
	if (r->metrics != NULL)
		fprintf(stderr, "metrics at http://%.*s:%u/metrics\n",
		    (int)(strrchr(c->metrics, ':') - c->metrics), c->metrics,
		    metrics_port(r->metrics));
}

static int
execute(struct run *r)
{
	int err, code, folder;

	resolve_dir(r);
	if (!r->config.quiet)
		greet(r);
	/* It is held until the run ends: "cluster down" looks who does. */
	folder = file_open_dir(r->dir);
	err = folder < 0 ? folder : run_execute(r);
	if (err < 0) {
		fprintf(stderr, "natsburn: cannot run in \"%s\": %s\n", r->dir,
		    strerror(-err));
		code = EXIT_HARNESS;
	} else
		code = conclude(r);
	if (folder >= 0) {
		run_fini(r);
		close(folder);
	}
	return code;
}

/* How many replicas stays open where the cluster is to be asked. */
static int
dump(struct run *r, bool is_open)
{
	if (is_open && cluster_find(r->config.cluster)->count != NULL)
		r->config.replicas = 0;
	return job_dump(&r->config, NULL, NULL);
}

int
run_configured(struct run *r)
{
	bool is_open = r->config.replicas == 0;
	int code = prepare(r);

	if (code == 0 && job_is_dumped())
		return dump(r, is_open);
	if (code == 0)
		code = execute(r);
	metrics_close(r->metrics);
	return code;
}

int
cmd_run(int argc, char **argv)
{
	struct run *r = calloc(1, sizeof(*r));
	const char *word = NULL;
	int n, code = EXIT_USAGE;

	if (r == NULL)
		return usage_error("out of memory");
	config_init_open(&r->config);
	n = cli_connect_options(&r->config, argc, argv, &word, 1);
	if (n == 1 && !text_fits(r->config.test, sizeof(r->config.test), word))
		code = usage_error("unknown test \"%.60s\"", word);
	else if (n >= 0)
		code = run_configured(r);
	free(r);
	return code;
}

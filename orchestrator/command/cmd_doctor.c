/* SPDX-License-Identifier: ISC */
/*
 * natsburn doctor: are this host, and a cluster of others, ready for a run?
 * Leaves nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "orchestrator/command/binary.h"
#include "chaos/cluster/cluster.h"
#include "orchestrator/command/cli.h"
#include "orchestrator/command/job.h"
#include "orchestrator/command/limits.h"
#include "orchestrator/command/trial.h"
#include "orchestrator/command/usage.h"
#include "orchestrator/command/validate.h"
#include "orchestrator/judge/judge.h"
#include "proto/base/text.h"
#include "proto/json.h"
#include "worker/worker.h"

#define LOAD_HIGH   3.0 /* tasks a processor */
#define ROOM_NEEDED ((unsigned long long)1 << 30)

/* With --json, all that is said; else NULL. */
static cJSON *looks;

static void
say(const char *state, const char *what, const char *text)
{
	cJSON *look;

	if (looks == NULL) {
		printf("%-5s %-12s %s\n", state, what, text);
		return;
	}
	look = cJSON_CreateObject();
	json_put_text(look, "state", state);
	json_put_text(look, "what", what);
	json_put_text(look, "text", text);
	json_append(looks, look);
}

/* 0, or EXIT_HARNESS when that can't be written. */
static int
print_looks(int code)
{
	cJSON *tree = cJSON_CreateObject();
	int bad = 0;

	json_put_number(tree, "exit_code", code);
	json_put(tree, "looks", looks);
	looks = NULL;
	json_print(tree, stdout);
	cJSON_Delete(tree);
	if (fflush(stdout) != 0 || ferror(stdout) || !json_is_whole()) {
		fputs("natsburn: cannot write to stdout\n", stderr);
		bad = EXIT_HARNESS;
	}
	return bad;
}

static int
look_at_servers(struct run_config *c)
{
	char path[CONFIG_LIST_MAX], version[200], text[CONFIG_LIST_MAX + 256];
	const char *list;
	int code = binary_find_server(c), err;

	if (code != 0) {
		say("BAD", "server", "no usable nats-server: see above");
		return EXIT_CLUSTER;
	}
	for (list = c->server_bin; text_next_item(&list, path, sizeof(path));) {
		err = binary_version(path, version, sizeof(version));
		text_format(text, sizeof(text), "%s: %s", path,
		    err == 0 ? version : strerror(-err));
		if (err == 0 && strstr(version, "nats-server") == NULL) {
			text_add(text, sizeof(text), ": no nats-server");
			err = -EINVAL;
		}
		say(err == 0 ? "ok" : "BAD", "server", text);
		if (err < 0)
			code = EXIT_CLUSTER;
	}
	return code;
}

static int
look_at_limits(const struct run_config *c)
{
	char says[LIMITS_SAYS_MAX];
	int descriptors, tasks, system = limits_system();

	say(system == 0 ? "ok" : "BAD", "system",
	    system == 0 ? "/proc and /dev/null are there" : "see above");
	descriptors = limits_descriptors(c, says);
	say(descriptors == 0 ? "ok" : "BAD", "descriptors", says);
	tasks = limits_tasks(c, says);
	say(tasks == 0 ? "ok" : "BAD", "processes", says);
	if (system != 0)
		return system;
	return descriptors != 0 ? descriptors : tasks;
}

static int
look_at_room(const struct run_config *c)
{
	/* A folder that isn't there yet is made in the one above it. */
	char above[sizeof(c->out)], text[128];
	const char *dir = c->out[0] != '\0' ? c->out : ".";
	unsigned long long room;
	struct statvfs v;

	text_set(above, sizeof(above), dir);
	if (access(dir, F_OK) < 0)
		dir = dirname(above);
	if (statvfs(dir, &v) < 0) {
		text_format(
		    text, sizeof(text), "%.60s: %.40s", dir, strerror(errno));
		say("BAD", "disk", text);
		return EXIT_USAGE;
	}
	room = (unsigned long long)v.f_bavail * v.f_frsize;
	text_format(
	    text, sizeof(text), "%llu MiB free in %.60s", room >> 20, dir);
	say(room < ROOM_NEEDED ? "LOW" : "ok", "disk", text);
	return 0;
}

static void
look_at_ports(void)
{
	unsigned low = 0, high = 0;
	char text[128], line[64] = "";
	FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");

	if (f != NULL && fgets(line, sizeof(line), f) != NULL &&
	    sscanf(line, "%u %u", &low, &high) == 2)
		text_format(text, sizeof(text),
		    "servers listen below %u, where the kernel picks none",
		    low);
	else
		text_format(text, sizeof(text), "range not known");
	if (f != NULL)
		fclose(f);
	say(low == 0 || low > 12000 ? "ok" : "LOW", "ports", text);
}

/* Latencies and stalls of a host without processors to spare are its own. */
static void
look_at_load(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	FILE *f = fopen("/proc/loadavg", "re");
	char text[128];
	double load;
	bool is_known = f != NULL && n > 0 && fscanf(f, "%lf", &load) == 1;

	if (is_known)
		text_format(text, sizeof(text),
		    "load %.1f on %ld processor%s%s", load, n,
		    n == 1 ? "" : "s",
		    load > LOAD_HIGH * (double)n
			? ": latencies and stalls will be this host's"
			: "");
	if (is_known)
		say(load > LOAD_HIGH * (double)n ? "HIGH" : "ok", "load", text);
	if (f != NULL)
		(void)fclose(f); /* it was only read */
}

/* Programs that drivers run; what is lacking is bad if this run needs it. */
static int
look_at_programs(const struct run_config *c)
{
	const struct cluster_ops *const *d;
	const struct cluster_program *p;
	char path[CONFIG_PATH_MAX], text[128];
	bool is_needed;
	int code = 0;

	for (d = cluster_table; *d != NULL; d++) {
		p = &(*d)->program;
		if (p->name == NULL)
			continue;
		if (binary_find(p->name, path, sizeof(path))) {
			say("ok", p->name, path);
			continue;
		}
		is_needed =
		    strcmp(c->cluster, (*d)->name) == 0 && p->is_needed();
		text_format(text, sizeof(text),
		    "not on PATH; needed for --cluster %s only, %s", (*d)->name,
		    p->when);
		say(is_needed ? "BAD" : "none", p->name, text);
		code = is_needed ? EXIT_CLUSTER : code;
	}
	return code;
}

/* Nothing but a run shows whether one can be made. */
static int
try_test(const struct run_config *open, const char *what, bool is_one_of_all)
{
	char says[TRIAL_SAYS_MAX];
	int code = trial_run(open, says);

	/* A test of what only newer servers have; others can be run. */
	if (code == EXIT_SKIPPED && is_one_of_all) {
		say("none", what, says);
		return 0;
	}
	say(code == 0 ? "ok" : "BAD", what, says);
	return code;
}

/* Somebody's cluster: does it let natsburn do what the test does, or all do? */
static int
look_at_cluster(struct run_config *open, bool all)
{
	const struct workload_ops *const *w;
	int code = 0, bad;

	if (cluster_find(open->cluster)->owner != OWNER_OTHERS)
		return 0;
	if (!all)
		return try_test(open, "cluster", false);
	for (w = workload_table; *w != NULL; w++) {
		if ((*w)->needs_no_cluster || strcmp((*w)->name, "none") == 0)
			continue;
		text_set(open->test, sizeof(open->test), (*w)->name);
		bad = try_test(open, (*w)->name, true);
		code = code == 0 ? bad : code;
	}
	return code;
}

int
cmd_doctor(int argc, char **argv)
{
	struct run_config *c = calloc(2, sizeof(*c)), *open;
	int code = EXIT_USAGE, bad[5], i, n;
	const char *word = NULL;
	bool all;

	if (c == NULL)
		return usage_error("out of memory");
	open = &c[1];
	config_init_open(c);
	text_set(c->test, sizeof(c->test), "queue-group-consumer");
	n = cli_connect_options(c, argc, argv, &word, 1);
	if (n < 0)
		goto out;
	if (job_is_dumped()) {
		usage_say("--dump-config: is for what would run; doctor looks");
		goto out;
	}
	all = n == 1 && strcmp(word, "all") == 0;
	if (n == 1 && !all && !text_fits(c->test, sizeof(c->test), word)) {
		usage_say("unknown test \"%.60s\"", word);
		goto out;
	}
	*open = *c;
	if (validate_fill(c) == 0 && validate_config(c) == 0) {
		looks = c->json ? cJSON_CreateArray() : NULL;
		code = 0;
		bad[0] = cluster_find(c->cluster)->owner == OWNER_US
			     ? look_at_servers(c)
			     : 0;
		bad[1] = look_at_limits(c);
		bad[2] = look_at_room(c);
		look_at_ports();
		look_at_load();
		bad[3] = look_at_programs(c);
		bad[4] = look_at_cluster(open, all);
		for (i = 0; i < 5 && code == 0; i++)
			code = bad[i];
		if (looks != NULL && print_looks(code) != 0)
			code = EXIT_HARNESS;
	}
out:
	free(c);
	return code;
}

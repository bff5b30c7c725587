/* SPDX-License-Identifier: ISC */
/*
 * natsburn cluster: servers alone. "up" is a run without load and faults
 * that goes on until it is interrupted; "status" and "down" find it by the
 * servers.json of its folder.
 */
#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "orchestrator/command/cli.h"
#include "orchestrator/command/usage.h"
#include "orchestrator/command/clusters.h"
#include "orchestrator/live/run.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/json.h"

#define FILE_MAX_    65536
#define NESTING_MAX_ 8
#define TIMEOUT_MS   2000L
#define DOWN_MS	     120000 /* heal, settle and end, at most */

static int
start_servers(int argc, char **argv)
{
	struct run *r = calloc(1, sizeof(*r));
	const char *word = NULL;
	int n, code = EXIT_USAGE;

	if (r == NULL)
		return usage_error("out of memory");
	config_init_open(&r->config);
	r->config.duration_ns = RUN_FOREVER_NS;
	n = cli_connect_options(&r->config, argc, argv, &word, 0);
	text_set(r->config.test, sizeof(r->config.test), "none");
	if (n == 0)
		code = run_configured(r);
	free(r);
	return code;
}

/* The servers.json of a run folder; NULL after the error was said. */
static cJSON *
read_servers(const char *dir)
{
	char path[CONFIG_PATH_MAX + 32] = "", *text;
	cJSON *o = NULL;
	size_t len;
	int err = 0;

	text_add(path, sizeof(path), "%s/servers.json", dir);
	text = file_read(path, FILE_MAX_, &len);
	if (text != NULL)
		o = json_parse(text, len, NESTING_MAX_);
	else
		err = errno;
	free(text);
	if (err == ENOENT)
		usage_say("\"%s\": no cluster of natsburn is up there "
			  "(it has no servers.json)",
		    dir);
	else if (err != 0)
		usage_say("\"%s\": %s", path, strerror(err));
	else if (o == NULL)
		usage_say("\"%s\": is not JSON", path);
	if (json_make_printable(o))
		return o;
	usage_say("\"%s\": is not of natsburn", path);
	cJSON_Delete(o);
	return NULL;
}

static size_t
drop(char *data, size_t size, size_t n, void *arg)
{
	(void)data; /* the code says all */
	(void)arg;
	return size * n;
}

/* What a run writes: http or https, host and port. */
static bool
is_monitor(const char *url)
{
	static const char fit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "abcdefghijklmnopqrstuvwxyz0123456789"
				  ".:[]%_/-";

	return (strncmp(url, "http://", 7) == 0 ||
		   strncmp(url, "https://", 8) == 0) &&
	       url[strspn(url, fit)] == '\0';
}

/* Redirects are not followed. */
static bool
is_healthy(const char *monitor)
{
	char url[CLUSTER_URL_MAX + 64] = "";
	CURL *easy = is_monitor(monitor) ? curl_easy_init() : NULL;
	CURLcode got;
	long code = 0;

	if (easy == NULL)
		return false;
	text_add(url, sizeof(url), "%s/healthz", monitor);
	/* What could not be set makes the request fail. */
	(void)curl_easy_setopt(easy, CURLOPT_URL, url);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop);
	(void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
	(void)curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	got = curl_easy_perform(easy);
	if (got == CURLE_OK)
		got = curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &code);
	curl_easy_cleanup(easy);
	return got == CURLE_OK && code == 200;
}

/* Exit code 0 when every server is healthy, 69 when one is not. */
static int
cluster_status(const char *dir)
{
	cJSON *o = read_servers(dir);
	const cJSON *list, *row;
	const char *monitor;
	bool ok, all = true;

	if (o == NULL)
		return EXIT_USAGE;
	list = json_get(o, "servers");
	cJSON_ArrayForEach (row, list) {
		monitor = json_text(row, "monitor");
		ok = is_healthy(monitor);
		all &= ok;
		printf("%-8s %-10s %-28s %-28s %s\n", json_text(row, "name"),
		    json_text(row, "version"), json_text(row, "url"), monitor,
		    ok ? "healthy" : "NOT HEALTHY");
	}
	cJSON_Delete(o);
	return all ? 0 : EXIT_CLUSTER;
}

/* Is this process natsburn, and not another that got its number? */
static bool
is_natsburn(pid_t pid)
{
	char path[64], name[32] = "";
	ssize_t n;
	int fd;

	text_format(path, sizeof(path), "/proc/%d/comm", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, name, sizeof(name) - 1);
	close(fd);
	return n > 0 && strncmp(name, "natsburn", 8) == 0;
}

/*
 * Is it the run of this folder? A run holds its folder open until it ends.
 * What servers.json says is not enough: a run that was killed leaves it, and
 * then its number may be that of another run.
 */
static bool
holds_folder(pid_t pid, const char *dir)
{
	char path[64];
	const struct dirent *d;
	struct stat st, held;
	bool holds = false;
	DIR *fds;

	text_format(path, sizeof(path), "/proc/%d/fd", (int)pid);
	fds = opendir(path);
	if (fds == NULL)
		return false;
	while (!holds && (d = readdir(fds)) != NULL)
		holds = d->d_name[0] != '.' &&
			fstatat(dirfd(fds), d->d_name, &held, 0) == 0 &&
			stat(dir, &st) == 0 && st.st_dev == held.st_dev &&
			st.st_ino == held.st_ino;
	closedir(fds);
	return holds;
}

static int
cluster_down(const char *dir)
{
	cJSON *o = read_servers(dir);
	const cJSON *number;
	struct pollfd p = {.events = POLLIN};
	pid_t pid;
	int n;

	if (o == NULL)
		return EXIT_USAGE;
	number = json_get(o, "pid");
	pid = cJSON_IsNumber(number) ? (pid_t)number->valueint : 0;
	cJSON_Delete(o);
	/* The descriptor names this very process, whatever comes after it. */
	p.fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	if (p.fd < 0 || !is_natsburn(pid) || !holds_folder(pid, dir)) {
		if (p.fd >= 0)
			close(p.fd);
		return usage_error("\"%s\": its natsburn (process %d) is gone, "
				   "and its servers with it",
		    dir, (int)pid);
	}
	n = (int)syscall(SYS_pidfd_send_signal, p.fd, SIGINT, NULL, 0);
	if (n == 0)
		n = poll(&p, 1, DOWN_MS);
	close(p.fd);
	if (n == 1)
		return 0;
	fprintf(stderr, "natsburn: process %d does not end: %s\n", (int)pid,
	    n < 0 ? strerror(errno) : "it still heals its faults");
	return EXIT_CLUSTER;
}

static bool
puts_back(const struct cluster_ops *driver, const char *arg)
{
	(void)arg;
	return driver->puts_back;
}

/*
 * A cluster that isn't ours is not ended: what a run that was killed left on
 * it is put back, which is the first thing that any run does.
 */
static int
put_back(int argc, char **argv)
{
	struct run *r = calloc(1, sizeof(*r));
	const char *word = NULL;
	char names[256];
	int n, code = EXIT_USAGE;

	if (r == NULL)
		return usage_error("out of memory");
	config_init_open(&r->config);
	n = cli_connect_options(&r->config, argc, argv, &word, 0);
	text_set(r->config.test, sizeof(r->config.test), "none");
	text_set(r->config.mayhem, sizeof(r->config.mayhem), "none");
	r->config.duration_ns = CLOCK_S;
	r->config.quiet_ns = 0;
	clusters_names(puts_back, NULL, names, sizeof(names));
	if (n == 0 && !cluster_find(r->config.cluster)->puts_back)
		code =
		    usage_error("cluster down --cluster %s: what runs left "
				"is put back on %s only; \"cluster down DIR\" "
				"ends one of \"cluster up\"",
			r->config.cluster, names);
	else if (n == 0)
		code = run_configured(r);
	free(r);
	return code;
}

int
cmd_cluster(int argc, char **argv)
{
	if (argc >= 1 && strcmp(argv[0], "up") == 0)
		return start_servers(argc - 1, argv + 1);
	if (argc == 2 && strcmp(argv[0], "status") == 0)
		return cluster_status(argv[1]);
	if (argc >= 2 && strcmp(argv[0], "down") == 0 && argv[1][0] == '-')
		return put_back(argc - 1, argv + 1);
	if (argc == 2 && strcmp(argv[0], "down") == 0)
		return cluster_down(argv[1]);
	return usage_error("cluster%s%s: must be \"cluster up [options]\", "
			   "\"cluster status DIR\", \"cluster down DIR\" or "
			   "\"cluster down --cluster kubernetes [options]\"",
	    argc > 0 ? " " : "", argc > 0 ? argv[0] : "");
}

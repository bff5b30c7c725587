/* SPDX-License-Identifier: ISC */
/* What the system allows; see limits.h. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chaos/cluster/cluster.h"
#include "orchestrator/command/limits.h"
#include "orchestrator/command/usage.h"
#include "orchestrator/judge/judge.h"
#include "proto/base/text.h"
#include "worker/worker.h"

#define FDS_A_CHILD    2
#define FDS_OF_OUR_OWN 96 /* spawning parks some above 64 for a moment */
/* Threads, as counted with nats.c 3.4.1 and nats-server 2.15.1. */
#define TASKS_A_CHILD  7
#define TASKS_A_SERVER 16
#define PATH_BYTES     512

/* Children that a run with this configuration starts. */
static unsigned long
children_of(const struct run_config *c)
{
	const struct workload_ops *w = workload_find(c->test);
	const struct workload_role *role;
	unsigned long n = 3; /* chaos, setup, audit */

	for (role = w->roles; role->name != NULL; role++)
		n += role->count == WORKLOAD_CONSUMERS ? c->consumers
		     : role->count == WORKLOAD_CLIENTS ? c->clients
						       : 1;
	return n;
}

int
limits_descriptors(const struct run_config *c, char says[LIMITS_SAYS_MAX])
{
	unsigned long n = children_of(c);
	rlim_t need = n * FDS_A_CHILD + FDS_OF_OUR_OWN;
	struct rlimit limit;

	says[0] = '\0';
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0; /* then spawning says what is wrong */
	text_add(says, LIMITS_SAYS_MAX, "%lu allowed, for %lu processes",
	    (unsigned long)limit.rlim_max, n);
	if (limit.rlim_max < need)
		return usage_error(
		    "%lu processes need %lu file descriptors but "
		    "the limit is %lu: raise it (ulimit -n %lu) "
		    "or ask for fewer --consumers",
		    n, (unsigned long)need, (unsigned long)limit.rlim_max,
		    (unsigned long)need);
	if (limit.rlim_cur < need) {
		limit.rlim_cur = need;
		(void)setrlimit(RLIMIT_NOFILE, &limit); /* within the hard */
	}
	return 0;
}

/* The limit that leaves least: how many, and what to change. */
struct bound {
	unsigned long limit, used;
	char name[PATH_BYTES + 32];
};

static void
bound_take(
    struct bound *b, unsigned long limit, unsigned long used, const char *name)
{
	unsigned long left = limit > used ? limit - used : 0;

	if (b->name[0] != '\0' && left >= b->limit - b->used)
		return;
	b->limit = limit;
	b->used = limit - left;
	text_set(b->name, sizeof(b->name), name);
}

/* The first number in a file: false when there is none ("max"). */
static bool
read_number(const char *path, unsigned long *out)
{
	FILE *f = fopen(path, "re");
	bool ok = f != NULL && fscanf(f, "%lu", out) == 1;

	if (f != NULL)
		fclose(f);
	return ok;
}

/* Processes and threads of the whole system. */
static void
look_at_kernel(struct bound *b)
{
	static const char *const names[] = {
	    "/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max"};
	FILE *f = fopen("/proc/loadavg", "re");
	unsigned long used = 0, limit;
	size_t i;

	/* 0.20 0.18 0.12 1/80 11206: the fourth has all tasks that exist. */
	if (f == NULL || fscanf(f, "%*s %*s %*s %*u/%lu", &used) != 1)
		used = 0;
	if (f != NULL)
		fclose(f);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (read_number(names[i], &limit))
			bound_take(b, limit, used, names[i]);
}

/* Threads of a process of ours, or 0. */
static unsigned long
threads_of(const char *pid)
{
	char path[64] = "", line[128];
	unsigned long n = 0;
	struct stat st;
	FILE *f;

	text_add(path, sizeof(path), "/proc/%.20s/status", pid);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	if (fstat(fileno(f), &st) == 0 && st.st_uid == getuid())
		while (fgets(line, sizeof(line), f) != NULL)
			if (sscanf(line, "Threads: %lu", &n) == 1)
				break;
	fclose(f);
	return n;
}

/* What this user may have. Root may have any number. */
static void
look_at_user(struct bound *b)
{
	unsigned long used = 0;
	const struct dirent *e;
	struct rlimit limit;
	DIR *d;

	if (geteuid() == 0 || getrlimit(RLIMIT_NPROC, &limit) < 0 ||
	    limit.rlim_cur == RLIM_INFINITY)
		return;
	d = opendir("/proc");
	while (d != NULL && (e = readdir(d)) != NULL)
		if (isdigit((unsigned char)e->d_name[0]))
			used += threads_of(e->d_name);
	if (d != NULL)
		closedir(d);
	bound_take(
	    b, (unsigned long)limit.rlim_cur, used, "ulimit -u of this user");
}

/* A control group's limit counts for all below it: up to the root. */
static void
look_at_group(struct bound *b, const char *root, char *path)
{
	char name[PATH_BYTES + 32], current[PATH_BYTES + 32];
	unsigned long limit, used;
	char *slash;

	for (;;) {
		name[0] = current[0] = '\0';
		text_add(name, sizeof(name), "%s%s/pids.max", root, path);
		text_add(
		    current, sizeof(current), "%s%s/pids.current", root, path);
		if (read_number(name, &limit) && read_number(current, &used))
			bound_take(b, limit, used, name);
		slash = strrchr(path, '/');
		if (slash == NULL)
			return;
		*slash = '\0';
	}
}

static void
look_at_groups(struct bound *b)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[PATH_BYTES];
	const char *root;
	char *path;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::", 3) == 0)
			root = "/sys/fs/cgroup";
		else if (strstr(line, ":pids:") != NULL)
			root = "/sys/fs/cgroup/pids";
		else
			continue;
		path = strrchr(line, ':') + 1;
		if (strcmp(path, "/") == 0)
			path[0] = '\0';
		look_at_group(b, root, path);
	}
	if (f != NULL)
		fclose(f);
}

int
limits_tasks(const struct run_config *c, char says[LIMITS_SAYS_MAX])
{
	unsigned long need = children_of(c) * TASKS_A_CHILD;
	struct bound b = {.name = ""};

	if (cluster_find(c->cluster)->owner == OWNER_US)
		need += c->servers * TASKS_A_SERVER;
	look_at_kernel(&b);
	look_at_user(&b);
	look_at_groups(&b);
	says[0] = '\0';
	if (b.name[0] == '\0') {
		text_add(says, LIMITS_SAYS_MAX, "no limit is known");
		return 0;
	}
	text_add(says, LIMITS_SAYS_MAX,
	    "%lu allowed by %s, %lu in use, for %lu", b.limit, b.name, b.used,
	    need);
	if (b.limit - b.used >= need)
		return 0;
	return usage_error(
	    "%lu children and the servers need some %lu processes "
	    "and threads, but %s allows %lu, of which %lu are in "
	    "use: raise it or ask for fewer --consumers",
	    children_of(c), need, b.name, b.limit, b.used);
}

int
limits_system(void)
{
	static const char self[] = "/proc/self/exe", null[] = "/dev/null";
	struct stat st;
	int fd = open(null, O_RDWR | O_CLOEXEC), err = errno;

	if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISCHR(st.st_mode))
		err = ENODEV;
	else if (fd >= 0)
		err = 0;
	if (fd >= 0)
		close(fd);
	if (err != 0)
		(void)usage_error("%s: %s: processes of natsburn's can't be "
				  "started without it",
		    null, strerror(err));
	else if (access(self, X_OK) < 0) {
		err = errno;
		(void)usage_error("%s: %s: processes of natsburn's are started "
				  "by it; is /proc mounted?",
		    self, strerror(err));
	}
	return err != 0 ? EXIT_HARNESS : 0;
}

int
limits_check(const struct run_config *c)
{
	char says[LIMITS_SAYS_MAX];
	int bad = limits_system();

	if (bad == 0)
		bad = limits_descriptors(c, says);
	return bad != 0 ? bad : limits_tasks(c, says);
}

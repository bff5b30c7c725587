/* SPDX-License-Identifier: ISC */
/* Figures of a recorded run and of a program that is run; see central.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "proto/base/clock.h"
#include "proto/base/spawn.h"
#include "proto/base/text.h"
#include "proto/journal.h"
#include "tests/bench/central.h"

#define PHASES_MAX 32

struct phase {
	char name[16];
	uint64_t begun_ns;
};

struct figures {
	struct phase phases[PHASES_MAX];
	unsigned nphases;
	uint64_t events, bytes, packed, published, last_ns, formed_ns;
	bool is_load;
	uint64_t stored, confirmed; /* while the load ran */
};

static void
count(struct figures *f, const struct event *ev, size_t len)
{
	struct phase *p;

	f->events++;
	f->bytes += len;
	f->last_ns = ev->time_ns;
	f->stored += f->is_load && ev->type == MESSAGE_PUBLISH_OK;
	f->confirmed += f->is_load && ev->type == MESSAGE_ACK_OK;
	if (ev->type == MESSAGE_PUBLISH_OK)
		f->published++;
	else if (ev->type == MESSAGE_CLUSTER_UP)
		f->formed_ns = ev->u.cluster_up.took_ns;
	else if (ev->type == MESSAGE_PHASE && f->nphases < PHASES_MAX) {
		p = &f->phases[f->nphases++];
		p->begun_ns = ev->time_ns;
		text_set(p->name, sizeof(p->name), ev->u.phase.name);
		f->is_load = strcmp(p->name, "quiet") == 0 ||
			     strcmp(p->name, "mayhem") == 0 ||
			     strcmp(p->name, "heal") == 0;
	}
}

/* When a phase began; 0 when it did not. */
static uint64_t
phase_at(const struct figures *f, const char *name)
{
	unsigned i;

	for (i = 0; i < f->nphases; i++)
		if (strcmp(f->phases[i].name, name) == 0)
			return f->phases[i].begun_ns;
	return 0;
}

static void
say_times(const struct figures *f)
{
	uint64_t up = phase_at(f, "up"), quiet = phase_at(f, "quiet");
	uint64_t drain = phase_at(f, "drain"), down = phase_at(f, "down");

	if (quiet == 0 || drain == 0 || down == 0)
		return;
	printf("run: %.1f stored/s, %.1f confirmed/s while the load ran\n",
	    (double)f->stored * 1e9 / (double)(drain - quiet),
	    (double)f->confirmed * 1e9 / (double)(drain - quiet));
	printf("run: the load began after %.2f s; everything was known %.2f s "
	       "after the load, and all was down %.2f s later\n",
	    (double)(quiet - up) / 1e9, (double)(down - drain) / 1e9,
	    (double)(f->last_ns - down) / 1e9);
}

static void
say(const struct figures *f)
{
	uint64_t until;
	unsigned i;

	printf("run: cluster formed in %.2f s; phases:",
	    (double)f->formed_ns / 1e9);
	for (i = 0; i < f->nphases; i++) {
		until =
		    i + 1 < f->nphases ? f->phases[i + 1].begun_ns : f->last_ns;
		printf("%s %s %.2f s", i > 0 ? "," : "", f->phases[i].name,
		    (double)(until - f->phases[i].begun_ns) / 1e9);
	}
	printf("\n");
	say_times(f);
	printf("run: %llu events, %llu messages, %.0f bytes of journal a "
	       "message (%.0f before it is compressed: %.1f events of %.1f "
	       "bytes)\n",
	    (unsigned long long)f->events, (unsigned long long)f->published,
	    f->published > 0 ? (double)f->packed / (double)f->published : 0,
	    f->published > 0 ? (double)f->bytes / (double)f->published : 0,
	    f->published > 0 ? (double)f->events / (double)f->published : 0,
	    (double)f->bytes / (double)f->events);
}

int
figures_say(const char *run_dir)
{
	struct figures f = {0};
	struct journal_reader reader;
	const uint8_t *raw;
	struct event ev;
	unsigned segment;
	size_t len;
	int err = journal_open(&reader, run_dir);

	while (
	    err == 0 && journal_next(&reader, &ev, &raw, &len) == JOURNAL_EVENT)
		count(&f, &ev, len);
	for (segment = 1; err == 0 && segment <= reader.last; segment++)
		f.packed += journal_segment_size(reader.dir, segment);
	journal_reader_fini(&reader);
	frame_cleanup();
	if (err == 0 && f.events == 0)
		err = -ENODATA;
	if (err == 0)
		say(&f);
	return err;
}

int
figures_measure(char **argv)
{
	struct spawn_request r = {
	    .path = argv[0], .argv = argv, .fds = {{1, 1}, {2, 2}}, .nfds = 2};
	uint64_t since = clock_mono_ns();
	struct rusage u;
	pid_t pid = spawn(&r);
	int status;

	if (pid < 0)
		return (int)pid;
	if (wait4(pid, &status, 0, &u) < 0)
		return -errno;
	printf("measure: exit code %d, %.2f s, %.2f s of CPU, peak %ld KiB\n",
	    WIFEXITED(status) ? WEXITSTATUS(status) : -1,
	    (double)(clock_mono_ns() - since) / 1e9,
	    (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
		(double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6,
	    u.ru_maxrss);
	return 0;
}

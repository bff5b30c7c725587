/* SPDX-License-Identifier: ISC */
/*
 * The process of the simulated disks: serves the mounts of all servers, and
 * does what chaos asks of them. One thread, so what a disk does is done in the
 * order in which it was asked; an answer that is to come late holds up nobody.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>

#include "chaos/chaos.h"
#include "chaos/cluster/local/drive/drive.h"
#include "proto/base/clock.h"
#include "proto/base/sig.h"
#include "proto/base/text.h"
#include "proto/child.h"

#define BEAT_MS	    100
#define TELL_NS	    (100 * CLOCK_MS) /* between two reports of effects */
#define EXIT_FAILED 70

struct drive_process {
	struct child child;
	uint64_t told_ns;
	struct drive_slot {
		struct drive drive;
		uint32_t epoch;		 /* commands so far */
		bool is_due;		 /* its state has to be told */
		struct disk_effect told; /* as it was told last */
		struct disk_loss loss;	 /* of the last cut */
		char why[160];
	} slots[CONFIG_NODES_MAX];
};

static void
note(struct drive_slot *s, int err, const char *what)
{
	s->epoch++;
	s->is_due = true;
	s->why[0] = '\0';
	if (err < 0)
		text_format(
		    s->why, sizeof(s->why), "%s: %s", what, strerror(-err));
}

static void
take_open(struct drive_slot *s, const struct msg_disk_open *m)
{
	drive_close(&s->drive);
	if (m->store[0] == '\0') {
		note(s, 0, "");
		return;
	}
	note(s, drive_open(&s->drive, m->store, m->ground, m->names),
	    "cannot mount a file system by FUSE");
}

static void
take_set(struct drive_slot *s, const struct msg_disk_set *m)
{
	struct disk_policy policy = {.low_ns = m->low_ns,
	    .high_ns = m->high_ns,
	    .stall_ns = m->stall_ns,
	    .stall_share = m->stall_share,
	    .fails = m->fails,
	    .times = m->times};

	if (m->is_cut) {
		note(s, drive_drop(&s->drive, m->is_torn != 0, &s->loss),
		    "cannot mount it again");
		return;
	}
	drive_set(&s->drive, &policy);
	note(s, 0, "");
}

static void
take_command(struct drive_process *p, const struct event *cmd)
{
	/* The server's number is the first field of both. */
	unsigned node = cmd->u.disk_open.node;

	if (node < 1 || node > CONFIG_NODES_MAX)
		return;
	if (cmd->type == MESSAGE_DISK_OPEN)
		take_open(&p->slots[node - 1], &cmd->u.disk_open);
	else if (cmd->type == MESSAGE_DISK_SET)
		take_set(&p->slots[node - 1], &cmd->u.disk_set);
}

static void
tell_slot(struct drive_process *p, unsigned node)
{
	struct drive_slot *s = &p->slots[node - 1];
	struct event ev = {.type = MESSAGE_DISK_STATE};
	struct msg_disk_state *m = &ev.u.disk_state;

	m->node = node;
	m->epoch = s->epoch;
	s->told = s->drive.effect;
	m->late = s->told.late;
	m->latest_ns = s->told.latest_ns;
	m->failed = s->told.failed;
	m->files = s->loss.files;
	m->names = s->loss.names;
	m->bytes = s->loss.bytes;
	text_set(m->why, sizeof(m->why), s->why);
	child_emit(&p->child, &ev);
	s->is_due = false;
}

static void
tell(struct drive_process *p, uint64_t now_ns)
{
	bool is_time = now_ns >= p->told_ns + TELL_NS;
	struct drive_slot *s;
	unsigned i;

	for (i = 0; i < CONFIG_NODES_MAX; i++) {
		s = &p->slots[i];
		if (s->is_due || (is_time && memcmp(&s->told, &s->drive.effect,
						 sizeof(s->told)) != 0))
			tell_slot(p, i + 1);
	}
	if (is_time)
		p->told_ns = now_ns;
	child_flush(&p->child);
}

static void
serve(struct drive_process *p)
{
	struct pollfd fds[CONFIG_NODES_MAX + 1];
	uint64_t now_ns, next_ns, due_ns;
	struct event cmd;
	unsigned i;

	for (;;) {
		now_ns = clock_mono_ns();
		due_ns = UINT64_MAX;
		for (i = 0; i < CONFIG_NODES_MAX; i++) {
			next_ns = drive_answer_late(&p->slots[i].drive, now_ns);
			due_ns = next_ns < due_ns ? next_ns : due_ns;
			fds[i] = (struct pollfd){
			    drive_fd(&p->slots[i].drive), POLLIN, 0};
		}
		fds[i] = (struct pollfd){CHILD_DOWN, POLLIN, 0};
		(void)poll(fds, CONFIG_NODES_MAX + 1,
		    clock_poll_ms(now_ns, due_ns, BEAT_MS)); /* or later */
		for (i = 0; i < CONFIG_NODES_MAX; i++)
			if (fds[i].fd >= 0 && fds[i].revents != 0 &&
			    drive_serve(&p->slots[i].drive) < 0)
				child_diag(&p->child, -ENODEV,
				    "the disk of server %u is gone", i + 1);
		/*
		 * At the end of file of its parent this call ends the process.
		 */
		while (child_command(&p->child, 0, &cmd))
			take_command(p, &cmd);
		tell(p, clock_mono_ns());
	}
}

/* A store may have many files open. */
static void
raise_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return;
	r.rlim_cur = r.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &r); /* or it does with less */
}

int
drive_main(uint32_t source, uint32_t incarnation)
{
	static struct drive_process process;

	if (sig_open(NULL, 0) < 0)
		return EXIT_FAILED;
	child_init(&process.child, "drive", "", source, incarnation);
	raise_limit();
	child_say(&process.child, MESSAGE_READY);
	serve(&process);
	return 0;
}

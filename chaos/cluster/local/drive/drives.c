/* SPDX-License-Identifier: ISC */
/* Simulated disks, seen from chaos; see drives.h. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "chaos/cluster/local/drive/drives.h"
#include "proto/base/text.h"

#define WAIT_NS (10 * CLOCK_S)
#define WAIT_MS 100

int
drives_start(struct drives *d)
{
	memset(d, 0, sizeof(*d));
	return aide_start(&d->aide, "drive");
}

static void
take_event(void *arg, const struct event *ev)
{
	const struct msg_disk_state *m = &ev->u.disk_state;
	struct drives *d = arg;
	struct drive_seen *s;

	if (ev->type != MESSAGE_DISK_STATE || m->node < 1 ||
	    m->node > CONFIG_NODES_MAX)
		return;
	s = &d->seen[m->node - 1];
	s->told = m->epoch;
	s->effect = (struct disk_effect){m->late, m->latest_ns, m->failed};
	s->loss = (struct disk_loss){m->files, m->names, m->bytes};
	text_set(s->why, sizeof(s->why), m->why);
}

bool
drives_read(struct drives *d)
{
	return aide_read(&d->aide, take_event, d);
}

int
drives_open(struct drives *d, unsigned node, const struct drive_place *p)
{
	struct event ev = {.type = MESSAGE_DISK_OPEN};
	struct msg_disk_open *m = &ev.u.disk_open;

	d->seen[node - 1].asked++;
	m->node = node;
	m->names = (uint8_t)p->names;
	text_set(m->store, sizeof(m->store), p->store);
	text_set(m->ground, sizeof(m->ground), p->ground);
	return aide_send(&d->aide, &ev);
}

int
drives_close(struct drives *d, unsigned node)
{
	return drives_open(d, node, &(struct drive_place){"", "", 0});
}

bool
drives_answered(const struct drives *d, unsigned node)
{
	return d->seen[node - 1].told == d->seen[node - 1].asked;
}

int
drives_wait(struct drives *d, unsigned node)
{
	uint64_t now_ns = clock_mono_ns(), end_ns = now_ns + WAIT_NS;
	struct pollfd fd = {d->aide.up.fd, POLLIN, 0};

	while (!drives_answered(d, node)) {
		if (now_ns >= end_ns)
			return -ETIMEDOUT;
		/* What interrupts it does no harm. */
		(void)poll(&fd, 1, clock_poll_ms(now_ns, end_ns, WAIT_MS));
		if (!drives_read(d))
			return -EPIPE;
		now_ns = clock_mono_ns();
	}
	return d->seen[node - 1].why[0] == '\0' ? 0 : -ENOTSUP;
}

int
drives_set(struct drives *d, unsigned node, const struct disk_policy *p)
{
	struct event ev = {.type = MESSAGE_DISK_SET};
	struct msg_disk_set *m = &ev.u.disk_set;

	d->seen[node - 1].asked++;
	m->node = node;
	m->low_ns = p->low_ns;
	m->high_ns = p->high_ns;
	m->stall_ns = p->stall_ns;
	m->stall_share = p->stall_share;
	m->fails = (uint8_t)p->fails;
	m->times = p->times;
	return aide_send(&d->aide, &ev);
}

bool
drives_effect(const struct drives *d, unsigned node, struct disk_effect *out)
{
	*out = d->seen[node - 1].effect;
	return drives_answered(d, node);
}

int
drives_cut(struct drives *d, unsigned node, bool is_torn)
{
	struct event ev = {.type = MESSAGE_DISK_SET};

	d->seen[node - 1].asked++;
	ev.u.disk_set.node = node;
	ev.u.disk_set.is_cut = 1;
	ev.u.disk_set.is_torn = is_torn;
	return aide_send(&d->aide, &ev);
}

bool
drives_lost(const struct drives *d, unsigned node, struct disk_loss *out)
{
	*out = d->seen[node - 1].loss;
	return drives_answered(d, node) && d->seen[node - 1].why[0] == '\0';
}

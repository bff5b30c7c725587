/* SPDX-License-Identifier: ISC */
/* Faults that wait for their moment; see aim.h. */
#include <string.h>

#include "chaos/aim.h"
#include "chaos/cluster/cluster.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/moment.h"

#define PATIENCE_NS  (5 * CLOCK_S)
#define DELAY_NS     (20 * CLOCK_MS)
#define LISTEN_MS    2		   /* between looks at the servers' logs */
#define AGAIN_NS     (2 * CLOCK_S) /* it tries to listen to servers */
#define ADVISORY_MAX 256
#define STALE_NS     (20 * CLOCK_MS) /* what they had logged before is read */

void
aim_init(struct aim *a, struct child *child, const char *list)
{
	char unknown[32];

	memset(a, 0, sizeof(*a));
	a->child = child;
	a->bits = moment_bits(list, unknown, sizeof(unknown));
	a->is_all = strcmp(list, "all") == 0;
}

static bool
is_of(unsigned moment, enum moment_source source)
{
	return moments[moment].source == source;
}

void
aim_draw(const struct aim *a, struct rng *rng, struct aim_shot *shot)
{
	unsigned n = moment_count(), usable = a->bits, i;
	uint64_t dice, delay;

	memset(shot, 0, sizeof(*shot));
	if (a->bits == 0)
		return;
	/* Two numbers for each fault, whatever was missed. */
	dice = rng_next(rng);
	delay = rng_next(rng);
	/* The test may have nothing of the kind; named ones are waited for. */
	if (a->is_all && (a->bits & ~a->missed) != 0)
		usable = a->bits & ~a->missed;
	i = (unsigned)(dice % n);
	while ((usable & (1U << i)) == 0)
		i = (i + 1) % n;
	shot->is_aimed = true;
	shot->moment = i;
	/* One time in two at once. */
	shot->delay_ns = (delay & 1) != 0 ? (delay >> 1) % DELAY_NS : 0;
}

bool
aim_is_due(struct aim *a, struct aim_shot *shot, uint64_t now_ns)
{
	if (!shot->is_aimed)
		return true;
	if (shot->asked_ns == 0) {
		shot->asked_ns = now_ns;
		shot->came_ns = 0;
	}
	if (shot->came_ns != 0)
		return now_ns >= shot->came_ns + shot->delay_ns;
	if (now_ns < shot->asked_ns + PATIENCE_NS)
		return false;
	if (!is_of(shot->moment, MOMENT_OF_HEAL))
		a->missed |= 1U << shot->moment;
	return true;
}

void
aim_take(struct aim_shot *shot, unsigned bits, uint64_t at_ns)
{
	uint64_t from = shot->asked_ns;

	if ((aim_waits_for(shot) & bits) == 0)
		return;
	if (is_of(shot->moment, MOMENT_OF_SERVER))
		from += STALE_NS;
	if (at_ns >= from)
		shot->came_ns = at_ns;
}

unsigned
aim_waits_for(const struct aim_shot *shot)
{
	return shot->asked_ns != 0 && shot->came_ns == 0 ? 1U << shot->moment
							 : 0;
}

void
aim_ask(struct aim *a, unsigned bits)
{
	struct event ev = {.type = MESSAGE_AIM};

	if (bits == a->told)
		return;
	a->told = bits;
	ev.u.aim.moments = bits;
	child_emit(a->child, &ev);
	child_flush(a->child);
}

/* What was heard in one account. */
static unsigned
listen_in(struct aim *a, struct cluster *c, unsigned account, uint64_t now_ns)
{
	struct admin **admin = &a->admins[account];
	char subject[ADVISORY_MAX];
	unsigned came = 0;

	if (now_ns < a->again_ns[account])
		return 0;
	if (*admin == NULL && c->ops->log_in(c) == 0)
		*admin = admin_copy(c->admin);
	if (*admin == NULL || admin_listen(*admin, account) < 0) {
		a->again_ns[account] = now_ns + AGAIN_NS;
		return 0;
	}
	while (admin_heard(*admin, subject, sizeof(subject)))
		came |= moment_of_line(a->bits, subject);
	return came;
}

unsigned
aim_listen(struct aim *a, struct cluster *c, uint64_t now_ns)
{
	if (!c->ops->needs_monitor ||
	    (a->bits & moment_bits_of(MOMENT_OF_SERVER)) == 0)
		return 0;
	return listen_in(a, c, ADMIN_USER, now_ns) |
	       listen_in(a, c, ADMIN_SYSTEM, now_ns);
}

void
aim_fini(struct aim *a)
{
	unsigned i;

	for (i = 0; i < AIM_ACCOUNTS; i++) {
		admin_destroy(a->admins[i]);
		a->admins[i] = NULL;
	}
}

int
aim_wait_ms(const struct aim_shot *shot, uint64_t now_ns, int most_ms)
{
	if (shot->asked_ns == 0)
		return most_ms;
	if (shot->came_ns != 0)
		return clock_poll_ms(
		    now_ns, shot->came_ns + shot->delay_ns, most_ms);
	return is_of(shot->moment, MOMENT_OF_SERVER) && most_ms > LISTEN_MS
		   ? LISTEN_MS
		   : most_ms;
}

void
aim_tell(struct aim *a, struct aim_shot *shot, uint32_t fault)
{
	struct event ev = {.type = MESSAGE_FAULT_AIMED};
	struct msg_fault_aimed *m = &ev.u.fault_aimed;

	if (!shot->is_aimed)
		return;
	m->fault = fault;
	m->came = shot->came_ns != 0;
	m->delay_ns = shot->delay_ns;
	if (m->came)
		m->distance_ns = clock_mono_ns() - shot->came_ns;
	text_set(m->moment, sizeof(m->moment), moments[shot->moment].name);
	child_emit(a->child, &ev);
	shot->asked_ns = 0;
}

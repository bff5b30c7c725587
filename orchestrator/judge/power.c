/* SPDX-License-Identifier: ISC */
/* What losses of power excuse; see power.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/power.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

#define INTERVAL_NS (120 * CLOCK_S) /* nats-server's own sync_interval */
#define LATE_NS	    (10 * CLOCK_S)  /* until an ack that was sent is read */

void
power_init(struct power *p)
{
	memset(p, 0, sizeof(*p));
	p->interval_ns = INTERVAL_NS;
}

void
power_fini(struct power *p)
{
	uint32_t i;

	for (i = 0; i < p->nstreams; i++)
		seqmap_fini(&p->streams[i].doubt);
	free(p->streams);
}

static uint32_t
bit_of(uint32_t node)
{
	return node >= 1 && node <= CONFIG_NODES_MAX ? UINT32_C(1) << (node - 1)
						     : 0;
}

static void
on_settings(struct power *p, const struct msg_node_settings *m)
{
	if (bit_of(m->node) == 0)
		return;
	p->always &= ~bit_of(m->node);
	p->always |= m->sync_always != 0 ? bit_of(m->node) : 0;
	if (m->sync_interval_ns > 0)
		p->interval_ns = m->sync_interval_ns;
}

static struct power_stream *
stream_at(struct power *p, uint32_t stream)
{
	struct power_stream *s = array_at(
	    &p->streams, &p->nstreams, stream, sizeof(*s), LEDGER_STREAMS_MAX);

	p->no_memory |= s == NULL;
	return s;
}

static void
on_tick(struct power *p, uint64_t now_ns, const struct ledger *l)
{
	bool is_time = now_ns >= p->old_ns[0] + p->interval_ns;
	struct power_stream *s;
	uint32_t i;

	memmove(p->recent_ns + 1, p->recent_ns,
	    sizeof(p->recent_ns) - sizeof(p->recent_ns[0]));
	p->recent_ns[0] = now_ns;
	if (is_time) {
		memmove(p->old_ns + 1, p->old_ns,
		    sizeof(p->old_ns) - sizeof(p->old_ns[0]));
		p->old_ns[0] = now_ns;
	}
	for (i = 0; i < l->nstreams; i++) {
		s = stream_at(p, i);
		if (s == NULL)
			return;
		memmove(s->recent + 1, s->recent,
		    sizeof(s->recent) - sizeof(s->recent[0]));
		s->recent[0] = l->streams[i].max_acked;
		if (!is_time)
			continue;
		memmove(s->old + 1, s->old, sizeof(s->old) - sizeof(s->old[0]));
		s->old[0] = l->streams[i].max_acked;
	}
}

/* How far it was acknowledged at the last of n moments that is not after ns. */
static uint64_t
acked_at(const uint64_t *times, const uint64_t *acked, unsigned n, uint64_t ns)
{
	unsigned i;

	for (i = 0; i < n && times[i] != 0; i++)
		if (times[i] <= ns)
			return acked[i];
	return 0;
}

/* All sequences known of a stream from this one on are in doubt. */
static void
doubt_from(
    struct power *p, uint32_t stream, uint64_t first, const struct ledger *l)
{
	struct power_stream *s = stream_at(p, stream);
	uint64_t last = l->streams[stream].max_acked;

	if (s == NULL)
		return;
	if (seqmap_last(&l->streams[stream].known.set) > last)
		last = seqmap_last(&l->streams[stream].known.set);
	if (last >= first && seqmap_cover(&s->doubt, first, last) < 0)
		p->no_memory = true;
	if (last > s->upto)
		s->upto = last;
}

static void
doubt(struct power *p, uint32_t stream, uint64_t now_ns, const struct ledger *l)
{
	struct power_stream *s = stream_at(p, stream);
	uint32_t replicas = ledger_fewest(l, stream, now_ns);
	uint64_t back_ns = 2 * p->interval_ns, safe;

	if (s == NULL)
		return;
	p->took_all |= 2 * p->together >= replicas;
	if (p->whole_ns != 0 && 2 * p->together < replicas)
		safe = acked_at(
		    p->recent_ns, s->recent, POWER_RECENT, p->whole_ns);
	else if (p->is_wiped)
		safe = 0;
	else
		safe = acked_at(p->old_ns, s->old, POWER_OLD,
		    now_ns > back_ns ? now_ns - back_ns : 0);
	doubt_from(p, stream, safe + 1, l);
}

/* What was on its way when the power was cut. */
static void
doubt_late(struct power *p, uint64_t now_ns, const struct ledger *l)
{
	uint32_t i;

	for (i = 0; p->late_ns != 0 && i < l->nstreams; i++)
		if (l->streams[i].exists)
			doubt_from(p, i, p->streams[i].upto + 1, l);
	if (now_ns > p->late_ns)
		p->late_ns = 0;
}

/* Nothing more is lost by this server after the event, but what is late. */
static void
end_loss(struct power *p, const struct event *ev, uint32_t bit)
{
	p->doomed &= ~bit;
	p->late_ns = p->doomed != 0 ? UINT64_MAX : ev->time_ns + LATE_NS;
}

/* Another server has lost something, since all were known to be current. */
static void
lose(struct power *p, const struct event *ev, uint64_t whole_ns,
    const struct ledger *l)
{
	uint32_t i;

	p->cuts++;
	p->is_wiped = ev->type != MESSAGE_POWER_LOST;
	if (whole_ns != p->whole_ns)
		p->together = 0;
	p->whole_ns = whole_ns;
	p->together++;
	end_loss(p, ev, 0);
	for (i = 0; i < l->nstreams; i++)
		if (l->streams[i].exists)
			doubt(p, i, ev->time_ns, l);
}

static void
on_lost(struct power *p, const struct event *ev, const struct ledger *l)
{
	const struct msg_power_lost *m = &ev->u.power_lost;

	if (bit_of(m->node) != 0 && (p->always & bit_of(m->node)) == 0)
		lose(p, ev, m->whole_ns, l);
}

static void
on_doomed(struct power *p, const struct event *ev, const struct ledger *l)
{
	const struct msg_store_doomed *m = &ev->u.store_doomed;

	if (m->spared)
		end_loss(p, ev, bit_of(m->node));
	else {
		p->doomed |= bit_of(m->node);
		lose(p, ev, m->whole_ns, l);
	}
}

static void
on_wiped(struct power *p, const struct event *ev, const struct ledger *l)
{
	const struct msg_store_wiped *m = &ev->u.store_wiped;

	if ((p->doomed & bit_of(m->node)) != 0)
		end_loss(p, ev, bit_of(m->node));
	else
		lose(p, ev, m->whole_ns, l);
}

void
power_event(struct power *p, const struct event *ev, const struct ledger *l,
    const struct run_config *config)
{
	switch ((unsigned)ev->type) {
	case MESSAGE_NODE_SETTINGS:
		on_settings(p, &ev->u.node_settings);
		break;
	case MESSAGE_TICK:
		if (!config_list_has(config->mayhem, "power_loss") &&
		    !config_list_has(config->mayhem, "wipe_store"))
			break;
		on_tick(p, ev->time_ns, l);
		if (!p->no_memory)
			doubt_late(p, ev->time_ns, l);
		break;
	case MESSAGE_POWER_LOST:
		on_lost(p, ev, l);
		break;
	case MESSAGE_STORE_DOOMED:
		on_doomed(p, ev, l);
		break;
	case MESSAGE_STORE_WIPED:
		on_wiped(p, ev, l);
		break;
	default:
		break;
	}
}

bool
power_was_cut(const struct power *p)
{
	return p->cuts > 0;
}

bool
power_took_all(const struct power *p)
{
	return p->took_all;
}

bool
power_may_lack(const struct power *p, uint32_t stream, uint64_t seq)
{
	const struct power_stream *s;
	uint64_t same;

	if (stream >= p->nstreams)
		return false;
	s = &p->streams[stream];
	return seqmap_find(&s->doubt, seq, &same) ||
	       (p->late_ns != 0 && seq > s->upto);
}

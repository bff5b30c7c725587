/* SPDX-License-Identifier: ISC */
/*
 * lossy_network: for a while links between servers behave as on a network
 * that loses packets, seen from above TCP: a link stalls for as long as a
 * few retransmissions, a connection is reset, all links are dark for a
 * moment. With -o lossy_network.nft=true a share of the packets between
 * servers is really dropped instead (chaos/cluster/local/loss.h), which needs
 * root.
 */
#include <stdio.h>

#include "chaos/cluster/cluster.h"
#include "chaos/mayhem/mayhem.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define LOW_NS	    (8 * CLOCK_S)
#define HIGH_NS	    (30 * CLOCK_S)
#define PAUSE_NS    (1500 * CLOCK_MS) /* between two disturbances, at most */
#define STALL_NS    (2 * CLOCK_S)     /* likewise, of one */
#define STALL_SHARE 60		      /* percent; resets */
#define PERCENT	    100		      /* hundredths */
#define RESET_SHARE 30		      /* the rest: all dark */

struct lossy_options {
	bool nft;
	uint64_t loss;
};

static const struct option_spec lossy_rows[] = {
    {.name = "nft",
	.type = OPTION_FLAG,
	OPTION_AT(struct lossy_options, nft),
	.def = "false",
	.help = "drop packets with nftables, as root"},
    {.name = "loss",
	.type = OPTION_U64,
	OPTION_AT(struct lossy_options, loss),
	.def = "5",
	.min = 1,
	.max = 50,
	.arg = "PERCENT",
	.help = "of all packets, dropped with nft=true"},
    {.name = NULL},
};

static bool
is_real(const struct fault *f)
{
	const struct lossy_options *o = f->options;

	return o->nft;
}

static void
lossy_require(struct cluster *c, const void *options)
{
	const struct lossy_options *o = options;

	if (o->nft)
		c->needs |= CLUSTER_CAN_DROP;
}

static void
lossy_plan(struct mayhem_plan *p, struct fault *f)
{
	const struct lossy_options *o = p->options;

	mayhem_plan_next(p, f);
	f->nodes = (1U << p->nodes) - 1;
	f->hold_ns = mayhem_draw_hold(p, LOW_NS, HIGH_NS);
	if (o->nft)
		text_format(f->target, sizeof(f->target),
		    "all links, %u %% of packets", (unsigned)o->loss);
	else
		text_format(f->target, sizeof(f->target), "all links");
}

static int
open_all(struct fault *f)
{
	static const struct link_policy open = {LINK_OPEN, 0, 0};

	return mayhem_set_links(f, NULL, true, &open);
}

/* Two different servers, from the dice. */
static void
draw_pair(const struct fault *f, uint64_t salt, unsigned *a, unsigned *b)
{
	unsigned n = f->cluster->n;

	*a = 1 + (unsigned)(fault_dice(f, salt) % n);
	*b = 1 + (unsigned)((*a + fault_dice(f, salt + 1) % (n - 1)) % n);
}

/*
 * Disturb something. f->mark counts the disturbances, so that each draws other
 * numbers from the dice.
 */
static int
disturb(struct fault *f)
{
	static const struct link_policy held = {LINK_HOLD, 0, 0};
	struct cluster *c = f->cluster;
	uint64_t salt = f->mark++ * 8, kind = fault_dice(f, salt) % 100;
	unsigned a, b;
	int err;

	draw_pair(f, salt + 1, &a, &b);
	f->next_ns = clock_mono_ns() + 1 + fault_dice(f, salt + 3) % STALL_NS;
	if (kind < STALL_SHARE) {
		err = c->ops->link_set(c, a, b, &held);
		if (err == 0)
			err = c->ops->link_set(c, b, a, &held);
		return err;
	}
	if (kind < STALL_SHARE + RESET_SHARE)
		return c->ops->link_reset(c, a, b, 100);
	return mayhem_set_links(f, NULL, true, &held);
}

/* f->before[0] is set while something is disturbed. */
static void
lossy_step(struct fault *f)
{
	if (is_real(f) || clock_mono_ns() < f->next_ns)
		return;
	if (f->before[0] != '\0') {
		(void)open_all(f); /* heal does it again */
		f->before[0] = '\0';
		f->next_ns =
		    clock_mono_ns() + fault_dice(f, f->mark * 8 + 4) % PAUSE_NS;
	} else {
		(void)disturb(f); /* a proxy that is gone fails the run */
		f->before[0] = 'x';
	}
}

static int
lossy_inject(struct fault *f)
{
	const struct lossy_options *o = f->options;

	if (is_real(f))
		return f->cluster->ops->drop(
		    f->cluster, (unsigned)o->loss * PERCENT);
	f->before[0] = 'x';
	return disturb(f);
}

/* The rule counts what it drops. */
static bool
loss_is_seen(struct fault *f)
{
	uint64_t packets;

	if (!f->cluster->ops->dropped(f->cluster, &packets) || packets == 0)
		return false;
	text_format(f->how, sizeof(f->how), "%llu packets dropped so far",
	    (unsigned long long)packets);
	return true;
}

static bool
lossy_is_applied(struct fault *f)
{
	struct link_flow sum;

	if (is_real(f))
		return loss_is_seen(f);
	mayhem_sum_flows(f, NULL, true, &sum);
	if (sum.held + sum.refused == 0) {
		/* the link may have carried nothing: disturb more */
		lossy_step(f);
		return false;
	}
	text_format(f->how, sizeof(f->how),
	    "the first disturbance: %llu bytes held, %llu connections reset",
	    (unsigned long long)sum.held, (unsigned long long)sum.refused);
	return true;
}

static int
lossy_heal(struct fault *f)
{
	if (is_real(f)) {
		f->mark = clock_mono_ns();
		return f->cluster->ops->drop(f->cluster, 0);
	}
	f->next_ns = f->mark; /* how many there were */
	f->mark = clock_mono_ns();
	return open_all(f);
}

static bool
lossy_is_undone(struct fault *f)
{
	uint64_t packets;

	return is_real(f) ? f->cluster->ops->dropped(f->cluster, &packets)
			  : mayhem_is_undone(f);
}

static bool
lossy_is_healed(struct fault *f)
{
	char how[FAULT_HOW_MAX];

	if (is_real(f) && !f->cluster->ops->dropped(f->cluster, &f->next_ns))
		return false;
	text_format(how, sizeof(how),
	    is_real(f)
		? "%llu packets were dropped; all servers healthy, all "
		  "streams current"
		: "%llu disturbances; all servers healthy, all streams current",
	    (unsigned long long)f->next_ns);
	return mayhem_is_whole(f, how);
}

const struct mayhem_ops mayhem_lossy_network = {
    .name = "lossy_network",
    .summary = "stall, reset and black out links between servers for a while",
    .promise = "nothing acknowledged is lost; slow, and elections may come",
    .needs = CLUSTER_CAN_SHAPE,
    .touches = TOUCH_LINKS,
    .options = lossy_rows,
    .options_size = sizeof(struct lossy_options),
    .require = lossy_require,
    .apply_ns = 20 * CLOCK_S,
    .heal_ns = 120 * CLOCK_S,
    .plan = lossy_plan,
    .inject = lossy_inject,
    .is_applied = lossy_is_applied,
    .step = lossy_step,
    .heal = lossy_heal,
    .is_undone = lossy_is_undone,
    .is_healed = lossy_is_healed,
};

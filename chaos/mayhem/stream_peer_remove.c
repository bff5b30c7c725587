/* SPDX-License-Identifier: ISC */
/*
 * stream_peer_remove: a server is taken out of the replicas of a stream of the
 * run (STREAM.PEER.REMOVE), and the meta leader puts another in its place, so
 * there have to be more servers than replicas: with as many, servers refuse it
 * (10075, "peer remap failed"), but for 2.10.27, which takes the leader out and
 * leaves the stream with a replica too few. Nothing has to be undone. Until the
 * new replica is current there is one copy less: nothing else happens to
 * servers, links or streams meanwhile.
 */
#include <errno.h>
#include <string.h>

#include "chaos/admin.h"
#include "chaos/cluster/cluster.h"
#include "chaos/health.h"
#include "chaos/internal.h"
#include "chaos/mayhem/mayhem.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/child.h"
#include "proto/topology.h"

#define RECENT_NS (5 * CLOCK_S)
#define RETRY_NS  (5 * CLOCK_S) /* between two requests */
#define TRIES	  8		/* streams that are looked at */

enum salt {
	SALT_LEADER = 1,
	SALT_FOLLOWER,
	SALT_STREAM /* and up to TRIES */
};

struct remove_options {
	char of[16];
};

static const char *const ofs[] = {"leader", "follower", "any", NULL};

static const struct option_spec remove_rows[] = {
    {.name = "of",
	.type = OPTION_CHOICE,
	OPTION_AT(struct remove_options, of),
	.def = "any",
	.choices = ofs,
	.arg = "WHO",
	.help = "the replica that is removed: leader, follower or any"},
    {.name = NULL},
};

static int
remove_check(const struct run_config *c, char *why)
{
	if (c->replicas < 3)
		text_format(why, OPTION_WHY_MAX,
		    "needs --replicas 3 or more, not %llu: what a replica is "
		    "removed with must be on a majority of others",
		    (unsigned long long)c->replicas);
	else if (topology_home(c) <= c->replicas)
		text_format(why, OPTION_WHY_MAX,
		    "needs more --servers than --replicas %llu, not %u: "
		    "another has to take the place of the one that is removed",
		    (unsigned long long)c->replicas, topology_home(c));
	else if (strcmp(c->test, "consumer-churn") == 0)
		text_set(why, OPTION_WHY_MAX,
		    "test consumer-churn has consumers with one replica, and "
		    "they may be lost with it");
	else
		return mayhem_check_streams(c, "stream_peer_remove", why);
	return -EINVAL;
}

/* One of the peers, not the leader. */
static unsigned
draw_follower(const struct fault *f, unsigned peers, unsigned leader)
{
	unsigned i, followers = peers & ~(1U << (leader - 1));
	uint64_t skip = fault_dice(f, SALT_FOLLOWER) % fault_count(followers);

	for (i = 1; (followers & (1U << (i - 1))) == 0 || skip-- > 0; i++)
		;
	return i;
}

/*
 * A stream with all replicas, when everything is current. The mode may not hit
 * the server itself, so node stays 0, and mark has the one that is removed.
 */
static bool
remove_aim(struct fault *f)
{
	const struct remove_options *o = f->options;
	uint64_t since = clock_mono_ns() - RECENT_NS;
	unsigned i, peers = 0, leader = 0;
	char why[CLUSTER_WHY_MAX];

	if (!health_is_whole(f->cluster->health, since, why))
		return false;
	for (i = 0; i < TRIES; i++) {
		if (health_pick_group(f->cluster->health, false,
			fault_dice(f, SALT_STREAM + i), f->before,
			sizeof(f->before)) == 0)
			return false;
		peers = fault_peers(f, since, &leader);
		if (fault_count(peers) == f->cluster->config->replicas)
			break;
	}
	if (i == TRIES)
		return false;
	f->mark = strcmp(o->of, "leader") == 0 ||
			  (strcmp(o->of, "any") == 0 &&
			      fault_dice(f, SALT_LEADER) % 2 == 0)
		      ? leader
		      : draw_follower(f, peers, leader);
	text_format(f->target, sizeof(f->target), "%.20s, %s of %.50s",
	    f->cluster->nodes[f->mark - 1].name,
	    f->mark == leader ? "leader" : "follower", f->before);
	return true;
}

/* The judge knows of a request before a server does: one replica is less. */
static void
tell_asked(const struct fault *f)
{
	struct event ev = {.type = MESSAGE_STREAM_CHANGE};
	struct msg_stream_change *m = &ev.u.stream_change;

	m->fault = f->number;
	m->replicas = (uint32_t)f->cluster->config->replicas - 1;
	text_set(m->name, sizeof(m->name), f->before);
	child_emit(chaos_child(f->cluster->chaos), &ev);
	child_flush(chaos_child(f->cluster->chaos));
}

/* Another request for this server does nothing now, whenever it is done. */
static void
tell_restored(const struct fault *f)
{
	struct event ev = {.type = MESSAGE_STREAM_RESTORED};
	struct msg_stream_restored *m = &ev.u.stream_restored;

	m->fault = f->number;
	text_set(m->name, sizeof(m->name), f->before);
	child_emit(chaos_child(f->cluster->chaos), &ev);
}

/* What can't be asked now is tried again at the next look. */
static int
remove_inject(struct fault *f)
{
	char subject[256], prefix[CONFIG_PREFIX_MAX], body[160];
	struct cluster *c = f->cluster;

	tell_asked(f);
	config_js_prefix(c->config, prefix);
	text_format(subject, sizeof(subject), "%s.STREAM.PEER.REMOVE.%s",
	    prefix, f->before);
	text_format(body, sizeof(body), "{\"peer\":\"%s\"}",
	    c->nodes[f->mark - 1].name);
	admin_done(c->admin);
	f->next_ns = clock_mono_ns();
	return admin_request(c->admin, ADMIN_USER, 0, subject, body);
}

static bool
remove_is_applied(struct fault *f)
{
	unsigned leader, peers;

	mayhem_take_refusal(f);
	peers = fault_peers(f, f->next_ns, &leader);
	if (peers == 0 || (peers & (1U << (f->mark - 1))) != 0) {
		/* What fails is tried again. */
		if (clock_mono_ns() >= f->next_ns + RETRY_NS)
			(void)remove_inject(f);
		return false;
	}
	text_format(f->how, sizeof(f->how),
	    "%.40s is none of its %u replicas any more, %.40s leads it",
	    f->cluster->nodes[f->mark - 1].name, fault_count(peers),
	    f->cluster->nodes[leader - 1].name);
	return true;
}

static int
remove_heal(struct fault *f)
{
	admin_done(f->cluster->admin);
	f->next_ns = clock_mono_ns();
	return 0;
}

static bool
remove_is_healed(struct fault *f)
{
	char why[CLUSTER_WHY_MAX];
	unsigned leader, count;

	if (!health_is_whole(f->cluster->health, f->next_ns, why)) {
		text_format(f->how, sizeof(f->how), "%.140s", why);
		return false;
	}
	count = fault_count(fault_peers(f, f->next_ns, &leader));
	text_format(f->how, sizeof(f->how),
	    "it has %u replicas; all servers healthy, all streams current",
	    count);
	if (count != f->cluster->config->replicas)
		return false;
	tell_restored(f);
	return true;
}

const struct mayhem_ops mayhem_stream_peer_remove = {
    .name = "stream_peer_remove",
    .summary = "remove a replica of a stream of the run; another takes its "
	       "place",
    .promise = "nothing acknowledged is lost; consumers keep their state",
    .needs = CLUSTER_CAN_ADMIN,
    .touches = TOUCH_STREAMS,
    .is_graceful = true,  /* each request stops the clock, for 30 s */
    .stands_alone = true, /* the others have to have everything */
    .options = remove_rows,
    .options_size = sizeof(struct remove_options),
    .apply_ns = 60 * CLOCK_S,
    .heal_ns = 180 * CLOCK_S,
    .check = remove_check,
    .plan = mayhem_plan_next,
    .aim = remove_aim,
    .inject = remove_inject,
    .is_applied = remove_is_applied,
    .heal = remove_heal,
    .is_healed = remove_is_healed,
};

/* SPDX-License-Identifier: ISC */
/* Servers of ours become a cluster; see form.h. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "chaos/cluster/local/form.h"
#include "chaos/cluster/local/local_state.h"
#include "chaos/cluster/local/server.h"
#include "chaos/health.h"
#include "chaos/internal.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/text.h"

#define FORM_NS	 (20 * CLOCK_S) /* healthy, but the group too small */
#define START_NS (30 * CLOCK_S)
#define FORM_MAX 5

/* Before it is formed anew: nobody has stored anything that matters yet. */
static void
wipe_stores(struct cluster *c)
{
	unsigned i;

	for (i = 1; i <= c->n; i++)
		(void)server_wipe(c, i); /* what is left does no harm */
}

static int
start_servers(struct cluster *c)
{
	unsigned i;
	int err = 0;

	for (i = 1; i <= c->n && err == 0; i++) {
		err = server_write_config(c, i);
		if (err == 0)
			err = server_start(c, i);
		if (err < 0)
			text_add(c->why, sizeof(c->why),
			    "cannot start \"%s\": %s",
			    ((struct local *)c->state)->nodes[i - 1].bin,
			    strerror(-err));
	}
	return err;
}

/* Says so of the first one that has ended. */
static bool
has_ended(struct cluster *c)
{
	const struct local *l = c->state;
	unsigned i;

	for (i = 0; i < c->n; i++)
		if (l->nodes[i].died_ns != 0) {
			text_add(c->why, sizeof(c->why),
			    "server %s does not run", c->nodes[i].name);
			server_last_words(c, i + 1);
			return true;
		}
	return false;
}

/*
 * 0 when it is formed, 1 when its meta group is too small, -errno with why when
 * it does not become healthy.
 */
static int
wait_formed(struct cluster *c)
{
	uint64_t begin = clock_mono_ns(), whole_ns = 0;
	uint64_t begun = chaos_time(c->chaos);
	char why[CLUSTER_WHY_MAX] = "";
	unsigned i, size, most = c->n;

	for (i = 0; i < c->n; i++)
		if (!c->nodes[i].is_apart)
			most = cluster_group_size(c, c->nodes[i].group);
	for (;;) {
		chaos_wait(c->chaos, 20);
		if (chaos_is_stopping(c->chaos))
			return -EINTR;
		if (health_is_whole(c->health, begin, why))
			return 0;
		if (has_ended(c))
			return -ECHILD;
		size = health_meta_size(c->health, begin);
		if (size != 0 && whole_ns == 0)
			whole_ns = chaos_time(c->chaos);
		if (whole_ns != 0 &&
		    chaos_time(c->chaos) > whole_ns + FORM_NS / 4 &&
		    size < most)
			return 1;
		if (chaos_time(c->chaos) > begun + START_NS) {
			text_add(c->why, sizeof(c->why),
			    "the servers run but after %llu s %s",
			    (unsigned long long)(START_NS / CLOCK_S), why);
			/* Without a leader in sight it is tried once more. */
			return size < most && (size > 0 || c->attempts == 1)
				   ? 1
				   : -ETIMEDOUT;
		}
	}
}

int
form_cluster(struct cluster *c)
{
	int got = -EAGAIN;

	for (c->attempts = 1; c->attempts <= FORM_MAX; c->attempts++) {
		c->why[0] = '\0';
		got = start_servers(c);
		if (got == 0)
			got = wait_formed(c);
		if (got <= 0)
			return got;
		/*
		 * 2.10 forms a group of two of three servers now and then,
		 * which never grows, or one that elects nobody.
		 */
		log_warn("the meta group has %u of %u members and does not "
			 "grow: the cluster is formed anew",
		    health_meta_size(c->health, 0), c->n);
		server_stop_all(c, SIGKILL);
		wipe_stores(c);
	}
	text_add(c->why, sizeof(c->why),
	    "the meta group never got all %u members in %d attempts", c->n,
	    FORM_MAX);
	return -EAGAIN;
}

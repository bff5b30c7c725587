/* SPDX-License-Identifier: ISC */
/* null: no servers at all; tests natsburn itself with the liar workload. */
#include <stdio.h>

#include "chaos/cluster/cluster.h"
#include "proto/base/text.h"

static int
null_up(struct cluster *c)
{
	c->n = 1;
	text_format(c->nodes[0].name, sizeof(c->nodes[0].name), "null");
	return 0;
}

static void
null_down(struct cluster *c)
{
	c->n = 0;
}

const struct cluster_ops cluster_null = {
    .name = "null",
    .summary = "no servers: for testing natsburn itself",
    .up = null_up,
    .down = null_down,
};

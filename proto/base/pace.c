/* SPDX-License-Identifier: ISC */
/* The time of a loop; see pace.h. */
#include "proto/base/pace.h"

void
pace_begin(struct pace *p, uint64_t now_ns)
{
	p->turn_ns = p->ns = now_ns;
}

uint64_t
pace_turn(struct pace *p, uint64_t now_ns)
{
	uint64_t took = now_ns - p->turn_ns;

	p->turn_ns = now_ns;
	p->ns += took < PACE_TURN_NS ? took : PACE_TURN_NS;
	return p->ns;
}

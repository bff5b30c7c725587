/* SPDX-License-Identifier: ISC */
/*
 * A link of the proxy process: bytes between who dialled a front and the
 * server behind it. The dialler speaks second (the acceptor's INFO comes
 * first), and names itself in its first bytes; from then on what was set for
 * the two servers holds: bytes of a direction pass, pass late, or wait; or the
 * link is ended. A link of clients (server number 0) works alike, but the
 * client is nobody in particular.
 *
 * A direction that is held is a black hole: its bytes wait here, and that
 * one side closed or broke the connection is not told to the other before
 * it is opened again.
 */
#ifndef CHAOS_LINK_H
#define CHAOS_LINK_H

#include "chaos/cluster/local/proxy.h"

/*
 * No descriptors or no memory: a link that can't be made looks like a fault
 * that nobody has injected, so the process says why and ends.
 */
void link_run_out(struct proxy *, int err, const char *what)
    __attribute__((noreturn));

/*
 * A link from who dialled that front to its server; both descriptors are the
 * link's from now on.
 */
void link_add(struct proxy *, const struct front *, int from, int to);

/*
 * End it. Events of the present batch may still name it: link_free_dead() frees
 * it afterwards.
 */
void link_kill(struct proxy *, struct link *);
void link_free_dead(struct proxy *);

/*
 * Do whatever can be done on it now; the same after reading what epoll reports
 * of one of its ends.
 */
void link_step(struct proxy *, struct link *);
void link_on_end(struct proxy *, struct end *, uint32_t events);

/*
 * Pass on all bytes whose delay is over. Returns when the next are due,
 * UINT64_MAX for never.
 */
uint64_t link_step_late(struct proxy *);

/* The direction whose bytes are written to this end; NULL: not known yet. */
struct direction *link_into(struct proxy *, const struct end *);

/*
 * Are links between two servers refused, in either direction? Count one that
 * was.
 */
bool link_is_refused(const struct proxy *, unsigned a, unsigned b);
void link_count_refused(struct proxy *, unsigned a, unsigned b);

#endif

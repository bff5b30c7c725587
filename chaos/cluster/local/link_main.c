/* SPDX-License-Identifier: ISC */
/*
 * The link proxy process: listens on a front port for each server, for other
 * servers or for clients, and forwards bytes between whoever dials it and the
 * server's real port (link.h). What was asked for and what came of it goes
 * through its pipes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chaos/chaos.h"
#include "chaos/cluster/local/link.h"
#include "proto/base/clock.h"
#include "proto/base/sig.h"
#include "proto/base/text.h"

#define BACKLOG	    64
#define EVENTS	    64
#define BEAT_MS	    100
#define TELL_NS	    (100 * CLOCK_MS) /* between two reports of flows */
#define EXIT_FAILED 70

static int
dial(uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 &&
	    errno != EINPROGRESS) {
		close(fd);
		return -ECONNREFUSED;
	}
	return fd;
}

/*
 * Are links to this server refused to all others? Then who dials need not be
 * known.
 */
static bool
is_isolated(const struct proxy *p, const struct front *f)
{
	unsigned i;

	if (f->kind == LINKS_CLIENTS)
		return link_is_refused(p, LINK_CLIENTS, f->node);
	for (i = 1; i <= CONFIG_NODES_MAX; i++)
		if (p->fronts[LINKS_ROUTES][i - 1].node != 0 && i != f->node &&
		    !link_is_refused(p, i, f->node))
			return false;
	return true;
}

static void
refuse_all(struct proxy *p, const struct front *f)
{
	unsigned i;

	if (f->kind == LINKS_CLIENTS) {
		link_count_refused(p, LINK_CLIENTS, f->node);
		return;
	}
	/*
	 * Who dialled is not known, for it was not let speak: count it for each
	 * of them.
	 */
	for (i = 1; i <= CONFIG_NODES_MAX; i++)
		if (p->fronts[LINKS_ROUTES][i - 1].node != 0 && i != f->node)
			link_count_refused(p, i, f->node);
}

/* It is this process that has too little of something. */
static bool
is_lack(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM ||
	       error == ENOBUFS;
}

static void
front_accept(struct proxy *p, struct front *f)
{
	int from, to = -1;

	from = accept4(f->watch.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (from < 0) {
		if (is_lack(errno))
			link_run_out(p, -errno, "accept a connection");
		return; /* it has gone again */
	}
	if (is_isolated(p, f))
		refuse_all(p, f);
	else
		to = dial(f->real_port);
	if (is_lack(-to))
		link_run_out(p, to, "open a connection");
	if (to >= 0)
		link_add(p, f, from, to);
	else
		close(from);
}

static int
front_listen(struct proxy *p, struct front *f)
{
	struct sockaddr_in a = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &f->watch};
	struct event say = {.type = MESSAGE_LINK_FRONT};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	f->watch.kind = PROXY_FRONT;
	f->watch.fd = fd;
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    listen(fd, BACKLOG) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) < 0 ||
	    epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0) {
		close(fd);
		return -errno;
	}
	say.u.link_front.node = f->node;
	say.u.link_front.port = ntohs(a.sin_port);
	say.u.link_front.kind = (uint8_t)f->kind;
	child_emit(&p->child, &say);
	child_flush(&p->child);
	return 0;
}

static void
take_open(struct proxy *p, const struct msg_link_open *m)
{
	struct front *f;
	int err;

	if (m->node < 1 || m->node > CONFIG_NODES_MAX || m->kind >= LINKS_KINDS)
		return;
	text_set(p->names[m->node - 1], sizeof(p->names[0]), m->name);
	f = &p->fronts[m->kind][m->node - 1];
	f->real_port = m->port;
	if (f->node != 0)
		/*
		 * it listens already, and only the port of its server is
		 * another
		 */
		return;
	f->node = m->node;
	f->kind = (enum links_kind)m->kind;
	err = front_listen(p, f);
	if (err < 0)
		child_diag(&p->child, err, "cannot listen for a link");
}

static bool
is_between(const struct link *l, unsigned a, unsigned b)
{
	return (l->from == a && l->node == b) || (l->from == b && l->node == a);
}

/* From now on what happens is counted for the new policy. */
static void
begin_epoch(struct direction *d)
{
	memset(&d->flow, 0, sizeof(d->flow));
	d->epoch++;
}

static void
take_set(struct proxy *p, const struct msg_link_set *m)
{
	struct link *l, *after;
	struct direction *d;

	if (m->from >= PROXY_SIDES || m->to >= PROXY_SIDES ||
	    m->cut > LINK_REFUSE)
		return;
	d = &p->directions[m->from][m->to];
	begin_epoch(d);
	d->policy = (struct link_policy){
	    (enum link_cut)m->cut, m->delay_ns, m->jitter_ns};
	for (l = p->links; l != NULL; l = after) {
		after = l->next;
		if (!is_between(l, m->from, m->to))
			continue;
		if (link_is_refused(p, m->from, m->to)) {
			link_count_refused(p, m->from, m->to);
			link_kill(p, l);
		} else
			link_step(p, l);
	}
}

/* Spread over all links, so that the share is right for few of them, too. */
static void
take_reset(struct proxy *p, const struct msg_link_reset *m)
{
	struct link *l, *after;
	unsigned share = 100 - (m->percent <= 100 ? m->percent : 100);

	if (m->a >= PROXY_SIDES || m->b >= PROXY_SIDES)
		return;
	begin_epoch(&p->directions[m->a][m->b]);
	begin_epoch(&p->directions[m->b][m->a]);
	for (l = p->links; l != NULL; l = after) {
		after = l->next;
		if (!is_between(l, m->a, m->b))
			continue;
		share += m->percent;
		if (share < 100)
			continue;
		share -= 100;
		link_count_refused(p, m->a, m->b);
		link_kill(p, l);
	}
}

static void
take_command(struct proxy *p, const struct event *cmd)
{
	if (cmd->type == MESSAGE_LINK_OPEN)
		take_open(p, &cmd->u.link_open);
	else if (cmd->type == MESSAGE_LINK_SET)
		take_set(p, &cmd->u.link_set);
	else if (cmd->type == MESSAGE_LINK_RESET)
		take_reset(p, &cmd->u.link_reset);
}

static uint64_t
count_held(struct proxy *p, const struct direction *d)
{
	const struct link *l;
	uint64_t held = 0;
	unsigned i;

	for (l = p->links; l != NULL; l = l->next)
		for (i = 0; i < 2; i++)
			if (link_into(p, &l->ends[i]) == d)
				held += buf_len(&l->ends[i].out);
	return held;
}

/*
 * An open direction without a delay is only reported until something has
 * passed.
 */
static bool
is_worth_telling(const struct direction *d)
{
	if (d->epoch != d->told_epoch)
		return true;
	if (d->policy.cut == LINK_OPEN && d->policy.delay_ns == 0 &&
	    d->told.passed > 0)
		return false;
	return memcmp(&d->flow, &d->told, sizeof(d->flow)) != 0;
}

static void
tell_flows(struct proxy *p)
{
	struct event ev = {.type = MESSAGE_LINK_FLOW};
	struct msg_link_flow *m = &ev.u.link_flow;
	struct direction *d;
	uint64_t now = clock_mono_ns();
	unsigned from, to;

	if (now < p->told_ns + TELL_NS)
		return;
	p->told_ns = now;
	for (from = 0; from < PROXY_SIDES; from++)
		for (to = 0; to < PROXY_SIDES; to++) {
			d = &p->directions[from][to];
			if (d->epoch == 0)
				continue;
			d->flow.held = count_held(p, d);
			if (!is_worth_telling(d))
				continue;
			d->told = d->flow;
			d->told_epoch = d->epoch;
			m->from = from;
			m->to = to;
			m->epoch = d->epoch;
			m->passed = d->flow.passed;
			m->held = d->flow.held;
			m->refused = d->flow.refused;
			m->late = d->flow.late;
			child_emit(&p->child, &ev);
		}
	child_flush(&p->child);
}

static void
proxy_loop(struct proxy *p)
{
	struct epoll_event events[EVENTS];
	struct event cmd;
	struct watch *w;
	uint64_t late;
	int i, n;

	for (;;) {
		late = link_step_late(p);
		n = epoll_wait(p->epoll_fd, events, EVENTS,
		    clock_poll_ms(clock_mono_ns(), late, BEAT_MS));
		for (i = 0; i < n; i++) {
			w = events[i].data.ptr;
			if (w->kind == PROXY_FRONT)
				front_accept(p, (struct front *)w);
			else if (w->kind == PROXY_END)
				link_on_end(
				    p, (struct end *)w, events[i].events);
		}
		/*
		 * At the end of file of its parent this call ends the process.
		 */
		while (child_command(&p->child, 0, &cmd))
			take_command(p, &cmd);
		link_free_dead(p);
		tell_flows(p);
	}
}

int
link_main(uint32_t source, uint32_t incarnation)
{
	struct proxy *p = calloc(1, sizeof(*p));
	struct epoll_event ev = {.events = EPOLLIN};

	if (p == NULL || sig_open(NULL, 0) < 0)
		return EXIT_FAILED;
	child_init(&p->child, "links", "", source, incarnation);
	child_confine();
	rng_init(&p->rng, rng_fresh_seed(), "jitter");
	p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	p->commands = (struct watch){PROXY_COMMANDS, CHILD_DOWN};
	ev.data.ptr = &p->commands;
	if (p->epoll_fd < 0 ||
	    epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, CHILD_DOWN, &ev) < 0) {
		child_diag(&p->child, -errno, "cannot watch links");
		return EXIT_FAILED;
	}
	child_say(&p->child, MESSAGE_READY);
	proxy_loop(p);
	return 0;
}

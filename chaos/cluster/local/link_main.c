/* SPDX-License-Identifier: ISC */
/*
 * The link proxy process: listens on a front port for each server and
 * forwards bytes between whoever dials it and the server's real route port.
 * The dialler speaks second (the acceptor's INFO comes first), and names
 * itself in its first bytes; from then on the link has a name, and what was
 * set for its two servers holds: bytes of a direction pass, pass late, or
 * wait; or the link is ended. Fronts for clients (server number 0) work
 * alike, but the client is nobody in particular.
 *
 * A direction that is held is a black hole: its bytes wait here, and that
 * one side closed or broke the connection is not told to the other before
 * it is opened again.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chaos/chaos.h"
#include "chaos/cluster/local/links.h"
#include "proto/base/buf.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/rng.h"
#include "proto/base/sig.h"
#include "proto/base/text.h"
#include "proto/child.h"

#define HOLD_MAX   ((size_t)4 << 20) /* bytes under way, a direction */
#define SPANS_MAX  ((size_t)4 << 20) /* bytes of struct span, likewise */
#define READ_BYTES ((size_t)65536)
#define HEAD_MAX   ((size_t)16384) /* first bytes, in which the name is */
#define BACKLOG	   64
#define EVENTS	   64
#define BEAT_MS	   100
#define TELL_NS	   (100 * CLOCK_MS) /* between two reports of flows */
#define SIDES	   (CONFIG_NODES_MAX + 1)
#define UNNAMED	   SIDES /* who dialled is not known yet */

enum watch_kind {
	WATCH_COMMANDS,
	WATCH_FRONT,
	WATCH_END
};

/* What a descriptor of the epoll set is. */
struct watch {
	enum watch_kind kind;
	int fd;
};

struct front {
	struct watch watch;
	unsigned node;
	bool clients;
	uint16_t real_port;
};

/* Bytes that must not pass before their time. */
struct span {
	uint64_t due_ns;
	size_t len;
};

/* One end of a link; the other end is what it reads is written to. */
struct end {
	struct watch watch;
	struct end *other;
	struct link *link;
	struct buf out;	  /* waiting to be written to this end */
	struct buf spans; /* of out, in order: what is not due yet */
	size_t due;	  /* first bytes of out that may be written */
	uint64_t last_due_ns;
	uint32_t events; /* what epoll watches it for */
	bool at_end;	 /* nothing more comes from it */
	bool is_broken;	 /* nothing can be written to it */
};

struct link {
	struct end ends[2]; /* [0] dialler, [1] the server */
	unsigned node;	    /* that was dialled */
	unsigned from;	    /* that dialled, LINK_CLIENTS, or UNNAMED */
	char name[32];
	struct buf head; /* first bytes of the dialler, until it is named */
	bool is_dead;
	struct link *next, *previous; /* of those alive */
	struct link *next_dead;
};

/* What was set for a direction, and what happened since. */
struct direction {
	struct link_policy policy;
	struct link_flow flow, told;
	uint32_t epoch, told_epoch;
};

struct proxy {
	struct child child;
	int epoll_fd;
	struct watch commands;
	struct front fronts[2][CONFIG_NODES_MAX]; /* [1] for clients */
	char names[CONFIG_NODES_MAX][32];
	struct direction directions[SIDES][SIDES]; /* from, to */
	struct rng rng;				   /* jitter */
	struct link *links;			   /* alive */
	struct link *dead; /* freed after the present batch of events */
	uint64_t told_ns;
	bool has_spans; /* some end may have */
};

/* The direction whose bytes are written to this end; NULL: not known yet. */
static struct direction *
direction_into(struct proxy *p, const struct end *e)
{
	const struct link *l = e->link;

	if (l->from == UNNAMED)
		return NULL;
	return e == &l->ends[1] ? &p->directions[l->from][l->node]
				: &p->directions[l->node][l->from];
}

static bool
is_held(struct proxy *p, const struct end *e)
{
	const struct direction *d = direction_into(p, e);

	return d != NULL && d->policy.cut == LINK_HOLD;
}

static bool
is_refused(const struct proxy *p, unsigned a, unsigned b)
{
	return p->directions[a][b].policy.cut == LINK_REFUSE ||
	       p->directions[b][a].policy.cut == LINK_REFUSE;
}

static void
count_refused(struct proxy *p, unsigned a, unsigned b)
{
	p->directions[a][b].flow.refused++;
	p->directions[b][a].flow.refused++;
}

static void
say_peer(struct proxy *p, const struct link *l, bool up)
{
	struct event ev = {.type = MESSAGE_LINK_PEER};

	ev.u.link_peer.node = l->node;
	ev.u.link_peer.up = up;
	text_set(ev.u.link_peer.from, sizeof(ev.u.link_peer.from), l->name);
	child_emit(&p->child, &ev);
	child_flush(&p->child);
}

static void
watch_end(struct proxy *p, struct end *e)
{
	struct epoll_event ev = {.data.ptr = &e->watch};
	uint32_t events = 0;

	/* Stop reading while the other side can't take more. */
	if (!e->at_end && buf_len(&e->other->out) < HOLD_MAX - READ_BYTES)
		events |= EPOLLIN;
	if (e->due > 0 && !e->is_broken && !is_held(p, e))
		events |= EPOLLOUT;
	if (events == e->events)
		return;
	/*
	 * With nothing to watch for it leaves the set: a hang-up that must
	 * wait would be told over and over.
	 */
	ev.events = events;
	if (events == 0)
		(void)epoll_ctl(p->epoll_fd, EPOLL_CTL_DEL, e->watch.fd, NULL);
	else
		(void)epoll_ctl(p->epoll_fd,
		    e->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, e->watch.fd,
		    &ev);
	e->events = events;
}

static void
link_kill(struct proxy *p, struct link *l)
{
	if (l->is_dead)
		return;
	l->is_dead = true;
	close(l->ends[0].watch.fd);
	close(l->ends[1].watch.fd);
	say_peer(p, l, false);
	if (l->previous != NULL)
		l->previous->next = l->next;
	else
		p->links = l->next;
	if (l->next != NULL)
		l->next->previous = l->previous;
	l->next_dead = p->dead;
	p->dead = l;
}

static void
free_dead(struct proxy *p)
{
	struct link *l;
	unsigned i;

	while ((l = p->dead) != NULL) {
		p->dead = l->next_dead;
		for (i = 0; i < 2; i++) {
			buf_fini(&l->ends[i].out);
			buf_fini(&l->ends[i].spans);
		}
		buf_fini(&l->head);
		free(l);
	}
}

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

/* It is this process that has too little of something. */
static bool
is_lack(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM ||
	       error == ENOBUFS;
}

static void
end_init(struct proxy *p, struct link *l, unsigned side, int fd)
{
	struct end *e = &l->ends[side];
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &e->watch};
	int one = 1;

	e->watch.kind = WATCH_END;
	e->watch.fd = fd;
	e->link = l;
	e->other = &l->ends[1 - side];
	e->events = EPOLLIN;
	buf_init(&e->out, HOLD_MAX);
	buf_init(&e->spans, SPANS_MAX);
	/* Raft is a conversation: bytes must not wait for company. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, fd, &ev);
}

/* Refused to every other server: it need not even be asked. */
static bool
is_isolated(const struct proxy *p, const struct front *f)
{
	unsigned i;

	if (f->clients)
		return is_refused(p, LINK_CLIENTS, f->node);
	for (i = 1; i <= CONFIG_NODES_MAX; i++)
		if (p->fronts[0][i - 1].node != 0 && i != f->node &&
		    !is_refused(p, i, f->node))
			return false;
	return true;
}

static void
refuse_all(struct proxy *p, const struct front *f)
{
	unsigned i;

	if (f->clients) {
		count_refused(p, LINK_CLIENTS, f->node);
		return;
	}
	/* Which of them dialled nobody knows: it never got to speak. */
	for (i = 1; i <= CONFIG_NODES_MAX; i++)
		if (p->fronts[0][i - 1].node != 0 && i != f->node)
			count_refused(p, i, f->node);
}

/*
 * No descriptors or no memory: a link that can't be made looks like a fault
 * that nobody has injected.
 */
static void __attribute__((noreturn))
run_out(struct proxy *p, int err, const char *what)
{
	child_diag(&p->child, err, "cannot %s: %s", what, strerror(-err));
	exit(70);
}

static void
link_add(struct proxy *p, const struct front *f, int from, int to)
{
	struct link *l = calloc(1, sizeof(*l));

	if (l == NULL)
		run_out(p, -ENOMEM, "add a link");
	l->node = f->node;
	l->from = f->clients ? LINK_CLIENTS : UNNAMED;
	if (f->clients)
		text_set(l->name, sizeof(l->name), LINKS_CLIENT);
	buf_init(&l->head, HEAD_MAX);
	end_init(p, l, 0, from);
	end_init(p, l, 1, to);
	l->next = p->links;
	if (l->next != NULL)
		l->next->previous = l;
	p->links = l;
	say_peer(p, l, true);
}

static void
front_accept(struct proxy *p, struct front *f)
{
	int from, to = -1;

	from = accept4(f->watch.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (from < 0) {
		if (is_lack(errno))
			run_out(p, -errno, "accept a connection");
		return; /* it has gone again */
	}
	if (is_isolated(p, f))
		refuse_all(p, f);
	else
		to = dial(f->real_port);
	if (is_lack(-to))
		run_out(p, to, "open a connection");
	if (to >= 0)
		link_add(p, f, from, to);
	else
		close(from);
}

static unsigned
node_of_name(const struct proxy *p, const char *name)
{
	unsigned i;

	for (i = 0; i < CONFIG_NODES_MAX; i++)
		if (p->names[i][0] != '\0' && strcmp(p->names[i], name) == 0)
			return i + 1;
	return UNNAMED;
}

/*
 * The dialler's first bytes name it: {"server_name":"n2",...}. They may come
 * in pieces. Who says nothing of the kind in so many of them is nobody.
 */
static void
learn_name(struct proxy *p, struct link *l, const uint8_t *data, size_t len)
{
	static const char key[] = "\"server_name\":\"";
	const char *at, *end;
	size_t room = HEAD_MAX - buf_len(&l->head);

	if (buf_append(&l->head, data, len < room ? len : room) < 0)
		return;
	end = (const char *)buf_data(&l->head) + buf_len(&l->head);
	at =
	    memmem(buf_data(&l->head), buf_len(&l->head), key, sizeof(key) - 1);
	if (at == NULL)
		return;
	at += sizeof(key) - 1;
	end = memchr(at, '"', (size_t)(end - at));
	if (end == NULL)
		return;
	text_format(l->name, sizeof(l->name), "%.*s", (int)(end - at), at);
	buf_fini(&l->head);
	l->from = node_of_name(p, l->name);
	if (l->from == UNNAMED || !is_refused(p, l->from, l->node))
		return;
	count_refused(p, l->from, l->node);
	link_kill(p, l);
}

/* n more bytes are in e->out: may they pass now, or later? */
static void
schedule_bytes(struct proxy *p, struct end *e, size_t n)
{
	const struct direction *d = direction_into(p, e);
	uint64_t now, delay = 0;
	struct span s = {.len = n};

	if (d != NULL && d->policy.delay_ns + d->policy.jitter_ns > 0)
		delay = d->policy.delay_ns +
			rng_below(&p->rng, d->policy.jitter_ns + 1);
	if (delay == 0 && buf_len(&e->spans) == 0) {
		e->due += n;
		return;
	}
	now = clock_mono_ns();
	s.due_ns = now + delay;
	/* TCP keeps the order: nothing passes what came before it. */
	if (s.due_ns < e->last_due_ns)
		s.due_ns = e->last_due_ns;
	if (buf_append(&e->spans, &s, sizeof(s)) < 0) {
		link_kill(p, e->link);
		return;
	}
	e->last_due_ns = s.due_ns;
	p->has_spans = true;
}

/* The end can be used no more: the link is over, unless it is a black hole. */
static void
end_broke(struct proxy *p, struct end *e)
{
	e->at_end = e->is_broken = true;
	if (!is_held(p, e->other))
		link_kill(p, e->link);
}

static void
end_read(struct proxy *p, struct end *e)
{
	uint8_t *room = buf_reserve(&e->other->out, READ_BYTES);
	ssize_t n;

	if (room == NULL)
		return; /* full: EPOLLIN goes off below */
	n = read(e->watch.fd, room, READ_BYTES);
	if (n > 0) {
		buf_commit(&e->other->out, (size_t)n);
		if (e == &e->link->ends[0] && e->link->from == UNNAMED)
			learn_name(p, e->link, room, (size_t)n);
		if (!e->link->is_dead)
			schedule_bytes(p, e->other, (size_t)n);
	} else if (n == 0)
		e->at_end = true;
	else if (errno != EAGAIN && errno != EINTR)
		end_broke(p, e);
}

static void
end_write(struct proxy *p, struct end *e)
{
	struct direction *d = direction_into(p, e);
	ssize_t n;

	while (e->due > 0 && !e->is_broken && !is_held(p, e)) {
		n = send(e->watch.fd, buf_data(&e->out), e->due, MSG_NOSIGNAL);
		if (n < 0) {
			/* ENOTCONN: the dial is still under way. */
			if (errno != EAGAIN && errno != EINTR &&
			    errno != ENOTCONN)
				end_broke(p, e);
			return;
		}
		buf_consume(&e->out, (size_t)n);
		e->due -= (size_t)n;
		if (d != NULL)
			d->flow.passed += (uint64_t)n;
	}
}

/* Whatever can be done on a link now. */
static void
link_step(struct proxy *p, struct link *l)
{
	unsigned i;

	for (i = 0; i < 2 && !l->is_dead; i++)
		end_write(p, &l->ends[i]);
	/* A route that one side closed is of no use to the other. */
	for (i = 0; i < 2 && !l->is_dead; i++)
		if (l->ends[i].at_end && !is_held(p, l->ends[i].other) &&
		    (l->ends[i].other->is_broken ||
			buf_len(&l->ends[i].other->out) == 0))
			link_kill(p, l);
	if (!l->is_dead && l->ends[0].at_end && l->ends[1].at_end)
		link_kill(p, l);
	for (i = 0; i < 2 && !l->is_dead; i++)
		watch_end(p, &l->ends[i]);
}

static void
on_end(struct proxy *p, struct end *e, uint32_t events)
{
	struct link *l = e->link;

	if (!l->is_dead && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		end_read(p, e);
	if (!l->is_dead)
		link_step(p, l);
}

/* Bytes whose time has come; the time of the next, UINT64_MAX none. */
static uint64_t
release_spans(struct end *e, struct direction *d, uint64_t now)
{
	struct span s;

	while (buf_len(&e->spans) >= sizeof(s)) {
		memcpy(&s, buf_data(&e->spans), sizeof(s));
		if (s.due_ns > now)
			return s.due_ns;
		e->due += s.len;
		if (d != NULL)
			d->flow.late += s.len;
		buf_consume(&e->spans, sizeof(s));
	}
	return UINT64_MAX;
}

/* Pass on what was late; when the next is due. */
static uint64_t
step_late(struct proxy *p)
{
	uint64_t now = clock_mono_ns(), next = UINT64_MAX, due;
	struct link *l, *after;
	unsigned i;

	if (!p->has_spans)
		return next;
	for (l = p->links; l != NULL; l = after) {
		after = l->next;
		for (i = 0; i < 2; i++) {
			due = release_spans(
			    &l->ends[i], direction_into(p, &l->ends[i]), now);
			next = due < next ? due : next;
		}
		link_step(p, l);
	}
	p->has_spans = next != UINT64_MAX;
	return next;
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
	f->watch.kind = WATCH_FRONT;
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
	say.u.link_front.clients = f->clients;
	child_emit(&p->child, &say);
	child_flush(&p->child);
	return 0;
}

static void
take_open(struct proxy *p, const struct msg_link_open *m)
{
	struct front *f;
	int err;

	if (m->node < 1 || m->node > CONFIG_NODES_MAX)
		return;
	text_set(p->names[m->node - 1], sizeof(p->names[0]), m->name);
	f = &p->fronts[m->clients != 0][m->node - 1];
	f->real_port = m->port;
	if (f->node != 0)
		return; /* listens already: only its server moved */
	f->node = m->node;
	f->clients = m->clients != 0;
	err = front_listen(p, f);
	if (err < 0)
		child_diag(&p->child, err, "cannot listen for a link");
}

static bool
is_between(const struct link *l, unsigned a, unsigned b)
{
	return (l->from == a && l->node == b) || (l->from == b && l->node == a);
}

/* What happened so far belongs to the policy before. */
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

	if (m->from >= SIDES || m->to >= SIDES || m->cut > LINK_REFUSE)
		return;
	d = &p->directions[m->from][m->to];
	begin_epoch(d);
	d->policy = (struct link_policy){
	    (enum link_cut)m->cut, m->delay_ns, m->jitter_ns};
	for (l = p->links; l != NULL; l = after) {
		after = l->next;
		if (!is_between(l, m->from, m->to))
			continue;
		if (is_refused(p, m->from, m->to)) {
			count_refused(p, m->from, m->to);
			link_kill(p, l);
		} else
			link_step(p, l);
	}
}

/* Every so many of them, so that the share is right for few as well. */
static void
take_reset(struct proxy *p, const struct msg_link_reset *m)
{
	struct link *l, *after;
	unsigned share = 100 - (m->percent <= 100 ? m->percent : 100);

	if (m->a >= SIDES || m->b >= SIDES)
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
		count_refused(p, m->a, m->b);
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
			if (direction_into(p, &l->ends[i]) == d)
				held += buf_len(&l->ends[i].out);
	return held;
}

/* Once something has passed an open direction, no more need be said. */
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
	for (from = 0; from < SIDES; from++)
		for (to = 0; to < SIDES; to++) {
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
		late = step_late(p);
		n = epoll_wait(p->epoll_fd, events, EVENTS,
		    clock_poll_ms(clock_mono_ns(), late, BEAT_MS));
		for (i = 0; i < n; i++) {
			w = events[i].data.ptr;
			if (w->kind == WATCH_FRONT)
				front_accept(p, (struct front *)w);
			else if (w->kind == WATCH_END)
				on_end(p, (struct end *)w, events[i].events);
		}
		/* Its parent's end of file ends the process in there. */
		while (child_command(&p->child, 0, &cmd))
			take_command(p, &cmd);
		free_dead(p);
		tell_flows(p);
	}
}

int
link_main(uint32_t source, uint32_t incarnation)
{
	struct proxy *p = calloc(1, sizeof(*p));
	struct epoll_event ev = {.events = EPOLLIN};

	if (p == NULL || sig_open(NULL, 0) < 0)
		return 70;
	child_init(&p->child, "links", "", source, incarnation);
	child_confine();
	rng_init(&p->rng, rng_fresh_seed(), "jitter");
	p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	p->commands = (struct watch){WATCH_COMMANDS, CHILD_DOWN};
	ev.data.ptr = &p->commands;
	if (p->epoll_fd < 0 ||
	    epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, CHILD_DOWN, &ev) < 0) {
		child_diag(&p->child, -errno, "cannot watch links");
		return 70;
	}
	child_say(&p->child, MESSAGE_READY);
	proxy_loop(p);
	return 0;
}

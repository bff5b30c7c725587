/* SPDX-License-Identifier: ISC */
/*
 * The link proxy process: listens on a front port for each server and
 * forwards bytes between whoever dials it and the server's real route port.
 * The dialler speaks second (the acceptor's INFO comes first), and names
 * itself in its first bytes; from then on the link has a name.
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
#include "proto/base/buf.h"
#include "proto/base/log.h"
#include "proto/base/sig.h"
#include "proto/base/text.h"
#include "proto/child.h"

#define HOLD_MAX   ((size_t)4 << 20) /* bytes under way, a direction */
#define READ_BYTES ((size_t)65536)
#define BACKLOG	   64
#define EVENTS	   64
#define BEAT_MS	   100

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
	uint16_t real_port;
};

/* One end of a link; the other end is what it reads is written to. */
struct end {
	struct watch watch;
	struct end *other;
	struct link *link;
	struct buf out;	 /* waiting to be written to this end */
	uint32_t events; /* what epoll watches it for */
	bool at_end;	 /* nothing more comes from it */
};

struct link {
	struct end ends[2]; /* [0] dialler, [1] the server */
	unsigned node;
	char from[32];
	bool is_named, is_dead;
	struct link *next_dead;
};

struct proxy {
	struct child child;
	int epoll_fd;
	struct watch commands;
	struct front fronts[CONFIG_NODES_MAX];
	struct link *dead; /* freed after the present batch of events */
};

static void
say_peer(struct proxy *p, const struct link *l, bool up)
{
	struct event ev = {.type = MESSAGE_LINK_PEER};

	ev.u.link_peer.node = l->node;
	ev.u.link_peer.up = up;
	(void)text_copy(
	    ev.u.link_peer.from, sizeof(ev.u.link_peer.from), l->from);
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
	if (buf_len(&e->out) > 0)
		events |= EPOLLOUT;
	if (events == e->events)
		return;
	ev.events = e->events = events;
	(void)epoll_ctl(p->epoll_fd, EPOLL_CTL_MOD, e->watch.fd, &ev);
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
	l->next_dead = p->dead;
	p->dead = l;
}

static void
free_dead(struct proxy *p)
{
	struct link *l;

	while ((l = p->dead) != NULL) {
		p->dead = l->next_dead;
		buf_fini(&l->ends[0].out);
		buf_fini(&l->ends[1].out);
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
	/* Raft is a conversation: bytes must not wait for company. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, fd, &ev);
}

static void
front_accept(struct proxy *p, struct front *f)
{
	struct link *l;
	int from, to;

	from = accept4(f->watch.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (from < 0)
		return;
	to = dial(f->real_port);
	l = to >= 0 ? calloc(1, sizeof(*l)) : NULL;
	if (l == NULL) {
		close(from);
		if (to >= 0)
			close(to);
		return;
	}
	l->node = f->node;
	end_init(p, l, 0, from);
	end_init(p, l, 1, to);
	say_peer(p, l, true);
}

/* The dialler's first bytes name it: {"server_name":"n2",...}. */
static void
learn_name(struct link *l, const uint8_t *data, size_t len)
{
	static const char key[] = "\"server_name\":\"";
	const char *at = memmem(data, len, key, sizeof(key) - 1);
	size_t n = 0, left;

	if (at == NULL)
		return;
	at += sizeof(key) - 1;
	left = len - (size_t)((const uint8_t *)at - data);
	while (n < left && at[n] != '"' && n < sizeof(l->from) - 1)
		n++;
	memcpy(l->from, at, n);
	l->from[n] = '\0';
	l->is_named = true;
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
		if (e == &e->link->ends[0] && !e->link->is_named)
			learn_name(e->link, room, (size_t)n);
		buf_commit(&e->other->out, (size_t)n);
	} else if (n == 0)
		e->at_end = true;
	else if (errno != EAGAIN && errno != EINTR)
		link_kill(p, e->link);
}

static void
end_write(struct proxy *p, struct end *e)
{
	ssize_t n;

	while (buf_len(&e->out) > 0) {
		n = send(e->watch.fd, buf_data(&e->out), buf_len(&e->out),
		    MSG_NOSIGNAL);
		if (n < 0) {
			/* ENOTCONN: the dial is still under way. */
			if (errno != EAGAIN && errno != EINTR &&
			    errno != ENOTCONN)
				link_kill(p, e->link);
			return;
		}
		buf_consume(&e->out, (size_t)n);
	}
}

static void
on_end(struct proxy *p, struct end *e, uint32_t events)
{
	struct link *l = e->link;

	if (l->is_dead)
		return;
	if (events & EPOLLOUT)
		end_write(p, e);
	if (!l->is_dead && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		end_read(p, e);
	if (!l->is_dead)
		end_write(p, e->other);
	if (l->is_dead)
		return;
	/* A route that one side closed is of no use to the other. */
	if (e->at_end && buf_len(&e->other->out) == 0) {
		link_kill(p, l);
		return;
	}
	watch_end(p, &l->ends[0]);
	watch_end(p, &l->ends[1]);
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
	child_emit(&p->child, &say);
	child_flush(&p->child);
	return 0;
}

static void
take_command(struct proxy *p, const struct event *cmd)
{
	const struct msg_link_open *m = &cmd->u.link_open;
	struct front *f;
	int err;

	if (cmd->type != MESSAGE_LINK_OPEN || m->node < 1 ||
	    m->node > CONFIG_NODES_MAX)
		return;
	f = &p->fronts[m->node - 1];
	f->real_port = m->port;
	if (f->node != 0)
		return; /* listens already: only its server moved */
	f->node = m->node;
	err = front_listen(p, f);
	if (err < 0)
		child_diag(&p->child, err, "cannot listen for a link");
}

static void
proxy_loop(struct proxy *p)
{
	struct epoll_event events[EVENTS];
	struct event cmd;
	struct watch *w;
	int i, n;

	for (;;) {
		n = epoll_wait(p->epoll_fd, events, EVENTS, BEAT_MS);
		for (i = 0; i < n; i++) {
			w = events[i].data.ptr;
			if (w->kind == WATCH_FRONT)
				front_accept(p, (struct front *)w);
			else if (w->kind == WATCH_END)
				on_end(p, (struct end *)w, events[i].events);
		}
		free_dead(p);
		/* Its parent's end of file ends the process in there. */
		while (child_command(&p->child, 0, &cmd))
			take_command(p, &cmd);
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

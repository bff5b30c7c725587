/* SPDX-License-Identifier: ISC */
/* Links and their bytes; see link.h. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chaos/cluster/local/link.h"
#include "chaos/cluster/local/links.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define HOLD_MAX   ((size_t)4 << 20) /* bytes under way, a direction */
#define SPANS_MAX  ((size_t)4 << 20) /* bytes of struct span, likewise */
#define READ_BYTES ((size_t)65536)
#define HEAD_MAX   ((size_t)16384) /* first bytes, in which the name is */

struct direction *
link_into(struct proxy *p, const struct end *e)
{
	const struct link *l = e->link;

	if (l->from == PROXY_UNNAMED)
		return NULL;
	return e == &l->ends[1] ? &p->directions[l->from][l->node]
				: &p->directions[l->node][l->from];
}

static bool
is_held(struct proxy *p, const struct end *e)
{
	const struct direction *d = link_into(p, e);

	return d != NULL && d->policy.cut == LINK_HOLD;
}

bool
link_is_refused(const struct proxy *p, unsigned a, unsigned b)
{
	return p->directions[a][b].policy.cut == LINK_REFUSE ||
	       p->directions[b][a].policy.cut == LINK_REFUSE;
}

void
link_count_refused(struct proxy *p, unsigned a, unsigned b)
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

void
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
watch_end(struct proxy *p, struct end *e)
{
	struct epoll_event ev = {.data.ptr = &e->watch};
	uint32_t events = 0;
	int how;

	/* Stop reading while the other side can't take more. */
	if (!e->at_end && buf_len(&e->other->out) < HOLD_MAX - READ_BYTES)
		events |= EPOLLIN;
	if (e->due > 0 && !e->is_broken && !is_held(p, e))
		events |= EPOLLOUT;
	if (events == e->events)
		return;
	/*
	 * epoll reports a hang-up whether it is asked for or not. An end whose
	 * hang-up must wait is taken out of the set, or the loop would spin.
	 */
	ev.events = events;
	how = events == 0      ? EPOLL_CTL_DEL
	      : e->events == 0 ? EPOLL_CTL_ADD
			       : EPOLL_CTL_MOD;
	e->events = events;
	if (epoll_ctl(p->epoll_fd, how, e->watch.fd, &ev) < 0)
		link_kill(p, e->link); /* no event would come for it any more */
}

void
link_free_dead(struct proxy *p)
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

static unsigned
node_of_name(const struct proxy *p, const char *name)
{
	unsigned i;

	for (i = 0; i < CONFIG_NODES_MAX; i++)
		if (p->names[i][0] != '\0' && strcmp(p->names[i], name) == 0)
			return i + 1;
	return PROXY_UNNAMED;
}

/* The server of ours that these bytes name, by "server_name" or "name". */
static unsigned
find_name(const struct proxy *p, const char *at, const char *end, char *name,
    size_t size)
{
	static const char key[] = "name\":\"";
	const char *quote;
	unsigned node;

	while ((at = memmem(at, (size_t)(end - at), key, sizeof(key) - 1)) !=
	       NULL) {
		at += sizeof(key) - 1;
		quote = memchr(at, '"', (size_t)(end - at));
		if (quote == NULL)
			break;
		text_format(name, size, "%.*s", (int)(quote - at), at);
		node = node_of_name(p, name);
		if (node != PROXY_UNNAMED)
			return node;
	}
	return PROXY_UNNAMED;
}

/*
 * The dialler names itself in its first bytes: {"server_name":"n2",...}, a leaf
 * node {"name":"n2",...}, behind an INFO without a name if it would compress;
 * what a gateway says as "name" first is its id. They may come in pieces. Who
 * has not done so within HEAD_MAX bytes stays unnamed.
 */
static void
learn_name(struct proxy *p, struct link *l, const uint8_t *data, size_t len)
{
	const char *head;
	size_t room = HEAD_MAX - buf_len(&l->head);
	char name[sizeof(l->name)];

	if (room == 0 ||
	    buf_append(&l->head, data, len < room ? len : room) < 0)
		return;
	head = (const char *)buf_data(&l->head);
	l->from =
	    find_name(p, head, head + buf_len(&l->head), name, sizeof(name));
	if (l->from == PROXY_UNNAMED)
		return;
	text_set(l->name, sizeof(l->name), name);
	buf_fini(&l->head);
	if (!link_is_refused(p, l->from, l->node))
		return;
	link_count_refused(p, l->from, l->node);
	link_kill(p, l);
}

/*
 * n more bytes are in e->out. Without a delay they may pass at once; with one
 * they get a span, which says when.
 */
static void
schedule_bytes(struct proxy *p, struct end *e, size_t n)
{
	const struct direction *d = link_into(p, e);
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

/*
 * Nothing can be read from or written to this end any more. The link ends,
 * unless the other end must not notice, because it is cut off by a black hole.
 */
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
		return; /* it is full: watch_end() stops reading */
	n = read(e->watch.fd, room, READ_BYTES);
	if (n > 0) {
		buf_commit(&e->other->out, (size_t)n);
		if (e == &e->link->ends[0] && e->link->from == PROXY_UNNAMED)
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
	struct direction *d = link_into(p, e);
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

void
link_step(struct proxy *p, struct link *l)
{
	unsigned i;

	for (i = 0; i < 2 && !l->is_dead; i++)
		end_write(p, &l->ends[i]);
	/*
	 * A link that one side has closed is closed for the other, once all
	 * bytes have gone there and it is no black hole.
	 */
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

void
link_on_end(struct proxy *p, struct end *e, uint32_t events)
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

uint64_t
link_step_late(struct proxy *p)
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
			    &l->ends[i], link_into(p, &l->ends[i]), now);
			next = due < next ? due : next;
		}
		link_step(p, l);
	}
	p->has_spans = next != UINT64_MAX;
	return next;
}

static void
end_init(struct link *l, unsigned side, int fd)
{
	struct end *e = &l->ends[side];
	int one = 1;

	e->watch.kind = PROXY_END;
	e->watch.fd = fd;
	e->link = l;
	e->other = &l->ends[1 - side];
	buf_init(&e->out, HOLD_MAX);
	buf_init(&e->spans, SPANS_MAX);
	/*
	 * Raft is a conversation: bytes must not wait for company. If they do
	 * all the same, they are only late.
	 */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

void
link_run_out(struct proxy *p, int err, const char *what)
{
	child_diag(&p->child, err, "cannot %s: %s", what, strerror(-err));
	exit(70);
}

void
link_add(struct proxy *p, const struct front *f, int from, int to)
{
	struct link *l = calloc(1, sizeof(*l));

	if (l == NULL)
		link_run_out(p, -ENOMEM, "add a link");
	l->node = f->node;
	l->from = f->kind == LINKS_CLIENTS ? LINK_CLIENTS : PROXY_UNNAMED;
	if (f->kind == LINKS_CLIENTS)
		text_set(l->name, sizeof(l->name), LINKS_CLIENT_NAME);
	buf_init(&l->head, HEAD_MAX);
	end_init(l, 0, from);
	end_init(l, 1, to);
	l->next = p->links;
	if (l->next != NULL)
		l->next->previous = l;
	p->links = l;
	say_peer(p, l, true);
	link_step(p, l); /* nothing has come yet: its ends are watched */
}

/* SPDX-License-Identifier: ISC */
/* Front proxies, seen from chaos; see links.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chaos/cluster/local/links.h"
#include "proto/base/log.h"
#include "proto/base/spawn.h"
#include "proto/base/text.h"
#include "proto/child.h"

#define LEAKS_MAX   256
#define ESTABLISHED 1

int
links_start(struct links *l)
{
	memset(l, 0, sizeof(*l));
	return aide_start(&l->aide, "links");
}

int
links_open(struct links *l, unsigned node, const char *name, uint16_t real_port,
    enum links_kind kind)
{
	struct event ev = {.type = MESSAGE_LINK_OPEN};

	ev.u.link_open.node = node;
	ev.u.link_open.port = real_port;
	ev.u.link_open.kind = (uint8_t)kind;
	text_set(ev.u.link_open.name, sizeof(ev.u.link_open.name), name);
	return aide_send(&l->aide, &ev);
}

static bool
is_pair(unsigned from, unsigned to)
{
	return from <= CONFIG_NODES_MAX && to <= CONFIG_NODES_MAX && from != to;
}

int
links_set(struct links *l, unsigned from, unsigned to,
    const struct link_policy *policy)
{
	struct event ev = {.type = MESSAGE_LINK_SET};

	if (!is_pair(from, to))
		return -EINVAL;
	l->states[from][to].set++;
	ev.u.link_set.from = from;
	ev.u.link_set.to = to;
	ev.u.link_set.cut = (uint8_t)policy->cut;
	ev.u.link_set.delay_ns = policy->delay_ns;
	ev.u.link_set.jitter_ns = policy->jitter_ns;
	return aide_send(&l->aide, &ev);
}

int
links_reset(struct links *l, unsigned a, unsigned b, unsigned percent)
{
	struct event ev = {.type = MESSAGE_LINK_RESET};

	if (!is_pair(a, b))
		return -EINVAL;
	l->states[a][b].set++;
	l->states[b][a].set++;
	ev.u.link_reset.a = a;
	ev.u.link_reset.b = b;
	ev.u.link_reset.percent = percent;
	return aide_send(&l->aide, &ev);
}

bool
links_flow(
    const struct links *l, unsigned from, unsigned to, struct link_flow *out)
{
	const struct link_state *s;

	if (!is_pair(from, to))
		return false;
	s = &l->states[from][to];
	*out = s->flow;
	return s->told == s->set && s->set != 0;
}

static void
take_flow(struct links *l, const struct msg_link_flow *m)
{
	struct link_state *s;

	if (!is_pair(m->from, m->to))
		return;
	s = &l->states[m->from][m->to];
	s->told = m->epoch;
	s->flow = (struct link_flow){m->passed, m->held, m->late, m->refused};
}

static void
take_peer(struct links *l, const struct msg_link_peer *m)
{
	unsigned *count;

	if (m->node < 1 || m->node > CONFIG_NODES_MAX)
		return;
	count = strcmp(m->from, LINKS_CLIENT_NAME) == 0 ? l->clients : l->open;
	count += m->node - 1;
	if (m->up)
		(*count)++;
	else if (*count > 0)
		(*count)--;
}

static void
take_event(void *arg, const struct event *ev)
{
	struct links *l = arg;
	unsigned node;

	if (ev->type == MESSAGE_LINK_FRONT) {
		node = ev->u.link_front.node;
		if (node >= 1 && node <= CONFIG_NODES_MAX &&
		    ev->u.link_front.kind < LINKS_KINDS)
			l->fronts[ev->u.link_front.kind][node - 1] =
			    ev->u.link_front.port;
	} else if (ev->type == MESSAGE_LINK_FLOW)
		take_flow(l, &ev->u.link_flow);
	else if (ev->type == MESSAGE_LINK_PEER)
		take_peer(l, &ev->u.link_peer);
}

bool
links_read(struct links *l)
{
	return aide_read(&l->aide, take_event, l);
}

bool
links_are_open(const struct links *l, unsigned n, enum links_kind kind)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (l->fronts[kind][i] == 0)
			return false;
	return true;
}

/* Inodes of established connections to one of the ports. */
static int
read_tcp(const uint16_t *ports, unsigned n, unsigned long *inodes)
{
	char line[512];
	unsigned remote, state, i, found = 0;
	unsigned long inode;
	FILE *f = fopen("/proc/self/net/tcp", "re");

	if (f == NULL)
		return -errno;
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line,
			" %*d: %*x:%*x %*x:%x %x %*x:%*x %*x:%*x %*x %*u %*u "
			"%lu",
			&remote, &state, &inode) != 3 ||
		    state != ESTABLISHED || inode == 0)
			continue;
		for (i = 0; i < n && found < LEAKS_MAX; i++)
			if (ports[i] == remote)
				inodes[found++] = inode;
	}
	(void)fclose(f); /* it was only read */
	return (int)found;
}

/* How many of the inodes are sockets of this process. */
static int
count_owned(pid_t pid, const unsigned long *inodes, int n)
{
	char path[64], target[64];
	struct dirent *e;
	unsigned long inode;
	ssize_t len;
	int owned = 0, i;
	DIR *dir;

	text_format(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (dir == NULL)
		return 0; /* gone: it has no connections */
	while ((e = readdir(dir)) != NULL) {
		len = readlinkat(
		    dirfd(dir), e->d_name, target, sizeof(target) - 1);
		if (len <= 0)
			continue;
		target[len] = '\0';
		if (sscanf(target, "socket:[%lu]", &inode) != 1)
			continue;
		for (i = 0; i < n; i++)
			owned += inodes[i] == inode;
	}
	(void)closedir(dir); /* it was only read */
	return owned;
}

int
links_count_leaks(const pid_t *pids, unsigned npids, const uint16_t *real_ports,
    unsigned nports)
{
	unsigned long inodes[LEAKS_MAX];
	int found = read_tcp(real_ports, nports, inodes), leaks = 0;
	unsigned i;

	if (found < 0)
		return found;
	for (i = 0; i < npids; i++)
		if (pids[i] > 0)
			leaks += count_owned(pids[i], inodes, found);
	return leaks;
}

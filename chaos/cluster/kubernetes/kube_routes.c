/* SPDX-License-Identifier: ISC */
/* What servers sent each other; see kube_routes.h. */
#include <errno.h>
#include <string.h>

#include "chaos/cluster/kubernetes/kube_object.h"
#include "chaos/cluster/kubernetes/kube_routes.h"
#include "proto/base/text.h"

/* How much more a page says of a peer than the page before it. */
struct growth {
	uint64_t in, out, gone;
};

void
kube_routes_init(
    struct kube_routes *r, const struct cluster_node *nodes, unsigned n)
{
	memset(r, 0, sizeof(*r));
	r->nodes = nodes;
	r->n = n;
}

void
kube_routes_begin(struct kube_routes *r, unsigned from, unsigned to,
    bool is_cut, uint64_t now_ns)
{
	struct kube_link *l = &r->links[from - 1][to - 1];

	memset(l, 0, sizeof(*l));
	l->is_cut = is_cut;
	l->since_ns = now_ns;
	/* A cut link counts as not quiet until it was seen to be. */
	l->passed_ns = is_cut ? now_ns : 0;
}

static unsigned
peer_of(const struct kube_routes *r, const cJSON *route)
{
	const char *name = kube_object_text(route, "remote_name");
	unsigned i;

	for (i = 0; i < r->n; i++)
		if (strcmp(r->nodes[i].name, name) == 0)
			return i + 1;
	return 0;
}

static void
read_page(const struct kube_routes *r, const cJSON *o, struct kube_page *p)
{
	const cJSON *list = kube_object_at(o, "routes"), *row;
	struct kube_route *route;
	unsigned peer;

	text_set(
	    p->server, sizeof(p->server), kube_object_text(o, "server_id"));
	p->n = 0;
	cJSON_ArrayForEach (row, list) {
		peer = peer_of(r, row);
		if (peer == 0 || p->n == KUBE_ROUTES_MAX)
			continue;
		route = &p->routes[p->n++];
		route->peer = peer;
		route->id = kube_object_number(row, "rid");
		route->in = kube_object_number(row, "in_bytes");
		route->out = kube_object_number(row, "out_bytes");
	}
}

static const struct kube_route *
find_route(const struct kube_page *p, const struct kube_route *like)
{
	unsigned i;

	for (i = 0; i < p->n; i++)
		if (p->routes[i].id == like->id &&
		    p->routes[i].peer == like->peer)
			return &p->routes[i];
	return NULL;
}

static uint64_t
more(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

/* After a restart, seen by another server id, all connections are new ones. */
static void
compare(const struct kube_page *before, const struct kube_page *now,
    struct growth *of)
{
	bool is_same = strcmp(before->server, now->server) == 0;
	const struct kube_route *old, *route;
	unsigned i;

	for (i = 0; i < now->n; i++) {
		route = &now->routes[i];
		old = is_same ? find_route(before, route) : NULL;
		of[route->peer].in +=
		    more(route->in, old != NULL ? old->in : 0);
		of[route->peer].out +=
		    more(route->out, old != NULL ? old->out : 0);
	}
	for (i = 0; i < before->n; i++)
		if (!is_same || find_route(now, &before->routes[i]) == NULL)
			of[before->routes[i].peer].gone++;
}

/*
 * What the receiver says. When bytes came through a cut link, the link is
 * counted from this page on.
 */
static void
add_in(struct kube_link *l, const struct kube_page *before,
    const struct kube_page *now, uint64_t in)
{
	if (before->asked_ns < l->since_ns)
		return;
	l->has_in = true;
	l->heard_ns = now->asked_ns;
	l->in += in;
	if (!l->is_cut || in == 0)
		return;
	l->in = in;
	l->leaked += in;
	l->out = l->gone = 0;
	l->has_out = false;
	l->passed_ns = l->since_ns = now->asked_ns;
}

static void
add_out(
    struct kube_link *l, const struct kube_page *before, const struct growth *g)
{
	if (before->asked_ns < l->since_ns)
		return;
	l->has_out = true;
	l->out += g->out;
	l->gone += g->gone;
}

int
kube_routes_take(
    struct kube_routes *r, unsigned node, const cJSON *page, uint64_t asked_ns)
{
	struct growth of[CONFIG_NODES_MAX + 1] = {{0}};
	struct kube_page *last = &r->pages[node - 1];
	struct kube_page now = {.asked_ns = asked_ns};
	unsigned i;

	if (!cJSON_IsArray(kube_object_at(page, "routes")) &&
	    !cJSON_IsNumber(kube_object_at(page, "num_routes")))
		return -EINVAL;
	read_page(r, page, &now);
	if (now.server[0] == '\0' || asked_ns <= last->asked_ns)
		return -EINVAL;
	if (last->asked_ns != 0) {
		compare(last, &now, of);
		for (i = 1; i <= r->n; i++) {
			add_in(
			    &r->links[i - 1][node - 1], last, &now, of[i].in);
			add_out(&r->links[node - 1][i - 1], last, &of[i]);
		}
	}
	*last = now;
	return 0;
}

bool
kube_routes_flow(const struct kube_routes *r, unsigned from, unsigned to,
    struct link_flow *out)
{
	const struct kube_link *l = &r->links[from - 1][to - 1];
	bool is_quiet = l->heard_ns >= l->passed_ns + KUBE_QUIET_NS;

	*out = (struct link_flow){.refused = l->gone};
	if (!l->has_in || !l->has_out)
		return false;
	if (!l->is_cut) {
		out->passed = l->in;
		out->held = more(l->out, l->in);
		return true;
	}
	if (!is_quiet)
		out->passed = l->in > 0 ? l->in : 1;
	else
		out->held = l->out;
	return true;
}

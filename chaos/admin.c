/* SPDX-License-Identifier: ISC */
/* Requests to the servers themselves; see admin.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chaos/admin.h"
#include "chaos/health.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "proto/nats_login.h"

#define CONNECT_MS 1000
#define FRESH_NS   (3 * CLOCK_S) /* healthy not longer ago than this */
/* /varz is asked for less often than /healthz */
#define VARZ_NS	 (3 * CLOCK_S)
#define ACCOUNTS 2

struct admin {
	struct cluster *cluster;
	struct config_login logins[ACCOUNTS];
	/* What is connected now: one connection, used over and over. */
	natsConnection *nc;
	enum admin_account account;
	unsigned node;
	/*
	 * One subscription as long as the connection: the library (3.4.1)
	 * may use one that is destroyed while answers still come.
	 */
	char inbox[NATS_INBOX_MAX];
	natsSubscription *sub;	      /* to <inbox>.* */
	natsSubscription *advisories; /* NULL: nobody listens */
	bool is_asked;		      /* a request is open */
	uint64_t asked;		      /* how many were made */
	/* <inbox>.<number> of the last one */
	char reply[NATS_INBOX_MAX + 24];
	char parts[NATS_INBOX_MAX + 32]; /* <inbox>.parts<number> */
};

struct admin *
admin_create(struct cluster *cluster, const struct config_login *system,
    const struct config_login *user)
{
	struct admin *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->cluster = cluster;
	a->logins[ADMIN_SYSTEM] = *system;
	a->logins[ADMIN_USER] = *user;
	return a;
}

struct admin *
admin_copy(const struct admin *a)
{
	return admin_create(
	    a->cluster, &a->logins[ADMIN_SYSTEM], &a->logins[ADMIN_USER]);
}

static void
disconnect(struct admin *a)
{
	admin_done(a);
	/* first: it ends what feeds the other */
	natsConnection_Destroy(a->nc);
	natsSubscription_Destroy(a->sub);
	natsSubscription_Destroy(a->advisories);
	a->nc = NULL;
	a->advisories = NULL;
	a->sub = NULL;
}

void
admin_destroy(struct admin *a)
{
	if (a == NULL)
		return;
	disconnect(a);
	/*
	 * When TLS was used, nats_Close() of the library (3.4.1) frees memory
	 * that OpenSSL frees again at exit. A foreign server may demand TLS
	 * even if no option asks for it, so only our own servers, which never
	 * use TLS, are safe.
	 */
	if (a->cluster->ops->owner == OWNER_US &&
	    a->cluster->config->server_conf[0] == '\0')
		nats_Close();
	free(a);
}

static natsStatus
set_options(natsOptions *o, const char *url, const struct config_login *login,
    const struct run_config *c)
{
	natsStatus s = natsOptions_SetURL(o, url);

	if (s == NATS_OK)
		s = nats_login_set(o, login);
	if (s == NATS_OK)
		s = nats_login_set_connection(o, c);
	if (s == NATS_OK)
		s = natsOptions_SetName(o, "natsburn-chaos");
	if (s == NATS_OK)
		s = natsOptions_SetTimeout(o, CONNECT_MS);
	/*
	 * An answer must come from the server that was asked, so the library
	 * must not connect to another one by itself.
	 */
	if (s == NATS_OK)
		s = natsOptions_SetAllowReconnect(o, false);
	return s;
}

static natsStatus
listen_for_answers(struct admin *a)
{
	natsStatus s = nats_login_inbox(a->cluster->config, a->inbox);
	char subject[NATS_INBOX_MAX + 2] = "";

	if (s != NATS_OK)
		return s;
	text_add(subject, sizeof(subject), "%s.*", a->inbox);
	return natsConnection_SubscribeSync(&a->sub, a->nc, subject);
}

static int
connect_to(struct admin *a, enum admin_account account, unsigned node)
{
	const struct cluster_node *n = &a->cluster->nodes[node - 1];
	natsOptions *o = NULL;
	natsStatus s;

	if (a->nc != NULL && a->account == account && a->node == node &&
	    !natsConnection_IsClosed(a->nc))
		return 0;
	disconnect(a);
	s = natsOptions_Create(&o);
	if (s == NATS_OK)
		s = set_options(
		    o, n->direct, &a->logins[account], a->cluster->config);
	if (s == NATS_OK)
		s = natsConnection_Connect(&a->nc, o);
	natsOptions_Destroy(o);
	if (s == NATS_OK)
		s = listen_for_answers(a);
	if (s != NATS_OK) {
		log_warn("cannot connect to %s for a request: %s", n->name,
		    natsStatus_GetText(s));
		disconnect(a);
		return -ENOTCONN;
	}
	a->account = account;
	a->node = node;
	return 0;
}

/*
 * Choose the server that is connected to if it is healthy, else any that is.
 * While streams come and go no server may call itself healthy: then choose the
 * one that answered /varz last.
 */
static unsigned
choose_node(const struct admin *a)
{
	uint64_t since = clock_mono_ns() - FRESH_NS, latest = 0;
	struct health_varz v;
	unsigned i, node = 0;

	if (a->nc != NULL && a->node <= a->cluster->n &&
	    health_node_is_ok(a->cluster->health, a->node, since))
		return a->node;
	for (i = 1; i <= a->cluster->n; i++)
		if (!a->cluster->nodes[i - 1].is_apart &&
		    health_node_is_ok(a->cluster->health, i, since))
			return i;
	for (i = 1; i <= a->cluster->n; i++)
		if (!a->cluster->nodes[i - 1].is_apart &&
		    health_varz(a->cluster->health, i, &v) &&
		    v.asked_ns > latest && v.asked_ns + VARZ_NS > since) {
			latest = v.asked_ns;
			node = i;
		}
	return node;
}

static bool
can_log_in(const struct config_login *l)
{
	return l->is_open || nats_login_is_given(l);
}

int
admin_request(struct admin *a, enum admin_account account, unsigned node,
    const char *subject, const char *body)
{
	natsStatus s;
	int err;

	if (a->is_asked)
		return -EBUSY;
	if (!can_log_in(&a->logins[account]))
		return -EINVAL;
	if (node == 0)
		node = choose_node(a);
	if (node == 0)
		return -ENOTCONN;
	err = connect_to(a, account, node);
	if (err < 0)
		return err;
	a->reply[0] = '\0';
	text_add(a->reply, sizeof(a->reply), "%s.%llu", a->inbox,
	    (unsigned long long)++a->asked);
	s = natsConnection_PublishRequestString(a->nc, subject, a->reply, body);
	a->is_asked = s == NATS_OK;
	if (s == NATS_OK)
		return 0;
	disconnect(a);
	return -ENOTCONN;
}

int
admin_poll(struct admin *a, char *out, size_t size)
{
	natsMsg *msg = NULL;
	natsStatus s;
	int len;

	if (!a->is_asked)
		return -ENOTCONN;
	do {
		natsMsg_Destroy(msg); /* it answers an earlier request */
		msg = NULL;
		s = natsSubscription_NextMsg(&msg, a->sub, 1);
	} while (
	    s == NATS_OK && strcmp(natsMsg_GetSubject(msg), a->reply) != 0);
	if (s == NATS_TIMEOUT)
		return natsConnection_IsClosed(a->nc) ? -ENOTCONN : -EAGAIN;
	if (s != NATS_OK)
		return -ENOTCONN;
	len = natsMsg_GetDataLength(msg);
	out[0] = '\0';
	text_add(out, size, "%.*s", len, natsMsg_GetData(msg));
	natsMsg_Destroy(msg);
	return len;
}

const char *
admin_parts(struct admin *a, enum admin_account account)
{
	unsigned node = choose_node(a);

	if (node == 0 || !can_log_in(&a->logins[account]) ||
	    connect_to(a, account, node) < 0)
		return NULL;
	/* Those of a request that was given up may come as well. */
	text_format(a->parts, sizeof(a->parts), "%s.parts%llu", a->inbox,
	    (unsigned long long)a->asked + 1);
	return a->parts;
}

int
admin_take(struct admin *a, admin_sink *sink, void *arg)
{
	const char *status = "", *reply;
	natsMsg *msg = NULL;
	natsStatus s;
	bool is_part;

	if (!a->is_asked)
		return -ENOTCONN;
	s = natsSubscription_NextMsg(&msg, a->sub, 1);
	if (s != NATS_OK)
		return s == NATS_TIMEOUT && !natsConnection_IsClosed(a->nc)
			   ? -EAGAIN
			   : -ENOTCONN;
	is_part = strcmp(natsMsg_GetSubject(msg), a->parts) == 0;
	reply = natsMsg_GetReply(msg);
	if (natsMsgHeader_Get(msg, "Status", &status) != NATS_OK)
		status = "";
	if (is_part || strcmp(natsMsg_GetSubject(msg), a->reply) == 0)
		sink(arg, is_part, natsMsg_GetData(msg),
		    (size_t)natsMsg_GetDataLength(msg), status);
	if (is_part && reply != NULL)
		s = natsConnection_Publish(a->nc, reply, NULL, 0);
	natsMsg_Destroy(msg);
	return s == NATS_OK ? 0 : -ENOTCONN;
}

void
admin_done(struct admin *a)
{
	a->is_asked = false;
}

int
admin_listen(struct admin *a, enum admin_account account)
{
	const char *subject = account == ADMIN_SYSTEM
				  ? "$JS.EVENT.ADVISORY.DOMAIN.LEADER_ELECTED"
				  : "$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED"
				    ".>";
	unsigned node;
	int err;

	if (!can_log_in(&a->logins[account]))
		return -EINVAL;
	if (a->advisories != NULL && !natsConnection_IsClosed(a->nc))
		return 0;
	node = choose_node(a);
	err = node != 0 ? connect_to(a, account, node) : -ENOTCONN;
	if (err == 0 && natsConnection_SubscribeSync(
			    &a->advisories, a->nc, subject) != NATS_OK) {
		disconnect(a);
		err = -ENOTCONN;
	}
	return err;
}

bool
admin_heard(struct admin *a, char *subject, size_t size)
{
	natsMsg *msg = NULL;
	uint64_t n = 0;

	/* Asked first: the library does not look without waiting. */
	if (natsSubscription_QueuedMsgs(a->advisories, &n) != NATS_OK ||
	    n == 0 ||
	    natsSubscription_NextMsg(&msg, a->advisories, 1) != NATS_OK)
		return false;
	text_set(subject, size, natsMsg_GetSubject(msg));
	natsMsg_Destroy(msg);
	return true;
}

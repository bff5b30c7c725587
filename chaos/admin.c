/* SPDX-License-Identifier: ISC */
/* Requests to the servers themselves; see admin.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chaos/admin.h"
#include "chaos/internal.h"
#include "chaos/monitor.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "proto/nats_login.h"

#define CONNECT_MS 1000
#define FRESH_NS   (3 * CLOCK_S) /* healthy not longer ago than this */
#define VARZ_NS	   (3 * CLOCK_S) /* it is asked for less often */
#define SYSTEM_NS  (2 * CLOCK_S) /* to answer, at the start */
#define ACCOUNTS   2

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
	natsInbox *inbox;
	natsSubscription *sub; /* to <inbox>.* */
	bool is_asked;	       /* a request is open */
	uint64_t asked;	       /* how many were made */
	char reply[128];       /* <inbox>.<number> of the last one */
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

static void
disconnect(struct admin *a)
{
	admin_done(a);
	natsConnection_Destroy(a->nc); /* nothing comes in any more */
	natsSubscription_Destroy(a->sub);
	natsInbox_Destroy(a->inbox);
	a->nc = NULL;
	a->sub = NULL;
	a->inbox = NULL;
}

void
admin_destroy(struct admin *a)
{
	if (a == NULL)
		return;
	disconnect(a);
	/*
	 * After TLS, which a server may want without being asked for it, the
	 * library (3.4.1) frees what OpenSSL frees once more at exit.
	 */
	if (strcmp(a->cluster->config->cluster, "local") == 0 &&
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
		s = nats_login_set_tls(o, c);
	if (s == NATS_OK)
		s = natsOptions_SetName(o, "natsburn-chaos");
	if (s == NATS_OK)
		s = natsOptions_SetTimeout(o, CONNECT_MS);
	/* A request belongs to the server it was sent to. */
	if (s == NATS_OK)
		s = natsOptions_SetAllowReconnect(o, false);
	return s;
}

static natsStatus
listen_for_answers(struct admin *a)
{
	natsStatus s = natsInbox_Create(&a->inbox);
	char subject[128] = "";

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
 * The one connected to, if it still answers; else any that does. While
 * streams come and go none may call itself healthy: then the one that
 * answered last about anything.
 */
static unsigned
choose_node(const struct admin *a)
{
	uint64_t since = clock_mono_ns() - FRESH_NS, latest = 0;
	struct monitor_varz v;
	unsigned i, node = 0;

	if (a->nc != NULL && a->node <= a->cluster->n &&
	    monitor_node_is_ok(a->cluster->monitor, a->node, since))
		return a->node;
	for (i = 1; i <= a->cluster->n; i++)
		if (monitor_node_is_ok(a->cluster->monitor, i, since))
			return i;
	for (i = 1; i <= a->cluster->n; i++)
		if (monitor_varz(a->cluster->monitor, i, &v) &&
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
		natsMsg_Destroy(msg); /* a late answer to an earlier one */
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

void
admin_done(struct admin *a)
{
	a->is_asked = false;
}

bool
admin_is_given(const struct run_config *o)
{
	return o->sys_user[0] != '\0' || o->sys_nkey[0] != '\0' ||
	       o->sys_creds[0] != '\0';
}

int
admin_open(struct cluster *c)
{
	const struct run_config *o = c->config;

	c->admin = admin_create(c,
	    &(struct config_login){.user = o->sys_user,
		.password = o->sys_password,
		.nkey = o->sys_nkey,
		.creds = o->sys_creds},
	    &(struct config_login){.user = o->user,
		.password = o->password,
		.token = o->token,
		.nkey = o->nkey,
		.creds = o->creds,
		.is_open = true});
	return c->admin != NULL ? 0 : -ENOMEM;
}

/* Does it answer what only the system account may ask? */
static bool
answers_system(struct cluster *c, unsigned node)
{
	uint64_t deadline = clock_mono_ns() + SYSTEM_NS;
	char answer[256];
	int n = -EAGAIN;

	if (admin_request(
		c->admin, ADMIN_SYSTEM, node, "$SYS.REQ.SERVER.PING", "") < 0)
		return false;
	while (n == -EAGAIN && clock_mono_ns() < deadline) {
		chaos_wait(c->chaos, 0);
		n = admin_poll(c->admin, answer, sizeof(answer));
	}
	admin_done(c->admin);
	return n > 0 && strstr(answer, "\"server\"") != NULL;
}

int
admin_try(struct cluster *c)
{
	const struct run_config *o = c->config;
	unsigned i;

	if (c->admin == NULL)
		return 0;
	for (i = 1; i <= c->n; i++)
		if (answers_system(c, i))
			return 0;
	text_add(c->why, sizeof(c->why),
	    "no server takes --sys-%s \"%.100s\": it must be a user of the "
	    "system account, with the right password or key",
	    o->sys_user[0] != '\0'   ? "user"
	    : o->sys_nkey[0] != '\0' ? "nkey"
				     : "creds",
	    o->sys_user[0] != '\0'   ? o->sys_user
	    : o->sys_nkey[0] != '\0' ? o->sys_nkey
				     : o->sys_creds);
	return -EACCES;
}

/* SPDX-License-Identifier: ISC */
/* What is natsburn's and what is the user's; see conf_merge.h. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "chaos/cluster/local/conf_merge.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/base/text.h"

#define CONNECTIONS_BASE 60000
#define MEMORY_STORE	 INT64_C(4000000000)
#define FILE_STORE	 INT64_C(1000000000000)
#define JWT_MAX		 ((size_t)1 << 20) /* bytes of a file */

/* Ports of which the run needs nothing: the kernel chooses. */
#define ANY_PORT "127.0.0.1:-1"

/* Keys with one meaning for a run, and why they are not the user's. */
struct rule {
	const char *keys; /* comma-separated, with all their names */
	const char *why;
};

#define OWN_ADDRESS "servers of a run listen on loopback, each at its own port"
#define OWN_LOG	    "logs are whole, have times, and stay in the run folder"
#define OWN_PEERS   "servers of a run connect to each other only"

static const struct rule top_rules[] = {
    {"server_name", "servers are named by the run"},
    {"listen,port,host,net,client_advertise", OWN_ADDRESS},
    {"http,https,http_port,monitor_port,https_port,http_base_path",
	"natsburn watches the servers there, by http on loopback"},
    {"store_dir,storedir", "stores stay in the run folder"},
    {"log_file,logfile,log_size_limit,logfile_size_limit,log_max_num,"
     "logfile_max_num,logtime,logtime_utc,syslog,remote_syslog",
	OWN_LOG},
    {"pid_file,pidfile,ports_file_dir",
	"files are written in the run folder only"},
    {"prof_port", OWN_ADDRESS},
    {"lame_duck_duration,lame_duck_grace_period",
	"the fault lame_duck counts on natsburn's"},
    {"no_auth_user", "the load logs in by it"},
    {"no_system_account,no_system,no_sys_acc",
	"faults ask as the system account"},
    {"proxy_protocol", "there is no proxy before the servers of a run"},
    {NULL, NULL},
};

static const struct rule alone_rules[] = {
    {"cluster,gateway", "a run with --servers 1 has no cluster"},
    {NULL, NULL},
};

static const struct rule cluster_rules[] = {
    {"name", "clusters are named by the run"},
    {"listen,port,host,net,advertise,cluster_advertise,no_advertise,routes",
	"routes go through natsburn's proxies"},
    {"tls", "natsburn's proxies read who dials; routes stay on loopback"},
    {"authorization", "routes stay on loopback and have no login"},
    {NULL, NULL},
};

static const struct rule gateway_rules[] = {
    {"name", "it is the cluster's, which is named by the run"},
    {"listen,port,host,net,advertise", OWN_ADDRESS},
    {"gateways", OWN_PEERS},
    {NULL, NULL},
};

static const struct rule leafnode_rules[] = {
    {"listen,port,host,net,advertise,leafnode_advertise", OWN_ADDRESS},
    {"remotes", OWN_PEERS},
    {NULL, NULL},
};

/* Also of mqtt. */
static const struct rule websocket_rules[] = {
    {"listen,port,host,net,advertise", OWN_ADDRESS},
    {NULL, NULL},
};

static const struct rule jetstream_rules[] = {
    {"store,store_dir,storedir", "stores stay in the run folder"},
    {"unique_tag", "all servers of a run have the tags of one file"},
    {NULL, NULL},
};

static const struct rule tls_rules[] = {
    {"handshake_first,first,immediate",
	"natsburn's clients wait for the server to begin"},
    {NULL, NULL},
};

static const struct rule ocsp_rules[] = {
    {"local_store", "files are written in the run folder only"},
    {NULL, NULL},
};

static const struct rule authorization_rules[] = {
    {"token", "it can't stand beside natsburn's own users"},
    {"proxy_required", "there is no proxy before the servers of a run"},
    {NULL, NULL},
};

#define GATEWAY	  "gateway"
#define LEAFNODES "leafnodes,leaf"
#define WEBSOCKET "websocket,ws"
#define MQTT	  "mqtt"
#define OPERATOR                                                               \
	"operator,operators,roots,root,root_operators,root_operator,trusted,"  \
	"trusted_keys"
#define SYSTEM	 "system_account,system"
#define RESOLVER "resolver,account_resolver,accounts_resolver"
#define USER	 "user,username"
#define PASSWORD "pass,password"

/* Taking out */

static void
say(const struct conf_merge *m, const char *block, const struct conf_node *n,
    const char *why)
{
	char text[CONF_WHY_MAX];

	text_format(text, sizeof(text), "%s:%u: \"%s%s%s\" is natsburn's: %s",
	    n->file, n->line, block, block[0] != '\0' ? "." : "", n->key, why);
	if (m->say != NULL)
		m->say(m->arg, text);
}

static void
overrule(const struct conf_merge *m, const char *block, struct conf_node *map,
    const struct rule *rules)
{
	struct conf_node *n, *next;
	const struct rule *rule;

	for (n = map->first; n != NULL; n = next) {
		next = n->next;
		for (rule = rules; rule->keys != NULL; rule++) {
			if (!conf_is(n, rule->keys))
				continue;
			say(m, block, n, rule->why);
			conf_remove(map, n);
			break;
		}
	}
}

/*
 * *out is the one member with these names, or NULL. Set twice, nats-server
 * takes either as it happens.
 */
static int
find_one(struct conf *c, struct conf_node *map, const char *names,
    struct conf_node **out)
{
	struct conf_node *n = conf_find(map, names), *more;

	*out = n;
	for (more = n != NULL ? n->next : NULL; more != NULL; more = more->next)
		if (conf_is(more, names))
			return conf_refuse(c, more,
			    "\"%s\" is set already, in line %u as \"%s\"",
			    more->key, n->line, n->key);
	return 0;
}

/* The same of a block that will be changed. */
static int
find_block(struct conf *c, struct conf_node *map, const char *names,
    struct conf_node **out)
{
	int err = find_one(c, map, names, out);

	if (err < 0 || *out == NULL || conf_own(c, *out, CONF_MAP))
		return err;
	return c->err < 0
		   ? c->err
		   : conf_refuse(c, *out, "\"%s\" must be a map", (*out)->key);
}

/* A truth value that says no. */
static bool
is_off(const struct conf_node *n)
{
	n = conf_value(n);
	if (n == NULL)
		return false;
	if (n->kind == CONF_STRING)
		return strcasecmp(n->text, "disabled") == 0 ||
		       strcasecmp(n->text, "disable") == 0;
	return n->kind == CONF_BOOL && n->number == 0;
}

#define CIPHER "cipher"
#define KEYS   "key,ek,encryption_key,prev_key,prev_ek,prev_encryption_key"
#define SYNC   "sync,sync_interval"

/* What an option says of the stores, the file must not say, too. */
static int
refuse_both(const struct conf_merge *m, const struct conf_node *jetstream)
{
	const struct conf_node *n = NULL;
	bool is_sync;

	if (m->cipher != NULL)
		n = conf_find(jetstream, CIPHER "," KEYS);
	is_sync = n == NULL && m->sync != NULL;
	if (is_sync)
		n = conf_find(jetstream, SYNC);
	return n == NULL ? 0
			 : conf_refuse(m->c, n,
			       "\"jetstream.%s\" and --%s say the same thing: "
			       "take one of them",
			       n->key, is_sync ? "sync" : "encryption");
}

static int
take_jetstream(struct conf_merge *m)
{
	static const char why[] = "a run needs JetStream";
	struct conf *c = m->c;
	struct conf_node *n, *sub;
	const struct conf_node *value;
	int err = find_one(c, c->root, "jetstream", &n);

	value = conf_value(n);
	if (err < 0)
		return err;
	if (value != NULL && value->kind != CONF_MAP) {
		if (value->kind != CONF_BOOL && value->kind != CONF_STRING)
			return conf_refuse(
			    c, n, "\"jetstream\" must be a map or enabled");
		if (is_off(n))
			say(m, "", n, why);
		conf_remove(c->root, n);
		return 0;
	}
	err = find_block(c, c->root, "jetstream", &n);
	if (err < 0 || n == NULL)
		return err;
	overrule(m, "jetstream", n, jetstream_rules);
	sub = conf_find(n, "enable,enabled");
	if (is_off(sub)) {
		say(m, "jetstream", sub, why);
		conf_remove(n, sub);
	}
	sub = conf_find(n, "tpm");
	return sub == NULL ? refuse_both(m, n)
			   : conf_refuse(c, sub,
				 "jetstream.tpm: its keys are this host's, and "
				 "a run writes outside of its folder nowhere");
}

static int
take_cluster(struct conf_merge *m)
{
	struct conf_node *n;
	int err = find_block(m->c, m->c->root, "cluster", &n);

	if (err == 0 && n != NULL)
		overrule(m, "cluster", n, cluster_rules);
	return err;
}

/* Listeners that no part of the run needs stay, at ports of their own. */
static int
take_listeners(struct conf_merge *m)
{
	static const struct {
		const char *names, *block;
		const struct rule *rules;
	} listeners[] = {
	    {GATEWAY, "gateway", gateway_rules},
	    {LEAFNODES, "leafnodes", leafnode_rules},
	    {WEBSOCKET, "websocket", websocket_rules},
	    {MQTT, "mqtt", websocket_rules},
	};
	struct conf_node *n;
	bool listens;
	size_t i;
	int err = 0;

	for (i = 0; i < sizeof(listeners) / sizeof(listeners[0]); i++) {
		err = find_block(m->c, m->c->root, listeners[i].names, &n);
		if (err < 0)
			return err;
		if (n == NULL)
			continue;
		listens = i == 0 || conf_find(n, "listen,port") != NULL;
		overrule(m, listeners[i].block, n, listeners[i].rules);
		if (listens) /* a gateway must */
			conf_put_text(m->c, n, "listen", ANY_PORT);
	}
	return 0;
}

/* TLS of clients, natsburn's among them. */
static int
take_tls(struct conf_merge *m)
{
	struct conf_node *n, *map;
	const struct conf_node *value;
	int err = find_block(m->c, m->c->root, "tls", &n);

	if (err < 0 || n == NULL)
		return err;
	overrule(m, "tls", n, tls_rules);
	map = conf_find(n, "verify_and_map");
	value = conf_value(map);
	if (value != NULL && value->kind == CONF_BOOL && value->number != 0)
		return conf_refuse(m->c, map,
		    "tls.verify_and_map: clients would be whom their "
		    "certificates name, and natsburn's users have none");
	return 0;
}

/* Logins */

static bool
has_user(const struct conf_node *users, const char *name)
{
	const struct conf_node *n = conf_value(users), *user;
	const char *text;

	for (n = n != NULL ? n->first : NULL; n != NULL; n = n->next) {
		user = conf_value(n);
		if (user == NULL || user->kind != CONF_MAP)
			continue;
		text = conf_text(conf_find(user, USER));
		if (text != NULL && strcmp(text, name) == 0)
			return true;
	}
	return false;
}

/* Does an account or a user have this name? They are one set for us. */
static bool
is_taken(const struct conf *c, const char *name)
{
	const struct conf_node *accounts, *account, *n;

	accounts = conf_value(conf_find(c->root, "accounts"));
	for (n = accounts != NULL ? accounts->first : NULL; n != NULL;
	     n = n->next) {
		account = conf_value(n);
		if (strcmp(n->key, name) == 0 ||
		    (account != NULL && account->kind == CONF_MAP &&
			has_user(conf_find(account, "users"), name)))
			return true;
	}
	n = conf_value(conf_find(c->root, "authorization"));
	return n != NULL && n->kind == CONF_MAP &&
	       has_user(conf_find(n, "users"), name);
}

/* BURN, or BURN_2 when that is somebody else's. */
static void
find_name(const struct conf *c, const char *wanted, char *out)
{
	unsigned i;

	text_set(out, CONF_NAME_MAX, wanted);
	for (i = 2; is_taken(c, out); i++)
		text_format(out, CONF_NAME_MAX, "%s_%u", wanted, i);
}

/* accounts: [A, B] is short for accounts with nothing in them. */
static int
take_accounts(struct conf_merge *m)
{
	struct conf *c = m->c;
	struct conf_node *n, *name, *next;
	int err = find_one(c, c->root, "accounts", &n);

	if (err < 0 || n == NULL || !conf_own(c, n, CONF_ARRAY))
		return err < 0 ? err : find_block(c, c->root, "accounts", &n);
	n->kind = CONF_MAP;
	for (name = n->first; name != NULL; name = next) {
		next = name->next;
		name->key = conf_text(name);
		if (name->key == NULL || conf_member(n, name->key) != name)
			return conf_refuse(c, n,
			    "accounts must be a map, or names that differ");
		name->kind = CONF_MAP;
		name->target = NULL;
	}
	return 0;
}

/* One user and password become one of the users: accounts need that. */
static int
take_authorization(struct conf_merge *m)
{
	struct conf *c = m->c;
	struct conf_node *n, *user, *password, *users, *one;
	int err = find_block(c, c->root, "authorization", &n);

	if (err < 0 || n == NULL)
		return err;
	overrule(m, "authorization", n, authorization_rules);
	users = conf_find(n, "auth_callout,auth_hook");
	if (users != NULL)
		return conf_refuse(c, users,
		    "authorization.%s: a service outside of the run would "
		    "decide who logs in",
		    users->key);
	user = conf_find(n, USER);
	password = conf_find(n, PASSWORD);
	one = conf_new(c, CONF_MAP);
	if (one == NULL)
		return c->err;
	if (password != NULL) {
		conf_remove(n, password);
		conf_append(one, password);
	}
	if (user == NULL)
		return 0;
	conf_remove(n, user);
	conf_append(one, user);
	users = conf_find(n, "users");
	if (users != NULL && !conf_own(c, users, CONF_ARRAY))
		return conf_refuse(c, users, "\"users\" must be an array");
	if (users == NULL)
		users = conf_put(c, n, "users", CONF_ARRAY);
	if (users != NULL)
		conf_append(users, one);
	return c->err;
}

/*
 * The system account's name: the file's, or one of ours, which is then in
 * m->system_account.
 */
static const char *
find_system(struct conf_merge *m)
{
	const char *name = conf_text(conf_find(m->c->root, SYSTEM));

	if (name != NULL && name[0] != '\0')
		return name;
	if (conf_member(conf_find(m->c->root, "accounts"), "$SYS") != NULL)
		return "$SYS";
	find_name(m->c, "SYS", m->system_account);
	return m->system_account;
}

static int
add_user(struct conf *c, struct conf_node *account, const char *name,
    const char *password)
{
	struct conf_node *n, *users = conf_find(account, "users"), *may;

	if (users != NULL && !conf_own(c, users, CONF_ARRAY))
		return conf_refuse(c, users, "\"users\" must be an array");
	if (users == NULL)
		users = conf_put(c, account, "users", CONF_ARRAY);
	n = conf_new(c, CONF_MAP);
	if (users == NULL || n == NULL)
		return c->err;
	conf_append(users, n);
	conf_put_text(c, n, "user", name);
	conf_put_text(c, n, "password", password);
	if (conf_find(account, "default_permissions") == NULL)
		return c->err;
	may = conf_put(c, n, "permissions", CONF_MAP);
	conf_put_text(c, may, "publish", ">");
	conf_put_text(c, may, "subscribe", ">");
	return c->err;
}

static int
add_accounts(struct conf_merge *m)
{
	struct conf *c = m->c;
	struct conf_node *accounts, *n;
	const char *system = find_system(m);
	int err = 0;

	find_name(c, "BURN", m->account);
	find_name(c, "sys", m->system_user);
	find_name(c, "burn", m->user);
	accounts = conf_find(c->root, "accounts");
	if (accounts == NULL)
		accounts = conf_put(c, c->root, "accounts", CONF_MAP);
	n = conf_member(accounts, system);
	if (n != NULL && !conf_own(c, n, CONF_MAP))
		return conf_refuse(
		    c, n, "account \"%s\" must be a map", n->key);
	n = conf_put(c, accounts, system, CONF_MAP);
	if (n != NULL)
		err = add_user(c, n, m->system_user, m->system_password);
	n = conf_put(c, accounts, m->account, CONF_MAP);
	conf_put_text(c, n, "jetstream", "enabled");
	if (n != NULL && err == 0)
		err = add_user(c, n, m->user, "burn");
	if (m->system_account[0] != '\0')
		conf_put_text(c, c->root, "system_account", m->system_account);
	conf_put_text(c, c->root, "no_auth_user", m->user);
	return err < 0 ? err : c->err;
}

/* Files, limits */

static int
take_resolver(struct conf_merge *m)
{
	struct conf_node *n, *dir;
	int err = find_one(m->c, m->c->root, RESOLVER, &n);

	if (err < 0 || n == NULL || !conf_own(m->c, n, CONF_MAP))
		return err; /* MEM, URL(...), or none */
	dir = conf_member(n, "dir");
	m->resolver_dir = conf_text(dir);
	if (m->resolver_dir == NULL)
		return 0;
	say(m, "resolver", dir,
	    "its JWTs are copied, and stay in the run folder");
	conf_remove(n, dir);
	return 0;
}

static bool
mentions(const struct conf_node *n, const char *key)
{
	for (n = n->first; n != NULL; n = n->next)
		if ((n->key != NULL && conf_is(n, key)) || mentions(n, key))
			return true;
	return false;
}

/* It writes into the current folder unless it is told another one. */
static int
take_ocsp_cache(struct conf_merge *m)
{
	struct conf *c = m->c;
	struct conf_node *n;
	int err = find_one(c, c->root, "ocsp_cache", &n);

	if (err < 0 || (n == NULL && !mentions(c->root, "ocsp_peer")) ||
	    (n != NULL && is_off(n)))
		return err;
	if (n != NULL && conf_own(c, n, CONF_MAP))
		overrule(m, "ocsp_cache", n, ocsp_rules);
	else {
		if (n != NULL)
			conf_remove(c->root, n);
		n = conf_put(c, c->root, "ocsp_cache", CONF_MAP);
	}
	m->ocsp_cache = n;
	return c->err;
}

/* Each reload moves max_connections a little: from what the file says. */
static void
take_connections(struct conf_merge *m)
{
	struct conf_node *n;
	const struct conf_node *value;

	m->max_connections = CONNECTIONS_BASE;
	while (
	    (n = conf_find(m->c->root, "max_connections,max_conn")) != NULL) {
		value = conf_value(n);
		if (value != NULL && value->kind == CONF_INTEGER &&
		    value->number > 0)
			m->max_connections = (uint64_t)value->number;
		conf_remove(m->c->root, n);
	}
}

static int
take_headers(struct conf_merge *m)
{
	struct conf_node *n = conf_find(m->c->root, "no_header_support");

	return n == NULL || is_off(n)
		   ? 0
		   : conf_refuse(m->c, n,
			 "no_header_support: natsburn's messages have headers");
}

int
conf_merge_take(struct conf_merge *m, unsigned servers)
{
	static int (*const takers[])(struct conf_merge *) = {take_headers,
	    take_jetstream, take_cluster, take_listeners, take_tls,
	    take_resolver, take_ocsp_cache};
	size_t i;
	int err = 0;

	overrule(m, "", m->c->root, top_rules);
	if (servers == 1)
		overrule(m, "", m->c->root, alone_rules);
	take_connections(m);
	for (i = 0; i < sizeof(takers) / sizeof(takers[0]) && err == 0; i++)
		err = takers[i](m);
	m->operator= conf_find(m->c->root, OPERATOR);
	if (err < 0 || m->operator!= NULL)
		return err;
	err = take_accounts(m);
	if (err == 0)
		err = take_authorization(m);
	return err == 0 ? add_accounts(m) : err;
}

int
conf_merge_read(struct conf_merge *m, const char *path, unsigned servers)
{
	int err = 0;

	m->c = conf_create();
	if (m->c == NULL)
		return -ENOMEM;
	if (path[0] != '\0')
		err = conf_read(m->c, path);
	return err == 0 ? conf_merge_take(m, servers) : err;
}

void
conf_merge_fini(struct conf_merge *m)
{
	conf_destroy(m->c);
	m->c = NULL;
}

/* Putting in */

static void
put_address(
    struct conf *c, struct conf_node *map, const char *key, uint16_t port)
{
	char text[32];

	text_format(text, sizeof(text), "127.0.0.1:%u", port);
	conf_put_text(c, map, key, text);
}

static void
put_path(struct conf *c, struct conf_node *map, const char *key,
    const struct conf_server *s, const char *name)
{
	char path[CONFIG_PATH_MAX + 32];

	text_format(path, sizeof(path), "%s/%s", s->dir, name);
	conf_put_text(c, map, key, path);
}

/* URLs of the fronts of one cluster's servers. */
static void
put_urls(struct conf *c, struct conf_node *urls, const struct conf_server *s,
    unsigned cluster, const char *before, const uint16_t *fronts)
{
	char url[96];
	unsigned i, n = topology_servers(s->topology);

	for (i = 0; urls != NULL && i < n; i++) {
		if (topology_cluster(s->topology, i + 1) != cluster)
			continue;
		text_format(url, sizeof(url), "nats://%s127.0.0.1:%u", before,
		    fronts[i]);
		conf_append_text(c, urls, url);
	}
}

static void
put_cluster(struct conf *c, const struct conf_server *s, unsigned cluster)
{
	struct conf_node *n = conf_find(c->root, "cluster"), *routes;
	char name[TOPOLOGY_FULL_MAX];

	if (n == NULL)
		n = conf_put(c, c->root, "cluster", CONF_MAP);
	topology_full_name(s->topology, s->cluster, cluster, name);
	conf_put_text(c, n, "name", name);
	put_address(c, n, "listen", s->route);
	put_address(c, n, "advertise", s->fronts[s->node - 1]);
	if (conf_member(n, "routes") != NULL)
		return; /* fronts stay where they are */
	routes = n != NULL ? conf_put(c, n, "routes", CONF_ARRAY) : NULL;
	put_urls(c, routes, s, cluster, "", s->fronts);
}

/* Each cluster is a gateway to all others. */
static void
put_gateway(struct conf *c, const struct conf_server *s, unsigned cluster)
{
	struct conf_node *n = conf_put(c, c->root, GATEWAY, CONF_MAP);
	struct conf_node *list, *one;
	char name[TOPOLOGY_FULL_MAX];
	unsigned i;

	topology_full_name(s->topology, s->cluster, cluster, name);
	conf_put_text(c, n, "name", name);
	put_address(c, n, "listen", s->remote);
	put_address(c, n, "advertise", s->remotes[s->node - 1]);
	if (n == NULL || conf_member(n, "gateways") != NULL)
		return;
	list = conf_put(c, n, "gateways", CONF_ARRAY);
	for (i = 0; list != NULL && i < s->topology->n; i++) {
		one = conf_new(c, CONF_MAP);
		if (one == NULL)
			return;
		conf_append(list, one);
		topology_full_name(s->topology, s->cluster, i, name);
		conf_put_text(c, one, "name", name);
		put_urls(c, conf_put(c, one, "urls", CONF_ARRAY), s, i, "",
		    s->remotes);
	}
}

/* The hub listens for leaf nodes, which log in there as the load does. */
static void
put_leafnodes(
    const struct conf_merge *m, const struct conf_server *s, unsigned cluster)
{
	struct conf *c = m->c;
	struct conf_node *n = conf_put(c, c->root, "leafnodes", CONF_MAP);
	struct conf_node *list, *one;
	char login[CONF_NAME_MAX + 8];

	if (cluster == 0) {
		put_address(c, n, "listen", s->remote);
		put_address(c, n, "advertise", s->remotes[s->node - 1]);
		return;
	}
	if (n == NULL || conf_member(n, "remotes") != NULL)
		return;
	list = conf_put(c, n, "remotes", CONF_ARRAY);
	one = conf_new(c, CONF_MAP);
	if (list == NULL || one == NULL)
		return;
	conf_append(list, one);
	conf_put_text(c, one, "account", m->account);
	text_format(login, sizeof(login), "%s:burn@", m->user);
	put_urls(
	    c, conf_put(c, one, "urls", CONF_ARRAY), s, 0, login, s->remotes);
}

static void
put_topology(const struct conf_merge *m, const struct conf_server *s)
{
	unsigned cluster = topology_cluster(s->topology, s->node);
	char domain[TOPOLOGY_NAME_MAX];
	struct conf *c = m->c;

	if (s->topology->has_gateways)
		put_gateway(c, s, cluster);
	/* Gateways want a cluster even of a server that is alone in it. */
	if (s->topology->has_gateways ||
	    topology_size(s->topology, cluster) > 1)
		put_cluster(c, s, cluster);
	if (!s->topology->has_leafs)
		return;
	put_leafnodes(m, s, cluster);
	topology_name(s->topology, cluster, domain);
	conf_put_text(c, conf_find(c->root, "jetstream"), "domain", domain);
}

static void
put_jetstream(const struct conf_merge *m, const struct conf_server *s)
{
	struct conf *c = m->c;
	struct conf_node *n = conf_find(c->root, "jetstream");

	if (n == NULL)
		n = conf_put(c, c->root, "jetstream", CONF_MAP);
	put_path(c, n, "store_dir", s, "store");
	if (conf_find(n, "max_memory_store,max_mem_store,max_mem") == NULL)
		conf_put_number(c, n, "max_memory_store", MEMORY_STORE);
	if (conf_find(n, "max_file_store,max_file") == NULL)
		conf_put_number(c, n, "max_file_store", FILE_STORE);
	if (m->cipher != NULL) {
		conf_put_text(c, n, "cipher", m->cipher);
		conf_put_text(c, n, "key", m->key);
	}
	if (m->sync != NULL)
		conf_put_text(c, n, "sync_interval", m->sync);
}

/* A user's own tags are left alone. */
static void
put_tags(struct conf *c, const struct conf_server *s)
{
	struct conf_node *n;
	char tag[16];
	unsigned i;

	if (conf_find(c->root, "server_tags") != NULL)
		return;
	n = conf_put(c, c->root, "server_tags", CONF_ARRAY);
	for (i = 1; n != NULL && i <= CONFIG_NODES_MAX; i++) {
		text_format(tag, sizeof(tag), "not-%u", i);
		if (i != s->node)
			conf_append_text(c, n, tag);
	}
}

int
conf_merge_write(
    struct conf_merge *m, const struct conf_server *s, struct buf *out)
{
	struct conf *c = m->c;
	struct conf_node *root = c->root, *n;

	conf_put_text(c, root, "server_name", s->name);
	put_address(c, root, "listen", s->client);
	put_address(c, root, "client_advertise", s->advertise);
	conf_put_text(c, root, "lame_duck_duration", "30s");
	conf_put_text(c, root, "lame_duck_grace_period", "1s");
	put_address(c, root, "http", s->http);
	if (s->profile != 0)
		conf_put_number(c, root, "prof_port", s->profile);
	put_path(c, root, "log_file", s, "server.log");
	conf_put_number(
	    c, root, "max_connections", (int64_t)s->max_connections);
	put_jetstream(m, s);
	if (s->is_tagged)
		put_tags(c, s);
	put_topology(m, s);
	n = conf_find(root, GATEWAY);
	if (n != NULL && s->topology->n == 1)
		conf_put_text(c, n, "name", s->cluster);
	if (m->resolver_dir != NULL)
		put_path(c, conf_find(root, RESOLVER), "dir", s, "jwt");
	if (m->ocsp_cache != NULL)
		put_path(c, m->ocsp_cache, "local_store", s, "ocsp");
	return conf_write(c, out);
}

int
conf_merge_copy(const struct conf_merge *m, const char *dir)
{
	char from[2 * CONFIG_PATH_MAX], to[2 * CONFIG_PATH_MAX], *text;
	const struct dirent *d;
	const char *end;
	size_t len;
	int err = 0;
	DIR *in;

	if (m->resolver_dir == NULL)
		return 0;
	text_format(to, sizeof(to), "%s/jwt", dir);
	err = file_make_dir(to);
	if (err < 0)
		return err;
	in = opendir(m->resolver_dir);
	if (in == NULL)
		return errno == ENOENT ? 0 : -errno; /* nats-server makes it */
	while (err == 0 && (d = readdir(in)) != NULL) {
		end = strrchr(d->d_name, '.');
		if (end == NULL || strcmp(end, ".jwt") != 0)
			continue;
		from[0] = '\0';
		text_format(to, sizeof(to), "%s/jwt/%s", dir, d->d_name);
		if (!text_fits_add(from, sizeof(from), "%s/%s", m->resolver_dir,
			d->d_name))
			err = -ENAMETOOLONG;
		text = err == 0 ? file_read(from, JWT_MAX, &len) : NULL;
		if (text == NULL)
			err = err < 0 ? err : -errno;
		else
			err = file_replace(to, text, len);
		free(text);
	}
	closedir(in);
	return err;
}

void
conf_merge_explain(const char *path, char *text, size_t size)
{
	char place[CONF_WHY_MAX], rest[CONF_WHY_MAX], *at, *end;
	unsigned long line;

	at = strstr(text, path);
	if (at == NULL || at[strlen(path)] != ':')
		return;
	line = strtoul(at + strlen(path) + 1, &end, 10);
	if (*end == ':' && strtoul(end + 1, &end, 10) == 0 && *end != ':')
		return;
	if (line > UINT_MAX || *end != ':' ||
	    !conf_place(path, (unsigned)line, place, sizeof(place)))
		return;
	text_set(rest, sizeof(rest), end);
	text_format(text, size, "%s%s", place, rest);
}

/* With JWTs natsburn can't make users: somebody gives it one. */
static int
check_login(const struct conf_merge *m, const struct run_config *c, char *why,
    size_t size)
{
	if (m->operator!= NULL && c->creds[0] == '\0')
		(void)conf_refuse(m->c, m->operator,
		    "\"%s\": accounts come from JWTs; give the load's login "
		    "with --creds FILE, and one of the system account with "
		    "--sys-creds FILE",
		    m->operator->key);
	else if (m->operator==
		 NULL &&(c->creds[0] != '\0' || c->sys_creds[0] != '\0'))
		text_format(m->c->why, sizeof(m->c->why),
		    "--%screds \"%s\": goes with an operator in "
		    "--server-conf",
		    c->creds[0] != '\0' ? "" : "sys-",
		    c->creds[0] != '\0' ? c->creds : c->sys_creds);
	if (m->c->why[0] == '\0')
		return 0;
	text_set(why, size, m->c->why);
	return -EINVAL;
}

void
conf_merge_stores(
    struct conf_merge *m, const struct run_config *c, const char *key)
{
	if (strcmp(c->encryption, "none") != 0) {
		m->cipher = c->encryption;
		m->key = key;
	}
	if (c->sync[0] != '\0')
		m->sync = c->sync;
}

/* nats-server has no days, and takes 0 for its default. */
static int
check_sync(const struct run_config *c, char *why, size_t size)
{
	uint64_t ns;

	if (c->sync[0] == '\0' || strcmp(c->sync, "always") == 0 ||
	    (text_to_duration(c->sync, &ns) == 0 && ns >= CLOCK_MS &&
		ns < 1000 * 3600 * CLOCK_S && strchr(c->sync, 'd') == NULL))
		return 0;
	text_format(why, size,
	    "--sync \"%s\": must be always, or a time from 1ms to 999h",
	    c->sync);
	return -EINVAL;
}

int
conf_merge_check(const struct run_config *c, char *why, size_t size)
{
	static const uint16_t fronts[CONFIG_NODES_MAX];
	const struct topology t = {.n = 1, .last = (unsigned)c->servers};
	const struct conf_server s = {.name = "n1",
	    .dir = "",
	    .cluster = "nb",
	    .topology = &t,
	    .fronts = fronts,
	    .node = 1};
	struct conf_merge m = {.system_password = ""};
	struct buf out;
	int err = check_sync(c, why, size);

	if (err < 0 || c->server_conf[0] == '\0')
		return err;
	buf_init(&out, CONF_WRITE_MAX);
	conf_merge_stores(&m, c, "");
	err = conf_merge_read(&m, c->server_conf, (unsigned)c->servers);
	if (err == 0)
		err = conf_merge_write(&m, &s, &out);
	if (err < 0)
		text_set(why, size,
		    m.c != NULL && m.c->why[0] != '\0' ? m.c->why
						       : strerror(-err));
	else
		err = check_login(&m, c, why, size);
	buf_fini(&out);
	conf_merge_fini(&m);
	return err < 0 ? -EINVAL : 0;
}

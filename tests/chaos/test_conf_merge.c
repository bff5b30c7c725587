/* SPDX-License-Identifier: ISC */
/*
 * conf_merge: what a run must own is natsburn's and is said, line by line;
 * the rest of the user's file is the servers'; what can't be taken is
 * refused with its place.
 */
#include "tests/support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chaos/cluster/local/conf_merge.h"
#include "proto/base/file.h"
#include "proto/base/text.h"

#define PARTS_MAX 12

static char said[8192]; /* "LINE KEY;" for each key that is overruled */
static char text[65536];

/* "a.conf:3: "cluster.name" is natsburn's: why" */
static void
hear(void *arg, const char *line)
{
	const char *number = strchr(line, ':'), *key = strchr(line, '"');

	assert_ptr_equal(arg, said);
	assert_int_equal(strncmp(line, "a.conf:", 7), 0);
	assert_non_null(key);
	assert_non_null(strstr(key, "\" is natsburn's: "));
	text_add(said, sizeof(said), "%d %.*s;",
	    (int)strtol(number + 1, NULL, 10), (int)strcspn(key + 1, "\""),
	    key + 1);
}

static struct conf_merge
read_text(const char *in, unsigned servers, int *err)
{
	struct conf_merge m = {
	    .say = hear, .arg = said, .system_password = "syspw"};

	said[0] = '\0';
	assert_int_equal(file_replace("a.conf", in, strlen(in)), 0);
	*err = conf_merge_read(&m, "a.conf", servers);
	return m;
}

/* The text of a server's configuration, without its places. */
static int
write_server(struct conf_merge *m, unsigned servers)
{
	static const uint16_t fronts[] = {7001, 7002, 7003};
	const struct topology plain = {.n = 1, .last = servers};
	const struct conf_server s = {.name = "n2",
	    .dir = "/run/servers/n2",
	    .client = 4001,
	    .http = 5001,
	    .profile = 7001,
	    .route = 6001,
	    .advertise = 4101,
	    .cluster = "nb_1",
	    .topology = &plain,
	    .fronts = fronts,
	    .node = 2,
	    .max_connections = m->max_connections + 1};
	const char *from, *mark;
	struct buf out;
	size_t len;
	int err;

	buf_init(&out, CONF_WRITE_MAX);
	err = conf_merge_write(m, &s, &out);
	assert_true(err < 0 || buf_append(&out, "", 1) == 0);
	text[0] = '\0';
	for (from = (char *)buf_data(&out); err == 0 && *from != '\0';
	     from += len) {
		len = strcspn(from, "\n") + 1;
		mark = memmem(from, len, " # a.conf", 9);
		text_add(text, sizeof(text), "%.*s\n",
		    (int)(mark != NULL ? (size_t)(mark - from) : len - 1),
		    from);
	}
	buf_fini(&out);
	return err;
}

/* Without a file, and around everything else. */
static const char whole[] = "accounts: {\n"
			    "\tSYS: {\n"
			    "\t\tusers: [\n"
			    "\t\t\t{\n"
			    "\t\t\t\tuser: \"sys\"\n"
			    "\t\t\t\tpassword: \"syspw\"\n"
			    "\t\t\t}\n"
			    "\t\t]\n"
			    "\t}\n"
			    "\tBURN: {\n"
			    "\t\tjetstream: \"enabled\"\n"
			    "\t\tusers: [\n"
			    "\t\t\t{\n"
			    "\t\t\t\tuser: \"burn\"\n"
			    "\t\t\t\tpassword: \"burn\"\n"
			    "\t\t\t}\n"
			    "\t\t]\n"
			    "\t}\n"
			    "}\n"
			    "system_account: \"SYS\"\n"
			    "no_auth_user: \"burn\"\n"
			    "server_name: \"n2\"\n"
			    "listen: \"127.0.0.1:4001\"\n"
			    "client_advertise: \"127.0.0.1:4101\"\n"
			    "lame_duck_duration: \"30s\"\n"
			    "lame_duck_grace_period: \"1s\"\n"
			    "http: \"127.0.0.1:5001\"\n"
			    "prof_port: 7001\n"
			    "log_file: \"/run/servers/n2/server.log\"\n"
			    "max_connections: 60001\n"
			    "jetstream: {\n"
			    "\tstore_dir: \"/run/servers/n2/store\"\n"
			    "\tmax_memory_store: 4000000000\n"
			    "\tmax_file_store: 1000000000000\n"
			    "}\n"
			    "cluster: {\n"
			    "\tname: \"nb_1\"\n"
			    "\tlisten: \"127.0.0.1:6001\"\n"
			    "\tadvertise: \"127.0.0.1:7002\"\n"
			    "\troutes: [\n"
			    "\t\t\"nats://127.0.0.1:7001\"\n"
			    "\t\t\"nats://127.0.0.1:7002\"\n"
			    "\t\t\"nats://127.0.0.1:7003\"\n"
			    "\t]\n"
			    "}\n";

static void
test_own(void **state)
{
	struct conf_merge m = {.system_password = "syspw"};

	(void)state;
	assert_int_equal(conf_merge_read(&m, "", 3), 0);
	assert_int_equal(write_server(&m, 3), 0);
	assert_string_equal(text, whole);
	/* Once more is the same: routes do not pile up. */
	assert_int_equal(write_server(&m, 3), 0);
	assert_string_equal(text, whole);
	conf_merge_fini(&m);

	assert_int_equal(conf_merge_read(&m, "", 1), 0);
	assert_int_equal(write_server(&m, 1), 0);
	assert_null(strstr(text, "cluster"));
	conf_merge_fini(&m);
}

/* All that is overruled leaves nothing behind but natsburn's own. */
static void
test_overruled(void **state)
{
	static const struct {
		const char *in, *said;
	} rows[] = {
	    {"listen: 1; port: 2; host: h; net: h; client_advertise: x",
		"1 listen;1 port;1 host;1 net;1 client_advertise;"},
	    {"Port: 1\nPORT: 2", "1 Port;2 PORT;"},
	    {"server_name: $NB_NO_SUCH_NAME", "1 server_name;"},
	    {"http: 1\nhttps: 2\nhttp_port: 1\nmonitor_port: 1\n"
	     "https_port: 1\nhttp_base_path: /x",
		"1 http;2 https;3 http_port;4 monitor_port;5 https_port;"
		"6 http_base_path;"},
	    {"store_dir: /a\nstoredir: /a", "1 store_dir;2 storedir;"},
	    {"log_file: /a\nlogfile: /a\nlogtime: no\nlogtime_utc: yes\n"
	     "log_size_limit: 1\nlogfile_size_limit: 1\nlog_max_num: 1\n"
	     "logfile_max_num: 1\nsyslog: on\nremote_syslog: x",
		"1 log_file;2 logfile;3 logtime;4 logtime_utc;"
		"5 log_size_limit;6 logfile_size_limit;7 log_max_num;"
		"8 logfile_max_num;9 syslog;10 remote_syslog;"},
	    {"pid_file: /a\npidfile: /a\nports_file_dir: /a\nprof_port: 1",
		"1 pid_file;2 pidfile;3 ports_file_dir;4 prof_port;"},
	    {"lame_duck_duration: 60s\nlame_duck_grace_period: 2s",
		"1 lame_duck_duration;2 lame_duck_grace_period;"},
	    {"no_auth_user: x\nno_system_account: true\nno_sys_acc: true\n"
	     "no_system: true\nproxy_protocol: true",
		"1 no_auth_user;2 no_system_account;3 no_sys_acc;"
		"4 no_system;5 proxy_protocol;"},
	    {"cluster {\n name: c\n listen: 1\n port: 1\n host: h\n net: h\n"
	     " advertise: x\n cluster_advertise: x\n no_advertise: true\n"
	     " routes: [a]\n tls {}\n authorization {}\n}",
		"2 cluster.name;3 cluster.listen;4 cluster.port;"
		"5 cluster.host;6 cluster.net;7 cluster.advertise;"
		"8 cluster.cluster_advertise;9 cluster.no_advertise;"
		"10 cluster.routes;11 cluster.tls;12 cluster.authorization;"},
	    {"jetstream {\n store: /a\n store_dir: /a\n storedir: /a\n"
	     " unique_tag: az\n enabled: false\n}",
		"2 jetstream.store;3 jetstream.store_dir;"
		"4 jetstream.storedir;5 jetstream.unique_tag;"
		"6 jetstream.enabled;"},
	    {"jetstream: enabled", ""},
	    {"jetstream: true", ""},
	    {"JetStream {}", NULL},
	    {"jetstream: false", "1 jetstream;"},
	    {"jetstream: Disabled", "1 jetstream;"},
	    /* Variables of what is overruled go with it. */
	    {"PORT_: 1\nport: $PORT_\njetstream { store_dir: $PORT_ }",
		"2 port;3 jetstream.store_dir;"},
	};
	struct conf_merge m;
	size_t i;
	int err;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		m = read_text(rows[i].in, 3, &err);
		if (err == 0)
			err = write_server(&m, 3);
		if (err < 0)
			fail_msg("%s: %s", rows[i].in, m.c->why);
		if (rows[i].said != NULL)
			assert_string_equal(said, rows[i].said);
		/* The order of blocks differs. */
		if (strlen(text) != strlen(whole))
			fail_msg("%s: %s", rows[i].in, text);
		conf_merge_fini(&m);
	}
}

/* What is said, what a server gets, and what it does not get. */
static const struct {
	const char *in;
	unsigned servers;
	const char *said;
	const char *has[PARTS_MAX], *lacks[PARTS_MAX];
} taken[] = {
    {"max_payload: 8MB\nMax_Pending: 1k\nwrite_deadline: \"2s\"\n"
     "server_tags: [a, b]",
	3, "",
	{"max_payload: 8388608\n", "\nMax_Pending: 1000\n",
	    "write_deadline: \"2s\"\n",
	    "server_tags: [\n\t\"a\"\n\t\"b\"\n]\n"},
	{NULL}},
    {"max_conn: 100", 3, "", {"\nmax_connections: 101\n"},
	{"max_conn:", "60001"}},
    {"max_connections: 7\nMAX_CONN: 100", 3, "", {"\nmax_connections: 101\n"},
	{"MAX_CONN"}},
    {"leafnodes { remotes: [] }\nws { no_tls: true }", 3,
	"1 leafnodes.remotes;", {"leafnodes: {\n}\nws: {\n\tno_tls: true\n}\n"},
	{"-1"}},
    {"max_connections: -1", 3, "", {"\nmax_connections: 60001\n"}, {"-1"}},
    {"cluster { compression: s2_fast; pool_size: 3 }", 3, "",
	{"\tcompression: \"s2_fast\"\n\tpool_size: 3\n\tname: \"nb_1\"",
	    "routes: ["},
	{NULL}},
    {"cluster { pool_size: 3 }\ngateway {name: x}", 1, "1 cluster;2 gateway;",
	{NULL}, {"cluster", "gateway"}},
    {"jetstream { sync_interval: \"3s\", max_mem: 1G, max_file: 2G, "
     "key: k, cipher: aes, limits { max_ha_assets: 7 } }",
	3, "",
	{"sync_interval: \"3s\"", "max_mem: 1000000000", "max_file: 2000000000",
	    "key: \"k\"", "cipher: \"aes\"", "max_ha_assets: 7",
	    "store_dir: \"/run/servers/n2/store\""},
	{"max_memory_store", "max_file_store"}},
    {"gateway {\n name: x\n port: 1\n gateways: [{name: x}]\n"
     " reject_unknown: true\n}",
	3, "2 gateway.name;3 gateway.port;4 gateway.gateways;",
	{"gateway: {\n\treject_unknown: true\n"
	 "\tlisten: \"127.0.0.1:-1\"\n\tname: \"nb_1\"\n}\n"},
	{"gateways"}},
    {"leaf {\n port: 1\n remotes: []\n advertise: x\n"
     " leafnode_advertise: x\n no_advertise: true\n}",
	3,
	"2 leafnodes.port;3 leafnodes.remotes;4 leafnodes.advertise;"
	"5 leafnodes.leafnode_advertise;",
	{"leaf: {\n\tno_advertise: true\n"
	 "\tlisten: \"127.0.0.1:-1\"\n}\n"},
	{"remotes"}},
    {"ws { listen: \"0.0.0.0:443\", no_tls: true }\n"
     "mqtt { net: x, port: 1, ack_wait: \"5s\" }",
	3, "1 websocket.listen;2 mqtt.net;2 mqtt.port;",
	{"ws: {\n\tno_tls: true\n\tlisten: \"127.0.0.1:-1\"\n}\n",
	    "mqtt: {\n\tack_wait: \"5s\"\n"
	    "\tlisten: \"127.0.0.1:-1\"\n}\n"},
	{"0.0.0.0"}},
    {"tls { cert_file: c, handshake_first: auto }", 3, "1 tls.handshake_first;",
	{"tls: {\n\tcert_file: \"c\"\n}\n"}, {"handshake"}},
    /* accounts */
    {"accounts { A { users: [{user: a, password: b}] } }", 3, "",
	{"\tA: {\n", "user: \"a\"", "\tSYS: {\n", "\tBURN: {\n",
	    "\nsystem_account: \"SYS\"\n", "no_auth_user: \"burn\""},
	{"permissions"}},
    {"accounts: [A, SYS]", 3, "",
	{"accounts: {\n\tA: {\n\t}\n\tSYS: {\n\t}\n\tSYS_2: {\n",
	    "system_account: \"SYS_2\"", "\t\t\t\tuser: \"sys\""},
	{NULL}},
    {"accounts { S { users: [{user: sys}], default_permissions: "
     "{ publish: \"x\" } } }\nsystem: S",
	3, "",
	{"user: \"sys\"\n", "user: \"sys_2\"\n", "system: \"S\"\n",
	    "\t\t\t\tpermissions: {\n\t\t\t\t\tpublish: \">\"\n"
	    "\t\t\t\t\tsubscribe: \">\"\n"},
	{"SYS", "system_account"}},
    {"accounts { $SYS { users: [{user: admin}] } }", 3, "",
	{"$SYS: {\n\t\tusers: [\n\t\t\t{\n\t\t\t\tuser: \"admin\"\n"
	 "\t\t\t}\n\t\t\t{\n\t\t\t\tuser: \"sys\"\n"},
	{"system_account", "\tSYS"}},
    {"system_account: ADMIN", 3, "",
	{"accounts: {\n\tADMIN: {\n\t\tusers: [\n"}, {"SYS:"}},
    {"U: {user: burn}\nBURN_ = {users: [$U]}\n"
     "accounts { BURN: $BURN_, BURN_2 {} }",
	3, "",
	{"\tBURN: $BURN_\n", "\tBURN_3: {\n", "user: \"burn_2\"\n",
	    "no_auth_user: \"burn_2\"", "users: [\n\t\t$U\n"},
	{NULL}},
    /* A variable's map that is changed is written where it is. */
    {"S_ = {users: [{user: a}]}\naccounts { SYS: $S_ }\n"
     "system_account: SYS",
	3, "", {"\tSYS: {\n\t\tusers: [\n\t\t\t{\n"}, {"S_"}},
    /* authorization */
    {"authorization { user: u, password: p, timeout: 2 }", 3, "",
	{"authorization: {\n\ttimeout: 2\n\tusers: [\n\t\t{\n"
	 "\t\t\tpassword: \"p\"\n\t\t\tuser: \"u\"\n\t\t}\n\t]\n}\n"},
	{NULL}},
    {"authorization { token: t }", 3, "1 authorization.token;",
	{"authorization: {\n}\n"}, {"token"}},
    {"authorization { P: {publish: a}\n users: [\n"
     "{user: burn, permissions: $P}\n] }",
	3, "",
	{"permissions: $P\n", "user: \"burn_2\"",
	    "\tP: {\n\t\tpublish: \"a\"\n"},
	{NULL}},
    /* operators */
    {"operator: x\nsystem_account: AC\nresolver: MEM", 3, "",
	{"operator: \"x\"\n", "system_account: \"AC\"", "resolver: \"MEM\""},
	{"accounts", "no_auth_user", "burn"}},
    {"trusted_keys: x\nresolver {\n type: full\n dir: \"./jwts\"\n}", 3,
	"4 resolver.dir;",
	{"\ttype: \"full\"\n\tdir: \"/run/servers/n2/jwt\"\n"},
	{"accounts", "./jwts"}},
    /* what else would be written */
    {"ocsp_cache: true", 3, "",
	{"ocsp_cache: {\n\tlocal_store: \"/run/servers/n2/ocsp\"\n}"}, {NULL}},
    {"ocsp_cache { type: local, local_store: /x }", 3,
	"1 ocsp_cache.local_store;",
	{"\ttype: \"local\"\n"
	 "\tlocal_store: \"/run/servers/n2/ocsp\"\n"},
	{"/x"}},
    {"ocsp_cache: false", 3, "", {"ocsp_cache: false\n"}, {"local_store"}},
    {"leafnodes { tls { ocsp_peer: true } }", 3, "",
	{"ocsp_cache: {\n\tlocal_store: \"/run/servers/n2/ocsp\"\n}"}, {NULL}},
    /* the server's to refuse */
    {"unknown: 1", 3, "", {"unknown: 1\n"}, {NULL}},
};

static void
test_taken(void **state)
{
	struct conf_merge m;
	size_t i, k;
	int err;

	(void)state;
	for (i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		m = read_text(taken[i].in, taken[i].servers, &err);
		if (err == 0)
			err = write_server(&m, taken[i].servers);
		if (err < 0)
			fail_msg("%s: %s", taken[i].in, m.c->why);
		assert_string_equal(said, taken[i].said);
		for (k = 0; taken[i].has[k] != NULL; k++)
			if (strstr(text, taken[i].has[k]) == NULL)
				fail_msg("%s: no \"%s\" in\n%s", taken[i].in,
				    taken[i].has[k], text);
		for (k = 0; taken[i].lacks[k] != NULL; k++)
			if (strstr(text, taken[i].lacks[k]) != NULL)
				fail_msg("%s: \"%s\" in\n%s", taken[i].in,
				    taken[i].lacks[k], text);
		conf_merge_fini(&m);
	}
}

static void
test_refused(void **state)
{
	static const struct {
		const char *in, *why;
	} rows[] = {
	    {"a: 1\nb: [", "a.conf:2: the [ is not closed"},
	    {"\nno_header_support: true",
		"a.conf:2: no_header_support: natsburn's messages"},
	    {"jetstream { tpm { keys_file: x } }", "a.conf:1: jetstream.tpm:"},
	    {"jetstream: 5", "a.conf:1: \"jetstream\" must be a map"},
	    {"cluster: yes", "a.conf:1: \"cluster\" must be a map"},
	    {"gateway: []", "a.conf:1: \"gateway\" must be a map"},
	    {"leaf {}\nleafnodes {}",
		"a.conf:2: \"leafnodes\" is set already, in line 1 as \"leaf"},
	    {"accounts {}\nAccounts {}", "a.conf:2: \"Accounts\" is set"},
	    {"accounts: [A]\nAccounts {}", "a.conf:2: \"Accounts\" is set"},
	    {"jetstream: on\nJetStream { storedir: /x }",
		"a.conf:2: \"JetStream\" is set already"},
	    {"resolver: MEM\naccount_resolver { dir: /x }",
		"a.conf:2: \"account_resolver\" is set already"},
	    {"ocsp_cache: false\nOCSP_cache: true", "a.conf:2: \"OCSP_cache"},
	    {"authorization { user: a,\nUsers: 5 }",
		"a.conf:2: \"users\" must be an array"},
	    {"accounts: A", "a.conf:1: \"accounts\" must be a map"},
	    {"accounts: [A, A]", "a.conf:1: accounts must be a map, or names"},
	    {"accounts: [5]", "a.conf:1: accounts must be a map, or names"},
	    {"accounts {\nSYS: 5 }\nsystem_account: SYS",
		"a.conf:2: account \"SYS\" must be a map"},
	    {"accounts { SYS {\nusers: {} } }\nsystem_account: SYS",
		"a.conf:2: \"users\" must be an array"},
	    {"authorization {\nauth_callout {} }",
		"a.conf:2: authorization.auth_callout: a service"},
	    {"tls {\nverify_and_map: true }", "a.conf:2: tls.verify_and_map:"},
	    {"max_payload: $NB_NO_SUCH_NAME",
		"a.conf:1: variable $NB_NO_SUCH_NAME is set neither"},
	    {"operator: x", "a.conf:1: \"operator\": accounts come from JWTs"},
	    {"max_payload: 1", NULL},
	    {"tls { verify_and_map: false }", NULL},
	    {"no_header_support: false", NULL},
	};
	struct run_config c;
	char why[CONF_WHY_MAX];
	size_t i;
	int err;

	(void)state;
	config_init(&c);
	assert_int_equal(conf_merge_check(&c, why, sizeof(why)), 0);
	text_set(c.server_conf, sizeof(c.server_conf), "a.conf");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(
		    file_replace("a.conf", rows[i].in, strlen(rows[i].in)), 0);
		why[0] = '\0';
		err = conf_merge_check(&c, why, sizeof(why));
		if (rows[i].why == NULL)
			assert_int_equal(err, 0);
		else if (err != -EINVAL ||
			 strncmp(why, rows[i].why, strlen(rows[i].why)) != 0)
			fail_msg("%s: %d %s", rows[i].in, err, why);
	}
	/* Logins that go with operators, and with nothing else. */
	text_set(c.creds, sizeof(c.creds), "x.creds");
	assert_int_equal(conf_merge_check(&c, why, sizeof(why)), -EINVAL);
	assert_string_equal(
	    why, "--creds \"x.creds\": goes with an operator in --server-conf");
	assert_int_equal(file_replace("a.conf", "operator: x", 11), 0);
	assert_int_equal(conf_merge_check(&c, why, sizeof(why)), 0);
}

/* What the run says of its stores is written, and stands nowhere else. */
static void
test_stores(void **state)
{
	struct run_config c;
	struct conf_merge m;
	char why[256];
	int err;

	(void)state;
	config_init(&c);
	text_set(c.encryption, sizeof(c.encryption), "chacha");
	text_set(c.sync, sizeof(c.sync), "1500ms");
	assert_int_equal(conf_merge_check(&c, why, sizeof(why)), 0);
	m = read_text("jetstream { domain: hub }", 3, &err);
	assert_int_equal(err, 0);
	conf_merge_stores(&m, &c, "k3y");
	assert_int_equal(write_server(&m, 3), 0);
	assert_non_null(strstr(text, "domain: \"hub\""));
	assert_non_null(strstr(text, "cipher: \"chacha\""));
	assert_non_null(strstr(text, "key: \"k3y\""));
	assert_non_null(strstr(text, "sync_interval: \"1500ms\""));
	conf_merge_fini(&m);
	m = read_text("jetstream { cipher: aes }", 3, &err);
	assert_int_equal(write_server(&m, 3), 0);
	assert_null(strstr(text, "sync_interval"));
	assert_null(strstr(text, "key:"));
	conf_merge_fini(&m);
}

/* An option and the file that say the same, in each of its names. */
static void
test_stores_twice(void **state)
{
	static const struct {
		const char *in, *why; /* NULL: no quarrel */
	} rows[] = {
	    {"jetstream { Cipher: aes }", "a.conf:1: \"jetstream.Cipher\" and "
					  "--encryption"},
	    {"jetstream {\nprev_ek: old }", "a.conf:2: \"jetstream.prev_ek\""},
	    {"jetstream { sync_interval: always }",
		"a.conf:1: \"jetstream.sync_interval\" and --sync say"},
	    {"jetstream: enabled", NULL},
	    {"jetstream { max_file: 1GB }", NULL},
	};
	struct run_config c;
	char why[256];
	size_t i;
	int err;

	(void)state;
	config_init(&c);
	text_set(c.server_conf, sizeof(c.server_conf), "a.conf");
	text_set(c.encryption, sizeof(c.encryption), "aes");
	text_set(c.sync, sizeof(c.sync), "always");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(
		    file_replace("a.conf", rows[i].in, strlen(rows[i].in)), 0);
		err = conf_merge_check(&c, why, sizeof(why));
		assert_int_equal(err, rows[i].why == NULL ? 0 : -EINVAL);
		if (rows[i].why != NULL &&
		    strncmp(why, rows[i].why, strlen(rows[i].why)) != 0)
			fail_msg("%s: %s", rows[i].in, why);
	}
}

static void
test_copy(void **state)
{
	struct conf_merge m;
	char *copy;
	size_t len;
	int err;

	(void)state;
	assert_int_equal(mkdir("jwts", 0700), 0);
	assert_int_equal(mkdir("n1", 0700), 0);
	assert_int_equal(file_replace("jwts/A.jwt", "eyJ", 3), 0);
	assert_int_equal(file_replace("jwts/other", "x", 1), 0);
	m = read_text(
	    "operator: x\nresolver { type: full, dir: jwts }", 3, &err);
	assert_int_equal(err, 0);
	assert_int_equal(conf_merge_copy(&m, "n1"), 0);
	copy = file_read("n1/jwt/A.jwt", 10, &len);
	assert_non_null(copy);
	assert_string_equal(copy, "eyJ");
	free(copy);
	assert_int_equal(access("n1/jwt/other", F_OK), -1);
	/* A folder that isn't there is one that nats-server makes. */
	unlink("jwts/A.jwt");
	unlink("jwts/other");
	assert_int_equal(rmdir("jwts"), 0);
	assert_int_equal(conf_merge_copy(&m, "n1"), 0);
	conf_merge_fini(&m);
	unlink("n1/jwt/A.jwt");
	rmdir("n1/jwt");
	assert_int_equal(rmdir("n1"), 0);
}

static void
test_explain(void **state)
{
	static const char conf[] = "a: 1\nb: 2 # my.conf:17\n";
	static const struct {
		const char *in, *out;
	} rows[] = {
	    {"nats-server: ./s.conf:2:4: unknown field \"b\"",
		"my.conf:17: unknown field \"b\""},
	    {"./s.conf:2:0: x", "my.conf:17: x"},
	    {"./s.conf:1:4: x", "./s.conf:1:4: x"},
	    {"./s.conf:3:4: x", "./s.conf:3:4: x"},
	    {"./s.conf: x", "./s.conf: x"},
	    {"./s.conf:2", "./s.conf:2"},
	    {"./s.conf", "./s.conf"},
	    {"something else", "something else"},
	};
	char line[256];
	size_t i;

	(void)state;
	assert_int_equal(file_replace("s.conf", conf, strlen(conf)), 0);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		text_set(line, sizeof(line), rows[i].in);
		conf_merge_explain("./s.conf", line, sizeof(line));
		assert_string_equal(line, rows[i].out);
	}
	assert_int_equal(unlink("s.conf"), 0);
}

static char dir[] = "/tmp/natsburn-merge.XXXXXX";

static int
enter(void **state)
{
	(void)state;
	return mkdtemp(dir) != NULL ? chdir(dir) : -1;
}

static int
leave(void **state)
{
	(void)state;
	unlink("a.conf");
	return chdir("/") == 0 ? rmdir(dir) : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_own),
	    cmocka_unit_test(test_overruled),
	    cmocka_unit_test(test_taken),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_stores),
	    cmocka_unit_test(test_stores_twice),
	    cmocka_unit_test(test_copy),
	    cmocka_unit_test(test_explain),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}

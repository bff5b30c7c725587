/* SPDX-License-Identifier: ISC */
/* The configuration of a run; see config.h. */
#include <errno.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/config.h"

#define AT(member)                                                             \
	offsetof(struct run_config, member),                                   \
	    sizeof(((struct run_config *)NULL)->member)
#define DAY (86400 * CLOCK_S)

static const char *const storages[] = {"file", "memory", NULL};
static const char *const compressions[] = {"none", "s2", NULL};
static const char *const ciphers[] = {"none", "aes", "chacha", NULL};
static const char *const reaches[] = {
    "auto", "direct", "forward", "proxy", NULL};

#define FLAG(name, member, help)                                               \
	{                                                                      \
		name, OPTION_FLAG, AT(member), "false", 0, 0, NULL, NULL,      \
		    help, false                                                \
	}
#define NUMBER(name, member, def, min, max, arg, help)                         \
	{                                                                      \
		name, OPTION_U64, AT(member), def, min, max, NULL, arg, help,  \
		    false                                                      \
	}
#define TIME(name, member, def, min, max, help)                                \
	{                                                                      \
		name, OPTION_DURATION, AT(member), def, min, max, NULL,        \
		    "TIME", help, false                                        \
	}
#define RANGE(name, member, def, min, max, help)                               \
	{                                                                      \
		name, OPTION_TIMES, AT(member), def, min, max, NULL,           \
		    "TIME[..TIME]", help, false                                \
	}
#define TEXT(name, member, def, arg, help)                                     \
	{                                                                      \
		name, OPTION_STRING, AT(member), def, 0, 0, NULL, arg, help,   \
		    false                                                      \
	}
#define SECRET(name, member, arg, help)                                        \
	{                                                                      \
		name, OPTION_STRING, AT(member), "", 0, 0, NULL, arg, help,    \
		    true                                                       \
	}
#define CHOICE(name, member, def, choices, arg, help)                          \
	{                                                                      \
		name, OPTION_CHOICE, AT(member), def, 0, 0, choices, arg,      \
		    help, false                                                \
	}

const struct option_spec config_options[] = {
    TEXT("test", test, "", "TEST", "test to run (also the first argument)"),
    TEXT("mayhem", mayhem, "none", "MODE[,MODE]", "faults to inject, or all"),
    TIME("duration", duration_ns, "60s", 100 * CLOCK_MS, 3650 * DAY,
	"time of the load"),
    NUMBER("rounds", rounds, "0", 0, UINT64_MAX, "N",
	"end the load after N rounds; 0 is no limit"),
    NUMBER("seed", seed, "0", 0, INT64_MAX, "N",
	"repeats the faults of an earlier run; 0 draws one"),
    TEXT("out", out, "", "DIR",
	"run folder; default natsburn-runs/<time>-<test>"),
    TEXT("cluster", cluster, "local", "KIND",
	"one of \"natsburn list clusters\""),
    NUMBER("replicas", replicas, "3", 1, 5, "N",
	"replicas of streams and consumers; local: at most one a server"),
    CHOICE("storage", storage, "file", storages, "KIND", "file or memory"),
    CHOICE("storage-compression", storage_compression, "none", compressions,
	"KIND", "streams are compressed: none or s2"),
    NUMBER("consumers", consumers, "10", 1, 4000, "N", "consumer processes"),
    NUMBER("clients", clients, "0", 0, 4000, "N",
	"client processes; 0 is what suits the test"),
    {"rate", OPTION_RATE, AT(rate), "0", 0, 10000000, NULL, "N/s",
	"publish at this rate, all clients together; 0 is no limit", false},
    RANGE("fault-interval", fault_interval, "5s", 100 * CLOCK_MS, DAY,
	"between faults of a mode"),
    RANGE("fault-duration", fault_duration, "0", 0, DAY,
	"how long a fault lasts; 0 is what suits its mode"),
    TEXT("aim", aim, "", "MOMENT[,MOMENT]",
	"faults wait for these moments, or all; default they don't wait"),
    TEXT("schedule", schedule, "", "FILE",
	"faults of this report.json begin as they did, and no others; needs "
	"its seed"),
    TEXT("tolerate", tolerate, "minority", "BOUND",
	"servers out of service at once: minority, a number, or none (no "
	"bound)"),
    NUMBER("mix", mix, "0", 0, 64, "N",
	"modes at once; 0 is all of up to three, two of more"),
    TIME("mix-time", mix_time_ns, "30s", CLOCK_S, DAY,
	"time of a mix before the next one"),
    TIME("op-timeout", op_timeout_ns, "30s", CLOCK_S, DAY,
	"longest an operation may be retried"),
    TIME("consume-timeout", consume_timeout_ns, "30s", CLOCK_S, DAY,
	"longest from publish ack to confirmed consumption"),
    TIME("recover-timeout", recover_timeout_ns, "240s", CLOCK_S, DAY,
	"longest from the end of a fault until all groups are whole"),
    TIME("settle-timeout", settle_timeout_ns, "0", 0, DAY,
	"longest end of a run after its load; 0: 60s, 120s with faults"),
    TIME("quiet-time", quiet_ns, "2s", 0, DAY,
	"load without faults before the first one and between mixes"),
    TEXT("limit", limit, "", "FIGURE<VALUE",
	"exit code 4 if a figure is beyond it, as stall<10s; can be repeated"),
    FLAG("strict-availability", strict_availability,
	"count time in which faults may stop JetStream, too"),
    FLAG("strict-answers", strict_answers,
	"a wrong answer fails the run even if leaders changed"),
    {"limit-server-memory", OPTION_SIZE, AT(limit_memory), "0", 0, INT64_MAX,
	NULL, "SIZE", "a server with more memory fails the run; 0: no limit",
	false},
    NUMBER("limit-server-goroutines", limit_goroutines, "0", 0, INT64_MAX, "N",
	"local: likewise with more goroutines"),
    NUMBER("limit-server-files", limit_files, "0", 0, INT64_MAX, "N",
	"local: likewise with more open files"),
    FLAG("stop-on-anomaly", stop_on_anomaly,
	"end the load at the first violation"),
    FLAG("json", json, "print the result as JSON on stdout"),
    FLAG("quiet", quiet, "no progress; errors and the exit code only"),
    TEXT("metrics", metrics, "", "HOST:PORT",
	"serve metrics for Prometheus here during the run"),
    TIME("status-interval", status_interval_ns, "0", 0, DAY,
	"between status lines, report.json is renewed; 0: neither"),
    {"journal-keep", OPTION_SIZE, AT(journal_keep), "0", UINT64_C(1) << 20,
	INT64_MAX, NULL, "SIZE",
	"drop what nothing needs of a larger journal; 0 keeps all", false},
    TEXT("topology", topology, "cluster", "SHAPE",
	"local: cluster, supercluster:CxN (gateways) or leaf:N+M"),
    NUMBER("servers", servers, "3", 1, CONFIG_NODES_MAX, "N",
	"local: servers to start"),
    TEXT("server-bin", server_bin, "", "PATH[,PATH]",
	"local: nats-server binary, one for all or one each"),
    TEXT("server-conf", server_conf, "", "FILE",
	"local: merged into each server's configuration"),
    CHOICE("encryption", encryption, "none", ciphers, "CIPHER",
	"local: stores are encrypted: none, aes or chacha"),
    TEXT("sync", sync, "", "WHEN",
	"local: stores are synced so often, or always; default nats-server's"),
    TEXT("url", url, "", "URL[,URL]",
	"external, kubernetes: where clients connect; also --server, -s"),
    TEXT("monitor", monitor, "", "URL[,URL]", "external: monitoring addresses"),
    TEXT("pid", pid, "", "PID[,PID]",
	"external: its servers' processes on this host, for faults"),
    TEXT("unit", unit, "", "UNIT[,UNIT]",
	"external: systemd's units of them, for faults; they can be killed"),
    TEXT("user", user, "", "NAME", "external: user name"),
    SECRET("password", password, "TEXT",
	"external: its password; better by file or environment"),
    TEXT("password-file", password_file, "", "FILE",
	"external: file with the password"),
    SECRET("token", token, "TEXT",
	"external: token; better by file or environment"),
    TEXT("token-file", token_file, "", "FILE", "external: file with the token"),
    TEXT("nkey", nkey, "", "FILE", "external: file with a user nkey's seed"),
    TEXT("creds", creds, "", "FILE", "external: credentials file (JWT, seed)"),
    TEXT("sys-user", sys_user, "", "NAME",
	"external, kubernetes: user of the system account, for faults"),
    SECRET("sys-password", sys_password, "TEXT",
	"external: its password; better by file or environment"),
    TEXT("sys-password-file", sys_password_file, "", "FILE",
	"external: file with that password"),
    TEXT("sys-nkey", sys_nkey, "", "FILE",
	"external: nkey seed of a user of the system account"),
    TEXT("sys-creds", sys_creds, "", "FILE",
	"external: credentials file of one"),
    FLAG("tls", tls, "external: TLS, with the CAs of this host"),
    TEXT("tls-ca", tls_ca, "", "FILE",
	"external: CA certificates to trust; TLS"),
    TEXT("tls-cert", tls_cert, "", "FILE", "external: client certificate; TLS"),
    TEXT("tls-key", tls_key, "", "FILE", "external: its private key"),
    TEXT("tls-hostname", tls_hostname, "", "NAME",
	"external: name in the servers' certificates; TLS"),
    FLAG("tls-first", tls_first,
	"external: TLS before the server says anything; TLS"),
    TEXT("context", context, "", "NAME",
	"external: context of the nats CLI to take what isn't given from"),
    SECRET("user-jwt", user_jwt, "TEXT",
	"external: JWT of the user whose seed --nkey names"),
    TEXT("js-domain", js_domain, "", "NAME",
	"external: JetStream domain; with leaf nodes: hub or leaf"),
    TEXT("js-prefix", js_prefix, "", "PREFIX",
	"external: subjects of JetStream's API begin so; default $JS.API"),
    TEXT("inbox-prefix", inbox_prefix, "", "PREFIX",
	"external: subjects of answers begin so; default _INBOX"),
    TEXT("k8s-statefulset", k8s_statefulset, "", "NAME",
	"kubernetes: the servers; default the only one that serves NATS"),
    TEXT("k8s-namespace", k8s_namespace, "", "NAME",
	"kubernetes: its namespace; default the context's"),
    TEXT("k8s-context", k8s_context, "", "NAME",
	"kubernetes: context of the kubeconfig; default the current one"),
    TEXT("k8s-kubeconfig", k8s_kubeconfig, "", "FILE",
	"kubernetes: kubeconfig; default as kubectl"),
    CHOICE("k8s-reach", k8s_reach, "auto", reaches, "HOW",
	"kubernetes: pods direct, by port-forward, or by the API (proxy)"),
    TEXT("k8s-image", k8s_image, "", "IMAGE",
	"kubernetes: what rolling_upgrade changes to"),
    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
};

void
config_init(struct run_config *c)
{
	memset(c, 0, sizeof(*c));
	option_defaults(config_options, c);
}

void
config_init_open(struct run_config *c)
{
	config_init(c);
	c->replicas = c->consumers = 0; /* clients is 0 by itself */
}

static int
add_limit(struct run_config *c, const char *value, char *why)
{
	char all[2 * OPTION_VALUE_MAX];

	text_format(all, sizeof(all), "%s,%s", c->limit, value);
	return option_set(config_options, c, "--", "limit", all, why);
}

int
config_set(struct run_config *c, const char *name, const char *value, char *why)
{
	if (strcmp(name, "run") == 0) {
		if (text_to_u64(value, UINT64_MAX, &c->run) == 0)
			return 0;
		why[0] = '\0';
		text_add(why, OPTION_WHY_MAX,
		    "run \"%.100s\": must be a number", value);
		return -EINVAL;
	}
	if (strcmp(name, CONFIG_OURS) == 0) {
		c->servers_are_ours = true;
		return 0;
	}
	if (strcmp(name, CONFIG_HIDDEN) == 0) {
		c->servers_are_hidden = true;
		return 0;
	}
	/* Each is one more. */
	if (strcmp(name, "limit") == 0 && c->limit[0] != '\0')
		return add_limit(c, value, why);
	if (strcmp(name, "o") != 0)
		return option_set(config_options, c, "--", name, value, why);
	why[0] = '\0';
	if (c->nextras == CONFIG_EXTRAS_MAX) {
		text_add(why, OPTION_WHY_MAX,
		    "-o \"%.100s\": at most %d of them", value,
		    CONFIG_EXTRAS_MAX);
		return -EINVAL;
	}
	if (!text_fits(c->extras[c->nextras], sizeof(c->extras[0]), value)) {
		text_add(why, OPTION_WHY_MAX,
		    "-o \"%.100s\": at most %zu bytes", value,
		    sizeof(c->extras[0]) - 1);
		return -EINVAL;
	}
	c->nextras++;
	return 0;
}

void
config_hide_password(char *value)
{
	char *begin, *at, *end;
	size_t len;

	for (begin = strstr(value, "://"); begin != NULL;
	     begin = strstr(begin + 3, "://")) {
		end = begin + 3 + strcspn(begin + 3, ",");
		at = memrchr(begin + 3, '@', (size_t)(end - begin - 3));
		if (at == NULL)
			continue;
		len =
		    (size_t)(at - begin) - 3 < 3 ? (size_t)(at - begin) - 3 : 3;
		memset(begin + 3, '.', len);
		memmove(begin + 3 + len, at, strlen(at) + 1);
	}
}

void
config_each(const struct run_config *c, bool with_secrets,
    void (*fn)(void *arg, const char *name, const char *value), void *arg)
{
	const struct option_spec *row;
	char value[OPTION_VALUE_MAX] = "";
	size_t i;

	for (row = config_options; row->name != NULL; row++) {
		if (option_is_default(row, c) || (row->secret && !with_secrets))
			continue;
		option_get(row, c, value, sizeof(value));
		if (!with_secrets)
			config_hide_password(value);
		fn(arg, row->name, value);
	}
	for (i = 0; i < c->nextras; i++)
		fn(arg, "o", c->extras[i]);
	value[0] = '\0';
	text_add(value, sizeof(value), "%llu", (unsigned long long)c->run);
	fn(arg, "run", value);
}

int
config_extras(const struct run_config *c, const char *scope,
    const struct option_spec *rows, void *state, char *why)
{
	char name[64], prefix[48] = "-o ";
	const char *rest, *equals;
	size_t i, len = strlen(scope);

	text_add(prefix, sizeof(prefix), "%s.", scope);
	option_defaults(rows, state);
	for (i = 0; i < c->nextras; i++) {
		rest = c->extras[i];
		if (strncmp(rest, scope, len) != 0 || rest[len] != '.')
			continue;
		rest += len + 1;
		equals = strchr(rest, '=');
		if (equals == NULL || (size_t)(equals - rest) >= sizeof(name)) {
			why[0] = '\0';
			text_add(why, OPTION_WHY_MAX,
			    "-o \"%s\": must be NAME.KEY=VALUE", c->extras[i]);
			return -EINVAL;
		}
		text_set(name, (size_t)(equals - rest) + 1, rest);
		if (option_set(rows, state, prefix, name, equals + 1, why) < 0)
			return -EINVAL;
	}
	return 0;
}

bool
config_has_load(const struct run_config *c)
{
	return strcmp(c->test, "none") != 0;
}

void
config_stream_prefix(const struct run_config *c, char *out, size_t size)
{
	out[0] = '\0';
	if (config_has_load(c))
		text_add(out, size, "NB_%llX_", (unsigned long long)c->run);
}

void
config_js_prefix(const struct run_config *c, char out[static CONFIG_PREFIX_MAX])
{
	if (c->js_domain[0] != '\0')
		text_format(out, CONFIG_PREFIX_MAX, "$JS.%s.API", c->js_domain);
	else
		text_set(out, CONFIG_PREFIX_MAX,
		    c->js_prefix[0] != '\0' ? c->js_prefix : "$JS.API");
}

bool
config_edits_streams(const struct run_config *c)
{
	return config_list_has(c->mayhem, "scale_stream") ||
	       config_list_has(c->mayhem, "edit_stream") ||
	       config_list_has(c->mayhem, "move_stream");
}

uint64_t
config_settle_ns(const struct run_config *c)
{
	if (c->settle_timeout_ns != 0)
		return c->settle_timeout_ns;
	return (strcmp(c->mayhem, "none") == 0 ? 60 : 120) * CLOCK_S;
}

bool
config_list_has(const char *list, const char *name)
{
	char item[CONFIG_LIST_MAX];

	while (text_next_item(&list, item, sizeof(item)))
		if (strcmp(item, name) == 0)
			return true;
	return false;
}

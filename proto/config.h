/* SPDX-License-Identifier: ISC */
/*
 * The configuration of a run: one flat structure, one option row a member.
 * The parent fills it from the command line; children get it as OPTION
 * messages and a recorded run has it at the head of its history.
 */
#ifndef PROTO_CONFIG_H
#define PROTO_CONFIG_H

#include "proto/base/option.h"

#define CONFIG_NAME_MAX	    32
#define CONFIG_PATH_MAX	    512
#define CONFIG_LIST_MAX	    1024
#define CONFIG_EXTRAS_MAX   16
#define CONFIG_NODES_MAX    9
#define CONFIG_PASSWORD_MAX 256
#define CONFIG_PREFIX_MAX   64 /* of a subject */

struct run_config {
	char test[CONFIG_NAME_MAX];
	char mayhem[512]; /* comma-separated modes */
	uint64_t duration_ns;
	uint64_t rounds; /* 0: no limit */
	uint64_t seed;	 /* 0: drawn */
	char out[CONFIG_PATH_MAX];
	char cluster[16];
	uint64_t replicas;
	char storage[16];
	char storage_compression[16];
	uint64_t consumers, clients;
	uint64_t rate; /* of all publishers, a second; 0: no limit */
	struct option_times fault_interval; /* one time: the mean */
	struct option_times fault_duration; /* 0: each mode's own */
	char aim[CONFIG_LIST_MAX];	    /* moments, or all; empty: none */
	char schedule[CONFIG_PATH_MAX];	    /* faults as recorded there */
	char tolerate[16];
	uint64_t mix; /* modes at once; 0: all, or 2 of many */
	uint64_t mix_time_ns;
	uint64_t op_timeout_ns, consume_timeout_ns, recover_timeout_ns;
	uint64_t settle_timeout_ns; /* 0: as config_settle_ns() has it */
	uint64_t quiet_ns;	    /* quiet phase before the first fault */
	uint64_t limit_memory, limit_goroutines, limit_files; /* 0: none */
	char limit[CONFIG_LIST_MAX]; /* figures and their bounds */
	bool strict_availability, strict_answers, stop_on_anomaly;
	bool json, quiet;
	char metrics[128];	     /* HOST:PORT, empty: none */
	uint64_t status_interval_ns; /* 0: no status */
	uint64_t journal_keep;	     /* bytes; 0: everything */
	/* local */
	char topology[32];
	uint64_t servers;
	char server_bin[CONFIG_LIST_MAX];
	char server_conf[CONFIG_PATH_MAX];
	char encryption[16];
	char sync[16]; /* always or a time; empty: nats-server's own */
	/* external */
	char url[CONFIG_LIST_MAX], monitor[CONFIG_LIST_MAX];
	char pid[CONFIG_LIST_MAX], unit[CONFIG_LIST_MAX]; /* its processes */
	char user[128], password[CONFIG_PASSWORD_MAX];
	char password_file[CONFIG_PATH_MAX];
	char token[CONFIG_LIST_MAX], token_file[CONFIG_PATH_MAX];
	char nkey[CONFIG_PATH_MAX], creds[CONFIG_PATH_MAX];
	char sys_user[128], sys_password[CONFIG_PASSWORD_MAX];
	char sys_password_file[CONFIG_PATH_MAX];
	char sys_nkey[CONFIG_PATH_MAX], sys_creds[CONFIG_PATH_MAX];
	bool tls;
	char tls_ca[CONFIG_PATH_MAX], tls_cert[CONFIG_PATH_MAX];
	char tls_key[CONFIG_PATH_MAX], tls_hostname[256];
	bool tls_first;
	char user_jwt[CONFIG_LIST_MAX]; /* its seed is in nkey */
	char context[128];		/* of the nats CLI */
	char js_domain[CONFIG_NAME_MAX];
	/* without a dot at the end */
	char js_prefix[CONFIG_PREFIX_MAX], inbox_prefix[CONFIG_PREFIX_MAX];
	/* kubernetes */
	char k8s_statefulset[64], k8s_namespace[64], k8s_context[256];
	char k8s_kubeconfig[CONFIG_PATH_MAX], k8s_reach[16], k8s_image[256];
	/* -o NAME.KEY=VALUE, checked against the test's own rows */
	char extras[CONFIG_EXTRAS_MAX][192];
	size_t nextras;
	/* not an option: carried by every payload of this run */
	uint64_t run;
	/*
	 * Not options either: what the cluster's driver says of its servers,
	 * told to workers only. They are natsburn's own; what they tell of
	 * each other's addresses may lead clients nowhere.
	 */
	bool servers_are_ours, servers_are_hidden;
};

/*
 * Who logs in, by one of these; NULL and empty texts are not given. Nothing is
 * copied.
 */
struct config_login {
	const char *user, *password;
	const char *token;
	const char *nkey, *creds; /* files */
	const char *jwt;	  /* its seed is in nkey */
	bool is_open;		  /* nothing is asked for */
};

/* The rows of struct run_config. */
extern const struct option_spec config_options[];

/* All defaults. */
void config_init(struct run_config *);

/*
 * The same for a command line, which may leave open how many replicas,
 * consumers and clients there are: 0 until validate_fill().
 */
void config_init_open(struct run_config *);

/* Names of OPTION messages for what is not an option. */
#define CONFIG_OURS   "servers-are-ours"
#define CONFIG_HIDDEN "servers-are-hidden"

/*
 * Take one OPTION message's name and value: a row, "o" for an extra, "run",
 * or one of the names above. 0, -ENOENT or -EINVAL with why (OPTION_WHY_MAX
 * bytes).
 */
int config_set(
    struct run_config *, const char *name, const char *value, char *why);

/*
 * Call fn for each option that isn't at its default, then each extra, then
 * the run id: enough for config_set() to build it again. Secrets are left
 * out unless with_secrets.
 */
void config_each(const struct run_config *, bool with_secrets,
    void (*fn)(void *arg, const char *name, const char *value), void *arg);

/*
 * Fill state from its rows' defaults and the extras that begin with
 * "scope.". 0 or -EINVAL with why.
 */
int config_extras(const struct run_config *, const char *scope,
    const struct option_spec *rows, void *state, char *why);

/*
 * How the names of the run's streams begin; the stream of a key-value bucket
 * has KV_ before it. Of "none", whose load is somebody else's, it is empty.
 */
void config_stream_prefix(const struct run_config *, char *out, size_t size);

/* How the subjects of JetStream's API begin: "$JS.API" unless told. */
void config_js_prefix(
    const struct run_config *, char out[static CONFIG_PREFIX_MAX]);

/*
 * nats://user:password@host becomes nats://...@host, in each of a list. The
 * text never gets longer.
 */
void config_hide_password(char *urls);

/*
 * How long the end of the run may take, from settle to down: what the user
 * set, or what suits its faults.
 */
uint64_t config_settle_ns(const struct run_config *);

/* Is there a load? The test none has none: servers alone. */
bool config_has_load(const struct run_config *);

/*
 * Does a mode of --mayhem send whole configurations of streams? It would put
 * back what somebody else changes meanwhile.
 */
bool config_edits_streams(const struct run_config *);

/* True when name is one of the comma-separated items of list. */
bool config_list_has(const char *list, const char *name);

#endif

/* SPDX-License-Identifier: ISC */
/* The command line; see cli.h. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chaos/chaos.h"
#include "orchestrator/command/cli.h"
#include "orchestrator/command/login.h"
#include "orchestrator/judge/judge.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "worker/worker.h"

#define NAMES_MAX 64
#define TYPO	  9 /* in so many letters one may be wrong */

int
cli_usage(const char *fmt, ...)
{
	va_list ap;

	fputs("natsburn: ", stderr);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return EXIT_USAGE;
}

void
cli_variable(const char *option, char *out, size_t size)
{
	char *p;

	out[0] = '\0';
	text_add(out, size, "NATSBURN_%s", option);
	for (p = out; *p != '\0'; p++)
		*p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
}

/* The option's variable that is nearest to a word, and how far it is. */
static unsigned
nearest_variable(const char *word, char *out, size_t size)
{
	const struct option_spec *row;
	unsigned best = UINT_MAX, d;
	char name[80];

	for (row = config_options; row->name != NULL; row++) {
		cli_variable(row->name, name, sizeof(name));
		d = text_distance(word, name);
		if (d >= best)
			continue;
		best = d;
		text_set(out, size, name);
	}
	return best;
}

/*
 * A variable that is nearly an option's was meant as one. Others that begin
 * like it are somebody's own.
 */
static int
look_for_misspelt(void)
{
	char word[80], near[80];
	unsigned d;
	char **var;

	for (var = environ; *var != NULL; var++) {
		if (strncmp(*var, "NATSBURN_", 9) != 0)
			continue;
		text_set(word, sizeof(word), *var);
		word[strcspn(word, "=")] = '\0';
		d = nearest_variable(word, near, sizeof(near));
		if (d == 0 || d > strlen(near) / TYPO)
			continue;
		(void)cli_usage("in the environment, %s: no such option; did "
				"you mean %s?",
		    word, near);
		return -EINVAL;
	}
	return 0;
}

static int
from_environment(struct run_config *c)
{
	const struct option_spec *row;
	char name[80], why[OPTION_WHY_MAX];
	char *value;
	int err;

	if (look_for_misspelt() < 0)
		return -EINVAL;
	for (row = config_options; row->name != NULL; row++) {
		cli_variable(row->name, name, sizeof(name));
		value = getenv(name);
		if (value == NULL)
			continue;
		err = config_set(c, row->name, value, why);
		login_hide(row, value);
		if (row->secret)
			(void)unsetenv(name); /* children must not have it */
		if (err < 0) {
			(void)cli_usage(
			    "in the environment, %s: %s", name, why);
			return -EINVAL;
		}
	}
	return 0;
}

/* One option at argv[i]; returns how many words it took, or -EINVAL. */
static int
take_option(struct run_config *c, int argc, char **argv, int i)
{
	const struct option_spec *row;
	char name[80], why[OPTION_WHY_MAX];
	char *word = argv[i], *value = NULL, *equals, yes[] = "true",
	     none[] = "";
	int took = 1, err;

	if (strcmp(word, "-o") == 0)
		text_set(name, sizeof(name), "o");
	else if (strncmp(word, "--", 2) == 0) {
		equals = strchr(word, '=');
		if (equals != NULL && (size_t)(equals - word) < sizeof(name)) {
			text_set(name, (size_t)(equals - word) - 1, word + 2);
			value = equals + 1;
		} else
			text_set(name, sizeof(name), word + 2);
	} else {
		(void)cli_usage(
		    "unknown option %s; options begin with --", word);
		return -EINVAL;
	}
	row = option_find(config_options, name);
	if (value == NULL && row != NULL && row->type == OPTION_FLAG)
		value = yes;
	if (value == NULL && (row != NULL || strcmp(name, "o") == 0)) {
		if (i + 1 >= argc) {
			(void)cli_usage("%s needs a value", word);
			return -EINVAL;
		}
		value = argv[i + 1];
		took = 2;
	}
	value = value != NULL ? value : none;
	err = config_set(c, name, value, why);
	if (row != NULL)
		login_hide(row, value);
	if (err < 0) {
		(void)cli_usage("%s", why);
		return -EINVAL;
	}
	return took;
}

/* Options of argv; see cli_options(). */
static int
take_words(struct run_config *c, int argc, char **argv, const char **words,
    int max_words)
{
	int i = 0, n = 0, took;

	while (i < argc) {
		if (argv[i][0] == '-' && argv[i][1] != '\0') {
			took = take_option(c, argc, argv, i);
			if (took < 0)
				return took;
			i += took;
			continue;
		}
		if (n == max_words) {
			(void)cli_usage("\"%s\": one word too many", argv[i]);
			return -EINVAL;
		}
		words[n++] = argv[i++];
	}
	return n;
}

int
cli_options(struct run_config *c, int argc, char **argv, const char **words,
    int max_words)
{
	if (from_environment(c) < 0)
		return -EINVAL;
	return take_words(c, argc, argv, words, max_words);
}

int
cli_connect_options(struct run_config *c, int argc, char **argv,
    const char **words, int max_words)
{
	struct run_config env;
	int n;

	if (from_environment(c) < 0)
		return -EINVAL;
	env = *c;
	n = take_words(c, argc, argv, words, max_words);
	if (n < 0)
		return n;
	return login_take(c, &env) == 0 ? n : -EINVAL;
}

static int
unknown_name(
    const char *what, const char *name, const char *const *names, size_t n)
{
	const char *near = text_nearest(name, names, n);

	if (near != NULL)
		return cli_usage(
		    "unknown %s \"%s\"; did you mean %s?", what, name, near);
	return cli_usage(
	    "unknown %s \"%s\"; \"natsburn list\" names them", what, name);
}

static int
validate_test(const struct run_config *c)
{
	const struct workload_ops *w = workload_find(c->test);
	const char *names[NAMES_MAX];
	size_t n;

	if (c->test[0] == '\0')
		return cli_usage("which test? \"natsburn list\" names them");
	if (w == NULL) {
		for (n = 0; workload_table[n] != NULL; n++)
			names[n] = workload_table[n]->name;
		return unknown_name("test", c->test, names, n);
	}
	if (w->needs_no_cluster != (strcmp(c->cluster, "null") == 0))
		return cli_usage("--cluster %s: test %s runs with %s only",
		    c->cluster, c->test,
		    w->needs_no_cluster ? "--cluster null"
					: "a cluster of servers");
	if (c->rate != 0 && !w->takes_rate)
		return cli_usage("--rate %llu/s: test %s has one message in "
				 "flight and no rate; pipeline has one",
		    (unsigned long long)c->rate, c->test);
	return 0;
}

static int
validate_tolerate(const struct run_config *c)
{
	uint64_t bound;

	if (strcmp(c->tolerate, "minority") == 0 ||
	    strcmp(c->tolerate, "none") == 0 ||
	    (text_to_u64(c->tolerate, CONFIG_NODES_MAX, &bound) == 0 &&
		bound >= 1))
		return 0;
	return cli_usage("--tolerate \"%s\": must be minority, none, or a "
			 "number of servers from 1 to %d",
	    c->tolerate, CONFIG_NODES_MAX);
}

/* Does the mode keep within --tolerate, and do the options suit it? */
static int
validate_mode(const struct run_config *c, const struct mayhem_ops *ops)
{
	unsigned n = (unsigned)c->servers, width = mayhem_width(ops, n);
	char why[OPTION_WHY_MAX];

	if (width > mayhem_tolerated(c, n))
		return cli_usage("--mayhem %s: puts %u of %u servers out of "
				 "service at once, more than --tolerate %s; "
				 "--tolerate none allows it",
		    ops->name, width, n, c->tolerate);
	if (ops->check != NULL && ops->check(c, why) == -EINVAL)
		return cli_usage("--mayhem %s: %s", ops->name, why);
	return 0;
}

int
cli_expand_mayhem(struct run_config *c)
{
	const struct cluster_ops *driver = cluster_find(c->cluster);
	const struct mayhem_ops *const *m;
	char list[sizeof(c->mayhem)] = "", why[OPTION_WHY_MAX];
	unsigned n = (unsigned)c->servers;

	if (strcmp(c->mayhem, "all") != 0)
		return 0;
	for (m = mayhem_table; *m != NULL && driver != NULL; m++) {
		if ((*m)->is_on_demand || ((*m)->needs & ~driver->can) != 0 ||
		    mayhem_width(*m, n) > mayhem_tolerated(c, n) ||
		    ((*m)->check != NULL && (*m)->check(c, why) < 0))
			continue;
		if (!text_fits_add(list, sizeof(list), "%s%s",
			list[0] != '\0' ? "," : "", (*m)->name))
			return cli_usage("--mayhem all: too many modes");
	}
	if (list[0] == '\0')
		return cli_usage("--mayhem all: no mode can be done with "
				 "--cluster %s and these options",
		    c->cluster);
	text_set(c->mayhem, sizeof(c->mayhem), list);
	return 0;
}

static int
validate_mayhem(const struct run_config *c)
{
	const char *list = c->mayhem, *names[NAMES_MAX];
	char mode[64];
	size_t n, count = 0;
	int bad;

	for (n = 0; mayhem_table[n] != NULL; n++)
		names[n] = mayhem_table[n]->name;
	while (text_next_item(&list, mode, sizeof(mode))) {
		count++;
		if (mayhem_find(mode) == NULL)
			return unknown_name("mayhem mode", mode, names, n);
		bad = validate_mode(c, mayhem_find(mode));
		if (bad != 0)
			return bad;
	}
	if (count == 0)
		return cli_usage("--mayhem \"\": must name a mode, or none");
	if (count > 1 && config_list_has(c->mayhem, "none"))
		return cli_usage(
		    "--mayhem \"%s\": none stands alone", c->mayhem);
	return 0;
}

static int
validate_rows(const struct run_config *c, const char *scope,
    const struct option_spec *rows, size_t size, const struct workload_ops *w)
{
	static const struct option_spec no_rows[] = {
	    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false}};
	void *state = calloc(1, size ? size : 1);
	char why[OPTION_WHY_MAX];
	int err;

	if (state == NULL)
		return cli_usage("out of memory");
	err =
	    config_extras(c, scope, rows != NULL ? rows : no_rows, state, why);
	if (err == 0 && w != NULL && w->validate != NULL)
		err = w->validate(c, state, why);
	free(state);
	return err < 0 ? cli_usage("%s", why) : 0;
}

static bool
is_scope(const char *extra, const char *scope)
{
	size_t len = strlen(scope);

	return strncmp(extra, scope, len) == 0 && extra[len] == '.';
}

/* -o NAME.KEY=VALUE: NAME is the test or one of the modes of this run. */
static int
validate_extra(const struct run_config *c, const char *extra)
{
	const struct workload_ops *w = workload_find(c->test);
	const char *list = c->mayhem;
	const struct mayhem_ops *m;
	char mode[64];

	if (is_scope(extra, w->name))
		return 0; /* all of the test's are looked at together */
	while (text_next_item(&list, mode, sizeof(mode))) {
		m = mayhem_find(mode);
		if (is_scope(extra, mode))
			return validate_rows(
			    c, mode, m->options, m->options_size, NULL);
	}
	return cli_usage("-o \"%s\": must be %s.KEY=VALUE in this run, or "
			 "MODE.KEY=VALUE of one of its mayhem modes",
	    extra, w->name);
}

static int
validate_extras(const struct run_config *c)
{
	const struct workload_ops *w = workload_find(c->test);
	size_t i;
	int bad = 0;

	for (i = 0; i < c->nextras && bad == 0; i++)
		bad = validate_extra(c, c->extras[i]);
	if (bad == 0)
		bad = validate_rows(c, w->name, w->options, w->options_size, w);
	return bad;
}

static int
validate_file(const char *option, const char *path)
{
	if (path[0] != '\0' && access(path, R_OK) < 0)
		return cli_usage(
		    "--%s \"%s\": %s", option, path, strerror(errno));
	return 0;
}

/* A name as Kubernetes has them: RFC 1123. */
static int
validate_label(const char *option, const char *name)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	size_t len = strlen(name);

	if (len == 0 || (strspn(name, chars) == len && name[0] != '-' &&
			    name[len - 1] != '-' && len < 64))
		return 0;
	return cli_usage("--%s \"%s\": must be letters a-z, digits and dashes, "
			 "no dash at either end",
	    option, name);
}

static int
validate_kubernetes(const struct run_config *c)
{
	const char *given[][2] = {
	    {"k8s-statefulset", c->k8s_statefulset},
	    {"k8s-namespace", c->k8s_namespace},
	    {"k8s-context", c->k8s_context},
	    {"k8s-kubeconfig", c->k8s_kubeconfig},
	    {"k8s-reach", c->k8s_reach},
	    {"k8s-image", c->k8s_image},
	};
	size_t i;
	int bad;

	if (strcmp(c->cluster, "kubernetes") == 0) {
		bad = validate_label("k8s-statefulset", c->k8s_statefulset);
		if (bad == 0)
			bad = validate_label("k8s-namespace", c->k8s_namespace);
		if (bad == 0)
			bad =
			    validate_file("k8s-kubeconfig", c->k8s_kubeconfig);
		if (bad == 0 && strcmp(c->k8s_reach, "proxy") == 0 &&
		    c->url[0] == '\0')
			return cli_usage("--k8s-reach proxy: goes with --url "
					 "nats://..., for clients can't go "
					 "through the API");
		if (bad == 0 && strpbrk(c->k8s_image, " \t\n\"\\") != NULL)
			return cli_usage("--k8s-image \"%s\": must be the name "
					 "of an image, without blanks and "
					 "quotes",
			    c->k8s_image);
		return bad;
	}
	if (strcmp(c->k8s_reach, "auto") == 0)
		given[4][1] = ""; /* its default */
	for (i = 0; i < sizeof(given) / sizeof(given[0]); i++)
		if (given[i][1][0] != '\0')
			return cli_usage("--%s \"%s\": goes with --cluster "
					 "kubernetes, not %s",
			    given[i][0], given[i][1], c->cluster);
	return 0;
}

static int
validate_status(const struct run_config *c)
{
	char value[32];

	if (c->status_interval_ns == 0 || c->status_interval_ns >= CLOCK_S)
		return 0;
	text_from_duration(c->status_interval_ns, value, sizeof(value));
	return cli_usage(
	    "--status-interval \"%s\": must be 0 or from 1s to 1d", value);
}

int
cli_validate(const struct run_config *c)
{
	bool is_external = strcmp(c->cluster, "external") == 0;
	bool is_kubernetes = strcmp(c->cluster, "kubernetes") == 0;
	const struct cluster_ops *driver;
	char why[CLUSTER_WHY_MAX];
	int bad;

	bad = validate_test(c);
	if (bad == 0)
		bad = validate_status(c);
	if (bad == 0)
		bad = validate_tolerate(c);
	if (bad == 0)
		bad = validate_mayhem(c);
	if (bad == 0)
		bad = validate_extras(c);
	if (bad == 0)
		bad = validate_file("server-conf", c->server_conf);
	if (bad == 0)
		bad = login_validate(c);
	if (bad == 0)
		bad = validate_kubernetes(c);
	if (bad != 0)
		return bad;
	if (!is_kubernetes && is_external != (c->url[0] != '\0'))
		return is_external
			   ? cli_usage(
				 "--cluster external: needs --url nats://...")
			   : cli_usage("--url \"%s\": goes with --cluster "
				       "external or kubernetes",
				 c->url);
	if (strcmp(c->cluster, "local") == 0 && c->replicas > c->servers)
		return cli_usage("--replicas %llu: more than --servers %llu",
		    (unsigned long long)c->replicas,
		    (unsigned long long)c->servers);
	driver = cluster_find(c->cluster);
	if (driver == NULL)
		return cli_usage(
		    "--cluster %s: this build has no such driver", c->cluster);
	if (driver->validate != NULL &&
	    driver->validate(c, why, sizeof(why)) < 0)
		return cli_usage("%s", why);
	return 0;
}

static int
check_binary(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return cli_usage(
		    "--server-bin \"%s\": %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || access(path, X_OK) < 0)
		return cli_usage(
		    "--server-bin \"%s\": is not an executable file", path);
	return 0;
}

bool
cli_find_program(const char *name, char *out, size_t size)
{
	const char *path = getenv("PATH"), *end;
	char list[4096] = "";

	text_add(list, sizeof(list),
	    "%s:/usr/local/bin:/usr/sbin:", path != NULL ? path : "");
	for (path = list; (end = strchr(path, ':')) != NULL; path = end + 1) {
		out[0] = '\0';
		text_add(out, size, "%.*s/%s", (int)(end - path), path, name);
		if (end > path && access(out, X_OK) == 0)
			return true;
	}
	return false;
}

int
cli_find_server(struct run_config *c)
{
	const char *list = c->server_bin;
	char path[CONFIG_LIST_MAX];
	unsigned n = 0;
	int bad;

	if (list[0] == '\0') {
		if (cli_find_program(
			"nats-server", c->server_bin, sizeof(c->server_bin)))
			return 0;
		(void)cli_usage("no nats-server on PATH: install the package "
				"nats-server or name one with --server-bin");
		return EXIT_CLUSTER;
	}
	while (text_next_item(&list, path, sizeof(path))) {
		bad = check_binary(path);
		if (bad != 0)
			return bad;
		n++;
	}
	if (n > 1 && n > c->servers)
		return cli_usage("--server-bin: %u binaries for %llu servers",
		    n, (unsigned long long)c->servers);
	return 0;
}

/* SPDX-License-Identifier: ISC */
/* The command line; see cli.h. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "orchestrator/command/cli.h"
#include "orchestrator/command/clusters.h"
#include "orchestrator/command/job.h"
#include "orchestrator/command/login.h"
#include "orchestrator/command/usage.h"
#include "orchestrator/judge/judge.h"
#include "proto/base/text.h"

/* The nats CLI's words for options of ours. */
static const char *const aliases[][2] = {
    {"server", "url"},
    {"tlscert", "tls-cert"},
    {"tlskey", "tls-key"},
    {"tlsca", "tls-ca"},
    {"tlsfirst", "tls-first"},
    {"js-api-prefix", "js-prefix"},
};

#define TYPO 9 /* in so many letters one may be wrong */

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
		usage_say("in the environment, %s: no such option; did "
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
		if (login_refuse_secret(row, value, name) < 0)
			return -EINVAL;
		err = config_set(c, row->name, value, why);
		login_hide(row, value);
		if (row->secret)
			(void)unsetenv(name); /* children must not have it */
		if (err < 0) {
			usage_say("in the environment, %s: %s", name, why);
			return -EINVAL;
		}
	}
	return 0;
}

void
cli_resolve_alias(char *name, size_t size)
{
	size_t i;

	for (i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (strcmp(name, aliases[i][0]) == 0)
			text_set(name, size, aliases[i][1]);
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
	else if (strcmp(word, "-s") == 0)
		text_set(name, sizeof(name), "server");
	else if (strncmp(word, "--", 2) == 0) {
		equals = strchr(word, '=');
		if (equals != NULL && (size_t)(equals - word) < sizeof(name)) {
			text_set(name, (size_t)(equals - word) - 1, word + 2);
			value = equals + 1;
		} else
			text_set(name, sizeof(name), word + 2);
	} else {
		usage_say("unknown option %s; options begin with --", word);
		return -EINVAL;
	}
	cli_resolve_alias(name, sizeof(name));
	row = option_find(config_options, name);
	if (value == NULL && row != NULL && row->type == OPTION_FLAG)
		value = yes;
	if (value == NULL && (row != NULL || strcmp(name, "o") == 0)) {
		if (i + 1 >= argc) {
			usage_say("%s needs a value", word);
			return -EINVAL;
		}
		value = argv[i + 1];
		took = 2;
	}
	value = value != NULL ? value : none;
	if (row != NULL && login_refuse_secret(row, value, name) < 0)
		return -EINVAL;
	err = config_set(c, name, value, why);
	if (row != NULL)
		login_hide(row, value);
	if (err < 0) {
		usage_say("%s", why);
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
			usage_say("\"%s\": one word too many", argv[i]);
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
	int n;

	if (job_set(c) != 0 || from_environment(c) < 0)
		return -EINVAL;
	n = take_words(c, argc, argv, words, max_words);
	return n < 0 || clusters_find(c) == 0 ? n : -EINVAL;
}

int
cli_connect_options(struct run_config *c, int argc, char **argv,
    const char **words, int max_words)
{
	struct run_config env;
	int n;

	/* Who names servers means them, and no others. */
	c->cluster[0] = '\0';
	if (job_set(c) != 0 || from_environment(c) < 0)
		return -EINVAL;
	env = *c;
	n = take_words(c, argc, argv, words, max_words);
	if (n < 0)
		return n;
	if (c->cluster[0] == '\0')
		text_set(c->cluster, sizeof(c->cluster),
		    c->url[0] != '\0' || c->context[0] != '\0' ? "external"
							       : "local");
	if (clusters_find(c) != 0)
		return -EINVAL;
	return login_take(c, &env) == 0 ? n : -EINVAL;
}

static void
drop_word(int *argc, char **argv, int i, int n)
{
	memmove(&argv[i], &argv[i + n],
	    (size_t)(*argc - i - n + 1) * sizeof(argv[0]));
	*argc -= n;
}

int
cli_take_own(
    const struct option_spec *rows, void *values, int *argc, char **argv)
{
	const struct option_spec *row;
	char name[32], variable[80], why[OPTION_WHY_MAX];
	const char *value;
	int i = 0, n;

	option_defaults(rows, values);
	if (job_set_own(rows, values) != 0)
		return EXIT_USAGE;
	for (row = rows; row->name != NULL; row++) {
		cli_variable(row->name, variable, sizeof(variable));
		value = getenv(variable);
		if (value != NULL &&
		    option_set(rows, values, "--", row->name, value, why) < 0)
			return usage_error(
			    "in the environment, %s: %s", variable, why);
	}
	while (i < *argc) {
		value = strchr(argv[i], '=');
		name[0] = '\0';
		if (strncmp(argv[i], "--", 2) == 0)
			text_add(name, sizeof(name), "%.*s",
			    (int)strcspn(argv[i] + 2, "="), argv[i] + 2);
		row = option_find(rows, name);
		if (row == NULL) {
			i++;
			continue;
		}
		n = value != NULL || row->type == OPTION_FLAG ? 1 : 2;
		if (i + n > *argc)
			return usage_error("--%s needs a value", name);
		if (value == NULL)
			value = n == 1 ? "true" : argv[i + 1];
		else
			value++;
		if (option_set(rows, values, "--", name, value, why) < 0)
			return usage_error("%s", why);
		drop_word(argc, argv, i, n);
	}
	return 0;
}

/* SPDX-License-Identifier: ISC */
/*
 * Settings of the nats CLI: which of command line, NATSBURN_*, context and
 * NATS_* goes before which, for each of them; that a login is never put
 * together of two; that nothing but natsburn's own words chooses the cluster;
 * and that no secret stays in the environment.
 */
#include "tests/support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "orchestrator/command/cli.h"
#include "proto/base/text.h"

#define SEED  "SUAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H776Y"
#define JWT   "eyJ0eXAiOiJqd3QiLCJhbGciOiJlZDI1NTE5In0.eyJqdGkiOiJYIn0.c2ln"
#define CREDS "-----BEGIN NATS USER JWT-----\n-----BEGIN USER NKEY SEED-----\n"
#define WORDS 12

static char home[SUPPORT_PATH_MAX];

static void
put(const char *name, const char *text)
{
	char path[SUPPORT_PATH_MAX + 64];
	FILE *f;

	text_format(path, sizeof(path), "%s/%s", home, name);
	f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static int
set_up(void **state)
{
	static const char *const folders[] = {
	    ".config", ".config/nats", ".config/nats/context", "bin"};
	char path[SUPPORT_PATH_MAX + 64];
	size_t i;

	(void)state;
	support_dir_make(home);
	for (i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		text_format(path, sizeof(path), "%s/%s", home, folders[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	put("a.creds", CREDS);
	put("b.creds", CREDS);
	put("a.nk", SEED);
	put("b.nk", SEED);
	put("ca.pem", "-----BEGIN CERTIFICATE-----\n");
	put("cert.pem", "-----BEGIN CERTIFICATE-----\n");
	put("key.pem", "-----BEGIN PRIVATE KEY-----\n");
	put("bin/nsc",
	    "#!/bin/sh\n"
	    "echo noise >&2\n"
	    "[ \"$*\" = 'generate profile nsc://op/acc/usr' ] || exit 1\n"
	    "echo '{\"user_creds\": \"'$HOME'/a.creds\",'\n"
	    "echo ' \"operator\": {\"service\": [\"nats://nsc:1\"]}}'\n");
	text_format(path, sizeof(path), "%s/bin/nsc", home);
	assert_int_equal(chmod(path, 0700), 0);
	text_format(path, sizeof(path), "%s/bin:/usr/bin:/bin", home);
	assert_int_equal(setenv("PATH", path, 1), 0);
	assert_int_equal(setenv("HOME", home, 1), 0);
	assert_int_equal(unsetenv("XDG_CONFIG_HOME"), 0);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	support_dir_remove(home);
	return 0;
}

/* Words with blanks between them; each gets memory that may be written. */
static size_t
split(char *text, char **words)
{
	char *word, *rest = NULL;
	size_t n = 0;

	for (word = strtok_r(text, " ", &rest); word != NULL;
	     word = strtok_r(NULL, " ", &rest)) {
		assert_true(n < WORDS);
		words[n++] = word;
	}
	return n;
}

struct row {
	const char *argv, *env; /* options; NAME=VALUE of the environment */
	const char *context;	/* the file c.json, or NULL */
	bool is_selected;	/* and it is the one in context.txt */
	const char *expected;	/* OPTION=VALUE; "" refused */
};

/* NAME=VALUE into the environment, or with value NULL out of it. */
static void
set_environment(const char *env, bool is_set)
{
	char text[1024], *words[WORDS], *equals;
	size_t n, i;

	text_set(text, sizeof(text), env);
	n = split(text, words);
	for (i = 0; i < n; i++) {
		equals = strchr(words[i], '=');
		*equals = '\0';
		assert_int_equal(is_set ? setenv(words[i], equals + 1, 1)
					: unsetenv(words[i]),
		    0);
	}
}

static void
expect_values(const struct row *row, const struct run_config *c)
{
	char text[1024], value[OPTION_VALUE_MAX], *words[WORDS], *equals;
	const char *want;
	const struct option_spec *option;
	char path[SUPPORT_PATH_MAX + 64];
	size_t n, i;

	text_set(text, sizeof(text), row->expected);
	n = split(text, words);
	for (i = 0; i < n; i++) {
		equals = strchr(words[i], '=');
		*equals = '\0';
		want = equals + 1;
		if (want[0] == '~') {
			text_format(path, sizeof(path), "%s%s", home, want + 1);
			want = path;
		}
		option = option_find(config_options, words[i]);
		assert_non_null(option);
		option_get(option, c, value, sizeof(value));
		if (strcmp(value, want) != 0)
			fail_msg("%s [%s] [%s]: %s is \"%s\", not \"%s\"",
			    row->argv, row->env, row->context, words[i], value,
			    want);
	}
}

static void
try_row(const struct row *row)
{
	struct run_config *c = calloc(1, sizeof(*c));
	char text[1024], *words[WORDS], path[SUPPORT_PATH_MAX + 64];
	const char *none;
	size_t n;
	int took;

	assert_non_null(c);
	text_format(path, sizeof(path), "%s/.config/nats/context/c.json", home);
	(void)unlink(path); /* the last row may have had none */
	if (row->context != NULL)
		put(".config/nats/context/c.json", row->context);
	put(".config/nats/context.txt", row->is_selected ? "c\n" : "");
	set_environment(row->env, true);
	text_set(text, sizeof(text), row->argv);
	n = split(text, words);
	config_init_open(c);
	took = cli_connect_options(c, (int)n, words, &none, 0);
	if (row->expected[0] == '\0' && took >= 0)
		fail_msg("%s [%s] [%s]: not refused", row->argv, row->env,
		    row->context != NULL ? row->context : "");
	if (row->expected[0] != '\0') {
		assert_int_equal(took, 0);
		expect_values(row, c);
	}
	set_environment(row->env, false);
	free(c);
}

#define ALL                                                                    \
	"{\"description\": \"d\", \"url\": \"nats://ctx:1\", \"user\": \"u\"," \
	" \"password\": \"p\", \"cert\": \"~/cert.pem\","                      \
	" \"key\": \"~/key.pem\", \"ca\": \"~/ca.pem\", \"nsc\": \"\","        \
	" \"jetstream_domain\": \"hub\", \"jetstream_event_prefix\": \"x\","   \
	" \"inbox_prefix\": \"_MINE\", \"token\": null, \"tls_first\": false," \
	" \"color_scheme\": \"\"}"
#define LOGIN(fields) "{\"url\": \"nats://ctx:1\", " fields "}"

static const struct row rows[] = {
    /* Nothing of natsburn's own names servers: they are started here. */
    {"", "NATS_URL=nats://env:1 NATS_CONTEXT=c", ALL, true,
	"cluster=local url= user="},
    {"--cluster local --url nats://a:1", "", NULL, false,
	"cluster=local url=nats://a:1"},
    {"--server nats://a:1", "", NULL, false, "cluster=external"},
    {"-s a", "", NULL, false, "cluster=external url=nats://a"},
    {"", "NATSBURN_URL=nats://b:1", NULL, false,
	"cluster=external url=nats://b:1"},
    {"--context c", "", ALL, false,
	"cluster=external context=c url=nats://ctx:1 user=u password=p "
	"tls-cert=~/cert.pem tls-key=~/key.pem tls-ca=~/ca.pem tls=true "
	"js-domain=hub inbox-prefix=_MINE password-file="},
    {"", "NATSBURN_CONTEXT=c", ALL, false, "url=nats://ctx:1 user=u"},
    {"--cluster external", "NATS_CONTEXT=c", ALL, false, "user=u context=c"},
    {"--cluster external", "", ALL, true, "url=nats://ctx:1 user=u context=c"},
    /* Each before the next: command line, NATSBURN_, context, NATS_. */
    {"--context c --url nats://a:1",
	"NATSBURN_URL=nats://b:1 NATS_URL=nats://e:1", ALL, false,
	"url=nats://a:1 user=u password=p"},
    {"--context c", "NATSBURN_URL=nats://b:1 NATS_URL=nats://e:1", ALL, false,
	"url=nats://b:1 user=u"},
    {"--context c", "NATS_URL=nats://e:1 NATS_USER=e NATS_PASSWORD=e", ALL,
	false, "url=nats://ctx:1 user=u password=p"},
    {"--cluster external",
	"NATS_URL=nats://e:1 NATS_USER=e NATS_PASSWORD=q NATS_CERT=~/cert.pem "
	"NATS_KEY=~/key.pem NATS_CA=~/ca.pem",
	NULL, false,
	"url=nats://e:1 user=e password=q password-file=FILE "
	"tls-cert=~/cert.pem tls-key=~/key.pem tls-ca=~/ca.pem"},
    {"--context c --js-prefix $JS.a.API. --inbox-prefix I.", "", ALL, false,
	"js-prefix=$JS.a.API js-domain= inbox-prefix=I"},
    {"--context c", "NATS_URL=nats://e:1", "{}", false, "url=nats://e:1"},
    {"--context c", "", "{}", false, "url=nats://localhost:4222"},
    {"--cluster external", "", "{}", false, "url= context="},
    /* The selected context's login is not shown to another cluster. */
    {"--url nats://a:1", "", ALL, true, "user= password= context="},
    {"--url nats://a:1", "NATS_CREDS=~/a.creds", ALL, true,
	"creds=~/a.creds user= context="},
    /* A login comes whole from one place. */
    {"--context c", "NATSBURN_CREDS=~", ALL, false, ""},
    {"--context c --user x", "", ALL, false, "user=x password="},
    {"--context c --user u", "", ALL, false, "user=u password=p"},
    {"--url nats://a:1 --user x", "NATS_PASSWORD=q", NULL, false,
	"user=x password=q"},
    {"--url nats://a:1 --user x", "NATS_PASSWORD=q NATS_USER=y", NULL, false,
	"user=x password="},
    {"--context c", "NATSBURN_TOKEN=t", ALL, false, "token=t user="},
    {"--context c", "NATSBURN_PASSWORD=t", ALL, false, "user=u password=t"},
    {"--context c", "NATS_TOKEN=t", ALL, false, "token= user=u"},
    /* Of several ways in one place the CLI's first. */
    {"--context c", "", LOGIN("\"creds\": \"~/a.creds\", \"nkey\": \"~/a.nk\""),
	false, "creds=~/a.creds nkey="},
    {"--context c", "", LOGIN("\"nkey\": \"~/a.nk\", \"token\": \"t\""), false,
	"nkey=~/a.nk token= user-jwt="},
    {"--context c", "",
	LOGIN("\"nkey\": \"~/a.nk\", \"user_jwt\": \"" JWT "\""), false,
	"nkey=~/a.nk user-jwt=" JWT},
    {"--context c", "", LOGIN("\"token\": \"t\""), false,
	"token=t token-file="},
    {"--context c", "", "{\"url\": \"tls://t:secret@ctx:1\"}", false,
	"url=tls://ctx:1 user=t password=secret tls=true"},
    /* What the CLI calls a user is a token if it has no password. */
    {"--url nats://a:1", "NATS_USER=tok", NULL, false,
	"token=tok user= token-file=FILE"},
    {"--url nats://a:1", "NATS_NKEY=~/b.nk", NULL, false, "nkey=~/b.nk"},
    {"--context c", "", "{\"nsc\": \"nsc://op/acc/usr\"}", false,
	"url=nats://nsc:1 creds=~/a.creds"},
    {"--context c", "", LOGIN("\"nsc\": \"nsc://op/acc/usr\""), false,
	"url=nats://ctx:1 creds=~/a.creds"},
    /* Refused: what isn't there, what isn't one, what can't be done. */
    {"--context d", "", ALL, false, ""},
    {"--context ../c", "", ALL, false, ""},
    {"--context c", "", "[]", false, ""},
    {"--context c", "", "{\"url\": 7}", false, ""},
    {"--context c", "", "{\"url\": \"ws://a:1\"}", false, ""},
    {"--context c", "", "{\"url\": \"a\", \"socks_proxy\": \"b\"}", false, ""},
    {"--context c", "", LOGIN("\"windows_cert_store\": \"b\""), false, ""},
    {"--context c", "", LOGIN("\"nsc\": \"nsc://op\""), false, ""},
    {"--context c", "", LOGIN("\"nkey\": \"" SEED "\""), false, ""},
    {"--cluster external", "NATS_NKEY=" SEED, NULL, false, ""},
    {"--cluster external --js-domain a.b", "", NULL, false, ""},
    {"--cluster external --js-prefix a.>", "", NULL, false, ""},
    {"--cluster external --inbox-prefix a..b", "", NULL, false, ""},
    {"--cluster external --js-domain a --js-prefix b", "", NULL, false, ""},
    {"--cluster external --user-jwt " JWT, "", NULL, false, ""},
};

static void
test_rows(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		try_row(&rows[i]);
}

/* The nats.c that natsburn was built with may not be able to. */
static void
test_tls_first(void **state)
{
#ifdef NATSBURN_TLS_FIRST
	const char *expected = "tls-first=true tls=true";
#else
	const char *expected = "";
#endif
	const struct row row = {
	    "--context c", "", LOGIN("\"tls_first\": true"), false, expected};

	(void)state;
	try_row(&row);
}

static void
test_environment(void **state)
{
	struct run_config *c = calloc(1, sizeof(*c));
	char option[] = "--url", url[] = "nats://a:1", *argv[] = {option, url};
	const char *none;
	char *where[3];
	size_t i;
	static const char *const names[] = {
	    "NATS_PASSWORD", "NATS_USER", "NATS_TOKEN"};

	(void)state;
	assert_non_null(c);
	/* The command line goes before them, and they are hidden all the same.
	 */
	assert_int_equal(setenv("NATS_CREDS", "~/a.creds", 1), 0);
	for (i = 0; i < 3; i++) {
		assert_int_equal(setenv(names[i], "hush", 1), 0);
		where[i] = getenv(names[i]);
	}
	config_init_open(c);
	assert_int_equal(cli_connect_options(c, 2, argv, &none, 0), 0);
	for (i = 0; i < 3; i++) {
		assert_null(getenv(names[i]));
		assert_string_equal(where[i], "....");
	}
	free(c);
	assert_int_equal(unsetenv("NATS_CREDS"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_tls_first),
	    cmocka_unit_test(test_environment),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* SPDX-License-Identifier: ISC */
/*
 * redact: each secret is gone, in each form in which a server's
 * configuration, a log line or a page can hold it; what is none stays.
 */
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>

#include "orchestrator/report/redact.h"
#include "proto/base/text.h"

#define SEED_  "SUAIBDPBAUTWCWBKIO6XHQNINK5FWJW4OHLXC3HQ2KFE4PEJUA44CNHTC4"
#define NKEY_  "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"
#define JWT_   "eyJ0eXAiOiJKV1QifQ.eyJqdGkiOiJYIn0.c2lnbmF0dXJl-_x"
#define CRYPT_ "$2a$11$0123456789abcdefABCDEuZx./0123456789abcdefABCDEF01234"

/* "hunter22" and the rest must be gone; MARK stands where it stood. */
static const struct {
	const char *text;
	enum redact_kind kind;
	const char *expected; /* NULL: only that the secret is gone */
} rows[] = {
    {"password: hunter22", REDACT_CONFIG, "password: [removed]"},
    {"password = \"hunter22\" # x", REDACT_CONFIG,
	"password = \"[removed]\" # x"},
    {"pass 'hunter22'\nport: 4222", REDACT_CONFIG,
	"pass '[removed]'\nport: 4222"},
    {"{user: a, password: hunter22}", REDACT_CONFIG,
	"{user: a, password: [removed]}"},
    {"{user: a, PassWord:hunter22, x: 1}", REDACT_CONFIG,
	"{user: a, PassWord:[removed], x: 1}"},
    {"\"password\": \"hunter22\"", REDACT_LOG, "\"password\": \"[removed]\""},
    {"password:\n  \"hunter22\"", REDACT_CONFIG, NULL},
    {"password \"a \\\" hunter22\" y", REDACT_CONFIG,
	"password \"[removed]\" y"},
    {"token: (\nhunter22\n)", REDACT_CONFIG, NULL},
    {"tokens: [hunter22, b]", REDACT_CONFIG, "tokens: [hunter22, b]"},
    {"auth_token=hunter22;", REDACT_LOG, "auth_token=[removed];"},
    {"authorization { token: hunter22 }", REDACT_CONFIG,
	"authorization { token: [removed] }"},
    {"# password: hunter22", REDACT_CONFIG, "# password: [removed]"},
    {"cluster_password: hunter22", REDACT_CONFIG,
	"cluster_password: [removed]"},
    {"jetstream { key: \"hunter22\" }", REDACT_CONFIG,
	"jetstream { key: \"[removed]\" }"},
    {"jetstream { ek: hunter22, prev_key: \"hunter22\" }", REDACT_CONFIG,
	"jetstream { ek: [removed], prev_key: \"[removed]\" }"},
    {"prev_ek: \"hunter22\" # a.conf:1", REDACT_CONFIG,
	"prev_ek: \"[removed]\" # a.conf:1"},
    {"prev_encryption_key = 'hunter22'", REDACT_CONFIG,
	"prev_encryption_key = '[removed]'"},
    {"\"key\": \"orders\"", REDACT_LOG, "\"key\": \"orders\""},
    {"routes: [nats-route://u:hunter22@h:1]", REDACT_CONFIG,
	"routes: [nats-route://[removed]@h:1]"},
    {"nats://hunter22@a:1,nats://b:2/x@y", REDACT_LOG,
	"nats://[removed]@a:1,nats://b:2/x@y"},
    {"{\\\"pass\\\":\\\"hunter22\\\",\\\"v\\\":1}", REDACT_LOG,
	"{\\\"pass\\\":\\\"[removed]\\\",\\\"v\\\":1}"},
    {"CONNECT {\"pass\":\"hunter22\",\"lang\":\"c\"}", REDACT_LOG,
	"CONNECT {\"pass\":\"[removed]\",\"lang\":\"c\"}"},
    {"nkey " SEED_ ".", REDACT_LOG, "nkey [removed]."},
    {"x=" NKEY_ "\n", REDACT_LOG, "x=[removed]\n"},
    {"resolver_preload: { A: " JWT_ " }", REDACT_CONFIG,
	"resolver_preload: { A: [removed] }"},
    {"p: " CRYPT_ " z", REDACT_LOG, "p: [removed] z"},
    {"a\n-----BEGIN RSA PRIVATE KEY-----\nhunter22\n"
     "-----END RSA PRIVATE KEY-----\nb",
	REDACT_LOG, "a\n[removed]\nb"},
    {"-----BEGIN USER NKEY SEED-----\nhunter22\n------END USER NKEY "
     "SEED------\nb",
	REDACT_LOG, "[removed]\nb"},
    {"-----BEGIN PRIVATE KEY-----\nhunter22", REDACT_LOG, "[removed]"},
    {"-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----", REDACT_LOG,
	"-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----"},
    {"\"seed\": 7, x " NKEY_ ", nats://u:hunter22@a", REDACT_OWN,
	"\"seed\": 7, x [removed], nats://[removed]@a"},
    /* In one line, as JSON has it; and what comes behind it stays. */
    {"{\"k\":\"-----BEGIN PRIVATE KEY-----\\nhunter22\\n"
     "-----END PRIVATE KEY-----\\n\",\"a\":1}",
	REDACT_LOG, "{\"k\":\"[removed]\\n\",\"a\":1}"},
    /* A quote that nobody closes, a name without a value. */
    {"# token: \"old\npassword: \"hunter22\"", REDACT_CONFIG, NULL},
    {"token:\npassword: hunter22\n", REDACT_CONFIG, NULL},
    {"cut token=\"abc\npass: \"hunter22\"\n", REDACT_LOG, NULL},
    /* JSON stays JSON. */
    {"{\"token\": 12345678, \"a\": 1}", REDACT_LOG,
	"{\"token\": \"[removed]\", \"a\": 1}"},
    {"{\"token\": [\"hunter22\"]}", REDACT_LOG, "{\"token\": [\"[removed]\"]}"},
    {"{\"error\": \"bad token: hunter22\", \"a\": 1}", REDACT_LOG,
	"{\"error\": \"bad token: [removed]\", \"a\": 1}"},
    /* What is none. */
    {"[ERR] password mismatch for client 7", REDACT_LOG,
	"[ERR] password mismatch for client 7"},
    {"\"auth_required\": true, \"token\": false", REDACT_LOG,
	"\"auth_required\": true, \"token\": false"},
    {"compass: north, passive: 1, tokenizer: x", REDACT_CONFIG,
	"compass: north, passive: 1, tokenizer: x"},
    {"NB_7269E6EABF5B_QUEUE", REDACT_LOG, "NB_7269E6EABF5B_QUEUE"},
    {"password:", REDACT_CONFIG, "password:"},
    {"password", REDACT_CONFIG, "password"},
    {"", REDACT_CONFIG, ""},
};

static void
test_rows(void **state)
{
	struct redactor *r = redact_create();
	size_t i, len;
	char *out;

	(void)state;
	assert_non_null(r);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		out = redact_text(
		    r, rows[i].text, strlen(rows[i].text), rows[i].kind, &len);
		assert_non_null(out);
		assert_int_equal(len, strlen(out));
		if (rows[i].expected != NULL)
			assert_string_equal(out, rows[i].expected);
		else
			assert_null(strstr(out, "hunter22"));
		free(out);
	}
	redact_destroy(r);
}

/* A variable may come first, and a value may stand elsewhere, too. */
static void
test_learned(void **state)
{
	static const char config[] = "MINE = verysecret\n"
				     "authorization {\n"
				     "  user: bob, password: $MINE\n"
				     "}\n"
				     "leafnodes { token: othersecret }\n";
	static const char log[] =
	    "using verysecret, othersecret, and MINE is said";
	struct redactor *r = redact_create();
	size_t len;
	char *out;

	(void)state;
	assert_non_null(r);
	redact_learn(r, config, strlen(config));
	out = redact_text(r, config, strlen(config), REDACT_CONFIG, &len);
	assert_non_null(out);
	assert_null(strstr(out, "secret\n"));
	assert_null(strstr(out, "verysecret"));
	assert_null(strstr(out, "othersecret"));
	assert_non_null(strstr(out, "user: bob"));
	free(out);
	out = redact_text(r, log, strlen(log), REDACT_LOG, &len);
	assert_non_null(out);
	assert_string_equal(
	    out, "using [removed], [removed], and MINE is said");
	free(out);
	redact_secret(r, "short", 5); /* would stand in ordinary words */
	redact_secret(r, "from the options", 16);
	out = redact_text(r, "short from the options", 22, REDACT_OWN, &len);
	assert_string_equal(out, "short [removed]");
	free(out);
	redact_destroy(r);
}

/* No place is too late for a secret: not the 600th user's, nor a variable. */
static void
test_many(void **state)
{
	struct redactor *r = redact_create();
	char text[64], *out;
	size_t len;
	unsigned i;

	(void)state;
	assert_non_null(r);
	for (i = 0; i < 600; i++) {
		text_format(
		    text, sizeof(text), "pass: $V%u\nV%u: hush%04u\n", i, i, i);
		redact_learn(r, text, strlen(text));
	}
	out = redact_text(r, "hush0000 hush0599", 17, REDACT_LOG, &len);
	assert_non_null(out);
	assert_string_equal(out, "[removed] [removed]");
	free(out);
	redact_destroy(r);
}

/* A secret that looks like what stands between a name and its value. */
static void
test_odd_secret(void **state)
{
	struct redactor *r = redact_create();
	size_t len;
	char *out;

	(void)state;
	assert_non_null(r);
	redact_secret(r, "none,xyz", 8);
	redact_secret(r, "::::=::", 7);
	out = redact_text(
	    r, "pass: none,xyz pass::::=:: x", 28, REDACT_LOG, &len);
	assert_non_null(out);
	assert_null(strstr(out, "none,xyz"));
	assert_null(strstr(out, "::::=::"));
	free(out);
	redact_destroy(r);
}

/* Whatever the bytes are, it ends and says nothing twice. */
static void
test_any_bytes(void **state)
{
	static const char *const parts[] = {"password", ":", " ", "\"", "'",
	    "\\", "(", "[", "{", "$2a$", "eyJ", "://", "@", "-----BEGIN ", "\n",
	    "PRIVATE KEY", "x", "\xFF", "token=", "$X"};
	struct redactor *r = redact_create();
	char text[512];
	struct rng rng;
	size_t n, len, at;
	unsigned i;
	char *out;

	(void)state;
	assert_non_null(r);
	rng_init(&rng, support_seed(), "redact");
	for (i = 0; i < 3000; i++) {
		for (at = 0; at < 400; at += n) {
			const char *p = parts[rng_below(
			    &rng, sizeof(parts) / sizeof(parts[0]))];

			n = strlen(p);
			memcpy(text + at, p, n);
		}
		if (i % 100 == 0)
			redact_learn(r, text, at);
		out = redact_text(r, text, at, i % 3, &len);
		assert_non_null(out);
		free(out);
	}
	redact_destroy(r);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_learned),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_odd_secret),
	    cmocka_unit_test(test_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC */
/* A secret where none is wanted is refused and overwritten; names are not. */
#include "tests/support.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/command/login.h"
#include "proto/base/text.h"

#define SEED  "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
#define TOKEN "eyJ0eXAiOiJqd3QiLCJhbGciOiJlZDI1NTE5In0.eyJqdGkiOiJYIn0.c2ln"
#define PEM   "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n"

static int
refuse(const char *option, char *value)
{
	const struct option_spec *row = option_find(config_options, option);

	assert_non_null(row);
	return login_refuse_secret(row, value, option);
}

static void
test_secrets(void **state)
{
	static const char *const secrets[] = {SEED, TOKEN, PEM};
	static const char *const options[] = {
	    "nkey", "creds", "sys-nkey", "sys-creds", "tls-key", "user", "out"};
	char value[128];
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		for (k = 0; k < 3; k++) {
			text_set(value, sizeof(value), secrets[k]);
			assert_int_equal(refuse(options[i], value), -EINVAL);
			assert_int_equal(strlen(value), strlen(secrets[k]));
			assert_int_equal(strspn(value, "."), strlen(value));
		}
}

static void
test_others(void **state)
{
	static const char *const names[] = {"", "S", "SU", "user.nk", "eyJ",
	    "/etc/" SEED, "./" TOKEN, SEED ".nk", "Suacssl3",
	    "a/long/name/of/a/file/that/is/no/secret/at/all.creds"};
	char value[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		text_set(value, sizeof(value), names[i]);
		assert_int_equal(refuse("nkey", value), 0);
		assert_string_equal(value, names[i]);
	}
	/* Where a secret is wanted it may be one. */
	text_set(value, sizeof(value), TOKEN);
	assert_int_equal(refuse("token", value), 0);
	assert_string_equal(value, TOKEN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_secrets),
	    cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

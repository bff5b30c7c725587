/* SPDX-License-Identifier: ISC */
/* Public keys of nkey seeds, against those that another program made. */
#include <errno.h>
#include <string.h>

#include "proto/nkey.h"
#include "tests/support.h"

#define SEED "SUAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H776Y"
#define PUB  "UAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3RLKK"
#define ZERO "SUAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEQ"
#define ZPUB "UA5WUJ54Z23KILLCUOUNAKTPBVZWKMQVO4O6EQ5GHLAERIMLLHNCTYM5"

static const struct {
	const char *text, *expected; /* NULL: there is none in it */
} rows[] = {
    {SEED, PUB},
    {ZERO "\n", ZPUB},
    {"\r\n  " SEED "\r\n", PUB},
    {"-----BEGIN USER NKEY SEED-----\n" SEED "\n------END USER NKEY SEED------",
	PUB},
    {PUB "\n" SEED, PUB}, /* as "nk -pubout" leaves it, either way round */
    {"SUAAAA " ZERO, ZPUB},
    {"", NULL},
    {PUB, NULL},
    /* An account's: whole, but not a user's. */
    {"SAAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4HYMHI", NULL},
    /* One character short, one too many, one that is wrong. */
    {"SUAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H776", NULL},
    {SEED "A", NULL},
    {"SUAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H77AY", NULL},
    {"SUBAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H776Y", NULL},
    {"suaaaaicamcakbqhbaequcymbuha6earcijrifiwc4mbsgq3dqor4h776y", NULL},
};

static void
test_public(void **state)
{
	char got[NKEY_PUBLIC_MAX];
	size_t i;
	int err;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		err = nkey_public(rows[i].text, got);
		assert_int_equal(err, rows[i].expected != NULL ? 0 : -EINVAL);
		if (err == 0)
			assert_string_equal(got, rows[i].expected);
	}
}

/* Whatever single character is changed, the checksum knows. */
static void
test_damage(void **state)
{
	char text[] = SEED, got[NKEY_PUBLIC_MAX], kept;
	size_t i;

	(void)state;
	/* The last character has two bits of no meaning. */
	for (i = 0; i + 2 < sizeof(text); i++) {
		kept = text[i];
		text[i] = kept == 'A' ? 'B' : 'A';
		assert_int_equal(nkey_public(text, got), -EINVAL);
		text[i] = kept;
	}
	assert_int_equal(nkey_public(text, got), 0);
}

static void
test_files(void **state)
{
	char got[NKEY_PUBLIC_MAX];

	(void)state;
	assert_int_equal(nkey_public_of_file("/no/such", got), -ENOENT);
	assert_int_equal(nkey_public_of_file("/", got), -EISDIR);
	assert_int_equal(nkey_public_of_file("/dev/null", got), -EINVAL);
	assert_int_equal(nkey_public_of_file("/dev/zero", got), -EFBIG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_public),
	    cmocka_unit_test(test_damage),
	    cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

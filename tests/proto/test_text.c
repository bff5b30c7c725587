/* SPDX-License-Identifier: ISC */
/* text: what people type is read strictly, and written so that it reads. */
#include "tests/support.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/text.h"

static void
test_numbers(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		int err;
		uint64_t value;
	} rows[] = {
	    {"0", UINT64_MAX, 0, 0},
	    {"7", 7, 0, 7},
	    {"8", 7, -ERANGE, 0},
	    {"007", 7, 0, 7},
	    {"18446744073709551615", UINT64_MAX, 0, UINT64_MAX},
	    {"18446744073709551616", UINT64_MAX, -ERANGE, 0},
	    {"99999999999999999999999", UINT64_MAX, -ERANGE, 0},
	    {"", 9, -EINVAL, 0},
	    {"-1", 9, -EINVAL, 0},
	    {"+1", 9, -EINVAL, 0},
	    {" 1", 9, -EINVAL, 0},
	    {"1 ", 9, -EINVAL, 0},
	    {"1k", 9, -EINVAL, 0},
	    {"0x1", 9, -EINVAL, 0},
	    {"1.0", 9, -EINVAL, 0},
	};
	uint64_t v;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		v = 4711;
		assert_int_equal(
		    text_to_u64(rows[i].text, rows[i].max, &v), rows[i].err);
		if (rows[i].err == 0)
			assert_true(v == rows[i].value);
		else
			assert_true(v == 4711 || rows[i].err == -ERANGE ||
				    rows[i].err == -EINVAL);
	}
}

static void
test_durations(void **state)
{
	static const struct {
		const char *text;
		int err;
		uint64_t ns;
	} rows[] = {
	    {"0", 0, 0},
	    {"500ms", 0, 500000000},
	    {"30s", 0, UINT64_C(30000000000)},
	    {"10m", 0, UINT64_C(600000000000)},
	    {"2h30m", 0, UINT64_C(9000000000000)},
	    {"1d", 0, UINT64_C(86400000000000)},
	    {"1us1ns", 0, 1001},
	    {"0s", 0, 0},
	    {"", -EINVAL, 0},
	    {"5", -EINVAL, 0},
	    {"s", -EINVAL, 0},
	    {"5 s", -EINVAL, 0},
	    {"5sec", -EINVAL, 0},
	    {"-5s", -EINVAL, 0},
	    {"1.5s", -EINVAL, 0},
	    {"1h30", -EINVAL, 0},
	    {"00", -EINVAL, 0},
	    {"106752d", -ERANGE, 0},
	    {"106751d106751d", -ERANGE, 0},
	    {"9223372036854775807ns", 0, INT64_MAX},
	    {"9223372036854775808ns", -ERANGE, 0},
	};
	uint64_t ns;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(
		    text_to_duration(rows[i].text, &ns), rows[i].err);
		if (rows[i].err == 0)
			assert_true(ns == rows[i].ns);
	}
}

static void
test_durations_come_back(void **state)
{
	struct rng rng;
	char text[64];
	uint64_t ns, back;
	int i;

	(void)state;
	rng_init(&rng, support_seed(), "durations");
	for (i = 0; i < 100000; i++) {
		ns = rng_next(&rng) & INT64_MAX;
		ns >>= rng_below(&rng, 63);
		text_from_duration(ns, text, sizeof(text));
		assert_int_equal(text_to_duration(text, &back), 0);
		assert_true(back == ns);
	}
	text_from_duration(UINT64_C(9000000000000), text, sizeof(text));
	assert_string_equal(text, "2h30m");
}

static void
test_copy_and_add(void **state)
{
	char out[5];

	(void)state;
	assert_true(text_fits(out, sizeof(out), "abcd"));
	assert_false(text_fits(out, sizeof(out), "abcde"));
	assert_string_equal(out, "abcd");
	out[0] = '\0';
	assert_true(text_fits_add(out, sizeof(out), "%d", 12));
	assert_true(text_fits_add(out, sizeof(out), "%d", 34));
	assert_false(text_fits_add(out, sizeof(out), "5"));
	assert_string_equal(out, "1234");
}

static void
test_lists(void **state)
{
	static const struct {
		const char *list, *items;
	} rows[] = {
	    {"", ""},
	    {"a", "[a]"},
	    {"a,b", "[a][b]"},
	    {"a,,b", "[a][][b]"},
	    {"a,", "[a]"},
	    {",a", "[][a]"},
	    {"abcdefgh,i", "[abc][i]"},
	};
	const char *list;
	char item[4], all[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		list = rows[i].list;
		all[0] = '\0';
		while (text_next_item(&list, item, sizeof(item)))
			text_add(all, sizeof(all), "[%s]", item);
		assert_string_equal(all, rows[i].items);
	}
}

static void
test_nearest(void **state)
{
	static const char *const names[] = {
	    "rolling_restart", "random_reload", "none", "lame_duck"};
	char word[200];

	(void)state;
	assert_int_equal(text_distance("", ""), 0);
	assert_int_equal(text_distance("kitten", "sitting"), 3);
	assert_int_equal(text_distance("abc", ""), 3);
	assert_string_equal(
	    text_nearest("roling_restart", names, 4), "rolling_restart");
	assert_string_equal(
	    text_nearest("random_relaod", names, 4), "random_reload");
	assert_string_equal(text_nearest("nope", names, 4), "none");
	assert_null(text_nearest("xyzzyplugh", names, 4));
	assert_null(text_nearest("", names, 4));
	assert_null(text_nearest("none", names, 0));
	memset(word, 'x', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	assert_null(text_nearest(word, names, 4));
}

static void
test_sizes(void **state)
{
	static const struct {
		const char *text;
		int err;
		uint64_t bytes;
		const char *back;
	} rows[] = {
	    {"0", 0, 0, "0"},
	    {"1KiB", 0, 1024, "1KiB"},
	    {"512MiB", 0, UINT64_C(512) << 20, "512MiB"},
	    {"2GiB", 0, UINT64_C(2) << 30, "2GiB"},
	    {"2048MiB", 0, UINT64_C(2) << 30, "2GiB"},
	    {"1536KiB", 0, UINT64_C(1536) << 10, "1536KiB"},
	    {"4096TiB", 0, UINT64_C(4096) << 40, "4096TiB"},
	    {"8388607TiB", 0, UINT64_C(8388607) << 40, "8388607TiB"},
	    {"8388608TiB", -ERANGE, 0, NULL},
	    {"99999999999999999999KiB", -ERANGE, 0, NULL},
	    {"1", -EINVAL, 0, NULL},
	    {"2GB", -EINVAL, 0, NULL},
	    {"2gib", -EINVAL, 0, NULL},
	    {"1.5GiB", -EINVAL, 0, NULL},
	    {"-1GiB", -EINVAL, 0, NULL},
	    {" 1GiB", -EINVAL, 0, NULL},
	    {"1GiB ", -EINVAL, 0, NULL},
	    {"GiB", -EINVAL, 0, NULL},
	    {"", -EINVAL, 0, NULL},
	};
	char text[32];
	uint64_t bytes;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bytes = 0;
		assert_int_equal(
		    text_to_size(rows[i].text, &bytes), rows[i].err);
		assert_true(bytes == rows[i].bytes);
		if (rows[i].err != 0)
			continue;
		text_from_size(bytes, text, sizeof(text));
		assert_string_equal(text, rows[i].back);
	}
}

static void
test_printable(void **state)
{
	static const struct {
		const char *text, *want;
		bool is_utf8;
	} rows[] = {
	    {"", "", true},
	    {"n1 \"quoted\" \\x", "n1 \"quoted\" \\x", true},
	    {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x98",
		"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x98", true},
	    {"\x1b[2J", "\\x1b[2J", true},
	    {"a\nb\tc\r\x7f", "a\\x0ab\\x09c\\x0d\\x7f", true},
	    {"\xc2\x9b"
	     "2J",
		"\\xc2\\x9b2J", true},
	    {"\xe2\x80\xae", "\\xe2\\x80\\xae", true},
	    {"\xe2\x81\xa6", "\\xe2\\x81\\xa6", true},
	    {"\xff\xfe", "\\xff\\xfe", false},
	    {"\xc0\xaf", "\\xc0\\xaf", false},
	    {"\xe2\x82", "\\xe2\\x82", false},
	    {"\xed\xa0\x80", "\\xed\\xa0\\x80", false},
	    {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", false},
	};
	char out[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		text_printable(out, sizeof(out), rows[i].text);
		assert_string_equal(out, rows[i].want);
		assert_int_equal(text_is_utf8(rows[i].text), rows[i].is_utf8);
		assert_int_equal(text_is_printable(rows[i].text),
		    strcmp(rows[i].text, rows[i].want) == 0);
		assert_true(text_is_printable(out));
	}
	/* Cut, but not within a character. */
	text_printable(out, 5, "abc\x1b");
	assert_string_equal(out, "abc");
	text_printable(out, 5, "abc\xc3\xbc");
	assert_string_equal(out, "abc");
	text_printable(out, 1, "abc");
	assert_string_equal(out, "");
}

static void
test_file_names(void **state)
{
	static const char *const rows[][2] = {
	    {"n1", "n1"},
	    {"nats-0.eu_west", "nats-0.eu_west"},
	    {"../../PWNED", "_._.._PWNED"},
	    {"..", "_."},
	    {".hidden", "_hidden"},
	    {"/etc/passwd", "_etc_passwd"},
	    {"", "_"},
	    {"a b\n\x1b\xc3\xbc", "a_b____"},
	};
	char out[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		text_file_name(out, sizeof(out), rows[i][0]);
		assert_string_equal(out, rows[i][1]);
	}
	text_file_name(out, 4, "abcdef");
	assert_string_equal(out, "abc");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_durations),
	    cmocka_unit_test(test_durations_come_back),
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_copy_and_add),
	    cmocka_unit_test(test_lists),
	    cmocka_unit_test(test_nearest),
	    cmocka_unit_test(test_printable),
	    cmocka_unit_test(test_file_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

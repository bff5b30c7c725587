/* SPDX-License-Identifier: ISC */
/* option and config: values, errors that say what is allowed, and back. */
#include "tests/support.h"

#include <errno.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/config.h"

static void
test_defaults(void **state)
{
	const struct option_spec *row;
	struct run_config c;

	(void)state;
	config_init(&c);
	assert_true(c.duration_ns == 60 * CLOCK_S);
	assert_int_equal(c.replicas, 3);
	assert_int_equal(c.consumers, 10);
	assert_string_equal(c.mayhem, "none");
	for (row = config_options; row->name != NULL; row++) {
		assert_true(option_is_default(row, &c));
		assert_non_null(row->help);
	}
}

static void
test_values(void **state)
{
	struct run_config c;
	char why[OPTION_WHY_MAX];

	(void)state;
	config_init(&c);
	assert_int_equal(config_set(&c, "duration", "2h30m", why), 0);
	assert_true(c.duration_ns == 9000 * CLOCK_S);
	assert_int_equal(config_set(&c, "consumers", "4000", why), 0);
	assert_int_equal(c.consumers, 4000);
	assert_int_equal(config_set(&c, "storage", "memory", why), 0);
	assert_string_equal(c.storage, "memory");
	assert_int_equal(config_set(&c, "fault-interval", "2s", why), 0);
	assert_true(c.fault_interval.low == 2 * CLOCK_S);
	assert_true(c.fault_interval.high == 2 * CLOCK_S);
	assert_int_equal(
	    config_set(&c, "fault-duration", "500ms..1m30s", why), 0);
	assert_true(c.fault_duration.low == 500 * CLOCK_MS);
	assert_true(c.fault_duration.high == 90 * CLOCK_S);
	assert_int_equal(config_set(&c, "quiet", "true", why), 0);
	assert_true(c.quiet);
	assert_int_equal(config_set(&c, "run", "18446744073709551615", why), 0);
	assert_true(c.run == UINT64_MAX);
}

/* Ranges and rates: what is read, what is refused, and back. */
static void
test_ranges_and_rates(void **state)
{
	struct both {
		uint64_t size[2], rate;
	} b;
	static const struct option_spec rows[] = {
	    {"size", OPTION_RANGE, offsetof(struct both, size), 16, "128", 40,
		1000, NULL, "N[..N]", "", false},
	    {"rate", OPTION_RATE, offsetof(struct both, rate), 8, "0", 0, 500,
		NULL, "N/s", "", false},
	    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
	};
	static const char *const bad_sizes[] = {"", "39", "1001", "50..40",
	    "40..", "..50", "40..50..60", "40..1001", "x", "40-50", "-1..50"};
	static const char *const bad_rates[] = {"", "501", "501/s", "/s", "5/m",
	    "-5/s", "5/s/s", "5000000000000/s"};
	char why[OPTION_WHY_MAX], text[64];
	size_t i;

	(void)state;
	option_defaults(rows, &b);
	assert_true(b.size[0] == 128 && b.size[1] == 128 && b.rate == 0);
	assert_int_equal(option_set(rows, &b, "", "size", "40..1000", why), 0);
	assert_true(b.size[0] == 40 && b.size[1] == 1000);
	option_get(&rows[0], &b, text, sizeof(text));
	assert_string_equal(text, "40..1000");
	assert_int_equal(option_set(rows, &b, "", "rate", "500/s", why), 0);
	assert_true(b.rate == 500);
	assert_int_equal(option_set(rows, &b, "", "rate", "7", why), 0);
	assert_true(b.rate == 7);
	assert_int_equal(option_set(rows, &b, "", "rate", "500", why), 0);
	option_get(&rows[1], &b, text, sizeof(text));
	assert_string_equal(text, "500/s");
	for (i = 0; i < sizeof(bad_sizes) / sizeof(bad_sizes[0]); i++) {
		assert_int_equal(
		    option_set(rows, &b, "", "size", bad_sizes[i], why),
		    -EINVAL);
		assert_non_null(strstr(why, "from 40 to 1000"));
	}
	for (i = 0; i < sizeof(bad_rates) / sizeof(bad_rates[0]); i++) {
		assert_int_equal(
		    option_set(rows, &b, "", "rate", bad_rates[i], why),
		    -EINVAL);
		assert_non_null(strstr(why, "up to 500/s"));
	}
	assert_true(b.size[0] == 40 && b.rate == 500);
}

/* Each error names the option, the value, and what is allowed. */
static void
test_errors(void **state)
{
	static const struct {
		const char *name, *value;
		int err;
		const char *says[4];
	} rows[] = {
	    {"fault-interval", "10s..2s", -EINVAL,
		{"--fault-interval", "\"10s..2s\"", "2s..10s", "100ms"}},
	    {"fault-interval", "2s..", -EINVAL,
		{"--fault-interval", "\"2s..\"", "2s..10s", "1d"}},
	    {"fault-duration", "..2s", -EINVAL,
		{"--fault-duration", "\"..2s\"", "2s..10s", "1d"}},
	    {"duration", "abc", -EINVAL,
		{"--duration", "\"abc\"", "100ms", "2h30m"}},
	    {"duration", "1ms", -EINVAL, {"--duration", "\"1ms\"", "100ms"}},
	    {"replicas", "6", -EINVAL, {"--replicas", "\"6\"", "1 to 5"}},
	    {"replicas", "", -EINVAL, {"--replicas", "\"\"", "1 to 5"}},
	    {"consumers", "0", -EINVAL, {"--consumers", "\"0\"", "1 to 4000"}},
	    {"storage", "fiel", -EINVAL,
		{"--storage", "\"fiel\"", "file, memory",
		    "did you mean file?"}},
	    {"json", "yes", -EINVAL, {"--json", "\"yes\"", "true or false"}},
	    {"k8s-reach", "", -EINVAL, {"--k8s-reach", "auto, direct"}},
	    {"durration", "5s", -ENOENT,
		{"--durration", "did you mean --duration?"}},
	    {"", "5s", -ENOENT, {"unknown option"}},
	};
	struct run_config c, before;
	char why[OPTION_WHY_MAX];
	size_t i, k;

	(void)state;
	config_init(&c);
	before = c;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(why, 'x', sizeof(why));
		assert_int_equal(
		    config_set(&c, rows[i].name, rows[i].value, why),
		    rows[i].err);
		for (k = 0; k < 4 && rows[i].says[k] != NULL; k++)
			if (strstr(why, rows[i].says[k]) == NULL)
				fail_msg("\"%s\" lacks \"%s\"", why,
				    rows[i].says[k]);
		assert_memory_equal(&c, &before, sizeof(c));
	}
}

static void
test_secrets_stay_secret(void **state)
{
	char why[OPTION_WHY_MAX], value[OPTION_VALUE_MAX];
	struct run_config c;

	(void)state;
	config_init(&c);
	memset(value, 's', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	assert_int_equal(config_set(&c, "password", value, why), -EINVAL);
	assert_null(strstr(why, "ssss"));
	assert_non_null(strstr(why, "--password"));
}

/* A run id that can't be read is an error like any other. */
static void
test_bad_run_id(void **state)
{
	struct run_config c;
	char why[OPTION_WHY_MAX] = "";

	(void)state;
	config_init(&c);
	assert_int_equal(config_set(&c, "run", "x", why), -EINVAL);
	assert_int_equal(
	    config_set(&c, "run", "18446744073709551616", why), -EINVAL);
	assert_string_not_equal(why, "");
}

struct extra_options {
	uint64_t size, wait_ns;
	char word[8];
};

static const struct option_spec extra_rows[] = {
    {"size", OPTION_U64, offsetof(struct extra_options, size), 8, "128", 40,
	1000, NULL, "BYTES", "size", false},
    {"wait", OPTION_DURATION, offsetof(struct extra_options, wait_ns), 8, "5s",
	0, CLOCK_S * 60, NULL, "TIME", "wait", false},
    {"word", OPTION_STRING, offsetof(struct extra_options, word), 8, "abc", 0,
	0, NULL, "TEXT", "word", false},
    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
};

static void
test_extras(void **state)
{
	static const struct {
		const char *extra;
		int err;
		const char *says;
	} rows[] = {
	    {"mine.size=1000", 0, NULL},
	    {"other.size=1", 0, NULL},
	    {"mine.word=", 0, NULL},
	    {"mine.word=a=b", 0, NULL},
	    {"mine.size=1001", -EINVAL, "-o mine.size \"1001\""},
	    {"mine.siez=100", -EINVAL, "did you mean -o mine.size?"},
	    {"mine.size", -EINVAL, "NAME.KEY=VALUE"},
	    {"mine.word=12345678", -EINVAL, "at most 7 bytes"},
	};
	struct extra_options o;
	struct run_config c;
	char why[OPTION_WHY_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		config_init(&c);
		assert_int_equal(config_set(&c, "o", rows[i].extra, why), 0);
		assert_int_equal(config_extras(&c, "mine", extra_rows, &o, why),
		    rows[i].err);
		if (rows[i].says != NULL && strstr(why, rows[i].says) == NULL)
			fail_msg("\"%s\" lacks \"%s\"", why, rows[i].says);
	}
	config_init(&c);
	for (i = 0; i < CONFIG_EXTRAS_MAX; i++)
		assert_int_equal(config_set(&c, "o", "a.b=c", why), 0);
	assert_int_equal(config_set(&c, "o", "a.b=c", why), -EINVAL);
	assert_non_null(strstr(why, "at most"));
}

static void
rebuild(void *arg, const char *name, const char *value)
{
	char why[OPTION_WHY_MAX];

	assert_int_equal(config_set(arg, name, value, why), 0);
}

static void
random_value(
    const struct option_spec *row, struct rng *rng, char *out, size_t size)
{
	uint64_t v, span = row->max - row->min;
	char high[64];
	size_t n = 0;

	out[0] = '\0';
	v = row->min +
	    (span == UINT64_MAX ? rng_next(rng) : rng_below(rng, span + 1));
	switch (row->type) {
	case OPTION_FLAG:
		text_add(out, size, "%s", v & 1 ? "true" : "false");
		break;
	case OPTION_U64:
		text_add(out, size, "%llu", (unsigned long long)v);
		break;
	case OPTION_DURATION:
		text_from_duration(v, out, size);
		break;
	case OPTION_TIMES:
		text_from_duration(v, out, size);
		if (rng_below(rng, 2) == 0) {
			text_from_duration(
			    v + (row->max - v) / 2, high, sizeof(high));
			text_add(out, size, "..%s", high);
		}
		break;
	case OPTION_STRING:
		for (v = rng_below(rng, row->size < 60 ? row->size : 60); v > 0;
		     v--)
			text_add(
			    out, size, "%c", (char)(33 + rng_below(rng, 90)));
		break;
	case OPTION_CHOICE:
		while (row->choices[n] != NULL)
			n++;
		text_add(out, size, "%s", row->choices[rng_below(rng, n)]);
		break;
	case OPTION_RANGE:
		text_add(out, size, "%llu..%llu", (unsigned long long)v,
		    (unsigned long long)row->max);
		break;
	case OPTION_RATE:
		text_add(out, size, "%llu/s", (unsigned long long)v);
		break;
	case OPTION_SIZE:
		text_from_size(v, out, size);
		break;
	}
}

/* What config_each() says builds the same configuration again. */
static void
test_dump_reads_back(void **state)
{
	const struct option_spec *row;
	struct run_config c, back;
	char value[OPTION_VALUE_MAX], why[OPTION_WHY_MAX];
	struct rng rng;
	int i;

	(void)state;
	rng_init(&rng, support_seed(), "option");
	for (i = 0; i < 2000; i++) {
		config_init(&c);
		for (row = config_options; row->name != NULL; row++) {
			if (rng_below(&rng, 2) == 0)
				continue;
			random_value(row, &rng, value, sizeof(value));
			if (config_set(&c, row->name, value, why) != 0)
				fail_msg("%s", why);
		}
		c.run = rng_next(&rng);
		assert_int_equal(config_set(&c, "o", "a.b=1", why), 0);
		config_init(&back);
		config_each(&c, true, rebuild, &back);
		for (row = config_options; row->name != NULL; row++) {
			option_get(row, &c, value, sizeof(value));
			option_get(row, &back, why, OPTION_VALUE_MAX);
			assert_string_equal(value, why);
		}
		assert_true(back.run == c.run);
		assert_int_equal(back.nextras, 1);
	}
}

static void
no_secret(void *arg, const char *name, const char *value)
{
	(void)arg;
	(void)name;
	assert_null(strstr(value, "hush"));
}

static void
test_dump_without_secrets(void **state)
{
	static const char *const secrets[] = {"password", "token"};
	char why[OPTION_WHY_MAX];
	struct run_config c;
	size_t i;

	(void)state;
	config_init(&c);
	for (i = 0; i < 2; i++)
		assert_int_equal(config_set(&c, secrets[i], "hush", why), 0);
	config_each(&c, false, no_secret, NULL);
}

static void
test_hide_password(void **state)
{
	static const char *const rows[][2] = {
	    {"nats://a:1", "nats://a:1"},
	    {"nats://hush:hush@a:1", "nats://...@a:1"},
	    {"nats://hush@a:1,tls://hush:hu@sh@b",
		"nats://...@a:1,tls://...@b"},
	    {"nats://hu@a", "nats://..@a"},
	    {"nats://h@a,nats://@b", "nats://.@a,nats://@b"},
	    {"folder/a@b", "folder/a@b"},
	};
	char text[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		text_set(text, sizeof(text), rows[i][0]);
		config_hide_password(text);
		assert_string_equal(text, rows[i][1]);
	}
}

static void
test_list_has(void **state)
{
	(void)state;
	assert_true(config_list_has("a,b,c", "b"));
	assert_false(config_list_has("ab,c", "a"));
	assert_false(config_list_has("", "a"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_values),
	    cmocka_unit_test(test_ranges_and_rates),
	    cmocka_unit_test(test_errors),
	    cmocka_unit_test(test_secrets_stay_secret),
	    cmocka_unit_test(test_bad_run_id),
	    cmocka_unit_test(test_extras),
	    cmocka_unit_test(test_dump_reads_back),
	    cmocka_unit_test(test_dump_without_secrets),
	    cmocka_unit_test(test_hide_password),
	    cmocka_unit_test(test_list_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

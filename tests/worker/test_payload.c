/* SPDX-License-Identifier: ISC */
/* payload: read back whole; any flipped bit is noticed. */
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>

#include "worker/payload.h"

static void
test_there_and_back(void **state)
{
	static const uint32_t sizes[] = {40, 41, 47, 48, 63, 128, 1000, 65536};
	struct payload p, back;
	uint8_t *data;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		p = (struct payload){.run = 7 + i,
		    .id = UINT64_C(3) << 40 | i,
		    .incarnation = 2,
		    .size = sizes[i]};
		data = malloc(sizes[i]); /* exact: asan sees a byte beyond */
		assert_non_null(data);
		payload_write(&p, data);
		assert_true(payload_read(&back, data, sizes[i]));
		assert_true(back.run == p.run && back.id == p.id);
		assert_int_equal(back.incarnation, 2);
		assert_int_equal(back.size, sizes[i]);
		assert_true(back.sum == p.sum);
		free(data);
	}
}

static void
test_any_bit(void **state)
{
	struct payload p = {.run = 1, .id = 2, .incarnation = 3, .size = 200};
	struct payload back;
	uint8_t data[200];
	size_t bit;

	(void)state;
	payload_write(&p, data);
	for (bit = 0; bit < sizeof(data) * 8; bit++) {
		data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (payload_read(&back, data, sizeof(data)))
			fail_msg("bit %zu was not noticed", bit);
		assert_int_equal(back.id, 0);
		data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_true(payload_read(&back, data, sizeof(data)));
}

static void
test_any_length(void **state)
{
	struct payload p = {.run = 1, .id = 2, .incarnation = 3, .size = 200};
	struct payload back;
	uint8_t data[200], *exact;
	size_t len;

	(void)state;
	payload_write(&p, data);
	for (len = 0; len < sizeof(data); len++) {
		exact = malloc(len ? len : 1);
		assert_non_null(exact);
		memcpy(exact, data, len);
		assert_false(payload_read(&back, exact, len));
		free(exact);
	}
}

/* All attempts of one id are the same bytes; other ids are others. */
static void
test_attempts(void **state)
{
	struct payload a = {.run = 1, .id = 2, .incarnation = 3, .size = 100};
	struct payload b = a, c = a;
	uint8_t one[100], two[100];

	(void)state;
	payload_write(&a, one);
	payload_write(&b, two);
	assert_memory_equal(one, two, sizeof(one));
	c.id = 3;
	payload_write(&c, two);
	assert_memory_not_equal(
	    one + PAYLOAD_MIN, two + PAYLOAD_MIN, sizeof(one) - PAYLOAD_MIN);
	assert_true(a.sum != c.sum);
}

/* A message that marks something has its id in its header. */
static void
test_marks(void **state)
{
	static const char *const bad[] = {
	    "", "7", "7-", "-9", "7-9 ", "07-9", "7-9-1", "7-G", "+7-9"};
	struct payload marks = {.run = 7, .id = 9, .size = 100}, back, other;
	struct payload_parts parts = {"", 0, "7-9", "DEL", ""};
	size_t i;

	(void)state;
	payload_mark(&marks, "DEL");
	assert_int_equal(marks.size, 0);
	assert_true(payload_read_parts(&back, &parts));
	assert_int_equal(back.run, 7);
	assert_int_equal(back.id, 9);
	assert_true(back.sum == marks.sum);
	/* Another mark or another id is another content. */
	parts.marks = "PURGE";
	assert_true(payload_read_parts(&other, &parts));
	assert_true(other.sum != marks.sum);
	parts.marks = "DEL";
	parts.id = "7-a";
	assert_true(payload_read_parts(&other, &parts));
	assert_true(other.sum != marks.sum);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		parts.id = bad[i];
		if (payload_read_parts(&back, &parts))
			fail_msg("taken: \"%s\"", bad[i]);
	}
	/* One that marks nothing, or has a payload, is read by that. */
	parts = (struct payload_parts){"", 0, "7-9", "", ""};
	assert_false(payload_read_parts(&back, &parts));
	parts = (struct payload_parts){"x", 1, "7-9", "DEL", ""};
	assert_false(payload_read_parts(&back, &parts));
}

/* One that adds to a counter adds what its id says, and has a value. */
static void
test_counters(void **state)
{
	static const struct {
		const char *data, *value; /* value: NULL for none */
	} rows[] = {
	    {"{\"val\":\"0\"}", "0"},
	    {"{\"val\":\"-17\"}", "-17"},
	    {"{\"val\":\"12345678901234567890123456\"}",
		"12345678901234567890123456"},
	    {"", NULL},
	    {"{\"val\":\"\"}", NULL},
	    {"{\"val\":17}", NULL},
	    {"{\"val\":\"1\"", NULL},
	    {"x", NULL},
	    {"{\"val\":\"}", NULL},
	    {"{\"val\":\"123456789012345678901234567890123456789012345678\"}",
		NULL},
	};
	char adds[PAYLOAD_ADDS_MAX], value[PAYLOAD_ADDS_MAX];
	struct payload mark = {.run = 7, .id = 9}, back;
	struct payload_parts parts = {"", 0, "7-9", "", adds};
	char id[PAYLOAD_ID_MAX];
	size_t i, digits = 0;

	(void)state;
	payload_increment(7, 9, adds);
	payload_mark(&mark, adds);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		parts.data = rows[i].data;
		parts.len = strlen(rows[i].data);
		payload_value(parts.data, parts.len, value);
		assert_string_equal(
		    value, rows[i].value != NULL ? rows[i].value : "");
		assert_int_equal(
		    payload_read_parts(&back, &parts), rows[i].value != NULL);
		if (rows[i].value != NULL)
			assert_true(back.id == 9 && back.sum == mark.sum);
	}
	parts.data = rows[0].data;
	parts.len = strlen(rows[0].data);
	parts.id = "7-a"; /* which adds something else */
	assert_false(payload_read_parts(&back, &parts));
	for (i = 1; i < 1000; i++) {
		payload_increment(7, i, adds);
		payload_write_id(7, i, id);
		/* As who adds up others writes it, and another number. */
		parts = (struct payload_parts){rows[0].data,
		    strlen(rows[0].data), id, "",
		    adds[0] == '+' || strcmp(adds, "-0") == 0 ? adds + 1
							      : adds};
		assert_true(payload_read_parts(&back, &parts));
		parts.adds = adds[0] == '+' ? "-7" : adds + 1;
		assert_int_equal(
		    payload_read_parts(&back, &parts), strcmp(adds, "-0") == 0);
		assert_true(adds[0] == '+' || adds[0] == '-');
		assert_int_equal(
		    strspn(adds + 1, "0123456789"), strlen(adds + 1));
		if (strlen(adds) - 1 > digits)
			digits = strlen(adds) - 1;
	}
	assert_in_range(digits, 21, 26);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_there_and_back),
	    cmocka_unit_test(test_any_bit),
	    cmocka_unit_test(test_any_length),
	    cmocka_unit_test(test_attempts),
	    cmocka_unit_test(test_marks),
	    cmocka_unit_test(test_counters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

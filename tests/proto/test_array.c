/* SPDX-License-Identifier: ISC */
/* array: room is doubled and zeroed, the maximum holds, contents stay. */
#include "tests/support.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/base/array.h"

static void
test_grows_and_keeps(void **state)
{
	uint64_t *a = NULL;
	uint32_t room = 0, i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		assert_int_equal(
		    array_reserve(&a, &room, i + 1, sizeof(*a), 4096), 0);
		assert_true(room > i);
		assert_true(a[i] == 0);
		a[i] = i + 1;
	}
	for (i = 0; i < 1000; i++)
		assert_true(a[i] == i + 1);
	assert_int_equal(room, 1024);
	free(a);
}

static void
test_maximum(void **state)
{
	uint16_t *a = NULL;
	uint32_t room = 0;

	(void)state;
	assert_int_equal(array_reserve(&a, &room, 11, sizeof(*a), 10), -ENOSPC);
	assert_null(a);
	assert_int_equal(array_reserve(&a, &room, 9, sizeof(*a), 10), 0);
	assert_int_equal(room, 10);
	a[9] = 7;
	assert_int_equal(array_reserve(&a, &room, 11, sizeof(*a), 10), -ENOSPC);
	assert_int_equal(a[9], 7);
	free(a);
}

static void
test_no_memory(void **state)
{
	char *a = NULL;
	uint32_t room = 0;

	(void)state;
	assert_int_equal(
	    array_reserve(&a, &room, 3, SIZE_MAX / 2, 10), -ENOMEM);
	assert_null(a);
	assert_int_equal(room, 0);
}

/* Elements by their index, in any order; those between are there, too. */
static void
test_at(void **state)
{
	uint32_t *a = NULL, room = 0, *at;

	(void)state;
	at = array_at(&a, &room, 100, sizeof(*a), 1000);
	assert_non_null(at);
	assert_ptr_equal(at, &a[100]);
	*at = 5;
	at = array_at(&a, &room, 3, sizeof(*a), 1000);
	assert_ptr_equal(at, &a[3]);
	assert_int_equal(*at, 0);
	assert_non_null(array_at(&a, &room, 999, sizeof(*a), 1000));
	assert_int_equal(room, 1000);
	assert_int_equal(a[100], 5);
	assert_null(array_at(&a, &room, 1000, sizeof(*a), 1000));
	assert_null(array_at(&a, &room, SIZE_MAX, sizeof(*a), 1000));
	assert_int_equal(room, 1000);
	free(a);
}

static void
test_lower(void **state)
{
	static const struct {
		uint64_t number;
		char other;
	} a[] = {{2, 'a'}, {5, 'b'}, {5, 'c'}, {9, 'd'}};

	(void)state;
	assert_int_equal(array_lower(a, 0, sizeof(a[0]), 5), 0);
	assert_int_equal(array_lower(a, 4, sizeof(a[0]), 0), 0);
	assert_int_equal(array_lower(a, 4, sizeof(a[0]), 5), 1);
	assert_int_equal(array_lower(a, 4, sizeof(a[0]), 6), 3);
	assert_int_equal(array_lower(a, 4, sizeof(a[0]), 10), 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_grows_and_keeps),
	    cmocka_unit_test(test_maximum),
	    cmocka_unit_test(test_no_memory),
	    cmocka_unit_test(test_at),
	    cmocka_unit_test(test_lower),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

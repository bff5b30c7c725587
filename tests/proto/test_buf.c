/* SPDX-License-Identifier: ISC */
/* buf: bytes come out as they went in, and the maximum holds. */
#include "tests/support.h"

#include <errno.h>
#include <string.h>

#include "proto/base/buf.h"

static void
test_empty(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	assert_int_equal(buf_len(&b), 0);
	assert_null(buf_data(&b));
	assert_int_equal(buf_append(&b, NULL, 0), 0);
	buf_consume(&b, 0);
	buf_fini(&b);
	buf_fini(&b);
}

static void
test_maximum(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	assert_int_equal(buf_append(&b, "abcde", 5), -ENOBUFS);
	assert_int_equal(buf_append(&b, "abcd", 4), 0);
	assert_int_equal(buf_append(&b, "e", 1), -ENOBUFS);
	errno = 0;
	assert_null(buf_reserve(&b, SIZE_MAX));
	assert_int_equal(errno, ENOBUFS);
	buf_consume(&b, 2);
	assert_int_equal(buf_append(&b, "ef", 2), 0);
	assert_memory_equal(buf_data(&b), "cdef", 4);
	buf_fini(&b);
}

/* A queue of counted bytes against what was put in. */
static void
test_random_queue(void **state)
{
	struct buf b;
	struct rng rng;
	uint8_t chunk[700], in = 0, out = 0;
	size_t held = 0, len, i, step;

	(void)state;
	rng_init(&rng, support_seed(), "buf");
	buf_init(&b, 4096);
	for (step = 0; step < 200000; step++) {
		len = (size_t)rng_below(&rng, sizeof(chunk));
		if (rng_below(&rng, 2) == 0) {
			for (i = 0; i < len; i++)
				chunk[i] = (uint8_t)(in + i);
			if (buf_append(&b, chunk, len) == 0) {
				in = (uint8_t)(in + len);
				held += len;
			} else
				assert_true(held + len > 4096);
		} else {
			len = len < held ? len : held;
			for (i = 0; i < len; i++)
				assert_int_equal(
				    buf_data(&b)[i], (uint8_t)(out + i));
			buf_consume(&b, len);
			out = (uint8_t)(out + len);
			held -= len;
		}
		assert_int_equal(buf_len(&b), held);
		assert_true(b.room <= 16384); /* it does not creep upwards */
	}
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_empty),
	    cmocka_unit_test(test_maximum),
	    cmocka_unit_test(test_random_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

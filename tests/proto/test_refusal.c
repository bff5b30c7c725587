/* SPDX-License-Identifier: ISC */
/* What refusals prove. */
#include "proto/refusal.h"
#include "tests/support.h"

static void
test_classes(void **state)
{
	static const struct {
		uint32_t code;
		enum refusal class;
	} rows[] = {
	    {10054, REFUSAL_CERTAIN},
	    {10109, REFUSAL_CERTAIN},
	    {10227, REFUSAL_CERTAIN},
	    {10071, REFUSAL_STEADY},
	    {10164, REFUSAL_STEADY},
	    {10158, REFUSAL_STEADY},
	    {10059, REFUSAL_NEVER},
	    {10058, REFUSAL_NEVER},
	    {10005, REFUSAL_NEVER},
	    {10077, REFUSAL_NEVER},
	    {10008, REFUSAL_NEVER},
	    {0, REFUSAL_NEVER},
	    {UINT32_MAX, REFUSAL_NEVER},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(refusal_class(rows[i].code), rows[i].class);
	assert_true(refusal_is_wrong_last(10071));
	assert_true(refusal_is_wrong_last(10164));
	assert_false(refusal_is_wrong_last(10059));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_classes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

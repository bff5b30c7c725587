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
	    {10014, REFUSAL_STEADY},
	    {10148, REFUSAL_STEADY},
	    {10149, REFUSAL_STEADY},
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
	assert_true(refusal_is_no_consumer(10014));
	assert_true(refusal_is_no_consumer(10149));
	assert_false(refusal_is_no_consumer(10148));
}

/* Codes that mean it with some texts only. */
static void
test_said(void **state)
{
	(void)state;
	assert_int_equal(refusal_class(10057), REFUSAL_NEVER);
	assert_int_equal(
	    refusal_class_said(10057, "no message found"), REFUSAL_CERTAIN);
	assert_int_equal(
	    refusal_class_said(10057, "message delete not permitted"),
	    REFUSAL_CERTAIN);
	assert_int_equal(
	    refusal_class_said(10110, "stream purge not permitted"),
	    REFUSAL_CERTAIN);
	assert_int_equal(
	    refusal_class_said(10110, "no message found"), REFUSAL_NEVER);
	assert_int_equal(
	    refusal_class_said(10057, "raft: not leader"), REFUSAL_NEVER);
	assert_int_equal(
	    refusal_class_said(10077, "not permitted"), REFUSAL_NEVER);
	assert_int_equal(refusal_class_said(10043, ""), REFUSAL_CERTAIN);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_classes),
	    cmocka_unit_test(test_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

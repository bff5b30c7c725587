/* SPDX-License-Identifier: ISC */
/* mirror-source: the subjects that copies have, and what is none of them. */
#include "tests/support.h"

#include <stdlib.h>

#include "worker/workloads/mirror_source/mirror_source.h"

static void
test_subjects(void **state)
{
	static const char *const none[] = {"", "k", "nb.abc.s1.k0",
	    "nb.abc.s1.k01", "nb.abc.s1.k17", "nb.abc.u1.k1", "nb.abc.s3.k1",
	    "nb.abd.s1.k1", "nb.abc.t1.>", "nb.abc.s01.k1"};
	struct mirror_options o = {.store = {.streams = 3, .subjects = 16}};
	struct worker *w = calloc(1, sizeof(*w));
	struct mirror_subject s, got;
	char text[OPERATE_SUBJECT_MAX];
	size_t i;

	(void)state;
	assert_non_null(w);
	w->options = &o;
	w->config.run = 0xabc;
	for (i = 0; i < 96; i++) {
		s = (struct mirror_subject){
		    (uint32_t)i % 3, 1 + (uint32_t)i % 16, i % 2 == 1};
		mirror_subject(w, &s, text);
		got = mirror_subject_read(w, text);
		assert_int_equal(got.home, s.home);
		assert_int_equal(got.number, s.number);
		assert_int_equal(got.is_renamed, s.is_renamed);
	}
	assert_string_equal(text, "nb.abc.t2.k16");
	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_int_equal(mirror_subject_read(w, none[i]).number, 0);
	free(w);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_subjects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

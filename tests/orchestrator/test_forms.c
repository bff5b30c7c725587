/* SPDX-License-Identifier: ISC */
/* Results of many runs: words and exit codes have one order. */
#include "tests/support.h"

#include "orchestrator/judge/judge.h"
#include "orchestrator/many/forms.h"
#include "proto/json.h"

static cJSON *
rows_of(const char *one, const char *other)
{
	cJSON *rows = cJSON_CreateArray(), *row = cJSON_CreateObject();

	json_put_text(row, "result", one);
	json_append(rows, row);
	row = cJSON_CreateObject();
	json_put_text(row, "result", other);
	json_append(rows, row);
	return rows;
}

/* docs/verdicts.md */
static void
test_order(void **state)
{
	static const int order[] = {EXIT_VIOLATION, EXIT_HARNESS, EXIT_CLUSTER,
	    EXIT_SKIPPED, EXIT_INCONCLUSIVE, EXIT_PASS};
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		for (k = i; k < sizeof(order) / sizeof(order[0]); k++) {
			assert_int_equal(
			    forms_worse(order[i], order[k]), order[i]);
			assert_int_equal(
			    forms_worse(order[k], order[i]), order[i]);
		}
}

/* Whatever two runs came to, the title has the word of the exit code. */
static void
test_words_and_codes(void **state)
{
	const struct forms_result *a, *b;
	cJSON *rows;

	(void)state;
	for (a = forms_results; a->word != NULL; a++)
		for (b = forms_results; b->word != NULL; b++) {
			rows = rows_of(a->word, b->word);
			assert_int_equal(forms_word_code(forms_worst(rows)),
			    forms_worse(a->code, b->code));
			cJSON_Delete(rows);
		}
	assert_string_equal(forms_worst(NULL), "pass");
}

static void
test_words(void **state)
{
	(void)state;
	assert_string_equal(forms_word(EXIT_HARNESS), "harness");
	assert_string_equal(forms_word(EXIT_INCONCLUSIVE), "inconclusive");
	assert_string_equal(forms_word(99), "harness");
	assert_int_equal(forms_word_code("died"), EXIT_HARNESS);
	assert_int_equal(forms_word_code("not run"), EXIT_INCONCLUSIVE);
	assert_int_equal(forms_word_code("?"), EXIT_HARNESS);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_words_and_codes),
	    cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

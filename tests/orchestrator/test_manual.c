/* SPDX-License-Identifier: ISC */
/*
 * The documents in the program: what reports name is found in them, by whole
 * names and forms of messages, and comes out without markup.
 */
#include "tests/support.h"

#include <string.h>

#include "chaos/chaos.h"
#include "orchestrator/judge/judge.h"
#include "orchestrator/report/manual.h"
#include "proto/base/text.h"

/* The text of a section's heading. */
static void
heading_of(enum manual_page page, const char *name, struct manual_block *b)
{
	struct manual_text section;

	if (!manual_section(page, name, &section))
		fail_msg("no section of \"%s\"", name);
	assert_true(manual_block(&section, b));
}

static void
test_sections(void **state)
{
	struct manual_text section;
	struct manual_block b;

	(void)state;
	heading_of(MANUAL_GUARANTEES, "6", &b);
	assert_string_equal(b.text, "6. A confirmed ack is final");
	heading_of(MANUAL_GUARANTEES, "lost", &b);
	assert_string_equal(b.text, "lost");
	heading_of(MANUAL_FAULTS, "kill_majority", &b);
	assert_string_equal(
	    b.text, "random_hard_kill, kill_majority, kill_all");
	assert_false(manual_section(MANUAL_GUARANTEES, "los", &section));
	assert_false(manual_section(MANUAL_GUARANTEES, "99", &section));
	assert_false(manual_section(MANUAL_GUARANTEES, "", &section));
	/* A section ends where the next begins, also the last one. */
	assert_true(manual_section(MANUAL_GUARANTEES, "6", &section));
	assert_null(memmem(section.at, section.len, "\n## 7. ", 7));
	assert_true(manual_section(MANUAL_FAULTS, "rolling_restart", &section));
	assert_null(memmem(section.at, section.len, "rolling_upgrade\n", 16));
}

/* Whatever a report names is explained. */
static void
test_all_names(void **state)
{
	const struct check_ops *const *c;
	const struct mayhem_ops *const *m;
	struct manual_block b;
	struct manual_row row;
	int k;

	(void)state;
	for (c = check_table; *c != NULL; c++) {
		heading_of(MANUAL_GUARANTEES, (*c)->name, &b);
		assert_int_equal(strncmp((*c)->rule, "guarantees ", 11), 0);
		heading_of(MANUAL_GUARANTEES, (*c)->rule + 11, &b);
	}
	for (k = 0; k < ANOMALY_COUNT; k++)
		if (!manual_row(MANUAL_REPORT,
			anomaly_kind_name((enum anomaly_kind)k), &row))
			fail_msg("docs/report.md lacks %s",
			    anomaly_kind_name((enum anomaly_kind)k));
	for (m = mayhem_table; *m != NULL; m++)
		if (!manual_row(MANUAL_FAULTS, (*m)->name, &row))
			fail_msg("docs/faults.md lacks %s", (*m)->name);
}

static void
test_rows(void **state)
{
	struct manual_text from = {NULL, 0};
	struct manual_row row;

	(void)state;
	assert_true(manual_row(MANUAL_VERDICTS, "69", &row));
	assert_string_equal(row.cells[2], "inconclusive");
	assert_string_equal(row.cells[3], "");
	assert_true(manual_row(MANUAL_VERDICTS, "violation", &row));
	assert_string_equal(
	    row.cells[1], "the promise cited in rule was broken");
	assert_false(manual_row(MANUAL_VERDICTS, "viol", &row));
	assert_false(manual_row(MANUAL_VERDICTS, "", &row));
	assert_true(manual_row_with(
	    MANUAL_GUARANTEES, 2, "expired_early", &from, &row));
	assert_string_equal(row.cells[0], "20");
	assert_false(manual_row_with(
	    MANUAL_GUARANTEES, 2, "expired_early", &from, &row));
}

/* A reason by its form, and the beginning of it, where it goes. */
static const char *const remedies[][2] = {
    {"no operation succeeded", "Look for the first error"},
    {"no operation succeeded while a fault was in force", "Give it a longer"},
    {"no operation succeeded at all", NULL},
    {"the cluster did not settle: n3 is not healthy: 503", "Give it a longer"},
    {"the cluster did not settle: nobody watches its servers: give their",
	"Give the monitoring addresses"},
    {"consumer NB_1_burn was not found", "Give it a longer"},
    {"consumer NB_1_burn was not found, nearly", NULL},
    {"the copies of stream 3 differed for 12 s, after which nobody looked: n1",
	"Give it a longer"},
    {"harness: N gaps in the history", "The reason says what failed"},
    {"lost: 3", NULL},
    {"", NULL},
};

static void
test_remedies(void **state)
{
	char out[512];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++) {
		out[0] = '\0';
		if (manual_remedy(remedies[i][0], out, sizeof(out)) !=
			(remedies[i][1] != NULL) ||
		    (remedies[i][1] != NULL &&
			strncmp(out, remedies[i][1], strlen(remedies[i][1])) !=
			    0))
			fail_msg("\"%s\": \"%s\"", remedies[i][0], out);
	}
}

static void
test_blocks(void **state)
{
	static const char text[] =
	    "## A *head*\n\nOne [link](there.md#x), `a*b`\nand more.\n"
	    "- first\n  goes on\n- second\n\n    as it\n      stands\n\n"
	    "| Head | of |\n|---|---|\n| `one` | two |\n<!-- note -->\n"
	    "```\nkept `as` is\n```\nLast.";
	static const char *const want[] = {"A head", "One link, a*b and more.",
	    "first goes on", "second", "    as it\n      stands\n", "one: two",
	    "kept `as` is\n", "Last."};
	struct manual_text t = {text, sizeof(text) - 1};
	struct manual_block b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		assert_true(manual_block(&t, &b));
		assert_string_equal(b.text, want[i]);
		assert_int_equal(b.is_item, i == 2 || i == 3 || i == 5);
		assert_int_equal(b.is_example, i == 4 || i == 6);
	}
	assert_false(manual_block(&t, &b));
}

/* No paragraph is cut, no cell either, and no mark of a link is left. */
static void
test_whole(void **state)
{
	struct manual_block b;
	struct manual_text t;
	int page;

	(void)state;
	for (page = 0; page < MANUAL_PAGES; page++) {
		t = manual_all((enum manual_page)page);
		while (manual_block(&t, &b)) {
			assert_true(strlen(b.text) < MANUAL_TEXT_MAX - 1);
			if (!b.is_example && strstr(b.text, "](") != NULL)
				fail_msg("a link is left: %s", b.text);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sections),
	    cmocka_unit_test(test_all_names),
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_remedies),
	    cmocka_unit_test(test_blocks),
	    cmocka_unit_test(test_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

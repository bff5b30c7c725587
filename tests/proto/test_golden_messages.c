/* SPDX-License-Identifier: ISC */
/*
 * Golden messages: each message as bytes and as text, one file a message
 * under golden/messages. A change of a number, a field or the form of a
 * frame shows here. BLESS=1 writes them anew; look at the diff.
 */
#include "tests/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"

#define TEXT_MAX 32768

/* Three instances each: nothing, everything, something. */
static void
describe(unsigned type, char *out)
{
	uint8_t frame[FRAME_MAX];
	char line[4096];
	struct event ev;
	struct rng rng;
	int fill, len, i;

	out[0] = '\0';
	rng_init(&rng, 1, message_spec(type)->name);
	for (fill = 0; fill < FILLS; fill++) {
		support_fill(&ev, type, (enum fill)fill, &rng);
		len = frame_encode(&ev, frame);
		assert_true(len > 0);
		text_add(out, TEXT_MAX, "hex ");
		for (i = 0; i < len; i++)
			text_add(out, TEXT_MAX, "%02x", frame[i]);
		assert_true(message_print(&ev, line, sizeof(line)) > 0);
		for (i = 0; line[i] != '\0'; i++)
			if ((unsigned char)line[i] < ' ' || line[i] == 0x7f ||
			    (unsigned char)line[i] > 0x7f)
				line[i] = '?';
		text_add(out, TEXT_MAX, "\n%s\n", line);
	}
}

static void
path_of(unsigned type, char *out, size_t size)
{
	text_format(out, size, TESTS_DIR "/golden/messages/%03u_%s.txt", type,
	    message_spec(type)->name);
}

static void
bless(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void
test_messages(void **state)
{
	char *text = malloc(TEXT_MAX), *golden = calloc(1, TEXT_MAX);
	char path[512];
	unsigned i, wrong = 0;
	FILE *f;

	(void)state;
	assert_non_null(text);
	assert_non_null(golden);
	for (i = 0; i < support_types(); i++) {
		describe(support_type(i), text);
		path_of(support_type(i), path, sizeof(path));
		if (support_bless())
			bless(path, text);
		f = fopen(path, "re");
		if (f == NULL)
			fail_msg("no golden file for %s: BLESS=1 writes it",
			    message_spec(support_type(i))->name);
		golden[fread(golden, 1, TEXT_MAX - 1, f)] = '\0';
		fclose(f);
		if (strcmp(text, golden) != 0) {
			print_message("%s differs\n", path);
			wrong++;
		}
	}
	free(text);
	free(golden);
	assert_int_equal(wrong, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_messages)};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	frame_cleanup();
	return failed;
}

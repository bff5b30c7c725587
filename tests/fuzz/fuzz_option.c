/* SPDX-License-Identifier: ISC */
/*
 * Any text as lines of name=value: what is accepted dumps to what is
 * accepted again with the same result; what is not is explained.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "proto/base/text.h"
#include "proto/config.h"

static void
rebuild(void *arg, const char *name, const char *value)
{
	char why[OPTION_WHY_MAX];

	MUST(config_set(arg, name, value, why) == 0);
}

static void
compare(const struct run_config *a, const struct run_config *b)
{
	char one[OPTION_VALUE_MAX], two[OPTION_VALUE_MAX];
	const struct option_spec *row;

	for (row = config_options; row->name != NULL; row++) {
		option_get(row, a, one, sizeof(one));
		option_get(row, b, two, sizeof(two));
		MUST(strcmp(one, two) == 0);
	}
	MUST(a->nextras == b->nextras && a->run == b->run);
}

static void
set_line(struct run_config *c, char *line)
{
	char why[OPTION_WHY_MAX], *equals = strchr(line, '=');
	int err;

	if (equals == NULL)
		return;
	*equals = '\0';
	memset(why, 'x', sizeof(why));
	why[0] = '\0';
	err = config_set(c, line, equals + 1, why);
	MUST(err <= 0);
	MUST(strnlen(why, sizeof(why)) < sizeof(why));
	if (err < 0 && strcmp(line, "run") != 0)
		MUST(why[0] != '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct run_config c, back;
	char text[4096], *line, *next, out[64];
	uint64_t ns;

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	config_init(&c);
	for (line = text; line != NULL; line = next) {
		next = strchr(line, '\n');
		if (next == NULL)
			next = strchr(line, ';');
		if (next != NULL)
			*next++ = '\0';
		if (text_to_duration(line, &ns) == 0) {
			text_from_duration(ns, out, sizeof(out));
			MUST(text_to_duration(out, &ns) == 0);
		}
		set_line(&c, line);
	}
	config_init(&back);
	config_each(&c, true, rebuild, &back);
	compare(&c, &back);
	return 0;
}

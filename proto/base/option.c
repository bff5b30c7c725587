/* SPDX-License-Identifier: ISC */
/* Options as rows; see option.h. */
#include <errno.h>
#include <string.h>

#include "proto/base/option.h"
#include "proto/base/text.h"

#define NAMES_MAX 96 /* most rows that a "did you mean" looks at */
#define FEW	  40 /* names that are all said */

static uint64_t *
place_u64(const struct option_spec *row, void *base)
{
	return (uint64_t *)(void *)((char *)base + row->offset);
}

static struct option_times *
place_times(const struct option_spec *row, void *base)
{
	return (struct option_times *)(void *)((char *)base + row->offset);
}

static char *
place_text(const struct option_spec *row, void *base)
{
	return (char *)base + row->offset;
}

static bool *
place_flag(const struct option_spec *row, void *base)
{
	return (bool *)((char *)base + row->offset);
}

const struct option_spec *
option_find(const struct option_spec *rows, const char *name)
{
	for (; rows->name != NULL; rows++)
		if (strcmp(rows->name, name) == 0)
			return rows;
	return NULL;
}

void
option_defaults(const struct option_spec *rows, void *base)
{
	char why[OPTION_WHY_MAX];

	for (; rows->name != NULL; rows++)
		(void)option_set(rows, base, "", rows->name, rows->def, why);
}

static int
set_flag(const struct option_spec *row, void *base, const char *value,
    char *allowed, size_t size)
{
	if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0) {
		*place_flag(row, base) = value[0] == 't';
		return 0;
	}
	text_add(allowed, size, "true or false");
	return -EINVAL;
}

static int
set_u64(const struct option_spec *row, void *base, const char *value,
    char *allowed, size_t size)
{
	uint64_t v;

	if (text_to_u64(value, row->max, &v) == 0 && v >= row->min) {
		*place_u64(row, base) = v;
		return 0;
	}
	text_add(allowed, size, "a number from %llu to %llu",
	    (unsigned long long)row->min, (unsigned long long)row->max);
	return -EINVAL;
}

static int
set_duration(const struct option_spec *row, void *base, const char *value,
    char *allowed, size_t size)
{
	char low[32], high[32];
	uint64_t v;

	if (text_to_duration(value, &v) == 0 && v >= row->min &&
	    v <= row->max) {
		*place_u64(row, base) = v;
		return 0;
	}
	text_from_duration(row->min, low, sizeof(low));
	text_from_duration(row->max, high, sizeof(high));
	text_add(allowed, size,
	    "a duration such as 500ms, 30s, 10m or 2h30m, from %s to %s", low,
	    high);
	return -EINVAL;
}

static int
read_times(const char *value, struct option_times *r)
{
	const char *dots = strstr(value, "..");
	char low[64];

	if (dots == NULL) {
		if (text_to_duration(value, &r->low) < 0)
			return -EINVAL;
		r->high = r->low;
		return 0;
	}
	if ((size_t)(dots - value) >= sizeof(low))
		return -EINVAL;
	text_set(low, (size_t)(dots - value) + 1, value);
	if (text_to_duration(low, &r->low) < 0 ||
	    text_to_duration(dots + 2, &r->high) < 0)
		return -EINVAL;
	return r->low <= r->high ? 0 : -EINVAL;
}

static int
set_times(const struct option_spec *row, void *base, const char *value,
    char *allowed, size_t size)
{
	char low[32], high[32];
	struct option_times r;

	if (read_times(value, &r) == 0 && r.low >= row->min &&
	    r.high <= row->max) {
		*place_times(row, base) = r;
		return 0;
	}
	text_from_duration(row->min, low, sizeof(low));
	text_from_duration(row->max, high, sizeof(high));
	text_add(allowed, size,
	    "a time such as 5s, or a range such as 2s..10s, from %s to %s", low,
	    high);
	return -EINVAL;
}

static int
set_string(const struct option_spec *row, void *base, const char *value,
    char *allowed, size_t size)
{
	if (strlen(value) < row->size) {
		text_set(place_text(row, base), row->size, value);
		return 0;
	}
	text_add(allowed, size, "at most %zu bytes", row->size - 1);
	return -EINVAL;
}

static int
set_choice(const struct option_spec *row, void *base, const char *value,
    char *allowed, size_t size)
{
	const char *near;
	size_t n;

	for (n = 0; row->choices[n] != NULL; n++)
		if (strcmp(row->choices[n], value) == 0)
			return set_string(row, base, value, allowed, size);
	text_add(allowed, size, "one of");
	for (n = 0; row->choices[n] != NULL; n++)
		text_add(allowed, size, "%s %s", n ? "," : "", row->choices[n]);
	near = text_nearest(value, row->choices, n);
	if (near != NULL)
		text_add(allowed, size, "; did you mean %s?", near);
	return -EINVAL;
}

static int
set_range(const struct option_spec *row, void *base, const char *value,
    char *allowed, size_t size)
{
	const char *dots = strstr(value, "..");
	uint64_t v[2];
	char low[24];

	if (dots != NULL && (size_t)(dots - value) < sizeof(low)) {
		text_set(low, (size_t)(dots - value) + 1, value);
		dots += 2;
	} else if (text_fits(low, sizeof(low), value))
		dots = low;
	if (dots != NULL && text_to_u64(low, row->max, &v[0]) == 0 &&
	    text_to_u64(dots, row->max, &v[1]) == 0 && v[0] >= row->min &&
	    v[0] <= v[1]) {
		memcpy(place_u64(row, base), v, sizeof(v));
		return 0;
	}
	text_add(allowed, size,
	    "a number or a range such as 100..200, from %llu to %llu",
	    (unsigned long long)row->min, (unsigned long long)row->max);
	return -EINVAL;
}

static int
set_rate(const struct option_spec *row, void *base, const char *value,
    char *allowed, size_t size)
{
	size_t len = strlen(value);
	char number[24];
	uint64_t v;

	/* Nobody means anything else without it. */
	if (len > 2 && strcmp(value + len - 2, "/s") == 0)
		len -= 2;
	if (len >= sizeof(number))
		len = 0;
	text_set(number, len + 1, value); /* cut where it ends */
	if (text_to_u64(number, row->max, &v) == 0 && v >= row->min) {
		*place_u64(row, base) = v;
		return 0;
	}
	text_add(allowed, size, "a rate such as 5000/s, up to %llu/s",
	    (unsigned long long)row->max);
	return -EINVAL;
}

static int
set_size(const struct option_spec *row, void *base, const char *value,
    char *allowed, size_t size)
{
	char low[32], high[32];
	uint64_t v;

	if (text_to_size(value, &v) == 0 &&
	    (v == 0 || (v >= row->min && v <= row->max))) {
		*place_u64(row, base) = v;
		return 0;
	}
	text_from_size(row->min, low, sizeof(low));
	text_from_size(row->max, high, sizeof(high));
	text_add(allowed, size,
	    "0 or a size such as 512MiB or 2GiB, from %s to %s", low, high);
	return -EINVAL;
}

typedef int option_setter(const struct option_spec *, void *base,
    const char *value, char *allowed, size_t);

static option_setter *const setters[] = {
    [OPTION_FLAG] = set_flag,
    [OPTION_U64] = set_u64,
    [OPTION_DURATION] = set_duration,
    [OPTION_TIMES] = set_times,
    [OPTION_STRING] = set_string,
    [OPTION_CHOICE] = set_choice,
    [OPTION_RANGE] = set_range,
    [OPTION_RATE] = set_rate,
    [OPTION_SIZE] = set_size,
};

static int
unknown_option(const struct option_spec *rows, const char *prefix,
    const char *name, char *why)
{
	const char *names[NAMES_MAX], *near;
	size_t i, n;

	for (n = 0; rows[n].name != NULL && n < NAMES_MAX; n++)
		names[n] = rows[n].name;
	near = text_nearest(name, names, n);
	why[0] = '\0';
	text_add(why, OPTION_WHY_MAX, "unknown option %s%.80s", prefix, name);
	if (near != NULL)
		text_add(
		    why, OPTION_WHY_MAX, "; did you mean %s%s?", prefix, near);
	for (i = 0; near == NULL && n <= FEW && i < n; i++)
		text_add(why, OPTION_WHY_MAX, "%s%s",
		    i == 0 ? "; there are " : ", ", names[i]);
	return -ENOENT;
}

int
option_set(const struct option_spec *rows, void *base, const char *prefix,
    const char *name, const char *value, char *why)
{
	const struct option_spec *row = option_find(rows, name);
	char allowed[OPTION_WHY_MAX / 2] = "";
	int err;

	if (row == NULL)
		return unknown_option(rows, prefix, name, why);
	err = setters[row->type](row, base, value, allowed, sizeof(allowed));
	if (err == 0)
		return 0;
	why[0] = '\0';
	/* A URL may hold a password. */
	text_add(why, OPTION_WHY_MAX, "%s%s \"%.200s\": must be %s", prefix,
	    name, row->secret || strstr(value, "://") != NULL ? "..." : value,
	    allowed);
	return err;
}

static void
get_times(const struct option_times *r, char *out, size_t size)
{
	char high[32];

	text_from_duration(r->low, out, size);
	if (r->high == r->low)
		return;
	text_from_duration(r->high, high, sizeof(high));
	text_add(out, size, "..%s", high);
}

void
option_get(
    const struct option_spec *row, const void *base, char *out, size_t size)
{
	void *b = (void *)(uintptr_t)base; /* only read through */
	uint64_t range[2];

	out[0] = '\0';
	switch (row->type) {
	case OPTION_FLAG:
		text_set(out, size, *place_flag(row, b) ? "true" : "false");
		break;
	case OPTION_U64:
		text_add(
		    out, size, "%llu", (unsigned long long)*place_u64(row, b));
		break;
	case OPTION_DURATION:
		text_from_duration(*place_u64(row, b), out, size);
		break;
	case OPTION_TIMES:
		get_times(place_times(row, b), out, size);
		break;
	case OPTION_STRING:
	case OPTION_CHOICE:
		text_set(out, size, place_text(row, b));
		break;
	case OPTION_RANGE:
		memcpy(range, place_u64(row, b), sizeof(range));
		text_add(out, size, "%llu", (unsigned long long)range[0]);
		if (range[1] != range[0])
			text_add(
			    out, size, "..%llu", (unsigned long long)range[1]);
		break;
	case OPTION_RATE:
		text_add(out, size, "%llu%s",
		    (unsigned long long)*place_u64(row, b),
		    *place_u64(row, b) != 0 ? "/s" : "");
		break;
	case OPTION_SIZE:
		text_from_size(*place_u64(row, b), out, size);
		break;
	}
}

bool
option_is_default(const struct option_spec *row, const void *base)
{
	char value[OPTION_VALUE_MAX];
	struct option_times r;
	uint64_t ns;

	option_get(row, base, value, sizeof(value));
	if (row->type == OPTION_TIMES)
		return read_times(row->def, &r) == 0 &&
		       memcmp(&r, place_times(row, (void *)(uintptr_t)base),
			   sizeof(r)) == 0;
	if (row->type == OPTION_DURATION)
		return text_to_duration(row->def, &ns) == 0 &&
		       ns == *place_u64(row, (void *)(uintptr_t)base);
	return strcmp(value, row->def) == 0;
}

void
option_help(const struct option_spec *rows, const char *prefix, FILE *out)
{
	bool is_long = prefix[0] == '-', is_flag;
	char head[80];

	for (; rows->name != NULL; rows++) {
		is_flag = rows->type == OPTION_FLAG;
		head[0] = '\0';
		text_add(head, sizeof(head), "%s%s", prefix, rows->name);
		/* A flag of a test or mode has to be given a value. */
		if (is_flag)
			text_add(
			    head, sizeof(head), "%s", is_long ? "" : "=true");
		else
			text_add(head, sizeof(head), "%s%s",
			    is_long ? " " : "=",
			    rows->arg != NULL ? rows->arg : "");
		fprintf(out, "  %-28s %s", head, rows->help);
		if (rows->def[0] != '\0' && !is_flag)
			fprintf(out, " [%s]", rows->def);
		fputc('\n', out);
	}
}

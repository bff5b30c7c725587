/* SPDX-License-Identifier: ISC */
/* Reading and writing what people type; see text.h. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"

#define WORD_MAX 48 /* letters of a word that text_distance looks at */

static const struct unit {
	const char *name;
	uint64_t ns;
} units[] = {
    {"ns", 1},
    {"us", 1000},
    {"ms", CLOCK_MS},
    {"s", CLOCK_S},
    {"m", 60 * CLOCK_S},
    {"h", 3600 * CLOCK_S},
    {"d", 86400 * CLOCK_S},
};

#define UNITS (sizeof(units) / sizeof(units[0]))

/* Read digits at *p up to max; moves *p behind them. */
static int
read_digits(const char **p, uint64_t max, uint64_t *out)
{
	uint64_t v = 0, digit;

	if (!isdigit((unsigned char)**p))
		return -EINVAL;
	for (; isdigit((unsigned char)**p); (*p)++) {
		digit = (uint64_t)(**p - '0');
		if (v > (max - digit) / 10 && v * 10 + digit > max)
			return -ERANGE;
		if (v > (UINT64_MAX - digit) / 10)
			return -ERANGE;
		v = v * 10 + digit;
	}
	*out = v;
	return v > max ? -ERANGE : 0;
}

int
text_to_u64(const char *s, uint64_t max, uint64_t *out)
{
	int err = read_digits(&s, max, out);

	if (err < 0)
		return err;
	return *s == '\0' ? 0 : -EINVAL;
}

static const struct unit *
read_unit(const char **p)
{
	size_t i, len = 0;

	while (isalpha((unsigned char)(*p)[len]))
		len++;
	for (i = 0; i < UNITS; i++)
		if (strlen(units[i].name) == len &&
		    strncmp(units[i].name, *p, len) == 0) {
			*p += len;
			return &units[i];
		}
	return NULL;
}

int
text_to_duration(const char *s, uint64_t *ns)
{
	const struct unit *unit;
	uint64_t n, total = 0;
	int err;

	if (strcmp(s, "0") == 0) {
		*ns = 0;
		return 0;
	}
	do {
		err = read_digits(&s, INT64_MAX, &n);
		if (err < 0)
			return err;
		unit = read_unit(&s);
		if (unit == NULL)
			return -EINVAL;
		if (n > ((uint64_t)INT64_MAX - total) / unit->ns)
			return -ERANGE;
		total += n * unit->ns;
	} while (*s != '\0');
	*ns = total;
	return 0;
}

void
text_from_duration(uint64_t ns, char *out, size_t size)
{
	size_t i;

	out[0] = '\0';
	if (ns == 0)
		text_add(out, size, "0");
	for (i = UNITS; i-- > 0;) {
		if (ns < units[i].ns)
			continue;
		text_add(out, size, "%llu%s",
		    (unsigned long long)(ns / units[i].ns), units[i].name);
		ns %= units[i].ns;
	}
}

static const char *const sizes[] = {"KiB", "MiB", "GiB", "TiB"};

#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

int
text_to_size(const char *s, uint64_t *bytes)
{
	uint64_t n;
	unsigned i;
	int err;

	if (strcmp(s, "0") == 0) {
		*bytes = 0;
		return 0;
	}
	err = read_digits(&s, INT64_MAX, &n);
	if (err < 0)
		return err;
	for (i = 0; i < SIZES; i++)
		if (strcmp(s, sizes[i]) == 0)
			break;
	if (i == SIZES)
		return -EINVAL;
	if (n > (uint64_t)INT64_MAX >> (10 * (i + 1)))
		return -ERANGE;
	*bytes = n << (10 * (i + 1));
	return 0;
}

void
text_from_size(uint64_t bytes, char *out, size_t size)
{
	uint64_t n = bytes >> 10;
	unsigned i = 0;

	while (i + 1 < SIZES && n > 0 && n % 1024 == 0) {
		n >>= 10;
		i++;
	}
	out[0] = '\0';
	if (bytes == 0)
		text_add(out, size, "0");
	else
		text_add(out, size, "%llu%s", (unsigned long long)n, sizes[i]);
}

bool
text_fits(char *out, size_t size, const char *in)
{
	size_t len = strnlen(in, size);
	bool whole = len < size;

	if (!whole)
		len = size - 1;
	memcpy(out, in, len);
	out[len] = '\0';
	return whole;
}

/* Format behind the first used bytes of out; true when nothing was cut. */
static bool __attribute__((format(printf, 4, 0)))
format_behind(char *out, size_t size, size_t used, const char *fmt, va_list ap)
{
	int n;

	if (used >= size)
		return false;
	n = vsnprintf(out + used, size - used, fmt, ap);
	return n >= 0 && (size_t)n < size - used;
}

bool
text_fits_add(char *out, size_t size, const char *fmt, ...)
{
	va_list ap;
	bool whole;

	va_start(ap, fmt);
	whole = format_behind(out, size, strnlen(out, size), fmt, ap);
	va_end(ap);
	return whole;
}

void
text_set(char *out, size_t size, const char *in)
{
	/* What is cut is cut: text.h says for whom this is. */
	(void)text_fits(out, size, in);
}

void
text_format(char *out, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)format_behind(out, size, 0, fmt, ap); /* likewise */
	va_end(ap);
}

void
text_add(char *out, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	/* likewise */
	(void)format_behind(out, size, strnlen(out, size), fmt, ap);
	va_end(ap);
}

uint64_t
text_hash(uint64_t hash, const char *text)
{
	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
	return hash;
}

size_t
text_sequence(const char *text)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *p = (const unsigned char *)text;
	uint32_t c;
	size_t len, i;

	if (p[0] < 0x80)
		return p[0] != '\0';
	len = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : p[0] >= 0xC0 ? 2 : 0;
	if (len == 0 || p[0] >= 0xF8)
		return 0;
	c = p[0] & (0x7FU >> len);
	for (i = 1; i < len; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3FU);
	}
	if (c < least[len] || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000) ||
	    c == 0xFFFE || c == 0xFFFF)
		return 0;
	return len;
}

bool
text_is_utf8(const char *text)
{
	size_t len;

	for (; (len = text_sequence(text)) > 0; text += len)
		;
	return *text == '\0';
}

/* Bytes of the character at text that can be shown, or 0. */
static size_t
printable(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t len = text_sequence(text);

	if (p[0] < 0x20 || p[0] == 0x7F || (p[0] == 0xC2 && p[1] < 0xA0))
		return 0;
	/* What turns the direction: U+202A to 202E, U+2066 to 2069. */
	if (len == 3 && p[0] == 0xE2 &&
	    ((p[1] == 0x80 && p[2] >= 0xAA && p[2] <= 0xAE) ||
		(p[1] == 0x81 && p[2] >= 0xA6 && p[2] <= 0xA9)))
		return 0;
	return len;
}

bool
text_is_printable(const char *text)
{
	size_t len;

	for (; (len = printable(text)) > 0; text += len)
		;
	return *text == '\0';
}

void
text_printable(char *out, size_t size, const char *in)
{
	size_t used = 0, len;
	char hex[5];

	for (; *in != '\0'; in += len > 0 ? len : 1) {
		len = printable(in);
		text_format(hex, sizeof(hex), "\\x%02x", (unsigned char)*in);
		if (used + (len > 0 ? len : 4) >= size)
			break;
		memcpy(out + used, len > 0 ? in : hex, len > 0 ? len : 4);
		used += len > 0 ? len : 4;
	}
	out[used] = '\0';
}

void
text_file_name(char *out, size_t size, const char *in)
{
	static const char fit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "abcdefghijklmnopqrstuvwxyz0123456789._-";
	char *at;

	text_set(out, size, in[0] != '\0' ? in : "_");
	for (at = out; *at != '\0'; at++)
		if (strchr(fit, *at) == NULL || (at == out && *at == '.'))
			*at = '_';
}

bool
text_next_item(const char **list, char *out, size_t size)
{
	size_t len = strcspn(*list, ","), keep;

	if (**list == '\0')
		return false;
	keep = len < size ? len : size - 1;
	memcpy(out, *list, keep);
	out[keep] = '\0';
	*list += len;
	if (**list == ',')
		(*list)++;
	return true;
}

unsigned
text_distance(const char *a, const char *b)
{
	unsigned row[WORD_MAX + 1], diagonal, above, cost, best;
	size_t la = strnlen(a, WORD_MAX), lb = strnlen(b, WORD_MAX), i, j;

	for (j = 0; j <= lb; j++)
		row[j] = (unsigned)j;
	for (i = 1; i <= la; i++) {
		diagonal = row[0];
		row[0] = (unsigned)i;
		for (j = 1; j <= lb; j++) {
			above = row[j];
			cost = a[i - 1] != b[j - 1];
			best = diagonal + cost;
			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = above;
			row[j] = best;
		}
	}
	return row[lb];
}

const char *
text_nearest(const char *word, const char *const *names, size_t n)
{
	const char *best = NULL;
	unsigned least = (unsigned)(strnlen(word, WORD_MAX) / 2 + 1), d;
	size_t i;

	for (i = 0; i < n; i++) {
		d = text_distance(word, names[i]);
		if (d < least) {
			least = d;
			best = names[i];
		}
	}
	return best;
}

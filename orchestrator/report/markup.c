/* SPDX-License-Identifier: ISC */
/* Text in XML and HTML; see markup.h. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "orchestrator/report/markup.h"

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

/* Bytes of the UTF-8 sequence at p, 0 when there is none. */
static size_t
sequence(const unsigned char *p)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t c;
	size_t len, i;

	if (p[0] < 0x80)
		return 1;
	len = p[0] >= 0xF0 && p[0] < 0xF8 ? 4
	      : p[0] >= 0xE0		  ? 3
	      : p[0] >= 0xC0		  ? 2
					  : 0;
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

static const char *
entity(unsigned char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

void
markup_text(FILE *out, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	const char *instead;
	size_t len;

	for (; *p != '\0'; p += len > 0 ? len : 1) {
		len = sequence(p);
		instead = entity(*p);
		if (len == 0 || (*p < 0x20 && *p != '\n' && *p != '\t') ||
		    *p == 0x7F)
			instead = REPLACEMENT;
		if (instead != NULL)
			fputs(instead, out);
		else
			(void)fwrite(
			    p, 1, len, out); /* whoever closes it is told */
	}
}

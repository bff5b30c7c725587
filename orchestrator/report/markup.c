/* SPDX-License-Identifier: ISC */
/* Text in XML and HTML; see markup.h. */
#include <stddef.h>

#include "orchestrator/report/markup.h"
#include "proto/base/text.h"

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

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
		len = text_sequence((const char *)p);
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

/* SPDX-License-Identifier: ISC */
/* The end of a process that is wrong about itself; see ensure.h. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/ensure.h"
#include "proto/base/log.h"
#include "proto/base/text.h"

void
ensure_failed(const char *condition, const char *file, int line)
{
	char text[LOG_TEXT_MAX];

	text_format(text, sizeof(text), "%s:%d: does not hold: %s", file, line,
	    condition);
	/* Not by the sink of a child: its pipe may be what is wrong. */
	log_print("natsburn", LOG_ERROR, text);
	_exit(ENSURE_EXIT);
}

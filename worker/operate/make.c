/* SPDX-License-Identifier: ISC */
/* Making streams; see operate.h. */
#include <errno.h>

#include "proto/base/log.h"
#include "worker/operate/operate.h"

#define MAKE_NS (60 * CLOCK_S)

int
operate_make(struct worker *w, const char *name, const char *text,
    cJSON **answer, uint64_t *created)
{
	uint64_t deadline = clock_mono_ns() + MAKE_NS;
	struct backoff b = {0};

	*answer = NULL;
	*created = 0;
	for (;;) {
		/* Creating it again with the same configuration is no harm. */
		if (operate_ask(w, "STREAM.CREATE", name, text, answer) ==
		    OUTCOME_OK)
			*created = (uint64_t)request_time(
			    json_text(*answer, "created"));
		if (*created != 0)
			return 0;
		cJSON_Delete(*answer);
		*answer = NULL;
		if (clock_mono_ns() >= deadline) {
			log_error("cannot create stream \"%s\": %s", name,
			    w->session.why);
			return -ETIMEDOUT;
		}
		session_backoff(&b, &w->child);
	}
}

/* SPDX-License-Identifier: ISC */
/* Making streams; see operate.h. */
#include <errno.h>

#include "proto/base/log.h"
#include "proto/base/text.h"
#include "worker/operate/operate.h"

#define MAKE_NS (60 * CLOCK_S)
/* 2.10 says so of a stream with sources that is created again as it is. */
#define IN_USE 10058

/*
 * It may be there after an attempt that was not answered; to create it again
 * with the same configuration is no harm, but some servers begin anew then.
 */
static bool
make_once(struct worker *w, const char *name, const char *text, cJSON **answer)
{
	char why[sizeof(w->session.why)];

	if (operate_ask(w, "STREAM.CREATE", name, text, answer) == OUTCOME_OK)
		return true;
	if (w->session.code != 0 && w->session.code != IN_USE)
		return false;
	text_set(why, sizeof(why), w->session.why);
	if (operate_ask(w, "STREAM.INFO", name, "", answer) == OUTCOME_OK)
		return true;
	text_set(w->session.why, sizeof(w->session.why), why);
	return false;
}

int
operate_make(struct worker *w, const char *name, const char *text,
    cJSON **answer, uint64_t *created)
{
	uint64_t deadline = clock_mono_ns() + MAKE_NS;
	struct backoff b = {0};

	*answer = NULL;
	*created = 0;
	for (;;) {
		if (make_once(w, name, text, answer))
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

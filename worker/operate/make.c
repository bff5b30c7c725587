/* SPDX-License-Identifier: ISC */
/* Making streams; see operate.h. */
#include <errno.h>
#include <string.h>

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

void
operate_name(const struct worker *w, uint32_t i, char out[64])
{
	char suffix[16];

	text_format(suffix, sizeof(suffix), "s%u", i);
	worker_stream_name(w, suffix, out, 64);
}

void
operate_subject(const struct worker *w, uint32_t i, uint32_t subject,
    char out[OPERATE_SUBJECT_MAX])
{
	char suffix[32];

	if (subject == 0)
		text_format(suffix, sizeof(suffix), "s%u.>", i);
	else
		text_format(suffix, sizeof(suffix), "s%u.k%u", i, subject);
	worker_subject(w, suffix, out, OPERATE_SUBJECT_MAX);
}

uint32_t
operate_subject_read(
    const struct worker *w, uint32_t i, uint64_t subjects, const char *subject)
{
	char own[OPERATE_SUBJECT_MAX];
	const char *k = strrchr(subject, 'k');
	uint64_t n;

	if (k == NULL || text_to_u64(k + 1, subjects, &n) < 0)
		return 0;
	operate_subject(w, i, (uint32_t)n, own);
	return n != 0 && strcmp(own, subject) == 0 ? (uint32_t)n : 0;
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

/* The level of whoever answers; 0 of servers that don't say it. */
static enum outcome
ask_level(struct worker *w, uint64_t *level)
{
	char api[SESSION_API_MAX];
	natsMsg *reply = NULL;
	enum outcome outcome;
	natsStatus st;
	cJSON *tree;

	session_api(&w->session, api, "INFO");
	st = natsConnection_RequestString(
	    &reply, w->session.nc, api, "", OPERATE_ATTEMPT_MS);
	outcome = request_answer(&w->session, st, reply, &tree);
	*level = json_count(json_get(tree, "api"), "level");
	cJSON_Delete(tree);
	return outcome;
}

int
operate_require(struct worker *w, uint64_t level, const char *what)
{
	uint64_t deadline = clock_mono_ns() + MAKE_NS, has;
	struct backoff b = {0};

	while (ask_level(w, &has) != OUTCOME_OK) {
		if (clock_mono_ns() >= deadline) {
			log_error(
			    "JetStream does not answer: %s", w->session.why);
			return -ETIMEDOUT;
		}
		session_backoff(&b, &w->child);
	}
	if (has >= level)
		return 0;
	text_format(w->session.refusal, sizeof(w->session.refusal),
	    "%s, level %llu of JetStream's API; these servers have level %llu",
	    what, (unsigned long long)level, (unsigned long long)has);
	return -ENOTSUP;
}

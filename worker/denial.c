/* SPDX-License-Identifier: ISC */
/* What a cluster refuses for good; see denial.h. */
#include "worker/denial.h"

#include <errno.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"

#define LIMIT_NS (3 * CLOCK_S)	/* another run may be deleting its streams */
#define YOUNG_NS (20 * CLOCK_S) /* a young cluster may not be there yet */

/*
 * JetStream's codes that don't go away, for how long they are worth another
 * try, and what the user can do about it. Others are tried to the end.
 */
static const struct denial {
	uint32_t code;
	uint64_t patience_ns;
	const char *advice;
} denials[] = {
    {10074, 0, "this cluster has one server: give --replicas 1"},
    {10076, YOUNG_NS / 4, "no server with JetStream answers"},
    {10039, LIMIT_NS, "enable JetStream for this account"},
    {10005, YOUNG_NS, "are there as many servers as --replicas?"},
    {10023, YOUNG_NS, ""},
    {10002, LIMIT_NS, "an account limit is reached"},
    {10026, LIMIT_NS, "an account limit is reached"},
    {10027, LIMIT_NS, "an account limit is reached"},
    {10028, LIMIT_NS, "an account limit is reached"},
    {10047, LIMIT_NS, "an account limit is reached"},
    {10113, LIMIT_NS, "this account can't be used"},
    {10120, LIMIT_NS, "no account limit allows so many replicas"},
    {10121, LIMIT_NS, "an account limit is reached"},
    {10122, LIMIT_NS, "an account limit is reached"},
};

static const struct denial *
denial_find(uint32_t code)
{
	size_t i;

	for (i = 0; i < sizeof(denials) / sizeof(denials[0]); i++)
		if (denials[i].code == code)
			return &denials[i];
	return NULL;
}

/* It is told by the connection, not by an answer. */
const char *
denial_permission(const struct worker *w)
{
	const char *text = NULL;

	if (w->session.nc == NULL ||
	    natsConnection_GetLastError(w->session.nc, &text) !=
		NATS_NOT_PERMITTED ||
	    text == NULL)
		return NULL;
	return text;
}

int
denial_look(struct worker *w)
{
	const char *permission = denial_permission(w);

	if (permission == NULL || strstr(permission, "Publish") == NULL)
		return 0;
	text_format(w->session.refusal, sizeof(w->session.refusal),
	    "%.40s may not do what the test needs: %.180s", w->role,
	    permission);
	return -EACCES;
}

int
denial_say(struct worker *w, const char *what)
{
	const struct session *s = &w->session;
	const struct denial *d = denial_find(s->code);
	const char *permission = denial_permission(w);
	char code[16] = "";

	if (s->code != 0)
		text_format(code, sizeof(code), " (%u)", s->code);
	text_format(w->session.refusal, sizeof(w->session.refusal),
	    "%.80s: %.100s%s%s%s", what,
	    permission != NULL ? permission : session_words(s), code,
	    d != NULL && d->advice[0] != '\0' ? ": " : "",
	    d != NULL ? d->advice : "");
	return -EACCES;
}

bool
denial_is_final(const struct worker *w, uint64_t begun_ns)
{
	const struct denial *d = denial_find(w->session.code);

	if (!w->session.gives_up)
		return false;
	return denial_permission(w) != NULL ||
	       (d != NULL && clock_mono_ns() - begun_ns >= d->patience_ns);
}

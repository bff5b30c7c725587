/* SPDX-License-Identifier: ISC */
/* How long the audit may take; see limit.h. */
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "worker/internal.h"

#define WHOLE_S(ns) ((unsigned long long)((ns) / CLOCK_S))

void
limit_begin(struct worker *w, const struct msg_audit_limit *m)
{
	uint64_t now = clock_mono_ns() - w->child.stood_ns;
	uint64_t copies = w->config.replicas > 1 ? w->config.replicas : 0;
	uint64_t *ends_ns = w->limit.ends_ns;

	ends_ns[LIMIT_CONSUMERS] = now + m->base_ns / 3;
	ends_ns[LIMIT_SCANS] = now + m->base_ns / 3 * 2 + m->reading_ns;
	ends_ns[LIMIT_COPIES] = now + m->base_ns + m->reading_ns * (1 + copies);
	w->limit.proof_ns = m->proof_ns;
	w->limit.part = LIMIT_CONSUMERS;
}

void
limit_enter(struct worker *w, enum limit_part part)
{
	w->limit.part = part;
}

static uint64_t
end_of(const struct worker *w)
{
	return w->limit.ends_ns[w->limit.part] + w->child.stood_ns;
}

uint64_t
limit_deadline(const struct worker *w, uint64_t ns)
{
	uint64_t until = clock_mono_ns() + ns, end = end_of(w);

	return until < end ? until : end;
}

bool
limit_is_over(const struct worker *w)
{
	return clock_mono_ns() >= end_of(w);
}

void
limit_prove(struct worker *w, uint64_t ns, const char *what)
{
	uint64_t until = clock_mono_ns() + ns, end = end_of(w), more;
	unsigned part;

	if (until <= end || w->limit.proof_ns == 0)
		return;
	more = until - end;
	if (more > w->limit.proof_ns)
		more = w->limit.proof_ns;
	w->limit.proof_ns -= more;
	for (part = w->limit.part; part < LIMIT_PARTS; part++)
		w->limit.ends_ns[part] += more;
	log_warn("%s: the audit takes up to %llu s longer to prove it", what,
	    WHOLE_S(more + CLOCK_S - 1));
}

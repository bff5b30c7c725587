/* SPDX-License-Identifier: ISC */
/* Operations that ended too late; see late.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/judge.h"
#include "orchestrator/judge/late.h"
#include "proto/base/array.h"

struct late {
	struct check *check;
	struct anomaly a;
	struct check_time time;
	uint64_t end_ns;
	char *says;
};

void
lates_init(struct lates *l)
{
	memset(l, 0, sizeof(*l));
}

void
lates_fini(struct lates *l)
{
	uint32_t i;

	for (i = 0; i < l->n; i++)
		free(l->rows[i].says);
	free(l->rows);
	lates_init(l);
}

void
lates_add(struct lates *l, struct check *c, const struct anomaly *a,
    const struct check_time *t, const char *says)
{
	int err = array_reserve(
	    &l->rows, &l->room, l->n + 1, sizeof(*l->rows), LATES_MAX);
	char *copy = err == 0 ? strdup(says) : NULL;

	if (copy == NULL) {
		l->no_memory |= err != -ENOSPC;
		return;
	}
	l->rows[l->n++] = (struct late){c, *a, *t, c->now_ns, copy};
}

static void
late_judge(struct late *w, bool is_known)
{
	uint64_t stood =
	    faults_stood(w->check->faults, w->time.start_ns, w->end_ns);
	uint64_t used = w->end_ns - w->time.start_ns - stood;

	if (used > w->time.limit_ns)
		used = judge_used(w->check, &w->time, used, w->end_ns);
	if (used > w->time.limit_ns) {
		w->a.time_ns = w->end_ns;
		if (!is_known)
			w->a.class = CLASS_WARNING;
		check_raise(w->check, &w->a,
		    "%s within %.1f s in which the cluster could serve%s",
		    w->says, (double)used / 1e9,
		    is_known ? ""
			     : "; whether one of natsburn's own processes "
			       "stood still is not known");
	}
	free(w->says);
}

void
lates_pass(struct lates *l, uint64_t now_ns)
{
	uint32_t i;

	for (i = 0; i < l->n; i++) {
		if (now_ns < l->rows[i].end_ns + FAULTS_LAG_NS)
			break;
		late_judge(&l->rows[i], true);
	}
	if (i == 0)
		return;
	l->n -= i;
	memmove(l->rows, l->rows + i, l->n * sizeof(*l->rows));
}

void
lates_finish(struct lates *l, bool saw_end)
{
	uint32_t i;

	for (i = 0; i < l->n; i++)
		late_judge(&l->rows[i], saw_end);
	l->n = 0;
}

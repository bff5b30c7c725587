/* SPDX-License-Identifier: ISC */
/* What the servers held, in report.json; see report.h. */
#include "orchestrator/report/report.h"
#include "proto/json.h"

static const char *const states[] = {
    [LEVELS_NOT_TOLD] = "not told",
    [LEVELS_NOT_LONG] = "not exercised",
    [LEVELS_WITHIN] = "within",
    [LEVELS_GROWN] = "grown",
};

void
report_levels(cJSON *item, const struct levels *l, unsigned server)
{
	const struct levels_server *s = &l->servers[server];
	enum levels_state state;
	cJSON *all, *o;
	unsigned k;

	if (s->boot == 0)
		return;
	all = json_put_object(item, "levels");
	for (k = 0; k < LEVELS_KINDS; k++) {
		state = levels_state(l, s, k);
		o = json_put_object(all, levels_name(k));
		json_put_text(o, "says", states[state]);
		if (state == LEVELS_NOT_TOLD)
			continue;
		json_put_number(o, "before", (double)s->before[k]);
		json_put_number(o, "highest", (double)s->highest[k]);
		if (s->nafter > 0)
			json_put_number(o, "after", (double)s->after[k]);
	}
}

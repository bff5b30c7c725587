/* SPDX-License-Identifier: ISC */
/* What the servers' logs say, condensed, in report.json; see report.h. */
#include "orchestrator/report/report.h"
#include "proto/json.h"

static void
add_count(cJSON *o, const struct stats *s, const struct logs_count *c)
{
	json_put_number(o, "count", (double)c->count);
	json_put_number(o, "first_t", stats_since_load(s, c->first_ns));
	json_put_number(o, "last_t", stats_since_load(s, c->last_ns));
}

static void
add_kind(cJSON *list, const struct stats *s, const struct logs_kind *k)
{
	static const char *const levels[] = {
	    [LEVEL_WARNING] = "warning",
	    [LEVEL_ERROR] = "error",
	    [LEVEL_FATAL] = "fatal",
	};
	struct logs_count all = logs_total(k);
	cJSON *item = cJSON_CreateObject(), *servers, *server;
	unsigned i;

	json_put_text(item, "level",
	    k->level >= LEVEL_WARNING && k->level <= LEVEL_FATAL
		? levels[k->level]
		: "warning");
	json_put_text(item, "says",
	    k->says[0] != '\0' ? k->says : "(further kinds, together)");
	add_count(item, s, &all);
	servers = json_put_array(item, "servers");
	for (i = 0; i < CONFIG_NODES_MAX; i++) {
		if (k->servers[i].count == 0)
			continue;
		server = cJSON_CreateObject();
		json_put_text(server, "name", s->servers[i].name);
		add_count(server, s, &k->servers[i]);
		json_append(servers, server);
	}
	json_append(list, item);
}

void
report_logs(cJSON *o, const struct stats *s)
{
	const struct logs_kind *kinds[REPORT_LOGS_MAX];
	unsigned i, n = logs_order(&s->logs, kinds, REPORT_LOGS_MAX);
	cJSON *list = json_put_array(o, "server_log");

	for (i = 0; i < n; i++)
		add_kind(list, s, kinds[i]);
	if (s->logs.n > n)
		json_put_number(o, "server_log_omitted", s->logs.n - n);
}

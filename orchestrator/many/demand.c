/* SPDX-License-Identifier: ISC */
/* What a report.json has to be; see demand.h. */
#include <math.h>
#include <string.h>

#include "orchestrator/judge/judge.h"
#include "orchestrator/many/demand.h"
#include "proto/base/text.h"
#include "proto/json.h"

enum kind {
	NUMBER,
	WHOLE,
	TEXT,
	BOOL,
	TEXTS,
	ROWS,
	OBJECT
};

static const struct member {
	const char *name;
	enum kind kind;
	bool may_lack;
} members[] = {
    {"schema", WHOLE, false},
    {"natsburn", TEXT, false},
    {"verdict", TEXT, false},
    {"exit_code", WHOLE, false},
    {"finished", BOOL, false},
    {"test", TEXT, false},
    {"mayhem", TEXTS, false},
    {"seed", WHOLE, false},
    {"started", TEXT, false},
    {"command", TEXT, false},
    {"cluster", TEXT, false},
    {"replicas", WHOLE, false},
    {"storage", TEXT, false},
    {"client_library", TEXT, false},
    {"duration_s", NUMBER, false},
    {"total_s", NUMBER, false},
    {"rounds", WHOLE, false},
    {"reasons", TEXTS, false},
    {"servers", ROWS, false},
    {"counts", OBJECT, false},
    {"latency_ms", OBJECT, false},
    {"longest_stall_ms", NUMBER, false},
    {"faults", ROWS, false},
    {"faults_omitted", WHOLE, true},
    {"anomalies", ROWS, false},
    {"checks", ROWS, false},
    {"phases", ROWS, false},
    {"phases_omitted", WHOLE, true},
    {"stalls", ROWS, false},
    {"stalls_seen", WHOLE, false},
    {"stalled_s", NUMBER, false},
    {"workers", ROWS, false},
    {"workers_omitted", WHOLE, true},
    {"options", OBJECT, false},
    {"harness", OBJECT, false},
};

static bool
is_number(const cJSON *item)
{
	return cJSON_IsNumber(item) && isfinite(item->valuedouble) &&
	       item->valuedouble >= 0;
}

static bool
is_list_of(const cJSON *list, cJSON_bool (*is_one)(const cJSON *))
{
	const cJSON *item;

	cJSON_ArrayForEach (item, list) {
		if (!is_one(item))
			return false;
	}
	return cJSON_IsArray(list);
}

static bool
is_kind(const cJSON *item, enum kind kind)
{
	switch (kind) {
	case NUMBER:
		return is_number(item);
	case WHOLE:
		return is_number(item) &&
		       item->valuedouble == floor(item->valuedouble);
	case TEXT:
		return cJSON_IsString(item);
	case BOOL:
		return cJSON_IsBool(item);
	case TEXTS:
		return is_list_of(item, cJSON_IsString);
	case ROWS:
		return is_list_of(item, cJSON_IsObject);
	case OBJECT:
		return cJSON_IsObject(item);
	}
	return false;
}

/* A name that is there twice says two things. */
static bool
is_alone(const cJSON *o, const char *name)
{
	const cJSON *item;
	unsigned n = 0;

	cJSON_ArrayForEach (item, o)
		n += strcmp(item->string, name) == 0;
	return n <= 1;
}

static bool
agrees(const char *verdict, double code)
{
	static const struct {
		const char *verdict;
		int code;
	} pairs[] = {
	    {"pass", EXIT_PASS},
	    {"pass", EXIT_LIMIT},
	    {"fail", EXIT_VIOLATION},
	    {"skipped", EXIT_SKIPPED},
	    {"inconclusive", EXIT_INCONCLUSIVE},
	    {"inconclusive", EXIT_CLUSTER},
	    {"inconclusive", EXIT_HARNESS},
	};
	size_t i;

	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (strcmp(pairs[i].verdict, verdict) == 0 &&
		    pairs[i].code == code)
			return true;
	return false;
}

static bool
has_violation(const cJSON *report)
{
	const cJSON *row;

	cJSON_ArrayForEach (row, json_get(report, "anomalies")) {
		if (strcmp(json_text(row, "class"), "violation") == 0)
			return true;
	}
	return false;
}

bool
demand_report(const cJSON *report, char *why)
{
	const char *verdict = json_text(report, "verdict");
	double code = json_number(report, "exit_code");
	const struct member *m;
	const cJSON *item;
	size_t i;

	why[0] = '\0';
	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		m = &members[i];
		item = json_get(report, m->name);
		if (item == NULL && m->may_lack)
			continue;
		if (!is_kind(item, m->kind) || !is_alone(report, m->name)) {
			text_add(why, DEMAND_WHY_MAX,
			    "its report.json is none of natsburn's: %s "
			    "is %s",
			    m->name,
			    item == NULL ? "missing" : "not what it must be");
			return false;
		}
	}
	if (json_number(report, "schema") != 1)
		text_add(why, DEMAND_WHY_MAX,
		    "its report.json has a schema "
		    "that this natsburn can't read");
	else if (!agrees(verdict, code) ||
		 has_violation(report) != (code == EXIT_VIOLATION))
		text_add(why, DEMAND_WHY_MAX,
		    "its report.json contradicts itself: verdict, exit code "
		    "and anomalies don't agree");
	return why[0] == '\0';
}

/* SPDX-License-Identifier: ISC */
/*
 * schedule: messages that the servers send at a time, once or again and again
 * (ADR-51), and that are replaced and removed while they wait:
 *
 *	for i in 1..N { one of { schedule, replace, remove } }
 *
 * A schedule's subject is its own, so that one client alone changes it. What
 * is sent has its payload, and so its id.
 */
#include "worker/workloads/schedule/schedule.h"
#include "proto/base/text.h"

#define STREAMS_MAX 64
#define LEVEL_2_12  2	/* of the API: schedules */
#define PAUSE_MS    100 /* between two operations of a client */
#define DEDUPE_NS   (120 * CLOCK_S)

static const struct option_spec options[] = {
    {"streams", OPTION_U64, OPTION_AT(struct schedule_options, streams), "2", 1,
	STREAMS_MAX, NULL, "N", "streams", false},
    {"ahead", OPTION_U64, OPTION_AT(struct schedule_options, ahead_ms), "5000",
	1, 3600000, NULL, "N",
	"milliseconds from now to a schedule's time, at most", false},
    {"race", OPTION_FLAG, OPTION_AT(struct schedule_options, races), "false", 0,
	0, NULL, NULL,
	"replace what may be on its way just then: nats-server 2.15.1 loses "
	"the new one",
	false},
    {"weights", OPTION_STRING, OPTION_AT(struct schedule_options, weights), "",
	0, 0, NULL, "LIST",
	"operations and how often: at:20,purge:5; others are not done", false},
    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
};

static int
validate(const struct run_config *c, const void *values, char *why)
{
	const struct schedule_options *o = values;
	uint64_t weights[OPERATE_ROWS_MAX];

	(void)c; /* any run will do */
	return operate_weights_read(
	    &schedule_operate, o->weights, weights, why);
}

static int
setup_one(struct worker *w, uint32_t i)
{
	char name[64], text[OPERATE_TEXT_MAX], subject[OPERATE_SUBJECT_MAX];
	uint64_t created;
	cJSON *answer;
	int err;

	operate_name(w, i, name);
	operate_subject(w, i, 0, subject);
	text_format(text, sizeof(text),
	    "{\"name\":\"%s\",\"subjects\":[\"%s\"],\"storage\":\"%s\","
	    "\"num_replicas\":%llu,\"duplicate_window\":%llu,"
	    "\"allow_direct\":true,\"allow_msg_schedules\":true,"
	    "\"allow_msg_ttl\":true}",
	    name, subject, w->config.storage,
	    (unsigned long long)w->config.replicas,
	    (unsigned long long)DEDUPE_NS);
	err = operate_make(w, name, text, &answer, &created);
	if (err < 0)
		return err;
	cJSON_Delete(answer);
	tell_stream(w, i, name, created, DEDUPE_NS);
	child_flush(&w->child);
	return 0;
}

static int
setup(struct worker *w)
{
	const struct schedule_options *o = w->options;
	int err = operate_require(
	    w, LEVEL_2_12, "schedules came with nats-server 2.12");
	uint32_t i;

	for (i = 0; i < o->streams && err == 0; i++)
		err = setup_one(w, i);
	return err;
}

static int
begin(struct worker *w)
{
	const struct schedule_options *o = w->options;

	return operate_init(w, &schedule_operate, o->weights, o->streams);
}

static int
step(struct worker *w)
{
	const struct schedule_options *o = w->options;

	operate_step(w, (uint32_t)operate_below(w, o->streams));
	worker_commands(w, PAUSE_MS);
	return 0;
}

static const struct workload_role roles[] = {
    {"client", WORKLOAD_CLIENTS, true},
    {NULL, WORKLOAD_ONE, false},
};

const struct workload_ops workload_schedule = {
    .name = "schedule",
    .summary = "messages are sent at their time, replaced and cancelled",
    .roles = roles,
    .options = options,
    .options_size = sizeof(struct schedule_options),
    .state_size = sizeof(struct schedule_state),
    .clients = 4,
    .validate = validate,
    .setup = setup,
    .begin = begin,
    .step = step,
    .command = operate_command,
    .end = operate_fini,
    .audit = schedule_audit,
};

/* SPDX-License-Identifier: ISC */
/*
 * mirror-source: streams from which messages go away, and copies of them:
 * mirrors, mirrors of mirrors, and streams that have several sources.
 *
 * The load goes to the origins alone, as that of stream-store, but for what a
 * server handles in another way when it copies it: messages that replace
 * others, that expect a sequence, that have a lifetime. Nothing is judged
 * here: the judge keeps a model of the origins, and compares.
 *
 * Setup publishes some messages before it makes the copies, so that these can
 * begin in the middle.
 */
#include "worker/workloads/mirror_source/mirror_source.h"

#define FIRST 24 /* messages of an origin that are there before the copies */
#define WEIGHTS                                                                \
	"publish:60,headers:6,large:1,delete:8,erase:4,purge:1,"               \
	"purge-subject:2,purge-keep:1,purge-all:1,limits:1,state:2"

static const struct option_spec options[] = {
    {"origins", OPTION_U64, OPTION_AT(struct mirror_options, store.streams),
	"4", 1, MIRROR_ORIGINS_MAX, NULL, "N", "streams that are copied",
	false},
    {"copies", OPTION_U64, OPTION_AT(struct mirror_options, copies), "6", 1,
	MIRROR_COPIES_MAX, NULL, "N", "mirrors and streams with sources",
	false},
    {"subjects", OPTION_U64, OPTION_AT(struct mirror_options, store.subjects),
	"16", 1, OPERATE_SUBJECTS_MAX, NULL, "N", "subjects of each origin",
	false},
    {"size", OPTION_RANGE, OPTION_AT(struct mirror_options, store.size),
	"40..65000", PAYLOAD_MIN, PAYLOAD_MAX - 1024, NULL, "N..N",
	"bytes of a message; most are near the smaller", false},
    {"high-first", OPTION_FLAG, OPTION_AT(struct mirror_options, high_first),
	"false", 0, 0, NULL, NULL,
	"some origins begin at a sequence of up to 4294967295", false},
    {"source-times", OPTION_FLAG,
	OPTION_AT(struct mirror_options, source_times), "false", 0, 0, NULL,
	NULL, "sources may begin at a time, as mirrors do", false},
    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
};

static int
begin(struct worker *w)
{
	struct mirror_options *o = w->options;

	o->store.from_one = !o->high_first;
	return store_begin(w, WEIGHTS);
}

static void
publish_first(struct worker *w, uint32_t stream)
{
	struct store_state *s = w->state;
	struct operation op;
	unsigned i;

	for (i = 0; i < FIRST; i++) {
		op = (struct operation){
		    .at = &s->operate.streams[stream], .stream = stream};
		store_draw_publish(w, &op);
		operate_put(w, &op);
	}
}

static int
setup(struct worker *w)
{
	const struct mirror_options *o = w->options;
	uint32_t i;
	int err = begin(w);

	for (i = 0; i < o->store.streams && err == 0; i++) {
		err = store_config_setup(w, i);
		if (err == 0)
			publish_first(w, i);
	}
	for (i = 0; i < o->copies && err == 0; i++)
		err = mirror_copy_setup(w, i);
	store_end(w);
	return err;
}

static const struct workload_role roles[] = {
    {"client", WORKLOAD_CLIENTS, true},
    {NULL, WORKLOAD_ONE, false},
};

const struct workload_ops workload_mirror_source = {
    .name = "mirror-source",
    .summary = "streams that copy others: mirrors and sources",
    .roles = roles,
    .options = options,
    .options_size = sizeof(struct mirror_options),
    .state_size = sizeof(struct store_state),
    .setup = setup,
    .audit = mirror_audit,
    .begin = begin,
    .step = store_step,
    .command = operate_command,
    .end = store_end,
};

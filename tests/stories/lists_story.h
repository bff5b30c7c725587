/* SPDX-License-Identifier: ISC */
/*
 * Histories of the workload add-remove-streams, told by hand: what clients
 * do with their streams, and what listings show. The judge is fed at once.
 */
#ifndef TESTS_LISTS_STORY_H
#define TESTS_LISTS_STORY_H

#include "orchestrator/judge/judge.h"
#include "proto/base/clock.h"
#include "tests/support.h"

#define PREFIX "NB_7_"
#define NAME   "NB_7_3_1_1"

/* A client, as a source; ids and rows of the usual two. */
#define ANN 3
#define BOB 4
#define ID1 message_id(ANN, 1)
#define ID2 message_id(ANN, 2)

struct lists_row {
	const char *name;
	uint64_t id, messages, created;
	uint32_t variant;
};

struct lists_story {
	struct judge *judge;
	uint64_t now, seq[8], lists;
	uint32_t faults;
	bool has_damage; /* the audit read a payload that is not whole */
	char meta[32];	 /* the leader that monitoring names again and again */
	struct judge_result result;
};

/* An event of a source. */
void lists_feed(struct lists_story *t, uint32_t source, struct event *ev);

/* An option of the run. */
void lists_option(struct lists_story *t, const char *name, const char *value);

/* The head of a history, in which n1 has led the servers for 25 s. */
void lists_begin(struct lists_story *t);

/* Time passes, with the ticks of the parent. */
void lists_pass(struct lists_story *t, uint64_t ns);

/* A client neither works nor beats, and the parent says so. */
void lists_stand_still(struct lists_story *t, uint32_t source, uint64_t ns);

/* The meta leader, as chaos tells it; faults. */
void lists_leader(struct lists_story *t, const char *name);
void lists_fault_begins(struct lists_story *t, bool stops);
void lists_fault_ends(struct lists_story *t, bool ok);

/* What a client does with a stream, attempt by attempt. */
void lists_add(
    struct lists_story *t, uint64_t id, const char *name, uint32_t attempt);
void lists_add_ok(struct lists_story *t, uint64_t id, uint64_t created);
void lists_filled(struct lists_story *t, uint64_t id, uint64_t seq);
void lists_remove(
    struct lists_story *t, uint64_t id, const char *name, uint32_t attempt);
void lists_remove_ok(struct lists_story *t, uint64_t id);
void lists_op_failed(struct lists_story *t, uint64_t id, bool certain);
void lists_op_refused(struct lists_story *t, uint64_t id, uint32_t code);
void lists_op_end(struct lists_story *t, uint64_t id, uint8_t outcome);
void lists_counted(
    struct lists_story *t, uint64_t id, bool found, uint64_t messages);

/* Whether the cluster was whole in the end, before the audit. */
void lists_settled(struct lists_story *t, bool ok);

/* The audit reads what was put into held; 0: a damaged payload. */
void lists_content(
    struct lists_story *t, uint64_t id, uint64_t seq, uint64_t held);

/* A confirmed stream with three messages: created is 100 for all. */
void lists_have(struct lists_story *t, uint64_t id, const char *name);

/* A stream is deleted at once. */
void lists_drop(struct lists_story *t, uint64_t id, const char *name);

/* A listing by a source, in two halves or whole. */
void lists_list_begin(
    struct lists_story *t, uint32_t source, const char *prefix);
void lists_list_end(struct lists_story *t, uint32_t source,
    const struct lists_row *rows, unsigned n, bool ok);
void lists_list(struct lists_story *t, uint32_t source,
    const struct lists_row *rows, unsigned n);

/* The same listing every second for so many seconds. */
void lists_list_for(struct lists_story *t, unsigned seconds,
    const struct lists_row *rows, unsigned n);

/* What was raised by now. */
uint64_t lists_count(const struct lists_story *t, enum anomaly_kind kind,
    enum anomaly_class class);
uint64_t lists_count_class(
    const struct lists_story *t, enum anomaly_class class);

/* The run came to its end, and the judge says its verdict. */
void lists_finish(struct lists_story *t);

/* Exactly one violation, of that kind; whatever else is said. */
void lists_expect_violation(struct lists_story *t, enum anomaly_kind kind);

/* No violation; so many warnings and documented oddities. */
void lists_expect_legal(
    struct lists_story *t, uint64_t warnings, uint64_t documented);

/* True when the result says that something could not be decided. */
bool lists_has_reason(const struct lists_story *t, const char *part);
struct lists_row lists_row_of(uint64_t id, const char *name);

#endif

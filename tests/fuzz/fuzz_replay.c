/* SPDX-License-Identifier: ISC */
/*
 * Any events as a history: it is judged, evidence is gathered and all forms
 * of the report are made, in memory. The verdict fits what was found, and the
 * report is JSON. The bytes are a plain segment of format 1, whose blocks have
 * no checksums; of every other input the events get the sequence numbers and
 * times that a merge would leave, so that they are judged and not refused.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "orchestrator/history/evidence.h"
#include "orchestrator/history/history.h"
#include "orchestrator/report/report.h"
#include "orchestrator/report/report_files.h"

#define SOURCES	      16
#define EVIDENCES_MAX 64

struct repair {
	uint64_t seqs[SOURCES], now_ns;
	uint32_t incarnations[SOURCES];
};

/* What nobody but a source itself and the merge decide. */
static void
repair(struct repair *r, struct event *ev)
{
	struct msg_child_exit *m = &ev->u.child_exit;
	uint32_t i = ev->source %= SOURCES;

	if (ev->incarnation > r->incarnations[i]) {
		r->incarnations[i] = ev->incarnation;
		r->seqs[i] = 0;
	}
	if (r->incarnations[i] == 0)
		r->incarnations[i] = 1;
	ev->incarnation = r->incarnations[i];
	ev->seq = ++r->seqs[i];
	if (ev->time_ns > r->now_ns && ev->time_ns <= HISTORY_TIME_MAX)
		r->now_ns = ev->time_ns;
	ev->time_ns = r->now_ns;
	if (ev->type != MESSAGE_CHILD_EXIT)
		return;
	m->child %= SOURCES;
	m->child_incarnation = r->incarnations[m->child];
	m->last_seq = r->seqs[m->child];
}

static void
enter_repaired(struct history *h, const uint8_t *data, size_t size)
{
	struct repair r = {.now_ns = 0};
	uint8_t frame[FRAME_MAX];
	struct event ev;
	size_t used;
	int len;

	while (frame_decode(data, size, &ev, &used) == FRAME_WHOLE) {
		data += used;
		size -= used;
		if (ev.type == MESSAGE_DROPPED)
			continue; /* its sums are not to be repaired */
		repair(&r, &ev);
		len = frame_encode(&ev, frame);
		MUST(len > 0);
		MUST(history_enter(h, &ev, frame, (size_t)len) == 0);
	}
	MUST(!h->damaged);
	history_finish(h);
}

static void
must_agree(const struct history *h)
{
	const struct judge_result *r = &h->result;
	uint64_t violations = 0;
	unsigned k;

	for (k = 0; k < ANOMALY_COUNT; k++)
		violations += judge_count(
		    h->judge, (enum anomaly_kind)k, CLASS_VIOLATION);
	MUST((violations > 0) == (r->exit_code == EXIT_VIOLATION));
	MUST((violations > 0) == (r->verdict == VERDICT_FAIL));
	MUST((r->exit_code == EXIT_PASS) == (r->verdict == VERDICT_PASS));
	MUST((r->nreasons == 0) == (r->verdict == VERDICT_PASS));
	if (h->damaged || h->torn)
		MUST(r->exit_code != EXIT_PASS);
	if (h->damaged && violations == 0)
		MUST(r->exit_code == EXIT_HARNESS);
}

static void
gather(const struct history *h, const struct journal_bytes *bytes)
{
	struct evidence found[EVIDENCES_MAX] = {{0}};
	struct journal_reader reader;
	size_t i;

	for (i = 0; i < EVIDENCES_MAX; i++)
		found[i].events = cJSON_CreateArray();
	MUST(journal_open_memory(&reader, bytes, 1) == 0);
	/* -EIO where the bytes are damaged, which they mostly are */
	(void)evidence_read(h->judge, &reader, found, EVIDENCES_MAX);
	journal_reader_fini(&reader);
	for (i = 0; i < EVIDENCES_MAX; i++)
		cJSON_Delete(found[i].events);
}

static int
look(void *arg, const char *name, const char *text, size_t len)
{
	cJSON *tree;

	(void)arg;
	MUST(len > 0 && strlen(text) == len);
	if (strcmp(name, "report.json") != 0)
		return 0;
	tree = cJSON_Parse(text);
	MUST(tree != NULL);
	cJSON_Delete(tree);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct journal_bytes bytes = {data, size, false};
	struct journal_reader reader;
	struct history h;
	cJSON *tree;

	MUST(history_init(&h, NULL, NULL) == 0);
	MUST(journal_open_memory(&reader, &bytes, 1) == 0);
	if (size % 2 == 0 || size <= BLOCK_MAGIC_SIZE)
		history_read(&h, &reader);
	else
		enter_repaired(
		    &h, data + BLOCK_MAGIC_SIZE, size - BLOCK_MAGIC_SIZE);
	journal_reader_fini(&reader);
	must_agree(&h);
	gather(&h, &bytes);
	tree = report_tree(&h, NULL);
	MUST(tree != NULL);
	MUST(report_files_each(&h, tree, look, NULL) == 0);
	cJSON_Delete(tree);
	history_fini(&h);
	return 0;
}

/* SPDX-License-Identifier: ISC */
/* The parts that the bundle is put together from; for bundle*.c alone. */
#ifndef ORCHESTRATOR_BUNDLE_PARTS_H
#define ORCHESTRATOR_BUNDLE_PARTS_H

#include "orchestrator/history/evidence.h"
#include "orchestrator/report/bundle.h"
#include "orchestrator/report/redact.h"

#define BUNDLE_PATH_MAX (JOURNAL_PATH_MAX + 512)

struct bundle {
	const struct history *h;
	const cJSON *tree;
	const char *dir;
	const struct run_config *secrets;
	char top[128]; /* folder that everything is in */
	struct archive *out;
	struct redactor *redactor;
	struct evidence_sieve sieve;
	char part[BUNDLE_PATH_MAX]; /* where the journal is written first */
	bool is_part; /* the journal is too large to be taken whole */
	uint64_t events, taken;
	char *why;
	size_t why_size;
};

/* Say why it can't be done: err, and why in the caller's buffer. */
int bundle_fail(struct bundle *, int err, const char *what);

/* Open one of the run's files for reading; NULL with errno. */
FILE *bundle_open(const char *path);

/* Put a file into it, as it is or without secrets. 0 or -errno, said. */
int bundle_put(struct bundle *, const char *name, const char *data, size_t len);
int bundle_put_redacted(struct bundle *, const char *name, const char *text,
    size_t len, enum redact_kind kind);

/* The history, or what bears on anomalies, as journal/ and journal.txt. */
int bundle_put_journal(struct bundle *);

/* README.txt: what was run, what was observed, what is what. */
int bundle_put_readme(struct bundle *);

#endif

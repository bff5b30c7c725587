/* SPDX-License-Identifier: ISC */
/*
 * The parts that the report page is put together from; for page*.c alone.
 * Text and most numbers are taken from the tree of report.json. What the
 * tree does not hold is taken from the history: the verdict, the totals of
 * faults, the roles of processes, and which settings are defaults.
 */
#ifndef ORCHESTRATOR_PAGE_PARTS_H
#define ORCHESTRATOR_PAGE_PARTS_H

#include <cjson/cJSON.h>
#include <stdio.h>

#include "orchestrator/history/history.h"

/* What is written and where to; nothing of it is owned. */
struct page {
	const struct history *h;
	const cJSON *tree;
	FILE *out;
	const struct page_logs *logs; /* NULL: there are none */
};

#define PAGE_CARDS_MAX	60 /* anomalies told in full */
#define PAGE_FAULTS_MAX 200

/* Text from outside, escaped. */
void page_put(const struct page *, const char *text);

/* A whole number with thin spaces, as people read it. */
void page_count(const struct page *, double);

/* Milliseconds, and seconds, in the unit that suits them. */
void page_ms(const struct page *, double ms);
void page_span(const struct page *, double s);

/*
 * So many seconds after the history the load began; 0 without a load. Events
 * of the tree have their times since the history began, all else since the
 * load.
 */
double page_load_begins(const struct page *);

/* The role and number of the process that is this source. */
void page_role(const struct page *, double source);

/* The fault of that number, as the tree has it; NULL: it is not in it. */
const cJSON *page_fault(const struct page *, double number);

/*
 * The events of an anomaly as a picture, if several processes had them, up to
 * when its evidence was complete, in seconds since the load began.
 */
void page_lanes(const struct page *, const cJSON *anomaly, double complete);

/* One cell of a table. */
void page_cell_text(const struct page *, const char *text);
void page_cell_count(const struct page *, double);

/* Begin a table: "name|name|#number", where # aligns a column right. */
void page_table_head(const struct page *, const char *columns);
void page_table_end(const struct page *);

/*
 * What local servers wrote around the anomalies and faults that are shown: at
 * most 40 lines each and 400 KiB in all. NULL without a folder of the run.
 */
struct page_logs *page_logs_read(const struct page *);
void page_logs_free(struct page_logs *);

/* A link to those of an "anomaly" or a "fault", if there are any. */
void page_logs_link(const struct page *, const char *what, unsigned number);

/* Whole sections; without anomalies theirs is left out. */
void page_anomalies(const struct page *);
void page_checks(const struct page *);
void page_limits(const struct page *);
void page_faults(const struct page *);
void page_servers(const struct page *);
void page_logs(const struct page *);
void page_workers(const struct page *);
void page_settings(const struct page *);

#endif

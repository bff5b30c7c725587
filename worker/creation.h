/* SPDX-License-Identifier: ISC */
/*
 * A stream as it is asked for. The client library does it, except where the
 * run wants what this version of it has no field for (--storage-compression):
 * such a request is written here.
 */
#ifndef WORKER_CREATION_H
#define WORKER_CREATION_H

#include "worker/internal.h"
#include "worker/request.h"

#define CREATION_TEXT_MAX     1024 /* bytes of a configuration as JSON */
#define CREATION_SUBJECTS_MAX 4	   /* of a stream of natsburn's */

/* A stream that was made, as the server has it. */
struct creation {
	uint64_t created;	      /* ns since 1970, of the server */
	const jsStreamConfig *config; /* borrowed from below */
	bool is_as_asked;	      /* in what the library has no field for */
	jsStreamInfo *info;	      /* the library's answer */
	cJSON *tree;		      /* or our own, and what was read of it */
	jsStreamConfig read;
	const char *subjects[CREATION_SUBJECTS_MAX];
};

/*
 * Ask once for a stream, with the run's compression. OK with what was made,
 * which creation_fini() frees; otherwise the session says what was
 * answered, as after session_outcome(), and there is nothing to free. For a
 * stream that is there already with this configuration the answer is OK.
 */
enum outcome creation_ask(
    struct worker *, jsStreamConfig *, int64_t wait_ms, struct creation *);
void creation_fini(struct creation *);

/* A configuration as the API takes it, compressed by that ("none", "s2"). */
void creation_write(const jsStreamConfig *, const char *compression,
    char out[CREATION_TEXT_MAX]);

/* The same read: strings are the tree's, of at most so many subjects. */
void creation_read(const cJSON *config, jsStreamConfig *,
    const char *subjects[CREATION_SUBJECTS_MAX]);

#endif

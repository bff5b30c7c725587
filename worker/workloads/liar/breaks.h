/* SPDX-License-Identifier: ISC */
/* Ways to break the harness from inside a worker; some never return. */
#ifndef WORKER_LIAR_BREAKS_H
#define WORKER_LIAR_BREAKS_H

#include "worker/internal.h"

/* An event is missing in the pipe. */
void break_gap(struct worker *);

/* The worker says that it is broken. */
void break_diag(struct worker *);

/* It ends without a word, or by a signal, or in the middle of a frame. */
void break_exit(struct worker *);
void break_abort(struct worker *);
void break_torn(struct worker *);

/* It writes noise. */
void break_garbage(struct worker *);

#endif

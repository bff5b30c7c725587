/* SPDX-License-Identifier: ISC */
/*
 * What a message carries beside its payload: its subject and the lines of its
 * header, of which Nats-Msg-Id is one. The server keeps them as they were sent.
 */
#ifndef WORKER_LABEL_H
#define WORKER_LABEL_H

#include "worker/internal.h"

struct label {
	uint64_t hash;	      /* of subject and header, in whatever order */
	uint64_t subject;     /* hash of the subject alone */
	uint64_t subject_len; /* bytes */
	uint64_t header_len;  /* bytes as sent; 0: there is none */
};

void label_read(struct label *, natsMsg *);

/* Tell of it (LABELLED); hash is filled in here. */
void label_tell(struct worker *, const struct msg_labelled *, natsMsg *);

#endif

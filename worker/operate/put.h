/* SPDX-License-Identifier: ISC */
/* A publish as it goes out, for those that send it in another way than alone.
 */
#ifndef WORKER_OPERATE_PUT_H
#define WORKER_OPERATE_PUT_H

#include "worker/operate/operate.h"

#define PUT_HEADERS_MAX 10
#define PUT_VALUE_MAX	512

struct sending {
	struct {
		const char *key;
		char value[PUT_VALUE_MAX];
	} headers[PUT_HEADERS_MAX];
	unsigned n;
	char subject[OPERATE_SUBJECT_MAX];
	const char
	    *reply; /* borrowed; NULL: it goes out as a request, or has none */
};

/* The subject and the headers that an operation has. */
void put_begin(struct worker *, const struct operation *, struct sending *);

/* One more header: its value, PUT_VALUE_MAX bytes, which the caller writes. */
char *put_header(struct sending *, const char *key);

/* Make the payload, which put_message() takes, and its sum. */
void put_payload(struct worker *, const struct operation *, struct attempt *);

/* The message, which is the caller's to destroy. */
natsStatus put_message(struct worker *, const struct operation *,
    const struct sending *, natsMsg **);

/* The event of what it asks for. */
void put_tell_terms(
    struct worker *, const struct operation *, const struct sending *);

/* What this client knows after an ack. */
void put_learn(struct operation *, uint64_t seq, bool duplicate);

#endif

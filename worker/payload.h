/* SPDX-License-Identifier: ISC */
/*
 * What a message of natsburn looks like: magic, size, run, id, incarnation
 * of the publisher, a checksum of everything else (XXH64), and filler that
 * differs from message to message. Attribution survives lost acks, and any
 * changed byte shows.
 */
#ifndef WORKER_PAYLOAD_H
#define WORKER_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAYLOAD_MIN ((size_t)40)
#define PAYLOAD_MAX ((size_t)1 << 20)

/* The header of a message that marks something: of a bucket DEL or PURGE. */
#define PAYLOAD_MARKS "KV-Operation"

struct payload {
	uint64_t run, id;
	uint32_t incarnation;
	uint32_t size; /* of the whole, PAYLOAD_MIN to PAYLOAD_MAX */
	uint64_t sum;
};

/* Write p->size bytes to out; fills in p->sum. */
void payload_write(struct payload *, uint8_t *out);

/*
 * Read what came. True when it is whole; otherwise only p->sum is set, to
 * the checksum of the bytes as they are.
 */
bool payload_read(struct payload *, const void *data, size_t len);

/*
 * A message without a payload, which marks something: it has an id in its
 * header, as payload_write_id() writes it, and says what it marks. Its size is
 * 0; fills in p->sum, which stands for all of it.
 */
void payload_mark(struct payload *, const char *marks);

/* The header of a message that adds to a counter, and its value there. */
#define PAYLOAD_ADDS	 "Nats-Incr"
#define PAYLOAD_ADDS_MAX 48

/* What a message of this id adds: +1, -70; some have more than 20 digits. */
void payload_increment(uint64_t run, uint64_t id, char out[PAYLOAD_ADDS_MAX]);

/* The value that the server has put into it; "" when there is none. */
void payload_value(const void *data, size_t len, char out[PAYLOAD_ADDS_MAX]);

/* What there is of a message; what it has not is "". */
struct payload_parts {
	const void *data;
	size_t len;
	const char *id, *marks, *adds;
};

/*
 * Read one with a payload as payload_read() does, and one without from its
 * header, if it marks something. One that adds to a counter is whole when it
 * adds what its id says, and has a value.
 */
bool payload_read_parts(struct payload *, const struct payload_parts *);

/* A message's id in its header, Nats-Msg-Id. */
#define PAYLOAD_ID_MAX 48
void payload_write_id(uint64_t run, uint64_t id, char out[PAYLOAD_ID_MAX]);

/* The same read: false when it is none. */
bool payload_read_id(struct payload *, const char *id);

/*
 * Bytes that a stream counts for a message with so many of subject, header and
 * payload together: what its record takes is added (guarantees, wrong_state).
 */
uint64_t payload_stored(uint64_t bytes, bool has_header, bool is_memory);

#endif

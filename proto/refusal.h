/* SPDX-License-Identifier: ISC */
/*
 * What a refusal proves. JetStream says by an error code why it did not do
 * what it was asked for. A code that follows from the request and the
 * configuration alone proves that nothing was done. One that follows from
 * what a leader holds proves it only while there is one leader: a leader
 * that was just deposed still hears requests, answers them from its own
 * state before it proposes anything, and may be first to answer what the
 * new leader does. A code that any server gives, or that tells of a proposal
 * that went astray, proves nothing.
 */
#ifndef PROTO_REFUSAL_H
#define PROTO_REFUSAL_H

#include <stdbool.h>
#include <stdint.h>

enum refusal {
	REFUSAL_NEVER,	/* the operation may have been done, or yet be done */
	REFUSAL_STEADY, /* nothing was done if there was one leader */
	REFUSAL_CERTAIN /* nothing was done */
};

/* The stream that is to be deleted, or asked for, is not found. */
#define REFUSAL_NOT_FOUND 10059

/*
 * What JetStream's error code proves of a write. 0, of an attempt that got no
 * code, and codes that are not known prove nothing.
 */
enum refusal refusal_class(uint32_t code);

/*
 * As refusal_class(), of a code with the text that came with it: of some codes
 * the text says what they mean.
 */
enum refusal refusal_class_said(uint32_t code, const char *text);

/* True when a removal was refused because nothing is there. */
bool refusal_is_not_there(uint32_t code, const char *text);

/* True when a consumer that is to be changed, or shown, is not known. */
bool refusal_is_no_consumer(uint32_t code);

/* True when the code says that an expected last sequence was wrong. */
bool refusal_is_wrong_last(uint32_t code);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Requests to JetStream's API in JSON, for what the client library has no
 * call for, or lacks a field of.
 */
#ifndef WORKER_REQUEST_H
#define WORKER_REQUEST_H

#include "proto/json.h"
#include "worker/session.h"

#define REQUEST_NESTING_MAX 8 /* of an answer */

struct request {
	const char *verb; /* "STREAM.CREATE" */
	const char *stream;
	const char *text; /* JSON, or "" */
	int64_t wait_ms;
};

/*
 * Ask, with an inbox of its own for the answer. OK with the tree of the
 * answer, which is the caller's to delete; otherwise the session has code and
 * text.
 */
enum outcome request_send(
    struct session *, const struct request *, cJSON **tree);

/* What a reply says; msg is destroyed. */
enum outcome request_answer(
    struct session *, natsStatus, natsMsg *msg, cJSON **tree);

/*
 * The same by a message that goes out as it is, and is destroyed; with another
 * status than OK it could not be made, which is the outcome.
 */
enum outcome request_message(
    struct session *, natsStatus, natsMsg *msg, int64_t wait_ms, cJSON **tree);

/* The status that a reply carries, as the number in its header; 0: none. */
uint32_t request_status(natsMsg *msg);

/* A header of a message, "" when it has none. Borrowed from it. */
const char *request_header(natsMsg *msg, const char *key);

/* 2026-01-02T03:04:05.123456789Z in ns since 1970, or 0. */
int64_t request_time(const char *text);

#endif

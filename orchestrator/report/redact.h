/* SPDX-License-Identifier: ISC */
/*
 * Secrets out of texts that are given to others: configurations and logs of
 * servers, monitoring pages, what the journal quotes. Removed are
 *
 *   - values of names such as password, token, nkey, jwt, seed, secret, also
 *     when they stand in a variable of a server's configuration
 *   - what looks like an nkey, a JWT, a bcrypt hash or a private key
 *   - user and password in a URL
 *   - every other place where a value stands that was so removed
 *
 * In doubt too much is removed: a bundle goes to strangers.
 */
#ifndef ORCHESTRATOR_REDACT_H
#define ORCHESTRATOR_REDACT_H

#include <stdbool.h>
#include <stddef.h>

#define REDACT_MARK "[removed]"

/* What a text is. */
enum redact_kind {
	REDACT_CONFIG, /* nothing but a blank between a name and its value */
	REDACT_LOG,    /* a log, a page: a colon or an equals sign there */
	REDACT_OWN     /* natsburn's: its names ("seed") mean other things */
};

struct redactor;

/* NULL without memory. */
struct redactor *redact_create(void);
void redact_destroy(struct redactor *);

/* A value that is secret wherever it stands; one of few bytes is not taken. */
void redact_secret(struct redactor *, const char *value, size_t len);

/*
 * Learn from a server's configuration: the values of secret names, and the
 * variables that hold them. To be called for all before the first is given.
 */
void redact_learn(struct redactor *, const char *text, size_t len);

/*
 * The text without its secrets, to be freed; NULL without memory, also when
 * there was none to keep a secret in.
 */
char *redact_text(const struct redactor *, const char *text, size_t len,
    enum redact_kind, size_t *out_len);

#endif

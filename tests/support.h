/* SPDX-License-Identifier: ISC */
/*
 * What the tests share: cmocka's header with what it needs before it,
 * events filled at random, their comparison, files in hex, scratch folders.
 */
#ifndef TESTS_SUPPORT_H
#define TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/base/rng.h"
#include "proto/frame.h"
#include "proto/message.h"

#define SUPPORT_PATH_MAX 512

/* cmocka 2 has other names for this one of cmocka 1, and warns of the old. */
#define assert_between(n, least, most)                                         \
	do {                                                                   \
		const uintmax_t n_ = (uintmax_t)(n);                           \
		if (n_ < (uintmax_t)(least) || n_ > (uintmax_t)(most))         \
			fail_msg("%s is %ju: not within %ju and %ju", #n, n_,  \
			    (uintmax_t)(least), (uintmax_t)(most));            \
	} while (0)

enum fill {
	FILL_LEAST,  /* zeros and empty strings */
	FILL_MOST,   /* largest numbers, longest strings */
	FILL_RANDOM, /* anything */
	FILLS
};

/* An event of a type with every field of it set; the rest is zero. */
void support_fill(struct event *, unsigned type, enum fill, struct rng *);

/* True when type, stamp and all fields are equal. */
bool support_same(const struct event *, const struct event *);

/* Number of message types there are, and the i-th of them. */
unsigned support_types(void);
unsigned support_type(unsigned i);

/* A fresh folder, removed with all that is in it by the second call. */
void support_dir_make(char out[SUPPORT_PATH_MAX]);
void support_dir_remove(const char *);

/*
 * CASE=PATTERN in the environment: only the tests of a program whose names
 * match it are run; * and ? as in a shell.
 */

/* The seed of a random test: NATSBURN_TEST_SEED or a fixed one. */
uint64_t support_seed(void);

/*
 * Run this very program with one argument: its wait status, and what it wrote
 * to stderr. For what is to end the process.
 */
int support_run_self(const char *role, char *words, size_t size);

/* True when golden files are to be written anew (BLESS=1). */
bool support_bless(void);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Assertions of what must always hold. They are on in every build, for a
 * harness that is wrong about itself must not go on to a verdict: when one
 * fails, the condition and its place are written to stderr and the process
 * ends at once with exit code 70, without a core and without clean-up.
 *
 * They are for what only a mistake in this program can break. What comes from
 * outside (a pipe, a journal, a user, a server) is checked and refused.
 */
#ifndef BASE_ENSURE_H
#define BASE_ENSURE_H

#define ENSURE_EXIT 70 /* the harness failed: docs/verdicts.md */

#define ensure(condition)                                                      \
	((condition) ? (void)0 : ensure_failed(#condition, __FILE__, __LINE__))

/* Say which condition does not hold, and end the process. */
void ensure_failed(const char *condition, const char *file, int line)
    __attribute__((noreturn, cold));

#endif

/* SPDX-License-Identifier: ISC */
/*
 * A fuzz target: one function that takes any bytes and aborts when what it
 * is about does not hold. libFuzzer or driver.c calls it.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition) fuzz_must((condition), #condition, __FILE__, __LINE__)

/* An input that breaks a property ends the fuzzer, which keeps it. */
static inline void
fuzz_must(bool holds, const char *condition, const char *file, int line)
{
	if (holds)
		return;
	fprintf(stderr, "%s:%d: %s\n", file, line, condition);
	abort();
}

#endif

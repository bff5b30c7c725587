/* SPDX-License-Identifier: ISC */
/*
 * Runs a fuzz target without libFuzzer: driver COUNT FILE... feeds it each
 * seed and then COUNT random mutations of them, always the same ones for
 * one NATSBURN_TEST_SEED. A folder stands for the files in it; in a file
 * whose name ends in .seeds or .txt each line is a seed, "hex " before it
 * means bytes.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/rng.h"
#include "proto/base/text.h"
#include "tests/fuzz/fuzz.h"

#define SEEDS_MAX 1024
#define SEED_MAX  ((size_t)65536)

static struct seed {
	uint8_t *data;
	size_t len;
} seeds[SEEDS_MAX];
static size_t nseeds;

static void
seed_add(const uint8_t *data, size_t len)
{
	struct seed *s = &seeds[nseeds];

	if (nseeds == SEEDS_MAX)
		return;
	if (len > SEED_MAX)
		len = SEED_MAX;
	s->data = malloc(len ? len : 1);
	if (s->data == NULL)
		abort();
	memcpy(s->data, data, len);
	s->len = len;
	nseeds++;
}

static int
nibble(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

static void
seed_line(const char *line)
{
	static uint8_t bytes[SEED_MAX];
	size_t len = 0;

	if (strncmp(line, "hex ", 4) != 0) {
		seed_add((const uint8_t *)line, strlen(line));
		return;
	}
	for (line += 4; nibble(line[0]) >= 0 && nibble(line[1]) >= 0; line += 2)
		if (len < sizeof(bytes))
			bytes[len++] =
			    (uint8_t)(nibble(line[0]) << 4 | nibble(line[1]));
	seed_add(bytes, len);
}

static bool
ends_in(const char *path, const char *end)
{
	size_t len = strlen(path), n = strlen(end);

	return len >= n && strcmp(path + len - n, end) == 0;
}

static void
seed_file(const char *path)
{
	static char line[2 * SEED_MAX];
	FILE *f = fopen(path, "re");
	size_t n;

	if (f == NULL) {
		fprintf(stderr, "cannot read \"%s\"\n", path);
		exit(1);
	}
	if (ends_in(path, ".seeds") || ends_in(path, ".txt")) {
		while (fgets(line, sizeof(line), f) != NULL) {
			line[strcspn(line, "\n")] = '\0';
			seed_line(line);
		}
	} else {
		n = fread(line, 1, SEED_MAX, f);
		seed_add((const uint8_t *)line, n);
	}
	fclose(f);
}

static void
seed_path(const char *path)
{
	char file[1024];
	struct dirent *e;
	DIR *d = opendir(path);

	if (d == NULL) {
		seed_file(path);
		return;
	}
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		text_format(file, sizeof(file), "%s/%s", path, e->d_name);
		seed_file(file);
	}
	closedir(d);
}

/* Some bytes changed, some inserted, some left out, the end cut. */
static size_t
mutate(struct rng *rng, uint8_t *data, size_t len)
{
	uint64_t changes = 1 + rng_below(rng, 6), at;

	for (; changes > 0; changes--) {
		at = rng_below(rng, len + 1);
		switch (rng_below(rng, 5)) {
		case 0:
			if (at < len)
				data[at] ^= (uint8_t)(1u << rng_below(rng, 8));
			break;
		case 1:
			if (at < len)
				data[at] = (uint8_t)rng_next(rng);
			break;
		case 2:
			if (len < SEED_MAX) {
				memmove(data + at + 1, data + at, len - at);
				data[at] = (uint8_t)rng_next(rng);
				len++;
			}
			break;
		case 3:
			if (at < len) {
				memmove(data + at, data + at + 1, len - at - 1);
				len--;
			}
			break;
		default:
			if (rng_below(rng, 4) == 0)
				len = at;
			break;
		}
	}
	return len;
}

static void
feed(const uint8_t *data, size_t len)
{
	uint8_t *exact = malloc(len ? len : 1); /* asan sees a byte beyond */

	if (exact == NULL)
		abort();
	memcpy(exact, data, len);
	(void)LLVMFuzzerTestOneInput(exact, len); /* always 0 */
	free(exact);
}

int
main(int argc, char **argv)
{
	const char *text = getenv("NATSBURN_TEST_SEED");
	static uint8_t data[SEED_MAX + 1];
	uint64_t count = 0, seed = 1, i;
	struct seed *s;
	struct rng rng;
	size_t len;
	int k;

	if (argc < 2 || text_to_u64(argv[1], UINT32_MAX, &count) < 0 ||
	    (text != NULL && text_to_u64(text, UINT64_MAX, &seed) < 0)) {
		fprintf(stderr, "usage: %s COUNT FILE...\n", argv[0]);
		return 1;
	}
	for (k = 2; k < argc; k++)
		seed_path(argv[k]);
	seed_add((const uint8_t *)"", 0);
	rng_init(&rng, seed, "mutate");
	for (i = 0; i < nseeds; i++)
		feed(seeds[i].data, seeds[i].len);
	for (i = 0; i < count; i++) {
		s = &seeds[rng_below(&rng, nseeds)];
		memcpy(data, s->data, s->len);
		len = mutate(&rng, data, s->len);
		feed(data, len);
	}
	printf(
	    "%zu seeds, %llu mutations\n", nseeds, (unsigned long long)count);
	for (i = 0; i < nseeds; i++)
		free(seeds[i].data);
	return 0;
}

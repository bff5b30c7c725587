/* SPDX-License-Identifier: ISC */
/* What the tests share; see support.h. */
#include "tests/support.h"
#include "proto/base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/spawn.h"
#include "proto/base/text.h"

static uint64_t
most_of(enum field_type type)
{
	switch (type) {
	case FIELD_u8:
		return UINT8_MAX;
	case FIELD_u16:
		return UINT16_MAX;
	case FIELD_u32:
		return UINT32_MAX;
	case FIELD_i64:
		return INT64_MAX;
	case FIELD_u64:
	case FIELD_string:
		break;
	}
	return UINT64_MAX;
}

static void
fill_string(char *at, size_t size, enum fill fill, struct rng *rng)
{
	size_t i, len = 0;

	if (fill == FILL_MOST)
		len = size - 1;
	else if (fill == FILL_RANDOM)
		len = (size_t)rng_below(rng, size);
	for (i = 0; i < len; i++)
		at[i] =
		    fill == FILL_MOST ? '~' : (char)(1 + rng_below(rng, 255));
	at[len] = '\0';
}

static void
fill_number(
    char *at, const struct message_field *f, enum fill fill, struct rng *rng)
{
	uint64_t v = 0;

	if (fill == FILL_MOST)
		v = most_of(f->type);
	else if (fill == FILL_RANDOM) {
		v = rng_next(rng);
		v >>= rng_below(rng, 64); /* all magnitudes alike */
	}
	if (fill == FILL_LEAST && f->type == FIELD_i64)
		v = (uint64_t)INT64_MIN;
	memcpy(at, &v, f->size); /* little endian hosts only, as the frames */
}

void
support_fill(struct event *ev, unsigned type, enum fill fill, struct rng *rng)
{
	const struct message_spec *spec = message_spec(type);
	char *at;
	unsigned i;

	memset(ev, 0, sizeof(*ev));
	ev->type = (enum message_type)type;
	if (fill == FILL_MOST) {
		ev->time_ns = ev->seq = UINT64_MAX;
		ev->source = ev->incarnation = UINT32_MAX;
	} else if (fill == FILL_RANDOM) {
		ev->time_ns = rng_next(rng);
		ev->seq = rng_next(rng);
		ev->source = (uint32_t)rng_next(rng);
		ev->incarnation = (uint32_t)rng_next(rng);
	}
	for (i = 0; i < spec->nfields; i++) {
		at = (char *)&ev->u + spec->fields[i].offset;
		if (spec->fields[i].type == FIELD_string)
			fill_string(at, spec->fields[i].size, fill, rng);
		else
			fill_number(at, &spec->fields[i], fill, rng);
	}
}

static bool
same_field(
    const struct event *a, const struct event *b, const struct message_field *f)
{
	if (f->type == FIELD_string)
		return strcmp((const char *)&a->u + f->offset,
			   (const char *)&b->u + f->offset) == 0;
	return message_get(a, f) == message_get(b, f);
}

bool
support_same(const struct event *a, const struct event *b)
{
	const struct message_spec *spec = message_spec(a->type);
	unsigned i;

	if (a->type != b->type || a->time_ns != b->time_ns ||
	    a->seq != b->seq || a->source != b->source ||
	    a->incarnation != b->incarnation)
		return false;
	for (i = 0; i < spec->nfields; i++)
		if (!same_field(a, b, &spec->fields[i]))
			return false;
	return true;
}

unsigned
support_types(void)
{
	unsigned type, n = 0;

	for (type = 0; type < MESSAGE_TYPES; type++)
		n += message_spec(type) != NULL;
	return n;
}

unsigned
support_type(unsigned i)
{
	unsigned type;

	for (type = 0; type < MESSAGE_TYPES; type++)
		if (message_spec(type) != NULL && i-- == 0)
			return type;
	return 0;
}

void
support_dir_make(char out[SUPPORT_PATH_MAX])
{
	const char *tmp = getenv("TMPDIR");

	text_format(out, SUPPORT_PATH_MAX, "%s/natsburn-test.XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	assert_non_null(mkdtemp(out));
}

void
support_dir_remove(const char *dir)
{
	(void)file_remove_tree(dir); /* or it stays */
}

uint64_t
support_seed(void)
{
	const char *text = getenv("NATSBURN_TEST_SEED");
	uint64_t seed = 1;

	if (text != NULL)
		assert_int_equal(text_to_u64(text, UINT64_MAX, &seed), 0);
	return seed;
}

int
support_run_self(const char *role, char *words, size_t size)
{
	char *argv[] = {(char *)"test", (char *)(uintptr_t)role, NULL};
	struct spawn_request r = {.path = "/proc/self/exe", .argv = argv};
	size_t len = 0;
	int fds[2], status = -1;
	ssize_t n;
	pid_t pid;

	assert_int_equal(spawn_pipe(fds), 0);
	r.fds[r.nfds++] = (struct spawn_fd){fds[1], 2};
	pid = spawn(&r);
	close(fds[1]);
	assert_true(pid > 0);
	while ((n = read(fds[0], words + len, size - len - 1)) > 0)
		len += (size_t)n;
	words[len] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

bool
support_bless(void)
{
	const char *bless = getenv("BLESS");

	return bless != NULL && bless[0] == '1';
}

/* Before main: every program of tests has it. */
static void __attribute__((constructor)) take_case(void)
{
	const char *pattern = getenv("CASE");

	if (pattern != NULL)
		cmocka_set_test_filter(pattern);
}

/* SPDX-License-Identifier: ISC */
/* frame: every message there and back, and every way to be malformed. */
#include "tests/support.h"

#include <errno.h>
#include <msgpack.h>
#include <string.h>

#define HEAD  2
#define STAMP 6

struct writer {
	uint8_t frame[FRAME_MAX + 64];
	size_t len;
	msgpack_packer packer;
};

static int
writer_write(void *arg, const char *data, size_t len)
{
	struct writer *w = arg;

	assert_true(w->len + len <= sizeof(w->frame));
	memcpy(w->frame + w->len, data, len);
	w->len += len;
	return 0;
}

static void
packed(int err)
{
	assert_int_equal(err, 0);
}

static void
writer_begin(struct writer *w, size_t items)
{
	w->len = HEAD;
	msgpack_packer_init(&w->packer, w, writer_write);
	packed(msgpack_pack_array(&w->packer, items));
}

static enum frame_state
writer_decode(struct writer *w)
{
	struct event ev;
	size_t used = 0;

	w->frame[0] = (uint8_t)(w->len - HEAD);
	w->frame[1] = (uint8_t)((w->len - HEAD) >> 8);
	memset(&ev, 0, sizeof(ev));
	return frame_decode(w->frame, w->len, &ev, &used);
}

static void
pack_stamp(struct writer *w, unsigned type)
{
	int i;

	packed(msgpack_pack_uint8(&w->packer, MESSAGE_VERSION));
	packed(msgpack_pack_uint16(&w->packer, (uint16_t)type));
	for (i = 2; i < STAMP; i++)
		packed(msgpack_pack_uint8(&w->packer, 1));
}

static void
pack_good(struct writer *w, const struct message_field *f)
{
	if (f->type == FIELD_string) {
		packed(msgpack_pack_str(&w->packer, 1));
		packed(msgpack_pack_str_body(&w->packer, "x", 1));
	} else
		packed(msgpack_pack_uint8(&w->packer, 1));
}

static void
there_and_back(const struct event *ev)
{
	uint8_t frame[FRAME_MAX], again[FRAME_MAX];
	struct event back;
	size_t used = 0;
	int len = frame_encode(ev, frame);

	assert_between(len, HEAD + STAMP, FRAME_MAX);
	memset(&back, 0, sizeof(back));
	assert_int_equal(
	    frame_decode(frame, (size_t)len, &back, &used), FRAME_WHOLE);
	assert_int_equal(used, len);
	assert_true(support_same(ev, &back));
	assert_int_equal(frame_encode(&back, again), len);
	assert_memory_equal(frame, again, (size_t)len);
}

static void
test_round_trip(void **state)
{
	struct event ev;
	struct rng rng;
	unsigned i, k;

	(void)state;
	rng_init(&rng, support_seed(), "frame");
	for (i = 0; i < support_types(); i++) {
		support_fill(&ev, support_type(i), FILL_LEAST, &rng);
		there_and_back(&ev);
		support_fill(&ev, support_type(i), FILL_MOST, &rng);
		there_and_back(&ev);
		for (k = 0; k < 500; k++) {
			support_fill(&ev, support_type(i), FILL_RANDOM, &rng);
			there_and_back(&ev);
		}
	}
}

/* At every length short of the whole, more is wanted and nothing taken. */
static void
test_truncated(void **state)
{
	uint8_t frame[FRAME_MAX];
	struct event ev, back;
	struct rng rng;
	size_t used;
	unsigned i;
	int len, k;

	(void)state;
	rng_init(&rng, support_seed(), "truncated");
	for (i = 0; i < support_types(); i++) {
		support_fill(&ev, support_type(i), FILL_RANDOM, &rng);
		len = frame_encode(&ev, frame);
		for (k = 0; k < len; k++) {
			used = 4711;
			assert_int_equal(
			    frame_decode(frame, (size_t)k, &back, &used),
			    FRAME_MORE);
			assert_int_equal(used, 4711);
		}
	}
	assert_int_equal(frame_decode(NULL, 0, &back, &used), FRAME_MORE);
}

static void
test_unknown_type(void **state)
{
	struct event ev = {.type = 0};
	uint8_t frame[FRAME_MAX];
	struct writer w;
	unsigned type;

	(void)state;
	for (type = 0; type < 256; type++) {
		if (message_spec(type) != NULL)
			continue;
		ev.type = (enum message_type)type;
		assert_int_equal(frame_encode(&ev, frame), -EINVAL);
		writer_begin(&w, STAMP + 1);
		pack_stamp(&w, type);
		packed(msgpack_pack_uint8(&w.packer, 0));
		assert_int_equal(writer_decode(&w), FRAME_MALFORMED);
	}
}

static void
test_bad_length(void **state)
{
	static const uint8_t frames[][4] = {{0, 0, 0, 0}, {0xff, 0x0f, 0, 0},
	    {0, 0x10, 0, 0}, {0xff, 0xff, 0, 0}};
	struct event ev;
	size_t used, i;

	(void)state;
	for (i = 0; i < 4; i++)
		assert_int_equal(
		    frame_decode(frames[i], 4, &ev, &used), FRAME_MALFORMED);
}

/* Field k of each message is, in turn, of every type that it must not be. */
static void
pack_bad(struct writer *w, const struct message_field *f, unsigned how)
{
	static const uint64_t beyond[] = {
	    [FIELD_u8] = UINT64_C(0x100),
	    [FIELD_u16] = UINT64_C(0x10000),
	    [FIELD_u32] = UINT64_C(0x100000000),
	    [FIELD_i64] = UINT64_C(0x8000000000000000),
	};
	size_t i;

	if (how == 0)
		packed(msgpack_pack_nil(&w->packer));
	else if (how == 1)
		packed(msgpack_pack_true(&w->packer));
	else if (how == 2)
		packed(msgpack_pack_double(&w->packer, 1.0));
	else if (how == 3)
		packed(msgpack_pack_array(&w->packer, 0));
	else if (how == 4) {
		packed(msgpack_pack_bin(&w->packer, 1));
		packed(msgpack_pack_bin_body(&w->packer, "x", 1));
	} else if (f->type == FIELD_string && how == 5)
		packed(msgpack_pack_uint8(&w->packer, 1));
	else if (f->type == FIELD_string && how == 6) {
		packed(
		    msgpack_pack_str(&w->packer, f->size)); /* one too long */
		for (i = 0; i < f->size; i++)
			packed(msgpack_pack_str_body(&w->packer, "x", 1));
	} else if (f->type == FIELD_string) {
		packed(msgpack_pack_str(&w->packer, 2));
		packed(msgpack_pack_str_body(&w->packer, "x", 2)); /* a NUL */
	} else if (how == 5) {
		packed(msgpack_pack_str(&w->packer, 1));
		packed(msgpack_pack_str_body(&w->packer, "1", 1));
	} else if (how == 6 && f->type != FIELD_u64)
		packed(msgpack_pack_uint64(&w->packer, beyond[f->type]));
	else if (f->type != FIELD_i64)
		packed(msgpack_pack_int8(&w->packer, -1));
	else
		packed(msgpack_pack_nil(&w->packer));
}

static void
test_bad_fields(void **state)
{
	const struct message_spec *spec;
	unsigned i, k, how, n;
	struct writer w;

	(void)state;
	for (i = 0; i < support_types(); i++) {
		spec = message_spec(support_type(i));
		for (k = 0; k < spec->nfields; k++)
			for (how = 0; how < 8; how++) {
				writer_begin(&w, STAMP + spec->nfields);
				pack_stamp(&w, support_type(i));
				for (n = 0; n < spec->nfields; n++)
					if (n == k)
						pack_bad(
						    &w, &spec->fields[n], how);
					else
						pack_good(&w, &spec->fields[n]);
				assert_int_equal(
				    writer_decode(&w), FRAME_MALFORMED);
			}
	}
}

static void
test_bad_stamp(void **state)
{
	static const uint64_t beyond[STAMP] = {
	    MESSAGE_VERSION + 1, MESSAGE_TYPES, 0x100000000, 0x100000000, 0, 0};
	const struct message_spec *spec = message_spec(MESSAGE_READY);
	struct writer w;
	unsigned bad, how, k;

	(void)state;
	for (bad = 0; bad < STAMP; bad++)
		for (how = 0; how < 3; how++) {
			writer_begin(&w, STAMP + spec->nfields);
			for (k = 0; k < STAMP; k++)
				if (k != bad)
					packed(msgpack_pack_uint8(&w.packer,
					    k == 1 ? MESSAGE_READY : 1));
				else if (how == 0 && beyond[k] != 0)
					packed(msgpack_pack_uint64(
					    &w.packer, beyond[k]));
				else if (how == 1)
					packed(
					    msgpack_pack_int8(&w.packer, -1));
				else
					packed(msgpack_pack_nil(&w.packer));
			packed(msgpack_pack_uint8(&w.packer, 0));
			assert_int_equal(writer_decode(&w), FRAME_MALFORMED);
		}
}

/* Fewer fields are refused, more are skipped whatever they are. */
static void
test_field_count(void **state)
{
	const struct message_spec *spec;
	struct writer w;
	unsigned i, n, k;

	(void)state;
	for (i = 0; i < support_types(); i++) {
		spec = message_spec(support_type(i));
		for (n = 0; n <= STAMP + spec->nfields + 3; n++) {
			writer_begin(&w, n);
			for (k = 0; k < n; k++)
				if (k < STAMP)
					packed(msgpack_pack_uint16(&w.packer,
					    (uint16_t)(k == 1 ? support_type(i)
							      : 1)));
				else if (k - STAMP < spec->nfields)
					pack_good(&w, &spec->fields[k - STAMP]);
				else
					packed(
					    msgpack_pack_array(&w.packer, 0));
			assert_int_equal(writer_decode(&w),
			    n >= STAMP + spec->nfields ? FRAME_WHOLE
						       : FRAME_MALFORMED);
		}
	}
}

static void
test_not_an_array(void **state)
{
	struct writer w;

	(void)state;
	w.len = HEAD;
	msgpack_packer_init(&w.packer, &w, writer_write);
	packed(msgpack_pack_uint8(&w.packer, 1));
	assert_int_equal(writer_decode(&w), FRAME_MALFORMED);
	w.len = HEAD;
	packed(msgpack_pack_map(&w.packer, 0));
	assert_int_equal(writer_decode(&w), FRAME_MALFORMED);
}

static void
test_trailing_bytes(void **state)
{
	uint8_t frame[FRAME_MAX];
	struct event ev;
	struct rng rng;
	size_t used;
	unsigned i;
	int len;

	(void)state;
	rng_init(&rng, support_seed(), "trailing");
	for (i = 0; i < support_types(); i++) {
		support_fill(&ev, support_type(i), FILL_RANDOM, &rng);
		len = frame_encode(&ev, frame);
		/* Behind the frame: not its business. Inside: malformed. */
		frame[len] = 0;
		assert_int_equal(
		    frame_decode(frame, (size_t)len + 1, &ev, &used),
		    FRAME_WHOLE);
		frame[0] = (uint8_t)((len - HEAD + 1) & 0xff);
		frame[1] = (uint8_t)((len - HEAD + 1) >> 8);
		assert_int_equal(
		    frame_decode(frame, (size_t)len + 1, &ev, &used),
		    FRAME_MALFORMED);
	}
}

/* Strings without an end are cut at their field's size. */
static void
test_unterminated_string(void **state)
{
	struct event ev = {.type = MESSAGE_LOG}, back;
	uint8_t frame[FRAME_MAX];
	size_t used;
	int len;

	(void)state;
	memset(ev.u.log.text, 'x', sizeof(ev.u.log.text));
	len = frame_encode(&ev, frame);
	assert_true(len > 0);
	assert_int_equal(
	    frame_decode(frame, (size_t)len, &back, &used), FRAME_WHOLE);
	assert_int_equal(strlen(back.u.log.text), sizeof(back.u.log.text) - 1);
}

static void
test_huge_counts(void **state)
{
	/* An array and a string that claim four billion elements. */
	static const uint8_t array[] = {5, 0, 0xdd, 0xff, 0xff, 0xff, 0xff};
	static const uint8_t text[] = {
	    6, 0, 0x91, 0xdb, 0xff, 0xff, 0xff, 0xff};
	struct event ev;
	size_t used;

	(void)state;
	assert_int_equal(
	    frame_decode(array, sizeof(array), &ev, &used), FRAME_MALFORMED);
	assert_int_equal(
	    frame_decode(text, sizeof(text), &ev, &used), FRAME_MALFORMED);
}

static int
cleanup(void **state)
{
	(void)state;
	frame_cleanup();
	frame_cleanup();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_truncated),
	    cmocka_unit_test(test_unknown_type),
	    cmocka_unit_test(test_bad_length),
	    cmocka_unit_test(test_bad_fields),
	    cmocka_unit_test(test_bad_stamp),
	    cmocka_unit_test(test_field_count),
	    cmocka_unit_test(test_not_an_array),
	    cmocka_unit_test(test_trailing_bytes),
	    cmocka_unit_test(test_unterminated_string),
	    cmocka_unit_test(test_huge_counts),
	};

	return cmocka_run_group_tests(tests, NULL, cleanup);
}

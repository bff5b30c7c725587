/* SPDX-License-Identifier: ISC */
/*
 * Any text as a nats-server's configuration: what is read is written as what
 * is read again as the same; what becomes a server's of a run does so, too.
 * What can't be is explained.
 */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

#include "chaos/cluster/local/conf_merge.h"

/* False when the tree can't be written, which is then explained. */
static bool
put(struct conf *c, struct buf *out)
{
	int err;

	buf_init(out, CONF_WRITE_MAX);
	err = conf_write(c, out);
	MUST(err == 0 || (err == -EINVAL && c->why[0] != '\0') ||
	     err == -ENOBUFS);
	return err == 0;
}

static struct conf *
get(const char *text, size_t len)
{
	struct conf *c = conf_create();
	int err;

	MUST(c != NULL);
	err = conf_read_text(c, "f", text, len);
	MUST(err == 0 || (err == -EINVAL && c->why[0] != '\0'));
	if (err == 0)
		return c;
	conf_destroy(c);
	return NULL;
}

/* What is in b, when it is read. */
static void
again(struct buf *b, struct buf *out)
{
	const char *text = buf_len(b) > 0 ? (const char *)buf_data(b) : "";
	struct conf *c = get(text, buf_len(b));

	MUST(c != NULL);
	MUST(put(c, out));
	conf_destroy(c);
}

static void
merge(const char *text, size_t len)
{
	static const uint16_t fronts[3] = {1, 2, 3};
	static const struct topology plain = {.n = 1, .last = 3};
	const struct conf_server s = {.name = "n1",
	    .dir = "/d",
	    .cluster = "c",
	    .fronts = fronts,
	    .topology = &plain,
	    .node = 1};
	struct conf_merge m = {.system_password = "p"};
	struct buf out;
	int err;

	m.c = get(text, len);
	if (m.c == NULL)
		return;
	buf_init(&out, CONF_WRITE_MAX);
	err = conf_merge_take(&m, 3);
	if (err == 0)
		err = conf_merge_write(&m, &s, &out);
	MUST(err == 0 || (err == -EINVAL && m.c->why[0] != '\0') ||
	     err == -ENOBUFS);
	conf_merge_fini(&m);
	if (err == 0) {
		m.c = get((const char *)buf_data(&out), buf_len(&out));
		MUST(m.c != NULL);
		MUST(conf_find(m.c->root, "jetstream") != NULL);
		conf_merge_fini(&m);
	}
	buf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct buf first, second, third;
	struct conf *c = get(text, size);

	if (c == NULL)
		return 0;
	if (put(c, &first)) {
		/* The second has places in the first, which has its lines. */
		again(&first, &second);
		again(&second, &third);
		MUST(buf_len(&second) == buf_len(&third));
		MUST(buf_len(&second) == 0 ||
		     memcmp(buf_data(&second), buf_data(&third),
			 buf_len(&second)) == 0);
		buf_fini(&second);
		buf_fini(&third);
	}
	buf_fini(&first);
	conf_destroy(c);
	merge(text, size);
	return 0;
}

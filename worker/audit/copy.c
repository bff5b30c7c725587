/* SPDX-License-Identifier: ISC */
/* One server's copy of a stream; see copy.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "proto/base/array.h"
#include "worker/audit/copy.h"
#include "worker/audit/label.h"

uint64_t
copy_width(uint64_t from, uint64_t last)
{
	uint64_t width = COPY_BLOCK;

	while (last > from && (last - from) / width >= COPY_BLOCKS)
		width *= 2;
	return width;
}

static uint32_t
index_of(const struct copy_range *r, uint64_t seq)
{
	uint64_t i = seq > r->from ? (seq - r->from) / r->width : 0;

	return (uint32_t)(i < COPY_BLOCKS ? i : COPY_BLOCKS - 1);
}

void
copy_reset(struct copy *c)
{
	c->first = c->last = c->messages = 0;
	c->is_read = false;
	if (c->blocks != NULL)
		memset(c->blocks, 0, c->nblocks * sizeof(*c->blocks));
}

void
copy_fini(struct copy *c)
{
	free(c->blocks);
	c->blocks = NULL;
	c->nblocks = 0;
}

uint64_t
copy_message_hash(natsMsg *msg, const struct delivery *d)
{
	struct label label;
	uint64_t parts[4];

	label_read(&label, msg);
	parts[0] = d->seq;
	parts[1] = (uint64_t)d->stamp_ns;
	parts[2] = label.hash;
	parts[3] =
	    XXH64(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg), 0);
	return XXH64(parts, sizeof(parts), 0);
}

int
copy_enter(struct copy *c, const struct copy_range *r, natsMsg *msg,
    const struct delivery *d)
{
	uint64_t *block = array_at(&c->blocks, &c->nblocks, index_of(r, d->seq),
	    sizeof(*block), COPY_BLOCKS);
	uint64_t pair[2];

	if (block == NULL)
		return -ENOMEM;
	pair[0] = *block;
	pair[1] = copy_message_hash(msg, d);
	*block = XXH64(pair, sizeof(pair), 0);
	if (c->messages++ == 0)
		c->first = d->seq;
	c->last = d->seq;
	return 0;
}

uint64_t
copy_hash_at(const struct copy *c, uint32_t i)
{
	return i < c->nblocks ? c->blocks[i] : 0;
}

uint64_t
copy_hash(const struct copy *c, const struct copy_range *r)
{
	static const uint64_t nothing = 0;

	/* Of an empty copy the one block that holds nothing. */
	if (c->nblocks == 0)
		return XXH64(&nothing, sizeof(nothing), 0);
	return XXH64(c->blocks,
	    (index_of(r, c->last) + UINT64_C(1)) * sizeof(*c->blocks),
	    c->messages);
}

/* SPDX-License-Identifier: ISC */
/* One server's copy of a stream; see copy.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "proto/base/array.h"
#include "worker/audit/copy.h"
#include "worker/audit/label.h"

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
copy_enter(struct copy *c, natsMsg *msg, const struct delivery *d)
{
	uint64_t *block = array_at(&c->blocks, &c->nblocks, d->seq / COPY_BLOCK,
	    sizeof(*block), UINT32_MAX);
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
copy_hash(const struct copy *c)
{
	static const uint64_t nothing = 0;

	/* Of an empty copy the one block that holds nothing. */
	if (c->nblocks == 0)
		return XXH64(&nothing, sizeof(nothing), 0);
	return XXH64(c->blocks, (c->last / COPY_BLOCK + 1) * sizeof(*c->blocks),
	    c->messages);
}

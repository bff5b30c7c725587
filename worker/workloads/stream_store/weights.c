/* SPDX-License-Identifier: ISC */
/* Which operations are done how often; see stream_store.h. */
#include <errno.h>
#include <string.h>

#include "proto/base/option.h"
#include "proto/base/text.h"
#include "worker/workloads/stream_store/stream_store.h"

#define ITEM_MAX   64
#define WEIGHT_MAX 1000

static const struct store_row *
find(const char *name)
{
	size_t i;

	for (i = 0; i < store_rows_count; i++)
		if (strcmp(store_rows[i].name, name) == 0)
			return &store_rows[i];
	return NULL;
}

static int
complain(const char *item, const char *what, char *why)
{
	size_t i;

	text_set(why, OPTION_WHY_MAX, "");
	text_add(why, OPTION_WHY_MAX,
	    "-o stream-store.weights: \"%s\" %s; allowed are NAME:WEIGHT,... "
	    "with weights from 0 to %d, not all 0, of",
	    item, what, WEIGHT_MAX);
	for (i = 0; i < store_rows_count; i++)
		text_add(why, OPTION_WHY_MAX, "%s %s", i == 0 ? "" : ",",
		    store_rows[i].name);
	return -EINVAL;
}

int
store_weights_read(const char *text, uint64_t weights[STORE_OPS_MAX], char *why)
{
	const char *list = text;
	const struct store_row *row;
	char item[ITEM_MAX], name[ITEM_MAX];
	uint64_t sum = 0, value;
	char *colon;
	size_t i;

	for (i = 0; i < STORE_OPS_MAX; i++)
		weights[i] = text[0] == '\0' && i < store_rows_count
				 ? store_rows[i].weight
				 : 0;
	while (text_next_item(&list, item, sizeof(item))) {
		text_set(name, sizeof(name), item);
		colon = strchr(name, ':');
		if (colon == NULL)
			return complain(item, "has no weight", why);
		*colon = '\0';
		row = find(name);
		if (row == NULL)
			return complain(item, "is no operation", why);
		if (text_to_u64(colon + 1, WEIGHT_MAX, &value) < 0)
			return complain(item, "has no such weight", why);
		weights[row - store_rows] = value;
	}
	for (i = 0; i < STORE_OPS_MAX; i++)
		sum += weights[i];
	return sum != 0 ? 0 : complain(text, "leaves nothing to do", why);
}

const struct store_row *
store_weights_pick(
    struct rng *r, const uint64_t weights[STORE_OPS_MAX], uint64_t sum)
{
	uint64_t at = rng_below(r, sum);
	size_t i = 0;

	while (at >= weights[i])
		at -= weights[i++];
	return &store_rows[i];
}

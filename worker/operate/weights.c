/* SPDX-License-Identifier: ISC */
/* Which operations are done how often; see operate.h. */
#include <errno.h>
#include <string.h>

#include "proto/base/option.h"
#include "proto/base/text.h"
#include "worker/operate/operate.h"

#define ITEM_MAX   64
#define WEIGHT_MAX 1000

static const struct operate_row *
find(const struct operate_ops *ops, const char *name)
{
	size_t i;

	for (i = 0; i < ops->nrows; i++)
		if (strcmp(ops->rows[i].name, name) == 0)
			return &ops->rows[i];
	return NULL;
}

static int
complain(const struct operate_ops *ops, const char *item, const char *what,
    char *why)
{
	size_t i;

	text_set(why, OPTION_WHY_MAX, "");
	text_add(why, OPTION_WHY_MAX,
	    "-o %s: \"%s\" %s; allowed are NAME:WEIGHT,... "
	    "with weights from 0 to %d, not all 0, of",
	    ops->option, item, what, WEIGHT_MAX);
	for (i = 0; i < ops->nrows; i++)
		text_add(why, OPTION_WHY_MAX, "%s %s", i == 0 ? "" : ",",
		    ops->rows[i].name);
	return -EINVAL;
}

int
operate_weights_read(const struct operate_ops *ops, const char *text,
    uint64_t weights[OPERATE_ROWS_MAX], char *why)
{
	const char *list = text;
	const struct operate_row *row;
	char item[ITEM_MAX], name[ITEM_MAX];
	uint64_t sum = 0, value;
	char *colon;
	size_t i;

	for (i = 0; i < OPERATE_ROWS_MAX; i++)
		weights[i] =
		    text[0] == '\0' && i < ops->nrows ? ops->rows[i].weight : 0;
	while (text_next_item(&list, item, sizeof(item))) {
		text_set(name, sizeof(name), item);
		colon = strchr(name, ':');
		if (colon == NULL)
			return complain(ops, item, "has no weight", why);
		*colon = '\0';
		row = find(ops, name);
		if (row == NULL)
			return complain(ops, item, "is no operation", why);
		if (text_to_u64(colon + 1, WEIGHT_MAX, &value) < 0)
			return complain(ops, item, "has no such weight", why);
		weights[row - ops->rows] = value;
	}
	for (i = 0; i < OPERATE_ROWS_MAX; i++)
		sum += weights[i];
	return sum != 0 ? 0 : complain(ops, text, "leaves nothing to do", why);
}

const struct operate_row *
operate_weights_pick(const struct operate_ops *ops, struct rng *r,
    const uint64_t weights[OPERATE_ROWS_MAX], uint64_t sum)
{
	uint64_t at = rng_below(r, sum);
	size_t i = 0;

	while (at >= weights[i])
		at -= weights[i++];
	return &ops->rows[i];
}

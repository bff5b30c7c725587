/* SPDX-License-Identifier: ISC */
/* The options of backup_stream; see backup.h. */
#include "proto/backup.h"

static const char *const words[] = {"false", "true", NULL};

const struct option_spec backup_rows[] = {
    {.name = "size",
	.type = OPTION_SIZE,
	OPTION_AT(struct backup_options, size),
	.def = "64MiB",
	.min = UINT64_C(1) << 16,
	.max = UINT64_C(1) << 30,
	.arg = "SIZE",
	.help = "a larger backup is given up"},
    {.name = "replace",
	.type = OPTION_CHOICE,
	OPTION_AT(struct backup_options, replace),
	.def = "false",
	.choices = words,
	.arg = "true|false",
	.help = "where servers restore under the same name only, delete the "
		"stream for that in the end"},
    {.name = NULL},
};

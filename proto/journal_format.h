/* SPDX-License-Identifier: ISC */
/* Where the journal's segments are: what its writer and its reader share. */
#ifndef PROTO_JOURNAL_FORMAT_H
#define PROTO_JOURNAL_FORMAT_H

#include "proto/journal.h"

#define JOURNAL_PACKED ".nbj.zst"
#define JOURNAL_PLAIN  ".nbj"
/* Of a segment's file, in a folder whose path is of JOURNAL_PATH_MAX. */
#define JOURNAL_FILE_MAX (JOURNAL_PATH_MAX + 48)

/* The path of a segment's file, of this kind; suffix stands behind it. */
void journal_path(char path[JOURNAL_FILE_MAX], const char *dir,
    unsigned segment, const char *kind, const char *suffix);

#endif

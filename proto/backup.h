/* SPDX-License-Identifier: ISC */
/*
 * What chaos, which backs up streams of the run, and the audit, which restores
 * them, agree on. Backups are numbers 0 to BACKUP_KEPT - 1 in a folder of the
 * run folder, the oldest replaced first: N.json is what the server answered,
 * with "stream" and "backup" (the fault's number), and N.s2 what it sent.
 */
#ifndef PROTO_BACKUP_H
#define PROTO_BACKUP_H

#include "proto/base/option.h"

#define BACKUP_KEPT   4
#define BACKUP_DIR    "backups"
#define BACKUP_MODE   "backup_stream"
#define BACKUP_SUFFIX "_backup" /* of a restored stream's name */

/* -o backup_stream.KEY=VALUE */
struct backup_options {
	uint64_t size; /* bytes of one, at most */
	char replace[8];
};
extern const struct option_spec backup_rows[];

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Room on the disk that is kept back for the end of a run: when the disk
 * fills up the load ends there, but the end of the journal and the report
 * still have to be written. RUN_DIR/reserve is a file of nothing that is
 * removed for them.
 */
#ifndef ORCHESTRATOR_RESERVE_H
#define ORCHESTRATOR_RESERVE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Keep back what can be kept back; returns how many bytes. Without any the
 * run goes on as well.
 */
size_t reserve_make(const char *run_dir);

/* False when the disk is full but for what is kept back. */
bool reserve_has_room(const char *run_dir);

/* Give it back. It may have been given back before. */
void reserve_release(const char *run_dir);

#endif

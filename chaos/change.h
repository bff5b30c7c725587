/* SPDX-License-Identifier: ISC */
/*
 * A change of the configuration of a stream of the run, and its undoing. The
 * whole configuration is read from STREAM.INFO, one thing of it is edited, and
 * it is sent back with STREAM.UPDATE; later the one that was read is sent. What
 * STREAM.INFO shows afterwards proves it, never the answer to the update, which
 * the meta leader may give before anything is done. An update that is not
 * answered may take effect or not: it is sent again until INFO shows it.
 *
 * One change at a time: the mode's fault touches TOUCH_STREAMS. A new edit is a
 * row of the table in change.c.
 */
#ifndef CHAOS_CHANGE_H
#define CHAOS_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "chaos/cluster/cluster.h"

#define CHANGE_WHY_MAX 160

enum change_edit {
	CHANGE_REPLICAS,    /* value: how many */
	CHANGE_SUBJECT,	    /* one more, which nobody uses */
	CHANGE_DESCRIPTION, /* value: a number in it */
	CHANGE_METADATA,    /* likewise */
	CHANGE_LIMITS,	    /* where there are none, some that don't bite */
	CHANGE_COMPRESSION, /* the other one */
	CHANGE_PLACEMENT,   /* tag: of the servers that it shall be on */
	CHANGE_EDITS
};

struct change_wish {
	enum change_edit edit;
	uint64_t value;
	char tag[32];
};

struct change;

/* False when a server tells a version that does not know it. */
bool change_is_known(const struct cluster *, enum change_edit);

/*
 * Begin a change of this stream; the one before is forgotten, and may not be
 * in force any more. 0 or -ENOMEM.
 */
int change_begin(struct cluster *, uint32_t fault, const char *stream,
    const struct change_wish *);

/*
 * Go on with it, or with its undoing. True when the stream's leader shows the
 * configuration that was sent last.
 */
bool change_step(struct cluster *);

/* Then: it shows all replicas, too, as many as are configured, and current. */
bool change_is_whole(const struct cluster *);

/* From now on change_step() puts back what was read. May be called twice. */
void change_undo(struct cluster *);

/* What is missing, or what the servers said last; borrowed. */
const char *change_why(const struct cluster *);

/* Tell the judge that the stream is whole again as it was. */
void change_tell_restored(struct cluster *);

/* Forget it, and close its connection; what was sent stays in force. */
void change_end(struct cluster *);

#endif

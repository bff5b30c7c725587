/* SPDX-License-Identifier: ISC */
/*
 * Pages of servers' monitoring ports: how one is asked for, with TLS as the
 * run's options say, and pages that are asked for once, by waiting for them.
 */
#ifndef CHAOS_PAGE_H
#define CHAOS_PAGE_H

#include "chaos/cluster/cluster.h"
#include "chaos/transfer.h"

struct child;

/* Open a transfer for pages of this cluster. 0 or -ENOMEM. */
int page_open(struct transfer *, const struct cluster *, void *owner);

#define PAGE_MAX                                                               \
	((size_t)16 << 20) /* bytes of a page that is read or saved            \
			    */

/* What it asks for, next time that it is started. */
void page_set_url(
    struct transfer *, const struct run_config *, const char *url);

/*
 * Ask for a page of a node and wait for it, 2 s at most. 0, or -EPROTO with
 * why (CLUSTER_WHY_MAX bytes) when it is https and TLS failed; -ENOTCONN for
 * anything else that may pass.
 */
int page_try(const struct cluster *, unsigned node, char *why);

/*
 * The name of the folder of a node's files: its own, as far as that can name
 * one, and @2 and so on when an earlier node's is the same.
 */
void page_folder(const struct cluster *, unsigned node, char *out, size_t size);

/*
 * Save the pages that tell most of all servers, in a folder each below dir;
 * returns how many. It takes some ten seconds at most; the child shows
 * meanwhile that it lives.
 */
unsigned page_dump(const struct cluster *, const char *dir, struct child *);

#endif

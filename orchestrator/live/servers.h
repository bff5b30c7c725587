/* SPDX-License-Identifier: ISC */
/*
 * RUN_DIR/servers.json: while a run's cluster is up, which process runs it
 * and where its servers are, for people and scripts beside it. It is gone
 * when the cluster is.
 *
 *	{"pid": 4711, "servers": [{"name": "n1", "version": "2.10.27",
 *	 "url": "nats://127.0.0.1:4222", "monitor": "http://..."}, ...]}
 */
#ifndef ORCHESTRATOR_SERVERS_H
#define ORCHESTRATOR_SERVERS_H

#include <stdbool.h>

struct run;

/* Write it whole (rename); a failure is a warning, the run goes on. */
void servers_write(struct run *);
void servers_remove(struct run *);

/*
 * Do the run's clients connect to this server, from 1? With leaf nodes they
 * connect to those that don't have the streams.
 */
bool servers_takes_clients(const struct run *, unsigned node);

/* Comma-separated client addresses of the run. */
void servers_urls(const struct run *, char *out, unsigned long size);

#endif

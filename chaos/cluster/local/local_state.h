/* SPDX-License-Identifier: ISC */
/*
 * What the local driver knows of its servers. All of its parts share this one
 * structure, cluster->state.
 */
#ifndef CHAOS_LOCAL_STATE_H
#define CHAOS_LOCAL_STATE_H

#include "chaos/cluster/cluster.h"
#include "chaos/cluster/local/conf_merge.h"
#include "chaos/cluster/local/drive/drives.h"
#include "chaos/cluster/local/links.h"
#include "chaos/cluster/local/loss.h"
#include "chaos/cluster/local/output.h"
#include "chaos/cluster/local/ports.h"
#include "proto/topology.h"

struct local_node {
	uint16_t client, http, route;
	uint16_t remote;  /* for gateways or leaf nodes; 0: none */
	uint16_t profile; /* 0: it has no such port */
	char bin[CONFIG_PATH_MAX];
	bool should_run;
	uint64_t died_ns; /* when it ended by itself; 0: it did not */
	unsigned renewed; /* times it was replaced by a new one */
	bool is_full;	  /* we have filled its disk */
	/* Its disk's power is cut: what is to be told of that. */
	bool is_cut;
	uint64_t whole_ns;
	struct output output;
};

struct local {
	struct topology topology;
	struct links links;
	struct loss loss;
	struct drives drives;
	struct ports ports;
	char dir[CONFIG_PATH_MAX + 16]; /* RUN_DIR/servers */
	char password[24];		/* of the system account */
	char key[40];			/* of the stores, with --encryption */
	/* Each server's own, for what is written differs. */
	struct conf_merge confs[CONFIG_NODES_MAX];
	int conf_error; /* why they could not be read, or 0 */
	bool is_up;
	struct local_node nodes[CONFIG_NODES_MAX];
};

#endif

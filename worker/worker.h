/* SPDX-License-Identifier: ISC */
/*
 * Workloads as the rest of natsburn sees them: names, roles and options.
 * No part of the client library is visible here.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <stdbool.h>

#include "proto/base/option.h"
#include "proto/config.h"
#include "proto/message.h"

enum workload_count {
	WORKLOAD_ONE,	    /* one process */
	WORKLOAD_CONSUMERS, /* --consumers of them */
	WORKLOAD_CLIENTS    /* --clients of them */
};

struct workload_role {
	const char *name; /* NULL ends the list */
	enum workload_count count;
	bool produces; /* is stopped first; the others drain what it made */
};

struct worker;

/*
 * A workload is one file under worker/workloads that ends in one of these,
 * named workload_<file name>; the build finds it. Hooks return 0 or -errno;
 * an error ends the process, which is a harness fault and not a verdict.
 */
struct workload_ops {
	const char *name;    /* as on the command line */
	const char *summary; /* one sentence for users */
	const struct workload_role *roles;
	const struct option_spec *options; /* -o name.key=value, or NULL */
	size_t options_size;
	size_t state_size;     /* zeroed block for each process, w->state */
	bool needs_no_cluster; /* plays with --cluster null only */
	bool is_steered;       /* the parent answers confirmed acks with DONE */
	bool takes_rate;       /* --rate means something */
	unsigned clients;      /* default of --clients; 0 is 1 */
	bool is_bulk;	       /* throughput counts: it gathers what comes */
	/*
	 * In the parent, on the command line's values: 0, or -EINVAL with why
	 * (OPTION_WHY_MAX bytes), which names option, value and what is
	 * allowed. Optional.
	 */
	int (*validate)(
	    const struct run_config *, const void *options, char *why);
	/* Once a run, in a process of its own: make streams and the like. */
	int (*setup)(struct worker *);
	/* Scan what setup made; NULL is the scan that suits all streams. */
	int (*audit)(struct worker *);
	/* In each process of a role: before READY. */
	int (*begin)(struct worker *);
	/* One bounded piece of work, at most some seconds. */
	int (*step)(struct worker *);
	/* A command came (not STOP). Optional. */
	void (*command)(struct worker *, const struct event *);
	/* STOP came: settle every outcome that is still open. Optional. */
	int (*drain)(struct worker *);
	void (*end)(struct worker *); /* optional */
};

/* All workloads, NULL-terminated, in the order of their file names. */
extern const struct workload_ops *const workload_table[];

/* The workload of that name, or NULL. */
const struct workload_ops *workload_find(const char *name);

/* Main of a worker process; returns its exit code. */
int worker_main(const char *role, uint32_t source, uint32_t incarnation);

#endif

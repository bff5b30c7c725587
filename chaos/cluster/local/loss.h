/* SPDX-License-Identifier: ISC */
/*
 * Real packet loss: an nftables table of our own drops a share of the
 * packets that go to or come from given TCP ports of this host, and touches
 * nothing else. The table belongs to the netlink socket of an nft process
 * that reads our commands (flags owner), which dies with us: the kernel
 * removes the table then, however this run ends.
 */
#ifndef CHAOS_LOSS_H
#define CHAOS_LOSS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LOSS_MAX    10000 /* share of packets, in hundredths of a percent */
#define LOSS_ANSWER 8192

struct loss {
	pid_t pid;    /* of nft, 0 when it doesn't run */
	int down, up; /* its commands and what it says; -1 */
	char name[32];
	char answer[LOSS_ANSWER]; /* what of an answer has come so far */
	size_t len;
	uint32_t asked, answered; /* questions for the counter */
	/* answers up to this one are from before loss_set() */
	uint32_t since;
	uint64_t dropped;  /* packets, as last told */
	char trouble[160]; /* what nft complained about, or empty */
};

/*
 * Start nft and make the table, which holds no rule yet: id names it, and
 * must be this run's alone. Waits for nft's answer, for some seconds at
 * most. 0, or -errno with why (size bytes). loss_stop() in either case.
 */
int loss_start(struct loss *, uint64_t id, char *why, size_t size);

/*
 * Drop that share of the packets to and from the n ports from now on; 0
 * drops none. The counter begins at 0. 0 or -errno.
 */
int loss_set(struct loss *, unsigned share, const uint16_t *ports, unsigned n);

/* Take in what nft says. False once it is gone. */
bool loss_read(struct loss *);

/*
 * Packets dropped since loss_set(); false while that is not known. Also asks
 * nft for the next answer.
 */
bool loss_dropped(struct loss *, uint64_t *packets);

/* End nft, and the table with it; safe when it never ran. */
void loss_stop(struct loss *);

#endif

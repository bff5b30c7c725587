/* SPDX-License-Identifier: ISC */
/*
 * Calls that fail when they are told to. A program that is linked with
 * fail.c (and --wrap for each of these calls, see CMakeLists.txt) counts
 * them, and lets the N-th of a kind fail: once, or that and all later ones.
 *
 * It is told so by the environment: TORTURE="KIND N once" or "KIND N ever";
 * at its end it writes how many of each kind there were to the file that
 * TORTURE_COUNTS names. Child processes of natsburn don't fail.
 */
#ifndef TESTS_FAIL_H
#define TESTS_FAIL_H

enum fail_kind {
	FAIL_MEMORY, /* malloc and its like, and what is made of it: ENOMEM */
	FAIL_READ,   /* read: EIO */
	FAIL_WRITE,  /* write: ENOSPC */
	FAIL_POLL,   /* poll, epoll_wait: ENOMEM */
	FAIL_FORK,   /* fork: EAGAIN */
	FAIL_SHORT_READ,  /* read from a file or pipe gives one byte */
	FAIL_SHORT_WRITE, /* write takes one byte */
	FAIL_KINDS
};

#define FAIL_NAMES                                                             \
	{                                                                      \
		"memory", "read", "write", "poll", "fork", "short_read",       \
		    "short_write"                                              \
	}

#endif

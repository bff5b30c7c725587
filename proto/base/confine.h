/* SPDX-License-Identifier: ISC */
/*
 * What a child that only talks to servers does without, given up for good: so
 * that a hostile answer which takes the process over finds little to do.
 */
#ifndef BASE_CONFINE_H
#define BASE_CONFINE_H

/*
 * For this thread and those that it starts: no privileges are gained by an
 * exec, and system calls that start programs, look into or signal other
 * processes, mount, load modules or code into the kernel, or set its clock
 * fail with EPERM. 0, or -errno when this host has no such filters or refuses
 * them (the privileges are given up all the same). With a sanitizer, which
 * needs some of these calls, there is no filter and that is 0.
 */
int confine_self(void);

#endif

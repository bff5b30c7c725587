/* SPDX-License-Identifier: ISC */
/*
 * NKeys of users: the client library wants the public key beside the file
 * with the seed, and users have the file. The seed itself stays in it.
 */
#ifndef PROTO_NKEY_H
#define PROTO_NKEY_H

#include <stddef.h>

#define NKEY_PUBLIC_MAX 64   /* bytes of a public key as text, with its NUL */
#define NKEY_SEED_MAX	59   /* bytes of a seed as text, with its NUL */
#define NKEY_FILE_MAX	8192 /* bytes that a file with a seed may have */

/*
 * The public key (U...) that belongs to the seed (SU...) in a text: the
 * first word that looks like one, so also that of a decorated file. 0, or
 * -EINVAL when there is none or it is damaged.
 */
int nkey_public(const char *text, char out[static NKEY_PUBLIC_MAX]);

/* The same of a file: 0 or -errno (-EINVAL as above, -EFBIG). */
int nkey_public_of_file(const char *path, char out[static NKEY_PUBLIC_MAX]);

/* The seed itself, which the caller overwrites: 0 or -errno as above. */
int nkey_seed_of_file(const char *path, char out[static NKEY_SEED_MAX]);

#endif

/* SPDX-License-Identifier: ISC */
/* NKeys of users; see nkey.h. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "proto/nkey.h"

/*
 * As text: base32 without padding of prefix, key and checksum. A seed has
 * two prefixes, its own and the kind of key, of five bits each.
 */
#define PREFIX_SEED 144 /* S */
#define PREFIX_USER 160 /* U */
#define KEY_BYTES   32
#define SUM_BYTES   2
#define SEED_BYTES  (2 + KEY_BYTES + SUM_BYTES)
#define SEED_CHARS  58

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* CRC-16 with the polynomial 0x1021, from 0 (XMODEM). */
static uint16_t
checksum(const uint8_t *data, size_t len)
{
	unsigned sum = 0;
	size_t i;
	int bit;

	for (i = 0; i < len; i++) {
		sum ^= (unsigned)data[i] << 8;
		for (bit = 0; bit < 8; bit++)
			sum = sum & 0x8000 ? sum << 1 ^ 0x1021 : sum << 1;
		sum &= 0xffff;
	}
	return (uint16_t)sum;
}

/* A seed of SEED_CHARS characters, all of the alphabet, as bytes. */
static void
decode(const char *text, uint8_t out[static SEED_BYTES])
{
	unsigned bits = 0, have = 0;
	size_t i, n = 0;

	for (i = 0; i < SEED_CHARS; i++) {
		bits = bits << 5 |
		       (unsigned)(strchr(alphabet, text[i]) - alphabet);
		have += 5;
		if (have < 8)
			continue;
		have -= 8;
		out[n++] = (uint8_t)(bits >> have & 0xff);
	}
}

static void
encode(const uint8_t *data, size_t len, char *out)
{
	unsigned bits = 0, have = 0;
	size_t i, n = 0;

	for (i = 0; i < len; i++) {
		bits = bits << 8 | data[i];
		for (have += 8; have >= 5; have -= 5)
			out[n++] = alphabet[bits >> (have - 5) & 31];
	}
	if (have > 0)
		out[n++] = alphabet[bits << (5 - have) & 31];
	out[n] = '\0';
}

/* Is it the seed of a user, whole and undamaged? */
static bool
is_user_seed(const uint8_t raw[static SEED_BYTES])
{
	unsigned kind = (raw[0] & 7U) << 5 | (raw[1] & 0xf8U) >> 3;
	unsigned sum = raw[SEED_BYTES - 2] | (unsigned)raw[SEED_BYTES - 1] << 8;

	return (raw[0] & 0xf8) == PREFIX_SEED && kind == PREFIX_USER &&
	       checksum(raw, SEED_BYTES - SUM_BYTES) == sum;
}

static int
derive(const uint8_t seed[static KEY_BYTES], uint8_t out[static KEY_BYTES])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(
	    EVP_PKEY_ED25519, NULL, seed, KEY_BYTES);
	size_t len = KEY_BYTES;
	int ok =
	    key != NULL && EVP_PKEY_get_raw_public_key(key, out, &len) == 1;

	EVP_PKEY_free(key);
	return ok && len == KEY_BYTES ? 0 : -ENOMEM;
}

/* The first user's seed in a text, or NULL. */
static const char *
find_seed(const char *text, uint8_t raw[static SEED_BYTES])
{
	const char *p;
	size_t len;

	for (p = text; *p != '\0'; p += len > 0 ? len : 1) {
		len = strspn(p, alphabet);
		if (len != SEED_CHARS || p[0] != 'S')
			continue;
		decode(p, raw);
		if (is_user_seed(raw))
			return p;
	}
	return NULL;
}

int
nkey_public(const char *text, char out[static NKEY_PUBLIC_MAX])
{
	uint8_t raw[SEED_BYTES], public[1 + KEY_BYTES + SUM_BYTES];
	uint16_t sum;
	int err = -EINVAL;

	public[0] = PREFIX_USER;
	if (find_seed(text, raw) != NULL)
		err = derive(raw + 2, public + 1);
	OPENSSL_cleanse(raw, sizeof(raw));
	if (err < 0)
		return err;
	sum = checksum(public, 1 + KEY_BYTES);
	public[1 + KEY_BYTES] = (uint8_t)(sum & 0xff);
	public[2 + KEY_BYTES] = (uint8_t)(sum >> 8);
	encode(public, sizeof(public), out);
	return 0;
}

static int
read_file(const char *path, char text[static NKEY_FILE_MAX + 1])
{
	const size_t size = NKEY_FILE_MAX + 1;
	size_t used = 0;
	ssize_t n;
	int fd, err = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (used < size && (n = read(fd, text + used, size - used)) != 0) {
		if (n < 0) {
			err = -errno;
			break;
		}
		used += (size_t)n;
	}
	close(fd);
	if (err == 0 && used == size)
		err = -EFBIG;
	text[used < size ? used : size - 1] = '\0';
	return err;
}

int
nkey_public_of_file(const char *path, char out[static NKEY_PUBLIC_MAX])
{
	char text[NKEY_FILE_MAX + 1];
	int err = read_file(path, text);

	if (err == 0)
		err = nkey_public(text, out);
	OPENSSL_cleanse(text, sizeof(text));
	return err;
}

int
nkey_seed_of_file(const char *path, char out[static NKEY_SEED_MAX])
{
	char text[NKEY_FILE_MAX + 1];
	uint8_t raw[SEED_BYTES];
	const char *seed = NULL;
	int err = read_file(path, text);

	if (err == 0)
		seed = find_seed(text, raw);
	if (err == 0 && seed == NULL)
		err = -EINVAL;
	if (err == 0) {
		memcpy(out, seed, SEED_CHARS);
		out[SEED_CHARS] = '\0';
	}
	OPENSSL_cleanse(raw, sizeof(raw));
	OPENSSL_cleanse(text, sizeof(text));
	return err;
}

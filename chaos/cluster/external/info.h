/* SPDX-License-Identifier: ISC */
/* What a nats-server says of itself first: its INFO line. */
#ifndef CHAOS_EXTERNAL_INFO_H
#define CHAOS_EXTERNAL_INFO_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

/* The host of nats://user:pass@host:port. */
void info_host(const char *url, char *host, size_t size);

/* A connection to it, not blocking, within 5 s: the caller's, or -errno. */
int info_connect(const char *url);

/*
 * What a server says of itself, the caller's; NULL with *err. With tls_first it
 * says nothing before TLS: then *err is 0 if it can be reached.
 */
cJSON *info_ask(const char *url, bool tls_first, int *err);

#endif

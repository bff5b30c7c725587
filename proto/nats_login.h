/* SPDX-License-Identifier: ISC */
/*
 * How a connection logs in: what workers and chaos tell the client library.
 * A library of its own (nb_login), for the orchestrator has no nats.c.
 */
#ifndef PROTO_NATS_LOGIN_H
#define PROTO_NATS_LOGIN_H

#include <nats/nats.h>

#include "proto/config.h"

/* Is there anything to log in with? */
bool nats_login_is_given(const struct config_login *);

/*
 * Files of a login are read by the library, anew for each connection; only
 * the public key of an nkey is derived here. NATS_INVALID_ARG when its seed
 * can't be read.
 */
natsStatus nats_login_set(natsOptions *, const struct config_login *);

/* TLS as --tls... say; without --tls-hostname it is the name in the URL. */
natsStatus nats_login_set_tls(natsOptions *, const struct run_config *);

#endif

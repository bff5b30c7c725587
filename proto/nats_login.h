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
 * the public key of an nkey is derived here. The texts have to stay as long as
 * the connection. NATS_INVALID_ARG when its seed
 * can't be read.
 */
natsStatus nats_login_set(natsOptions *, const struct config_login *);

/*
 * A new inbox, below --inbox-prefix if there is one. out has room for
 * NATS_INBOX_MAX bytes.
 */
#define NATS_INBOX_MAX (CONFIG_PREFIX_MAX + 32)
natsStatus nats_login_inbox(
    const struct run_config *, char out[static NATS_INBOX_MAX]);

/*
 * What belongs to the connection and not to who logs in: TLS and the prefix
 * of inboxes. TLS as --tls... say; without --tls-hostname it is the name in the
 * URL. */
natsStatus nats_login_set_connection(natsOptions *, const struct run_config *);

#endif

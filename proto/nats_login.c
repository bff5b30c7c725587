/* SPDX-License-Identifier: ISC */
/* How a connection logs in; see nats_login.h. */
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"
#include "proto/nats_login.h"
#include "proto/nkey.h"

static bool
is_given(const char *text)
{
	return text != NULL && text[0] != '\0';
}

bool
nats_login_is_given(const struct config_login *l)
{
	return is_given(l->user) || is_given(l->token) || is_given(l->nkey) ||
	       is_given(l->creds);
}

static natsStatus
give_jwt(char **jwt, char **why, void *text)
{
	(void)why; /* the status says it */
	*jwt = strdup(text);
	return *jwt != NULL ? NATS_OK : NATS_NO_MEMORY;
}

static natsStatus
sign_nonce(char **why, unsigned char **signature, int *len, const char *nonce,
    void *path)
{
	char seed[NKEY_SEED_MAX];
	natsStatus s;

	(void)why; /* the status says it */
	if (nkey_seed_of_file(path, seed) < 0)
		return NATS_INVALID_ARG;
	s = nats_Sign(seed, nonce, signature, len);
	explicit_bzero(seed, sizeof(seed));
	return s;
}

natsStatus
nats_login_set(natsOptions *o, const struct config_login *l)
{
	char public[NKEY_PUBLIC_MAX];

	if (is_given(l->user))
		return natsOptions_SetUserInfo(o, l->user, l->password);
	if (is_given(l->token))
		return natsOptions_SetToken(o, l->token);
	if (is_given(l->creds))
		return natsOptions_SetUserCredentialsFromFiles(
		    o, l->creds, NULL);
	if (!is_given(l->nkey))
		return NATS_OK;
	if (is_given(l->jwt))
		/* Both texts are only read. */
		return natsOptions_SetUserCredentialsCallbacks(o, give_jwt,
		    (void *)(uintptr_t)l->jwt, sign_nonce,
		    (void *)(uintptr_t)l->nkey);
	if (nkey_public_of_file(l->nkey, public) < 0)
		return NATS_INVALID_ARG;
	return natsOptions_SetNKeyFromSeed(o, public, l->nkey);
}

natsStatus
nats_login_inbox(const struct run_config *c, char out[static NATS_INBOX_MAX])
{
	natsInbox *made = NULL;
	natsStatus s = natsInbox_Create(&made);
	const char *own = c->inbox_prefix;

	/* The library's own are _INBOX.<unique> whatever it was told. */
	if (s == NATS_OK)
		text_format(out, NATS_INBOX_MAX, "%s%s",
		    own[0] != '\0' ? own : "_INBOX", strchr(made, '.'));
	natsInbox_Destroy(made);
	return s;
}

static natsStatus
set_tls(natsOptions *o, const struct run_config *c)
{
	natsStatus s = natsOptions_SetSecure(o, true);

#ifdef NATSBURN_TLS_FIRST
	if (s == NATS_OK && c->tls_first)
		s = natsOptions_TLSHandshakeFirst(o);
#endif
	if (s == NATS_OK && c->tls_ca[0] != '\0')
		s = natsOptions_LoadCATrustedCertificates(o, c->tls_ca);
	if (s == NATS_OK && c->tls_cert[0] != '\0')
		s = natsOptions_LoadCertificatesChain(
		    o, c->tls_cert, c->tls_key);
	if (s == NATS_OK && c->tls_hostname[0] != '\0')
		s = natsOptions_SetExpectedHostname(o, c->tls_hostname);
	return s;
}

natsStatus
nats_login_set_connection(natsOptions *o, const struct run_config *c)
{
	natsStatus s = NATS_OK;

	if (c->inbox_prefix[0] != '\0')
		s = natsOptions_SetCustomInboxPrefix(o, c->inbox_prefix);
	return s == NATS_OK && c->tls ? set_tls(o, c) : s;
}

/* SPDX-License-Identifier: ISC */
/* How a connection logs in; see nats_login.h. */
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
	if (nkey_public_of_file(l->nkey, public) < 0)
		return NATS_INVALID_ARG;
	return natsOptions_SetNKeyFromSeed(o, public, l->nkey);
}

natsStatus
nats_login_set_tls(natsOptions *o, const struct run_config *c)
{
	natsStatus s;

	if (!c->tls)
		return NATS_OK;
	s = natsOptions_SetSecure(o, true);
	if (s == NATS_OK && c->tls_ca[0] != '\0')
		s = natsOptions_LoadCATrustedCertificates(o, c->tls_ca);
	if (s == NATS_OK && c->tls_cert[0] != '\0')
		s = natsOptions_LoadCertificatesChain(
		    o, c->tls_cert, c->tls_key);
	if (s == NATS_OK && c->tls_hostname[0] != '\0')
		s = natsOptions_SetExpectedHostname(o, c->tls_hostname);
	return s;
}

/* SPDX-License-Identifier: ISC */
/* The system account of somebody else's servers; see account.h. */
#include <errno.h>
#include <string.h>

#include "chaos/account.h"
#include "chaos/admin.h"
#include "chaos/internal.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define ANSWER_NS (2 * CLOCK_S) /* for a server to answer, at the start */

bool
account_is_given(const struct run_config *o)
{
	return o->sys_user[0] != '\0' || o->sys_nkey[0] != '\0' ||
	       o->sys_creds[0] != '\0';
}

int
account_open(struct cluster *c)
{
	const struct run_config *o = c->config;

	if (c->admin != NULL)
		return 0;
	c->admin = admin_create(c,
	    &(struct config_login){.user = o->sys_user,
		.password = o->sys_password,
		.nkey = o->sys_nkey,
		.creds = o->sys_creds},
	    &(struct config_login){.user = o->user,
		.password = o->password,
		.token = o->token,
		.nkey = o->nkey,
		.creds = o->creds,
		.jwt = o->user_jwt,
		.is_open = true});
	return c->admin != NULL ? 0 : -ENOMEM;
}

/* Does it answer what only the system account may ask? */
static bool
answers_system(struct cluster *c, unsigned node)
{
	uint64_t deadline = clock_mono_ns() + ANSWER_NS;
	char answer[256];
	int n = -EAGAIN;

	if (admin_request(
		c->admin, ADMIN_SYSTEM, node, "$SYS.REQ.SERVER.PING", "") < 0)
		return false;
	while (n == -EAGAIN && clock_mono_ns() < deadline) {
		chaos_wait(c->chaos, 0);
		n = admin_poll(c->admin, answer, sizeof(answer));
	}
	admin_done(c->admin);
	return n > 0 && strstr(answer, "\"server\"") != NULL;
}

int
account_try(struct cluster *c)
{
	const struct run_config *o = c->config;
	unsigned i;

	if (c->admin == NULL || !account_is_given(o))
		return 0;
	for (i = 1; i <= c->n; i++)
		if (answers_system(c, i))
			return 0;
	text_add(c->why, sizeof(c->why),
	    "no server takes --sys-%s \"%.100s\": it must be a user of the "
	    "system account, with the right password or key",
	    o->sys_user[0] != '\0'   ? "user"
	    : o->sys_nkey[0] != '\0' ? "nkey"
				     : "creds",
	    o->sys_user[0] != '\0'   ? o->sys_user
	    : o->sys_nkey[0] != '\0' ? o->sys_nkey
				     : o->sys_creds);
	return -EACCES;
}

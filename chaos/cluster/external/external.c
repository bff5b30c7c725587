/* SPDX-License-Identifier: ISC */
/*
 * external: somebody's running cluster. natsburn looks at the servers it is
 * given (the INFO line that every nats-server sends first, and the
 * monitoring port when it is named) and changes nothing about them. With a
 * login of the system account it may ask leaders to step down; and processes
 * that are named it may signal (processes.h).
 */
#include <errno.h>
#include <string.h>

#include "chaos/account.h"
#include "chaos/cluster/cluster.h"
#include "chaos/cluster/external/info.h"
#include "chaos/cluster/external/processes.h"
#include "chaos/page.h"
#include "proto/base/text.h"
#include "proto/json.h"

static int
look_at(struct cluster_node *node, bool tls_first)
{
	char host[128];
	const char *s;
	int err;
	cJSON *o = info_ask(node->url, tls_first, &err);

	info_host(node->url, host, sizeof(host));
	s = json_text(o, "server_name");
	text_set(node->name, sizeof(node->name), s[0] != '\0' ? s : host);
	text_set(node->version, sizeof(node->version), json_text(o, "version"));
	cJSON_Delete(o);
	return err;
}

/*
 * A server that is in a cluster tells clients where all of its servers are,
 * unless it is told not to. It may have several addresses: then this is too
 * much, and the servers refuse what they can't do.
 */
static unsigned
external_count(const struct run_config *c)
{
	const char *urls = c->url;
	char url[CONFIG_LIST_MAX];
	int err = -EINVAL, told;
	unsigned n = 0;
	cJSON *o = NULL;

	while (err < 0 && text_next_item(&urls, url, sizeof(url)))
		o = info_ask(url, c->tls_first, &err);
	if (o == NULL)
		return 0;
	told = cJSON_GetArraySize(json_get(o, "connect_urls"));
	if (json_text(o, "cluster")[0] == '\0')
		n = 1;
	else if (told > 0)
		n = (unsigned)told;
	cJSON_Delete(o);
	return n;
}

/*
 * A monitoring port that doesn't answer now may do so later; one whose
 * certificate isn't trusted won't.
 */
static int
try_monitors(struct cluster *c)
{
	unsigned i;

	for (i = 1; i <= c->n; i++)
		if (strncmp(c->nodes[i - 1].monitor, "https:", 6) == 0 &&
		    page_try(c, i, c->why) == -EPROTO)
			return -EPROTO;
	return 0;
}

static const char *const external_options[] = {
    ACCOUNT_OPTIONS, "context", "pid", "unit", NULL};

static int
external_validate(const struct run_config *c, char *why)
{
	if (c->url[0] != '\0')
		return processes_validate(c, why);
	text_set(why, OPTION_WHY_MAX,
	    "--cluster external: needs --url nats://... or --context NAME");
	return -EINVAL;
}

static int
external_up(struct cluster *c)
{
	const char *urls = c->config->url, *monitors = c->config->monitor;
	struct cluster_node *node;
	char shown[CONFIG_LIST_MAX];
	unsigned reached = 0;
	int err, last = -EINVAL;

	while (c->n < CONFIG_NODES_MAX) {
		node = &c->nodes[c->n];
		if (!text_next_item(&urls, node->url, sizeof(node->url)))
			break;
		text_set(node->direct, sizeof(node->direct), node->url);
		/* fewer addresses than servers are allowed */
		(void)text_next_item(
		    &monitors, node->monitor, sizeof(node->monitor));
		c->n++;
		err = look_at(node, c->config->tls_first);
		if (err == 0)
			reached++;
		else
			last = err;
	}
	if (reached > 0) {
		err = try_monitors(c);
		if (err == 0)
			err = account_try(c);
		return err < 0 ? err : processes_find(c);
	}
	text_set(shown, sizeof(shown), c->config->url);
	config_hide_password(shown);
	text_add(c->why, sizeof(c->why),
	    "no server at --url \"%.300s\": %s; is it running and reachable "
	    "from here?",
	    shown, strerror(-last));
	return last;
}

static void
external_down(struct cluster *c)
{
	processes_leave(c);
	c->n = 0; /* the servers run on: they aren't ours */
}

const struct cluster_ops cluster_external = {
    .name = "external",
    .summary = "a running cluster of somebody else's: --url; its leaders can "
	       "be asked to step down, and its processes signalled",
    .owner = OWNER_OTHERS,
    .needs_monitor = true,
    .options = external_options,
    .state_size = sizeof(struct processes),
    .validate = external_validate,
    .count = external_count,
    .lacks = processes_lack,
    .prepare = processes_prepare,
    .log_in = account_open,
    .up = external_up,
    .tend = processes_tend,
    .node_start = processes_start,
    .node_end = processes_stop,
    .node_runs = processes_is_running,
    .node_reload = processes_reload,
    .reload_how = processes_reload_how,
    .node_pause = processes_pause,
    .node_is_paused = processes_is_paused,
    .down = external_down,
};

/* SPDX-License-Identifier: ISC */
/* Where a run's servers are; see servers.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "orchestrator/live/run.h"
#include "orchestrator/live/servers.h"
#include "proto/base/file.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "proto/json.h"
#include "proto/topology.h"

#define SERVERS_FILE "servers.json"

static char *
servers_text(const struct run *r)
{
	cJSON *o = cJSON_CreateObject(), *list, *row;
	const struct msg_node *n;
	char *text, cluster[TOPOLOGY_NAME_MAX];
	unsigned i;

	json_put_number(o, "pid", (double)getpid());
	list = json_put_array(o, "servers");
	for (i = 0; i < CONFIG_NODES_MAX; i++) {
		n = &r->nodes[i];
		if (n->node == 0)
			continue;
		row = cJSON_CreateObject();
		json_put_text(row, "name", n->name);
		topology_server(&r->config, i + 1, cluster);
		if (cluster[0] != '\0')
			json_put_text(row, "cluster", cluster);
		json_put_text(row, "version", n->version);
		json_put_text(row, "url", n->url);
		json_put_text(row, "monitor", n->monitor);
		json_append(list, row);
	}
	text = cJSON_Print(o);
	cJSON_Delete(o);
	return text;
}

void
servers_write(struct run *r)
{
	char path[CONFIG_PATH_MAX + 32] = "";
	char *text = servers_text(r);
	int err = -ENOMEM;

	text_add(path, sizeof(path), "%s/" SERVERS_FILE, r->dir);
	if (text != NULL)
		err = file_replace(path, text, strlen(text));
	if (err < 0)
		log_warn("cannot write \"%s\": %s", path, strerror(-err));
	free(text);
}

void
servers_remove(struct run *r)
{
	char path[CONFIG_PATH_MAX + 32] = "";

	text_add(path, sizeof(path), "%s/" SERVERS_FILE, r->dir);
	(void)unlink(path); /* never written, if it never was up */
}

bool
servers_takes_clients(const struct run *r, unsigned node)
{
	char why[OPTION_WHY_MAX];
	struct topology t;

	return r->nodes[node - 1].url[0] != '\0' &&
	       (topology_read(&r->config, &t, why) < 0 || !t.has_leafs ||
		   topology_is_apart(
		       &t, &r->config, topology_cluster(&t, node)));
}

void
servers_urls(const struct run *r, char *out, unsigned long size)
{
	unsigned i;

	out[0] = '\0';
	for (i = 0; i < CONFIG_NODES_MAX; i++)
		if (servers_takes_clients(r, i + 1))
			text_add(out, size, "%s%s", out[0] != '\0' ? "," : "",
			    r->nodes[i].url);
}

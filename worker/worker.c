/* SPDX-License-Identifier: ISC */
/* What a worker asks of its parent and of its run; see internal.h. */
#include <errno.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/text.h"
#include "worker/internal.h"

void
worker_stream_name(
    const struct worker *w, const char *suffix, char *out, size_t size)
{
	config_stream_prefix(&w->config, out, size);
	text_add(out, size, "%s", suffix);
}

void
worker_subject(
    const struct worker *w, const char *suffix, char *out, size_t size)
{
	out[0] = '\0';
	text_add(
	    out, size, "nb.%llx.%s", (unsigned long long)w->config.run, suffix);
}

static void
add_target(struct worker *w, const struct msg_audit_stream *m)
{
	struct worker_target *t;

	if (w->ntargets == WORKER_STREAMS_MAX)
		return; /* no workload makes that many */
	t = array_at(&w->targets, &w->targets_room, w->ntargets, sizeof(*t),
	    WORKER_STREAMS_MAX);
	if (t == NULL) {
		child_diag(&w->child, -ENOMEM, "cannot note a stream to scan");
		return;
	}
	t->stream = m->stream;
	t->last_acked = m->last_acked;
	text_set(t->name, sizeof(t->name), m->name);
	w->ntargets++;
}

static void
add_asked(struct worker *w, const struct msg_audit_consumer *m)
{
	struct worker_asked *a = array_at(&w->asked, &w->asked_room, w->nasked,
	    sizeof(*a), WORKER_CONSUMERS_MAX);

	if (a == NULL) {
		child_diag(&w->child, -ENOMEM, "cannot note a consumer");
		return;
	}
	w->nasked++;
	a->stream = m->stream;
	a->consumer = m->consumer;
	a->ack_wait_ns = m->ack_wait_ns;
	text_set(a->name, sizeof(a->name), m->name);
}

static void
take_command(struct worker *w, const struct event *cmd)
{
	switch ((unsigned)cmd->type) {
	case MESSAGE_START:
		w->is_started = true;
		w->counter = cmd->u.start.counter;
		w->index = cmd->u.start.index;
		break;
	case MESSAGE_AUDIT_STREAM:
		add_target(w, &cmd->u.audit_stream);
		break;
	case MESSAGE_AUDIT_CONSUMER:
		add_asked(w, &cmd->u.audit_consumer);
		break;
	case MESSAGE_AUDIT_LIMIT:
		limit_begin(w, &cmd->u.audit_limit);
		break;
	default:
		if (w->ops->command != NULL)
			w->ops->command(w, cmd);
		break;
	}
}

void
worker_commands(struct worker *w, int timeout_ms)
{
	struct event cmd;

	while (child_command(&w->child, timeout_ms, &cmd)) {
		take_command(w, &cmd);
		timeout_ms = 0;
	}
}

bool
worker_must_stop(struct worker *w)
{
	worker_commands(w, 0);
	return w->child.stopping;
}

const struct workload_ops *
workload_find(const char *name)
{
	const struct workload_ops *const *w;

	for (w = workload_table; *w != NULL; w++)
		if (strcmp((*w)->name, name) == 0)
			return *w;
	return NULL;
}

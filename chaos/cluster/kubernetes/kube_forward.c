/* SPDX-License-Identifier: ISC */
/* Ports of pods; see kube_forward.h. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "chaos/cluster/kubernetes/kube_forward.h"
#include "proto/base/clock.h"
#include "proto/base/spawn.h"
#include "proto/base/text.h"

#define RETRY_NS (500 * CLOCK_MS)

void
kube_forward_init(struct kube_forward *f, struct kube *k, const char *dir,
    const char *ns, const char *pod)
{
	memset(f, 0, sizeof(*f));
	f->kube = k;
	text_set(f->ns, sizeof(f->ns), ns);
	text_set(f->pod, sizeof(f->pod), pod);
	text_add(f->log, sizeof(f->log), "%s/forward-%s.log", dir, pod);
}

static void
stop(struct kube_forward *f)
{
	spawn_end(f->pid);
	f->pid = 0;
}

void
kube_forward_fini(struct kube_forward *f)
{
	stop(f);
}

void
kube_forward_renew(struct kube_forward *f)
{
	stop(f);
	f->next_ns = 0;
}

static void
start(struct kube_forward *f)
{
	char ports[2][24], ns[KUBE_NAME_MAX + 16] = "",
					      pod[KUBE_NAME_MAX + 8] = "";
	const char *const args[] = {"port-forward", "--address=127.0.0.1", ns,
	    pod, ports[0], ports[1], NULL};
	unsigned i;

	text_add(ns, sizeof(ns), "--namespace=%s", f->ns);
	text_add(pod, sizeof(pod), "pod/%s", f->pod);
	for (i = 0; i < 2; i++) {
		ports[i][0] = '\0';
		if (f->local[i] != 0)
			text_add(ports[i], sizeof(ports[i]), "%u", f->local[i]);
		text_add(ports[i], sizeof(ports[i]), ":%u", f->ports[i]);
	}
	f->pid = kube_spawn(f->kube, args, f->log);
}

unsigned
kube_forward_port(const char *line, unsigned port)
{
	static const char begin[] = "Forwarding from 127.0.0.1:";
	unsigned local, to;

	if (strncmp(line, begin, sizeof(begin) - 1) != 0 ||
	    sscanf(line + sizeof(begin) - 1, "%5u -> %5u", &local, &to) != 2)
		return 0;
	return to == port && local <= 65535 ? local : 0;
}

static void
read_ports(struct kube_forward *f)
{
	FILE *in = fopen(f->log, "re");
	unsigned i, port;
	char line[256];

	if (in == NULL)
		return;
	while (fgets(line, sizeof(line), in) != NULL)
		for (i = 0; i < 2; i++) {
			port = kube_forward_port(line, f->ports[i]);
			if (port != 0)
				f->local[i] = port;
		}
	(void)fclose(in); /* it was only read */
}

bool
kube_forward_is_open(const struct kube_forward *f)
{
	return f->local[0] != 0 && f->local[1] != 0;
}

void
kube_forward_step(struct kube_forward *f, bool should_run)
{
	uint64_t now = clock_mono_ns();

	if (f->pid > 0 && waitpid(f->pid, NULL, WNOHANG) == f->pid)
		f->pid = 0;
	if (f->pid <= 0 && should_run && now >= f->next_ns) {
		f->next_ns = now + RETRY_NS;
		start(f);
	}
	if (f->pid > 0 && !kube_forward_is_open(f))
		read_ports(f);
}

/* SPDX-License-Identifier: ISC */
/* Ports for servers of ours; see ports.h. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "chaos/cluster/local/ports.h"

#define PORT_LOW   20000 /* below the kernel's own range of ports */
#define PORT_HIGH  32000
#define PORT_TRIES 2000

void
ports_init(struct ports *p)
{
	p->n = 0;
	rng_init(&p->rng, rng_fresh_seed(), "ports");
}

/*
 * Several natsburns may begin at once, and a port is seen to be in use only
 * when its server listens: so each says which ports it has chosen, by abstract
 * sockets of that name. They go with the process, whatever ends it.
 */
static bool
hold_port(struct ports *p, uint16_t port)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd, len;

	len = snprintf(
	    a.sun_path + 1, sizeof(a.sun_path) - 1, "natsburn/port/%u", port);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	if (bind(fd, (struct sockaddr *)&a,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			    (size_t)len)) < 0) {
		close(fd);
		return false;
	}
	p->held[p->n++] = fd;
	return true;
}

uint16_t
ports_take(struct ports *p)
{
	struct sockaddr_in a = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	uint16_t port;
	int fd, i, bound;

	for (i = 0; i < PORT_TRIES && p->n < PORTS_MAX; i++) {
		port = (uint16_t)(PORT_LOW +
				  rng_below(&p->rng, PORT_HIGH - PORT_LOW));
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0)
			return 0;
		a.sin_port = htons(port);
		bound = bind(fd, (struct sockaddr *)&a, sizeof(a));
		close(fd);
		if (bound == 0 && hold_port(p, port))
			return port;
	}
	return 0;
}

void
ports_fini(struct ports *p)
{
	while (p->n > 0)
		close(p->held[--p->n]);
}

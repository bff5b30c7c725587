/* SPDX-License-Identifier: ISC */
/* What a server says of itself first; see info.h. */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chaos/cluster/external/info.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/json.h"

#define INFO_MAX    32768
#define CONNECT_MS  5000
#define NESTING_MAX 8

/* Host and port of nats://user:pass@host:port. */
static void
split_url(
    const char *url, char *host, size_t host_size, char *port, size_t port_size)
{
	const char *p = strstr(url, "://"), *at, *colon;
	size_t len;

	p = p != NULL ? p + 3 : url;
	at = strrchr(p, '@');
	p = at != NULL ? at + 1 : p;
	len = strcspn(p, "/");
	colon = memchr(p, ':', len);
	text_set(port, port_size, "4222");
	if (colon != NULL) {
		text_set(port, port_size, colon + 1);
		port[strcspn(port, "/")] = '\0';
		len = (size_t)(colon - p);
	}
	if (len >= host_size)
		len = host_size - 1;
	memcpy(host, p, len);
	host[len] = '\0';
}

void
info_host(const char *url, char *host, size_t size)
{
	char port[16];

	split_url(url, host, size, port, sizeof(port));
}

int
info_connect(const char *url)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list, *a;
	char host[128], port[16];
	struct pollfd p;
	int fd = -1, error;
	socklen_t len = sizeof(error);

	split_url(url, host, sizeof(host), port, sizeof(port));
	if (getaddrinfo(host, port, &hints, &list) != 0)
		return -EHOSTUNREACH;
	error = ECONNREFUSED;
	for (a = list; a != NULL && fd < 0; a = a->ai_next) {
		fd = socket(a->ai_family,
		    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fd < 0)
			continue;
		error = 0;
		if (connect(fd, a->ai_addr, a->ai_addrlen) < 0 &&
		    errno != EINPROGRESS)
			error = errno;
		p = (struct pollfd){.fd = fd, .events = POLLOUT};
		if (error == 0 && poll(&p, 1, CONNECT_MS) != 1)
			error = ETIMEDOUT;
		if (error == 0)
			(void)getsockopt(/* of a socket: can't fail */
			    fd, SOL_SOCKET, SO_ERROR, &error, &len);
		if (error != 0) {
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(list);
	return fd >= 0 ? fd : -error;
}

/* The INFO line: 0 or -errno. */
static int
read_info(int fd, char *line, size_t size)
{
	uint64_t deadline = clock_mono_ns() + CONNECT_MS * CLOCK_MS;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t used = 0;
	ssize_t n;

	while (used < size - 1) {
		/* All of it: a byte now and then is no line. */
		if (poll(&p, 1,
			clock_poll_ms(clock_mono_ns(), deadline, CONNECT_MS)) !=
		    1)
			return -ETIMEDOUT;
		n = read(fd, line + used, size - 1 - used);
		if (n <= 0)
			return n < 0 ? -errno : -ECONNRESET;
		used += (size_t)n;
		line[used] = '\0';
		if (strchr(line, '\n') != NULL)
			return strncmp(line, "INFO ", 5) == 0 ? 0 : -EPROTO;
	}
	return -EPROTO;
}

cJSON *
info_ask(const char *url, bool tls_first, int *err)
{
	char *line = malloc(INFO_MAX);
	cJSON *o = NULL;
	int fd;

	*err = -ENOMEM;
	if (line == NULL)
		return NULL;
	fd = info_connect(url);
	*err = fd < 0 ? fd : 0;
	if (fd >= 0 && !tls_first) {
		*err = read_info(fd, line, INFO_MAX);
		if (*err == 0)
			o = json_parse(line + 5, strlen(line + 5), NESTING_MAX);
		if (*err == 0 && o == NULL)
			*err = -EPROTO;
	}
	if (fd >= 0)
		close(fd);
	free(line);
	return o;
}

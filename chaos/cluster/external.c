/* SPDX-License-Identifier: ISC */
/*
 * external: somebody's running cluster. natsburn looks at the servers it is
 * given (the INFO line that every nats-server sends first, and the
 * monitoring port when it is named) and changes nothing about them. With a
 * login of the system account it may ask leaders to step down.
 */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chaos/account.h"
#include "chaos/cluster/cluster.h"
#include "chaos/internal.h"
#include "chaos/page.h"
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

static int
connect_to(const char *host, const char *port)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list, *a;
	struct pollfd p;
	int fd = -1, error;
	socklen_t len = sizeof(error);

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

/*
 * What a server says of itself, the caller's; NULL with *err. With tls_first it
 * says nothing before TLS: then *err is 0 if it can be reached.
 */
static cJSON *
ask_info(const char *host, const char *port, bool tls_first, int *err)
{
	char *line = malloc(INFO_MAX);
	cJSON *o = NULL;
	int fd;

	*err = -ENOMEM;
	if (line == NULL)
		return NULL;
	fd = connect_to(host, port);
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

static int
look_at(struct cluster_node *node, bool tls_first)
{
	char host[128], port[16];
	const char *s;
	cJSON *o;
	int err;

	split_url(node->url, host, sizeof(host), port, sizeof(port));
	o = ask_info(host, port, tls_first, &err);
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
	char url[CONFIG_LIST_MAX], host[128], port[16];
	int err = -EINVAL, told;
	unsigned n = 0;
	cJSON *o = NULL;

	while (err < 0 && text_next_item(&urls, url, sizeof(url))) {
		split_url(url, host, sizeof(host), port, sizeof(port));
		o = ask_info(host, port, c->tls_first, &err);
	}
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
    ACCOUNT_OPTIONS, "context", NULL};

static int
external_validate(const struct run_config *c, char *why)
{
	if (c->url[0] != '\0')
		return 0;
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
		return err < 0 ? err : account_try(c);
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
	c->n = 0; /* the servers run on: they aren't ours */
}

const struct cluster_ops cluster_external = {
    .name = "external",
    .summary = "a running cluster of somebody else's: --url; its leaders can "
	       "be asked to step down",
    .owner = OWNER_OTHERS,
    .needs_monitor = true,
    .options = external_options,
    .validate = external_validate,
    .count = external_count,
    .log_in = account_open,
    .up = external_up,
    .down = external_down,
};

/* SPDX-License-Identifier: ISC */
/* Pages of servers' monitoring ports; see page.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chaos/internal.h"
#include "chaos/page.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/child.h"

/* a stopped server's port accepts, and nothing comes */
#define TIMEOUT_MS 2000L
#define DUMP_NS	   (8 * CLOCK_S)

/* Our own socket: that there can be none is not the server's silence. */
static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	int fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);

	(void)purpose;
	if (fd < 0)
		chaos_fail_lack(arg, -errno, "ask a server");
	return fd; /* -1 is curl's word for none */
}

int
page_open(struct transfer *t, const struct cluster *cluster, void *owner)
{
	const struct run_config *c = cluster->config;
	int err = transfer_open(t, owner);

	if (err < 0)
		return err;
	if (cluster->monitor_socket != NULL)
		TRANSFER_SET(
		    t, CURLOPT_UNIX_SOCKET_PATH, cluster->monitor_socket);
	TRANSFER_SET(t, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	TRANSFER_SET(t, CURLOPT_OPENSOCKETDATA, cluster->chaos);
	TRANSFER_SET(t, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
	if (c->tls_ca[0] != '\0')
		TRANSFER_SET(t, CURLOPT_CAINFO, c->tls_ca);
	if (c->tls_cert[0] != '\0') {
		TRANSFER_SET(t, CURLOPT_SSLCERT, c->tls_cert);
		TRANSFER_SET(t, CURLOPT_SSLKEY, c->tls_key);
	}
	return 0;
}

/*
 * With --tls-hostname it is that name that is asked for, and only the
 * connection goes to where the URL says.
 */
void
page_set_url(struct transfer *t, const struct run_config *c, const char *url)
{
	char renamed[CLUSTER_URL_MAX + 384] = "", to[CLUSTER_URL_MAX + 64] = "";
	const char *host = url + strlen("https://");
	size_t all, name;

	if (strncmp(url, "https://", 8) != 0 || c->tls_hostname[0] == '\0') {
		TRANSFER_SET(t, CURLOPT_URL, url);
		return;
	}
	all = strcspn(host, "/");
	name = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
	text_add(
	    to, sizeof(to), "::%.*s%s", (int)all, host, name == all ? ":" : "");
	text_add(renamed, sizeof(renamed), "https://%s%s", c->tls_hostname,
	    host + name);
	transfer_set_list(t, CURLOPT_CONNECT_TO, curl_slist_append(NULL, to));
	TRANSFER_SET(t, CURLOPT_URL, renamed);
}

static size_t
drop_bytes(char *data, size_t size, size_t n, void *arg)
{
	(void)data;
	(void)arg;
	return size * n;
}

int
page_try(const struct cluster *c, unsigned node, char *why)
{
	const char *monitor = c->nodes[node - 1].monitor;
	char url[CLUSTER_URL_MAX + 64] = "", text[CURL_ERROR_SIZE] = "";
	struct transfer t;
	CURLcode got;

	if (page_open(&t, c, NULL) < 0)
		return -ENOTCONN;
	text_add(url, sizeof(url), "%s/varz", monitor);
	page_set_url(&t, c->config, url);
	TRANSFER_SET(&t, CURLOPT_WRITEFUNCTION, drop_bytes);
	TRANSFER_SET(&t, CURLOPT_ERRORBUFFER, text);
	got = transfer_perform(&t);
	transfer_close(&t, NULL);
	why[0] = '\0';
	switch ((int)got) {
	case CURLE_OK:
		return 0;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_PEER_FAILED_VERIFICATION:
		text_add(why, CLUSTER_WHY_MAX,
		    "no TLS with --monitor \"%.80s\": %.100s", monitor,
		    text[0] != '\0' ? text : curl_easy_strerror(got));
		return -EPROTO;
	default:
		return -ENOTCONN;
	}
}

/* A page that is being saved, and how much more of it may be. */
struct saved {
	FILE *file;
	size_t room;
};

static size_t
save_bytes(char *data, size_t size, size_t n, void *arg)
{
	struct saved *s = arg;

	if (size * n > s->room)
		return 0;
	s->room -= size * n;
	return fwrite(data, 1, size * n, s->file);
}

static bool
save_page(struct transfer *t, const struct run_config *c, const char *url,
    const char *path)
{
	struct saved saved = {.room = PAGE_MAX};
	int fd = file_create(path);
	CURLcode got;

	saved.file = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (saved.file == NULL) {
		if (fd >= 0)
			(void)close(fd); /* nothing was written */
		return false;
	}
	page_set_url(t, c, url);
	TRANSFER_SET(t, CURLOPT_WRITEFUNCTION, save_bytes);
	TRANSFER_SET(t, CURLOPT_WRITEDATA, &saved);
	got = transfer_perform(t);
	return fclose(saved.file) == 0 && got == CURLE_OK;
}

void
page_folder(const struct cluster *c, unsigned node, char *out, size_t size)
{
	char other[CLUSTER_NAME_MAX];
	unsigned i, same = 1;

	text_file_name(out, size, c->nodes[node - 1].name);
	for (i = 0; i + 1 < node; i++) {
		text_file_name(other, sizeof(other), c->nodes[i].name);
		same += strcmp(other, out) == 0;
	}
	if (same > 1)
		text_add(out, size, "@%u", same);
}

struct dump {
	const struct cluster *c;
	const char *dir;
	struct child *child;
	struct transfer t;
	uint64_t deadline_ns; /* no page is begun later */
};

/* The pages of one server; how many could be saved. */
static unsigned
save_pages(struct dump *d, unsigned node)
{
	static const char *const pages[][2] = {
	    {"varz", "varz"},
	    {"jsz?accounts=1&streams=1&consumers=1&config=1&raft=1", "jsz"},
	    {"connz?subs=1", "connz"},
	    {"routez", "routez"},
	    {"healthz", "healthz"},
	};
	const struct cluster_node *n = &d->c->nodes[node - 1];
	char name[CLUSTER_NAME_MAX + 16];
	char folder[CONFIG_PATH_MAX + 128] = "", path[CONFIG_PATH_MAX + 144],
				      url[CLUSTER_URL_MAX + 128];
	unsigned p, saved = 0;

	page_folder(d->c, node, name, sizeof(name));
	text_add(folder, sizeof(folder), "%s/%s", d->dir, name);
	if (file_make_dir(folder) < 0)
		return 0;
	for (p = 0; p < sizeof(pages) / sizeof(pages[0]) &&
		    clock_mono_ns() < d->deadline_ns;
	     p++) {
		text_format(
		    path, sizeof(path), "%s/%s.json", folder, pages[p][1]);
		text_format(url, sizeof(url), "%s/%s", n->monitor, pages[p][0]);
		saved += save_page(&d->t, d->c->config, url, path);
		child_beat(d->child);
	}
	return saved;
}

unsigned
page_dump(const struct cluster *c, const char *dir, struct child *child)
{
	struct dump d = {.c = c,
	    .dir = dir,
	    .child = child,
	    .deadline_ns = clock_mono_ns() + DUMP_NS};
	unsigned i, saved = 0;

	if (file_make_dir(dir) < 0 || page_open(&d.t, c, NULL) < 0)
		return 0;
	for (i = 0; i < c->n; i++)
		if (c->nodes[i].monitor[0] != '\0')
			saved += save_pages(&d, i + 1);
	transfer_close(&d.t, NULL);
	return saved;
}

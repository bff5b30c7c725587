/* SPDX-License-Identifier: ISC */
/* The API of a Kubernetes cluster; see kube.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chaos/cluster/kubernetes/kube.h"
#include "proto/base/buf.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/base/log.h"
#include "proto/base/spawn.h"
#include "proto/base/text.h"
#include "proto/config.h"

#define TIMEOUT_MS 10000L
#define RETRY_NS   CLOCK_S /* before kubectl is started again */
#define TOKEN_MAX  8192
#define LINE_MAX_  512
#define DIR_FD	   6 /* the run folder's descriptor in kubectl */
#define SOCKET	   "kubectl.sock"
#define ACCOUNT	   "/var/run/secrets/kubernetes.io/serviceaccount"

struct call {
	struct kube_job job;
	struct kube *kube;
	struct buf answer;
	kube_done *done;
	void *arg;
	struct call *next;
};

struct kube {
	CURLM *multi;
	char kubeconfig[CONFIG_PATH_MAX], context[256];
	char dir[CONFIG_PATH_MAX];
	char socket[64], base[256];
	bool is_inside;
	bool is_plain; /* a test's own */
	int dir_fd;
	pid_t proxy;
	uint64_t died_ns;
	struct call *calls;
	uint64_t requests;
};

/*
 * In a pod Kubernetes sets these variables and mounts the token of the service
 * account. Who names a kubeconfig or a context wants that instead.
 */
static bool
find_account(struct kube *k)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *port = getenv("KUBERNETES_SERVICE_PORT");
	bool is_v6;

	if (k->kubeconfig[0] != '\0' || k->context[0] != '\0' || host == NULL ||
	    port == NULL || getenv("KUBECONFIG") != NULL ||
	    access(ACCOUNT "/token", R_OK) < 0)
		return false;
	is_v6 = strchr(host, ':') != NULL;
	return text_fits_add(k->base, sizeof(k->base), "https://%s%s%s:%s",
	    is_v6 ? "[" : "", host, is_v6 ? "]" : "", port);
}

struct kube *
kube_create(const struct kube_login *login)
{
	struct kube *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return NULL;
	k->dir_fd = -1;
	text_set(k->kubeconfig, sizeof(k->kubeconfig), login->kubeconfig);
	text_set(k->context, sizeof(k->context), login->context);
	text_set(k->dir, sizeof(k->dir), login->dir);
	k->multi = curl_multi_init();
	if (k->multi == NULL) {
		free(k);
		return NULL;
	}
	k->is_plain = login->base != NULL;
	if (k->is_plain)
		text_set(k->base, sizeof(k->base), login->base);
	else
		k->is_inside = find_account(k);
	return k;
}

static void
call_destroy(struct call *call)
{
	struct call **at = &call->kube->calls;

	while (*at != NULL && *at != call)
		at = &(*at)->next;
	if (*at == call)
		*at = call->next;
	kube_release(call->kube, &call->job);
	buf_fini(&call->answer);
	free(call);
}

void
kube_destroy(struct kube *k)
{
	char path[CONFIG_PATH_MAX + 32] = "";

	if (k == NULL)
		return;
	while (k->calls != NULL)
		call_destroy(k->calls);
	(void)curl_multi_cleanup(k->multi); /* nothing is in it */
	if (k->proxy > 0) {
		spawn_end(k->proxy);
		text_add(path, sizeof(path), "%s/" SOCKET, k->dir);
		(void)unlink(path); /* a killed proxy leaves it */
	}
	if (k->dir_fd >= 0)
		close(k->dir_fd);
	free(k);
}

/* The first kubectl on PATH. */
static bool
search_kubectl(char *out, size_t size)
{
	const char *path = getenv("PATH"), *end;
	char list[4096] = "";

	text_add(list, sizeof(list),
	    "%s:/usr/local/bin:/usr/bin:", path != NULL ? path : "");
	for (path = list; (end = strchr(path, ':')) != NULL; path = end + 1) {
		out[0] = '\0';
		text_add(out, size, "%.*s/kubectl", (int)(end - path), path);
		if (end > path && access(out, X_OK) == 0)
			return true;
	}
	return false;
}

pid_t
kube_spawn(const struct kube *k, const char *const *args, const char *output)
{
	char path[CONFIG_PATH_MAX], config[CONFIG_PATH_MAX + 16] = "",
							     context[300] = "";
	char *argv[KUBE_ARGS_MAX + 4];
	struct spawn_request r = {.path = path, .argv = argv};
	int n = 0, fd;
	pid_t pid;

	if (!search_kubectl(path, sizeof(path)))
		return -ENOENT;
	argv[n++] = path;
	text_add(config, sizeof(config), "--kubeconfig=%s", k->kubeconfig);
	text_add(context, sizeof(context), "--context=%s", k->context);
	if (k->kubeconfig[0] != '\0')
		argv[n++] = config;
	if (k->context[0] != '\0')
		argv[n++] = context;
	while (*args != NULL && n < KUBE_ARGS_MAX + 3)
		argv[n++] = (char *)(uintptr_t)*args++; /* exec won't write */
	argv[n] = NULL;
	fd = file_create(output);
	if (fd < 0)
		return fd;
	r.fds[r.nfds++] = (struct spawn_fd){fd, 1};
	r.fds[r.nfds++] = (struct spawn_fd){fd, 2};
	if (k->dir_fd >= 0)
		r.fds[r.nfds++] = (struct spawn_fd){k->dir_fd, DIR_FD};
	pid = spawn(&r);
	close(fd);
	return pid;
}

void
kube_last_line(const char *path, char *out, size_t size)
{
	char line[LINE_MAX_];
	FILE *f = fopen(path, "re");

	out[0] = '\0';
	if (f == NULL)
		return;
	while (fgets(line, sizeof(line), f) != NULL)
		if (line[0] != '\n')
			text_set(out, size, line);
	(void)fclose(f); /* it was only read */
	out[strcspn(out, "\n")] = '\0';
}

/*
 * The proxy listens on a socket in the run folder, for anybody may connect to a
 * port. The path of the folder may be longer than a socket address allows, so
 * it is named by a descriptor of the folder.
 */
static int
start_proxy(struct kube *k)
{
	static const char *const args[] = {"proxy",
	    "--unix-socket=/proc/self/fd/6/" SOCKET,
	    "--reject-paths=^$", /* without it the proxy refuses exec */
	    "--reject-methods=^$", NULL};
	char path[CONFIG_PATH_MAX + 32] = "", log[CONFIG_PATH_MAX + 32] = "";

	text_add(path, sizeof(path), "%s/" SOCKET, k->dir);
	text_add(log, sizeof(log), "%s/kubectl.log", k->dir);
	(void)unlink(path); /* most often there is none */
	k->proxy = kube_spawn(k, args, log);
	return k->proxy > 0 ? 0 : (int)k->proxy;
}

int
kube_start(struct kube *k)
{
	if (k->is_inside || k->is_plain)
		return 0;
	if (k->dir_fd < 0)
		k->dir_fd = open(k->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (k->dir_fd < 0)
		return -errno;
	text_format(k->socket, sizeof(k->socket), "/proc/self/fd/%d/" SOCKET,
	    k->dir_fd);
	text_set(k->base, sizeof(k->base), "http://localhost");
	return start_proxy(k);
}

bool
kube_is_running(const struct kube *k)
{
	return k->is_inside || k->is_plain || k->proxy > 0;
}

bool
kube_is_inside(const struct kube *k)
{
	return k->is_inside;
}

const char *
kube_socket(const struct kube *k)
{
	return k->socket;
}

uint64_t
kube_requests(const struct kube *k)
{
	return k->requests;
}

/*
 * The line "Authorization: Bearer ...". The token is read each time, for
 * Kubernetes renews it.
 */
static void
read_token(char *out, size_t size)
{
	char token[TOKEN_MAX] = "";
	int fd = open(ACCOUNT "/token", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, token, sizeof(token) - 1) : -1;

	if (fd >= 0)
		close(fd);
	token[n > 0 ? n : 0] = '\0';
	token[strcspn(token, "\r\n")] = '\0';
	text_set(out, size, "Authorization: Bearer ");
	text_add(out, size, "%s", token);
}

void
kube_head(const struct kube *k, char *out, size_t size)
{
	const char *host = strstr(k->base, "://");
	char token[TOKEN_MAX + 32];

	out[0] = '\0';
	text_add(
	    out, size, "Host: %s\r\n", host != NULL ? host + 3 : "localhost");
	if (!k->is_inside)
		return;
	read_token(token, sizeof(token));
	text_add(out, size, "%s\r\n", token);
}

int
kube_prepare(struct kube *k, struct kube_job *job, const char *path)
{
	struct transfer *t = &job->transfer;
	char url[KUBE_PATH_MAX + 256] = "";
	bool is_ours = path[0] == '/';
	int err = transfer_open(t, job);

	if (err < 0)
		return err;
	text_add(url, sizeof(url), "%s%s", is_ours ? k->base : "", path);
	TRANSFER_SET(t, CURLOPT_URL, url);
	TRANSFER_SET(t, CURLOPT_CONNECTTIMEOUT_MS, TIMEOUT_MS);
	if (is_ours && k->is_inside)
		TRANSFER_SET(t, CURLOPT_CAINFO, ACCOUNT "/ca.crt");
	else if (is_ours && !k->is_plain)
		TRANSFER_SET(t, CURLOPT_UNIX_SOCKET_PATH, k->socket);
	return 0;
}

int
kube_run(struct kube *k, struct kube_job *job)
{
	int err = transfer_start(&job->transfer, k->multi);

	k->requests += err == 0;
	return err;
}

void
kube_release(struct kube *k, struct kube_job *job)
{
	transfer_close(&job->transfer, k->multi);
}

static size_t
on_bytes(char *data, size_t size, size_t n, void *arg)
{
	struct call *call = arg;

	return buf_append(&call->answer, data, size * n) == 0 ? size * n : 0;
}

static void
call_finished(struct kube_job *job, int status)
{
	struct call *call = (struct call *)job;

	/*
	 * Every answer of the API has a body: the connection of this one broke
	 * before it came.
	 */
	if (status >= 200 && status < 300 && buf_len(&call->answer) == 0)
		status = -EPROTO;
	if (buf_append(&call->answer, "", 1) < 0)
		status = -ENOMEM;
	if (call->done != NULL)
		call->done(call->arg, status,
		    status > 0 ? (const char *)buf_data(&call->answer) : "");
	call_destroy(call);
}

static void
add_headers(
    const struct kube *k, struct transfer *t, const struct kube_ask *ask)
{
	char line[TOKEN_MAX + 64] = "Content-Type: ";

	if (ask->body != NULL) {
		text_add(line, sizeof(line), "%s",
		    ask->type != NULL ? ask->type : "application/json");
		transfer_add_header(t, line);
	}
	if (k->is_inside && ask->path[0] == '/') {
		read_token(line, sizeof(line));
		transfer_add_header(t, line);
	}
	transfer_add_header(t, "Expect:");
}

bool
kube_is_refusal(int status)
{
	return status >= 400 && status < 500 && status != 429; /* too many */
}

bool
kube_is_deleted(int status)
{
	return (status >= 200 && status < 300) || status == 404;
}

int
kube_request(struct kube *k, const struct kube_ask *ask)
{
	struct call *call = calloc(1, sizeof(*call));
	struct transfer *t;
	int err;

	if (call == NULL)
		return -ENOMEM;
	call->kube = k;
	call->done = ask->done;
	call->arg = ask->arg;
	call->job.finished = call_finished;
	buf_init(&call->answer, KUBE_BODY_MAX);
	call->next = k->calls;
	k->calls = call;
	err = kube_prepare(k, &call->job, ask->path);
	if (err < 0)
		goto fail;
	t = &call->job.transfer;
	add_headers(k, t, ask);
	TRANSFER_SET(t, CURLOPT_WRITEFUNCTION, on_bytes);
	TRANSFER_SET(t, CURLOPT_WRITEDATA, call);
	TRANSFER_SET(t, CURLOPT_TIMEOUT_MS,
	    ask->timeout_ms > 0 ? ask->timeout_ms : TIMEOUT_MS);
	if (ask->body != NULL)
		TRANSFER_SET(t, CURLOPT_COPYPOSTFIELDS, ask->body);
	if (ask->method != NULL)
		TRANSFER_SET(t, CURLOPT_CUSTOMREQUEST, ask->method);
	err = kube_run(k, &call->job);
	if (err == 0)
		return 0;
fail:
	call_destroy(call);
	return err;
}

void
kube_forget(struct kube *k, const void *arg)
{
	struct call *call;

	for (call = k->calls; call != NULL; call = call->next)
		if (call->arg == arg)
			call->done = NULL;
}

static int
status_of(const struct transfer_end *end)
{
	if (end->result == CURLE_OPERATION_TIMEDOUT)
		return -ETIMEDOUT;
	if (end->result == CURLE_COULDNT_CONNECT)
		return -ECONNREFUSED;
	return end->result == CURLE_OK ? end->status : -ECONNRESET;
}

static void
take_finished(struct kube *k)
{
	struct transfer_end end;
	struct kube_job *job;

	while (transfer_next(k->multi, &end)) {
		job = end.owner;
		job->finished(job, status_of(&end));
	}
}

/* A proxy that ended is started again: the API may be away for a while. */
static void
tend_proxy(struct kube *k)
{
	uint64_t now = clock_mono_ns();

	if (k->is_inside || k->dir_fd < 0)
		return;
	if (k->proxy > 0 && waitpid(k->proxy, NULL, WNOHANG) == k->proxy) {
		k->proxy = 0;
		k->died_ns = now;
		log_warn("kubectl proxy ended by itself; see kubectl.log");
	}
	if (k->proxy <= 0 && now >= k->died_ns + RETRY_NS) {
		k->died_ns = now;
		(void)start_proxy(k); /* if it fails, again later */
	}
}

void
kube_step(struct kube *k)
{
	tend_proxy(k);
	transfer_step(k->multi);
	take_finished(k);
}

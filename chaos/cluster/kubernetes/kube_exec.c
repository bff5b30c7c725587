/* SPDX-License-Identifier: ISC */
/* Commands in containers; see kube_exec.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chaos/cluster/kubernetes/kube_exec.h"
#include "chaos/cluster/kubernetes/kube_frame.h"
#include "chaos/cluster/kubernetes/kube_object.h"
#include "proto/base/buf.h"
#include "proto/base/clock.h"
#include "proto/base/rng.h"
#include "proto/base/text.h"

#define HEAD_MAX  16384 /* large enough for a token and a command */
#define READ_SIZE 4096
#define SWITCHING 101
#define KEY_BYTES 16
#define REASON_NS CLOCK_S /* for a refusal's body to come */

enum exec_state {
	EXEC_CONNECTING,
	EXEC_SENDING, /* the request's head */
	EXEC_HEAD,    /* waiting for the answer's */
	EXEC_FRAMES,
	EXEC_REFUSED, /* the reason of the refusal is awaited */
	EXEC_OVER
};

/* What the first byte of a message says. */
enum exec_channel {
	CHANNEL_STDOUT = 1,
	CHANNEL_STDERR = 2,
	CHANNEL_STATUS = 3,
};

struct kube_exec {
	struct kube_job job;
	struct kube *kube;
	enum exec_state state;
	uint64_t deadline_ns;
	int refused; /* HTTP status */
	struct buf out, in;
	int channel; /* of a message that goes on */
	char output[KUBE_OUTPUT_MAX];
	char status[KUBE_OUTPUT_MAX];
	int code;
};

static void
finish(struct kube_exec *x, int code)
{
	x->code = code;
	x->state = EXEC_OVER;
	kube_release(x->kube, &x->job);
}

static void
connected(struct kube_job *job, int status)
{
	struct kube_exec *x = (struct kube_exec *)job;

	/*
	 * With CURLOPT_CONNECT_ONLY there is no HTTP status when all is well.
	 */
	if (status < 0)
		finish(x, status);
	else
		x->state = EXEC_SENDING;
}

static void
add_key(char *out, size_t size)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklm"
				     "nopqrstuvwxyz0123456789+/";
	uint64_t dice = 0;
	unsigned i;

	/* 16 random bytes in base 64: 22 digits and two pads. */
	for (i = 0; i < 22; i++) {
		if (i % 10 == 0)
			dice = rng_fresh_seed();
		/* The last digit holds 2 bits of data only. */
		text_add(out, size, "%c",
		    digits[i == 21 ? (dice & 3) << 4 : dice & 63]);
		dice >>= 6;
	}
	text_add(out, size, "==");
}

static int
add_request(struct kube_exec *x, const struct kube_command *c)
{
	char *head = calloc(1, HEAD_MAX), *escaped;
	char lines[HEAD_MAX / 2];
	bool fits = head != NULL;
	unsigned i;
	int err;

	if (head == NULL)
		return -ENOMEM;
	fits &= text_fits_add(head, HEAD_MAX,
	    "GET /api/v1/namespaces/%s/pods/%s/exec?container=%s&stdout=1&"
	    "stderr=1",
	    c->ns, c->pod, c->container);
	for (i = 0; c->argv[i] != NULL; i++) {
		escaped = curl_easy_escape(x->job.transfer.easy, c->argv[i], 0);
		fits &= escaped != NULL &&
			text_fits_add(head, HEAD_MAX, "&command=%s", escaped);
		curl_free(escaped);
	}
	kube_head(x->kube, lines, sizeof(lines));
	fits &= text_fits_add(head, HEAD_MAX,
	    " HTTP/1.1\r\n%sConnection: Upgrade\r\nUpgrade: websocket\r\n"
	    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ",
	    lines);
	add_key(head, HEAD_MAX);
	fits &= text_fits_add(head, HEAD_MAX,
	    "\r\nSec-WebSocket-Protocol: v5.channel.k8s.io, v4.channel.k8s.io"
	    "\r\n\r\n");
	err = fits ? buf_append(&x->out, head, strlen(head)) : -E2BIG;
	free(head);
	return err;
}

struct kube_exec *
kube_exec_create(struct kube *k, const struct kube_command *c)
{
	struct kube_exec *x = calloc(1, sizeof(*x));
	int err;

	if (x == NULL)
		return NULL;
	x->kube = k;
	x->channel = -1;
	x->job.finished = connected;
	x->deadline_ns = clock_mono_ns() + c->timeout_ns;
	buf_init(&x->out, HEAD_MAX);
	buf_init(&x->in, 2 * KUBE_FRAME_MAX);
	err = kube_prepare(k, &x->job, "/");
	if (err == 0)
		err = add_request(x, c);
	if (err == 0) {
		TRANSFER_SET(&x->job.transfer, CURLOPT_CONNECT_ONLY, 1L);
		TRANSFER_SET(&x->job.transfer, CURLOPT_SSL_ENABLE_ALPN, 0L);
		TRANSFER_SET(&x->job.transfer, CURLOPT_FRESH_CONNECT, 1L);
		err = kube_run(k, &x->job);
	}
	if (err == 0)
		return x;
	kube_exec_destroy(x);
	errno = -err;
	return NULL;
}

void
kube_exec_destroy(struct kube_exec *x)
{
	if (x == NULL)
		return;
	kube_release(x->kube, &x->job);
	buf_fini(&x->out);
	buf_fini(&x->in);
	free(x);
}

/* 0 when all is sent, -EAGAIN when some is left, -ECONNRESET. */
static int
send_some(struct kube_exec *x)
{
	size_t put = 0;
	CURLcode got;

	while (buf_len(&x->out) > 0) {
		got = curl_easy_send(x->job.transfer.easy, buf_data(&x->out),
		    buf_len(&x->out), &put);
		if (got == CURLE_AGAIN)
			return -EAGAIN;
		if (got != CURLE_OK)
			return -ECONNRESET;
		buf_consume(&x->out, put);
	}
	return 0;
}

/*
 * 0 when something came, -EAGAIN when there is nothing now, another -errno at
 * the end.
 */
static int
read_some(struct kube_exec *x)
{
	uint8_t bytes[READ_SIZE];
	size_t n = 0;
	CURLcode got;

	got = curl_easy_recv(x->job.transfer.easy, bytes, sizeof(bytes), &n);
	if (got == CURLE_AGAIN)
		return -EAGAIN;
	if (got != CURLE_OK || n == 0)
		return -ECONNRESET;
	return buf_append(&x->in, bytes, n);
}

/* The API's own words, as far as they came. */
static void
refuse(struct kube_exec *x)
{
	int status = x->refused;
	char body[KUBE_OUTPUT_MAX] = "";

	text_add(body, sizeof(body), "%.*s", (int)buf_len(&x->in),
	    (const char *)buf_data(&x->in));
	kube_object_message(body, x->output, sizeof(x->output));
	if (x->output[0] == '\0')
		text_add(x->output, sizeof(x->output), "the API answered %d",
		    status);
	finish(x, status == 401 || status == 403 ? -EACCES : -EPROTO);
}

static void
take_head(struct kube_exec *x)
{
	uint64_t deadline;
	size_t len;
	int status;

	len = kube_frame_head(&x->in, &status);
	if (len == 0)
		return;
	buf_consume(&x->in, len);
	if (status == SWITCHING)
		x->state = EXEC_FRAMES;
	else {
		x->state = EXEC_REFUSED;
		x->refused = status;
		deadline = clock_mono_ns() + REASON_NS;
		if (deadline < x->deadline_ns)
			x->deadline_ns = deadline;
	}
}

static bool
has_reason(const struct kube_exec *x)
{
	cJSON *o = cJSON_ParseWithLength(
	    (const char *)buf_data(&x->in), buf_len(&x->in));
	bool is_whole = o != NULL;

	cJSON_Delete(o);
	return is_whole;
}

static void
take_data(struct kube_exec *x, const struct kube_frame *f)
{
	const char *data = (const char *)f->data;
	size_t len = f->len;

	if (f->opcode != KUBE_FRAME_MORE) {
		x->channel = -1;
		if (len == 0)
			return;
		x->channel = (uint8_t)data[0];
		data++;
		len--;
	}
	if (x->channel == CHANNEL_STDOUT || x->channel == CHANNEL_STDERR)
		text_add(x->output, sizeof(x->output), "%.*s", (int)len, data);
	else if (x->channel == CHANNEL_STATUS)
		text_add(x->status, sizeof(x->status), "%.*s", (int)len, data);
}

/*
 * How the command ended is said on channel 3. Without that the code is
 * otherwise.
 */
static void
conclude(struct kube_exec *x, int otherwise)
{
	int code =
	    x->status[0] != '\0' ? kube_object_exit_code(x->status) : otherwise;

	if (code < 0 && x->status[0] != '\0' && x->output[0] == '\0')
		kube_object_message(x->status, x->output, sizeof(x->output));
	finish(x, code);
}

/* Take in all whole frames. */
static void
take_frames(struct kube_exec *x)
{
	struct kube_frame f;
	long n;

	while ((n = kube_frame_next(&x->in, &f)) > 0) {
		if (f.opcode == KUBE_FRAME_CLOSE) {
			conclude(x, -ECONNRESET);
			return;
		}
		if (f.opcode == KUBE_FRAME_PING)
			/*
			 * Without an answer the API ends the connection, and
			 * that is seen.
			 */
			(void)kube_frame_put(
			    &x->out, KUBE_FRAME_PONG, f.data, f.len);
		else if (f.opcode != KUBE_FRAME_PONG)
			take_data(x, &f);
		buf_consume(&x->in, (size_t)n);
	}
	if (n < 0)
		conclude(x, (int)n);
}

static void
exchange(struct kube_exec *x)
{
	int err = send_some(x);

	if (err == 0 && x->state == EXEC_SENDING)
		x->state = EXEC_HEAD;
	if (err == 0 || err == -EAGAIN)
		while ((err = read_some(x)) == 0)
			;
	if (x->state == EXEC_HEAD)
		take_head(x);
	if (x->state == EXEC_FRAMES)
		take_frames(x);
	if (x->state == EXEC_REFUSED && (err != -EAGAIN || has_reason(x)))
		refuse(x);
	if (err != -EAGAIN && x->state != EXEC_OVER)
		conclude(x, err);
}

bool
kube_exec_step(struct kube_exec *x)
{
	if (x->state != EXEC_CONNECTING && x->state != EXEC_OVER)
		exchange(x);
	if (x->state == EXEC_OVER || clock_mono_ns() < x->deadline_ns)
		return x->state == EXEC_OVER;
	if (x->state == EXEC_REFUSED)
		refuse(x);
	else
		finish(x, -ETIMEDOUT);
	return x->state == EXEC_OVER;
}

int
kube_exec_code(const struct kube_exec *x)
{
	return x->code;
}

const char *
kube_exec_output(const struct kube_exec *x)
{
	return x->output;
}

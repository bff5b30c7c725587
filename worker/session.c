/* SPDX-License-Identifier: ISC */
/* One connection to the cluster; see session.h. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "proto/nats_login.h"
#include "proto/refusal.h"
#include "worker/session.h"

#define CONNECT_MS	    2000
#define RECONNECT_MS	    100
#define PING_MS		    2000 /* x 2 pings: a stopped server is left in 4-6 s */
#define PINGS_OUT	    2
#define DELIVERY_TOKENS_MAX 12
#define REFUSED_NS	    (2 * CLOCK_S) /* it is said clearly */
#define DOUBTED_NS	    (5 * CLOCK_S) /* it may be something else */

void
session_note(struct session *s, natsStatus status, jsErrCode code)
{
	s->status = status;
	s->code = (uint32_t)code;
	s->why[0] = s->said[0] = '\0';
	if (status == NATS_OK)
		return;
	text_add(s->why, sizeof(s->why), "%s", natsStatus_GetText(status));
	if (code != 0)
		text_add(s->why, sizeof(s->why), " (%d)", (int)code);
}

enum outcome
session_outcome(struct session *s, natsStatus status, jsErrCode code)
{
	session_note(s, status, code);
	if (status == NATS_OK)
		return OUTCOME_OK;
	/*
	 * No responders: no server was there to do it. A wrong last sequence
	 * is a refusal here; what it proves is judged later.
	 */
	if (status == NATS_NO_RESPONDERS ||
	    refusal_class(s->code) == REFUSAL_CERTAIN ||
	    refusal_is_wrong_last(s->code))
		return OUTCOME_FAIL;
	return OUTCOME_UNKNOWN;
}

/* The library refuses to fill in a structure only when it is NULL. */
static void
must_succeed(natsStatus status)
{
	if (status == NATS_OK)
		return;
	log_error("the client library does not fill in its own options: %s",
	    natsStatus_GetText(status));
	abort();
}

void
session_options(jsOptions *jo, int64_t wait_ms)
{
	must_succeed(jsOptions_Init(jo));
	jo->Wait = wait_ms;
}

void
session_publish_options(jsPubOptions *o, const char *id, int64_t wait_ms)
{
	must_succeed(jsPubOptions_Init(o));
	o->MaxWait = wait_ms;
	o->MsgId = id;
}

void
session_direct_options(jsDirectGetMsgOptions *o, const char *subject)
{
	must_succeed(jsDirectGetMsgOptions_Init(o));
	o->LastBySubject = subject;
}

void
session_subscribe_options(jsSubOptions *o)
{
	must_succeed(jsSubOptions_Init(o));
}

void
session_stream_config(jsStreamConfig *sc, const char *name)
{
	must_succeed(jsStreamConfig_Init(sc));
	sc->Name = name;
}

void
session_consumer_config(jsConsumerConfig *cc, const char *durable)
{
	must_succeed(jsConsumerConfig_Init(cc));
	cc->Durable = durable;
}

static natsStatus
set_options(natsOptions *o, struct session *s, const struct child *child,
    const struct run_config *c)
{
	struct config_login login = {.user = c->user,
	    .password = c->password,
	    .token = c->token,
	    .nkey = c->nkey,
	    .creds = c->creds,
	    .jwt = c->user_jwt};
	const char *servers[CONFIG_NODES_MAX];
	char name[80];
	natsStatus st;
	unsigned i;

	/* Each worker begins at another server: an even spread. */
	for (i = 0; i < s->nurls; i++)
		servers[i] = s->urls[(i + child->up.source) % s->nurls];
	text_format(name, sizeof(name), "natsburn-%s-%u", child->role,
	    child->up.source);
	st = natsOptions_SetServers(o, servers, (int)s->nurls);
	if (st == NATS_OK)
		st = natsOptions_SetNoRandomize(o, true);
	if (st == NATS_OK)
		st = natsOptions_SetName(o, name);
	if (st == NATS_OK)
		st = natsOptions_SetTimeout(o, CONNECT_MS);
	if (st == NATS_OK)
		st = natsOptions_SetMaxReconnect(o, -1);
	if (st == NATS_OK)
		st = natsOptions_SetReconnectWait(o, RECONNECT_MS);
	if (st == NATS_OK)
		st = natsOptions_SetReconnectJitter(o, 50, 50);
	if (st == NATS_OK)
		st = natsOptions_SetPingInterval(o, PING_MS);
	if (st == NATS_OK)
		st = natsOptions_SetMaxPingsOut(o, PINGS_OUT);
	/* A request whose connection broke is unknown at once, not later. */
	if (st == NATS_OK)
		st = natsOptions_SetFailRequestsOnDisconnect(o, true);
	/* The servers tell addresses that a port-forward can't reach. */
	if (st == NATS_OK && c->servers_are_hidden &&
	    strstr(s->urls[0], "//127.0.0.1:") != NULL)
		st = natsOptions_SetIgnoreDiscoveredServers(o, true);
	if (st == NATS_OK)
		st = nats_login_set(o, &login);
	return st == NATS_OK ? nats_login_set_connection(o, c) : st;
}

static natsStatus
connect_once(struct session *s, struct child *child, const struct run_config *c)
{
	char prefix[CONFIG_PREFIX_MAX];
	natsOptions *o = NULL;
	jsOptions jo;
	natsStatus st = natsOptions_Create(&o);

	s->config = c;
	config_js_prefix(c, prefix);
	session_options(&jo, 0);
	jo.Prefix = prefix; /* it is copied */
	if (st == NATS_OK)
		st = set_options(o, s, child, c);
	if (st == NATS_OK)
		st = natsConnection_Connect(&s->nc, o);
	natsOptions_Destroy(o);
	if (st == NATS_OK)
		st = natsConnection_JetStream(&s->js, s->nc, &jo);
	return st;
}

/* How a client logs in, by the option that says so. */
static void
name_login(const struct run_config *c, char *out, size_t size)
{
	const char *const given[][2] = {{"user", c->user}, {"nkey", c->nkey},
	    {"creds", c->creds}, {"tls-cert", c->tls_cert}};
	size_t i;

	out[0] = '\0';
	if (c->token[0] != '\0')
		text_add(out, size, "the token");
	for (i = 0; i < 4 && out[0] == '\0'; i++)
		if (given[i][1][0] != '\0')
			text_add(out, size, "--%s \"%.100s\"", given[i][0],
			    given[i][1]);
	if (out[0] == '\0')
		text_add(out, size,
		    "a client without --user, --token, --nkey or "
		    "--creds");
}

/* What the library said last, without its own place in the code. */
static const char *
last_words(natsStatus st)
{
	const char *last = nats_GetLastError(NULL), *colon;

	if (last == NULL || last[0] == '\0')
		return natsStatus_GetText(st);
	colon = last[0] == '(' ? strstr(last, "): ") : NULL;
	return colon != NULL ? colon + 3 : last;
}

const char *
session_words(const struct session *s)
{
	/* Of these there is nothing newer than an earlier error's. */
	if (s->status == NATS_NO_RESPONDERS || s->status == NATS_TIMEOUT)
		return natsStatus_GetText(s->status);
	return s->said[0] != '\0' ? s->said : last_words(s->status);
}

/*
 * For how long trying again is worth it when servers are reached but don't
 * let us in: UINT64_MAX when it is something else, that may pass. Says in
 * s->refusal what it is.
 */
static uint64_t
refusal_patience(struct session *s, const struct run_config *c, natsStatus st)
{
	char login[160], *out = s->refusal;
	const size_t size = sizeof(s->refusal);

	name_login(c, login, sizeof(login));
	out[0] = '\0';
	switch ((int)st) {
	case NATS_CONNECTION_AUTH_FAILED:
		text_add(out, size, "\"%.60s\" refuses %s: %.40s", s->urls[0],
		    login, last_words(st));
		return REFUSED_NS;
	case NATS_SSL_ERROR:
		text_add(out, size, "no TLS with \"%.60s\": %.140s", s->urls[0],
		    last_words(st));
		return REFUSED_NS;
	case NATS_SECURE_CONNECTION_REQUIRED:
		text_add(out, size,
		    "\"%.80s\" refuses clients without TLS: give --tls or "
		    "--tls-ca FILE",
		    s->urls[0]);
		return REFUSED_NS;
	case NATS_SECURE_CONNECTION_WANTED:
		text_add(out, size,
		    "\"%.80s\" has no TLS, which --tls, --tls-ca and the like "
		    "ask for",
		    s->urls[0]);
		return REFUSED_NS;
	case NATS_IO_ERROR:
	case NATS_PROTOCOL_ERROR:
		/* With TLS 1.3 it looks so when a server wants a certificate
		   and got none, or one that it doesn't trust. */
		if (!c->tls && st == NATS_IO_ERROR)
			return UINT64_MAX;
		text_add(out, size,
		    "\"%.80s\" ends the connection before it answers (%.60s); "
		    "does it want another --tls-cert?",
		    s->urls[0], last_words(st));
		return DOUBTED_NS;
	case NATS_ERR:
	case NATS_INVALID_ARG:
		text_add(out, size,
		    "cannot connect to \"%.60s\" with %s: %.60s", s->urls[0],
		    login, last_words(st));
		return DOUBTED_NS;
	default:
		return UINT64_MAX;
	}
}

/*
 * With several servers the library's status may be any one's: each is asked
 * by itself until one refuses, which is then named, or lets us in.
 */
static uint64_t
ask_each(struct session *s, struct child *child, const struct run_config *c)
{
	struct session one = {.nurls = 1};
	uint64_t patience = UINT64_MAX;
	natsStatus st;
	unsigned i;

	for (i = 0; i < s->nurls && patience == UINT64_MAX; i++) {
		text_set(one.urls[0], sizeof(one.urls[0]), s->urls[i]);
		child_beat(child);
		st = connect_once(&one, child, c);
		session_close(&one);
		if (st == NATS_OK)
			break;
		patience = refusal_patience(&one, c, st);
	}
	text_set(s->refusal, sizeof(s->refusal), one.refusal);
	return patience;
}

int
session_open(struct session *s, struct child *child, const struct run_config *c,
    uint64_t deadline_ns)
{
	uint64_t refused_ns = 0; /* since when; 0: it isn't */
	uint64_t patience, now;
	struct backoff b = {0};
	natsStatus st;

	for (;;) {
		st = connect_once(s, child, c);
		if (st == NATS_OK)
			return 0;
		session_close(s);
		now = clock_mono_ns();
		patience = refusal_patience(s, c, st);
		if (s->gives_up && s->nurls > 1)
			patience = ask_each(s, child, c);
		if (patience == UINT64_MAX)
			refused_ns = 0;
		else if (refused_ns == 0)
			refused_ns = now;
		else if (s->gives_up && now - refused_ns >= patience)
			return -EACCES;
		if (now >= deadline_ns)
			break;
		session_backoff(&b, child);
	}
	log_error("cannot connect to \"%s\"%s: %s", s->urls[0],
	    s->nurls > 1 ? " or the other servers" : "",
	    natsStatus_GetText(st));
	return -ETIMEDOUT;
}

void
session_close(struct session *s)
{
	jsCtx_Destroy(s->js);
	natsConnection_Destroy(s->nc);
	s->js = NULL;
	s->nc = NULL;
}

enum outcome
session_publish(struct session *s, const char *subject, const void *data,
    size_t len, const char *message_id, uint64_t timeout_ns, uint64_t *seq,
    bool *duplicate)
{
	jsPubOptions o;
	jsPubAck *ack = NULL;
	jsErrCode code = 0;
	enum outcome outcome;
	natsStatus st;

	*seq = 0;
	session_publish_options(
	    &o, message_id, (int64_t)(timeout_ns / CLOCK_MS));
	st = js_Publish(&ack, s->js, subject, data, (int)len, &o, &code);
	if (st == NATS_OK) {
		*seq = ack->Sequence;
		*duplicate = ack->Duplicate;
	}
	jsPubAck_Destroy(ack);
	outcome = session_outcome(s, st, code);
	if (outcome != OUTCOME_OK || *seq != 0)
		return outcome;
	/*
	 * 2.10 answers a retry whose first copy is still being stored with
	 * "duplicate, sequence 0"; later servers refuse it with 10158. The
	 * first copy may yet be stored or not: nothing was promised.
	 */
	text_set(s->why, sizeof(s->why),
	    "duplicate of a message that is not stored yet");
	return OUTCOME_UNKNOWN;
}

enum outcome
session_confirm(struct session *s, const char *reply_subject, const char *ack,
    uint64_t timeout_ns)
{
	natsMsg *reply = NULL;
	const char *status = NULL;
	natsStatus st;

	st = natsConnection_RequestString(&reply, s->nc, reply_subject, ack,
	    (int64_t)(timeout_ns / CLOCK_MS));
	/*
	 * 3.4.1 may hand over "503 no responders" as a reply like any other:
	 * that is no confirmation.
	 */
	if (st == NATS_OK && natsMsg_GetDataLength(reply) == 0 &&
	    natsMsgHeader_Get(reply, "Status", &status) == NATS_OK)
		st = NATS_NO_RESPONDERS;
	natsMsg_Destroy(reply);
	return session_outcome(s, st, 0);
}

void
session_api(const struct session *s, char *out, const char *fmt, ...)
{
	char prefix[CONFIG_PREFIX_MAX];
	size_t len;
	va_list ap;

	config_js_prefix(s->config, prefix);
	text_format(out, SESSION_API_MAX, "%s.", prefix);
	len = strlen(out);
	va_start(ap, fmt);
	/* Names of ours are short: it is not cut. */
	(void)vsnprintf(out + len, SESSION_API_MAX - len, fmt, ap);
	va_end(ap);
}

void
session_put_subject(const struct session *s, const char *subject, char *out)
{
	char prefix[CONFIG_PREFIX_MAX];

	config_js_prefix(s->config, prefix);
	if (strncmp(subject, "$KV.", 4) == 0 && strcmp(prefix, "$JS.API") != 0)
		session_api(s, out, "%s", subject);
	else
		text_set(out, SESSION_API_MAX, subject);
}

static int
listen_below(struct session *s, natsSubscription **sub,
    char inbox[SESSION_INBOX_MAX], const char *below)
{
	char wild[SESSION_INBOX_MAX + 2] = "";
	natsStatus st = nats_login_inbox(s->config, inbox);

	if (st == NATS_OK) {
		text_add(wild, sizeof(wild), "%s%s", inbox, below);
		st = natsConnection_SubscribeSync(sub, s->nc, wild);
	}
	if (st == NATS_OK)
		return 0;
	log_error("cannot listen for answers: %s", natsStatus_GetText(st));
	return -EIO;
}

int
session_listen(
    struct session *s, natsSubscription **sub, char inbox[SESSION_INBOX_MAX])
{
	return listen_below(s, sub, inbox, ".>");
}

int
session_listen_at(
    struct session *s, natsSubscription **sub, char inbox[SESSION_INBOX_MAX])
{
	return listen_below(s, sub, inbox, "");
}

void
session_send(
    struct session *s, const char *subject, const char *reply, const char *text)
{
	/* What can't be sent is like what is lost on the way. */
	if (reply != NULL)
		(void)natsConnection_PublishRequestString(
		    s->nc, subject, reply, text);
	else
		(void)natsConnection_PublishString(s->nc, subject, text);
}

void
session_pull(struct session *s, const struct session_consumer *c,
    const char *reply, uint64_t batch, uint64_t expires_ns)
{
	char api[SESSION_API_MAX], request[80];

	session_api(s, api, "CONSUMER.MSG.NEXT.%s.%s", c->stream, c->name);
	text_format(request, sizeof(request),
	    "{\"batch\":%llu,\"expires\":%llu}", (unsigned long long)batch,
	    (unsigned long long)expires_ns);
	session_send(s, api, reply, request);
}

enum outcome
session_stream_info(
    struct session *s, const char *stream, int64_t wait_ms, jsStreamInfo **si)
{
	jsErrCode code = 0;
	jsOptions jo;
	natsStatus st;

	session_options(&jo, wait_ms);
	st = js_GetStreamInfo(si, s->js, stream, &jo, &code);
	return session_outcome(s, st, code);
}

enum outcome
session_consumer_info(struct session *s, const struct session_consumer *c,
    int64_t wait_ms, jsConsumerInfo **ci)
{
	jsErrCode code = 0;
	jsOptions jo;
	natsStatus st;

	session_options(&jo, wait_ms);
	st = js_GetConsumerInfo(ci, s->js, c->stream, c->name, &jo, &code);
	return session_outcome(s, st, code);
}

enum outcome
session_add_consumer(struct session *s, const char *stream,
    jsConsumerConfig *cc, int64_t wait_ms, jsConsumerInfo **ci)
{
	jsErrCode code = 0;
	jsOptions jo;
	natsStatus st;

	session_options(&jo, wait_ms);
	st = js_AddConsumer(ci, s->js, stream, cc, &jo, &code);
	return session_outcome(s, st, code);
}

void
session_drop_consumer(
    struct session *s, const struct session_consumer *c, int64_t wait_ms)
{
	jsOptions jo;

	session_options(&jo, wait_ms);
	/* One that stays ends by its threshold of inactivity. */
	(void)js_DeleteConsumer(s->js, c->stream, c->name, &jo, NULL);
}

/* A whole token as a number without sign. */
static int
read_token(const char *token, uint64_t max, uint64_t *out)
{
	char text[24];
	size_t len = strcspn(token, ".");

	if (len >= sizeof(text))
		return -EINVAL;
	text_set(text, len + 1, token);
	return text_to_u64(text, max, out);
}

/*
 * $JS.ACK.<stream>.<consumer>.<delivered>.<seq>.<cseq>.<stamp>.<pending>,
 * or with domain and account hash after ACK and a token at the end
 * (ADR-15). The numbers are the five that follow the consumer.
 */
int
session_delivery(const char *reply_subject, struct delivery *d)
{
	const char *tokens[DELIVERY_TOKENS_MAX], *p = reply_subject;
	unsigned n = 0, first;
	uint64_t stamp;

	memset(d, 0, sizeof(*d));
	if (p == NULL || strncmp(p, "$JS.ACK.", 8) != 0)
		return -EINVAL;
	while (p != NULL && n < DELIVERY_TOKENS_MAX) {
		tokens[n++] = p;
		p = strchr(p, '.');
		if (p != NULL)
			p++;
	}
	if (n != 9 && n < 11)
		return -EINVAL;
	first = n == 9 ? 4 : 6;
	if (read_token(tokens[first], INT64_MAX, &d->delivered) < 0 ||
	    read_token(tokens[first + 1], UINT64_MAX, &d->seq) < 0 ||
	    read_token(tokens[first + 2], UINT64_MAX, &d->consumer_seq) < 0 ||
	    read_token(tokens[first + 3], INT64_MAX, &stamp) < 0 ||
	    read_token(tokens[first + 4], UINT64_MAX, &d->pending) < 0)
		return -EINVAL;
	d->stamp_ns = (int64_t)stamp;
	return 0;
}

void
session_backoff(struct backoff *b, struct child *child)
{
	int ms = 10 << b->step, slice;

	if (ms >= 500)
		ms = 500;
	else
		b->step++;
	for (; ms > 0; ms -= slice) {
		slice = ms > 100 ? 100 : ms;
		child_beat(child);
		(void)poll(NULL, 0, slice); /* a pause that is cut is fine */
	}
	child_beat(child);
}

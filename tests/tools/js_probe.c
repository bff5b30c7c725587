/* SPDX-License-Identifier: ISC */
/*
 * js_probe: one JetStream call through one server, for end-to-end tests
 * that must see for themselves what natsburn claims.
 *
 *	js_probe URL add STREAM REPLICAS	subjects STREAM.>
 *	js_probe URL publish STREAM TIMEOUT_MS
 *	js_probe URL leader STREAM
 *	js_probe URL purge STREAM SEQUENCE	what lies below it
 *	js_probe URL delete STREAM
 *	js_probe URL reset STREAM CONSUMER	deletes it, makes it again
 *
 * Prints what the server answered. Exit code 0 when it did, 1 when it did
 * not or refused, 64 for bad usage.
 */
#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"

#define TIMEOUT_MS 3000

static natsStatus
add(jsCtx *js, const char *stream, const char *replicas)
{
	char subject[128];
	const char *subjects[1] = {subject};
	jsStreamConfig sc;

	text_format(subject, sizeof(subject), "%s.>", stream);
	(void)jsStreamConfig_Init(&sc); /* can't fail: not NULL */
	sc.Name = stream;
	sc.Subjects = subjects;
	sc.SubjectsLen = 1;
	sc.Replicas = strtol(replicas, NULL, 10);
	return js_AddStream(NULL, js, &sc, NULL, NULL);
}

static natsStatus
publish(jsCtx *js, const char *stream, const char *timeout)
{
	char subject[128];
	jsPubOptions po;
	jsPubAck *pa = NULL;
	natsStatus s;

	text_format(subject, sizeof(subject), "%s.x", stream);
	(void)jsPubOptions_Init(&po); /* can't fail: not NULL */
	po.MaxWait = strtol(timeout, NULL, 10);
	s = js_Publish(&pa, js, subject, "probe", 5, &po, NULL);
	if (s == NATS_OK)
		printf("%llu\n", (unsigned long long)pa->Sequence);
	jsPubAck_Destroy(pa);
	return s;
}

static natsStatus
leader(jsCtx *js, const char *stream)
{
	jsStreamInfo *si = NULL;
	natsStatus s = js_GetStreamInfo(&si, js, stream, NULL, NULL);

	if (s == NATS_OK && si->Cluster != NULL && si->Cluster->Leader != NULL)
		printf("%s\n", si->Cluster->Leader);
	jsStreamInfo_Destroy(si);
	return s;
}

static natsStatus
purge(jsCtx *js, const char *stream, const char *sequence)
{
	jsOptions jo;

	(void)jsOptions_Init(&jo); /* can't fail: not NULL */
	jo.Stream.Purge.Sequence = strtoull(sequence, NULL, 10);
	return js_PurgeStream(js, stream, &jo, NULL);
}

/* The new one has the old one's configuration and none of its state. */
static natsStatus
reset(jsCtx *js, const char *stream, const char *consumer)
{
	jsConsumerInfo *ci = NULL;
	natsStatus s =
	    js_GetConsumerInfo(&ci, js, stream, consumer, NULL, NULL);

	if (s == NATS_OK)
		s = js_DeleteConsumer(js, stream, consumer, NULL, NULL);
	if (s == NATS_OK)
		s = js_AddConsumer(NULL, js, stream, ci->Config, NULL, NULL);
	jsConsumerInfo_Destroy(ci);
	return s;
}

int
main(int argc, char **argv)
{
	natsOptions *o = NULL;
	natsConnection *nc = NULL;
	jsCtx *js = NULL;
	jsOptions jo;
	natsStatus s;

	if (argc < 4)
		return 64;
	(void)jsOptions_Init(&jo); /* can't fail: not NULL */
	jo.Wait = TIMEOUT_MS;
	s = natsOptions_Create(&o);
	if (s == NATS_OK)
		s = natsOptions_SetURL(o, argv[1]);
	/* This server and no other. */
	if (s == NATS_OK)
		s = natsOptions_SetAllowReconnect(o, false);
	if (s == NATS_OK)
		s = natsConnection_Connect(&nc, o);
	if (s == NATS_OK)
		s = natsConnection_JetStream(&js, nc, &jo);
	if (s == NATS_OK && strcmp(argv[2], "add") == 0 && argc == 5)
		s = add(js, argv[3], argv[4]);
	else if (s == NATS_OK && strcmp(argv[2], "publish") == 0 && argc == 5)
		s = publish(js, argv[3], argv[4]);
	else if (s == NATS_OK && strcmp(argv[2], "leader") == 0)
		s = leader(js, argv[3]);
	else if (s == NATS_OK && strcmp(argv[2], "purge") == 0 && argc == 5)
		s = purge(js, argv[3], argv[4]);
	else if (s == NATS_OK && strcmp(argv[2], "reset") == 0 && argc == 5)
		s = reset(js, argv[3], argv[4]);
	else if (s == NATS_OK && strcmp(argv[2], "delete") == 0)
		s = js_DeleteStream(js, argv[3], NULL, NULL);
	else if (s == NATS_OK)
		return 64;
	if (s != NATS_OK)
		fprintf(stderr, "js_probe: %s\n", natsStatus_GetText(s));
	jsCtx_Destroy(js);
	natsConnection_Destroy(nc);
	natsOptions_Destroy(o);
	nats_Close();
	return s == NATS_OK ? 0 : 1;
}

/* SPDX-License-Identifier: ISC */
/* What a message carries beside its payload; see label.h. */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "worker/audit/label.h"

#define FRAME 12 /* bytes of "NATS/1.0\r\n" and the empty line */
#define LINE  4	 /* bytes of ": " and the end of the line */

/* The lines of one key. The library keeps keys in no order: they are summed. */
static void
read_key(struct label *l, natsMsg *msg, const char *key)
{
	size_t key_len = strlen(key), len;
	uint64_t hash = XXH64(key, key_len, 0);
	const char **values = NULL;
	int i, n = 0;

	if (natsMsgHeader_Values(msg, key, &values, &n) != NATS_OK)
		n = 0;
	for (i = 0; i < n; i++) {
		len = strlen(values[i]);
		l->hash += XXH64(values[i], len, hash + (uint64_t)i);
		l->header_len += key_len + len + LINE;
	}
	free((void *)values);
}

void
label_read(struct label *l, natsMsg *msg)
{
	const char *subject = natsMsg_GetSubject(msg), **keys = NULL;
	int i, n = 0;

	memset(l, 0, sizeof(*l));
	l->subject_len = strlen(subject);
	l->hash = l->subject = XXH64(subject, l->subject_len, 0);
	if (natsMsgHeader_Keys(msg, &keys, &n) != NATS_OK)
		n = 0;
	for (i = 0; i < n; i++)
		read_key(l, msg, keys[i]);
	if (l->header_len > 0)
		l->header_len += FRAME;
	free((void *)keys);
}

void
label_tell(struct worker *w, const struct msg_labelled *m, natsMsg *msg)
{
	struct event ev = {.type = MESSAGE_LABELLED};
	struct label label;

	label_read(&label, msg);
	ev.u.labelled = *m;
	ev.u.labelled.hash = label.hash;
	child_emit(&w->child, &ev);
}

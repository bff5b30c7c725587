/* SPDX-License-Identifier: ISC */
/* Text in memory by way of stdio; see stream.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/stream.h"

#define ROOM_FIRST 4096

/* Room for n more bytes and a NUL. */
static bool
make_room(struct stream *s, size_t n)
{
	size_t room = s->room ? s->room : ROOM_FIRST;
	char *grown;

	while (room < s->len + n + 1)
		room *= 2;
	if (room == s->room)
		return true;
	grown = realloc(s->text, room);
	if (grown == NULL)
		return false;
	s->text = grown;
	s->room = room;
	return true;
}

static ssize_t
take(void *cookie, const char *data, size_t n)
{
	struct stream *s = cookie;

	s->has_failed |= !make_room(s, n);
	if (s->has_failed)
		return 0; /* behind a hole nothing may follow */
	memcpy(s->text + s->len, data, n);
	s->len += n;
	return (ssize_t)n;
}

FILE *
stream_open(struct stream *s)
{
	memset(s, 0, sizeof(*s));
	s->file = fopencookie(s, "w", (cookie_io_functions_t){.write = take});
	return s->file;
}

int
stream_close(struct stream *s, char **text, size_t *len)
{
	s->has_failed |= fclose(s->file) != 0;
	s->file = NULL;
	if (s->has_failed || !make_room(s, 0)) {
		free(s->text);
		s->text = NULL;
		s->len = 0;
		*text = NULL;
		*len = 0;
		return -ENOMEM;
	}
	s->text[s->len] = '\0';
	*text = s->text;
	*len = s->len;
	s->text = NULL;
	return 0;
}

void
stream_drop(struct stream *s)
{
	size_t len;
	char *text = NULL;

	if (s->file == NULL)
		return;
	if (stream_close(s, &text, &len) == 0)
		free(text);
}

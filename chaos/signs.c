/* SPDX-License-Identifier: ISC */
/* Kinds of lines; see signs.h. */
#include <string.h>

#include "chaos/signs.h"
#include "chaos/trace.h"
#include "proto/base/text.h"
#include "proto/child.h"

#define WORD_MAX 24 /* longer ones are names or keys */
#define WORD                                                                   \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"                 \
	"0123456789_$.:/@+%-"

/* A word that differs from line to line: numbers, names, addresses, paths. */
static bool
is_value(const char *word, size_t len)
{
	char copy[WORD_MAX + 1];

	if (len > WORD_MAX)
		return true;
	text_format(copy, sizeof(copy), "%.*s", (int)len, word);
	return copy[0] == '/' || strpbrk(copy, "0123456789_$@") != NULL ||
	       strstr(copy, "://") != NULL;
}

/* The bytes of a quoted text, both quotes too; 0: it is none. */
static size_t
quoted(const char *text, char before)
{
	const char *end;

	if (strchr("\"'`", *text) == NULL || strchr(WORD, before) != NULL)
		return 0; /* an apostrophe follows a letter */
	end = strchr(text + 1, *text);
	return end != NULL ? (size_t)(end - text) + 1 : 0;
}

void
signs_make(const char *text, char out[SIGNS_SAYS])
{
	static const char raft[] = "RAFT [";
	char line[512], before = ' ';
	const char *at, *end;
	size_t n;

	out[0] = '\0';
	trace_print(line, sizeof(line), text);
	for (at = line; *at != '\0'; at += n) {
		end = strchr(at, ']');
		if ((n = quoted(at, before)) > 0) {
			text_add(out, SIGNS_SAYS, "%c*%c", *at, *at);
		} else if (strncmp(at, raft, sizeof(raft) - 1) == 0 &&
			   end != NULL) {
			/* who and of which group, by names made of letters */
			n = (size_t)(end - at) + 1;
			text_add(out, SIGNS_SAYS, "RAFT [*]");
		} else if ((n = strspn(at, WORD)) > 0) {
			while (n > 1 && strchr(".:-", at[n - 1]) != NULL)
				n--;
			text_add(out, SIGNS_SAYS, "%.*s",
			    is_value(at, n) ? 1 : (int)n,
			    is_value(at, n) ? "#" : at);
		} else {
			n = 1;
			text_add(out, SIGNS_SAYS, "%c", *at);
		}
		before = at[n - 1];
	}
}

/* The text behind the level, which is the first word in brackets, or NULL. */
static const char *
find_text(const char *line, uint8_t *level)
{
	static const char *const words[] = {
	    [LEVEL_WARNING] = " [WRN] ",
	    [LEVEL_ERROR] = " [ERR] ",
	    [LEVEL_FATAL] = " [FTL] ",
	};
	const char *at = strstr(line, " [");

	for (*level = LEVEL_WARNING; at != NULL && *level <= LEVEL_FATAL;
	     ++*level)
		if (strncmp(at, words[*level], strlen(words[*level])) == 0)
			return at + strlen(words[*level]);
	return NULL;
}

static struct sign *
find_row(struct signs *s, const char *says, uint8_t level)
{
	uint64_t hash = text_hash(TEXT_HASH + level, says);
	struct sign *row;
	unsigned i;

	for (i = 0; i < s->n; i++)
		if (s->rows[i].hash == hash)
			return &s->rows[i];
	row = &s->rows[s->n];
	if (s->n == SIGNS_MAX) {
		row->level = level > row->level ? level : row->level;
		return row;
	}
	s->n++;
	row->hash = hash;
	row->level = level;
	text_set(row->says, sizeof(row->says), says);
	return row;
}

void
signs_line(struct signs *s, const char *line, uint64_t now_ns)
{
	char says[SIGNS_SAYS];
	struct sign *row;
	const char *text;
	uint8_t level;

	text = find_text(line, &level);
	if (text == NULL)
		return;
	signs_make(text, says);
	row = find_row(s, says, level);
	if (row->count++ == 0)
		row->first_ns = now_ns;
	row->last_ns = now_ns;
}

void
signs_tell(struct signs *s, unsigned node, bool all, struct child *child)
{
	struct event ev = {.type = MESSAGE_SERVER_SAYS};
	struct msg_server_says *m = &ev.u.server_says;
	struct sign *row;
	unsigned i;

	for (i = 0; i <= SIGNS_MAX; i++) {
		row = &s->rows[i];
		if (row->count == row->told ||
		    (!all && row->count < 2 * row->told))
			continue;
		row->told = row->count;
		m->node = node;
		m->level = row->level;
		m->count = row->count;
		m->first_ns = row->first_ns;
		m->last_ns = row->last_ns;
		text_set(m->says, sizeof(m->says), row->says);
		child_emit(child, &ev);
	}
}

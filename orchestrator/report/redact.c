/* SPDX-License-Identifier: ISC */
/* Secrets out of texts; see redact.h. */
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/report/redact.h"
#include "proto/base/array.h"
#include "proto/base/stream.h"
#include "proto/config.h"

#define SECRETS_MAX 16384
#define SECRET_MIN  6 /* shorter ones stand in ordinary words, too */
#define NAMES_MAX   1024
#define NAME_MAX_   64
#define NKEY_MIN    52
#define STORE_KEYS  "key,ek,prev_key,prev_ek"
#define VALUE_MAX   ((size_t)64 << 10)

struct secret {
	char *text;
	size_t len;
};

struct redactor {
	struct secret *secrets;
	uint32_t nsecrets, room;
	bool ran_out;			  /* of room: a secret is not known */
	bool begins[256];		  /* a secret begins with this byte */
	char names[NAMES_MAX][NAME_MAX_]; /* variables that hold secrets */
	size_t nnames;
};

/* A place in a text, and where what was kept goes. */
struct scan {
	const struct redactor *r;
	struct redactor *learner; /* not NULL: learn instead of writing */
	const char *text;
	size_t len, at;
	size_t hidden; /* what stands before this place is not written */
	enum redact_kind kind;
	FILE *out;
};

struct redactor *
redact_create(void)
{
	return calloc(1, sizeof(struct redactor));
}

void
redact_destroy(struct redactor *r)
{
	size_t i;

	if (r == NULL)
		return;
	for (i = 0; i < r->nsecrets; i++)
		free(r->secrets[i].text);
	free(r->secrets);
	free(r);
}

void
redact_secret(struct redactor *r, const char *value, size_t len)
{
	bool was_out = r->ran_out;
	struct secret *s;
	size_t i;

	if (len < SECRET_MIN)
		return;
	for (i = 0; i < r->nsecrets; i++)
		if (r->secrets[i].len == len &&
		    memcmp(r->secrets[i].text, value, len) == 0)
			return;
	r->ran_out = true; /* else it would stay where its name isn't */
	if (array_reserve(&r->secrets, &r->room, r->nsecrets + 1,
		sizeof(*r->secrets), SECRETS_MAX) < 0)
		return;
	s = &r->secrets[r->nsecrets];
	s->text = malloc(len);
	if (s->text == NULL)
		return;
	r->ran_out = was_out;
	memcpy(s->text, value, len);
	s->len = len;
	r->begins[(unsigned char)value[0]] = true;
	r->nsecrets++;
}

static bool
is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-';
}

static bool
ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n >= m && strcmp(name + n - m, end) == 0;
}

/* The name in small letters, with '_' for '-'. */
static bool
is_secret_name(
    const struct redactor *r, const char *name, enum redact_kind kind)
{
	static const char *const ends[] = {"password", "passwd", "passphrase",
	    "token", "secret", "seed", "jwt", "nkey", "private_key",
	    "secret_key", "api_key", "encryption_key", "credentials"};
	static const char *const whole[] = {
	    "pass", "pwd", "sig", "creds", "auth", "authorization"};
	size_t i;

	if (kind == REDACT_OWN)
		return false;
	for (i = 0; i < r->nnames; i++)
		if (strcmp(r->names[i], name) == 0)
			return true;
	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ends_with(name, ends[i]))
			return true;
	for (i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
		if (strcmp(name, whole[i]) == 0)
			return true;
	/* jetstream { key: "..." } encrypts the stores; it has other names. */
	return kind == REDACT_CONFIG && config_list_has(STORE_KEYS, name);
}

static char
peek(const struct scan *s, size_t ahead)
{
	return s->at + ahead < s->len ? s->text[s->at + ahead] : '\0';
}

static size_t
known_secret(const struct scan *s)
{
	const struct secret *k;
	size_t i, best = 0;

	if (!s->r->begins[(unsigned char)s->text[s->at]])
		return 0;
	for (i = 0; i < s->r->nsecrets; i++) {
		k = &s->r->secrets[i];
		if (k->len > best && k->len <= s->len - s->at &&
		    memcmp(s->text + s->at, k->text, k->len) == 0)
			best = k->len;
	}
	return best;
}

/* The n bytes here are not written, and the mark instead of them. */
static void
hide(struct scan *s, size_t n, const char *mark)
{
	if (s->learner == NULL && s->at >= s->hidden)
		fputs(mark, s->out);
	if (s->at + n > s->hidden)
		s->hidden = s->at + n;
}

/* Go on by n bytes; what of them is not hidden is written. */
static void
pass(struct scan *s, size_t n)
{
	size_t end = s->at + n, known;

	for (; s->at < end; s->at++) {
		known = known_secret(s);
		if (known > 0)
			hide(s, known, REDACT_MARK);
		if (s->learner == NULL && s->at >= s->hidden)
			fputc(s->text[s->at], s->out);
	}
}

/* Does a run of n bytes begin here that is a secret by itself? */

static size_t
span_of(const struct scan *s, const char *more)
{
	size_t n = 0;
	char c;

	for (c = peek(s, 0); c != '\0'; c = peek(s, ++n))
		if (!isalnum((unsigned char)c) && strchr(more, c) == NULL)
			break;
	return n;
}

/* Keys of NATS: base32, one letter says of what; seeds begin with S. */
static size_t
nkey(const struct scan *s)
{
	size_t n = 0;
	char c;

	if (strchr("SUAONCXPT", peek(s, 0)) == NULL || peek(s, 0) == '\0')
		return 0;
	for (c = peek(s, 0); (c >= 'A' && c <= 'Z') || (c >= '2' && c <= '7');
	     c = peek(s, n))
		n++;
	return n >= NKEY_MIN && !is_word(c) ? n : 0;
}

static size_t
jwt(const struct scan *s)
{
	size_t n;

	if (peek(s, 0) != 'e' || peek(s, 1) != 'y' || peek(s, 2) != 'J')
		return 0;
	n = span_of(s, "-_.=");
	return n > 20 && memchr(s->text + s->at, '.', n) != NULL ? n : 0;
}

static size_t
bcrypt(const struct scan *s)
{
	size_t n;

	if (peek(s, 0) != '$' || peek(s, 1) != '2' || peek(s, 3) != '$')
		return 0;
	n = span_of(s, "./$");
	return n >= 20 ? n : 0;
}

/*
 * Up to the end of a block such as BEGIN PRIVATE KEY, which may stand in one
 * line (JSON has "\\n" for its line ends); certificates stay.
 */
static size_t
block(const struct scan *s)
{
	static const char *const secret[] = {
	    "PRIVATE KEY", "SEED", "JWT", "SECRET"};
	const char *begin = s->text + s->at, *head, *end;
	size_t rest = s->len - s->at, len = 11, i;

	if (rest < len || memcmp(begin, "-----BEGIN ", len) != 0)
		return 0;
	head = begin + len;
	while (len < rest && begin[len] != '-' && begin[len] != '\n')
		len++;
	for (i = 0; i < 4; i++)
		if (memmem(head, (size_t)(begin + len - head), secret[i],
			strlen(secret[i])) != NULL)
			break;
	if (i == 4)
		return 0;
	end = memmem(begin + len, rest - len, "---END ", 7);
	if (end == NULL)
		return rest;
	len = (size_t)(end - begin) + 7;
	while (len < rest && begin[len] != '-' && begin[len] != '\n')
		len++;
	while (len < rest && begin[len] == '-')
		len++;
	return len;
}

/* user:password of a URL: what stands before the @. */
static size_t
user_info(const struct scan *s)
{
	size_t i, at = 0;
	char c;

	if (s->at < 3 || memcmp(s->text + s->at - 3, "://", 3) != 0)
		return 0;
	for (i = 0; (c = peek(s, i)) != '\0' &&
		    strchr(" \t\r\n\"'<>,/()[]{}", c) == NULL;
	     i++)
		if (c == '@')
			at = i;
	return at;
}

/* Names and their values */

/* The length of the name here, in small letters in out; 0 if none begins. */
static size_t
name_here(const struct scan *s, char *out)
{
	size_t n = 0, i;

	if (s->at > 0 && is_word(s->text[s->at - 1]))
		return 0;
	while (is_word(peek(s, n)))
		n++;
	if (n >= NAME_MAX_)
		return 0;
	for (i = 0; i < n; i++) {
		out[i] = (char)tolower((unsigned char)peek(s, i));
		if (out[i] == '-')
			out[i] = '_';
	}
	out[n] = '\0';
	return n;
}

/*
 * Bytes from the end of a name to its value; SIZE_MAX when no value
 * follows. A backslash: JSON inside of JSON or of a log line.
 */
static size_t
gap_to_value(const struct scan *s, size_t n)
{
	size_t i = n;
	bool separated = false;
	char c;

	while (peek(s, i) == '\\')
		i++;
	if (peek(s, i) == '"' || peek(s, i) == '\'')
		i++;
	for (c = peek(s, i); c != '\0'; c = peek(s, ++i)) {
		if ((c == ':' || c == '=') && !separated)
			separated = true;
		else if (c == '\n' && !separated)
			return SIZE_MAX;
		else if (!isspace((unsigned char)c))
			break;
	}
	if (c == '\0' || i == n || (!separated && s->kind != REDACT_CONFIG))
		return SIZE_MAX;
	return i;
}

static size_t
quoted(const struct scan *s, char quote)
{
	size_t i = 0;

	while (s->at + i < s->len && i < VALUE_MAX &&
	       s->text[s->at + i] != quote) {
		if (s->text[s->at + i] == '\\' && quote == '"' &&
		    s->at + i + 1 < s->len)
			i++;
		i++;
	}
	if (i < VALUE_MAX)
		return s->at + i < s->len ? i : s->len - s->at;
	/* Not what it looked like: to the end of the line. */
	for (i = 0; s->at + i < s->len && s->text[s->at + i] != '\n'; i++)
		;
	return i;
}

/* A quote that ends the text around a value, which has none itself. */
static bool
is_end_quote(const struct scan *s, size_t n)
{
	char next = peek(s, n + 1);

	return peek(s, n) == '"' &&
	       (isspace((unsigned char)next) || strchr(",:;}])", next) != NULL);
}

/* The bytes of the value here, behind its quote. */
static size_t
value_here(struct scan *s)
{
	char c = peek(s, 0);
	size_t n = 0;

	if (c == '\\' && peek(s, 1) == '"') {
		pass(s, 2);
		while (n < VALUE_MAX && s->at + n < s->len && peek(s, n) != '"')
			n++;
		return n > 0 && peek(s, n - 1) == '\\' ? n - 1 : n;
	}
	if (c == '"' || c == '\'') {
		pass(s, 1);
		return quoted(s, c);
	}
	if (c == '(' || c == '[') {
		pass(s, 1);
		return quoted(s, c == '(' ? ')' : ']');
	}
	if (c == '{')
		return 0;
	while ((c = peek(s, n)) != '\0' && !isspace((unsigned char)c) &&
	       strchr(",;}])", c) == NULL && !is_end_quote(s, n))
		n++;
	return n;
}

static void
learn_variable(struct redactor *r, const char *name, size_t len)
{
	char small[NAME_MAX_] = "";
	size_t i;

	if (len == 0 || len >= NAME_MAX_)
		return;
	for (i = 0; i < len; i++) {
		small[i] = (char)tolower((unsigned char)name[i]);
		if (name[i] == '-')
			small[i] = '_';
	}
	small[len] = '\0';
	for (i = 0; i < r->nnames; i++)
		if (strcmp(r->names[i], small) == 0)
			return;
	if (r->nnames == NAMES_MAX)
		r->ran_out = true;
	else
		memcpy(r->names[r->nnames++], small, sizeof(small));
}

static bool
is_plain_word(const char *value, size_t len)
{
	static const char *const words[] = {"true", "false", "null", "none"};
	size_t i;

	for (i = 0; i < 4; i++)
		if (strlen(words[i]) == len &&
		    strncasecmp(value, words[i], len) == 0)
			return true;
	return false;
}

/*
 * The value behind a name of n bytes and a gap is hidden, but not gone beyond:
 * names in it may have values that end later. So a quote that nobody closes
 * (in a comment, in a line that was cut) hides no name.
 */
static void
take_value(struct scan *s, size_t n, size_t gap)
{
	bool is_member = s->kind != REDACT_CONFIG && peek(s, n) == '"';
	const char *value, *mark = REDACT_MARK;
	char c;

	pass(s, gap);
	c = peek(s, 0);
	n = value_here(s);
	value = s->text + s->at;
	if (n == 0 || is_plain_word(value, n))
		return;
	if (is_member && (isalnum((unsigned char)c) || strchr("-[", c) != NULL))
		mark = "\"" REDACT_MARK "\""; /* so that JSON stays JSON */
	if (s->learner != NULL && value[0] == '$')
		learn_variable(s->learner, value + 1, n - 1);
	else if (s->learner != NULL)
		redact_secret(s->learner, value, n);
	hide(s, n, mark);
}

/* Something secret, or one word or byte that is not. */
static void
step(struct scan *s)
{
	char name[NAME_MAX_];
	size_t n, gap;

	n = user_info(s);
	if (n == 0)
		n = block(s);
	if (n == 0)
		n = bcrypt(s);
	if (n == 0 && (s->at == 0 || !is_word(s->text[s->at - 1])))
		n = nkey(s);
	if (n == 0)
		n = jwt(s);
	if (n > 0) {
		hide(s, n, REDACT_MARK);
		pass(s, n);
		return;
	}
	n = name_here(s, name);
	gap = n > 0 && is_secret_name(s->r, name, s->kind) ? gap_to_value(s, n)
							   : SIZE_MAX;
	if (gap != SIZE_MAX)
		take_value(s, n, gap);
	else
		pass(s, 1);
}

void
redact_learn(struct redactor *r, const char *text, size_t len)
{
	struct scan s = {r, r, text, len, 0, 0, REDACT_CONFIG, NULL};
	size_t names;

	/* A variable may stand before what tells that it is secret. */
	do {
		names = r->nnames;
		for (s.at = 0; s.at < len;)
			step(&s);
	} while (r->nnames > names);
}

char *
redact_text(const struct redactor *r, const char *text, size_t len,
    enum redact_kind kind, size_t *out_len)
{
	struct scan s = {r, NULL, text, len, 0, 0, kind, NULL};
	struct stream out;
	char *clean;

	s.out = r->ran_out ? NULL : stream_open(&out);
	if (s.out == NULL)
		return NULL;
	while (s.at < len)
		step(&s);
	return stream_close(&out, &clean, out_len) == 0 ? clean : NULL;
}

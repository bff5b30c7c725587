/* SPDX-License-Identifier: ISC */
/* Secrets out of Kubernetes' objects; see kube_scrub.h. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "chaos/cluster/kubernetes/kube_object.h"
#include "chaos/cluster/kubernetes/kube_scrub.h"
#include "proto/base/buf.h"
#include "proto/json.h"

#define REMOVED	  "[removed]"
#define TEXT_MAX  (2 * KUBE_BODY_MAX)
#define TOKEN_MIN 20 /* shorter texts of capitals and digits are words */

static const char *const secret_words[] = {"password", "passwd", "pass",
    "token", "auth", "secret", "nkey", "seed", "jwt", "creds", "credential",
    "private", "apikey", "api_key", "access_key"};

static const char word_chars[] = "abcdefghijklmnopqrstuvwxyz"
				 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				 "_-";

static bool
is_secret_name(const char *name, size_t len)
{
	size_t i, k, n;

	for (i = 0; i < sizeof(secret_words) / sizeof(secret_words[0]); i++) {
		n = strlen(secret_words[i]);
		for (k = 0; k + n <= len; k++)
			if (strncasecmp(name + k, secret_words[i], n) == 0)
				return true;
	}
	return false;
}

/* A JWT, an nkey's seed, a hash of bcrypt. */
static bool
is_key(const char *word, size_t len)
{
	size_t i;

	if (len < TOKEN_MIN)
		return false;
	if (strncmp(word, "eyJ", 3) == 0 || strncmp(word, "$2", 2) == 0)
		return true;
	for (i = 0; i < len && (isupper((unsigned char)word[i]) ||
				   isdigit((unsigned char)word[i]));
	     i++)
		;
	return word[0] == 'S' && i == len;
}

/* nats://user:password@host: what stands before the @. */
static size_t
userinfo(const char *at)
{
	size_t len = strcspn(at, "/ \t\"'\n");
	const char *end = memchr(at, '@', len);

	return end != NULL ? (size_t)(end - at) : 0;
}

/* The length of the value that stands behind a name and its :, = or blank. */
static size_t
value_length(const char *at)
{
	size_t len;

	if (*at == '"' || *at == '\'') {
		len = 1 + strcspn(at + 1, *at == '"' ? "\"\n" : "'\n");
		return at[len] != '\0' && at[len] != '\n' ? len + 1 : len;
	}
	return strcspn(at, ",}]\n\t ");
}

static void
put(struct buf *out, const char *text, size_t len)
{
	(void)buf_append(out, text, len); /* what does not fit is cut */
}

/*
 * Copy one word, without the value behind it if it names a secret. Returns how
 * much of the text was taken. In a log a name without : or = behind it is a
 * word of a sentence.
 */
static size_t
scrub_word(const char *at, bool is_config, struct buf *out)
{
	size_t len = strspn(at, word_chars), gap, value;

	if (is_key(at, strcspn(at, " \t\n\"',;}]"))) {
		put(out, REMOVED, strlen(REMOVED));
		return strcspn(at, " \t\n\"',;}]");
	}
	if (len == 0) {
		put(out, at, 1);
		return 1;
	}
	put(out, at, len);
	if (!is_secret_name(at, len))
		return len;
	gap = strspn(at + len, "\"'"); /* quotes of the name */
	gap += strspn(at + len + gap, " \t:=");
	value = value_length(at + len + gap);
	/* A block is no value; the values in it have names of their own. */
	if (gap == 0 || value == 0 ||
	    (!is_config && strcspn(at + len, ":=") >= gap) ||
	    at[len + gap] == '{' || at[len + gap] == '[' ||
	    at[len + gap] == '\n')
		return len;
	put(out, at + len, gap);
	put(out, REMOVED, strlen(REMOVED));
	return len + gap + value;
}

char *
kube_scrub_text(const char *text, bool is_config)
{
	struct buf out;
	size_t info;
	char *copy;

	buf_init(&out, TEXT_MAX);
	while (*text != '\0') {
		if (strncmp(text, "://", 3) == 0) {
			put(&out, text, 3);
			text += 3;
			info = userinfo(text);
			if (info > 0)
				put(&out, REMOVED, strlen(REMOVED));
			text += info;
			continue;
		}
		text += scrub_word(text, is_config, &out);
	}
	copy = buf_len(&out) > 0
		   ? strndup((const char *)buf_data(&out), buf_len(&out))
		   : strdup("");
	buf_fini(&out);
	return copy;
}

/*
 * Replace a text. Without memory it becomes empty, so that no secret is left.
 */
static void
set_text(cJSON *item, const char *text)
{
	if (cJSON_SetValuestring(item, text) == NULL)
		item->valuestring[0] = '\0';
}

static void
scrub_string(cJSON *item, bool is_config)
{
	char *clean = kube_scrub_text(item->valuestring, is_config);

	set_text(item, clean != NULL ? clean : REMOVED);
	free(clean);
}

/*
 * Rows of "env": a literal value goes; a reference to a Secret tells nothing
 * and stays.
 */
static void
scrub_env(cJSON *rows)
{
	cJSON *row, *value;

	cJSON_ArrayForEach (row, rows) {
		value = json_get(row, "value");
		if (cJSON_IsString(value))
			set_text(value, REMOVED);
		else /* the API has only texts here */
			cJSON_DeleteItemFromObjectCaseSensitive(row, "value");
	}
}

/* In a command as "--pass", "x" the word behind the name is the secret. */
static void
scrub_words(cJSON *rows)
{
	bool was_name = false, is_name;
	const char *word;
	cJSON *row;

	cJSON_ArrayForEach (row, rows) {
		word = cJSON_GetStringValue(row);
		if (word == NULL)
			continue;
		is_name = word[0] == '-' && strpbrk(word, "= ") == NULL &&
			  is_secret_name(word, strlen(word));
		if (was_name && word[0] != '-')
			set_text(row, REMOVED);
		else
			scrub_string(row, false);
		was_name = is_name; /* word may be freed by now */
	}
}

void
kube_scrub(cJSON *o)
{
	bool is_data = o != NULL && o->string != NULL &&
		       strcmp(o->string, "data") == 0; /* of a ConfigMap */
	cJSON *item, *next;

	for (item = o != NULL ? o->child : NULL; item != NULL; item = next) {
		next = item->next;
		if (item->string != NULL &&
		    (strcmp(item->string, "managedFields") == 0 ||
			strcmp(item->string, KUBE_ORIGINAL) == 0 ||
			strcmp(item->string,
			    "kubectl.kubernetes.io/"
			    "last-applied-configuration") == 0 ||
			strcmp(item->string, "binaryData") == 0))
			cJSON_Delete(cJSON_DetachItemViaPointer(o, item));
		else if (item->string != NULL &&
			 strcmp(item->string, "env") == 0)
			scrub_env(item);
		else if (item->string != NULL &&
			 (strcmp(item->string, "args") == 0 ||
			     strcmp(item->string, "command") == 0))
			scrub_words(item);
		else if (cJSON_IsString(item) && item->string != NULL &&
			 is_secret_name(item->string, strlen(item->string)))
			set_text(item, REMOVED);
		else if (cJSON_IsString(item))
			scrub_string(item, is_data);
		else
			kube_scrub(item);
	}
}

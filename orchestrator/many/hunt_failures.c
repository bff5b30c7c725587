/* SPDX-License-Identifier: ISC */
/* Which findings of a hunt are the same; see hunt.h. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/command/usage.h"
#include "orchestrator/judge/judge.h"
#include "orchestrator/many/hunt.h"
#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/json.h"

#define KNOWN_FILE_MAX (UINT64_C(1) << 20)

/* Of a crash the frames count, which stand behind the first colon. */
static bool
says_frames(const char *kind)
{
	return strcmp(kind, "crashed") == 0;
}

/* Bytes of what is said before the particulars begin. */
static size_t
head_length(const char *says)
{
	size_t n;

	for (n = 0; says[n] != '\0'; n++)
		if ((says[n] == ':' || says[n] == ';') && says[n + 1] == ' ')
			break;
	return n;
}

/* A word with a digit or in quotes is a number or a name. */
static void
add_word(char *out, const char *word, size_t len)
{
	bool is_particular = word[0] == '"';
	size_t i;

	for (i = 0; i < len; i++)
		is_particular |= isdigit((unsigned char)word[i]) != 0;
	if (!is_particular)
		text_add(out, HUNT_SHAPE_MAX, " %.*s", (int)len, word);
	else if (out[strlen(out) - 1] != '#')
		text_add(out, HUNT_SHAPE_MAX, " #");
}

void
hunt_signature(const char *test, const cJSON *anomaly, char out[HUNT_SHAPE_MAX])
{
	const char *kind = json_text(anomaly, "kind");
	const char *says = json_text(anomaly, "says"), *end;
	size_t len;

	end = says + (says_frames(kind) ? strlen(says) : head_length(says));
	text_format(out, HUNT_SHAPE_MAX, "%s: %s (%s):", test, kind,
	    json_text(anomaly, "rule"));
	for (; says < end; says += len) {
		says += strspn(says, " ,");
		len = strcspn(says, " ,");
		if (says + len > end)
			len = says < end ? (size_t)(end - says) : 0;
		if (len > 0)
			add_word(out, says, len);
		else
			break;
	}
}

static cJSON *
find_failure(const struct hunt *h, const char *signature)
{
	cJSON *f;

	cJSON_ArrayForEach (f, json_get(h->tree, "failures"))
		if (strcmp(json_text(f, "signature"), signature) == 0)
			return f;
	return NULL;
}

static cJSON *
add_failure(const struct hunt *h, const cJSON *row, const cJSON *anomaly,
    const char *signature)
{
	cJSON *f = cJSON_CreateObject();

	json_put_text(f, "signature", signature);
	json_put_copy(f, anomaly, "kind");
	json_put_copy(f, anomaly, "rule");
	json_put_copy(f, row, "test");
	json_put_number(f, "runs", 0);
	json_put_copy(f, row, "began_s");
	json_put_copy(f, row, "run");
	json_put_copy(f, row, "folder");
	json_put_copy(f, row, "seed");
	json_put_copy(f, anomaly, "says");
	json_put_text(f, "versions", "");
	json_put_text(f, "mayhem", "");
	json_put_number(f, "repeats", 0);
	json_put_number(f, "repeats_failed", 0);
	json_put_text(f, "known", json_text(h->known, signature));
	json_append(json_get(h->tree, "failures"), f);
	return f;
}

/* Add to a list what it lacks. */
static void
add_names(cJSON *f, const char *field, const char *names)
{
	char all[CONFIG_LIST_MAX], name[CONFIG_NAME_MAX * 4];

	text_set(all, sizeof(all), json_text(f, field));
	while (text_next_item(&names, name, sizeof(name)))
		if (!config_list_has(all, name))
			text_add(all, sizeof(all), "%s%s",
			    all[0] != '\0' ? "," : "", name);
	json_set_text(f, field, all);
}

static void
take_anomaly(const struct hunt *h, cJSON *row, const cJSON *anomaly)
{
	char signature[HUNT_SHAPE_MAX];
	cJSON *list = json_get(row, "signatures"), *item, *f;

	hunt_signature(json_text(row, "test"), anomaly, signature);
	cJSON_ArrayForEach (item, list)
		if (strcmp(cJSON_GetStringValue(item), signature) == 0)
			return; /* once a run */
	json_append_text(list, signature);
	f = find_failure(h, signature);
	if (f == NULL)
		f = add_failure(h, row, anomaly, signature);
	json_set_number(f, "runs", json_number(f, "runs") + 1);
	if (json_count(row, "again") == json_count(f, "run"))
		json_set_number(
		    f, "repeats_failed", json_number(f, "repeats_failed") + 1);
	add_names(f, "versions", json_text(row, "version"));
	add_names(f, "mayhem", json_text(row, "mayhem"));
}

/* It was run again, whatever came of it. */
static void
count_repeat(const struct hunt *h, const cJSON *row)
{
	cJSON *f;

	if (json_get(row, "again") == NULL)
		return;
	cJSON_ArrayForEach (f, json_get(h->tree, "failures"))
		if (json_count(row, "again") == json_count(f, "run"))
			json_set_number(
			    f, "repeats", json_number(f, "repeats") + 1);
}

void
hunt_take(const struct hunt *h, cJSON *row, const cJSON *report)
{
	const cJSON *anomaly;

	count_repeat(h, row);
	json_put_array(row, "signatures");
	cJSON_ArrayForEach (anomaly, json_get(report, "anomalies"))
		if (strcmp(json_text(anomaly, "class"), "violation") == 0)
			take_anomaly(h, row, anomaly);
}

static bool
is_being_repeated(const struct hunt *h, const cJSON *failure)
{
	const cJSON *row;

	cJSON_ArrayForEach (row, json_get(h->tree, "runs"))
		if (json_get(row, "again") != NULL &&
		    json_count(row, "again") == json_count(failure, "run"))
			return true;
	return false;
}

const cJSON *
hunt_to_repeat(const struct hunt *h)
{
	const cJSON *f, *row;

	cJSON_ArrayForEach (f, json_get(h->tree, "failures")) {
		if (is_being_repeated(h, f))
			continue;
		cJSON_ArrayForEach (row, json_get(h->tree, "runs"))
			if (json_count(row, "run") == json_count(f, "run"))
				return row;
	}
	return NULL;
}

static int
read_line(struct hunt *h, char *line, unsigned number)
{
	char *tab = strchr(line, '\t');

	if (line[0] == '\0' || line[0] == '#')
		return 0;
	if (tab == NULL || tab == line || tab[1] == '\0')
		return usage_error("--known \"%s\", line %u: must be a "
				   "signature, a tab, and a link",
		    h->own.known, number);
	*tab = '\0';
	json_put_text(h->known, line, tab + 1);
	return 0;
}

int
hunt_read_known(struct hunt *h)
{
	char *text, *line, *end;
	unsigned number = 0;
	size_t len;
	int bad = 0;

	h->known = cJSON_CreateObject();
	if (h->own.known[0] == '\0')
		return 0;
	text = file_read(h->own.known, KNOWN_FILE_MAX, &len);
	if (text == NULL)
		return usage_error(
		    "--known \"%s\": %s", h->own.known, strerror(errno));
	for (line = text; line != NULL && bad == 0; line = end) {
		end = strchr(line, '\n');
		if (end != NULL)
			*end++ = '\0';
		bad = read_line(h, line, ++number);
	}
	free(text);
	return bad;
}

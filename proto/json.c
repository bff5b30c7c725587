/* SPDX-License-Identifier: ISC */
/* JSON, thin over cJSON; see json.h. */
#include <stdlib.h>
#include <string.h>

#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/json.h"

static bool ran_out;

cJSON *
json_get(const cJSON *o, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(o, name);
}

const char *
json_text(const cJSON *o, const char *name)
{
	const char *text = cJSON_GetStringValue(json_get(o, name));

	return text != NULL ? text : "";
}

double
json_number(const cJSON *o, const char *name)
{
	const cJSON *item = json_get(o, name);

	return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

uint64_t
json_count(const cJSON *o, const char *name)
{
	double n = json_number(o, name);

	if (!(n > 0))
		return 0;
	return n < 0x1p64 ? (uint64_t)n : UINT64_MAX;
}

bool
json_is_true(const cJSON *o, const char *name)
{
	return cJSON_IsTrue(json_get(o, name));
}

void
json_put(cJSON *o, const char *name, cJSON *item)
{
	if (item != NULL && cJSON_AddItemToObject(o, name, item))
		return;
	cJSON_Delete(item);
	ran_out = true;
}

/* As text_printable(). NULL without memory. */
static cJSON *
make_printable(const char *text)
{
	size_t room = 4 * strlen(text) + 1; /* \xNN for each byte */
	char *shown = malloc(room);
	cJSON *item;

	if (shown == NULL)
		return NULL;
	text_printable(shown, room, text);
	item = cJSON_CreateString(shown);
	free(shown);
	return item;
}

/* JSON is UTF-8. */
static cJSON *
make_text(const char *text)
{
	return text_is_utf8(text) ? cJSON_CreateString(text)
				  : make_printable(text);
}

void
json_put_text(cJSON *o, const char *name, const char *text)
{
	if (text != NULL)
		json_put(o, name, make_text(text));
}

void
json_put_number(cJSON *o, const char *name, double n)
{
	json_put(o, name, cJSON_CreateNumber(n));
}

void
json_put_bool(cJSON *o, const char *name, bool is)
{
	json_put(o, name, cJSON_CreateBool(is));
}

cJSON *
json_put_array(cJSON *o, const char *name)
{
	cJSON *array = cJSON_AddArrayToObject(o, name);

	ran_out |= array == NULL;
	return array;
}

cJSON *
json_put_object(cJSON *o, const char *name)
{
	cJSON *object = cJSON_AddObjectToObject(o, name);

	ran_out |= object == NULL;
	return object;
}

static void
set(cJSON *o, const char *name, cJSON *item)
{
	if (json_get(o, name) == NULL) {
		json_put(o, name, item);
		return;
	}
	if (cJSON_ReplaceItemInObjectCaseSensitive(o, name, item))
		return;
	cJSON_Delete(item);
	ran_out = true;
}

void
json_set_text(cJSON *o, const char *name, const char *text)
{
	set(o, name, make_text(text));
}

void
json_set_number(cJSON *o, const char *name, double n)
{
	set(o, name, cJSON_CreateNumber(n));
}

void
json_put_copy(cJSON *to, const cJSON *from, const char *name)
{
	const cJSON *item = json_get(from, name);

	if (item != NULL)
		json_put(to, name, cJSON_Duplicate(item, true));
}

void
json_append(cJSON *array, cJSON *item)
{
	if (item != NULL && cJSON_AddItemToArray(array, item))
		return;
	cJSON_Delete(item);
	ran_out = true;
}

void
json_append_text(cJSON *array, const char *text)
{
	if (text != NULL)
		json_append(array, make_text(text));
}

void
json_replace(cJSON *array, cJSON *item, cJSON *by)
{
	if (by == NULL || !cJSON_ReplaceItemViaPointer(array, item, by))
		ran_out = true;
}

void
json_print(const cJSON *tree, FILE *out)
{
	char *text = cJSON_Print(tree);

	if (text != NULL)
		fprintf(out, "%s\n", text);
	else
		ran_out = true;
	cJSON_free(text);
}

bool
json_is_whole(void)
{
	return !ran_out;
}

void
json_begin(void)
{
	ran_out = false;
}

/* The end of a text in quotation marks that begins at text[i]. */
static size_t
skip_text(const char *text, size_t len, size_t i)
{
	for (i++; i < len && text[i] != '"'; i++)
		if (text[i] == '\\')
			i++;
	return i;
}

cJSON *
json_parse(const char *text, size_t len, unsigned nesting_max)
{
	unsigned depth = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		if (text[i] == '"')
			i = skip_text(text, len, i);
		else if (text[i] == '[' || text[i] == '{')
			depth++;
		else if ((text[i] == ']' || text[i] == '}') && depth > 0)
			depth--;
		if (depth > nesting_max)
			return NULL;
	}
	return cJSON_ParseWithLength(text, len);
}

bool
json_make_printable(cJSON *tree)
{
	cJSON *item, *by;

	cJSON_ArrayForEach (item, tree) {
		if (item->string != NULL && !text_is_printable(item->string))
			return false;
		if (cJSON_IsString(item) &&
		    !text_is_printable(item->valuestring)) {
			by = make_printable(item->valuestring);
			if (by == NULL)
				return false;
			/* The name, if it has one, stays. */
			cJSON_free(item->valuestring);
			item->valuestring = by->valuestring;
			by->valuestring = NULL;
			cJSON_Delete(by);
		} else if (!json_make_printable(item))
			return false;
	}
	return true;
}

cJSON *
json_load(const char *path, size_t max)
{
	size_t len;
	char *text = file_read(path, max, &len);
	cJSON *tree = NULL;

	/* The NUL behind it has to be the end: nothing may follow the value. */
	if (text != NULL)
		tree = cJSON_ParseWithLengthOpts(text, len + 1, NULL, true);
	free(text);
	return tree;
}

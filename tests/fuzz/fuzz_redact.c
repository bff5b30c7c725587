/* SPDX-License-Identifier: ISC */
/*
 * A secret in a line of its own between any bytes, in each form in which it
 * is told by its name; one that is known already, anywhere; one that was
 * learned from a configuration: none of them survives. The first byte is the
 * form, the second the kind of text, the third how many bytes come first.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "orchestrator/report/redact.h"
#include "proto/base/buf.h"
#include "proto/json.h"

#define SECRET "Zq9xHushW7"

static const char *const config_forms[] = {
    "password: " SECRET,
    "pass = \"" SECRET "\"",
    "token '" SECRET "'",
    "{user: a, PassWord:" SECRET ", x: 1}",
    "auth_token: (" SECRET ")",
    "jetstream { key: \"" SECRET "\" }",
    "V = " SECRET "\npassword: $V",
};
/* The secret of the third is JSON in JSON. */
static const char *const log_forms[] = {
    "\"password\": \"" SECRET "\"",
    "token=" SECRET ";",
    "{\\\"pass\\\":\\\"" SECRET "\\\",\\\"v\\\":1}",
    "nats://u:" SECRET "@h:1",
    "-----BEGIN PRIVATE KEY-----\\n" SECRET "\\n-----END PRIVATE KEY-----",
};
/* Pages that are JSON before and after. */
static const char *const json_forms[] = {
    "\"password\":\"" SECRET "\"",
    "\"token\":[\"" SECRET "\"]",
    "\"error\":\"bad token: " SECRET "\"",
    "\"k\":\"-----BEGIN PRIVATE KEY-----\\n" SECRET
    "\\n-----END PRIVATE KEY-----\\n\"",
    "\"url\":\"nats://u:" SECRET "@h:1\"",
    "\"seed\":123456789,\"jwt\":\"" SECRET "\"",
};
#define COUNT(forms) (sizeof(forms) / sizeof((forms)[0]))

/* Bytes that stand around a secret. */
struct noise {
	const uint8_t *before, *after;
	size_t nbefore, nafter;
};

static void
put(struct buf *b, const void *data, size_t len)
{
	MUST(len == 0 || buf_append(b, data, len) == 0);
}

static void
surround(
    struct buf *b, const struct noise *n, const char *end, const char *form)
{
	buf_init(b, 4 * (n->nbefore + n->nafter) + 4096);
	put(b, n->before, n->nbefore);
	put(b, end, strlen(end));
	put(b, form, strlen(form));
	put(b, end, strlen(end));
	put(b, n->after, n->nafter);
}

/* The text that is left, to be freed, in which no secret is. */
static char *
must_be_clean(const struct redactor *r, struct buf *b, enum redact_kind kind)
{
	size_t len;
	char *out =
	    redact_text(r, (const char *)buf_data(b), buf_len(b), kind, &len);

	MUST(out != NULL);
	MUST(memmem(out, len, SECRET, strlen(SECRET)) == NULL);
	buf_fini(b);
	return out;
}

static void
try_named(const struct redactor *r, const struct noise *n, unsigned form)
{
	struct buf b;

	surround(&b, n, "\n", log_forms[form % COUNT(log_forms)]);
	free(must_be_clean(r, &b, REDACT_LOG));
	/* The last is of a variable, which is learned. */
	surround(&b, n, "\n", config_forms[form % (COUNT(config_forms) - 1)]);
	free(must_be_clean(r, &b, REDACT_CONFIG));
}

static void
try_learned(const struct noise *n, unsigned form, enum redact_kind kind)
{
	struct redactor *r = redact_create();
	struct buf b;

	MUST(r != NULL);
	surround(&b, n, "\n", config_forms[form % COUNT(config_forms)]);
	redact_learn(r, (const char *)buf_data(&b), buf_len(&b));
	free(must_be_clean(r, &b, REDACT_CONFIG));
	surround(&b, n, "", SECRET);
	free(must_be_clean(r, &b, kind));
	redact_destroy(r);
}

/* The noise is a text of the page, as far as it tells no secret. */
static void
try_page(const struct redactor *r, const struct noise *n, unsigned form)
{
	static const char letters[] = "abcdefgh 0123456";
	char word[64], *out;
	struct buf b;
	cJSON *tree;
	size_t i;

	for (i = 0; i < n->nbefore && i < sizeof(word) - 1; i++)
		word[i] = letters[n->before[i] % (sizeof(letters) - 1)];
	word[i] = '\0';
	surround(&b, &(struct noise){0}, "", "{\"a\":[1,\"");
	put(&b, word, i);
	put(&b, "\"],", 3);
	put(&b, json_forms[form % COUNT(json_forms)],
	    strlen(json_forms[form % COUNT(json_forms)]));
	put(&b, ",\"z\":{}}", 8);
	out = must_be_clean(r, &b, REDACT_LOG);
	tree = cJSON_ParseWithOpts(out, NULL, 1);
	MUST(cJSON_IsObject(json_get(tree, "z")));
	cJSON_Delete(tree);
	free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct redactor *r;
	struct noise n;

	/* A fuzzer that finds the secret out puts it where nothing tells it. */
	if (size < 3 || memmem(data, size, SECRET, strlen(SECRET)) != NULL)
		return 0;
	n.before = data + 3;
	n.nbefore = (size - 3) * data[2] / UINT8_MAX;
	n.after = n.before + n.nbefore;
	n.nafter = size - 3 - n.nbefore;
	r = redact_create();
	MUST(r != NULL);
	try_named(r, &n, data[0]);
	try_page(r, &n, data[0]);
	redact_destroy(r);
	try_learned(&n, data[0], data[1] % (REDACT_OWN + 1));
	return 0;
}

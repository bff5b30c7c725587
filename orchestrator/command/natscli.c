/* SPDX-License-Identifier: ISC */
/* Settings of the nats CLI; see natscli.h. */
#include <stdlib.h>
#include <string.h>

#include "orchestrator/command/binary.h"
#include "orchestrator/command/login.h"
#include "orchestrator/command/natscli.h"
#include "orchestrator/command/usage.h"
#include "orchestrator/judge/judge.h"
#include "proto/base/text.h"
#include "proto/json.h"

#define CONTEXT_BYTES_MAX 65536
#define NESTING_MAX	  8
#define DEFAULT_URL	  "nats://localhost:4222" /* as ADR-21 has it */

/* A setting of theirs and the option that it is. */
struct setting {
	const char *name, *option;
	bool is_path;
};

static const struct setting fields[] = {
    {"url", "url", false},
    {"user", "user", false},
    {"password", "password", false},
    {"token", "token", false},
    {"creds", "creds", true},
    {"nkey", "nkey", true},
    {"user_jwt", "user-jwt", false},
    {"cert", "tls-cert", true},
    {"key", "tls-key", true},
    {"ca", "tls-ca", true},
    {"jetstream_domain", "js-domain", false},
    {"jetstream_api_prefix", "js-prefix", false},
    {"inbox_prefix", "inbox-prefix", false},
    {NULL, NULL, false},
};

static const struct setting variables[] = {
    {"NATS_URL", "url", false},
    {"NATS_USER", "user", false},
    {"NATS_PASSWORD", "password", false},
    {"NATS_TOKEN", "token", false},
    {"NATS_CREDS", "creds", true},
    {"NATS_NKEY", "nkey", true},
    {"NATS_CERT", "tls-cert", true},
    {"NATS_KEY", "tls-key", true},
    {"NATS_CA", "tls-ca", true},
    {NULL, NULL, false},
};

/* What a context may say and no client of natsburn's can do. */
static const char *const impossible[] = {
    "socks_proxy", "windows_cert_store", NULL};

/* "~/x" is below the user's home. what names the setting in errors. */
static int
set_option(struct run_config *low, const struct setting *s, const char *what,
    char *value)
{
	const struct option_spec *row = option_find(config_options, s->option);
	const char *home = getenv("HOME");
	char path[OPTION_VALUE_MAX], why[OPTION_WHY_MAX];

	if (value[0] == '\0')
		return 0;
	if (login_refuse_secret(row, value, what) < 0)
		return EXIT_USAGE;
	text_set(path, sizeof(path), "");
	if (s->is_path && strncmp(value, "~/", 2) == 0 && home != NULL &&
	    !text_fits_add(path, sizeof(path), "%s%s", home, value + 1))
		return usage_error("%s: too long", what);
	if (config_set(low, s->option, path[0] != '\0' ? path : value, why) < 0)
		return usage_error("%s: %s", what, why);
	return 0;
}

/* Of several ways to log in the CLI takes the first of these. */
static void
choose_login(struct run_config *low)
{
	bool is_user = low->user[0] != '\0';
	bool is_creds = !is_user && low->creds[0] != '\0';
	bool is_nkey = !is_user && !is_creds && low->nkey[0] != '\0';

	if (!is_creds)
		low->creds[0] = '\0';
	if (!is_nkey)
		low->nkey[0] = low->user_jwt[0] = '\0';
	if (is_user || is_creds || is_nkey)
		low->token[0] = '\0';
}

static bool
has_login(const struct run_config *c)
{
	return c->user[0] != '\0' || c->token[0] != '\0' ||
	       c->nkey[0] != '\0' || c->creds[0] != '\0';
}

static void
take_text(char *out, size_t size, const char *value)
{
	if (out[0] == '\0')
		text_set(out, size, value);
}

#define TAKE(member) take_text(c->member, sizeof(c->member), low->member)

/* A login is one thing: half of one and half of another is none. */
static void
take_login(struct run_config *c, const struct run_config *low)
{
	bool is_same = low->user[0] == '\0' || strcmp(c->user, low->user) == 0;

	if (has_login(c)) {
		if (c->user[0] != '\0' && is_same)
			TAKE(password);
		return;
	}
	TAKE(user);
	if (c->password[0] != '\0')
		return; /* it was waiting for its user */
	if (low->user[0] != '\0')
		TAKE(password);
	TAKE(token);
	TAKE(nkey);
	TAKE(user_jwt);
	TAKE(creds);
}

/* What is open in c is taken from low. */
static void
take_settings(struct run_config *c, const struct run_config *low)
{
	if (c->url[0] == '\0' && low->url[0] != '\0') {
		TAKE(url);
		c->tls |= low->tls;
	}
	take_login(c, low);
	if (c->tls_cert[0] == '\0' && c->tls_key[0] == '\0') {
		TAKE(tls_cert);
		TAKE(tls_key);
	}
	TAKE(tls_ca);
	if (c->js_domain[0] == '\0' && c->js_prefix[0] == '\0') {
		TAKE(js_domain);
		if (c->js_domain[0] == '\0')
			TAKE(js_prefix);
	}
	TAKE(inbox_prefix);
	c->tls_first |= low->tls_first;
}

/* Where the CLI keeps its contexts: FOLDER/nats. False: nobody knows. */
static bool
find_folder(char *out, size_t size)
{
	const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (xdg != NULL && xdg[0] != '\0')
		return text_fits_add(out, size, "%s/nats", xdg);
	return home != NULL && home[0] != '\0' &&
	       text_fits_add(out, size, "%s/.config/nats", home);
}

/* The context that "nats context select" chose; "" if there is none. */
static void
find_selected(const char *folder, char *out, size_t size)
{
	char path[CONFIG_PATH_MAX], name[CONFIG_NAME_MAX * 4];
	const char *begin;

	text_format(path, sizeof(path), "%s/context.txt", folder);
	if (login_read(path, name, sizeof(name)) < 0)
		return;
	begin = name + strspn(name, " \t\r\n");
	name[(size_t)(begin - name) + strcspn(begin, "\r\n")] = '\0';
	text_set(out, size, begin);
}

static int
take_field(struct run_config *low, const struct setting *s, const cJSON *tree,
    const char *context)
{
	const cJSON *item = json_get(tree, s->name);
	char what[CONFIG_NAME_MAX * 8];

	text_format(what, sizeof(what), "context \"%s\": %s", context, s->name);
	if (item == NULL || cJSON_IsNull(item))
		return 0;
	if (!cJSON_IsString(item))
		return usage_error("%s: must be text", what);
	return set_option(low, s, what, item->valuestring);
}

/* "nsc://operator/account/user": the program nsc knows URL and file. */
static int
ask_nsc(struct run_config *low, const char *url, const char *context)
{
	static const struct setting creds = {"user_creds", "creds", true};
	static const struct setting service = {"service", "url", false};
	char path[CONFIG_PATH_MAX], *out = calloc(1, CONTEXT_BYTES_MAX);
	const cJSON *at;
	cJSON *tree = NULL;
	int bad = 0, err;

	if (out == NULL)
		return usage_error("out of memory");
	if (!binary_find("nsc", path, sizeof(path))) {
		free(out);
		return usage_error("context \"%s\": nsc \"%s\": the program "
				   "nsc is not on PATH",
		    context, url);
	}
	err = binary_output(path,
	    (const char *const[]){"nsc", "generate", "profile", url, NULL}, out,
	    CONTEXT_BYTES_MAX);
	if (err == 0)
		tree = json_parse(out, strlen(out), NESTING_MAX);
	/* A profile may hold seeds. */
	explicit_bzero(out, CONTEXT_BYTES_MAX);
	free(out);
	at = json_get(json_get(tree, "operator"), "service");
	if (cJSON_IsArray(at))
		at = cJSON_GetArrayItem(at, 0);
	if (err < 0 || tree == NULL)
		bad = usage_error("context \"%s\": \"nsc generate profile %s\" "
				  "failed; try it by hand",
		    context, url);
	if (bad == 0 && low->creds[0] == '\0')
		bad = take_field(low, &creds, tree, context);
	if (bad == 0 && low->url[0] == '\0' && cJSON_IsString(at))
		bad =
		    set_option(low, &service, "nsc: service", at->valuestring);
	cJSON_Delete(tree);
	return bad;
}

static int
take_fields(struct run_config *low, const cJSON *tree, const char *context)
{
	const struct setting *s;
	const char *const *no;
	char what[CONFIG_NAME_MAX * 8];
	int bad = 0;

	for (no = impossible; *no != NULL; no++)
		if (json_text(tree, *no)[0] != '\0')
			return usage_error("context \"%s\": %s \"%s\": "
					   "natsburn can't connect that way",
			    context, *no, json_text(tree, *no));
	for (s = fields; s->name != NULL && bad == 0; s++)
		bad = take_field(low, s, tree, context);
	low->tls_first = json_is_true(tree, "tls_first");
	if (bad == 0 && json_text(tree, "nsc")[0] != '\0')
		bad = ask_nsc(low, json_text(tree, "nsc"), context);
	choose_login(low);
	text_format(what, sizeof(what), "context \"%s\": url", context);
	return bad == 0 ? login_take_urls(low, what) : bad;
}

static int
read_context(struct run_config *low, const char *folder, const char *name)
{
	char path[CONFIG_PATH_MAX + CONFIG_NAME_MAX * 4], *text;
	cJSON *tree = NULL;
	ssize_t n;
	int bad;

	if (strstr(name, "..") != NULL || strchr(name, '/') != NULL)
		return usage_error(
		    "--context \"%s\": is no name of a context", name);
	text = calloc(1, CONTEXT_BYTES_MAX);
	if (text == NULL)
		return usage_error("out of memory");
	text_format(path, sizeof(path), "%s/context/%s.json", folder, name);
	n = login_read(path, text, CONTEXT_BYTES_MAX);
	if (n >= 0)
		tree = json_parse(text, (size_t)n, NESTING_MAX);
	explicit_bzero(text, CONTEXT_BYTES_MAX);
	free(text);
	if (n < 0)
		return usage_error("--context \"%s\": \"%s\": %s; \"nats "
				   "context ls\" names those there are",
		    name, path, strerror((int)-n));
	if (!cJSON_IsObject(tree))
		bad = usage_error("--context \"%s\": \"%s\": is not a JSON "
				  "object",
		    name, path);
	else
		bad = take_fields(low, tree, name);
	cJSON_Delete(tree);
	return bad;
}

static int
take_context(struct run_config *c, struct run_config *low)
{
	char folder[CONFIG_PATH_MAX] = "";
	const char *variable = getenv("NATS_CONTEXT");
	bool is_known = find_folder(folder, sizeof(folder));
	int bad;

	if (variable != NULL)
		take_text(c->context, sizeof(c->context), variable);
	/* A login of the selected cluster is not shown to another one. */
	if (c->context[0] == '\0' && c->url[0] == '\0' && is_known)
		find_selected(folder, c->context, sizeof(c->context));
	if (c->context[0] == '\0')
		return 0;
	if (!is_known)
		return usage_error(
		    "--context \"%s\": HOME is not set", c->context);
	bad = read_context(low, folder, c->context);
	if (bad == 0)
		take_settings(c, low);
	return bad;
}

static int
take_variables(struct run_config *c, struct run_config *low)
{
	const struct setting *s;
	bool had_password = c->password[0] != '\0';
	bool had_token = c->token[0] != '\0';
	char *value;
	int bad = 0;

	for (s = variables; s->name != NULL; s++) {
		value = getenv(s->name);
		if (value == NULL)
			continue;
		if (bad == 0)
			bad = set_option(low, s, s->name, value);
		/* A user without a password is a token. */
		if (!s->is_path) {
			memset(value, '.', strlen(value));
			(void)unsetenv(s->name); /* its name is a fine one */
		}
	}
	if (bad == 0)
		bad = login_take_urls(low, "NATS_URL");
	if (bad != 0)
		return bad;
	if (low->user[0] != '\0' && low->password[0] == '\0' &&
	    c->password[0] == '\0') {
		text_set(low->token, sizeof(low->token), low->user);
		low->user[0] = '\0';
	}
	choose_login(low);
	take_settings(c, low);
	/* So that the command that repeats the run says what it needs. */
	if (!had_password && c->password[0] != '\0')
		text_set(
		    c->password_file, sizeof(c->password_file), LOGIN_NO_FILE);
	if (!had_token && c->token[0] != '\0')
		text_set(c->token_file, sizeof(c->token_file), LOGIN_NO_FILE);
	return 0;
}

int
natscli_fill(struct run_config *c)
{
	struct run_config *low = calloc(1, sizeof(*low));
	int bad;

	if (low == NULL)
		return usage_error("out of memory");
	bad = take_context(c, low);
	explicit_bzero(low, sizeof(*low));
	if (bad == 0)
		bad = take_variables(c, low);
	explicit_bzero(low, sizeof(*low));
	free(low);
	if (bad == 0 && c->context[0] != '\0')
		take_text(c->url, sizeof(c->url), DEFAULT_URL);
	return bad;
}

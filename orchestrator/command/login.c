/* SPDX-License-Identifier: ISC */
/* How clients log in; see login.h. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "orchestrator/command/login.h"
#include "orchestrator/command/natscli.h"
#include "orchestrator/command/usage.h"
#include "orchestrator/judge/judge.h"
#include "proto/base/text.h"
#include "proto/nkey.h"

#define FILE_BYTES_MAX 65536 /* credentials, certificates, keys */

void
login_hide(const struct option_spec *row, char *value)
{
	bool is_address =
	    strcmp(row->name, "url") == 0 || strcmp(row->name, "monitor") == 0;

	/* Where a password in a list of URLs ends can't be said for sure. */
	if (row->secret || (is_address && strchr(value, '@') != NULL))
		memset(value, '.', strlen(value));
}

static bool
is_secret(const char *value)
{
	static const char seed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	static const char token[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789-_.";
	size_t len = strlen(value);

	/* A name of so many capitals, or of base64, is no file's. */
	return (len >= 40 && value[0] == 'S' &&
		   strchr("UANOCX", value[1]) != NULL &&
		   strspn(value, seed) == len) ||
	       (len >= 40 && strncmp(value, "eyJ", 3) == 0 &&
		   strspn(value, token) == len) ||
	       strstr(value, "-----BEGIN") != NULL;
}

int
login_refuse_secret(
    const struct option_spec *row, char *value, const char *what)
{
	if (row->secret || !is_secret(value))
		return 0;
	memset(value, '.', strlen(value));
	(void)usage_error(
	    "%s: is a secret itself; put it into a file that only "
	    "you can read, and give the file's name",
	    what);
	return -EINVAL;
}

/* A secret, by itself or in a file. */
struct form {
	const char *name; /* of the option; the file's has "-file" behind it */
	char *text, *file;
	size_t size; /* of text */
	const char *env_text, *env_file;
};

ssize_t
login_read(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t used = 0;
	ssize_t n = 1;
	int err = 0;

	if (fd < 0)
		return -errno;
	while (used < size && n > 0) {
		n = read(fd, out + used, size - used);
		if (n < 0)
			err = -errno;
		else
			used += (size_t)n;
	}
	close(fd);
	if (err == 0 && used == size)
		err = -EFBIG;
	out[err == 0 ? used : 0] = '\0';
	return err == 0 ? (ssize_t)used : err;
}

/* One line, which may end in a line end, is the secret. */
static int
read_secret(const struct form *f)
{
	char text[CONFIG_LIST_MAX + 2]; /* with its line end */
	ssize_t n = login_read(f->file, text, sizeof(text));
	size_t len;

	if (n < 0 && n != -EFBIG)
		return usage_error("--%s-file \"%s\": %s", f->name, f->file,
		    strerror((int)-n));
	len = n < 0 ? sizeof(text) : strcspn(text, "\r\n");
	if (len >= f->size)
		return usage_error("--%s-file \"%s\": must hold at most %zu "
				   "bytes",
		    f->name, f->file, f->size - 1);
	if (len == 0 || strspn(text + len, "\r\n") != (size_t)n - len)
		return usage_error("--%s-file \"%s\": must hold the %s in one "
				   "line, and nothing else",
		    f->name, f->file, f->name);
	text[len] = '\0';
	text_set(f->text, f->size, text);
	return 0;
}

/* Of a secret and a file with it there can be one. */
static int
take_form(const struct form *f)
{
	if (f->text[0] != '\0' && f->file[0] != '\0') {
		/* What only the environment says gives way. */
		if (strcmp(f->text, f->env_text) == 0 &&
		    strcmp(f->file, f->env_file) != 0)
			f->text[0] = '\0';
		else if (strcmp(f->text, f->env_text) != 0 &&
			 strcmp(f->file, f->env_file) == 0)
			f->file[0] = '\0';
		else
			return usage_error(
			    "--%s-file \"%s\": goes without --%s", f->name,
			    f->file, f->name);
	}
	if (f->file[0] != '\0')
		return read_secret(f);
	/* So that the command that repeats the run says what it needs. */
	if (f->text[0] != '\0')
		text_set(f->file, sizeof(LOGIN_NO_FILE), LOGIN_NO_FILE);
	return 0;
}

static int
take_secrets(struct run_config *c, const struct run_config *env)
{
	const struct form forms[] = {
	    {"password", c->password, c->password_file, sizeof(c->password),
		env->password, env->password_file},
	    {"token", c->token, c->token_file, sizeof(c->token), env->token,
		env->token_file},
	    {"sys-password", c->sys_password, c->sys_password_file,
		sizeof(c->sys_password), env->sys_password,
		env->sys_password_file},
	};
	size_t i;
	int bad = 0;

	for (i = 0; i < sizeof(forms) / sizeof(forms[0]) && bad == 0; i++)
		bad = take_form(&forms[i]);
	return bad;
}

/* "a%40b" is "a@b" in a URL. False when that can't be. */
static bool
decode(char *text)
{
	static const char digits[] = "0123456789abcdef";
	char *out = text;
	const char *high, *low;

	for (; *text != '\0'; text++) {
		if (*text != '%') {
			*out++ = *text;
			continue;
		}
		high = strchr(digits, tolower((unsigned char)text[1]));
		low = text[1] != '\0'
			  ? strchr(digits, tolower((unsigned char)text[2]))
			  : NULL;
		if (high == NULL || low == NULL || *high == '\0' ||
		    *low == '\0' || (high == digits && low == digits))
			return false;
		*out++ = (char)((high - digits) << 4 | (low - digits));
		text += 2;
	}
	*out = '\0';
	return true;
}

/* user:password, or a token, as they stand before the @ of a URL. */
struct url_login {
	char user[128], password[CONFIG_PASSWORD_MAX], token[CONFIG_LIST_MAX];
};

static int
split_login(char *info, struct url_login *l)
{
	char *colon = strchr(info, ':');

	if (colon != NULL)
		*colon = '\0';
	if (!decode(info) || (colon != NULL && !decode(colon + 1)))
		return -EINVAL;
	if (colon == NULL)
		return text_fits(l->token, sizeof(l->token), info) ? 0
								   : -EINVAL;
	return text_fits(l->user, sizeof(l->user), info) &&
		       text_fits(l->password, sizeof(l->password), colon + 1)
		   ? 0
		   : -EINVAL;
}

/* HOST, HOST:PORT or [ADDRESS]:PORT. */
static bool
is_address(const char *host)
{
	const char *colon = strrchr(host, ':'), *bracket = strchr(host, ']');
	uint64_t port = 1;

	if (colon != NULL && (bracket == NULL || colon > bracket) &&
	    text_to_u64(colon + 1, UINT16_MAX, &port) < 0)
		return false;
	return port != 0 && host[0] != '\0' && host[0] != ':' &&
	       strpbrk(host, "/?# ") == NULL;
}

/* Where URLs come from, for errors. */
struct place {
	const char *name;
	bool may_show;
};

/*
 * One URL without its login, which goes to l. 0 or EXIT_USAGE. A list with
 * an @ is not shown: a comma in a password cuts it where it should not.
 */
static int
take_url(
    const struct place *where, const char *url, char *out, struct url_login *l)
{
	const char *sep = strstr(url, "://"), *host, *at;
	char info[CONFIG_LIST_MAX];
	int scheme = sep != NULL ? (int)(sep - url) : 0, err = 0;

	host = sep != NULL ? sep + 3 : url;
	at = strrchr(host, '@');
	if (at != NULL) {
		text_set(info, (size_t)(at - host) + 1, host);
		err = split_login(info, l);
		host = at + 1;
	}
	if (err < 0)
		return usage_error("%s \"...\": user:password before the @ is "
				   "too long, or has a %% that isn't %%XX",
		    where->name);
	if ((sep != NULL && strncmp(url, "nats://", 7) != 0 &&
		strncmp(url, "tls://", 6) != 0) ||
	    !is_address(host))
		return usage_error("%s \"%s\": must be nats://HOST:PORT or "
				   "tls://HOST:PORT",
		    where->name, where->may_show ? url : "...");
	text_add(out, CONFIG_LIST_MAX, "%s%.*s://%s", out[0] != '\0' ? "," : "",
	    sep != NULL ? scheme : 4, sep != NULL ? url : "nats", host);
	return 0;
}

/* What the URLs say must be the same in all that say something. */
static int
enter_login(const struct place *where, struct url_login *all,
    const struct url_login *one)
{
	if (one->user[0] == '\0' && one->token[0] == '\0')
		return 0;
	if ((all->user[0] != '\0' || all->token[0] != '\0') &&
	    memcmp(all, one, sizeof(*one)) != 0)
		return usage_error("%s: must have the same user and password "
				   "in each URL that has one",
		    where->name);
	*all = *one;
	return 0;
}

int
login_take_urls(struct run_config *c, const char *what)
{
	const struct place where = {what, strchr(c->url, '@') == NULL};
	struct url_login all = {0}, one;
	const char *list = c->url;
	char url[CONFIG_LIST_MAX], rest[CONFIG_LIST_MAX] = "";
	int bad = 0;

	while (bad == 0 && text_next_item(&list, url, sizeof(url))) {
		memset(&one, 0, sizeof(one));
		bad = take_url(&where, url, rest, &one);
		if (bad == 0)
			bad = enter_login(&where, &all, &one);
		c->tls |= strncmp(url, "tls://", 6) == 0;
	}
	if (bad != 0)
		return bad;
	text_set(c->url, sizeof(c->url), rest);
	if (all.user[0] == '\0' && all.token[0] == '\0')
		return 0;
	if (c->user[0] != '\0' || c->password[0] != '\0' ||
	    c->password_file[0] != '\0' || c->token[0] != '\0' ||
	    c->token_file[0] != '\0')
		return usage_error("%s \"%s\": has a user or token before its "
				   "@ and goes without --user, --password and "
				   "--token",
		    what, c->url);
	text_set(c->user, sizeof(c->user), all.user);
	text_set(c->password, sizeof(c->password), all.password);
	text_set(c->token, sizeof(c->token), all.token);
	return 0;
}

static int
validate_monitors(const struct run_config *c)
{
	const char *list = c->monitor;
	char url[CONFIG_LIST_MAX];

	while (text_next_item(&list, url, sizeof(url))) {
		if (strncmp(url, "http://", 7) != 0 &&
		    strncmp(url, "https://", 8) != 0)
			return usage_error(
			    "--monitor \"%s\": must be "
			    "http://HOST:PORT or https://HOST:PORT",
			    strchr(c->monitor, '@') == NULL ? url : "...");
		if (strchr(url, '@') != NULL)
			return usage_error(
			    "--monitor \"...\": must have no user "
			    "and password; servers ask for none");
	}
	return 0;
}

/* A way to log in, and what may be shown of it. */
struct way {
	const char *name, *value;
	bool is_given;
};

static int
one_at_most(const struct way *ways, size_t n)
{
	size_t i, k;

	for (i = 0; i < n; i++)
		for (k = i + 1; k < n; k++)
			if (ways[i].is_given && ways[k].is_given)
				return usage_error(
				    "--%s \"%s\": goes without --%s \"%s\"; "
				    "there is one way to log in",
				    ways[k].name, ways[k].value, ways[i].name,
				    ways[i].value);
	return 0;
}

static int
password_alone(const char *name, const char *file)
{
	return usage_error("--%spassword%s: goes with --%suser NAME", name,
	    strcmp(file, LOGIN_NO_FILE) == 0 ? "" : "-file", name);
}

static int
validate_ways(const struct run_config *c)
{
	const struct way ways[] = {
	    {"user", c->user, c->user[0] != '\0'},
	    {"token", "...", c->token[0] != '\0'},
	    {"nkey", c->nkey, c->nkey[0] != '\0'},
	    {"creds", c->creds, c->creds[0] != '\0'},
	};
	const struct way system[] = {
	    {"sys-user", c->sys_user, c->sys_user[0] != '\0'},
	    {"sys-nkey", c->sys_nkey, c->sys_nkey[0] != '\0'},
	    {"sys-creds", c->sys_creds, c->sys_creds[0] != '\0'},
	};
	int bad = one_at_most(ways, sizeof(ways) / sizeof(ways[0]));

	if (bad == 0)
		bad = one_at_most(system, sizeof(system) / sizeof(system[0]));
	if (bad == 0 && c->user_jwt[0] != '\0' && c->nkey[0] == '\0')
		bad = usage_error("--user-jwt: goes with --nkey FILE, which "
				  "has the seed");
	if (bad == 0 && c->password[0] != '\0' && c->user[0] == '\0')
		bad = password_alone("", c->password_file);
	if (bad == 0 && c->sys_password[0] != '\0' && c->sys_user[0] == '\0')
		bad = password_alone("sys-", c->sys_password_file);
	return bad;
}

/* A text file that must hold some words, and must not hold another. */
struct wanted {
	const char *name, *path;
	const char *words[2], *what;
};

static int
validate_text(const struct wanted *w)
{
	char text[FILE_BYTES_MAX + 1];
	ssize_t n;
	int bad = 0;

	if (w->path[0] == '\0')
		return 0;
	n = login_read(w->path, text, sizeof(text));
	if (n < 0)
		return usage_error(
		    "--%s \"%s\": %s", w->name, w->path, strerror((int)-n));
	if (strstr(text, w->words[0]) == NULL ||
	    (w->words[1] != NULL && strstr(text, w->words[1]) == NULL))
		bad = usage_error(
		    "--%s \"%s\": must hold %s", w->name, w->path, w->what);
	else if (strstr(text, "ENCRYPTED") != NULL)
		bad =
		    usage_error("--%s \"%s\": must not be encrypted; there is "
				"nobody to ask for a passphrase",
			w->name, w->path);
	return bad;
}

static int
validate_ca(const char *path)
{
	/* Bundles of a whole system are large: the head will do. */
	char head[FILE_BYTES_MAX + 1];
	ssize_t n;

	if (path[0] == '\0')
		return 0;
	n = login_read(path, head, sizeof(head));
	if (n < 0 && n != -EFBIG)
		return usage_error(
		    "--tls-ca \"%s\": %s", path, strerror((int)-n));
	if (n >= 0 && strstr(head, "-----BEGIN") == NULL)
		return usage_error("--tls-ca \"%s\": must hold certificates "
				   "(PEM)",
		    path);
	return 0;
}

static int
validate_nkey(const char *option, const char *path)
{
	char public[NKEY_PUBLIC_MAX];
	int err = path[0] != '\0' ? nkey_public_of_file(path, public) : 0;

	if (err == -EINVAL)
		return usage_error("--%s \"%s\": must hold the seed of a user "
				   "nkey (SU...)",
		    option, path);
	return err < 0 ? usage_error(
			     "--%s \"%s\": %s", option, path, strerror(-err))
		       : 0;
}

static int
validate_files(const struct run_config *c)
{
	const struct wanted wanted[] = {
	    {"creds", c->creds, {"NATS USER JWT", "USER NKEY SEED"},
		"a user's JWT and nkey seed"},
	    {"sys-creds", c->sys_creds, {"NATS USER JWT", "USER NKEY SEED"},
		"a user's JWT and nkey seed"},
	    {"tls-cert", c->tls_cert, {"-----BEGIN CERTIFICATE-----", NULL},
		"a certificate (PEM)"},
	    {"tls-key", c->tls_key, {"PRIVATE KEY-----", NULL},
		"a private key (PEM)"},
	};
	size_t i;
	int bad = validate_nkey("nkey", c->nkey);

	if (bad == 0)
		bad = validate_nkey("sys-nkey", c->sys_nkey);

	if (bad == 0)
		bad = validate_ca(c->tls_ca);
	for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]) && bad == 0; i++)
		bad = validate_text(&wanted[i]);
	if (bad != 0)
		return bad;
	if (c->tls_cert[0] != '\0' && c->tls_key[0] == '\0')
		return usage_error(
		    "--tls-cert \"%s\": goes with --tls-key FILE", c->tls_cert);
	if (c->tls_key[0] != '\0' && c->tls_cert[0] == '\0')
		return usage_error(
		    "--tls-key \"%s\": goes with --tls-cert FILE", c->tls_key);
	return 0;
}

/* A dot at the end, as people write prefixes, is taken off. */
static int
validate_prefix(const char *option, char *subject, bool is_token)
{
	size_t len = strlen(subject);

	if (len > 1 && subject[len - 1] == '.' && !is_token)
		subject[--len] = '\0';
	if (len == 0 ||
	    (strpbrk(subject, is_token ? "*> \t." : "*> \t") == NULL &&
		subject[0] != '.' && subject[len - 1] != '.' &&
		strstr(subject, "..") == NULL))
		return 0;
	return usage_error("--%s \"%s\": must be %s, without wildcards", option,
	    subject, is_token ? "one word" : "words with dots between them");
}

static int
validate_subjects(struct run_config *c)
{
	int bad = validate_prefix("js-domain", c->js_domain, true);

	if (bad == 0)
		bad = validate_prefix("js-prefix", c->js_prefix, false);
	if (bad == 0)
		bad = validate_prefix("inbox-prefix", c->inbox_prefix, false);
	if (bad == 0 && c->js_domain[0] != '\0' && c->js_prefix[0] != '\0')
		bad = usage_error(
		    "--js-prefix \"%s\": goes without --js-domain \"%s\"",
		    c->js_prefix, c->js_domain);
	return bad;
}

static int
validate_tls_first(const struct run_config *c)
{
#ifndef NATSBURN_TLS_FIRST
	if (c->tls_first)
		return usage_error(
		    "--tls-first: the client library that natsburn was built "
		    "with can't do that; nats.c 3.9 and later can");
#endif
	(void)c;
	return 0;
}

int
login_take(struct run_config *c, const struct run_config *env)
{
	int bad = login_take_urls(c, "--url");

	if (bad == 0)
		bad = take_secrets(c, env);
	if (bad == 0 && strcmp(c->cluster, "external") == 0)
		bad = natscli_fill(c);
	if (bad == 0)
		bad = validate_subjects(c);
	if (bad == 0)
		bad = validate_tls_first(c);
	if (bad == 0)
		bad = validate_monitors(c);
	if (bad == 0)
		bad = validate_files(c);
	if (bad == 0)
		bad = validate_ways(c);
	/* Whoever says something about TLS wants it. */
	c->tls |= c->tls_ca[0] != '\0' || c->tls_cert[0] != '\0' ||
		  c->tls_hostname[0] != '\0' || c->tls_first;
	return bad;
}

/* SPDX-License-Identifier: ISC */
/* Alternatives; see axis.h. */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "chaos/cluster/cluster.h"
#include "orchestrator/command/binary.h"
#include "orchestrator/command/usage.h"
#include "orchestrator/many/axis.h"
#include "proto/base/text.h"

void
axis_split(char *list)
{
	for (; *list != '\0'; list++)
		if (*list == '+')
			*list = ',';
}

int
axis_add(
    struct axis *axis, const char *option, const char *value, const char *label)
{
	struct axis_item *item = &axis->items[axis->n];
	unsigned i;

	if (axis->n == AXIS_ITEMS_MAX)
		return usage_error(
		    "--%s: more than %d of them", option, AXIS_ITEMS_MAX);
	for (i = 0; i < axis->n; i++)
		if (strcmp(axis->items[i].value, value) == 0)
			return usage_error(
			    "--%s: \"%s\" is named twice", option, value);
	if (!text_fits(item->label, sizeof(item->label), label))
		return usage_error("--%s \"%s\": is too long to name a folder: "
				   "at most %d bytes",
		    option, label, AXIS_LABEL_MAX - 1);
	text_set(item->value, sizeof(item->value), value);
	axis->n++;
	return 0;
}

/* The first word that begins like 2.10 or v2.10, or else all of it. */
static const char *
find_version(const char *said)
{
	const char *word, *digit;

	for (word = said; *word != '\0'; word += strcspn(word, " ")) {
		word += strspn(word, " ");
		digit = *word == 'v' ? word + 1 : word;
		if (isdigit((unsigned char)*digit))
			return digit;
	}
	return said;
}

/* "nats-server: v2.10.27" says 2.10.27; what can't name a folder goes. */
static void
version_label(const char *said, char *out, size_t size)
{
	const char *word = find_version(said);
	size_t n = 0;
	bool fits;

	for (; *word != '\0' && *word != ' ' && n < size - 1; word++) {
		fits = isalnum((unsigned char)*word) ||
		       (n > 0 && strchr(".-_", *word) != NULL);
		out[n++] = fits ? *word : '_';
	}
	out[n] = '\0';
}

/* The versions of the binaries of one alternative, each once. */
static int
ask_versions(const char *list, char *label, size_t size)
{
	char path[CONFIG_LIST_MAX], said[200], one[48], last[48] = "";
	int err;

	label[0] = '\0';
	while (text_next_item(&list, path, sizeof(path))) {
		err = binary_version(path, said, sizeof(said));
		if (err < 0 || said[0] == '\0')
			return usage_error("--server-bin \"%s\": does not tell "
					   "its version: %s",
			    path,
			    err < 0 && err != -EIO ? strerror(-err)
			    : said[0] != '\0'	   ? said
						   : "it says nothing");
		version_label(said, one, sizeof(one));
		if (strcmp(one, last) != 0)
			text_add(label, size, "%s%s",
			    label[0] != '\0' ? "+" : "", one);
		text_set(last, sizeof(last), one);
	}
	return 0;
}

/* Other builds of a version: 2.10.27, 2.10.27_2, 2.10.27_3. */
static void
tell_apart(const struct axis *axis, char *label, size_t size)
{
	unsigned i, same = 1;

	for (i = 0; i < axis->n; i++)
		if (strncmp(axis->items[i].label, label, strlen(label)) == 0 &&
		    strchr("_", axis->items[i].label[strlen(label)]) != NULL)
			same++;
	if (same > 1)
		text_add(label, size, "_%u", same);
}

static int
take_server(struct axis *axis, const struct run_config *base, const char *item)
{
	struct run_config c = *base;
	char label[AXIS_LABEL_MAX + 16];
	int bad;

	text_set(c.server_bin, sizeof(c.server_bin), item);
	/* A + may also stand in a path. */
	if (access(c.server_bin, F_OK) < 0)
		axis_split(c.server_bin);
	bad = binary_find_server(&c);
	if (bad == 0)
		bad = ask_versions(c.server_bin, label, sizeof(label));
	if (bad != 0)
		return bad;
	tell_apart(axis, label, sizeof(label));
	return axis_add(axis, "server-bin", c.server_bin, label);
}

int
axis_servers(struct axis *axis, const struct run_config *base)
{
	const char *list = base->server_bin;
	char item[CONFIG_LIST_MAX];
	int bad = 0;

	if (cluster_find(base->cluster)->owner != OWNER_US)
		return axis_add(axis, "server-bin", "", base->cluster);
	if (list[0] == '\0')
		return take_server(axis, base, "");
	while (bad == 0 && text_next_item(&list, item, sizeof(item)))
		bad = take_server(axis, base, item);
	return bad;
}

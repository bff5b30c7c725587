/* SPDX-License-Identifier: ISC */
/* A "natsburn run" as a process; see process.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "orchestrator/command/cli.h"
#include "orchestrator/many/process.h"
#include "proto/base/file.h"
#include "proto/base/spawn.h"
#include "proto/base/text.h"

#define WORDS_MAX (2 * 96 + 2 * CONFIG_EXTRAS_MAX)

struct words {
	char *argv[WORDS_MAX + 1];
	int n;
	bool is_short_of_memory;
};

static void
add_word(struct words *w, const char *word)
{
	char *copy = w->n < WORDS_MAX ? strdup(word) : NULL;

	if (copy == NULL)
		w->is_short_of_memory = true;
	else
		w->argv[w->n++] = copy;
}

static void
free_words(struct words *w)
{
	while (w->n > 0)
		free(w->argv[--w->n]);
}

/* Others can read a command line, but not the environment. */
static bool
goes_by_environment(const struct option_spec *row)
{
	return row->secret || strcmp(row->name, "url") == 0 ||
	       strcmp(row->name, "monitor") == 0;
}

/* The file of a secret, which was taken out of it. */
static bool
is_read(const struct option_spec *row)
{
	const char *end = strstr(row->name, "-file");

	return end != NULL && end[5] == '\0';
}

static void
add_option(void *arg, const char *name, const char *value)
{
	const struct option_spec *row = option_find(config_options, name);
	struct words *w = arg;
	char flag[80] = "";

	if (strcmp(name, "run") == 0 || strcmp(name, "test") == 0 ||
	    (row != NULL && (goes_by_environment(row) || is_read(row))))
		return;
	text_add(flag, sizeof(flag), "%s%s", row != NULL ? "--" : "-", name);
	add_word(w, flag);
	if (row == NULL || row->type != OPTION_FLAG)
		add_word(w, value);
}

static void
run_command(const struct run_config *c, struct words *w)
{
	memset(w, 0, sizeof(*w));
	add_word(w, "natsburn");
	add_word(w, "run");
	add_word(w, c->test);
	config_each(c, true, add_option, w);
}

static pid_t
process_spawn(const struct run_config *c, int log)
{
	struct spawn_request r = {.path = "/proc/self/exe"};
	struct words w;
	pid_t pid;

	run_command(c, &w);
	r.argv = w.argv;
	r.fds[r.nfds++] = (struct spawn_fd){log, 1};
	r.fds[r.nfds++] = (struct spawn_fd){log, 2};
	pid = w.is_short_of_memory ? -ENOMEM : spawn(&r);
	free_words(&w);
	return pid;
}

pid_t
process_begin(const struct run_config *c)
{
	char path[CONFIG_PATH_MAX + sizeof(PROCESS_LOG)];
	pid_t pid;
	int log;

	if (mkdir(c->out, 0700) < 0)
		return -errno;
	text_format(path, sizeof(path), "%s/" PROCESS_LOG, c->out);
	log = file_append(path);
	if (log < 0)
		return log;
	pid = process_spawn(c, log);
	close(log);
	return pid;
}

int
process_environment(const struct run_config *c)
{
	const struct option_spec *row;
	char name[80], value[OPTION_VALUE_MAX];
	int err = 0;

	for (row = config_options; row->name != NULL; row++) {
		cli_variable(row->name, name, sizeof(name));
		option_get(row, c, value, sizeof(value));
		if (goes_by_environment(row) && value[0] != '\0')
			err |= setenv(name, value, 1);
		else
			err |= unsetenv(name);
	}
	return err == 0 ? 0 : -ENOMEM;
}

void
process_last_line(const char *path, char *out, size_t size)
{
	char tail[1024];
	int fd = file_open(path);
	off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
	off_t from =
	    end > (off_t)sizeof(tail) - 1 ? end - (off_t)sizeof(tail) + 1 : 0;
	ssize_t n = fd >= 0 ? pread(fd, tail, sizeof(tail) - 1, from) : 0;
	char *line;

	if (fd >= 0)
		close(fd);
	out[0] = '\0';
	while (n > 0 && tail[n - 1] == '\n')
		n--;
	if (n <= 0)
		return;
	tail[n] = '\0';
	line = strrchr(tail, '\n');
	text_printable(out, size, line != NULL ? line + 1 : tail);
}

/* SPDX-License-Identifier: ISC */
/* Questions to systemd; see systemctl.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chaos/cluster/external/systemctl.h"
#include "proto/base/spawn.h"
#include "proto/base/text.h"

#define WORDS_MAX 12
#define WORD_MAX  256

int
systemctl_begin(struct systemctl *s, const char *const *words, const char *unit)
{
	static const char *const always[] = {
	    "env", "LC_ALL=C", "systemctl", "--no-ask-password", NULL};
	const char *const *const parts[] = {
	    always, words, (const char *const[]){"--", unit, NULL}};
	char text[WORDS_MAX][WORD_MAX], *argv[WORDS_MAX + 1];
	struct spawn_request r = {.path = "/usr/bin/env", .argv = argv};
	const char *const *w;
	unsigned i, n = 0;
	int up[2], err = spawn_pipe(up);

	if (err < 0)
		return err;
	for (i = 0; i < 3; i++)
		for (w = parts[i]; *w != NULL && n < WORDS_MAX; w++, n++) {
			text_set(text[n], WORD_MAX, *w);
			argv[n] = text[n];
		}
	argv[n] = NULL;
	r.fds[r.nfds++] = (struct spawn_fd){up[1], 1};
	r.fds[r.nfds++] = (struct spawn_fd){up[1], 2};
	s->pid = spawn(&r);
	close(up[1]);
	s->fd = up[0];
	s->out[0] = '\0';
	if (s->pid < 0) {
		err = (int)s->pid;
		close(s->fd);
		s->pid = 0;
		return err;
	}
	(void)fcntl(s->fd, F_SETFL, O_NONBLOCK); /* a pipe: can't fail */
	return 0;
}

bool
systemctl_step(struct systemctl *s, int *code)
{
	char more[256];
	int status;
	ssize_t n;

	if (s->pid == 0)
		return false;
	while ((n = read(s->fd, more, sizeof(more) - 1)) > 0) {
		more[n] = '\0';
		text_add(s->out, sizeof(s->out), "%s", more);
	}
	if ((n < 0 && errno == EAGAIN) ||
	    waitpid(s->pid, &status, WNOHANG) != s->pid)
		return false;
	close(s->fd);
	s->pid = 0;
	s->out[strcspn(s->out, "\n")] = '\0';
	*code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	return true;
}

void
systemctl_end(struct systemctl *s)
{
	if (s->pid == 0)
		return;
	spawn_end(s->pid);
	close(s->fd);
	s->pid = 0;
}

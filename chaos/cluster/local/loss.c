/* SPDX-License-Identifier: ISC */
/* Packet loss through nftables; see loss.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chaos/cluster/local/loss.h"
#include "proto/base/clock.h"
#include "proto/base/spawn.h"
#include "proto/base/text.h"

#define START_NS     (5 * CLOCK_S)
#define COMMANDS_MAX 4096

/* One line of commands for nft. */
static int
say(struct loss *l, const char *line)
{
	size_t len = strlen(line);

	/* Far less than a pipe holds, and nft reads all the time. */
	return write(l->down, line, len) == (ssize_t)len ? 0 : -EIO;
}

static int
ask(struct loss *l)
{
	char line[96];

	l->asked++;
	text_format(
	    line, sizeof(line), "list counter inet %s dropped\n", l->name);
	return say(l, line);
}

static int
spawn_nft(struct loss *l)
{
	char program[] = "env", home[] = "HOME=/proc", locale[] = "LC_ALL=C",
	     path[512] = "PATH=", nft[] = "nft", flag[] = "-i";
	/* Its history of commands would be written to the home folder. */
	char *argv[] = {program, home, locale, path, nft, flag, NULL};
	struct spawn_request r = {.path = "/usr/bin/env", .argv = argv};
	const char *outer = getenv("PATH");
	int down[2], up[2], err;

	text_add(path, sizeof(path), "%s%s/usr/sbin:/sbin:/usr/bin:/bin",
	    outer != NULL ? outer : "", outer != NULL ? ":" : "");
	err = spawn_pipes(down, up);
	if (err < 0)
		return err;
	r.fds[r.nfds++] = (struct spawn_fd){down[0], 0};
	r.fds[r.nfds++] = (struct spawn_fd){up[1], 1};
	r.fds[r.nfds++] = (struct spawn_fd){up[1], 2};
	l->pid = spawn(&r);
	close(down[0]);
	close(up[1]);
	l->down = down[1];
	l->up = up[0];
	(void)fcntl(l->up, F_SETFL, O_NONBLOCK); /* a pipe: can't fail */
	if (l->pid < 0) {
		err = (int)l->pid;
		l->pid = 0;
	}
	return err;
}

/* The answer so far: a counter's number, or a complaint. */
static void
take_answer(struct loss *l)
{
	static const char number[] = "packets ";
	const char *line;
	char *at, *end;

	at = strstr(l->answer, "rror: ");
	if (at == NULL) /* env can't find nft */
		at = strstr(l->answer, "No such file");
	if (at != NULL && l->trouble[0] == '\0') {
		for (line = at; line > l->answer && line[-1] != '\n'; line--)
			;
		text_set(l->trouble, sizeof(l->trouble), line);
		l->trouble[strcspn(l->trouble, "\n")] = '\0';
	}
	while ((at = strstr(l->answer, number)) != NULL &&
	       (end = strchr(at, '\n')) != NULL) {
		l->dropped = strtoull(at + sizeof(number) - 1, NULL, 10);
		l->answered++;
		l->len -= (size_t)(end - l->answer);
		memmove(l->answer, end, l->len + 1);
	}
}

bool
loss_read(struct loss *l)
{
	ssize_t n;

	if (l->pid == 0)
		return true; /* never started, or stopped by us */
	for (;;) {
		if (l->len > sizeof(l->answer) / 2)
			l->len = 0; /* no answer that matters is so long */
		n = read(
		    l->up, l->answer + l->len, sizeof(l->answer) - 1 - l->len);
		if (n <= 0)
			break;
		l->len += (size_t)n;
		l->answer[l->len] = '\0';
		take_answer(l);
	}
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static int
make_table(struct loss *l)
{
	char line[512] = "";

	text_add(line, sizeof(line),
	    "add table inet %s { flags owner; }\n"
	    "add counter inet %s dropped\n"
	    "add chain inet %s packets { type filter hook input priority 0; "
	    "}\n",
	    l->name, l->name, l->name);
	return say(l, line);
}

int
loss_start(struct loss *l, uint64_t id, char *why, size_t size)
{
	struct pollfd p = {.events = POLLIN};
	uint64_t deadline = clock_mono_ns() + START_NS;
	int err;

	memset(l, 0, sizeof(*l));
	l->down = l->up = -1;
	text_format(
	    l->name, sizeof(l->name), "natsburn_%llx", (unsigned long long)id);
	err = spawn_nft(l);
	if (err == 0)
		err = make_table(l);
	if (err == 0)
		err = ask(l);
	p.fd = l->up;
	while (err == 0 && l->answered == 0 && l->trouble[0] == '\0') {
		(void)poll(&p, 1, 100); /* loss_read() sees what came */
		if (!loss_read(l) || clock_mono_ns() > deadline)
			err = -ETIMEDOUT;
	}
	if (err == 0 && l->trouble[0] != '\0')
		err = -EPERM;
	if (err < 0)
		text_format(why, size, "nft says \"%.120s\"",
		    l->trouble[0] != '\0' ? l->trouble : strerror(-err));
	return err;
}

static void
add_ports(char *line, size_t size, const uint16_t *ports, unsigned n)
{
	unsigned i;

	text_add(line, size, "{ ");
	for (i = 0; i < n; i++)
		text_add(line, size, "%s%u", i > 0 ? ", " : "", ports[i]);
	text_add(line, size, " }");
}

int
loss_set(struct loss *l, unsigned share, const uint16_t *ports, unsigned n)
{
	static const char *const sides[] = {"dport", "sport"};
	char line[COMMANDS_MAX] = "";
	unsigned i;

	if (l->pid == 0)
		return -ENOTCONN;
	text_add(line, sizeof(line), "flush chain inet %s packets\n", l->name);
	for (i = 0; i < 2 && share > 0; i++) {
		text_add(line, sizeof(line),
		    "add rule inet %s packets iif lo tcp %s ", l->name,
		    sides[i]);
		add_ports(line, sizeof(line), ports, n);
		text_add(line, sizeof(line),
		    " numgen random mod %d < %u counter name dropped drop\n",
		    LOSS_MAX, share);
	}
	if (share > 0)
		text_add(line, sizeof(line), "reset counter inet %s dropped\n",
		    l->name);
	/*
	 * nft answers in the order of the commands, and answers "reset" as
	 * well.
	 */
	l->asked += share > 0;
	l->since = l->asked;
	return say(l, line);
}

bool
loss_dropped(struct loss *l, uint64_t *packets)
{
	*packets = l->dropped;
	if (l->asked == l->answered)
		(void)ask(l); /* loss_read() sees when nft is gone */
	return l->answered > l->since;
}

void
loss_stop(struct loss *l)
{
	spawn_end(l->pid); /* the kernel removes its table */
	if (l->down > 0)
		close(l->down);
	if (l->up > 0)
		close(l->up);
	l->pid = 0;
	l->down = l->up = -1;
}

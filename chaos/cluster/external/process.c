/* SPDX-License-Identifier: ISC */
/* A process of somebody else's; see process.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "chaos/cluster/external/process.h"
#include "proto/base/text.h"

#define START_WORD 20 /* of /proc/PID/stat, counted from the state */
#define END_MAX	   64 /* "ADDRESS:PORT" as /proc/net/tcp6 has it */

/* The first bytes of a file of its folder in /proc: how many, or -errno. */
static ssize_t
read_file(const struct process *p, const char *name, char *out, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	text_format(path, sizeof(path), "/proc/%d/%s", (int)p->pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -errno : read(fd, out, size - 1);
	if (fd >= 0)
		close(fd);
	out[n > 0 ? n : 0] = '\0';
	return n;
}

/* Its state and its start, as they are now: 0 or -ESRCH. */
static int
read_stat(const struct process *p, char *state, uint64_t *start)
{
	char text[1024];
	const char *at;
	int i;

	if (read_file(p, "stat", text, sizeof(text)) <= 0)
		return -ESRCH;
	/* "5 (a name) S 1 ...": a name may have brackets, too. */
	at = strrchr(text, ')');
	*state = at != NULL && at[1] == ' ' ? at[2] : '\0';
	for (i = 0; i < START_WORD && at != NULL; i++)
		at = strchr(at + 1, ' ');
	*start = at != NULL ? strtoull(at + 1, NULL, 10) : 0;
	return at != NULL ? 0 : -ESRCH;
}

int
process_open(struct process *p, pid_t pid)
{
	char state;
	int err;

	p->fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (p->fd < 0) {
		p->pid = 0;
		return -errno;
	}
	p->pid = pid;
	err = read_stat(p, &state, &p->start);
	/* It may have ended, and what was read have been another's. */
	if (err == 0 && !process_runs(p))
		err = -ESRCH;
	if (err < 0)
		process_close(p);
	return err;
}

void
process_close(struct process *p)
{
	if (p->pid != 0)
		close(p->fd);
	p->pid = 0;
}

int
process_check_server(const struct process *p)
{
	static const char name[] = "nats-server";
	char path[64], target[1024];
	const char *base;
	ssize_t n;

	text_format(path, sizeof(path), "/proc/%d/exe", (int)p->pid);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	base = strrchr(target, '/');
	/* " (deleted)" follows when it was replaced by a newer one. */
	return base != NULL && strncmp(base + 1, name, strlen(name)) == 0
		   ? 0
		   : -ENOEXEC;
}

bool
process_has_config(const struct process *p)
{
	char words[4096];
	const char *word;
	ssize_t n = read_file(p, "cmdline", words, sizeof(words));

	for (word = words; word < words + n; word += strlen(word) + 1) {
		if (word[0] != '-')
			continue;
		word += word[1] == '-' ? 2 : 1;
		if (strcmp(word, "c") == 0 || strncmp(word, "c=", 2) == 0 ||
		    strcmp(word, "config") == 0 ||
		    strncmp(word, "config=", 7) == 0)
			return true;
	}
	return false;
}

/* An end of a connection as /proc/net/tcp has it, and as tcp6 does. */
static void
write_end(const struct sockaddr_storage *a, char *v4, char *v6)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)a;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)a;
	uint32_t words[4] = {0, 0, htonl(0xffff), in->sin_addr.s_addr};
	unsigned port = ntohs(in->sin_port); /* it is at the same place */

	text_format(v4, END_MAX, "%08X:%04X", words[3], port);
	if (a->ss_family == AF_INET6) {
		memcpy(words, &in6->sin6_addr, sizeof(words));
		v4[0] = '\0';
	}
	text_format(v6, END_MAX, "%08X%08X%08X%08X:%04X", words[0], words[1],
	    words[2], words[3], port);
}

/* The inode of its host's end of a connection, 0: not seen. */
static unsigned long
find_inode(const struct process *p, const char *table, const char *ends)
{
	char path[64], line[512];
	unsigned long inode = 0;
	const char *at;
	FILE *f;

	text_format(path, sizeof(path), "/proc/%d/net/%s", (int)p->pid, table);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	while (inode == 0 && fgets(line, sizeof(line), f) != NULL) {
		at = strstr(line, ends);
		if (at != NULL &&
		    sscanf(at + strlen(ends),
			" %*x %*x:%*x %*x:%*x %*x %*u %*u %lu", &inode) != 1)
			inode = 0;
	}
	(void)fclose(f); /* it was only read */
	return inode;
}

static bool
has_inode(const struct process *p, unsigned long inode)
{
	char path[64], want[64], target[64];
	const struct dirent *e;
	bool found = false;
	ssize_t n;
	DIR *d;

	text_format(path, sizeof(path), "/proc/%d/fd", (int)p->pid);
	text_format(want, sizeof(want), "socket:[%lu]", inode);
	d = opendir(path);
	while (d != NULL && !found && (e = readdir(d)) != NULL) {
		n = readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		found = strcmp(target, want) == 0;
	}
	if (d != NULL)
		(void)closedir(d); /* it was only read */
	return found;
}

bool
process_has_peer(const struct process *p, int fd)
{
	struct sockaddr_storage ours, theirs;
	socklen_t len = sizeof(ours), their_len = sizeof(theirs);
	char ours4[END_MAX], ours6[END_MAX], theirs4[END_MAX], theirs6[END_MAX],
	    ends[2 * END_MAX];
	unsigned long inode = 0;

	if (getsockname(fd, (struct sockaddr *)&ours, &len) < 0 ||
	    getpeername(fd, (struct sockaddr *)&theirs, &their_len) < 0)
		return false;
	write_end(&ours, ours4, ours6);
	write_end(&theirs, theirs4, theirs6);
	if (ours4[0] != '\0') {
		text_format(ends, sizeof(ends), " %s %s ", theirs4, ours4);
		inode = find_inode(p, "tcp", ends);
	}
	if (inode == 0) {
		text_format(ends, sizeof(ends), " %s %s ", theirs6, ours6);
		inode = find_inode(p, "tcp6", ends);
	}
	return inode != 0 && has_inode(p, inode);
}

bool
process_runs(const struct process *p)
{
	struct pollfd end = {.fd = p->fd, .events = POLLIN};

	return p->pid != 0 && poll(&end, 1, 0) == 0;
}

bool
process_is_stopped(const struct process *p)
{
	uint64_t start;
	char state;

	return p->pid != 0 && read_stat(p, &state, &start) == 0 &&
	       state == 'T' && process_runs(p);
}

int
process_signal(const struct process *p, int sig)
{
	if (p->pid == 0)
		return -ESRCH;
	return syscall(SYS_pidfd_send_signal, p->fd, sig, NULL, 0) < 0 ? -errno
								       : 0;
}

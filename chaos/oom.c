/* SPDX-License-Identifier: ISC */
/* Kills for lack of memory; see oom.h. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chaos/oom.h"
#include "proto/base/text.h"

/* The number behind "oom_kill " at the beginning of a line. */
static bool
read_kills(const char *path, uint64_t *kills)
{
	static const char word[] = "\noom_kill ";
	char text[32768] = "\n";
	const char *at;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	n = read(fd, text + 1, sizeof(text) - 2);
	close(fd);
	text[n > 0 ? n + 1 : 0] = '\0';
	at = strstr(text, word);
	if (at == NULL)
		return false;
	*kills = strtoull(at + strlen(word), NULL, 10);
	return true;
}

/* "0::/path", or "4:memory:/path" of the first version of control groups. */
static bool
read_group(const char *line, uint64_t *kills)
{
	const char *path = strrchr(line, ':');
	char file[512] = "";

	if (path == NULL)
		return false;
	if (strncmp(line, "0::", 3) == 0)
		text_add(file, sizeof(file), "/sys/fs/cgroup%s/memory.events",
		    path + 1);
	else if (strstr(line, ":memory:") != NULL)
		text_add(file, sizeof(file),
		    "/sys/fs/cgroup/memory%s/memory.oom_control", path + 1);
	return file[0] != '\0' && read_kills(file, kills);
}

uint64_t
oom_kills(void)
{
	char text[4096], *line, *rest = text;
	uint64_t kills = 0;
	ssize_t n;
	int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);

	n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	while ((line = strsep(&rest, "\n")) != NULL)
		if (read_group(line, &kills))
			return kills;
	/* Where neither tells it is not known, and 0. */
	(void)read_kills("/proc/vmstat", &kills);
	return kills;
}

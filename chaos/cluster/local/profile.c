/* SPDX-License-Identifier: ISC */
/* Servers as seen from beside; see profile.h. */
#include <dirent.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chaos/cluster/local/profile.h"
#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/config.h"

static bool
holds(const char *path, const char *word)
{
	bool is_found = false;
	struct stat st;
	void *all;
	int fd = file_open(path);

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && st.st_size > 0) {
		all = mmap(
		    NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (all != MAP_FAILED) {
			is_found = memmem(all, (size_t)st.st_size, word,
				       strlen(word)) != NULL;
			munmap(all, (size_t)st.st_size);
		}
	}
	close(fd);
	return is_found;
}

bool
profile_is_cheap(const char *bins)
{
	char bin[CONFIG_PATH_MAX];

	while (text_next_item(&bins, bin, sizeof(bin)))
		if (!holds(bin, "prof_block_rate"))
			return false;
	return true;
}

uint64_t
profile_files(pid_t pid)
{
	const struct dirent *d;
	char path[64];
	uint64_t n = 0;
	DIR *dir;

	text_format(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = pid > 0 ? opendir(path) : NULL;
	if (dir == NULL)
		return 0;
	while ((d = readdir(dir)) != NULL)
		n += d->d_name[0] != '.';
	closedir(dir);
	return n;
}

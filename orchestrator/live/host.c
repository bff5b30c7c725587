/* SPDX-License-Identifier: ISC */
/* How busy this host is; see host.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "orchestrator/live/host.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define SAMPLE_NS (100 * CLOCK_MS)
#define TELL_NS	  (5 * CLOCK_S)
#define TASKS	  "/proc/loadavg"
#define PRESSURE  "/proc/pressure/cpu"
#define TEXT_SIZE 256 /* bytes of what the kernel says */

void
host_init(struct host *h)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	memset(h, 0, sizeof(*h));
	h->processors = n > 0 ? (uint64_t)n : 1;
}

void
host_late(struct host *h, uint64_t late_ns)
{
	if (late_ns > h->late_ns)
		h->late_ns = late_ns;
}

int
host_read_tasks(const char *text, uint64_t *tasks)
{
	/* "0.20 0.18 0.12 1/80 11206": running ones are before the slash. */
	const char *slash = strchr(text, '/');
	char number[16] = "";

	if (slash == NULL)
		return -EINVAL;
	while (slash > text && slash[-1] != ' ')
		slash--;
	text_add(
	    number, sizeof(number), "%.*s", (int)strcspn(slash, "/"), slash);
	return text_to_u64(number, UINT32_MAX, tasks);
}

int
host_read_pressure(const char *text, uint64_t *waited_us)
{
	/* "some avg10=0.22 avg60=0.17 avg300=1.11 total=58761459" */
	const char *total = strstr(text, "total=");
	char number[24] = "";

	if (total == NULL || strncmp(text, "some ", 5) != 0)
		return -EINVAL;
	total += strlen("total=");
	text_add(
	    number, sizeof(number), "%.*s", (int)strcspn(total, "\n"), total);
	return text_to_u64(number, UINT64_MAX, waited_us);
}

/* 0, or -EINVAL when the kernel does not tell. */
static int
read_by(
    const char *path, int (*read_text)(const char *, uint64_t *), uint64_t *out)
{
	char text[TEXT_SIZE];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return -EINVAL;
	text[n] = '\0';
	return read_text(text, out);
}

static void
tell(struct host *h, uint64_t now_ns, struct event *ev)
{
	struct msg_host_load *m = &ev->u.host_load;
	uint64_t waited_us = 0;
	int err = read_by(PRESSURE, host_read_pressure, &waited_us);

	*ev = (struct event){.type = MESSAGE_HOST_LOAD};
	m->span_ns = now_ns - h->told_ns;
	if (h->samples > 0)
		m->tasks =
		    (uint32_t)(h->tasks * 100 / h->samples / h->processors);
	m->late_ns = h->late_ns;
	m->pressure = HOST_PRESSURE_UNKNOWN;
	if (err == 0 && waited_us >= h->waited_us)
		m->pressure = (uint32_t)((waited_us - h->waited_us) *
					 UINT64_C(1000000) / m->span_ns);
	if (err == 0 && m->pressure > 1000)
		m->pressure = 1000; /* the two clocks differ a little */
	h->waited_us = waited_us;
	h->told_ns = now_ns;
	h->tasks = h->samples = h->late_ns = 0;
}

bool
host_poll(struct host *h, uint64_t now_ns, struct event *ev)
{
	uint64_t tasks;

	if (h->told_ns == 0) {
		(void)read_by(PRESSURE, host_read_pressure,
		    &h->waited_us); /* or it is never told */
		h->told_ns = now_ns;
		h->late_ns = 0;
	}
	if (h->processors == 0 || now_ns < h->sampled_ns + SAMPLE_NS)
		return false;
	h->sampled_ns = now_ns;
	if (read_by(TASKS, host_read_tasks, &tasks) == 0) {
		h->tasks += tasks;
		h->samples++;
	}
	if (now_ns < h->told_ns + TELL_NS)
		return false;
	tell(h, now_ns, ev);
	return true;
}

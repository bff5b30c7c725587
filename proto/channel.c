/* SPDX-License-Identifier: ISC */
/* One direction of a pipe; see channel.h. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/channel.h"

void
channel_out_init(
    struct channel_out *c, int fd, uint32_t source, uint32_t incarnation)
{
	memset(c, 0, sizeof(*c));
	c->fd = fd;
	c->source = source;
	c->incarnation = incarnation;
	buf_init(&c->buf, CHANNEL_OUT_MAX);
}

void
channel_out_fini(struct channel_out *c)
{
	buf_fini(&c->buf);
}

int
channel_flush(struct channel_out *c)
{
	ssize_t n;

	while (buf_len(&c->buf) > 0) {
		n = write(c->fd, buf_data(&c->buf), buf_len(&c->buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		buf_consume(&c->buf, (size_t)n);
	}
	return 0;
}

int
channel_send(struct channel_out *c, struct event *ev)
{
	uint8_t frame[FRAME_MAX];
	uint64_t now = clock_mono_ns();
	int len, err;

	ev->source = c->source;
	ev->incarnation = c->incarnation;
	/* A heartbeat is in no history, where it would leave a gap. */
	ev->seq = c->seq + (ev->type != MESSAGE_HEARTBEAT);
	ev->time_ns = now > c->last_ns ? now : c->last_ns;
	len = frame_encode(ev, frame);
	if (len < 0)
		return len;
	/* One write holds whole frames and at most PIPE_BUF: never torn. */
	if (buf_len(&c->buf) + (size_t)len > FRAME_MAX) {
		err = channel_flush(c);
		if (err < 0 && err != -EAGAIN)
			return err;
	}
	err = buf_append(&c->buf, frame, (size_t)len);
	if (err < 0)
		return err;
	c->seq = ev->seq;
	c->last_ns = ev->time_ns;
	return 0;
}

void
channel_in_init(struct channel_in *c, int fd)
{
	memset(c, 0, sizeof(*c));
	c->fd = fd;
	buf_init(&c->buf, CHANNEL_IN_MAX);
}

void
channel_in_fini(struct channel_in *c)
{
	buf_fini(&c->buf);
}

int
channel_fill(struct channel_in *c)
{
	uint8_t *room = buf_reserve(&c->buf, CHANNEL_FILL_BYTES);
	ssize_t n;

	if (room == NULL)
		return -errno;
	do
		n = read(c->fd, room, CHANNEL_FILL_BYTES);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n == 0)
		c->at_end = true;
	buf_commit(&c->buf, (size_t)n);
	return (int)n;
}

enum frame_state
channel_next(struct channel_in *c, struct event *ev, const uint8_t **raw,
    size_t *raw_len)
{
	enum frame_state state;
	size_t used = 0;

	state = frame_decode(buf_data(&c->buf), buf_len(&c->buf), ev, &used);
	if (state != FRAME_WHOLE)
		return state;
	*raw = buf_data(&c->buf);
	*raw_len = used;
	/* The bytes stay where they are until the next fill. */
	buf_consume(&c->buf, used);
	return FRAME_WHOLE;
}

bool
channel_is_torn(const struct channel_in *c)
{
	return c->at_end && buf_len(&c->buf) > 0;
}

/* SPDX-License-Identifier: ISC */
/*
 * Any bytes as a frame: what is decoded encodes to something that decodes
 * to the same, and prints without running over.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "tests/support.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct event ev, back;
	uint8_t frame[FRAME_MAX];
	char line[512];
	size_t used = 0, again = 0;
	int len;

	memset(&ev, 0, sizeof(ev));
	memset(&back, 0, sizeof(back));
	if (frame_decode(data, size, &ev, &used) != FRAME_WHOLE)
		return 0;
	MUST(used <= size && used <= FRAME_MAX);
	len = frame_encode(&ev, frame);
	MUST(len > 0 && (size_t)len <= FRAME_MAX);
	MUST(frame_decode(frame, (size_t)len, &back, &again) == FRAME_WHOLE);
	MUST(again == (size_t)len);
	MUST(support_same(&ev, &back));
	MUST(message_print(&ev, line, sizeof(line)) >= 0);
	MUST(strlen(line) < sizeof(line));
	return 0;
}

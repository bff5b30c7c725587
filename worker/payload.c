/* SPDX-License-Identifier: ISC */
/* What a message looks like; see payload.h. */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "proto/base/rng.h"
#include "proto/base/text.h"
#include "worker/payload.h"

#define MAGIC	"NBP1"
#define AT_SIZE 4
#define AT_RUN	8
#define AT_ID	16
#define AT_INC	24
#define AT_SUM	32

static uint64_t
sum_of(const uint8_t *data, size_t len)
{
	/* Everything but the eight bytes of the sum itself. */
	uint64_t head = XXH64(data, AT_SUM, 0);

	return XXH64(data + PAYLOAD_MIN, len - PAYLOAD_MIN, head);
}

void
payload_write(struct payload *p, uint8_t *out)
{
	uint64_t word = rng_mix(p->run ^ rng_mix(p->id));
	size_t at, left;

	memset(out, 0, PAYLOAD_MIN);
	memcpy(out, MAGIC, 4);
	memcpy(out + AT_SIZE, &p->size, sizeof(p->size));
	memcpy(out + AT_RUN, &p->run, sizeof(p->run));
	memcpy(out + AT_ID, &p->id, sizeof(p->id));
	memcpy(out + AT_INC, &p->incarnation, sizeof(p->incarnation));
	for (at = PAYLOAD_MIN; at < p->size; at += sizeof(word)) {
		left = p->size - at;
		memcpy(
		    out + at, &word, left < sizeof(word) ? left : sizeof(word));
		word = rng_mix(word + 1);
	}
	p->sum = sum_of(out, p->size);
	memcpy(out + AT_SUM, &p->sum, sizeof(p->sum));
}

bool
payload_read(struct payload *p, const void *data, size_t len)
{
	const uint8_t *d = data;
	bool whole = false;
	uint64_t sum;

	memset(p, 0, sizeof(*p));
	if (len >= PAYLOAD_MIN && len <= PAYLOAD_MAX) {
		memcpy(&p->size, d + AT_SIZE, sizeof(p->size));
		memcpy(&sum, d + AT_SUM, sizeof(sum));
		whole = memcmp(d, MAGIC, 4) == 0 && p->size == len &&
			sum == sum_of(d, len);
	}
	if (!whole) {
		p->size = 0;
		p->sum = XXH64(data, len, 0);
		return false;
	}
	memcpy(&p->run, d + AT_RUN, sizeof(p->run));
	memcpy(&p->id, d + AT_ID, sizeof(p->id));
	memcpy(&p->incarnation, d + AT_INC, sizeof(p->incarnation));
	p->sum = sum;
	return true;
}

void
payload_mark(struct payload *p, const char *marks)
{
	p->size = 0;
	p->sum = XXH64(marks, strlen(marks), rng_mix(p->run ^ rng_mix(p->id)));
}

bool
payload_read_id(struct payload *p, const char *id)
{
	char again[PAYLOAD_ID_MAX], *end;

	memset(p, 0, sizeof(*p));
	p->run = strtoull(id, &end, 16);
	if (*end == '-')
		p->id = strtoull(end + 1, &end, 16);
	payload_write_id(p->run, p->id, again);
	return strcmp(again, id) == 0;
}

void
payload_increment(uint64_t run, uint64_t id, char out[PAYLOAD_ADDS_MAX])
{
	uint64_t drawn = rng_mix(run ^ rng_mix(id + 1)), most = 100;

	if (drawn >> 60 == 0) /* one of sixteen */
		most = UINT64_MAX;
	else if (drawn >> 60 == 1)
		most = UINT64_C(1000000000000);
	text_format(out, PAYLOAD_ADDS_MAX, "%c%llu", drawn & 1 ? '+' : '-',
	    (unsigned long long)(rng_mix(drawn) % most));
	if (most == UINT64_MAX)
		text_add(out, PAYLOAD_ADDS_MAX, "%llu",
		    (unsigned long long)(drawn >> 8) % 1000000);
}

void
payload_value(const void *data, size_t len, char out[PAYLOAD_ADDS_MAX])
{
	static const char begin[] = "{\"val\":\"";
	size_t head = sizeof(begin) - 1;

	out[0] = '\0';
	if (len <= head + 2 || len - head - 2 >= PAYLOAD_ADDS_MAX ||
	    memcmp(data, begin, head) != 0 ||
	    memcmp((const char *)data + len - 2, "\"}", 2) != 0)
		return;
	text_format(out, PAYLOAD_ADDS_MAX, "%.*s", (int)(len - head - 2),
	    (const char *)data + head);
}

static bool
read_counter(struct payload *p, const struct payload_parts *parts)
{
	char text[PAYLOAD_ADDS_MAX];

	if (!payload_read_id(p, parts->id))
		return false;
	payload_value(parts->data, parts->len, text);
	if (text[0] == '\0')
		return false;
	payload_increment(p->run, p->id, text);
	payload_mark(p, text);
	if (strcmp(text, parts->adds) == 0)
		return true;
	/* Who adds up counters of others writes numbers anew: 5 and 0. */
	return (text[0] == '+' || strcmp(text, "-0") == 0) &&
	       strcmp(text + 1, parts->adds) == 0;
}

bool
payload_read_parts(struct payload *p, const struct payload_parts *parts)
{
	if (parts->adds[0] != '\0')
		return read_counter(p, parts);
	if (parts->len != 0 || parts->marks[0] == '\0')
		return payload_read(p, parts->data, parts->len);
	if (!payload_read_id(p, parts->id))
		return false;
	payload_mark(p, parts->marks);
	return true;
}

void
payload_write_id(uint64_t run, uint64_t id, char out[PAYLOAD_ID_MAX])
{
	text_format(out, PAYLOAD_ID_MAX, "%llx-%llx", (unsigned long long)run,
	    (unsigned long long)id);
}

uint64_t
payload_stored(uint64_t bytes, bool has_header, bool is_memory)
{
	if (is_memory)
		return bytes + 16;
	return bytes + 30 + (has_header ? 4 : 0);
}

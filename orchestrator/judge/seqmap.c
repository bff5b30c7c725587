/* SPDX-License-Identifier: ISC */
/* A run-length map from numbers to numbers; see seqmap.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/seqmap.h"
#include "proto/base/array.h"

void
seqmap_init(struct seqmap *m)
{
	memset(m, 0, sizeof(*m));
}

void
seqmap_fini(struct seqmap *m)
{
	free(m->runs);
	seqmap_init(m);
}

/* Index of the last run whose key is <= key, or n when there is none. */
static size_t
run_before(const struct seqmap *m, uint64_t key)
{
	size_t low = 0, high = m->n, mid;

	/* Histories grow at the end: look there first. */
	if (m->n > 0 && m->runs[m->n - 1].key <= key)
		return m->n - 1;
	while (low < high) {
		mid = low + (high - low) / 2;
		if (m->runs[mid].key <= key)
			low = mid + 1;
		else
			high = mid;
	}
	return low == 0 ? m->n : low - 1;
}

static int
insert_run(struct seqmap *m, size_t at, uint64_t key, uint64_t value)
{
	if (array_reserve(
		&m->runs, &m->room, m->n + 1, sizeof(*m->runs), UINT32_MAX) < 0)
		return -ENOMEM;
	memmove(&m->runs[at + 1], &m->runs[at], (m->n - at) * sizeof(*m->runs));
	m->runs[at] = (struct seqmap_run){key, value, 1};
	m->n++;
	return 0;
}

/* Merge run i + 1 into run i when it continues it. */
static void
join_next(struct seqmap *m, size_t i)
{
	struct seqmap_run *a = &m->runs[i], *b = a + 1;

	if (i + 1 >= m->n || a->key + a->len != b->key ||
	    a->value + a->len != b->value)
		return;
	a->len += b->len;
	memmove(b, b + 1, (m->n - i - 2) * sizeof(*b));
	m->n--;
}

int
seqmap_add(struct seqmap *m, uint64_t key, uint64_t value)
{
	size_t before = run_before(m, key), at;
	struct seqmap_run *r;
	int err;

	if (before < m->n) {
		r = &m->runs[before];
		if (key - r->key < r->len)
			return -EEXIST;
		if (key - r->key == r->len && value == r->value + r->len) {
			r->len++;
			m->count++;
			join_next(m, before);
			return 0;
		}
	}
	at = before < m->n ? before + 1 : 0;
	err = insert_run(m, at, key, value);
	if (err < 0)
		return err;
	m->count++;
	join_next(m, at);
	return 0;
}

int
seqmap_append(struct seqmap *m, uint64_t key, uint64_t len)
{
	int err;

	if (len == 0 || key + (len - 1) < key ||
	    (m->n > 0 && key <= seqmap_last(m)))
		return -EINVAL;
	err = seqmap_add(m, key, key);
	if (err < 0)
		return err;
	m->runs[m->n - 1].len += len - 1;
	m->count += len - 1;
	return 0;
}

int
seqmap_cover(struct seqmap *m, uint64_t first, uint64_t last)
{
	size_t i, end;
	uint64_t key;
	int err;

	if (first > last)
		return 0;
	err = seqmap_add(m, first, first);
	if (err == -ENOMEM)
		return err;
	i = run_before(m, first);
	/* The run takes in all that begin in the range or right behind it. */
	for (end = i + 1; end < m->n && m->runs[end].key - 1 <= last; end++) {
		key = m->runs[end].key + (m->runs[end].len - 1);
		if (key > last)
			last = key;
		m->count -= m->runs[end].len;
	}
	memmove(
	    &m->runs[i + 1], &m->runs[end], (m->n - end) * sizeof(*m->runs));
	m->n -= end - i - 1;
	key = m->runs[i].key;
	if (last - key >= m->runs[i].len) {
		m->count += last - key + 1 - m->runs[i].len;
		m->runs[i].len = last - key + 1;
	}
	return 0;
}

struct seqmap_part
seqmap_between(const struct seqmap *m, uint64_t first, uint64_t last)
{
	struct seqmap_part part = {0};
	const struct seqmap_run *r;
	size_t i = run_before(m, first);
	uint64_t low, high;

	for (i = i < m->n ? i : 0; i < m->n && m->runs[i].key <= last; i++) {
		r = &m->runs[i];
		low = r->key > first ? r->key : first;
		high = r->key + (r->len - 1);
		high = high < last ? high : last;
		if (low > high)
			continue;
		if (part.count == 0)
			part.low = low;
		part.high = high;
		part.count += high - low + 1;
	}
	return part;
}

bool
seqmap_find(const struct seqmap *m, uint64_t key, uint64_t *value)
{
	size_t i = run_before(m, key);

	if (i >= m->n || key - m->runs[i].key >= m->runs[i].len)
		return false;
	*value = m->runs[i].value + (key - m->runs[i].key);
	return true;
}

bool
seqmap_find_value(const struct seqmap *m, uint64_t value, uint64_t *key)
{
	size_t i;

	for (i = 0; i < m->n; i++)
		if (value >= m->runs[i].value &&
		    value - m->runs[i].value < m->runs[i].len) {
			*key = m->runs[i].key + (value - m->runs[i].value);
			return true;
		}
	return false;
}

bool
seqmap_first_missing(const struct seqmap *a, const struct seqmap *b,
    uint64_t from, uint64_t *key)
{
	const struct seqmap_run *ra, *rb;
	size_t i = run_before(a, from), j;
	uint64_t at;

	if (i >= a->n)
		i = 0;
	for (; i < a->n; i++) {
		ra = &a->runs[i];
		at = from > ra->key ? from : ra->key;
		while (at < ra->key + ra->len) {
			j = run_before(b, at);
			rb = j < b->n ? &b->runs[j] : NULL;
			if (rb == NULL || at - rb->key >= rb->len) {
				*key = at;
				return true;
			}
			at = rb->key + rb->len;
		}
	}
	return false;
}

void
seqmap_drop(struct seqmap *m, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		m->count -= m->runs[i].len;
	memmove(m->runs, m->runs + n, (m->n - n) * sizeof(*m->runs));
	m->n -= n;
}

uint64_t
seqmap_trim(struct seqmap *m, size_t runs)
{
	const struct seqmap_run *r;
	size_t i, gone = m->n / 4;
	uint64_t highest;

	if (m->n <= runs || gone == 0)
		return 0;
	for (i = 0; i < gone; i++)
		m->count -= m->runs[i].len;
	r = &m->runs[gone - 1];
	highest = r->key + r->len - 1;
	m->n -= gone;
	memmove(m->runs, m->runs + gone, m->n * sizeof(*m->runs));
	return highest;
}

uint64_t
seqmap_last(const struct seqmap *m)
{
	const struct seqmap_run *r;

	if (m->n == 0)
		return 0;
	r = &m->runs[m->n - 1];
	return r->key + r->len - 1;
}

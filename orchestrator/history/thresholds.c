/* SPDX-License-Identifier: ISC */
/* Limits of --limit; see thresholds.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/history/thresholds.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

enum unit {
	UNIT_TIME,
	UNIT_COUNT,
	UNIT_RATE
};

/* A figure of a history: false when it has none. */
typedef bool figure_read(const struct stats *, double part, double *out);

struct figure {
	const char *name;
	enum unit unit;
	figure_read *read;
	double part; /* of a histogram; 1: its maximum */
};

static bool
is_loaded(const struct stats *s)
{
	return s->load_ns != 0 && !s->no_load;
}

static bool
read_stall(const struct stats *s, double part, double *out)
{
	(void)part;
	*out = (double)s->other_stall_ns / 1e9;
	return is_loaded(s);
}

static bool
read_faults(const struct stats *s, bool is_outage, double *out)
{
	unsigned i;
	uint64_t ns = 0, one;
	bool any = false;

	for (i = 0; s->prices != NULL && i < SERIES_MODES; i++) {
		if (s->prices->modes[i].faults == 0)
			continue;
		any = true;
		one = is_outage ? s->prices->modes[i].outage_ns
				: s->prices->modes[i].heal_ns;
		ns = one > ns ? one : ns;
	}
	*out = (double)ns / 1e9;
	return any;
}

static bool
read_outage(const struct stats *s, double part, double *out)
{
	(void)part;
	return is_loaded(s) && read_faults(s, true, out);
}

static bool
read_heal(const struct stats *s, double part, double *out)
{
	(void)part;
	return read_faults(s, false, out);
}

static bool
read_hist(const struct hist *h, double part, double *out)
{
	*out = (double)(part < 1 ? hist_quantile(h, part) : h->max) / 1e9;
	return h->count > 0;
}

static bool
read_publish(const struct stats *s, double part, double *out)
{
	return read_hist(&s->publish, part, out);
}

static bool
read_consume(const struct stats *s, double part, double *out)
{
	return read_hist(&s->consume, part, out);
}

static bool
read_operation(const struct stats *s, double part, double *out)
{
	return read_hist(&s->other, part, out);
}

static bool
read_retries(const struct stats *s, double part, double *out)
{
	uint64_t n = 0;
	unsigned type;

	(void)part;
	for (type = 0; type < MESSAGE_TYPES; type++)
		if (message_class(type) & IS_INVOKE)
			n += s->seen[type][CASE_AGAIN];
	*out = (double)n;
	return is_loaded(s);
}

static bool
read_redeliveries(const struct stats *s, double part, double *out)
{
	(void)part;
	*out = (double)s->seen[MESSAGE_DELIVER][CASE_AGAIN];
	return stats_seen(s, MESSAGE_DELIVER) > 0;
}

static bool
read_rate(const struct stats *s, double part, double *out)
{
	uint64_t end = s->load_end_ns != 0 ? s->load_end_ns : s->last_ns;

	(void)part;
	if (!is_loaded(s) || end <= s->load_ns)
		return false;
	*out = (double)s->rounds / ((double)(end - s->load_ns) / 1e9);
	return true;
}

#define LATENCY(name, read)                                                    \
	{name ".p50", UNIT_TIME, read, 0.50},                                  \
	    {name ".p99", UNIT_TIME, read, 0.99},                              \
	    {name ".p999", UNIT_TIME, read, 0.999},                            \
	{                                                                      \
		name ".max", UNIT_TIME, read, 1                                \
	}

static const struct figure figures[] = {
    {"stall", UNIT_TIME, read_stall, 0},
    {"outage", UNIT_TIME, read_outage, 0},
    {"heal", UNIT_TIME, read_heal, 0},
    LATENCY("publish", read_publish),
    LATENCY("consume", read_consume),
    LATENCY("operation", read_operation),
    {"retries", UNIT_COUNT, read_retries, 0},
    {"redeliveries", UNIT_COUNT, read_redeliveries, 0},
    {"rate", UNIT_RATE, read_rate, 0},
};

#define FIGURES (sizeof(figures) / sizeof(figures[0]))

static int
read_bound(struct threshold *t, const char *text)
{
	char number[24];
	size_t len = strlen(text);
	uint64_t n = 0;

	if (figures[t->figure].unit == UNIT_TIME) {
		t->bound = 0;
		if (text_to_duration(text, &n) < 0)
			return -EINVAL;
		t->bound = (double)n / 1e9;
		return 0;
	}
	if (figures[t->figure].unit == UNIT_RATE && len > 2 &&
	    strcmp(text + len - 2, "/s") == 0)
		len -= 2;
	if (len >= sizeof(number))
		return -EINVAL;
	text_set(number, len + 1, text);
	if (text_to_u64(number, UINT32_MAX, &n) < 0)
		return -EINVAL;
	t->bound = (double)n;
	return 0;
}

static int
refuse(const char *item, const char *name, char *why)
{
	const char *names[FIGURES], *near;
	size_t i;

	for (i = 0; i < FIGURES; i++)
		names[i] = figures[i].name;
	near = text_nearest(name, names, FIGURES);
	text_format(why, OPTION_WHY_MAX,
	    "--limit \"%.100s\": must be FIGURE<VALUE or FIGURE>VALUE, such as "
	    "stall<10s, publish.p99<50ms, retries<100 or rate>500/s; figures "
	    "are",
	    item);
	for (i = 0; i < FIGURES; i++)
		text_add(why, OPTION_WHY_MAX, "%s%s", i ? ", " : " ", names[i]);
	if (near != NULL && strcmp(near, name) != 0)
		text_add(why, OPTION_WHY_MAX, "; did you mean %s?", near);
	return -EINVAL;
}

static int
parse_one(const char *item, struct threshold *t, char *why)
{
	char name[THRESHOLD_TEXT];
	size_t len = strcspn(item, "<>");

	memset(t, 0, sizeof(*t));
	if (!text_fits(t->text, sizeof(t->text), item))
		return refuse(item, "", why);
	text_set(name, len + 1, item);
	for (t->figure = 0; t->figure < FIGURES; t->figure++)
		if (strcmp(figures[t->figure].name, name) == 0)
			break;
	if (t->figure == FIGURES || item[len] == '\0' ||
	    read_bound(t, item + len + 1) < 0)
		return refuse(item, name, why);
	t->is_least = item[len] == '>';
	return 0;
}

int
thresholds_parse(
    const char *list, struct threshold out[THRESHOLDS_MAX], char *why)
{
	char item[CONFIG_LIST_MAX];
	int n = 0;

	while (text_next_item(&list, item, sizeof(item))) {
		if (n == THRESHOLDS_MAX) {
			text_format(why, OPTION_WHY_MAX,
			    "--limit \"%.100s\": at most %d of them", item,
			    THRESHOLDS_MAX);
			return -EINVAL;
		}
		if (parse_one(item, &out[n], why) < 0)
			return -EINVAL;
		n++;
	}
	return n;
}

unsigned
thresholds_look(const struct stats *s, struct threshold *t, unsigned n)
{
	const struct figure *f;
	unsigned i, bad = 0;

	for (i = 0; i < n; i++) {
		f = &figures[t[i].figure];
		if (!f->read(s, f->part, &t[i].measured))
			t[i].says = THRESHOLD_UNMEASURED;
		else if (t[i].is_least ? t[i].measured > t[i].bound
				       : t[i].measured < t[i].bound)
			t[i].says = THRESHOLD_KEPT;
		else
			t[i].says = THRESHOLD_EXCEEDED;
		bad += t[i].says != THRESHOLD_KEPT;
	}
	return bad;
}

void
threshold_measured(const struct threshold *t, char *out, size_t size)
{
	enum unit unit = figures[t->figure].unit;

	if (t->says == THRESHOLD_UNMEASURED)
		text_set(out, size, "not measured");
	else if (unit == UNIT_TIME && t->measured < 1)
		text_format(out, size, "%.1f ms", t->measured * 1e3);
	else if (unit == UNIT_TIME)
		text_format(out, size, "%.2f s", t->measured);
	else
		text_format(out, size, "%.0f%s", t->measured,
		    unit == UNIT_RATE ? "/s" : "");
}

const char *
threshold_word(enum threshold_says says)
{
	static const char *const words[] = {"kept", "exceeded", "not measured"};

	return words[says];
}

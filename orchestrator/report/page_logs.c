/* SPDX-License-Identifier: ISC */
/*
 * What local servers wrote around the anomalies and faults of the report page;
 * see page_parts.h. Their logs have wall-clock times of this host, without a
 * time zone. What is secret is taken out, as it is for a bundle.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "orchestrator/report/page_parts.h"
#include "orchestrator/report/redact.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/json.h"

#define PLACES_MAX (PAGE_CARDS_MAX + PAGE_FAULTS_MAX)
#define LINES_MAX  40		       /* of a place */
#define BYTES_MAX  ((size_t)400 << 10) /* of all places */
#define KEPT_MAX   20000	       /* lines that are looked at */
#define CONF_MAX   ((size_t)1 << 20)
#define BEFORE_NS  (2 * CLOCK_S) /* lines of a place are so near to it */
#define AFTER_NS   CLOCK_S
#define LINE_MAX   320
#define MINUTE_LEN 16 /* "2026/11/30 00:55" */
#define NAME_SIZE  64

struct line {
	uint64_t wall_ns;
	uint32_t nth; /* as it was read */
	char server[NAME_SIZE];
	char *text;
};

struct place {
	const char *what; /* "anomaly" or "fault" */
	unsigned number;
	uint64_t wall_ns;
	uint32_t first, n; /* of the lines */
	uint32_t left_out;
};

struct page_logs {
	struct redactor *redactor;
	struct place places[PLACES_MAX];
	unsigned nplaces, omitted; /* for want of room */
	uint64_t load_ns;	   /* by the wall clock */
	struct line *lines;
	uint32_t nlines, room;
};

static void
add_place(struct page_logs *l, const char *what, unsigned number, double t)
{
	double wall_ns = (double)l->load_ns + t * 1e9;

	if (l->nplaces < PLACES_MAX && wall_ns > 2.0 * BEFORE_NS)
		l->places[l->nplaces++] = (struct place){.what = what,
		    .number = number,
		    .wall_ns = (uint64_t)wall_ns};
}

static void
find_places(struct page_logs *l, const struct page *p)
{
	const cJSON *item;
	unsigned n = 0;

	cJSON_ArrayForEach (item, json_get(p->tree, "anomalies")) {
		if (n == PAGE_CARDS_MAX)
			break;
		add_place(l, "anomaly", ++n, json_number(item, "t"));
	}
	n = 0;
	cJSON_ArrayForEach (item, json_get(p->tree, "faults")) {
		if (n++ == PAGE_FAULTS_MAX)
			break;
		add_place(l, "fault", (unsigned)json_number(item, "fault"),
		    json_number(item, "t"));
	}
}

static bool
is_near(const struct page_logs *l, uint64_t wall_ns)
{
	const struct place *p;
	unsigned i;

	for (i = 0; i < l->nplaces; i++) {
		p = &l->places[i];
		if (wall_ns + BEFORE_NS >= p->wall_ns &&
		    wall_ns <= p->wall_ns + AFTER_NS)
			return true;
	}
	return false;
}

/* The minute "2026/11/30 00:55" of this host, in seconds; 0: it is none. */
static uint64_t
read_minute(const char *text)
{
	struct tm tm = {.tm_isdst = -1};
	const char *end = strptime(text, "%Y/%m/%d %H:%M", &tm);
	time_t t = end == text + MINUTE_LEN ? mktime(&tm) : -1;

	return t > 0 ? (uint64_t)t : 0;
}

static void
keep_line(
    struct page_logs *l, const char *server, uint64_t wall_ns, const char *text)
{
	struct line *line;

	line = l->nlines < KEPT_MAX ? array_at(&l->lines, &l->room, l->nlines,
					  sizeof(*line), KEPT_MAX)
				    : NULL;
	if (line == NULL)
		return;
	line->text = strdup(text);
	if (line->text == NULL)
		return;
	line->wall_ns = wall_ns;
	line->nth = l->nlines++;
	text_set(line->server, sizeof(line->server), server);
}

/* "[pid] 2026/11/30 00:55:44.872875 [INF] text", near to a place. */
static void
read_log(struct page_logs *l, const char *server, FILE *f)
{
	char line[LINE_MAX], minute[MINUTE_LEN + 1] = "", *at, *rest;
	uint64_t minute_s = 0, wall_ns;
	double seconds;

	while (fgets(line, sizeof(line), f) != NULL) {
		at = strstr(line, "] ");
		if (line[0] != '[' || at == NULL ||
		    strlen(at + 2) <= MINUTE_LEN + 1)
			continue;
		at += 2;
		if (strncmp(at, minute, MINUTE_LEN) != 0) {
			text_set(minute, sizeof(minute), at);
			minute_s = read_minute(minute);
		}
		seconds = strtod(at + MINUTE_LEN + 1, &rest);
		wall_ns = minute_s * CLOCK_S + (uint64_t)(seconds * 1e9);
		rest += strspn(rest, " ");
		rest[strcspn(rest, "\n")] = '\0';
		/* A banner of letters comes with each start. */
		at = strchr(rest, ' ');
		if (minute_s == 0 || !(seconds >= 0 && seconds < 61) ||
		    !is_near(l, wall_ns) || at == NULL ||
		    strncmp(at, "     ", 5) == 0)
			continue;
		keep_line(l, server, wall_ns, rest);
	}
}

static void
learn_secrets(const struct page_logs *l, const char *dir)
{
	char path[1024], *text;
	size_t len;

	text_format(path, sizeof(path), "%s/server.conf", dir);
	text = file_read(path, CONF_MAX, &len);
	if (text != NULL)
		redact_learn(l->redactor, text, len);
	free(text);
}

static void
read_server(struct page_logs *l, const char *dir, const char *server)
{
	char path[1024];
	FILE *f;
	int fd;

	text_format(path, sizeof(path), "%s/server.log", dir);
	fd = file_open(path);
	f = fd < 0 ? NULL : fdopen(fd, "r");
	if (f == NULL)
		return;
	read_log(l, server, f);
	(void)fclose(f); /* it was only read */
}

static void
read_servers(struct page_logs *l, const char *run_dir)
{
	struct dirent **list = NULL;
	char dir[960], path[960];
	int i, n;

	text_format(dir, sizeof(dir), "%s/servers", run_dir);
	n = scandir(dir, &list, NULL, alphasort);
	for (i = 0; i < n; i++) {
		text_format(
		    path, sizeof(path), "%.600s/%s", dir, list[i]->d_name);
		if (list[i]->d_name[0] != '.') {
			learn_secrets(l, path);
			read_server(l, path, list[i]->d_name);
		}
		free(list[i]);
	}
	free(list);
}

static int
line_compare(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->wall_ns != y->wall_ns)
		return x->wall_ns > y->wall_ns ? 1 : -1;
	return (x->nth > y->nth) - (x->nth < y->nth);
}

/* The lines that are nearest to it, as many as it may have. */
static void
choose(const struct page_logs *l, struct place *p, size_t *bytes)
{
	uint32_t low, high, i, end, size = sizeof(*l->lines);
	uint64_t before, after;

	i = array_lower(l->lines, l->nlines, size, p->wall_ns - BEFORE_NS);
	end = array_lower(l->lines, l->nlines, size, p->wall_ns + AFTER_NS);
	low = high = array_lower(l->lines, l->nlines, size, p->wall_ns);
	while (high - low < LINES_MAX && (low > i || high < end)) {
		before = low > i ? p->wall_ns - l->lines[low - 1].wall_ns
				 : UINT64_MAX;
		after = high < end ? l->lines[high].wall_ns - p->wall_ns
				   : UINT64_MAX;
		if (before < after)
			*bytes += strlen(l->lines[--low].text) + NAME_SIZE;
		else
			*bytes += strlen(l->lines[high++].text) + NAME_SIZE;
	}
	p->first = low;
	p->n = high - low;
	p->left_out = end - i - p->n;
}

static void
choose_all(struct page_logs *l)
{
	size_t bytes = 0, wanted;
	unsigned i;

	for (i = 0; i < l->nplaces; i++) {
		wanted = bytes;
		choose(l, &l->places[i], &wanted);
		if (wanted <= BYTES_MAX) {
			bytes = wanted;
			continue;
		}
		l->omitted++;
		l->places[i].n = 0;
	}
}

struct page_logs *
page_logs_read(const struct page *p)
{
	const struct stats *s = &p->h->stats;
	struct page_logs *l;

	if (p->h->run_dir == NULL || s->load_ns == 0 || s->wall_ns <= 0)
		return NULL;
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return NULL;
	l->load_ns = (uint64_t)s->wall_ns + (s->load_ns - s->first_ns);
	l->redactor = redact_create();
	find_places(l, p);
	if (l->redactor != NULL && l->nplaces > 0)
		read_servers(l, p->h->run_dir);
	if (l->nlines > 0)
		qsort(l->lines, l->nlines, sizeof(*l->lines), line_compare);
	choose_all(l);
	return l;
}

void
page_logs_free(struct page_logs *l)
{
	uint32_t i;

	if (l == NULL)
		return;
	for (i = 0; i < l->nlines; i++)
		free(l->lines[i].text);
	free(l->lines);
	redact_destroy(l->redactor);
	free(l);
}

void
page_logs_link(const struct page *p, const char *what, unsigned number)
{
	const struct page_logs *l = p->logs;
	unsigned i;

	for (i = 0; l != NULL && i < l->nplaces; i++)
		if (l->places[i].n > 0 && l->places[i].number == number &&
		    strcmp(l->places[i].what, what) == 0) {
			fprintf(p->out, "<a href=#log-%s-%u>logs</a>", what,
			    number);
			return;
		}
}

/* Its lines, without secrets; with a time since the load began. */
static void
write_lines(const struct page *p, const struct place *place)
{
	const struct page_logs *l = p->logs;
	const struct line *line;
	char *text = NULL, *clean;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	uint32_t i;

	if (f == NULL)
		return;
	for (i = 0; i < place->n; i++) {
		line = &l->lines[place->first + i];
		fprintf(f, "%10.3f %s %s\n",
		    ((double)line->wall_ns - (double)l->load_ns) / 1e9,
		    line->server, line->text);
	}
	clean = fclose(f) == 0
		    ? redact_text(l->redactor, text, len, REDACT_LOG, &len)
		    : NULL;
	if (clean != NULL)
		page_put(p, clean);
	free(clean);
	free(text);
}

void
page_logs(const struct page *p)
{
	const struct page_logs *l = p->logs;
	const struct place *place;
	unsigned i;

	if (l == NULL || l->nlines == 0)
		return;
	fputs("<section id=logs><h2>Server logs<small>from 2 s before a moment "
	      "to 1 s after it, by the clocks of the servers; in seconds since "
	      "the load began</small></h2>\n",
	    p->out);
	for (i = 0; i < l->nplaces; i++) {
		place = &l->places[i];
		if (place->n == 0)
			continue;
		fprintf(p->out,
		    "<details id=log-%s-%u><summary>%s %u, at %.3f s",
		    place->what, place->number, place->what, place->number,
		    ((double)place->wall_ns - (double)l->load_ns) / 1e9);
		if (place->left_out > 0)
			fprintf(p->out,
			    "; %u lines further from it are left "
			    "out",
			    place->left_out);
		fputs("</summary><pre>\n", p->out);
		write_lines(p, place);
		fputs("</pre></details>\n", p->out);
	}
	if (l->omitted > 0)
		fprintf(p->out,
		    "<p class=soft>Lines of %u further moments are left out: "
		    "the page has 400 KiB of them. All stand in "
		    "servers/*/server.log.</p>\n",
		    l->omitted);
	fputs("</section>\n", p->out);
}

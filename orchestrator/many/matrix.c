/* SPDX-License-Identifier: ISC */
/* The cells of a matrix; see matrix.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "orchestrator/command/limits.h"
#include "orchestrator/command/usage.h"
#include "orchestrator/command/validate.h"
#include "orchestrator/judge/judge.h"
#include "orchestrator/many/demand.h"
#include "orchestrator/many/forms.h"
#include "orchestrator/many/matrix.h"
#include "orchestrator/report/report.h"
#include "proto/base/text.h"
#include "proto/json.h"
#include "worker/worker.h"

#define ROUNDS_MAX 1000

const struct option_spec matrix_options[] = {
    {"tests", OPTION_STRING, offsetof(struct matrix_options, tests),
	CONFIG_LIST_MAX, "", 0, 0, NULL, "TEST[,TEST]",
	"matrix, hunt: tests to combine, or to draw from", false},
    {"repeat", OPTION_U64, offsetof(struct matrix_options, repeat),
	sizeof(uint64_t), "1", 1, ROUNDS_MAX, NULL, "N",
	"matrix: runs of each combination", false},
    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
};

/* The axes */

static int
take_tests(struct matrix *m)
{
	const char *list = m->own.tests;
	char test[CONFIG_NAME_MAX + 1];
	int bad = 0;

	while (bad == 0 && text_next_item(&list, test, sizeof(test)))
		bad = axis_add(&m->tests, "tests", test, test);
	if (bad == 0 && m->tests.n == 0)
		return usage_error("matrix: which tests? --tests TEST[,TEST]; "
				   "\"natsburn list\" names them");
	return bad;
}

static int
take_mayhem(struct matrix *m)
{
	const char *list = m->base.mayhem;
	char item[sizeof(m->base.mayhem)], label[sizeof(item)];
	int bad = 0;

	while (bad == 0 && text_next_item(&list, item, sizeof(item))) {
		text_set(label, sizeof(label), item);
		axis_split(item);
		bad = axis_add(&m->mayhems, "mayhem", item, label);
	}
	if (bad == 0 && m->mayhems.n == 0)
		return usage_error("--mayhem \"\": must name a mode, or none");
	return bad;
}

/* The cells */

static bool
applies(const char *extra, const struct run_config *c)
{
	size_t len = strcspn(extra, ".");
	char scope[64];

	if (extra[len] == '\0' || len >= sizeof(scope))
		return true; /* the check of the options complains */
	text_set(scope, len + 1, extra);
	return strcmp(scope, c->test) == 0 || config_list_has(c->mayhem, scope);
}

/* -o NAME.KEY=VALUE is for the cells of that test or mode. */
static void
drop_extras(struct run_config *c)
{
	size_t i, n = 0;

	for (i = 0; i < c->nextras; i++)
		if (applies(c->extras[i], c) && n++ != i)
			memcpy(c->extras[n - 1], c->extras[i],
			    sizeof(c->extras[0]));
	c->nextras = n;
}

void
matrix_config(const struct matrix *m, const struct matrix_cell *cell,
    struct run_config *c)
{
	*c = m->base;
	text_set(c->test, sizeof(c->test), m->tests.items[cell->test].value);
	text_set(
	    c->mayhem, sizeof(c->mayhem), m->mayhems.items[cell->mayhem].value);
	text_set(c->server_bin, sizeof(c->server_bin),
	    m->versions.items[cell->version].value);
	if (!validate_has_role(c->test, WORKLOAD_CONSUMERS))
		c->consumers = 0; /* for the cells of other tests */
	if (!validate_has_role(c->test, WORKLOAD_CLIENTS))
		c->clients = 0;
	(void)validate_fill(c); /* matrix_init() saw that it can be */
	drop_extras(c);
	matrix_path(m, cell, NULL, c->out, sizeof(c->out));
	if (c->seed != 0)
		c->seed += cell->round - 1;
	c->json = false;
	c->quiet = false;
}

void
matrix_path(const struct matrix *m, const struct matrix_cell *cell,
    const char *file, char *out, size_t size)
{
	out[0] = '\0';
	text_add(out, size, "%s/%s%s%s", m->dir, cell->name,
	    file != NULL ? "/" : "", file != NULL ? file : "");
}

static int
name_cell(const struct matrix *m, struct matrix_cell *cell)
{
	const char *test = m->tests.items[cell->test].label;
	const char *mayhem = m->mayhems.items[cell->mayhem].label;
	const char *version = m->versions.items[cell->version].label;

	cell->name[0] = '\0';
	if (!text_fits_add(cell->name, sizeof(cell->name), "%s-%s-%s-%u", test,
		mayhem, version, cell->round))
		return usage_error("\"%s-%s-%s\": is too long to name a folder",
		    test, mayhem, version);
	if (strlen(m->dir) + sizeof(cell->name) + 32 >= CONFIG_PATH_MAX)
		return usage_error("--out \"%s\": is too long", m->dir);
	return 0;
}

/* Can this be run at all? */
static int
check_cell(const struct matrix *m, const struct matrix_cell *cell)
{
	struct run_config *c = calloc(1, sizeof(*c));
	int bad;

	if (c == NULL)
		return usage_error("out of memory");
	matrix_config(m, cell, c);
	/* Still "all": why it can't be expanded was said. */
	bad = strcmp(c->mayhem, "all") == 0 ? EXIT_USAGE : validate_config(c);
	if (bad == 0)
		bad = limits_check(c);
	free(c);
	return bad;
}

static int
make_cells(struct matrix *m)
{
	uint64_t n =
	    (uint64_t)m->tests.n * m->mayhems.n * m->versions.n * m->own.repeat;
	struct matrix_cell *cell;
	unsigned i;
	int bad = 0;

	if (n > MATRIX_CELLS_MAX)
		return usage_error("%llu cells: at most %d can be run",
		    (unsigned long long)n, MATRIX_CELLS_MAX);
	m->cells = calloc(n, sizeof(*m->cells));
	if (m->cells == NULL)
		return usage_error("out of memory");
	m->ncells = (unsigned)n;
	for (i = 0; i < m->ncells && bad == 0; i++) {
		cell = &m->cells[i];
		cell->version = i % m->versions.n;
		cell->mayhem = i / m->versions.n % m->mayhems.n;
		cell->test = i / m->versions.n / m->mayhems.n % m->tests.n;
		cell->round = 1 + i / m->versions.n / m->mayhems.n / m->tests.n;
		bad = name_cell(m, cell);
		if (bad == 0 && cell->round == 1)
			bad = check_cell(m, cell);
	}
	return bad;
}

/* So is a number of processes that no test has. */
static int
check_roles(const struct matrix *m)
{
	bool has_consumers = false, has_clients = false;
	unsigned i;

	for (i = 0; i < m->tests.n; i++) {
		has_consumers |= validate_has_role(
		    m->tests.items[i].value, WORKLOAD_CONSUMERS);
		has_clients |= validate_has_role(
		    m->tests.items[i].value, WORKLOAD_CLIENTS);
	}
	if (m->base.consumers != 0 && !has_consumers)
		return usage_error("--consumers %llu: no test in this matrix "
				   "has consumers",
		    (unsigned long long)m->base.consumers);
	if (m->base.clients != 0 && !has_clients)
		return usage_error("--clients %llu: no test in this matrix "
				   "has clients",
		    (unsigned long long)m->base.clients);
	return 0;
}

/* An option of a test or mode that no cell has is a mistake. */
static int
check_extras(const struct matrix *m)
{
	struct run_config *c = calloc(1, sizeof(*c));
	bool used[CONFIG_EXTRAS_MAX] = {false};
	unsigned i;
	size_t k;

	if (c == NULL)
		return usage_error("out of memory");
	for (i = 0; i < m->ncells && m->base.nextras > 0; i++) {
		matrix_config(m, &m->cells[i], c);
		for (k = 0; k < m->base.nextras; k++)
			used[k] |= applies(m->base.extras[k], c);
	}
	free(c);
	for (k = 0; k < m->base.nextras; k++)
		if (!used[k])
			return usage_error(
			    "-o \"%s\": is of no test or mayhem mode in this "
			    "matrix",
			    m->base.extras[k]);
	return check_roles(m);
}

int
matrix_init(struct matrix *m)
{
	int bad = take_tests(m);

	if (bad == 0)
		bad = take_mayhem(m);
	if (bad == 0)
		bad = axis_servers(&m->versions, &m->base);
	if (bad == 0)
		bad = make_cells(m);
	if (bad == 0)
		bad = check_extras(m);
	return bad;
}

void
matrix_fini(struct matrix *m)
{
	unsigned i;

	for (i = 0; i < m->ncells; i++)
		cJSON_Delete(m->cells[i].outcome);
	free(m->cells);
	m->cells = NULL;
	m->ncells = 0;
}

/* What a cell's run left */

/* Was the run whose report this is asked the same as the cell is? */
static bool
agrees(const struct matrix *m, const struct matrix_cell *cell, const cJSON *o)
{
	static const char free_to_differ[] =
	    "out,json,quiet,metrics,password-file,token-file,"
	    "sys-password-file";
	struct run_config *c = calloc(1, sizeof(*c));
	const cJSON *want, *got = json_get(o, "options");
	cJSON *options;
	bool same = c != NULL && got != NULL;

	if (c == NULL)
		return false;
	matrix_config(m, cell, c);
	options = report_options(c);
	cJSON_ArrayForEach (want, options) {
		if (config_list_has(free_to_differ, want->string) ||
		    (strcmp(want->string, "seed") == 0 && c->seed == 0))
			continue;
		same &= cJSON_Compare(want, json_get(got, want->string), true);
	}
	same = same && strcmp(json_text(o, "test"), c->test) == 0;
	cJSON_Delete(options);
	free(c);
	return same;
}

bool
matrix_take(struct matrix *m, struct matrix_cell *cell)
{
	char path[CONFIG_PATH_MAX + 32], lacks[DEMAND_WHY_MAX];
	const cJSON *code;
	cJSON *report;
	bool good;

	matrix_path(m, cell, "interrupted", path, sizeof(path));
	if (access(path, F_OK) == 0)
		return false;
	matrix_path(m, cell, "report.json", path, sizeof(path));
	report = forms_load(path);
	code = json_get(report, "exit_code");
	good = report != NULL && demand_report(report, lacks) &&
	       json_is_true(report, "finished") && agrees(m, cell, report);
	if (good) {
		cell->state = CELL_FINISHED;
		cell->exit_code = code->valueint;
		cJSON_Delete(cell->outcome);
		cell->outcome = forms_outcome(report);
	}
	cJSON_Delete(report);
	return good;
}

/* What it all means */

const char *
matrix_word(const struct matrix_cell *cell)
{
	if (cell->state == CELL_DIED)
		return "died";
	if (cell->state != CELL_FINISHED)
		return "not run";
	return forms_word(cell->exit_code);
}

unsigned
matrix_count(const struct matrix *m, const char *word)
{
	unsigned i, n = 0;

	for (i = 0; i < m->ncells; i++)
		n += strcmp(matrix_word(&m->cells[i]), word) == 0;
	return n;
}

int
matrix_exit_code(const struct matrix *m)
{
	int code = EXIT_PASS;
	unsigned i;

	for (i = 0; i < m->ncells; i++)
		code = forms_worse(
		    code, forms_word_code(matrix_word(&m->cells[i])));
	return code;
}

const char *
matrix_reason(const struct matrix_cell *cell)
{
	const char *first = cJSON_GetStringValue(
	    cJSON_GetArrayItem(json_get(cell->outcome, "reasons"), 0));

	if (cell->state == CELL_DIED)
		return cell->why;
	if (cell->state == CELL_INTERRUPTED)
		return "interrupted";
	if (cell->state == CELL_WAITING)
		return "not run yet";
	return first != NULL ? first : "";
}

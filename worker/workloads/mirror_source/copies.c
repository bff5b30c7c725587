/* SPDX-License-Identifier: ISC */
/* What copies copy; see mirror_source.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "proto/topology.h"
#include "worker/request.h"
#include "worker/workloads/mirror_source/mirror_source.h"

#define FILTERED_MAX 3 /* subjects that are taken, where not all are */
#define TIME_MAX     64
#define RELAY_NS     (30 * CLOCK_S) /* to be made */

/* What a copy takes of one stream. */
struct part {
	uint32_t origin;   /* index of the stream that it copies */
	uint32_t home;	   /* of the subjects of this origin */
	uint64_t start;	   /* sequence; 0: all */
	bool by_time;	   /* as the time of that message */
	uint64_t subjects; /* bits; 0: all */
	bool is_renamed;
};

struct plan {
	bool is_mirror, is_relayed;
	struct part parts[MIRROR_ORIGINS_MAX];
	uint32_t n;
	uint64_t max_messages, replicas;
};

void
mirror_subject(const struct worker *w, const struct mirror_subject *s,
    char out[OPERATE_SUBJECT_MAX])
{
	char suffix[32];

	text_format(
	    suffix, sizeof(suffix), "%c%u", s->is_renamed ? 't' : 's', s->home);
	if (s->number == 0)
		text_add(suffix, sizeof(suffix), ".>");
	else
		text_add(suffix, sizeof(suffix), ".k%u", s->number);
	worker_subject(w, suffix, out, OPERATE_SUBJECT_MAX);
}

struct mirror_subject
mirror_subject_read(const struct worker *w, const char *text)
{
	const struct mirror_options *o = w->options;
	struct mirror_subject s = {0, 0, false};
	char begin[OPERATE_SUBJECT_MAX], same[OPERATE_SUBJECT_MAX];
	const char *k = strrchr(text, 'k');
	uint64_t number;

	worker_subject(w, "", begin, sizeof(begin));
	if (strncmp(text, begin, strlen(begin)) != 0 || k == NULL ||
	    text_to_u64(k + 1, o->store.subjects, &number) < 0)
		return s;
	s.is_renamed = text[strlen(begin)] == 't';
	s.home = (uint32_t)strtoul(text + strlen(begin) + 1, NULL, 10);
	s.number = (uint32_t)number;
	mirror_subject(w, &s, same);
	if (strcmp(same, text) != 0 || s.home >= o->store.streams)
		s.number = 0;
	return s;
}

static bool
one_of(struct rng *r, uint64_t n)
{
	return rng_below(r, n) == 0;
}

/* Where it begins, and which subjects it takes. */
static void
draw_part(struct worker *w, struct rng *r, bool is_mirror, struct part *p)
{
	const struct mirror_options *o = w->options;
	const struct store_state *st = w->state;
	const struct operate_stream *t = &st->operate.streams[p->home];
	uint64_t n = 1 + rng_below(r, FILTERED_MAX);

	if (t->last > t->first && one_of(r, 2))
		p->start = t->first + rng_below(r, t->last - t->first + 1);
	p->by_time = one_of(r, 2) && (is_mirror || o->source_times);
	p->is_renamed = one_of(r, 2);
	/* Several filters are had by transforms only. */
	if (one_of(r, 2))
		for (n = p->is_renamed ? n : 1; n > 0; n--)
			p->subjects |= UINT64_C(1)
				       << rng_below(r, o->store.subjects);
}

/* May a fault take what one server stores, so that one replica loses it? */
static bool
may_lose_stores(const struct worker *w)
{
	static const char *const modes[] = {
	    "peer_remove", "power_loss", "bit_rot", "disk_error", "wipe_store"};
	size_t i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (config_list_has(w->config.mayhem, modes[i]))
			return true;
	return false;
}

bool
mirror_relay(const struct worker *w, char name[64])
{
	char why[OPTION_WHY_MAX];
	struct topology t;

	/* Not as streams of the run are named: it is none that chaos knows. */
	text_format(name, 64, "RELAY_%llX", (unsigned long long)w->config.run);
	return topology_read(&w->config, &t, why) == 0 && t.has_leafs &&
	       strcmp(w->config.storage, "file") == 0 && !may_lose_stores(w);
}

/* The domain of the run's streams, and the other one. */
static const char *
domain_of(const struct worker *w, bool is_home)
{
	bool in_leaf = strcmp(w->config.js_domain, TOPOLOGY_LEAF) == 0;

	return in_leaf == is_home ? TOPOLOGY_LEAF : TOPOLOGY_HUB;
}

/* What must be there is made certain by i; the rest is drawn. */
static void
draw_plan(struct worker *w, uint32_t i, struct plan *c)
{
	const struct mirror_options *o = w->options;
	uint32_t n = (uint32_t)o->store.streams, k;
	char name[64];
	struct rng r;

	text_format(name, sizeof(name), "mirror-source %u", i);
	rng_init(&r, w->config.seed, name);
	memset(c, 0, sizeof(*c));
	c->replicas =
	    one_of(&r, 4) && !may_lose_stores(w) ? 1 : w->config.replicas;
	c->is_mirror = i % 3 != 1;
	c->is_relayed = i == 0 && mirror_relay(w, name);
	c->n = c->is_mirror ? 1 : n;
	for (k = 0; k < c->n; k++)
		c->parts[k].origin = c->parts[k].home = k;
	switch (i % 6) {
	case 0: /* a plain mirror: later there is one of it */
		c->parts[0].origin = c->parts[0].home = i / 6 % n;
		break;
	case 1: /* all of all */
		break;
	case 2:
		c->parts[0].origin = c->parts[0].home = 1 % n;
		draw_part(w, &r, true, &c->parts[0]);
		break;
	case 3:
		c->parts[0].origin = n + i - 3;
		c->parts[0].home = i / 6 % n;
		break;
	case 4:
		for (k = 0; k < n; k++)
			draw_part(w, &r, false, &c->parts[k]);
		break;
	default:
		k = (uint32_t)rng_below(&r, n);
		c->parts[0].origin = c->parts[0].home = k;
		c->max_messages = 20 + rng_below(&r, 180);
		break;
	}
}

static void
stream_name(const struct worker *w, uint32_t index, char out[64])
{
	const struct mirror_options *o = w->options;
	char suffix[16];

	if (index < o->store.streams) {
		operate_name(w, index, out);
		return;
	}
	text_format(
	    suffix, sizeof(suffix), "m%u", index - (uint32_t)o->store.streams);
	worker_stream_name(w, suffix, out, 64);
}

/* The time of a message as the server has it; "" when it can't be had. */
static void
read_time(struct worker *w, const char *stream, uint64_t seq, char *out)
{
	natsMsg *msg = NULL;
	jsOptions jo;
	int64_t ns = 0;
	time_t whole;
	struct tm tm;

	session_options(&jo, OPERATE_ATTEMPT_MS);
	if (js_GetMsg(&msg, w->session.js, stream, seq, &jo, NULL) == NATS_OK)
		ns = natsMsg_GetTime(msg);
	natsMsg_Destroy(msg);
	out[0] = '\0';
	whole = (time_t)(ns / (int64_t)CLOCK_S);
	if (ns > 0 && gmtime_r(&whole, &tm) != NULL)
		text_format(out, TIME_MAX,
		    "%04d-%02d-%02dT%02d:%02d:%02d.%09lldZ", tm.tm_year + 1900,
		    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		    (long long)(ns % (int64_t)CLOCK_S));
}

static void
put_transform(
    const struct worker *w, cJSON *list, const struct mirror_subject *of)
{
	struct mirror_subject to = *of;
	char from[OPERATE_SUBJECT_MAX], dest[OPERATE_SUBJECT_MAX];
	cJSON *item = cJSON_CreateObject();

	to.is_renamed = true;
	mirror_subject(w, of, from);
	mirror_subject(w, &to, dest);
	if (of->number == 0) { /* ".>" at the end of both */
		text_set(strrchr(from, '>'), 2, "*");
		*strrchr(dest, '>') = '\0';
		text_add(dest, sizeof(dest), "{{wildcard(1)}}");
	}
	json_put_text(item, "src", from);
	json_put_text(item, "dest", dest);
	json_append(list, item);
}

/* Filter and transforms, which are one list where there are any. */
static void
put_subjects(const struct worker *w, cJSON *to, const struct part *p)
{
	struct mirror_subject s = {p->home, 0, false};
	char text[OPERATE_SUBJECT_MAX];
	cJSON *list = NULL;

	if (p->is_renamed)
		list = json_put_array(to, "subject_transforms");
	if (list != NULL && p->subjects == 0)
		put_transform(w, list, &s);
	for (s.number = 1; s.number <= OPERATE_SUBJECTS_MAX; s.number++) {
		if ((p->subjects >> (s.number - 1) & 1) == 0)
			continue;
		mirror_subject(w, &s, text);
		if (list != NULL)
			put_transform(w, list, &s);
		else
			json_put_text(to, "filter_subject", text);
	}
}

static void
put_external(cJSON *to, const char *domain)
{
	char api[64];

	text_format(api, sizeof(api), "$JS.%s.API", domain);
	json_put_text(json_put_object(to, "external"), "api", api);
}

static cJSON *
write_relayed(struct worker *w)
{
	cJSON *to = cJSON_CreateObject();
	char name[64];

	if (mirror_relay(w, name))
		json_put_text(to, "name", name);
	put_external(to, domain_of(w, false));
	return to;
}

static cJSON *
write_part(struct worker *w, const struct part *p)
{
	cJSON *to = cJSON_CreateObject();
	char name[64], at[TIME_MAX] = "";

	stream_name(w, p->origin, name);
	json_put_text(to, "name", name);
	if (p->start != 0 && p->by_time)
		read_time(w, name, p->start, at);
	if (at[0] != '\0')
		json_put_text(to, "opt_start_time", at);
	else if (p->start != 0)
		json_put_number(to, "opt_start_seq", (double)p->start);
	put_subjects(w, to, p);
	return to;
}

/*
 * In clusters that gateways connect copies are spread, so that some are in
 * another than their origins, which are where this client is.
 */
static void
put_placement(const struct worker *w, cJSON *tree, uint32_t i)
{
	char why[OPTION_WHY_MAX], base[TOPOLOGY_FULL_MAX];
	char cluster[TOPOLOGY_FULL_MAX];
	struct topology t;

	if (topology_read(&w->config, &t, why) < 0 || !t.has_gateways)
		return;
	topology_base(&w->config, base);
	topology_full_name(&t, base, i % t.n, cluster);
	json_put_text(json_put_object(tree, "placement"), "cluster", cluster);
}

/* The request; the caller frees it. NULL without memory. */
static char *
write_plan(
    struct worker *w, const char *name, const struct plan *c, uint32_t copy)
{
	cJSON *tree = cJSON_CreateObject(), *list = NULL;
	char *text = NULL;
	uint32_t i;

	json_put_text(tree, "name", name);
	json_put_text(tree, "retention", "limits");
	json_put_number(tree, "max_consumers", -1);
	json_put_number(tree, "max_msgs",
	    c->max_messages != 0 ? (double)c->max_messages : -1);
	json_put_number(tree, "max_bytes", -1);
	json_put_text(tree, "discard", "old");
	json_put_text(tree, "storage", w->config.storage);
	json_put_number(tree, "num_replicas", (double)c->replicas);
	json_put_bool(tree, "allow_direct", true);
	put_placement(w, tree, copy);
	if (c->is_mirror) {
		json_put(tree, "mirror",
		    c->is_relayed ? write_relayed(w)
				  : write_part(w, &c->parts[0]));
		json_put_bool(tree, "mirror_direct", true);
	} else
		list = json_put_array(tree, "sources");
	for (i = 0; list != NULL && i < c->n; i++)
		json_append(list, write_part(w, &c->parts[i]));
	text = cJSON_PrintUnformatted(tree);
	cJSON_Delete(tree);
	return text;
}

static void
tell_copy(struct worker *w, uint32_t i, const struct plan *c, uint64_t created)
{
	const struct mirror_options *o = w->options;
	uint32_t stream = (uint32_t)o->store.streams + i, k;
	struct event ev = {.type = MESSAGE_STREAM};
	struct msg_copy_terms *m = &ev.u.copy_terms;

	ev.u.stream.stream = stream;
	ev.u.stream.created = created;
	ev.u.stream.replicas = (uint32_t)c->replicas;
	stream_name(w, stream, ev.u.stream.name);
	text_set(ev.u.stream.storage, sizeof(ev.u.stream.storage),
	    w->config.storage);
	child_emit(&w->child, &ev);
	for (k = 0; k < c->n; k++) {
		ev = (struct event){.type = MESSAGE_COPY_TERMS};
		m->stream = stream;
		m->origin = c->parts[k].origin;
		m->mirrors = c->is_mirror;
		m->start = c->parts[k].start;
		m->subjects = c->parts[k].subjects;
		m->renames = c->parts[k].is_renamed;
		m->max_messages = c->max_messages;
		child_emit(&w->child, &ev);
	}
	ev = (struct event){.type = MESSAGE_COPY_RELAYED};
	ev.u.copy_relayed.stream = stream;
	text_set(ev.u.copy_relayed.domain, sizeof(ev.u.copy_relayed.domain),
	    domain_of(w, false));
	if (c->is_relayed)
		child_emit(&w->child, &ev);
	child_flush(&w->child);
}

/* Make the mirror in the other domain. 0, or -ETIMEDOUT, which was logged. */
static int
make_relay(struct worker *w, const struct plan *c)
{
	uint64_t deadline = clock_mono_ns() + RELAY_NS;
	cJSON *tree = cJSON_CreateObject(), *answer, *mirror;
	char name[64], origin[64], api[128], *text;
	enum outcome outcome = OUTCOME_UNKNOWN;
	struct backoff b = {0};
	natsMsg *reply;
	natsStatus st;

	(void)mirror_relay(w, name); /* there is one */
	stream_name(w, c->parts[0].origin, origin);
	json_put_text(tree, "name", name);
	json_put_text(tree, "storage", w->config.storage);
	mirror = json_put_object(tree, "mirror");
	json_put_text(mirror, "name", origin);
	put_external(mirror, domain_of(w, true));
	text = cJSON_PrintUnformatted(tree);
	cJSON_Delete(tree);
	text_format(api, sizeof(api), "$JS.%s.API.STREAM.CREATE.%s",
	    domain_of(w, false), name);
	while (text != NULL && outcome != OUTCOME_OK &&
	       clock_mono_ns() < deadline) {
		reply = NULL;
		answer = NULL;
		st = natsConnection_RequestString(
		    &reply, w->session.nc, api, text, OPERATE_ATTEMPT_MS);
		outcome = request_answer(&w->session, st, reply, &answer);
		cJSON_Delete(answer);
		if (outcome != OUTCOME_OK)
			session_backoff(&b, &w->child);
	}
	cJSON_free(text);
	if (outcome == OUTCOME_OK)
		return 0;
	log_error("cannot create stream \"%s\" in domain %s: %s", name,
	    domain_of(w, false), w->session.why);
	return -ETIMEDOUT;
}

/*
 * What the servers don't know they refuse (2.9 a filter of a mirror), or leave
 * out of the answer.
 */
static void
forget_unknown(struct plan *c, const cJSON *config)
{
	const cJSON *at;
	uint32_t i;

	for (i = 0; i < c->n; i++) {
		at = c->is_mirror ? json_get(config, "mirror")
				  : cJSON_GetArrayItem(
					json_get(config, "sources"), (int)i);
		if (json_get(at, "subject_transforms") == NULL)
			c->parts[i].is_renamed = false;
		if (json_get(at, "subject_transforms") == NULL &&
		    json_text(at, "filter_subject")[0] == '\0')
			c->parts[i].subjects = 0;
	}
}

int
mirror_copy_setup(struct worker *w, uint32_t i)
{
	const struct mirror_options *o = w->options;
	cJSON *answer = NULL;
	uint64_t created;
	struct plan c;
	char name[64], *text;
	int err = 0;

	stream_name(w, (uint32_t)o->store.streams + i, name);
	draw_plan(w, i, &c);
	if (c.is_relayed)
		err = make_relay(w, &c);
	if (err < 0)
		return err;
	text = write_plan(w, name, &c, i);
	if (text != NULL &&
	    operate_ask(w, "STREAM.CREATE", name, text, &answer) !=
		OUTCOME_OK &&
	    w->session.code != 0) {
		free(text);
		forget_unknown(&c, NULL);
		text = write_plan(w, name, &c, i);
	}
	if (text == NULL)
		err = -ENOMEM;
	else if (answer == NULL)
		err = operate_make(w, name, text, &answer, &created);
	free(text);
	if (err < 0)
		return err;
	created = (uint64_t)request_time(json_text(answer, "created"));
	forget_unknown(&c, json_get(answer, "config"));
	cJSON_Delete(answer);
	tell_copy(w, i, &c, created);
	return 0;
}

/* SPDX-License-Identifier: ISC */
/* What faults cost; see prices.h. */
#include <stdlib.h>
#include <string.h>

#include "orchestrator/history/prices.h"

#define SLACK_NS                                                               \
	CLOCK_S /* a server may be so late with what it sends again            \
		 */

struct prices *
prices_create(void)
{
	return calloc(1, sizeof(struct prices));
}

void
prices_destroy(struct prices *p)
{
	free(p);
}

static struct price_open *
open_of(struct prices *p, uint32_t fault)
{
	unsigned i;

	for (i = 0; p != NULL && i < PRICES_OPEN_MAX; i++)
		if (p->open[i].fault == fault)
			return &p->open[i];
	return NULL;
}

void
prices_planned(struct prices *p, uint32_t fault, unsigned mode, uint64_t now_ns)
{
	struct price_open *o = open_of(p, 0);

	if (o == NULL || fault == 0)
		return;
	memset(o, 0, sizeof(*o));
	o->fault = fault;
	o->mode = mode;
	o->since_ns = o->last_ns = now_ns;
	p->nopen++;
}

void
prices_applied(struct prices *p, uint32_t fault, bool ok, uint64_t now_ns)
{
	struct price_open *o = fault != 0 ? open_of(p, fault) : NULL;

	if (o == NULL)
		return;
	if (ok) {
		o->applied_ns = now_ns;
		return;
	}
	o->fault = 0; /* it was none */
	p->nopen--;
}

void
prices_healed(struct prices *p, uint32_t fault, uint64_t now_ns)
{
	struct price_open *o = fault != 0 ? open_of(p, fault) : NULL;

	if (o != NULL)
		o->healed_ns = now_ns;
}

void
prices_latency(struct prices *p, uint64_t now_ns, uint64_t ns)
{
	unsigned i;

	if (p == NULL)
		return;
	for (i = 0; i < PRICES_OPEN_MAX; i++)
		if (p->open[i].fault != 0) {
			hist_add(&p->open[i].price.latency, ns);
			hist_add(&p->modes[p->open[i].mode].latency, ns);
		}
	if (p->nopen > 0)
		return;
	if (p->closed_ns != 0 && now_ns - ns < p->closed_ns)
		hist_add(&p->modes[p->last_mode].latency, ns);
	else
		hist_add(&p->none.latency, ns);
}

static void
count(struct prices *p, bool is_retry)
{
	struct price_open *o;
	unsigned i;

	for (i = 0; i < PRICES_OPEN_MAX; i++) {
		o = &p->open[i];
		if (o->fault == 0)
			continue;
		o->price.retries += is_retry;
		o->price.redeliveries += !is_retry;
		p->modes[o->mode].retries += is_retry;
		p->modes[o->mode].redeliveries += !is_retry;
	}
	if (p->nopen > 0)
		return;
	p->none.retries += is_retry;
	p->none.redeliveries += !is_retry;
}

void
prices_retry(struct prices *p)
{
	if (p != NULL)
		count(p, true);
}

void
prices_delivery(struct prices *p, const struct price_delivery *d,
    uint64_t ack_wait_ns, bool is_again)
{
	struct price_delivery *last;
	uint64_t waited;

	if (p == NULL)
		return;
	last = &p->deliveries[(d->id * 31 + d->consumer) % PRICES_DELIVERIES];
	if (is_again)
		count(p, false);
	waited = d->time_ns - last->time_ns;
	if (is_again && last->id == d->id && last->consumer == d->consumer &&
	    ack_wait_ns != 0 && waited + CLOCK_MS >= ack_wait_ns &&
	    waited <= ack_wait_ns + SLACK_NS) {
		p->wait_id = d->id;
		p->wait_ns = last->time_ns;
		p->again_ns = d->time_ns;
	}
	*last = *d;
}

bool
prices_is_ack_wait(
    const struct prices *p, uint64_t id, uint64_t begin_ns, uint64_t end_ns)
{
	uint64_t from, to;

	if (p == NULL || p->wait_id != id)
		return false;
	from = p->wait_ns > begin_ns ? p->wait_ns : begin_ns;
	to = p->again_ns < end_ns ? p->again_ns : end_ns;
	return from < to && (to - from) >= (end_ns - begin_ns) / 10 * 8;
}

static void
close_one(struct prices *p, struct price_open *o, uint64_t now_ns,
    struct price_row *row)
{
	struct price *all = &p->modes[o->mode], *own = &o->price;

	row->outage_ns = own->outage_ns;
	row->p50_ns = hist_quantile(&own->latency, 0.50);
	row->p99_ns = hist_quantile(&own->latency, 0.99);
	row->p999_ns = hist_quantile(&own->latency, 0.999);
	row->operations = own->latency.count;
	row->retries = own->retries;
	row->redeliveries = own->redeliveries;
	all->faults++;
	all->outages_ns += own->outage_ns;
	if (own->outage_ns > all->outage_ns)
		all->outage_ns = own->outage_ns;
	if (o->healed_ns != 0 && o->healed_ns - o->applied_ns > all->heal_ns)
		all->heal_ns = o->healed_ns - o->applied_ns;
	p->last_mode = o->mode;
	p->closed_ns = now_ns;
	o->fault = 0;
	p->nopen--;
}

bool
prices_round(struct prices *p, uint64_t now_ns, bool is_end, uint32_t *fault,
    struct price_row *row)
{
	struct price_open *o;
	unsigned i;

	if (p == NULL || p->nopen == 0)
		return false;
	for (i = 0; i < PRICES_OPEN_MAX; i++) {
		o = &p->open[i];
		if (o->fault == 0)
			continue;
		if (now_ns - o->last_ns > o->price.outage_ns)
			o->price.outage_ns = now_ns - o->last_ns;
		o->last_ns = now_ns;
		/* One that was never seen to take effect costs nothing. */
		if (o->applied_ns == 0 && (is_end || o->healed_ns != 0)) {
			o->fault = 0;
			p->nopen--;
		} else if (is_end || o->healed_ns != 0) {
			*fault = o->fault;
			close_one(p, o, now_ns, row);
			return true;
		}
	}
	return false;
}

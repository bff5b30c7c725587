/* SPDX-License-Identifier: ISC */
/*
 * Secrets out of Kubernetes' objects, before they are written anywhere. Pure.
 * What is doubtful goes: a dump that lacks a harmless value is still one, and
 * the cluster has the rest.
 */
#ifndef CHAOS_KUBE_SCRUB_H
#define CHAOS_KUBE_SCRUB_H

#include <cjson/cJSON.h>
#include <stdbool.h>

/*
 * Take out of an object what may be a secret: literal values of environment
 * variables, what names such as password or token stand before, keys and
 * users in urls, and copies of the object in its annotations.
 */
void kube_scrub(cJSON *);

/*
 * The same of a text: of a configuration, or of a log. The copy is the
 * caller's to free; NULL without memory.
 */
char *kube_scrub_text(const char *, bool is_config);

#endif

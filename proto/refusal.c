/* SPDX-License-Identifier: ISC */
/* What a refusal proves; see refusal.h. */
#include "proto/refusal.h"

#include <stddef.h>
#include <string.h>

#define WRONG_LAST	    10071
#define WRONG_LAST_CONSTANT 10164
#define NOT_FOUND	    10043 /* no such sequence */
#define DELETE_FAILED	    10057
#define PURGE_FAILED	    10110
#define NO_CONSUMER	    10014
#define NO_CONSUMER_YET	    10149 /* to one that must not make it */

/*
 * By the message or the configuration alone, or by a committed decision. Not
 * among them: 10057 and 10110, which mean it with some texts only
 * (refusal_class_said()).
 */
static const uint32_t certain[] = {10003, 10025, 10043, 10054, 10060, 10070,
    10097, 10109, 10111, 10165, 10166, 10168, 10169, 10170, 10171, 10174, 10175,
    10177, 10179, 10185, 10188, 10189, 10190, 10191, 10192, 10193, 10199, 10200,
    10203, 10205, 10206, 10207, 10223, 10227};

/*
 * By what a leader holds. Only 2.10.6 to 2.10.29 compare 10071 with what was
 * applied, and there, too, a removal of the last message may lag. 10077
 * ("store failed") is not among them: each replica decides when it applies
 * (up to 2.12), and the texts that mean a limit came with 2.14.
 */
static const uint32_t steady[] = {10002, NO_CONSUMER, 10023, 10028, 10047,
    WRONG_LAST, 10148, NO_CONSUMER_YET, 10158, 10163, WRONG_LAST_CONSTANT,
    10167, 10172, 10176, 10201, 10208, 10210, 10211, 10212};

static bool
has(const uint32_t *codes, size_t n, uint32_t code)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (codes[i] == code)
			return true;
	return false;
}

enum refusal
refusal_class(uint32_t code)
{
	if (has(certain, sizeof(certain) / sizeof(certain[0]), code))
		return REFUSAL_CERTAIN;
	if (has(steady, sizeof(steady) / sizeof(steady[0]), code))
		return REFUSAL_STEADY;
	return REFUSAL_NEVER;
}

/* Of these codes by the text. What is not there is gone when it is applied. */
static const struct said {
	uint32_t code;
	const char *text;
} said[] = {
    {DELETE_FAILED, "not permitted"},
    {DELETE_FAILED, "no message found"},
    {DELETE_FAILED, "deleted message"},
    {PURGE_FAILED, "not permitted"},
};

enum refusal
refusal_class_said(uint32_t code, const char *text)
{
	size_t i;

	for (i = 0; i < sizeof(said) / sizeof(said[0]); i++)
		if (said[i].code == code && strstr(text, said[i].text) != NULL)
			return REFUSAL_CERTAIN;
	return refusal_class(code);
}

bool
refusal_is_not_there(uint32_t code, const char *text)
{
	return code == NOT_FOUND ||
	       (code == DELETE_FAILED &&
		   strstr(text, "no message found") != NULL);
}

bool
refusal_is_no_consumer(uint32_t code)
{
	return code == NO_CONSUMER || code == NO_CONSUMER_YET;
}

bool
refusal_is_wrong_last(uint32_t code)
{
	return code == WRONG_LAST || code == WRONG_LAST_CONSTANT;
}

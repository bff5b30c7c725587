/* SPDX-License-Identifier: ISC */
/*
 * An HTTP transfer of libcurl. Its handle is made here with what all of
 * natsburn's transfers have in common, and a setting that libcurl did not
 * take is remembered: such a transfer is never started, for it would ask
 * something else than was meant.
 */
#ifndef CHAOS_TRANSFER_H
#define CHAOS_TRANSFER_H

#include <curl/curl.h>
#include <stdbool.h>

struct transfer {
	CURL *easy; /* NULL: it isn't open */
	/* lines of a setting that takes a list, or NULL */
	struct curl_slist *list;
	bool is_added; /* to a multi handle */
	bool is_unfit; /* a setting was not taken */
};

/* Make its handle; owner comes back from transfer_next(). 0 or -ENOMEM. */
int transfer_open(struct transfer *, void *owner);

/* Also takes it out of the multi handle; safe when it isn't open. */
void transfer_close(struct transfer *, CURLM *);

/* Set an option of curl_easy_setopt(3). */
#define TRANSFER_SET(t, option, value)                                         \
	transfer_note(t, curl_easy_setopt((t)->easy, option, value))
void transfer_note(struct transfer *, CURLcode);

/* Add a line to the head of the request. */
void transfer_add_header(struct transfer *, const char *line);

/*
 * Set an option that needs a list, in place of headers. It belongs to the
 * transfer from now on, and the one before is freed. NULL is what
 * curl_slist_append(3) returns without memory.
 */
void transfer_set_list(struct transfer *, CURLoption, struct curl_slist *);

/* Begin it beside others: 0, -EINVAL if it is unfit, or -ENOMEM. */
int transfer_start(struct transfer *, CURLM *);
void transfer_stop(struct transfer *, CURLM *);

/* Do it all at once, and wait for its end. */
CURLcode transfer_perform(struct transfer *);

/* Do what can be done now for all that were begun. */
void transfer_step(CURLM *);

/*
 * The next one that has ended; false when there is none. It stays in the
 * multi handle: after CURLOPT_CONNECT_ONLY its connection lives there.
 */
struct transfer_end {
	void *owner;
	CURLcode result;
	int status; /* of HTTP, 0 without */
};
bool transfer_next(CURLM *, struct transfer_end *);

/* The HTTP status that was received, 0 while there is none. */
int transfer_status(const struct transfer *);

#endif

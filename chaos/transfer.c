/* SPDX-License-Identifier: ISC */
/* HTTP transfers; see transfer.h. */
#include <errno.h>
#include <string.h>

#include "chaos/transfer.h"

void
transfer_note(struct transfer *t, CURLcode got)
{
	t->is_unfit |= got != CURLE_OK;
}

int
transfer_open(struct transfer *t, void *owner)
{
	memset(t, 0, sizeof(*t));
	t->easy = curl_easy_init();
	if (t->easy == NULL)
		return -ENOMEM;
	TRANSFER_SET(t, CURLOPT_PRIVATE, owner);
	TRANSFER_SET(t, CURLOPT_NOSIGNAL, 1L);
	TRANSFER_SET(t, CURLOPT_NOPROXY, "*");
	return 0;
}

void
transfer_close(struct transfer *t, CURLM *multi)
{
	if (t->easy == NULL)
		return;
	transfer_stop(t, multi);
	curl_easy_cleanup(t->easy);
	curl_slist_free_all(t->list);
	memset(t, 0, sizeof(*t));
}

void
transfer_add_header(struct transfer *t, const char *line)
{
	struct curl_slist *list = curl_slist_append(t->list, line);

	if (list == NULL) {
		transfer_note(t, CURLE_OUT_OF_MEMORY);
		return;
	}
	t->list = list;
	TRANSFER_SET(t, CURLOPT_HTTPHEADER, list);
}

void
transfer_set_list(
    struct transfer *t, CURLoption option, struct curl_slist *list)
{
	transfer_note(t, list != NULL ? curl_easy_setopt(t->easy, option, list)
				      : CURLE_OUT_OF_MEMORY);
	curl_slist_free_all(t->list);
	t->list = list;
}

int
transfer_start(struct transfer *t, CURLM *multi)
{
	if (t->is_unfit)
		return -EINVAL;
	t->is_added = curl_multi_add_handle(multi, t->easy) == CURLM_OK;
	return t->is_added ? 0 : -ENOMEM;
}

void
transfer_stop(struct transfer *t, CURLM *multi)
{
	/* What is in there can be removed. */
	if (t->is_added)
		(void)curl_multi_remove_handle(multi, t->easy);
	t->is_added = false;
}

CURLcode
transfer_perform(struct transfer *t)
{
	return t->is_unfit ? CURLE_OUT_OF_MEMORY : curl_easy_perform(t->easy);
}

void
transfer_step(CURLM *multi)
{
	int running;

	/* What goes wrong is told by the transfers' own results. */
	(void)curl_multi_perform(multi, &running);
}

static int
status_of(CURL *easy)
{
	long status = 0;

	return curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status) ==
		       CURLE_OK
		   ? (int)status
		   : 0;
}

bool
transfer_next(CURLM *multi, struct transfer_end *end)
{
	CURLMsg *msg;
	int left;

	do {
		msg = curl_multi_info_read(multi, &left);
		if (msg == NULL)
			return false;
		end->owner = NULL;
	} while (msg->msg != CURLMSG_DONE ||
		 curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE,
		     &end->owner) != CURLE_OK ||
		 end->owner == NULL);
	end->result = msg->data.result;
	end->status = status_of(msg->easy_handle);
	return true;
}

int
transfer_status(const struct transfer *t)
{
	return status_of(t->easy);
}

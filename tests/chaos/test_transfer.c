/* SPDX-License-Identifier: ISC */
/*
 * Transfers: what libcurl does not take makes one unfit, and it never runs;
 * and the folders of what they save.
 */
#include "tests/support.h"

#include <errno.h>
#include <string.h>

#include "chaos/page.h"
#include "chaos/transfer.h"
#include "proto/base/text.h"

static void
test_unfit_is_not_started(void **state)
{
	CURLM *multi = curl_multi_init();
	struct transfer t;
	int owner;

	(void)state;
	assert_non_null(multi);
	assert_int_equal(transfer_open(&t, &owner), 0);
	TRANSFER_SET(&t, CURLOPT_URL, "http://127.0.0.1:1/");
	assert_false(t.is_unfit);
	transfer_note(&t, CURLE_UNKNOWN_OPTION);
	TRANSFER_SET(&t, CURLOPT_TIMEOUT_MS, 100L); /* taken, and too late */
	assert_int_equal(transfer_start(&t, multi), -EINVAL);
	assert_false(t.is_added);
	assert_int_equal(transfer_perform(&t), CURLE_OUT_OF_MEMORY);
	transfer_close(&t, multi);
	/* Without memory for its list, too. */
	assert_int_equal(transfer_open(&t, &owner), 0);
	transfer_set_list(&t, CURLOPT_CONNECT_TO, NULL);
	assert_true(t.is_unfit);
	transfer_close(&t, multi);
	transfer_close(&t, multi);
	assert_int_equal(curl_multi_cleanup(multi), CURLM_OK);
}

static void
test_owner_comes_back(void **state)
{
	CURLM *multi = curl_multi_init();
	struct transfer_end end;
	struct transfer t;
	int owner, i;

	(void)state;
	assert_int_equal(transfer_open(&t, &owner), 0);
	/* Nobody listens there: it ends at once, and badly. */
	TRANSFER_SET(&t, CURLOPT_URL, "http://127.0.0.1:1/");
	transfer_add_header(&t, "Expect:");
	transfer_add_header(&t, "X-More: 1");
	assert_string_equal(t.list->next->data, "X-More: 1");
	assert_int_equal(transfer_start(&t, multi), 0);
	for (i = 0; !transfer_next(multi, &end); i++) {
		assert_true(i < 1000);
		transfer_step(multi);
		(void)curl_multi_poll(multi, NULL, 0, 10, NULL); /* or not */
	}
	assert_ptr_equal(end.owner, &owner);
	assert_int_equal(end.result, CURLE_COULDNT_CONNECT);
	assert_int_equal(end.status, 0);
	assert_true(t.is_added);
	transfer_close(&t, multi);
	assert_false(transfer_next(multi, &end));
	assert_int_equal(curl_multi_cleanup(multi), CURLM_OK);
}

/* A server's name is no path, and no two servers have one folder. */
static void
test_folders(void **state)
{
	static const char *const rows[][2] = {
	    {"n1", "n1"},
	    {"../../PWNED", "_._.._PWNED"},
	    {"n 1", "n_1"},
	    {"n/1", "n_1@2"},
	    {"n_1", "n_1@3"},
	    {"", "_"},
	};
	static struct cluster c;
	char folder[CLUSTER_NAME_MAX + 16];
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		text_set(c.nodes[i].name, sizeof(c.nodes[i].name), rows[i][0]);
		page_folder(&c, i + 1, folder, sizeof(folder));
		assert_string_equal(folder, rows[i][1]);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_unfit_is_not_started),
	    cmocka_unit_test(test_owner_comes_back),
	    cmocka_unit_test(test_folders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

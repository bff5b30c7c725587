/* SPDX-License-Identifier: ISC */
/* topology: how servers are connected, and what has the run's streams. */
#include "tests/support.h"

#include <errno.h>

#include "proto/base/text.h"
#include "proto/topology.h"

static const struct {
	const char *text, *domain;
	int err;
	unsigned servers, home;
	const char *clusters; /* of each server, and * if it is apart */
} rows[] = {
    {"cluster", "", 0, 5, 5, ", , , , , "},
    {"supercluster:2x3", "", 0, 6, 3, "c1, c1, c1, c2, c2, c2, "},
    {"supercluster:3x1", "", 0, 3, 1, "c1, c2, c3, "},
    {"leaf:3+1", "hub", 0, 4, 3, "hub, hub, hub, leaf*, "},
    {"leaf:3+1", "leaf", 0, 4, 1, "hub*, hub*, hub*, leaf, "},
    {"leaf:1+3", "hub", 0, 4, 1, "hub, leaf*, leaf*, leaf*, "},
    {"supercluster:1x3", "", -EINVAL, 5, 5, ""},
    {"supercluster:2x5", "", -EINVAL, 5, 5, ""},
    {"supercluster:2x0", "", -EINVAL, 5, 5, ""},
    {"supercluster:2+3", "", -EINVAL, 5, 5, ""},
    {"leaf:9+1", "", -EINVAL, 5, 5, ""},
    {"leaf:3+", "", -EINVAL, 5, 5, ""},
    {"leaf:3+11", "", -EINVAL, 5, 5, ""},
    {"", "", -EINVAL, 5, 5, ""},
};

static void
test_rows(void **state)
{
	char why[OPTION_WHY_MAX], name[TOPOLOGY_NAME_MAX], all[256];
	struct run_config c;
	struct topology t;
	unsigned i, k;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		config_init(&c);
		c.servers = 5;
		text_set(c.topology, sizeof(c.topology), rows[i].text);
		text_set(c.js_domain, sizeof(c.js_domain), rows[i].domain);
		assert_int_equal(topology_read(&c, &t, why), rows[i].err);
		assert_int_equal(topology_servers(&t), rows[i].servers);
		assert_int_equal(topology_home(&c), rows[i].home);
		all[0] = '\0';
		for (k = 1; rows[i].err == 0 && k <= rows[i].servers; k++) {
			topology_server(&c, k, name);
			text_add(all, sizeof(all), "%s%s, ", name,
			    topology_is_apart(&t, &c, topology_cluster(&t, k))
				? "*"
				: "");
		}
		assert_string_equal(all, rows[i].clusters);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The soak as a Job inside the cluster, in an image that the kit makes.
[ "${NATSBURN_K8S_LONG:-}" ] || {
	echo "skipped: takes minutes; NATSBURN_K8S_LONG=1 runs it" >&2
	exit 77
}
# shellcheck source=tests/e2e/k8s/k8s_job_lib.sh
. "$(dirname "$0")/k8s_job_lib.sh"

make_image
job kv-cas rolling_restart
passed
job queue-group-consumer random_reload,random_hard_kill
passed
expect_cluster_whole

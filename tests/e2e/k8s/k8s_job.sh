#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The soak as a Job inside the cluster, in an image that the kit makes.
# shellcheck source=tests/e2e/k8s/k8s_job_lib.sh
. "$(dirname "$0")/k8s_job_lib.sh"

make_image
job kv-cas rolling_restart
job_passed
job queue-group-consumer random_reload,random_hard_kill
job_passed
expect_cluster_whole

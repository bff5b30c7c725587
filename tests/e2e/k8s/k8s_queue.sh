#!/bin/bash
# SPDX-License-Identifier: ISC
#
# queue-group-consumer under Kubernetes' faults, through port-forwards.
# shellcheck source=tests/e2e/k8s/k8s_faults_lib.sh
. "$(dirname "$0")/k8s_faults_lib.sh"

every_fault queue-group-consumer --consumers 3 --k8s-reach forward

#!/bin/bash
# SPDX-License-Identifier: ISC
#
# kv-cas under Kubernetes' faults, by the pods' addresses; and paused, which
# scripts/k8s allows.
# shellcheck source=tests/e2e/k8s/k8s_faults_lib.sh
. "$(dirname "$0")/k8s_faults_lib.sh"

every_fault kv-cas --k8s-reach direct
under pause kv-cas --k8s-reach direct --fault-duration 1s..8s

#!/bin/bash
# SPDX-License-Identifier: ISC
# shellcheck source=tests/e2e/local/main_job_lib.sh
. "$(dirname "$0")/main_job_lib.sh"

main_job 2.10

#!/bin/bash
# SPDX-License-Identifier: ISC
# shellcheck source=tests/e2e/local/server_conf_runs.sh
. "$(dirname "$0")/server_conf_runs.sh" 2.15

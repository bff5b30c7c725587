#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Each fuzzer for 60 s, or for SECONDS_EACH: scripts/fuzz.
exec "$(dirname "$0")/../../../scripts/fuzz" --seconds "${SECONDS_EACH:-60}"

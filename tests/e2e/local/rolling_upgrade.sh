#!/bin/bash
# SPDX-License-Identifier: ISC
#
# rolling_upgrade takes the servers from one version to another and back,
# one by one, under load, and the report says which ran what.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

old=$(server_of 2.10) || skip "no nats-server 2.10 in NATSBURN_SERVERS_DIR"
new=$(server_of 2.15) || skip "no nats-server 2.15 in NATSBURN_SERVERS_DIR"

start run queue-group-consumer --mayhem rolling_upgrade \
	-o rolling_upgrade.back=true --consumers 2 --duration 45s \
	--server-bin "$old,$new" --out "$work/run"
finished 450 # five minutes until it is given up
expect_no_violation "upgraded"
expect '[.faults[] | select(.applied_how | startswith("2.10."))] |
	length == 3' "three servers left the old version"
expect '[.faults[] | select(.healed_how | startswith("started as 2.15."))] |
	length == 3' "three servers came back as the new version"
expect '[.faults[] | select(.applied_how | startswith("2.15."))] |
	length >= 1' "the way back"
expect '[.servers[].versions | map(.version[:4]) | join(" ")] |
	all(startswith("2.10 2.15"))' "which ran what when"
expect '[.servers[].versions[1].t] | all(. > 0)' "and since when"
# A 2.10 that never catches up is known and is not a pass.
[ "$code" -eq 0 ] || expect '.exit_code == 2' "exit code $code"
expect_same_check "$work/run"

#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Streams with one replica: a server that is down stops them, lawfully.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

server=$(any_server) || exit
for servers in 1 3; do
	forget_run
	natsburn run queue-group-consumer --servers "$servers" --replicas 1 \
		--mayhem rolling_restart,random_reload --fault-interval 1s \
		--quiet-time 0 --duration 8s --consumers 2 \
		--op-timeout 1s --consume-timeout 1s \
		-o queue-group-consumer.ack-wait=500ms \
		--server-bin "$server" --out "$work/run"
	expect_code 0
	expect "[.servers[].name] | length == $servers" servers
	expect 'any(.faults[]; .mode == "rolling_restart" and .applied and
		.healed)' "a restart"
	expect_nothing_survives 5
	expect_same_check "$work/run"
done

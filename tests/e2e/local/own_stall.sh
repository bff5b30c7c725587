#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Processes of natsburn itself that stand still for longer than any operation
# may take: the link proxies, through which all servers speak to each other;
# chaos; a consumer. JetStream is not blamed for it, the report says who it was,
# and when it was most of the load nothing is proven.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

server=$(any_server) || exit

# stands_still CHILD SECONDS DURATION: sets $code.
stands_still()
{
	local victim

	rm -rf "$work/run"
	start run durable-pull-consumer --mayhem none --duration "$3" \
		--consumers 1 --op-timeout 10s --consume-timeout 10s \
		--server-bin "$server" --out "$work/run"
	await_work
	victim=$(marked_with "$1" | head -n 1)
	kill -STOP "$victim"
	sleep "$2"
	kill -CONT "$victim"
	finished 240
	expect '.anomalies | all(.class != "violation")' "a violation: $1"
	expect_same_check "$work/run"
	expect_valid_report "$work/run"
}

for child in --child=links --child=chaos consumer; do
	stands_still "$child" 16 40s
	expect_code 0
	# On a busy host somebody else does, too, and not all of it is told.
	expect '.notes | any(test("natsburn stood still [0-9]+ times?, " +
		"for ([1-9][0-9])"))' \
		"nobody says that $child stood still"
done
stands_still --child=links 25 30s
expect_code 2
expect '.reasons | length == 1 and (.[0] | test("natsburn stood still for"))' \
	"the reason"

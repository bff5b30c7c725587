#!/bin/bash
# SPDX-License-Identifier: ISC
#
# add-remove-streams when somebody tampers with its streams: one is deleted,
# one is emptied, one comes from nowhere. natsburn must call that what it
# is, but not when it is put right again in time; and the streams of a
# client that was killed are expected to stay.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

server=$(any_server) || exit

# api SUBJECT [REQUEST]: one request to JetStream, by hand; prints the answer.
# There may be none: the server that answers need not know of our inbox yet.
api()
{
	local request=${2:-} line port

	port=$(sed -n 's/^listen: "127\.0\.0\.1:\([0-9]*\)"/\1/p' \
		"$work/run/servers/n1/server.conf")
	{ exec 8<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null || return 1
	printf 'CONNECT {"verbose":false}\r\nSUB tamper 1\r\n' >&8
	# shellcheck disable=SC2016 # a subject, not a variable
	printf 'PUB $JS.API.%s tamper %d\r\n%s\r\n' "$1" "${#request}" \
		"$request" >&8
	while read -r -t 2 line <&8; do
		case $line in
		MSG*) read -r -t 2 line <&8 && printf '%s\n' "${line%?}" ;;
		*) continue ;;
		esac
		break
	done
	exec 8<&- 8>&-
}

# holds FILTER: true of what a listing of the streams says.
holds()
{
	api STREAM.LIST | jq -e "[.streams[]? | {name: .config.name,
		n: .state.messages}] | $1" 2>/dev/null | grep -qx true
}

name_of()
{
	local name

	until name=$(api STREAM.NAMES | jq -er ".streams[$1]") &&
		[ -n "$name" ]; do
		sleep 0.05
	done
	printf '%s\n' "$name"
}

# Each is asked for until it is seen to be done.
is_deleted()
{
	api "STREAM.DELETE.$1" >/dev/null
	holds "length > 0 and all(.name != \"$1\")"
}

is_purged()
{
	api "STREAM.PURGE.$1" >/dev/null
	holds "any(.name == \"$1\" and .n == 0)"
}

is_created()
{
	api "STREAM.CREATE.$1" "{\"name\":\"$1\",\"subjects\":[\"stray\"],
		\"num_replicas\":3,\"storage\":\"file\"}" >/dev/null
	holds "any(.name == \"$1\")"
}

# Three streams that stay, so that it is known what to tamper with.
begin()
{
	forget_run
	start run add-remove-streams --mayhem none --duration 10m \
		--server-bin "$server" --out "$work/run" \
		-o add-remove-streams.min=3 -o add-remove-streams.max=3
	await 60 "there is a cluster" test -e "$work/run/servers/n1/server.conf"
	await 60 "there are three streams" holds \
		'length == 3 and all(.n == 3)'
}

conclude()
{
	kill -INT "$pid"
	finished 120
	expect_nothing_survives 5
	expect_same_check "$work/run"
}

says()
{
	grep -q "^$1" "$work/err"
}

begin
first=$(name_of 0)
second=$(name_of 1)
stray=${first%_*}_999
await 20 "one stream is deleted" is_deleted "$first"
await 20 "one stream is emptied" is_purged "$second"
await 20 "a stray stream is added" is_created "$stray"
await 90 "the deleted one is missed" says "stream_missing (violation)"
await 60 "the stray is noticed" says "stream_resurrected (violation)"
await 60 "the loss is noticed" says "lost (violation)"
conclude
expect_code 1
expect '[.anomalies[] | select(.class == "violation") | .kind] | sort ==
	["lost", "stream_missing", "stream_resurrected"]' "what was done to it"
expect 'all(.anomalies[]; .events | length > 0)' "evidence"

# What is put right again within a few seconds convicts nobody.
begin
first=$(name_of 0)
stray=${first%_*}_999
await 20 "a stray stream is added" is_created "$stray"
# The journal tells of it in listings, twice a second, and of its leader.
is_told_of()
{
	[ "$(journal_text | grep -ao "$1" | wc -l)" -ge 6 ]
}
await 20 "listings show it" is_told_of "$stray"
await 20 "the stray stream is deleted" is_deleted "$stray"
await 60 "it is said to be over" says "stream_resurrected (documented)"
conclude
expect_code 0
expect '[.anomalies[] | select(.kind == "stream_resurrected") | .class] ==
	["documented"]' "an oddity that healed"

# A client that is killed leaves its streams, and they must stay.
begin
victim=$(marked_with "--child=worker client")
kill_hard "the client" "$victim"
await 60 "the next one has streams, too" holds "length == 6"
conclude
expect_code 0
expect '.harness.workers_died == 1 and .harness.gaps == 0' "a death counted"
expect_no_violation "a killed client"

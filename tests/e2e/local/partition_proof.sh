#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A partition is real: the leader of a stream is cut off; a publish through
# it is not acknowledged while the others elect another leader and go on;
# nothing bypassed the proxies; afterwards it follows again.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

server=$(any_server) || exit
probe=${JS_PROBE:?must name js_probe}
rest=

is_up()
{
	[ -s "$work/run/servers.json" ]
}

url_of()
{
	jq -r --arg n "$1" '.servers[] | select(.name == $n) | .url' \
		"$work/run/servers.json"
}

added()
{
	"$probe" "$(url_of n1)" add PROOF 3 >/dev/null 2>&1
}

leader_by()
{
	timeout 20 "$probe" "$(url_of "$1")" leader PROOF 2>/dev/null
}

published()
{
	timeout 20 "$probe" "$(url_of "$1")" publish PROOF 2000 \
		>/dev/null 2>>"$work/probe.err"
}

# Cut off now: the progress line names the server in brackets.
cut_off()
{
	victim=$(sed -n 's/.*\[partition leader \(n[0-9]\).*/\1/p' \
		"$work/err" | tail -n 1)
	[ -n "$victim" ]
}

others_lead()
{
	local new

	new=$(leader_by "$rest") && [ -n "$new" ] && [ "$new" != "$victim" ]
}

for cut in hold refuse; do
	rm -rf "$work/run" "$work/err"
	start mayhem partition -o partition.shape=leader \
		-o partition.of=stream -o partition.cut=$cut \
		--quiet-time 8s --fault-interval 500ms --fault-duration 60s \
		--server-bin "$server" --out "$work/run"
	await 60 "servers.json is there" is_up
	await 60 "a stream is there" added
	await 60 "the stream can be written to" published n1
	leader=$(leader_by n1)
	await 90 "the leader is cut off" cut_off
	[ "$victim" = "$leader" ] || leader=$victim # it had moved since
	rest=n1
	[ "$victim" != n1 ] || rest=n2
	published "$victim" && fail "$cut: $victim acknowledges, though cut off"
	await 60 "$cut: another server leads" others_lead
	await 60 "$cut: the majority can be written to" published "$rest"
	published "$victim" && fail "$cut: $victim acknowledges, though cut off"
	"$NATSBURN" cluster down "$work/run" || fail "cluster down: $?"
	finished 200
	expect_code 0
	expect '.faults[0].applied and .faults[0].healed' "$cut: not verified"
done
expect_nothing_survives 10

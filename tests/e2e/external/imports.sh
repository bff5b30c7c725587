#!/bin/bash
# SPDX-License-Identifier: ISC
#
# An account that has no JetStream, and imports another's: the API under a
# prefix, what is published, acks, and what push consumers send. Where acks or
# what is pushed are not imported that is said before the load begins.
# shellcheck disable=SC2016 # "$JS" is a subject
# shellcheck source=tests/e2e/external/auth_lib.sh
. "$(dirname "$0")/auth_lib.sh"

server=$(any_server) || exit
api='{ service: { account: OWNER, subject: "$JS.API.>" }, to: "JS.owner.API.>" }'
load='{ service: { account: OWNER, subject: "nb.*.pipe.>" } },
	{ service: { account: OWNER, subject: "nb.*.pipe" } }'
acks='{ service: { account: OWNER, subject: "$JS.ACK.>" } }'
pushed='{ stream: { account: OWNER, subject: "nb.*.deliver.*" } }'

serve "$server" "accounts {
	OWNER { jetstream: enabled, exports: [
		{ service: \"\$JS.API.>\", response_type: stream },
		{ service: \"\$JS.ACK.>\" },
		{ service: \"nb.*.pipe\" }, { service: \"nb.*.pipe.>\" },
		{ stream: \"nb.*.deliver.*\" } ] }
	WHOLE { users: [ { user: whole, password: \"$secret\" } ]
		imports: [ $api, $load, $acks, $pushed ] }
	NO_ACKS { users: [ { user: no_acks, password: \"$secret\" } ]
		imports: [ $api, $load, $pushed ] }
	NO_PUSH { users: [ { user: no_push, password: \"$secret\" } ]
		imports: [ $api, $load, $acks ] } }"

# across USER [OPTION...]: a run of that user, in the background.
across()
{
	env NATSBURN_TEST_MARK="$mark" "$NATSBURN" run pipeline \
		--cluster external --url "nats://127.0.0.1:$port" --user "$1" \
		--password-file "$work/secret" --js-prefix JS.owner.API \
		--replicas 1 --quiet-time 0 --rounds 300 --out "$work/$1" \
		"${@:2}" >"$work/$1.out" 2>&1 &
}

across whole -o pipeline.durables=1
wait "$!" || fail "pull: $(cat "$work/whole.out")"
rm -rf "$work/whole"
across whole -o pipeline.consumer=push-queue
wait "$!" || fail "push: $(cat "$work/whole.out")"
expect '.verdict == "pass" and .rounds >= 300' verdict "$work/whole/report.json"

across no_acks
acks=$!
across no_push -o pipeline.consumer=push-queue
code=0
wait "$!" || code=$?
[ "$code" -eq 69 ] || fail "without what is pushed: $(cat "$work/no_push.out")"
grep -Fq 'has to be imported as a stream' "$work/no_push.out" ||
	fail "not what lacks: $(cat "$work/no_push.out")"
code=0
wait "$acks" || code=$?
[ "$code" -eq 69 ] || fail "without acks: $(cat "$work/no_acks.out")"
grep -Fq '$JS.ACK.> have to be imported' "$work/no_acks.out" ||
	fail "not what lacks: $(cat "$work/no_acks.out")"

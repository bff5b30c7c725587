#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The settings of the nats CLI against real servers: a context with a domain
# and a prefix for inboxes, --server alone, NATS_*, and a JWT in a context. The
# run shows the secret nowhere, as with natsburn's own options.
# shellcheck source=tests/e2e/external/auth_lib.sh
. "$(dirname "$0")/auth_lib.sh"

server=$(any_server) || exit
export HOME=$work/home
unset XDG_CONFIG_HOME
mkdir -p "$HOME/.config/nats/context"
job=(run durable-pull-consumer --consumers 1 --quiet-time 0 --rounds 10
	--out "$work/run")

# context NAME JSON: what "nats context add" would have written
context()
{
	printf '%s\n' "$2" >"$HOME/.config/nats/context/$1.json"
}

serve "$server" "accounts { A { jetstream: enabled, users: [
	{user: bob, password: \"$secret\"}] } }
	jetstream { domain: hub }
	trace: true"
url=nats://127.0.0.1:$port
context hub "{\"url\": \"$url\", \"user\": \"bob\", \"password\": \"$secret\",
	\"jetstream_domain\": \"hub\", \"inbox_prefix\": \"_MINE\"}"
passes "$secret" --context hub
expect '.options.cluster == "external" and .options.replicas == "1"' \
	"one server, and so one replica"
expect '.command | test("--context hub") and (test("password") | not)' \
	"the command, which finds the password in the context"
# shellcheck disable=SC2016 # subjects, no variables
{
	grep -q 'PUB \$JS\.hub\.API\.' "$work/server/log" || fail "no domain"
	grep -q 'SUB _MINE\.' "$work/server/log" || fail "no prefix"
	! grep -q 'PUB \$JS\.API\.\|SUB _INBOX\.' "$work/server/log" ||
		fail "without the domain or the prefix: $(grep -m 1 \
			'PUB \$JS\.API\.\|SUB _INBOX\.' "$work/server/log")"
}

NATS_USER=bob NATS_PASSWORD=$secret passes "$secret" --server "$url"
expect '.command | test("--user bob .*--password-file FILE")' "the command"
NATS_URL=nats://bob:$secret@127.0.0.1:$port passes "$secret" \
	--cluster external
# A domain that isn't there.
refused 'JetStream not enabled|No responders' "$secret" --context hub \
	--js-domain spoke

serve "$server" "$(<"$keys/resolver.conf")"
seed=$(grep '^SU' "$keys/user.creds")
printf '%s\n' "$seed" >"$work/seed"
jwt=$(grep '^eyJ' "$keys/user.creds")
context jwt "{\"url\": \"nats://127.0.0.1:$port\", \"user_jwt\": \"$jwt\",
	\"nkey\": \"$work/seed\"}"
passes "$seed" --context jwt
! grep -rqa "$jwt" "$work/run" || fail "the JWT is in the run folder"
end_server
expect_nothing_survives 5

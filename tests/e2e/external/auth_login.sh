#!/bin/bash
# SPDX-License-Identifier: ISC
#
# User and password, token, nkey, credentials: from files, the environment,
# the command line and URLs, against servers that ask for them. A wrong one
# ends the run at once, and a secret is seen nowhere.
# shellcheck source=tests/e2e/external/auth_lib.sh
. "$(dirname "$0")/auth_lib.sh"

server=$(any_server) || exit

# Password, by each way there is.
serve "$server" "accounts { A { jetstream: enabled, users: [
	{user: bob, password: \"$secret\"}, {user: nobody, password: \"\"}] } }"
url=nats://127.0.0.1:$port
passes "$secret" --url "$url" --user bob --password-file "$work/secret"
expect '.command | test("--user bob --password-file [^ ]*/secret( |$)")' \
	"the command"
expect '.options["password-file"] | endswith("/secret")' "the options"
# The command, as it stands, works.
command=$(jq -r .command "$work/run/report.json")
read -r -a words <<<"${command#natsburn }"
natsburn "${words[@]}" --out "$work/again"
expect_code 0
passes "$secret" --url "$url" --user bob --password "$secret"
expect '.command | test("--password-file FILE( |$)")' "the command"
passes "$secret" --url="$url" --user=bob --password="$secret"
passes "$secret" --url "nats://bob:$secret@127.0.0.1:$port"
expect '.command | test("--url nats://127[.]0[.]0[.]1:[0-9]+ .*--user bob .*--password-file FILE")' \
	"the command"
NATSBURN_USER=bob NATSBURN_PASSWORD=$secret passes "$secret" --url "$url"
NATSBURN_URL=nats://bob:$secret@127.0.0.1:$port passes "$secret"
# The command line goes before the environment.
NATSBURN_PASSWORD=wrong passes "$secret" --url "$url" --user bob \
	--password-file "$work/secret"
passes "$secret" --url "$url" --user nobody
refused 'refuses --user .bob.: Authorization Violation' \
	"$(<"$work/wrong")" --url "$url" --user bob \
	--password-file "$work/wrong"
# Of several servers one is not there.
refused "$port. refuses --user" wrongword --password wrongword --user bob \
	--url "nats://127.0.0.1:1,$url"
refused 'refuses a client without --user, --token, --nkey or --creds' \
	"$secret" --url "$url"

# A matrix hands it on to its runs.
for login in "--url $url --user bob --password-file $work/secret" \
	"--url $url --user bob --password $secret" \
	"--url nats://bob:$secret@127.0.0.1:$port"; do
	rm -rf "$work/matrix"
	# shellcheck disable=SC2086
	natsburn matrix --tests durable-pull-consumer --cluster external \
		--replicas 1 --consumers 1 --quiet-time 0 --rounds 10 \
		$login --out "$work/matrix"
	expect_code 0
	! grep -rqa -- "$secret" "$work/matrix" "$work/out" "$work/err" ||
		fail "the matrix shows the secret"
done

# A token.
serve "$server" "authorization { token: \"$secret\" }"
url=nats://127.0.0.1:$port
passes "$secret" --url "$url" --token-file "$work/secret"
NATSBURN_TOKEN=$secret passes "$secret" --url "$url"
expect '.command | test("--token-file FILE( |$)")' "the command"
passes "$secret" --url "nats://$secret@127.0.0.1:$port"
refused 'refuses the token: Authorization' "$(<"$work/wrong")" --url "$url" \
	--token-file "$work/wrong"

# An nkey.
serve "$server" "authorization { users: [{nkey: $(<"$keys/user.pub")}] }"
url=nats://127.0.0.1:$port
passes "$(<"$keys/user.nk")" --url "$url" --nkey "$keys/user.nk"
refused 'refuses --nkey .[^ ]*other.nk.: Authorization' \
	"$(<"$keys/other.nk")" --url "$url" --nkey "$keys/other.nk"

# JWT and seed in a credentials file.
serve "$server" "$(<"$keys/resolver.conf")"
url=nats://127.0.0.1:$port
seed=$(grep '^SU' "$keys/user.creds")
passes "$seed" --url "$url" --creds "$keys/user.creds"
! grep -rqa "$(grep '^eyJ' "$keys/user.creds")" "$work/run" ||
	fail "the JWT is in the run folder"
refused 'refuses --creds .[^ ]*stranger.creds.: Authorization' \
	"$(grep '^SU' "$keys/stranger.creds")" --url "$url" \
	--creds "$keys/stranger.creds"
end_server
expect_nothing_survives 5

# shellcheck shell=bash
# SPDX-License-Identifier: ISC
#
# What the tests of logging in share: servers that ask for it, and a look at
# every place where a secret could be seen.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

command -v openssl >/dev/null || skip "no openssl"
command -v python3 >/dev/null || skip "no python3"
"$tests_dir/tools/make_logins.py" "$work/keys" >"$work/keys.log" 2>&1 ||
	fail "make_logins.py: $(<"$work/keys.log")"
# shellcheck disable=SC2034 # for who sources this
keys=$work/keys
secret=hush$RANDOM${RANDOM}hush
printf '%s\n' "$secret" >"$work/secret"
printf 'wrong%s\n' "$RANDOM" >"$work/wrong"

ports_known()
{
	local found

	found=$(find "$work/server" -maxdepth 1 -name '*.ports')
	[ -n "$found" ] && jq -e '.nats[0]' "$found" >/dev/null 2>&1
}

# serve SERVER CONF: one server so configured; sets $theirs, $port, $monitor.
serve()
{
	end_server
	mkdir -p "$work/server"
	printf 'listen: "127.0.0.1:-1"\njetstream { store_dir: "%s" }\n%s\n' \
		"$work/server/store" "$2" >"$work/server/conf"
	env NATSBURN_TEST_MARK="$mark" "$1" -c "$work/server/conf" \
		--ports_file_dir "$work/server" >"$work/server/log" 2>&1 &
	theirs=$!
	await 30 "the server listens" ports_known
	port=$(jq -r '.nats[0]' "$work"/server/*.ports)
	port=${port##*:}
	monitor=$(jq -r '.monitoring[0] // ""' "$work"/server/*.ports)
	monitor=${monitor##*:}
}

theirs=
end_server()
{
	if [ -n "$theirs" ]; then
		kill "$theirs"
		wait "$theirs" 2>/dev/null
	fi
	theirs=
	rm -rf "$work/server"
}

# What every run here begins with.
job=(run durable-pull-consumer --cluster external --replicas 1 --consumers 1
	--quiet-time 0 --rounds 10
	--out "$work/run")

# No process of this test but the shell itself has a secret in its command
# line or environment. natsburn is looked at as soon as it has overwritten
# them, which is when its run folder is there.
no_secret_in_proc()
{
	local word=$1 one

	for one in $(marked); do
		[ "$one" != "$theirs" ] || continue
		! grep -qsa -- "$word" "/proc/$one/cmdline" ||
			fail "the command line of $one has the secret"
		! grep -qsa -- "$word" "/proc/$one/environ" ||
			fail "the environment of $one has the secret"
	done
}

has_children()
{
	[ -n "$(marked_with natsburn-worker)" ] || is_gone "$pid"
}

# The run folder (its bundle, too) and what was said have it nowhere.
no_secret_left()
{
	local word=$1

	"$NATSBURN" dump "$work/run" >"$work/dumped" 2>&1 ||
		fail "dump: $(<"$work/dumped")"
	zstd -dcq "$work/run/bundle.tar.zst" >"$work/bundle.tar"
	! grep -rqa -- "$word" "$work/run" "$work/out" "$work/err" \
		"$work/bundle.tar" ||
		fail "the secret is in $(grep -rla -- "$word" "$work/run" \
			"$work/out" "$work/err" "$work/bundle.tar")"
}

# passes SECRET OPTION...: the run works, and shows the secret nowhere.
passes()
{
	local word=$1

	shift
	rm -rf "$work/run"
	start "${job[@]}" "$@"
	await 30 "workers are there" has_children
	no_secret_in_proc "$word"
	finished 60
	expect_code 0
	expect '.verdict == "pass" and .rounds > 0' "the verdict of $*"
	no_secret_left "$word"
}

# refused PATTERN SECRET OPTION...: exit 69 with the reason, soon.
refused()
{
	local pattern=$1 word=$2 began=$SECONDS

	shift 2
	rm -rf "$work/run"
	natsburn "${job[@]}" "$@"
	expect_code 69
	[ $((SECONDS - began)) -lt 30 ] || fail "refused after a long time: $*"
	expect ".reasons | length == 1 and (.[0] | test(\"$pattern\"))" \
		"the reason of $*: $(jq -c .reasons "$work/run/report.json")"
	no_secret_left "$word"
}

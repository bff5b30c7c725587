#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A server that natsburn is led to says what it likes: its name is a path, has
# escape sequences, is no UTF-8. None of it writes outside the run folder or
# reaches a terminal, and the reports are what they should be. "cluster status"
# asks web addresses and nothing else.
# shellcheck source=tests/e2e/report/report_lib.sh
. "$(dirname "$0")/../report/report_lib.sh"

command -v python3 >/dev/null || skip "no python3"
cd "$work" || exit 1

# hostile NAME VERSION HEALTHZ: sets $nats and $http
hostile()
{
	rm -f ports
	env NATSBURN_TEST_MARK="$mark" "$tests_dir/tools/hostile_server.py" \
		"$work/ports" "$@" 2>/dev/null &
	theirs=$!
	await 30 "the server listens" test -e ports
	read -r nats http <ports
}

# plain FILE: nothing of it moves a terminal, and it is UTF-8
plain()
{
	! LC_ALL=C grep -nP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' "$1" ||
		fail "$1: control characters"
	python3 -c 'import sys; open(sys.argv[1], encoding="utf-8").read()' \
		"$1" || fail "$1: is no UTF-8"
}

# forms DIR: what a run left, and what is made of it once more
forms()
{
	local form

	natsburn report "$1"
	plain out
	plain err
	for form in report.json report.html junit.xml stderr.log; do
		plain "$1/$form"
	done
	expect_valid_report "$1"
	expect_valid_junit "$1/junit.xml"
}

# up DIR: a run that looks at the hostile server, in the background
up()
{
	start cluster up --cluster external --url "nats://127.0.0.1:$nats" \
		--monitor "http://127.0.0.1:$http" --out "$1"
	await 30 "the server is looked at" test -s "$1/servers.json"
}

names=('../../../../PWNED' '\x1b]0;owned\x07\x1b[2Jn1' '\xff\xfe\xc0n1'
	'n1\n2024 natsburn: all is well' '"><script>x</script>&')
for name in "${names[@]}"; do
	hostile "$name" '2.10.0\x1b[31m\xff' 'no \x1b[5mstore\xff\x9b'
	rm -rf run
	up run
	plain run/servers.json
	natsburn cluster status run
	expect_code 69
	plain out
	[ "$(wc -l <out)" -eq 1 ] || fail "status: more than a line a server"
	kill -INT "$pid"
	sleep 1
	kill -INT "$pid" 2>/dev/null
	await 60 "the run ends" is_gone "$pid"
	forms run
	kill "$theirs"
	wait "$theirs" 2>/dev/null
done

# What others have written into servers.json.
printf '{"status":"ok"}' >healthz
for url in "file://$work" "ftp://127.0.0.1:$http" "http://x@127.0.0.1:$http" \
	"http://127.0.0.1:$http/?a=" 'gopher://127.0.0.1:1'; do
	mkdir -p forged
	jq -n --arg url "$url" '{pid: 1, servers: [{name: "\u001b[2Jn1",
		version: "1", url: "nats://h:1", monitor: $url}]}' \
		>forged/servers.json
	natsburn cluster status forged
	expect_code 69
	plain out
	grep -q 'NOT HEALTHY' out || fail "$url was asked"
done
[ -z "$(find . -name '*PWNED*')" ] || fail "a name became a file"
expect_nothing_survives 10

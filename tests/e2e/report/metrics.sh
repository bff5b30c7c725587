#!/bin/bash
# SPDX-License-Identifier: ISC
#
# --metrics: what promtool accepts, with numbers that grow and that are the
# report's in the end; whoever asks badly, or says nothing, hinders nobody.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

# get PATH [METHOD]: the whole answer into $work/answer
get()
{
	local fd

	{ exec {fd}<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null || return 1
	printf '%s %s HTTP/1.0\r\n\r\n' "${2:-GET}" "$1" >&"$fd"
	timeout 20 cat <&"$fd" >"$work/answer" || return 1
	exec {fd}>&-
	sed '1,/^\r$/d' "$work/answer" >"$work/page"
}

# metric NAME[{LABELS}]: its value in the page
metric()
{
	awk -v name="natsburn_$1" '$1 == name { print $2 }' "$work/page"
}

has_rounds()
{
	get /metrics && [ "$(metric rounds_total)" -gt "$1" ]
}

is_port()
{
	port=$(sed -n 's|^metrics at http://.*:\([0-9]*\)/metrics$|\1|p' \
		"$work/err")
	[ -n "$port" ]
}

unmade=$work/refused
for address in 9600 127.0.0.1 127.0.0.1:x 127.0.0.1:65536 :9600 \
	nowhere.invalid:1 ::1:9600; do
	refuse 64 "--metrics \"$address\": must be HOST:PORT" \
		run liar --cluster null --rounds 1 --quiet --out "$unmade" \
		--metrics "$address"
done

start run liar --cluster null --quiet-time 0 --duration 60s -o liar.rate=500 \
	-o liar.messages=20000 -o liar.plant=redelivered_after_ack \
	-o liar.at=start --metrics 127.0.0.1:0 --out "$work/run"
await 30 "it listens" is_port
# Beside the run, whose words are in $work/err.
taken=0
"$NATSBURN" run liar --cluster null --quiet --out "$unmade" \
	--metrics "127.0.0.1:$port" 2>"$work/taken" || taken=$?
[ "$taken" -eq 64 ] || fail "a port that is taken: exit code $taken"
grep -q 'cannot listen there: Address already in use' "$work/taken" ||
	fail "a port that is taken: says \"$(<"$work/taken")\""
[ ! -e "$unmade" ] || fail "a port that is taken: a folder was made"
await 30 "there are rounds" has_rounds 100
await 30 "there are more" has_rounds "$(metric rounds_total)"
grep -q '^Content-Type: text/plain; version=0.0.4' "$work/answer" ||
	fail "the type is not that of the format"
[ "$(metric 'phase{phase="mayhem"}')" -eq 1 ] || fail "the phase"
[ "$(metric 'workers_alive{role="liar"}')" -eq 1 ] || fail "who lives"
[ "$(metric 'anomalies_total{kind="redelivered_after_ack",class="violation"}')" \
	-eq 1 ] || fail "the anomaly is not counted"
[ "$(metric publish_latency_seconds_count)" -eq \
	"$(metric 'publish_latency_seconds_bucket{le="+Inf"}')" ] ||
	fail "the histogram's ends differ"
[ "$(metric 'operation_events_total{message="PUBLISH_OK"}')" -eq \
	"$(metric 'publishes_total{outcome="ok"}')" ] ||
	fail "the operations by message differ"
cp "$work/page" "$work/metrics"

get /nothing
grep -q '^HTTP/1.[01] 404' "$work/answer" || fail "no 404"
get /metrics DELETE
grep -q '^HTTP/1.[01] 405' "$work/answer" || fail "no 405"
get /
grep -q /metrics "$work/page" || fail "the first page"
# Talkers, and some who say nothing for ever.
for garbage in '' '' 'GET' 'GET /metrics HTTP/1.1\r\nHost: x' \
	'GARBAGE\n\n\r\n\x00\xff' '\r\n\r\n' 'POST / HTTP/1.1\r\n'; do
	exec {silent}<>"/dev/tcp/127.0.0.1/$port"
	# shellcheck disable=SC2059
	printf "$garbage" >&"$silent"
done
before=$(metric rounds_total)
await 30 "it goes on" has_rounds "${before:-100}"
kill -INT "$pid"
finished 60
expect_code 1
expect '.harness.workers_died == 0 and .harness.gaps == 0' "the run suffered"
expect_nothing_survives 10

# Every metric of the dashboard is one that is served.
grep -o 'natsburn_[a-z_]*' "$root/scripts/grafana-dashboard.json" | sort -u |
	while read -r name; do
		grep -q "^${name}[ {]" "$work/metrics" ||
			grep -q "^# TYPE $name " "$work/metrics" ||
			printf '%s\n' "$name"
	done >"$work/unknown"
[ ! -s "$work/unknown" ] || fail "the dashboard asks for $(<"$work/unknown")"
jq -e '.panels | length > 5' "$root/scripts/grafana-dashboard.json" \
	>/dev/null || fail "the dashboard is no JSON"

promtool=$(PATH=$PATH:/usr/sbin command -v promtool) ||
	skip "no promtool, Debian package prometheus (the rest was tested)"
"$promtool" check metrics <"$work/metrics" >"$work/out" 2>&1 ||
	fail "promtool: $(<"$work/out")"
[ ! -s "$work/out" ] || fail "promtool remarks: $(<"$work/out")"

# shellcheck shell=bash
# SPDX-License-Identifier: ISC
#
# The main job against one version of nats-server: it passes, its report
# keeps the contract, its faults were applied and healed, "check" agrees,
# and neither a process nor a file is left outside the run folder.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

# Files that our processes hold open for writing outside of $work.
written_elsewhere()
{
	local one fd path flags inherited

	# What whoever runs the tests left open for us is none of natsburn's.
	inherited=$(readlink /proc/$$/fd/*)
	for one in $(marked); do
		for fd in /proc/"$one"/fd/*; do
			path=$(readlink "$fd")
			flags=$(awk '$1 == "flags:" { print $2 }' \
				"/proc/$one/fdinfo/${fd##*/}")
			case $path in
			"$work"/* | /dev/* | [!/]*) continue ;;
			esac
			case $'\n'$inherited$'\n' in
			*$'\n'"$path"$'\n'*) continue ;;
			esac
			case $flags in
			*[12]) printf '%s\n' "$path" ;;
			esac
		done
	done 2>/dev/null
}

expect_contract()
{
	expect '.schema == 1 and (.natsburn | test("^[0-9]+\\.[0-9]+"))' schema
	expect '.verdict == "pass" and .exit_code == 0' verdict
	expect '.test == "queue-group-consumer"' test
	expect '.mayhem == ["rolling_restart", "random_reload"]' mayhem
	expect '(.seed | type) == "number" and .seed > 0' seed
	expect '.command | startswith("natsburn run queue-group-consumer ")' \
		command
	expect '[.servers[].name] == ["n1", "n2", "n3"]' "names of servers"
	expect "all(.servers[]; .version | startswith(\"$1\"))" versions
	expect 'all(.servers[].levels; .memory.highest > 1000000 and
		.files.highest > 5 and .subscriptions.highest > 10 and
		.connections.highest > 0 and .files.says == "not exercised")' \
		"what the servers held"
	expect "all(.servers[].levels.goroutines; if \"$1\" == \"2.9\"
		then .says == \"not told\" else .highest > 10 end)" goroutines
	expect '[.server_log[] | select(.says | test("^Plaintext passw"))] |
		length == 1 and (.[0] | .level == "warning" and .count > 3 and
		([.servers[].name] == ["n1", "n2", "n3"]))' "their logs"
	expect '.duration_s >= 12 and .rounds > 50' "duration and rounds"
	expect '.counts.publish | .ok > 50 and .fail == 0 and .unknown >= 0' \
		"counts of publishes"
	expect '.counts | .deliver >= .publish.ok and .redeliver >= 0' \
		"counts of deliveries"
	expect '.counts | .scanned >= .publish.ok and .absent == 0' \
		"counts of the audit"
	expect '.latency_ms.publish | .p50 > 0 and .p50 <= .p99 and
		.p99 <= .max' latency
	expect '.longest_stall_ms | type == "number" and . > 0' stall
	expect '[.anomalies[] | select(.class != "warning")] == []' anomalies
	expect '.harness | .workers_died == 0 and .events > 500 and .gaps == 0' \
		harness
}

expect_faults()
{
	expect 'all(.faults[]; (.t | type) == "number" and .applied == true and
		.healed == true and .heal_s >= 0 and
		(.target | test("^n[123]$")))' "faults applied and healed"
	expect '[.faults[] | select(.mode == "rolling_restart") | .target] |
		.[0:2] == ["n3", "n2"]' "highest ordinal first"
	expect 'any(.faults[]; .mode == "random_reload")' "a reload"
	expect 'any(.servers[]; .faults > 0 and .ended > 0 and .faulty_s > 0)' "what the servers went through"
	expect 'any(.workers[]; .role == "publisher" and .ok > 50)' workers
	# Two faults never hit one server at the same time.
	# shellcheck disable=SC2016
	expect '.faults | group_by(.target) | all(.[]; [sort_by(.t)[] |
		{from: .t, to: (.t + .heal_s)}] as $f |
		all(range(1; $f | length); $f[. - 1].to <= $f[.].from + 0.01))' \
		"one fault at a time on a server"
}

main_job()
{
	local version=$1 server

	server=$(server_of "$version")
	[ -n "$server" ] ||
		skip "no nats-server $version in NATSBURN_SERVERS_DIR"
	mkdir "$work/home" "$work/cwd" "$work/tmp"
	cd "$work/cwd" || exit 1
	HOME=$work/home TMPDIR=$work/tmp start run queue-group-consumer \
		--mayhem rolling_restart,random_reload --fault-interval 2s \
		--duration 12s --consumers 4 --server-bin "$server" \
		--limit-server-memory 100GiB --limit-server-files 60000 \
		--out "$work/run"
	await_work
	[ "$(marked_with --child=worker | wc -l)" -ge 5 ] ||
		fail "not one process for each worker"
	[ "$(marked_with nats-server | wc -l)" -ge 2 ] ||
		fail "the servers carry no mark"
	[ -z "$(written_elsewhere)" ] ||
		fail "open for writing: $(written_elsewhere | head -n 3)"
	finished 180
	expect_code 0
	expect_nothing_survives 5
	expect_contract "$version"
	expect_faults
	expect_same_check "$work/run"
	expect_valid_report "$work/run"
	grep -q '^PASS' "$work/out" || fail "no verdict in words"
	[ -z "$(find "$work/home" "$work/cwd" "$work/tmp" -type f)" ] ||
		fail "a file was left outside the run folder"
}

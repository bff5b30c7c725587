#!/bin/bash
# SPDX-License-Identifier: ISC
#
# A soak in shards: two pods with the commands of scripts/k8s/shards.yaml run
# beside each other on the same servers, the first one with faults, and
# their reports become one. The kit's Kubernetes is older than Indexed Jobs:
# here each shard is a Job of its own that is told its index.
kit_only="images are put on its node"
# shellcheck source=tests/e2e/k8s/k8s_lib.sh
. "$(dirname "$0")/k8s_lib.sh"

# shard INDEX
shard()
{
	sed "1,/^---/d
		s|name: natsburn-shards\$|name: natsburn-shard-$1|
		/completionMode:/d
		/completions:/d
		/parallelism:/d
		s|image: natsburn:latest|image: localhost/natsburn:test|
		s|imagePullPolicy:.*|&\n        env: [ { name: JOB_COMPLETION_INDEX, value: \"$1\" } ]|
		s|persistentVolumeClaim:.*|hostPath: { path: $work/runs }|
		s|run pipeline|run queue-group-consumer|
		s|--duration=1h|--duration=60s --fault-interval=5s|" \
		"$root/scripts/k8s/shards.yaml" >"$work/shard-$1.yaml"
	kubectl apply -f "$work/shard-$1.yaml" >/dev/null || fail "no job $1"
}

ended()
{
	[ -s "$work/runs/shard-0/junit.xml" ] &&
		[ -s "$work/runs/shard-1/junit.xml" ]
}

make_image
mkdir "$work/runs"
chmod 777 "$work" "$work/runs"
shard 0
shard 1
await 600 "both shards have ended" ended
natsburn report --merge --out "$work/run" "$work"/runs/shard-*
say "exit code $code: $(jq -c '[.shards[] | [.result, .rounds, .faults, .seed]]' \
	"$work/run/report.json")"
expect_code 0
expect_valid_report "$work/run"
expect '(.shards | length) == 2 and all(.shards[]; .rounds > 100)' "two shards"
expect '[.shards[].seed] == [1000, 1001]' "seeds of their own"
expect '.differs | index("mayhem") != null' "one makes the faults"
expect '[.faults[] | select(.shard | endswith("shard-0")) | .mode] |
	index("rolling_restart") != null' "the rollout"
expect '[.faults[] | select(.shard | endswith("shard-1")) | .mode] | unique |
	. == [] or . == ["crash"]' "the other one only sees it"
expect_cluster_whole

#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The soak as a Job inside the cluster: scripts/k8s/job.yaml, with a short
# run, as the service account of scripts/k8s/rbac.yaml and no kubectl.
[ "${NATSBURN_K8S_LONG:-}" ] || {
	echo "skipped: takes minutes; NATSBURN_K8S_LONG=1 runs it" >&2
	exit 77
}
kit_only="images are put on its node"
# shellcheck source=tests/e2e/k8s_lib.sh
. "$(dirname "$0")/k8s_lib.sh"

# job TEST MAYHEM: sets $code, writes $work/job.log.
job()
{
	local name

	sed "s|image: natsburn:latest|image: localhost/natsburn:test|
		s|- queue-group-consumer|- $1|
		s|--mayhem=.*|--mayhem=$2|
		s|--duration=.*|--duration=30s|" \
		"$root/scripts/k8s/job.yaml" >"$work/job.yaml"
	name=$(kubectl create -f "$work/job.yaml" -o name) ||
		fail "no job"
	pod_code()
	{
		code=$(kubectl get pods -l "job-name=${name#*/}" -o \
			'jsonpath={.items[0].status.containerStatuses[0].state.terminated.exitCode}')
		[ -n "$code" ]
	}
	await 400 "the job ends" pod_code
	kubectl logs -l "job-name=${name#*/}" --tail=-1 >"$work/job.log"
	say "$1, $2: exit code $code, $(grep -E '^  (rounds|faults)' \
		"$work/job.log" | tr -s ' ' | tr '\n' ' ')"
}

passed()
{
	cp "$work/job.log" "$work/out"
	expect_code 0
	grep -q '^PASS: ' "$work/job.log" || fail "no verdict"
	grep -Eq 'faults +([1-9][0-9]*) planned, \1 applied, \1 healed' \
		"$work/job.log" || fail "faults were not applied and healed"
}

make_image
job kv-cas rolling_restart
passed
job queue-group-consumer random_reload,random_hard_kill
passed
expect_cluster_whole

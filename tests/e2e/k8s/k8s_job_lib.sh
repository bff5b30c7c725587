# shellcheck shell=bash
# SPDX-License-Identifier: ISC
#
# natsburn as a Job inside the cluster: scripts/k8s/job.yaml, with a short
# run, as the service account of scripts/k8s/rbac.yaml and no kubectl.
kit_only="images are put on its node"
# shellcheck source=tests/e2e/k8s/k8s_lib.sh
. "$(dirname "$0")/k8s_lib.sh"

job_image=localhost/natsburn:test

has_ended()
{
	code=$(kubectl get pods -l "job-name=$1" -o \
		'jsonpath={.items[0].status.containerStatuses[0].state.terminated.exitCode}')
	[ -n "$code" ]
}

# job TEST MAYHEM [OPTION]: sets $code, writes $work/job.log.
job()
{
	local name

	sed "s|image: natsburn:latest|image: $job_image|
		s|- queue-group-consumer|- $1|
		s|--mayhem=.*|--mayhem=$2|
		s|--duration=.*|--duration=30s|
		${3:+s|- --duration=.*|&\n        - $3|}" \
		"$root/scripts/k8s/job.yaml" >"$work/job.yaml"
	name=$(kubectl create -f "$work/job.yaml" -o name) ||
		fail "no job"
	await 400 "the job ends" has_ended "${name#*/}"
	kubectl logs -l "job-name=${name#*/}" --tail=-1 >"$work/job.log"
	say "$1, $2: exit code $code, $(grep -E '^  (rounds|faults)' \
		"$work/job.log" | tr -s ' ' | tr '\n' ' ')"
}

job_passed()
{
	cp "$work/job.log" "$work/out"
	expect_code 0
	grep -q '^PASS: ' "$work/job.log" || fail "no verdict"
	grep -Eq 'faults +([1-9][0-9]*) planned, \1 applied, \1 healed' \
		"$work/job.log" || fail "faults were not applied and healed"
}

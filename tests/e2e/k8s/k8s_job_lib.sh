# shellcheck shell=bash
# SPDX-License-Identifier: ISC
#
# natsburn as a Job inside the cluster: a kustomization on scripts/k8s/natsburn
# with a short run, as the service account of its Role and no kubectl.
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
	rm -rf "$work/overlay"
	mkdir "$work/overlay"
	cp -r "$root/scripts/k8s/natsburn" "$work/overlay"
	cat >"$work/overlay/args.yaml" <<-END
		- op: replace
		  path: /spec/template/spec/containers/0/args
		  value: [ run, $1, --cluster=kubernetes, "--mayhem=$2",
		    --duration=30s, --out=/run/natsburn/run${3:+, $3} ]
	END
	# The kit's kubectl is of a time in which folders were no resources.
	cat >"$work/overlay/kustomization.yaml" <<-END
		bases: [ natsburn ]
		images: [ { name: natsburn, newName: ${job_image%:*}, newTag: ${job_image##*:} } ]
		patchesJson6902:
		- path: args.yaml
		  target: { group: batch, version: v1, kind: Job, name: natsburn }
	END
	kubectl delete job natsburn --ignore-not-found >/dev/null
	kubectl apply -k "$work/overlay" >/dev/null || fail "no job"
	await 400 "the job ends" has_ended natsburn
	kubectl logs -l job-name=natsburn --tail=-1 >"$work/job.log"
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

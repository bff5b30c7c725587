#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Each broken promise that the liar plants is found through the whole path
# of processes, wherever it stands, and nothing else is: the check that owns
# it reports its kind, and no other check reports anything.
# shellcheck source=tests/e2e/local/liar_lib.sh
. "$(dirname "$0")/liar_lib.sh"

short="--op-timeout 1s --consume-timeout 1s --recover-timeout 1s"

for at in start middle end seed; do
	run_case "none_$at" 0 - 0/0 -o "liar.at=$at"
	while read -r plant kind; do
		# shellcheck disable=SC2086
		run_case "${plant}_$at" 1 "$kind/violation" 0/0 $short \
			-o "liar.plant=$plant" -o "liar.at=$at"
	done <<-END
		lost lost
		phantom phantom
		foreign phantom
		duplicate duplicate
		forgotten_id duplicate
		reorder reorder
		consumer_reorder reorder
		corrupt corrupt
		changed corrupt
		corrupt_stored corrupt
		seq_reuse seq_reuse
		overwritten seq_reuse
		redelivered_after_ack redelivered_after_ack
		torn_batch torn_batch
		uncommitted torn_batch
		torn_fast torn_batch
		wrong_count wrong_count
		misfired misfired
		bare corrupt
		stuck stuck
		op_timeout op_timeout
		not_recovered not_recovered
		crashed crashed
		not_copied not_copied
		miscopied seq_reuse
	END
done
run_case recreated 1 lost/violation 0/0 -o liar.plant=recreated
run_case miscounted 1 wrong_state/violation 0/0 -o liar.plant=miscounted
run_case mislabelled 1 corrupt/violation 0/0 -o liar.plant=mislabelled
run_case reconfigured 1 corrupt/violation 0/0 -o liar.plant=reconfigured

# What can't be decided is neither a pass nor a violation.
for plant in unsettled incomplete unaudited; do
	run_case "$plant" 2 - 0/0 -o "liar.plant=$plant"
done
cases_done

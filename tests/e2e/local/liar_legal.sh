#!/bin/bash
# SPDX-License-Identifier: ISC
#
# Legal oddities that the liar plants fail no run, wherever they stand; and
# a broken promise right behind one is still found.
# shellcheck source=tests/e2e/local/liar_lib.sh
. "$(dirname "$0")/liar_lib.sh"

short="--op-timeout 1s --consume-timeout 1s"

for at in start middle end; do
	while read -r legal kinds options; do
		# shellcheck disable=SC2086
		run_case "${legal}_$at" 0 "$kinds" 0/0 $options \
			-o "liar.legal=$legal" -o "liar.at=$at"
	done <<-END
		late_unknown -
		never_stored -
		unknown_at_end -
		failed -
		failed_for_good -
		copy_after_window -
		copied_once -
		dup_ack -
		sent_again -
		batch_unknown -
		batch_absent -
		fast_part -
		count_unknown -
		scheduled -
		bare -
		redelivery_before_ack -
		late_delivery -
		unknown_ack -
		deposed_leader delivered_twice/warning
		leader_change reorder/warning
		hole -
		outage - $short
		unhealed stuck/warning $short
		sick -
		our_silence - $short
		shut_down crashed/warning
		memory_loss lost/documented --storage memory
	END
done

# The availability clock can be told not to stand.
# shellcheck disable=SC2086
run_case strict 1 op_timeout/violation,stuck/violation 0/0 $short \
	--strict-availability -o liar.legal=outage
# On disk, or when no server ended, the same loss is a violation.
run_case memory_loss_on_disk 1 lost/violation 0/0 -o liar.legal=memory_loss
run_case lost_in_memory 1 lost/violation 0/0 --storage memory -o liar.plant=lost
for plant in lost duplicate redelivered_after_ack; do
	run_case "behind_$plant" 1 "$plant/violation" 0/0 \
		-o liar.legal=late_unknown -o "liar.plant=$plant"
done
cases_done

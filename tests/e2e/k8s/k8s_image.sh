#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The images as users make them, with docker or else with buildah: natsburn's
# by scripts/k8s/Dockerfile, nats-server's by scripts/k8s/image. Then natsburn
# burns in that server, both of them in pods.
# shellcheck source=tests/e2e/k8s/k8s_job_lib.sh
. "$(dirname "$0")/k8s_job_lib.sh"
# shellcheck source=tests/e2e/k8s/image_lib.sh
. "$(dirname "$0")/image_lib.sh"

image_undo()
{
	images_end
	k8s_down
}
undo=image_undo

images_begin
images_natsburn localhost/natsburn:built
images_server localhost/nats built "$server" --tar "$work/server.tar"
images_save localhost/natsburn:built "$work/natsburn.tar"
import_image "$work/natsburn.tar"
import_image "$work/server.tar"
rm "$work/natsburn.tar" "$work/server.tar"

# The kit's server is upgraded to it, by a Job in that image.
job_image=localhost/natsburn:built
job queue-group-consumer rolling_upgrade --k8s-image=localhost/nats:built
job_passed
# Then it is the one from the start, with commands in its shell.
kubectl set image sts nats nats=localhost/nats:built >/dev/null ||
	fail "no other image"
image=localhost/nats:built
expect_cluster_whole
job kv-cas random_reload,random_hard_kill
job_passed
expect_cluster_whole

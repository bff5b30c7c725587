#!/bin/bash
# SPDX-License-Identifier: ISC
#
# What CI servers get: the script that runs natsburn for them, the summaries in
# Markdown, the templates, Kubernetes' too; and the image and the tarball, which
# work where nothing else is.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

cd "$work" || exit 1
liar=(run liar --cluster null --quiet-time 0 --rounds 200)

# ci CODE DIR COMMAND...
ci()
{
	local want=$1 code=0

	shift
	GITHUB_STEP_SUMMARY=$work/summary GITHUB_OUTPUT=$work/output \
		NATSBURN_TEST_MARK=$mark NATSBURN=$NATSBURN \
		"$root/scripts/ci/natsburn-ci" "$@" >out 2>err || code=$?
	[ "$code" -eq "$want" ] || fail "$*: exit code $code: $(<err)"
}

# says PATTERN: a line of the summaries, which the runs left
says()
{
	grep -Eq -- "$1" summary || fail "no \"$1\" in $(<summary)"
}

ci 0 good "${liar[@]}"
says '^## natsburn run: pass \(exit code 0\)$'
ci 1 bad "${liar[@]}" -o liar.legal=memory_loss
says '^\| lost \| violation \| guarantees 1 \| message '
# What stands in a text is no markup.
says 'NB&#95;[0-9A-F]+&#95;liar and is gone'
grep -qx 'exit-code=1' output || fail "the exit code is not told"
NATSBURN_CI_ACCEPT="2 1" ci 0 known "${liar[@]}" -o liar.legal=memory_loss
ci 0 many matrix --tests liar --cluster null --quiet-time 0 --rounds 100
says '^\| liar \| none \| null \| pass \| '
ci 64 none explain lost
ci 64 none
"$NATSBURN" report bad >out 2>err || [ "$?" -eq 1 ] || fail "report"
grep -q '^## natsburn run: FAIL' bad/summary.md || fail "bad/summary.md"
if python3 -c 'import yaml' 2>/dev/null; then
	python3 - "$root"/scripts/ci/*.yml <<-'END' || fail "a template"
		import sys, yaml
		for path in sys.argv[1:]:
		    assert yaml.safe_load(open(path, encoding="utf-8")), path
	END
fi

# renders DIR KIND...: these, and no others.
renders()
{
	local dir=$1

	shift
	kubectl kustomize "$root/scripts/k8s/$dir" >rendered 2>err ||
		fail "kustomize $dir: $(<err)"
	[ "$(sed -n 's/^kind: //p' rendered | sort | xargs)" = "$*" ] ||
		fail "kustomize $dir: $(grep ^kind: rendered)"
}
if command -v kubectl >/dev/null; then
	renders . ConfigMap PodDisruptionBudget Role RoleBinding Secret \
		Service ServiceAccount StatefulSet
	renders natsburn Job Role RoleBinding ServiceAccount
	kubectl patch --local -o name -f "$root/scripts/k8s/hunt.yaml" \
		--type merge -p '{}' >rendered 2>err ||
		fail "hunt.yaml: $(<err)"
fi

# -- the tarball

build=$(dirname "$NATSBURN")
if [ -e "$build/completion.bash" ] && command -v cmake >/dev/null; then
	"$root/scripts/tarball" --build "$build" nb.tar.gz >out 2>err ||
		fail "scripts/tarball: $(<err)"
	mkdir "a place"
	tar -C "a place" -xzf nb.tar.gz
	ln -s "$work/a place/$(<out)/bin/natsburn" link
	env -i PATH=/usr/bin:/bin NATSBURN_TEST_MARK="$mark" \
		./link "${liar[@]}" --out unpacked >out 2>err ||
		fail "the tarball's natsburn: $(<err)"
	# It takes the libraries beside it, and no others but the C library's.
	env -i LD_LIBRARY_PATH="$(echo "a place"/*/lib/natsburn)" ldd \
		"a place"/*/libexec/natsburn >linked
	! grep '=> ' linked |
		grep -Ev 'a place/|/lib(c|m|pthread|dl|rt|resolv)\.so' >&2 ||
		fail "it is linked with what it does not have"
fi

# -- the image

printf '#!/bin/sh\necho nats-server: v9.9.9\n' >server
chmod +x server
"$root/scripts/image" --natsburn "$NATSBURN" --server server \
	--name nb:1 image.tar >out 2>err || fail "scripts/image: $(<err)"
[ "$(<out)" = nb:1 ] || fail "the image is called $(<out)"
mkdir layout tree
tar -C layout -xf image.tar
# Each blob is what its name says, and is named, but for the manifest's own.
for blob in layout/blobs/sha256/*; do
	[ "$(sha256sum <"$blob")" = "${blob##*/}  -" ] || fail "$blob is not"
done
manifest=layout/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' \
	layout/index.json)
for digest in $(jq -r '.config.digest, .layers[].digest' "$manifest"); do
	[ -s "layout/blobs/sha256/${digest#sha256:}" ] || fail "no $digest"
done
config=layout/blobs/sha256/$(jq -r '.config.digest[7:]' "$manifest")
layer=layout/blobs/sha256/$(jq -r '.layers[0].digest[7:]' "$manifest")
[ "$(jq -r '.rootfs.diff_ids[0]' "$config")" = \
	"sha256:$(gzip -dc "$layer" | sha256sum | cut -d' ' -f1)" ] ||
	fail "the layer is not that of the configuration"
tar -C tree -xzf "$layer"
[ "$(readlink -f tree/usr/bin/nats-server)" = \
	"$work/tree/servers/9.9.9/nats-server" ] || fail "which server?"
[ "$(id -u)" -eq 0 ] || skip "not root: the image was not entered"
# A sanitizer has its options, and looks for leaks, by way of /proc.
if ldd "$NATSBURN" | grep -q libasan; then
	exit 0
fi
chroot tree /usr/bin/natsburn --version >out 2>err ||
	fail "natsburn does not run in the image: $(<err)"
[ "$(<out)" = "$("$NATSBURN" --version)" ] || fail "it is $(<out)"

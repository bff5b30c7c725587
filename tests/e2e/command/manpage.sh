#!/usr/bin/env bash
# SPDX-License-Identifier: ISC
#
# The documents against the program: each option of --help stands in the man
# page with its default, and the man page has no other; the tables in
# README.md and docs/protocol.md are those of this build; each check stands in
# the row of its paragraph of docs/guarantees.md.
set -u
export LC_ALL=C

NATSBURN=${NATSBURN:?must name the natsburn binary to test}
root=$(cd "$(dirname "$0")/../../.." && pwd)
page=$root/docs/natsburn.1
bad=0

complain()
{
	printf 'manpage: %s\n' "$*" >&2
	bad=1
}

help=$("$NATSBURN" --help) || exit 1
options=$(sed -n 's/^  --\([a-z][a-z0-9-]*\)\( .*\)\{0,1\}$/\1/p' <<<"$help")
[ "$(wc -l <<<"$options")" -gt 10 ] || complain "--help shows no options"

# In mdoc "--servers N" is written ".It Fl -servers Ar N".
for option in $options; do
	grep -Eq "^\.It Fl -$option( |\$)" "$page" ||
		complain "--$option is not in $page"
done
while read -r option; do
	grep -qx -- "$option" <<<"$options" ||
		complain "$page has --$option, which --help has not"
done < <(sed -n 's/^\.It Fl -\([a-z][a-z0-9-]*\).*/\1/p' "$page")

# The paragraph of one option in the man page.
paragraph()
{
	awk -v option="-$1" '
		/^\.(It|El|Ss|Sh)/ { inside = 0 }
		$1 == ".It" && $2 == "Fl" && $3 == option { inside = 1; next }
		inside' "$page"
}

# "--servers N   local: servers to start [3]": its paragraph has the 3.
while read -r option default; do
	paragraph "$option" | grep -Fqw -- "$default" ||
		complain "--$option: the default $default is not in $page"
done < <(sed -n 's/^  --\([a-z][a-z0-9-]*\) .*\[\(.*\)\]$/\1 \2/p' <<<"$help")

while read -r code; do
	grep -Eq "^\.It $code\$" "$page" ||
		complain "exit code $code is not in $page"
done < <(sed -n '/^exit codes:/,$p' <<<"$help" | grep -Eo '[0-9]+')

# "  kv   the revisions ... (guarantees 10)", and a row "| 10, 11 | ... | `kv` |"
checks=$("$NATSBURN" list |
	sed -n 's/^  \([a-z_]*\) .*(guarantees \([0-9]*\))$/\1 \2/p')
[ -n "$checks" ] || complain "natsburn list shows no checks"
while read -r check paragraph; do
	grep -Eq "^\| ([0-9]+, )*$paragraph(, [0-9]+)* \|.*\`$check\`" \
		"$root/docs/guarantees.md" ||
		complain "$check is not in row $paragraph of docs/guarantees.md"
done <<<"$checks"

NATSBURN=$NATSBURN "$root/scripts/make-readme-tables" --check || bad=1
"$root/scripts/make-protocol-doc" --check || bad=1
if command -v mandoc >/dev/null; then
	mandoc -Tlint -Wwarning "$page" || complain "mandoc finds fault with $page"
fi
exit "$bad"

#!/bin/bash
# SPDX-License-Identifier: ISC
#
# report.html for those who can't see it all: axe-core, in a browser, finds
# nothing to say about the page of a pass and of a fail, which it also sees dark
# and as narrow as on a telephone. axe-core comes from npm.
# shellcheck source=tests/e2e/report/report_lib.sh
. "$(dirname "$0")/report_lib.sh"

needs_browser "nothing was looked at"
command -v npm >/dev/null || skip "no npm, which gets axe-core"
(cd "$work" && HOME=$work timeout 60 npm pack --silent axe-core@4) \
	>"$work/npm" 2>&1 || skip "npm can't get axe-core"
tar -xzOf "$work"/axe-core-*.tgz package/axe.min.js >"$work/axe.js" ||
	fail "no axe.min.js in it"

# with_axe NAME: the page with axe-core in it, which writes what it finds.
with_axe()
{
	grep -q '</body>' "$work/$1/report.html" || fail "$1: no end of the page"
	{
		sed 's|</body>.*||' "$work/$1/report.html"
		echo '<script>'
		cat "$work/axe.js"
		cat <<-'END'
			</script><script>
			axe.run().then(function (found) {
				document.body.dataset.rules = found.passes.length;
				document.body.dataset.axe = found.violations.map(
					function (v) { return v.id + ": " +
						v.nodes.map(function (n) {
							return n.target.join(" ");
						}).join(", ");
					}).join("; ") || "nothing";
			});
			</script></body></html>
		END
	} >"$work/$1.axe.html"
}

# axe_says NAME WANT OPTION...
axe_says()
{
	local name=$1 want=$2 rules

	shift 2
	browse "$work/$name.axe.html" --virtual-time-budget=20000 "$@" \
		--dump-dom >"$work/dom"
	grep -o '<body[^>]*>' "$work/dom" >"$work/body"
	grep -q "data-axe=\"$want" "$work/body" ||
		fail "$name ${*}: axe-core says: $(cut -c1-2000 "$work/body")"
	rules=$(grep -o 'data-rules="[0-9]*' "$work/body" | tr -dc 0-9)
	[ "${rules:-0}" -ge 15 ] || fail "$name: only ${rules:-0} rules looked"
}

lie pass 0
lie fail 1 -o liar.plant=redelivered_after_ack
with_axe pass
with_axe fail
axe_says pass nothing
axe_says fail nothing
axe_says fail nothing --force-dark-mode \
	--blink-settings=preferredColorScheme=0
axe_says fail nothing --window-size=390,2000
# It would say so.
sed -i 's|<h1|<button></button><h1|' "$work/fail.axe.html"
axe_says fail button-name
expect_nothing_survives 10

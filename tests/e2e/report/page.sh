#!/bin/bash
# SPDX-License-Identifier: ISC
#
# report.html: one file that needs nothing else, says what report.json says,
# can't be made to run what others wrote, and is drawn by a real browser
# without a word of complaint, light and dark.
# shellcheck source=tests/e2e/report/report_lib.sh
. "$(dirname "$0")/report_lib.sh"

page_max=$((2 << 20))

# says NAME FILTER: what jq finds in report.json stands in the page.
says()
{
	local text

	while IFS= read -r text; do
		grep -Fq -- "$text" "$work/$1/report.html" ||
			fail "$1: the page does not say: $text"
	done < <(jq -r "$2 | @html" "$work/$1/report.json" |
		sed "s/&apos;/\&#39;/g")
}

contents()
{
	local page=$work/$1/report.html

	[ "$(stat -c %s "$page")" -lt "$page_max" ] || fail "$1: too large"
	expect_page_alone "$page"
	! grep -q s3cr3tpw "$page" || fail "$1: the page tells a password"
	says "$1" '.command, .test, (.seed | tostring), .reasons[],
		.anomalies[].says, .anomalies[].kind, .checks[].name,
		.servers[].name, .workers[].role, .client_library'
	if grep -q '<svg' "$page" && command -v xmllint >/dev/null; then
		{
			echo '<all>'
			sed -n '/<svg/,/<\/svg>/p' "$page"
			echo '</all>'
		} >"$work/$1.svg"
		xmllint --noout "$work/$1.svg" || fail "$1: not well-formed"
	fi
	sed -n '/id=series>/,/<\/script>/p' "$page" | sed '1d;$d' |
		jq -e . >/dev/null || [ "$1" = skipped ] || [ "$1" = cluster ] ||
		fail "$1: the script's numbers are no JSON"
}

# A name that would be markup if it were let.
odd_name()
{
	local odd="$work/<b id=evil>&\"'.conf"

	: >"$odd"
	lie odd 0 --server-conf "$odd"
	! grep -q '<b id=evil' "$work/odd/report.html" || fail "markup got in"
	says odd '.options."server-conf", .command'
}

# Brightness of the page's margin, 0 to 255.
brightness()
{
	python3 - "$1" <<'END'
import struct
import sys
import zlib

data = open(sys.argv[1], "rb").read()
at, body = 8, b""
while at < len(data):
    size, kind = struct.unpack(">I4s", data[at:at + 8])
    if kind == b"IHDR":
        width, height, _, colour = struct.unpack(
            ">IIBB", data[at + 8:at + 18])
    if kind == b"IDAT":
        body += data[at + 8:at + 8 + size]
    at += 12 + size
pixel = 4 if colour == 6 else 3
rows = zlib.decompress(body)
stride = width * pixel + 1
assert width == 1280 and height == 2000
# The first pixel of a line is itself but for the "up" filters: add them up.
value = [0] * pixel
for y in range(height):
    line = rows[y * stride:(y + 1) * stride]
    up = value
    first = list(line[1:1 + pixel])
    if line[0] in (2, 4):
        first = [(a + b) & 255 for a, b in zip(first, up)]
    elif line[0] == 3:
        first = [(a + b // 2) & 255 for a, b in zip(first, up)]
    value = first
print(sum(value[:3]) // 3)
END
}

pictures()
{
	local light dark

	browse "$work/pass/report.html" --screenshot="$work/light.png"
	browse "$work/fail/report.html" --force-dark-mode \
		--blink-settings=preferredColorScheme=0 \
		--screenshot="$work/dark.png"
	light=$(brightness "$work/light.png")
	dark=$(brightness "$work/dark.png")
	[ "$light" -gt 200 ] || fail "light is $light"
	[ "$dark" -lt 60 ] || fail "dark is $dark"
	[ "$(stat -c %s "$work/light.png")" -gt 50000 ] ||
		fail "the picture is nearly empty"
}

# The script: the pointer over the picture shows numbers.
pointer()
{
	local box='document.querySelector(".chart svg")'

	sed 's|</body>|<script>\
		var at = '"$box"'.getBoundingClientRect();\
		'"$box"'.dispatchEvent(new MouseEvent("mousemove", {\
		clientX: at.left + at.width / 3, clientY: at.top + 90}));\
		</script></body>|' "$work/fail/report.html" >"$work/pointed.html"
	browse "$work/pointed.html" --dump-dom >"$work/dom"
	grep -q 'id="tip" style="display: block.*rounds/s.*publish p99' \
		"$work/dom" || fail "the pointer shows nothing"
}

# Keys make the picture of time wider, and all of it is shown again; a filter
# leaves the rows that have its text.
nearer()
{
	local press='frame.dispatchEvent(new KeyboardEvent("keydown", {key: '

	sed 's|</body>|<script>\
		var frame = document.querySelector(".frame");\
		var svg = frame.querySelector("svg");\
		var was = svg.getBoundingClientRect();\
		'"$press"'"+"}));\
		var is = svg.getBoundingClientRect();\
		document.body.dataset.wider = is.width / was.width;\
		document.body.dataset.moved = frame.scrollLeft > 0;\
		document.body.dataset.higher = Math.round(is.height - was.height);\
		'"$press"'"0"}));\
		document.body.dataset.back =\
			svg.getBoundingClientRect().width / was.width;\
		var field = document.querySelector(".scroll > input");\
		var rows = field.parentNode.querySelectorAll("tbody tr");\
		field.value = rows[0].textContent.slice(0, 12);\
		field.dispatchEvent(new Event("input"));\
		document.body.dataset.first = rows[0].hidden;\
		document.body.dataset.shown = Array.from(rows).filter(\
			function (r) { return !r.hidden; }).length < rows.length;\
		</script></body>|' "$work/fail/report.html" >"$work/nearer.html"
	browse "$work/nearer.html" --dump-dom >"$work/dom"
	grep -o '<body[^>]*>' "$work/dom" >"$work/body"
	for want in wider=\"2\" moved=\"true\" higher=\"0\" back=\"1\" \
		first=\"false\" shown=\"true\"; do
		grep -q "data-$want" "$work/body" ||
			fail "not $want: $(<"$work/body")"
	done
}

all_verdicts
for name in $verdicts; do
	contents "$name"
done
odd_name
# Made again from the journal it is the same page.
for name in pass fail inconclusive; do
	cp "$work/$name/report.html" "$work/$name.html"
	rm "$work/$name"/{report.html,report.json,junit.xml}
	"$NATSBURN" report --quiet "$work/$name" >"$work/out"
	cmp "$work/$name.html" "$work/$name/report.html" ||
		fail "$name: another page from the same journal"
	says "$name" '.command'
	[ -s "$work/$name/junit.xml" ] || fail "$name: no junit.xml"
done
needs_browser "the page's contents were tested"
pictures
pointer
nearer
expect_nothing_survives 10

# SPDX-License-Identifier: ISC
#
# Calls that are banned; run by scripts/lint over all C files. There is no
# list of exceptions. One line a call: FILE:LINE: text.

BEGIN {
	everywhere = "strcpy strcat sprintf strtok atoi system popen sleep alloca"
	outside_base = "fork vfork signal clock_gettime"
}

FNR == 1 {
	in_comment = 0
}

# The line without comments, strings and characters.
function code_of(line,    out, two, c, quote) {
	out = ""
	while (line != "") {
		two = substr(line, 1, 2)
		c = substr(line, 1, 1)
		if (in_comment) {
			if (two == "*/") {
				in_comment = 0
				line = substr(line, 3)
				out = out " "
			} else {
				line = substr(line, 2)
			}
		} else if (two == "/*") {
			in_comment = 1
			line = substr(line, 3)
		} else if (two == "//") {
			return out
		} else if (c == "\"" || c == "'") {
			quote = c
			line = substr(line, 2)
			while (line != "" && substr(line, 1, 1) != quote)
				line = substr(line,
				    substr(line, 1, 1) == "\\" ? 3 : 2)
			line = substr(line, 2)
			out = out quote quote
		} else {
			out = out c
			line = substr(line, 2)
		}
	}
	return out
}

function look_for(names, code, why,    list, n, i) {
	n = split(names, list, " ")
	for (i = 1; i <= n; i++)
		if (code ~ ("(^|[^A-Za-z0-9_])" list[i] "[ \t]*[(]"))
			printf "%s:%d: %s() %s\n", FILENAME, FNR, list[i], why
}

{
	code = code_of($0)
	look_for(everywhere, code, "is banned")
	if (FILENAME !~ /^proto\/base\//)
		look_for(outside_base, code, "is for proto/base only")
}

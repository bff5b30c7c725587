# SPDX-License-Identifier: ISC
#
# Who may include what; run by scripts/lint over the C files of the product.
# One line a forbidden include: FILE:LINE: text.

function folder_of(file) {
	if (file ~ /^proto\/base\//)
		return "base"
	if (file ~ /^orchestrator\/(check|judge)\//)
		return "judge"
	sub(/\/.*/, "", file)
	return file
}

function folder_path(file) {
	sub(/\/[^\/]*$/, "", file)
	return file
}

# May a file in folder include our header?
function may_include(folder, header) {
	if (folder == "base")
		return header ~ /^proto\/base\//
	if (folder == "proto")
		return header ~ /^proto\//
	if (folder == "worker")
		return header ~ /^(worker|proto)\//
	if (folder == "chaos")
		return header ~ /^(chaos|proto)\//
	if (folder == "judge") {
		# A check of several files is a folder with a header.
		if (header ~ /^orchestrator\/judge\// ||
		    (header ~ /^orchestrator\/check\/.+\// &&
			folder_path(header) == folder_path(FILENAME)))
			return 1
		# Nothing that could act: no process, no pipe, no journal.
		return header ~ /^proto\/(base\/(array|buf|clock|ensure|hist|text)|config|message|numbers|refusal)\.h$/ ||
		    header == "proto/messages.def"
	}
	if (folder == "orchestrator")
		return header ~ /^(orchestrator|proto)\// ||
		    header == "worker/worker.h" ||
		    header ~ /^chaos\/(chaos|cluster\/cluster|mayhem\/mayhem)\.h$/
	return 1
}

# A judge does not look at the clock, at files or at other processes.
function acts(header) {
	return header ~ /^(unistd|fcntl|time|signal|poll|pthread|dirent)\.h$/ ||
	    header ~ /^sys\/(types|queue|param)?/ && header !~ /^sys\/(types|queue|param)\.h$/
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
	header = $0
	sub(/^[^"]*"/, "", header)
	sub(/".*/, "", header)
	folder = folder_of(FILENAME)
	if (header == "proto/nats_login.h" && folder != "worker" &&
	    FILENAME !~ /^(chaos\/admin|proto\/nats_login)\.c$/)
		printf "%s:%d: only worker and chaos/admin.c may include \"%s\"\n",
		    FILENAME, FNR, header
	if (header !~ /\//)
		printf "%s:%d: \"%s\" is not named from the project's root\n",
		    FILENAME, FNR, header
	else if (!may_include(folder, header))
		printf "%s:%d: %s must not include \"%s\"\n", FILENAME, FNR,
		    folder, header
}

/^[ \t]*#[ \t]*include[ \t]*</ {
	header = $0
	sub(/^[^<]*</, "", header)
	sub(/>.*/, "", header)
	folder = folder_of(FILENAME)
	if (header ~ /^(nats\/)?(nats|adapters\/.*)\.h$/ && folder != "worker" &&
	    FILENAME != "proto/nats_login.h")
		printf "%s:%d: only worker and proto/nats_login.h may include <%s>\n", FILENAME,
		    FNR, header
	if (folder == "judge" && acts(header))
		printf "%s:%d: a judge must not include <%s>\n", FILENAME, FNR,
		    header
}

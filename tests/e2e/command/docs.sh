#!/bin/bash
# SPDX-License-Identifier: ISC
#
# The documents are true: the commands in them are run, or, where they would
# take minutes or want somebody's servers, given to natsburn's own parser;
# links lead somewhere; the messages of troubleshooting.md are those that the
# source has. Marks in the documents, for the example below them:
#
#	<!-- docs: parsed -->		only parsed
#	<!-- docs: exit 1 -->		run, and its exit code is 1
#	<!-- docs: all parsed -->	of all examples of this document
#
# Of documents without a mark all commands are parsed, but for tutorial.md.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

command -v python3 >/dev/null || skip "no python3"
"$root/scripts/make-contents" --check >&2 || fail "the contents"

cat >"$work/docs.py" <<'END'
import os
import pathlib
import re
import shlex
import subprocess
import sys

root, natsburn, work, servers, server, mark = sys.argv[1:]
root = pathlib.Path(root)
pages = [root / "README.md", *sorted((root / "docs").glob("*.md"))]
bad = []
ran = parsed = 0


def complain(text):
    bad.append(text)


def source_text():
    """What C and scripts say: string literals, joined where C joins them."""
    out = []
    for folder in "orchestrator", "worker", "chaos", "proto":
        for path in sorted((root / folder).rglob("*.c")):
            text = re.sub(r'"\s*\n\s*"', "", path.read_text())
            out.append(text.replace('\\"', '"').replace('" PRIu64 "', ""))
    out += [os.strerror(n) for n in range(1, 134)]
    out += [p.read_text() for p in (root / "scripts").iterdir() if p.is_file()]
    return "\n".join(out)


def anchors(path):
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.S)
    return {re.sub(r"[^a-z0-9 _-]", "", h.lower()).strip().replace(" ", "-")
            for h in re.findall(r"^#+ (.*)$", text, re.M)}


def look_at_links(path):
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (path.parent / name).resolve() if name else path
        if not there.exists():
            complain(f"{path.name}: {target}: no such file")
        elif anchor and anchor not in anchors(there):
            complain(f"{path.name}: {target}: no such heading")


def look_at_messages(path, said):
    """What a message has in one piece, names and numbers left out."""
    for line in path.read_text().splitlines():
        cell = re.match(r"\| ([`*].*?) \| ", line)
        if cell is None or cell.group(1).startswith("`..."):
            continue
        pieces = re.split(r'`?\*.*?\*`?|"|`|\.\.\.|\d+|--\w*|: |\bNATSBURN_',
                          cell.group(1))
        pieces = [one.strip(" :,()") for one in pieces]
        if max(map(len, pieces)) < 8:
            complain(f"{path.name}: what is said here? {cell.group(1)}")
        for one in pieces:
            if len(one) >= 8 and one not in said:
                complain(f"{path.name}: nothing says \"{one}\"")


def commands(path):
    """(line, mark, command) of each example that begins with natsburn."""
    lines = path.read_text().splitlines()
    everywhere = "<!-- docs: all parsed -->" in lines
    mode, is_code, i = "", False, 0
    while i < len(lines):
        line = lines[i]
        found = re.match(r"<!-- docs: (.*) -->", line)
        if found and not is_code:
            mode = found.group(1)
        elif line.startswith("```"):
            is_code = not is_code
            if not is_code:
                mode = ""
        elif is_code and re.match(r"(\$ )?(natsburn [a-z]+|\./scripts/\S+)( |$)", line):
            at = i
            while line.endswith("\\"):
                i += 1
                line = line[:-1] + lines[i].strip()
            yield at + 1, "parsed" if everywhere else mode, line.lstrip("$ ")
        i += 1


def run(words, env):
    done = subprocess.run([natsburn, *words], cwd=work, env=env,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=500)
    return done.returncode, done.stdout.decode(errors="replace")


def option(words, name):
    for i, word in enumerate(words):
        if word == name and i + 1 < len(words):
            return words[i + 1]
    return ""


def prepare(words):
    """What the command names has to be there, whatever is in it."""
    for one in re.split(r"[,+]", option(words, "--server-bin")):
        path = work / one
        if one and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(server)
    for name in "--server-conf", "--password-file", "--creds", "--known":
        if option(words, name):
            (work / option(words, name)).write_text("")
            os.chmod(work / option(words, name), 0o600)
    if option(words, "--password-file"):
        (work / option(words, "--password-file")).write_text("secret\n")


def parse(where, words, env):
    global parsed
    command = words[0]
    prepare(words)
    if command in ("list", "explain", "events", "check", "help"):
        code, said = run(words, env)
        wrong = code == 64
    elif command == "cluster" and words[1] != "up":
        return
    else:
        if command == "doctor": # takes what run takes, and then connects
            words = ["run", *words[1:]]
        code, said = run([*words, "--out", "/dev/null/x"], env)
        wrong = "cannot make this folder" not in said
    parsed += 1
    if wrong:
        complain(f"{where}: {said.strip().splitlines()[-1:]}")


def execute(where, mode, words, env):
    global ran
    code, said = run(words, env)
    ran += 1
    want = int(mode.split()[1]) if mode.startswith("exit") else 0
    if code != want:
        complain(f"{where}: exit code {code} instead of {want}: {said[-600:]}")


work = pathlib.Path(work) / "docs"
(work / ".cache").mkdir(parents=True)
context = work / "config/nats/context"
context.mkdir(parents=True)
(context / "prod.json").write_text('{"url": "nats://127.0.0.1:1"}')
env = dict(os.environ, NATSBURN_TEST_MARK=mark,
           XDG_CONFIG_HOME=str(work / "config"))
job = re.search(r"```ini\n(.*?)```", (root / "docs/jobs.md").read_text(), re.S)
(work / "jobs.ini").write_text(job.group(1))
said = source_text()
tutorial = root / "docs/tutorial.md"
has_old = servers and (pathlib.Path(servers) / "2.9.10/nats-server").exists()
if servers:
    (work / ".cache/servers").symlink_to(servers)
# A run that failed, for what is said of RUN_DIR.
code, said_by_run = run(["run", "liar", "--cluster", "null", "--quiet-time", "0",
                         "--rounds", "200", "--out", "RUN_DIR",
                         "-o", "liar.plant=redelivered_after_ack"], env)
if code != 1:
    complain(f"no run that failed: {said_by_run[-300:]}")
for page in sorted(pages, key=lambda p: p != tutorial):
    look_at_links(page)
    if page.name == "troubleshooting.md":
        look_at_messages(page, said)
    for line, mode, command in commands(page):
        where = f"{page.name}:{line}: {command[:60]}"
        words = shlex.split(command, comments=True)
        words = words[:words.index("|")] if "|" in words else words
        if any("[" in word or "..." in word for word in words):
            continue # what may be given, and not a command
        if words[0] != "natsburn":
            if not (root / words[0]).exists():
                complain(f"{where}: no such script")
        elif page != tutorial or mode == "parsed":
            parse(where, words[1:], env)
        elif has_old:
            execute(where, mode, words[1:], env)
if parsed < 20 or (has_old and ran < 8):
    complain(f"only {ran} commands were run and {parsed} parsed")
print("%d run, %d parsed" % (ran, parsed))
sys.exit("\n".join(bad) or 0)
END
server=$(any_server) || exit
python3 "$work/docs.py" "$root" "$NATSBURN" "$work" "$servers_dir" "$server" \
	"$mark" >&2 || fail "the documents"
expect_nothing_survives 10

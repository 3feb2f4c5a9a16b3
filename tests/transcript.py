#!/usr/bin/env python3
"""transcript.py FILE... - runs the commands that a document shows, and compares what it shows as their output.  Prints TAP.

In a .md file: the ```console blocks.  In a manual page: the literal blocks of EXAMPLES.  A command begins with "$ ", and goes on
in the next line while it ends in \\, | or &&, or a quote is open.  Output is stdout and stderr together; a line "..." stands for any
lines, and "..." in a line for any text.  All commands of a file run in one shell, in a directory of their own, where examples/ and build/release/ lead to the source's
and to the tools under test.  A command may fail only where it says so, as the left side of ||.

--update rewrites the outputs in a .md file.
"""
import os
import re
import subprocess
import sys
import tempfile

MARK = "=-=-= transcript"


def blocks(path, text):
    """Yields (first line, lines) of each block of commands."""
    lines, out, start, inside, examples = text.split("\n"), [], 0, False, False
    manual = not path.endswith(".md")
    for number, line in enumerate(lines, 1):
        if manual and line.startswith(".Sh "):
            examples = line == ".Sh EXAMPLES"
        opens = examples and line.startswith(".Bd -literal") if manual else line == "```console"
        closes = inside and (line == ".Ed" if manual else line == "```")
        if closes:
            inside = False
            yield start, out
        elif inside:
            out.append(line.replace("\\e", "\\").replace("\\&", "") if manual else line)
        elif opens:
            inside, start, out = True, number + 1, []


def incomplete(command):
    last = command.rstrip(" ")
    if last.endswith(("\\", "|", "&&")):
        return True
    return subprocess.run(["bash", "-n", "-c", command], stderr=subprocess.DEVNULL, check=False).returncode != 0


def commands(path, text):
    """Yields (line number, command, expected lines, lines of the command)."""
    for start, lines in blocks(path, text):
        at = 0
        while at < len(lines):
            if not lines[at].startswith("$ "):
                raise SystemExit(f"{path}:{start + at}: a block begins with a command")
            first, command = at, lines[at][2:]
            at += 1
            while incomplete(command) and at < len(lines):
                command += "\n" + lines[at]
                at += 1
            body = at
            while at < len(lines) and not lines[at].startswith("$ "):
                at += 1
            yield start + first, command, lines[body:at], body - first


def same(expected, got):
    pattern = "".join(r"(?:.*\n)*" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*") + r"\n" for line in expected)
    return re.fullmatch(pattern, "".join(line + "\n" for line in got)) is not None


def run(path, found):
    """Returns (output lines, status) of each command."""
    script = "exec 2>&1\n"
    for _, command, _, _ in found:
        script += f'{command}\n{{ s=$?; printf "\\n{MARK} %s\\n" "$s"; }} 2>/dev/null\n'
    root, tools = os.environ["OTR_ROOT"], os.environ["OTR_BIN"]
    with tempfile.TemporaryDirectory(prefix="otr-transcript-") as where:
        os.symlink(os.path.join(root, "examples"), os.path.join(where, "examples"))
        os.mkdir(os.path.join(where, "build"))
        os.symlink(tools, os.path.join(where, "build", "release"))
        done = subprocess.run(["bash", "-c", script], cwd=where, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    results = []
    for part in re.findall(r"((?:.|\n)*?)\n" + MARK + r" (\d+)\n", done.stdout.decode("utf-8", "backslashreplace")):
        out = part[0].split("\n")
        results.append((out[:-1] if out[-1] == "" else out, int(part[1])))
    return results


def main():
    update = "--update" in sys.argv
    count = 0
    bad = False
    for path in [a for a in sys.argv[1:] if a != "--update"]:
        with open(path, encoding="utf-8") as f:
            text = f.read()
        found = list(commands(path, text))
        results = run(path, found)
        name = os.path.basename(path)
        if update:
            lines, shift = text.split("\n"), 0
            for (number, _, expected, used), (got, _) in zip(found, results):
                at = number - 1 + used + shift
                if not same(expected, got):
                    lines[at : at + len(expected)] = got
                    shift += len(got) - len(expected)
            with open(path, "w", encoding="utf-8") as f:
                f.write("\n".join(lines))
            continue
        for i, (number, command, expected, _) in enumerate(found):
            count += 1
            got, status = results[i] if i < len(results) else (["(the shell ended before)"], 1)
            good = same(expected, got) and status == 0
            print(f"{'ok' if good else 'not ok'} {count} - {name}:{number}: {command.splitlines()[0].replace('#', '_')}")
            if not good:
                bad = True
                print(f"#   status {status}; expected:")
                for line in expected:
                    print(f"#     {line}")
                print("#   got:")
                for line in got[:30]:
                    print(f"#     {line}")
    if not update:
        print(f"1..{count}")
    return bad


if __name__ == "__main__":
    sys.exit(main())

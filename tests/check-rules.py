#!/usr/bin/env python3
"""Every rule of SPEC.md has a test that names it, and no test names a rule that SPEC.md does not have.  TAP.

A rule is a number at the head of a paragraph or list item: 4.2, 4.2-7.  A test names it in what it prints or runs by: a string of a C program, a line of a .bats, .sh or
.py that is no comment, the fault of a bad- text, the rule of its .expect, the sentence of a sample file or of a seeded bug.  A comment does not count, and 4.2 is not 4.2-7.

    tests/check-rules.py --list [RULE]      the places where each rule (or one) is named
"""
import os
import re
import sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
HEAD = re.compile(r"^(?:- )?(?:\*\*)?(\d+\.\d+(?:-\d+)?|\d+-\d+)(?=[ .*])")
NUMBER = re.compile(r"(?<![\w.+-])(\d{1,2}\.\d{1,2}(?:-\d{1,2})?|\d{1,2}-\d{1,2})(?![\w-]|\.\d)")


def rules():
    """{rule: line of SPEC.md}, and the numbers of its sections"""
    found, sections, titles, fenced = {}, set(), set(), False
    with open(os.path.join(TOP, "SPEC.md"), encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            fenced ^= line.startswith("```")
            m = HEAD.match(line)
            if m and not fenced:
                found.setdefault(m[1], number)
            m = re.match(r"#+ (\d+(?:\.\d+)?)[. ]", line)
            if m:
                sections.add(m[1])
            elif re.fullmatch(r"\d+\.\d+ \*\*[^*]+\*\*\n", line):
                titles.add(line.split()[0])
    for title in titles:            # whose list has the rules
        if title + "-1" in found:
            sections.add(title)
            del found[title]
    return found, sections


def told(path):
    """(line, text) of what a test says or runs, without comments"""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    if path.endswith((".c", ".h")):
        text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), text, flags=re.S)
        for number, line in enumerate(text.split("\n"), 1):
            for quoted in re.findall(r'"((?:[^"\\]|\\.)*)"', line):
                yield number, quoted
    elif path.endswith((".bats", ".sh", ".py", ".bash")):
        for number, line in enumerate(text.split("\n"), 1):
            if not line.lstrip().startswith("#"):
                yield number, line
    elif path.endswith(".txt") and "/files/" in path:
        for number, line in enumerate(text.split("\n"), 1):
            if "#!" in line:
                yield number, line.split("#!", 1)[1]
    elif path.endswith(".expect"):
        for number, line in enumerate(text.split("\n"), 1):
            if line.startswith("rule"):
                yield number, line
    elif path.endswith(".patch"):
        yield 1, text.split("\n", 1)[0]
    elif path.endswith("files/README.md"):
        for number, line in enumerate(text.split("\n"), 1):
            m = re.match(r"- `((?:good|bad|unsupported)-[^`]+)`: (.*)", line)
            if m and os.path.exists(os.path.join(os.path.dirname(path), m[1] + ".txt")):
                yield number, m[2]


def places():
    """{number: [place]} of all that looks like a rule in a test"""
    named = {}
    for directory, _, names in sorted(os.walk(os.path.join(TOP, "tests"))):
        for name in sorted(names):
            path = os.path.join(directory, name)
            if name == os.path.basename(__file__) or not name.endswith((".c", ".h", ".bats", ".sh", ".py", ".bash", ".txt", ".expect", ".patch", ".md")):
                continue
            for number, text in told(path):
                for rule in NUMBER.findall(text):
                    named.setdefault(rule, []).append(f"{os.path.relpath(path, TOP)}:{number}")
    return named


def main():
    spec, sections = rules()
    named = places()
    if sys.argv[1:2] == ["--list"]:
        for rule in sys.argv[2:] or spec:
            print(rule, *named.get(rule, ["-"]), sep="\n    ")
        return 0
    print("1..2")
    missing = [rule for rule in spec if rule not in named]
    print(f"{'not ' if missing else ''}ok 1 - each of the {len(spec)} rules of SPEC.md is named by a test")
    for rule in missing:
        print(f"#   {rule} (SPEC.md:{spec[rule]})")
    # A title that begins with a number means a rule by it.
    unknown = []
    for directory, _, names in sorted(os.walk(os.path.join(TOP, "tests"))):
        for name in sorted(names):
            path = os.path.join(directory, name)
            if name.endswith((".c", ".h", ".expect")):
                for number, text in told(path):
                    m = re.match(r"(?:rule +)?(\d{1,2}\.\d{1,2}(?:-\d{1,2})?|\d{1,2}-\d{1,2})(?=:)", text)
                    if m and m[1] not in spec and m[1] not in sections:
                        unknown.append(f"{os.path.relpath(path, TOP)}:{number}: {m[1]}")
    print(f"{'not ' if unknown else ''}ok 2 - and no test names one that is not there")
    for place in unknown:
        print(f"#   {place}")
    return 1 if missing or unknown else 0


if __name__ == "__main__":
    sys.exit(main())

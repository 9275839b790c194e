#!/usr/bin/python3
"""usage: tests/coverage.py BUILD [EXPLANATIONS]

Prints how many lines of lib/ the programs in BUILD (built with --coverage) have
run, a file a line, and then each line of lib/store that none of them ran. Such a line is
to be explained in EXPLANATIONS (tests/coverage.md), by its function and text:

    ## lib/store/lock.c
    - holder_in: `return 0;`: why no test can reach it

The exit status is 0 when at least 95 % of lib/store were run and all of the rest is
explained, 1 otherwise. An explanation of what was run is only pointed out.
"""

import json
import os
import re
import subprocess
import sys

ROOM = "lib/store/"
LEAST = 95.0


def read_counts(build):
    """{file: {line: [count, function]}}, the sum over all objects."""
    counts = {}
    for folder, _, names in sorted(os.walk(os.path.join(build, "lib"))):
        notes = [os.path.join(folder, n) for n in sorted(names) if n.endswith(".gcno")]
        if not notes:
            continue
        out = subprocess.run(["gcov", "--json-format", "--stdout"] + notes, check=True,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        for report in out.splitlines():
            for file in json.loads(report)["files"] if report else []:
                if not file["file"].startswith("lib/"):
                    continue
                lines = counts.setdefault(file["file"], {})
                for line in file["lines"]:
                    entry = lines.setdefault(line["line_number"],
                                             [0, line.get("function_name", "")])
                    entry[0] += line["count"]
    return counts


def read_explanations(path):
    """{(file, function, text)}"""
    explained, file = set(), None
    with open(path, encoding="utf-8") as f:
        for line in f:
            heading = re.match(r"## (\S+)$", line)
            entry = re.match(r"- (\w+): `(.*)`: \S", line)
            if heading:
                file = heading.group(1)
            elif entry:
                explained.add((file, entry.group(1), entry.group(2)))
            elif line.startswith("- "):
                sys.exit(f"{path}: not '- function: `line`: why': {line.strip()}")
    return explained


def print_table(counts):
    """Returns the percentage of ROOM."""
    sums = {}
    print(f"{'file':<34}{'lines':>7}{'run':>7}{'%':>8}")
    for file, lines in sorted(counts.items()):
        run = sum(count > 0 for count, _ in lines.values())
        print(f"{file:<34}{len(lines):>7}{run:>7}{100 * run / len(lines):>8.1f}")
        for name in ("lib/", file[:file.index("/", 4) + 1]):
            had = sums.get(name, (0, 0))
            sums[name] = (had[0] + len(lines), had[1] + run)
    print()
    for name, (lines, run) in sorted(sums.items()):
        print(f"{name:<34}{lines:>7}{run:>7}{100 * run / lines:>8.1f}")
    lines, run = sums[ROOM]
    return 100 * run / lines


def print_missed(counts, explained):
    """Returns how many lines lack an explanation."""
    missed, unexplained = set(), 0
    for file in sorted(f for f in counts if f.startswith(ROOM)):
        with open(file, encoding="utf-8") as f:
            text = f.read().splitlines()
        for number, (count, function) in sorted(counts[file].items()):
            if count:
                continue
            key = (file, function, text[number - 1].strip())
            missed.add(key)
            mark = "" if key in explained else "  <- not explained"
            unexplained += key not in explained
            print(f"{file}:{number}: {function}: {key[2]}{mark}")
    for file, function, line in sorted(explained - missed):
        print(f"explained, but run: {file}: {function}: {line}")
    return unexplained


def main():
    if not 2 <= len(sys.argv) <= 3:
        sys.exit(__doc__)
    counts = read_counts(sys.argv[1])
    if not any(f.startswith(ROOM) for f in counts):
        sys.exit(f"tests/coverage.py: nothing of {ROOM} in '{sys.argv[1]}'")
    path = sys.argv[2] if len(sys.argv) > 2 else "tests/coverage.md"
    percent = print_table(counts)
    print(f"\nlines of {ROOM} that no test ran:\n")
    unexplained = print_missed(counts, read_explanations(path))
    print(f"\n{ROOM}: {percent:.1f} % of lines run; {unexplained} lines without an explanation")
    return 0 if percent >= LEAST and not unexplained else 1


if __name__ == "__main__":
    sys.exit(main())

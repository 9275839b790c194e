#!/usr/bin/python3
"""usage: tests/coverage.py BUILD [DIRECTORY...]

Prints for each directory of lib/ and for cmd/ how many lines the programs in BUILD (built with
--coverage) have run, and lists the lines that none of them ran: of each DIRECTORY that is named, and
of each that is below its figure in LEAST.

A line that no test can run, because no fault leads to it, is marked in the source:

    return err_oom(e); /* not reached: no memory for a first finding */

Such a line does not count. The exit status is 1 when a directory is below its figure or has none, when
a program did run a marked line, or when the mark stands on a line without code; otherwise it is 0.
"""

import json
import os
import re
import subprocess
import sys

# The share of its lines, in percent, that the tests must run. Raise a figure when the tests run more.
LEAST = {
    "cmd": 82.0,
    "cmd/chat": 82.0,
    "lib/base": 97.0,
    "lib/config": 97.0,
    "lib/markdown": 96.0,
    "lib/net": 96.0,
    "lib/prompt": 83.0,
    "lib/provider": 98.0,
    "lib/store": 96.0,
    "lib/client": 95.0,
    "lib/tty": 90.0,
    "lib/turn": 93.0,
}

MARK = re.compile(r"/\* not reached: \S")


def read_counts(build):
    """{file: {line: how often it was run}}, the sum over all objects."""
    counts = {}
    for folder, _, names in sorted(os.walk(build)):
        notes = [os.path.join(folder, n) for n in sorted(names) if n.endswith(".gcno")]
        source = os.path.relpath(folder, build)
        # A note whose source file was deleted since says nothing.
        notes = [n for n in notes if os.path.exists(os.path.relpath(n, build)[:-len(".gcno")] + ".c")]
        if not source.startswith(("lib/", "cmd")) or not notes:
            continue
        out = subprocess.run(["gcov", "--json-format", "--stdout"] + notes, check=True,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        for report in out.splitlines():
            for file in json.loads(report)["files"] if report else []:
                if not file["file"].startswith(("lib/", "cmd/")):
                    continue
                lines = counts.setdefault(file["file"], {})
                for line in file["lines"]:
                    number = line["line_number"]
                    lines[number] = lines.get(number, 0) + line["count"]
    return counts


class Directory:
    def __init__(self):
        self.lines = self.run = self.marked = 0
        self.missed = []  # (file, line, text)
        self.wrong = []   # sentences about its marks

    def percent(self):
        return 100 * self.run / self.lines if self.lines else 100.0

    def add(self, file, lines):
        with open(file, encoding="utf-8") as f:
            text = f.read().splitlines()
        marked = {n for n, line in enumerate(text, 1) if MARK.search(line)}
        for number in sorted(marked - lines.keys()):
            self.wrong.append(f"{file}:{number}: 'not reached' marks a line without code")
        for number, count in sorted(lines.items()):
            if number in marked:
                self.marked += 1
                if count:
                    self.wrong.append(f"{file}:{number}: 'not reached' marks a line that was run")
                continue
            self.lines += 1
            self.run += count > 0
            if not count:
                self.missed.append((file, number, text[number - 1].strip()))


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    named = [name.rstrip("/") for name in sys.argv[2:]]
    directories = {}
    for file, lines in sorted(read_counts(sys.argv[1]).items()):
        directories.setdefault(os.path.dirname(file), Directory()).add(file, lines)
    if not directories:
        sys.exit(f"tests/coverage.py: nothing was measured in '{sys.argv[1]}'")

    problems = []
    print(f"{'directory':<16}{'lines':>7}{'run':>7}{'not reached':>13}{'%':>7}{'least':>7}")
    for name, d in sorted(directories.items()):
        least = LEAST.get(name)
        print(f"{name:<16}{d.lines:>7}{d.run:>7}{d.marked:>13}{d.percent():>7.1f}"
              f"{'' if least is None else format(least, '.1f'):>7}")
        problems += d.wrong
        if least is None:
            problems.append(f"{name}: tests/coverage.py has no figure for it; {d.percent():.1f} % were run")
        elif d.percent() < least:
            problems.append(f"{name}: {d.percent():.2f} % of the lines were run, {least - d.percent():.2f} "
                            f"less than {least:.1f}")
            named.append(name)
    for name in sorted(set(LEAST) - set(directories)):
        problems.append(f"{name}: tests/coverage.py has a figure for it, and nothing was measured")
    for name in sorted(set(named)):
        print(f"\nlines of {name} that no test ran:")
        for file, number, text in directories[name].missed if name in directories else []:
            print(f"{file}:{number}: {text}")
    if problems:
        print("\n" + "\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

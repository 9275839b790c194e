"""Runs the scenarios with faults: with all of them, or (without FAULT=full) with some."""

import random
import sys

from fault import FULL, SANITIZED, SEED, SHORT, Place, Server, Tap
from scenarios import ServerChat, scenarios

WRITES = {"pwrite64", "pwritev", "sendto", "write", "writev"}
# Where these fail, the sanitizers end the process.
MEMORY = {"brk", "madvise", "mmap", "mprotect", "mremap", "sigaltstack"}
SHOWN = 5  # failures of a test that are told


def main(what, kinds, share):
    """what: what happens, in words. kinds: {what exactly: [the tracer's options, without
    the number of the call]}. `share` faults for each scenario, where not all are to be."""
    place = Place()
    Server(place, ServerChat.script)
    everything = list(scenarios(place))
    if len(sys.argv) > 1:
        return one(place, everything, sys.argv[1], sys.argv[2:])
    tap = Tap()
    tap.note(f"FAULT_SEED={SEED}{' FAULT=full' if FULL else ''}")
    choose = random.Random(SEED)
    faults = 0
    for s in everything:
        if not s.prepare():
            tap.result(False, f"{s.name}: without a fault", [f"it ended with {s.normal}"])
            continue
        calls = list(enumerate(s.calls(), 1))
        if FULL:
            for kind, options in kinds.items():
                faults += test(tap, s, kind, all_of(calls, options))
        else:
            some = share // 3 if SHORT else share
            faults += test(tap, s, what, some_of(choose, calls, kinds, some))
    tap.note(f"{faults} faults")
    return tap.end()


def applies(options, name):
    if "-s" in options:
        return name in WRITES
    return not SANITIZED or "-e" not in options or name not in MEMORY


def all_of(calls, options):
    return [["-n", str(n), *o] for o in options for n, name in calls if applies(o, name)]


def some_of(choose, calls, kinds, share):
    """The kinds in turn, each at one of `share` equal parts of the calls."""
    options = [o for kind in kinds.values() for o in kind]
    first = choose.randrange(len(options))
    for i in range(share):
        o = options[(first + i) % len(options)]
        fit = [n for n, name in calls if applies(o, name)]
        part = fit[i * len(fit) // share:(i + 1) * len(fit) // share] or fit
        if part:
            yield ["-n", str(choose.choice(part)), *o]


def test(tap, s, what, trials):
    faults, bad = 0, []
    for options in trials:
        hit, problems = s.trial(options)
        faults += hit is not None
        if problems:
            bad.append(f"{sys.argv[0]} '{s.name}' {' '.join(options)}\n  call {hit}\n" +
                       "".join(f"  {p}\n" for p in problems))
    more = [f"and {len(bad) - SHOWN} more"] if len(bad) > SHOWN else []
    tap.result(not bad, f"{s.name}: {what}", bad[:SHOWN] + more)
    return faults


def one(place, everything, name, options):
    """A single fault, as a failure names it. What it leaves is kept."""
    s = next((s for s in everything if s.name == name), None)
    if not s:
        sys.exit(f"no scenario '{name}'; there are: {', '.join(s.name for s in everything)}")
    s.prepare()
    place.keep = True
    hit, problems = s.trial(options)
    print(f"call {hit}", *problems, f"the store is {place.store}", sep="\n")
    return bool(problems)

#!/usr/bin/python3 -B
"""Many processes at once: 64 writers in one session, and in 64, while others read.

The index's records are made long, so that it is compacted all the time; how often is
counted by the files that take its place, and must not be never.  What must hold:

  - every exchange that was acknowledged is in its session once, whole, and those of one
    process are in their order;
  - the index has one live record of each session, and its exchangeCount, usageTotals,
    historyBytes and lastQuery are what the history says;
  - no reader ever sees a line that is no record, a history that has lost something, or a
    session missing from the list;
  - mc-session-fsck finds nothing afterwards, and there are no leftovers.

mc-chat reads the whole conversation with each turn, which makes a thousand turns slow;
tests/fault/append.c, which stores as mc-chat does, stands in for it there.
"""

import collections
import json
import os
import pathlib
import subprocess
import threading

import harness
from harness import FULL, SHORT, history, listing, note, ok, run, whole_lines

WRITERS = 64
CHAT = """
i=1
while [ $i -le $1 ]; do
    out=$(mc-chat --no-stdin -s "$2" -- "$3 $i") || echo "$3 $i: exit status $?"
    [ "$out" = "$3 $i" ] || echo "$3 $i: printed '$out'"
    i=$((i + 1))
done
"""


def times(short, full):
    """How often each writer writes."""
    return full if FULL else max(1, short // 4) if SHORT else short


# ---- readers ----

class Readers:
    """Read all the time, until told to stop; what they did not like is in complaints."""

    def __init__(self, names):
        self.names = set(names)
        self.complaints = []
        self.rounds = collections.Counter()
        self.replaced = 0  # times that another file was the index
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.repeat, args=(read, {}))
                        for read in (self.list, self.cat, self.raw_index, self.raw_histories)]
        for thread in self.threads:
            thread.start()

    def repeat(self, read, state):
        while not self.stop.wait(0.005):  # the writers want to come along, too
            self.rounds[read.__name__] += 1
            try:
                self.complaints += [f"{read.__name__}: {text}" for text in read(state)]
            except Exception as e:  # the thread's end must not go unseen
                self.complaints.append(f"{read.__name__}: {e!r}")
                return

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()
        note(f"readers' rounds: {dict(self.rounds)}; the index was replaced {self.replaced} times")
        if not self.replaced:
            self.complaints.append("the index was never compacted, so this test shows too little")
        return self.complaints

    def check_list(self, lines):
        names = [json.loads(line)["id"] for line in lines]
        if len(names) != len(set(names)):
            yield f"a session is there twice: {names}"
        if set(names) != self.names:
            yield f"not in the list: {self.names - set(names)}; unknown: {set(names) - self.names}"

    def list(self, _):
        result = run("session-ls", "--json")
        if result.status != 0 or result.err:
            yield f"{result.status}: {result.err}"
        yield from self.check_list(result.out.splitlines())

    def check_growth(self, state, name, data):
        """Only what is new is looked at in full."""
        old = state.get(name, b"")
        if not data.startswith(old):
            yield f"{name} does not begin with what it was"
        for line in whole_lines(data[len(old):]):
            json.loads(line)
        state[name] = data

    def cat(self, state):
        name = harness.RANDOM.choice(sorted(self.names))
        result = run("session-cat", "--json", name)
        if result.status != 0 or result.err or not result.out.endswith(b"\n"):
            yield f"{result.status}: {result.err}"
        yield from self.check_growth(state, name, result.out)

    def raw_index(self, state):
        with open("sessions/index.jsonl", "rb") as f:
            inode = os.fstat(f.fileno()).st_ino
            data = f.read()
        now = inode, data[:data.find(b"\n")]
        self.replaced += now != state.setdefault("now", now)
        state["now"] = now
        for line in whole_lines(data):
            json.loads(line)
        yield from self.check_list(listing(data))

    def raw_histories(self, state):
        for name in self.names:
            data = history(name).read_bytes()
            yield from self.check_growth(state, name, data[:data.rfind(b"\n") + 1])


# ---- writers ----

def prepare(names):
    """Sessions whose index records are long."""
    subprocess.run(["rm", "-rf", "sessions"], check=True)
    folder = pathlib.Path.cwd().joinpath(*["d" * 200] * 5)
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        run("session-new", "-p", "echo", "-i", name, "-t", "t" * 100, "-C", str(folder))


def write(commands):
    """Runs them all at once; what they said that is no notice of a wait."""
    writers = [subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT) for words in commands]
    try:
        for words, writer in zip(commands, writers):
            said = [line for line in writer.communicate()[0].decode().splitlines()
                    if "waiting for" not in line]
            if writer.returncode != 0 or said:
                yield f"{words[-3:]}: {writer.returncode}, {said}"
    finally:  # when we are stopped
        for writer in writers:
            writer.kill()


def chat_words(count, session, name):
    return ["sh", "-c", CHAT, "sh", str(count), session, name]


def append_words(count, session, name):
    return [harness.FAULT_BIN + "/append", "sessions", session, name, str(count)]


# ---- afterwards ----

def check_session(name, wanted, records):
    data = history(name).read_bytes()
    found = harness.exchanges(data)
    queries = [x["query"] for x in found]
    if data.count(b"\n") != len(found) + 1 or not data.endswith(b"\n"):
        yield f"{name} has a line that is no record"
    times_there = collections.Counter(queries)
    if times_there != collections.Counter(wanted):
        yield f"{name}: lost {list((collections.Counter(wanted) - times_there))[:5]}, too many " \
              f"{list((times_there - collections.Counter(wanted)))[:5]}"
    if len({x["id"] for x in found}) != len(found):
        yield f"{name}: an id is there twice"
    if any(x["answer"] != x["query"] or x["status"] != "complete" for x in found):
        yield f"{name}: an exchange is not what was said"
    last = {}
    for writer, number in (query.split() for query in queries):
        if int(number) <= last.get(writer, 0):
            yield f"{name}: {writer}'s turns are not in their order"
        last[writer] = int(number)
    mine = [r for r in records if r["id"] == name]
    if len(mine) != 1:
        yield f"{name} is {len(mine)} times in the list"
        return
    usage = {key: sum((x["tokenUsage"] or {}).get(key, 0) for x in found)
             for key in ("inputTokens", "outputTokens", "totalTokens")}
    for key, value in [("exchangeCount", len(found)), ("usageTotals", usage),
                       ("historyBytes", len(data)), ("lastQuery", queries[-1]),
                       ("firstQuery", queries[0])]:
        if mine[0][key] != value:
            yield f"{name}: {key} is {mine[0][key]}, and should be {value}"


def check_store(wanted):
    result = run("session-ls", "--json")
    records = [json.loads(line) for line in result.out.splitlines()]
    if {r["id"] for r in records} != set(wanted):
        yield "the list has other sessions"
    for name, queries in wanted.items():
        yield from check_session(name, queries, records)
    known = {"index.jsonl", "index.lock", *wanted, *(f"{n}/history.jsonl" for n in wanted)}
    left = harness.tree().keys() - known
    if left:
        yield f"left over: {sorted(left)}"
    found = harness.fsck()
    if found.status != 0:
        yield f"mc-session-fsck: {found}"


def test(what, words, count, names):
    """Writer k writes `count` times, to the k-th of the names, again from the first when
    there are fewer."""
    writers = [(names[k % len(names)], f"w{k}") for k in range(WRITERS)]
    wanted = {name: [] for name in names}
    for name, writer in writers:
        wanted[name] += [f"{writer} {i}" for i in range(1, count + 1)]
    prepare(names)
    readers = Readers(names)
    complaints = list(write([words(count, name, writer) for name, writer in writers]))
    complaints += readers.end()
    complaints += check_store(wanted)
    ok(f"{what}: {WRITERS} processes, {count} exchanges each", complaints)


def main():
    harness.fresh()
    many = [f"s{k}" for k in range(WRITERS)]
    test("in one session, as mc-chat stores", append_words, times(12, 1000), ["one"])
    test("in one session, mc-chat", chat_words, times(3, 30), ["one"])
    test("in 64 sessions, as mc-chat stores", append_words, times(12, 1000), many)
    test("in 64 sessions, mc-chat", chat_words, times(8, 200), many)
    harness.finish()


main()

#!/usr/bin/env python3
"""Random histories, read by the tools and by a model.

usage: histories.py [COUNT]           COUNT histories, 300 if not given
       histories.py show SEED         prints the history of this seed
       histories.py sound [COUNT]     only checks that the histories without damage have no findings

Writes them as sessions of a store in a fresh directory and compares, for each, what mc-session-cat
(--json, with --branches, with -n, with --status), mc-session-ls --json and mc-session-fsck --json print
with what tests/history_model.py says; then what mc-session-fsck --repair left with what it said.

HISTORY_SEED=N is the seed of the first one (default 1; the next has N+1).  Where the two differ, the first
such history is printed, after lines were taken out of it as long as the two went on to differ.
"""

import copy
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from decimal import Decimal

sys.dont_write_bytecode = True  # the source tree stays as it is
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from history_model import History  # noqa: E402

BIN = os.environ.get("MCBOX_BIN_DIR") or os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BATCH = 150       # sessions in a store
TREE = ("parent", "steps", "result")
LAST = (1, 2, 5)  # for mc-session-cat -n


# ---- a random history ----

class Story:
    """Records as the tools write them, in a list: one that ran on one machine."""

    def __init__(self, rng):
        self.rng = rng
        self.skewed = rng.random() < 0.3
        self.time = rng.randrange(1700000000000, 1800000000000)
        self.weird = rng.random() < 0.2  # ids
        self.made = 0
        self.exchanges = {}              # id -> record
        self.head = None
        self.records = [self.session()]

    def chance(self, p):
        return self.rng.random() < p

    def pick(self, *choices):
        return self.rng.choice(choices)

    def now(self):
        if self.skewed:
            return self.time + self.rng.randrange(-3, 4)
        self.time += self.rng.randrange(1, 90000)
        return self.time

    def new_id(self, letter):
        self.made += 1
        name = f"{letter}{self.made}-{self.rng.getrandbits(16):04x}"
        return name + self.pick("", '"', "\\", "é", "😀", "\t", "/") if self.weird else name

    def words(self):
        words = ["hello", "wörld", 'a "quote"', "back\\slash", "two\nlines", "tab\t", "😀", "\u0001", "\u2028", "\0", "</b>", ""]
        text = " ".join(self.rng.choices(words, k=self.rng.randrange(5)))
        return text + "ä" * 105 if self.chance(0.03) else text

    def usage(self):
        if self.chance(0.2):
            return None
        names = ["inputTokens", "outputTokens", "totalTokens", "reasoningTokens", "cachedInputTokens",
                 "cacheWriteInputTokens"]
        usage = {name: self.rng.randrange(1000) for name in names if self.chance(0.6)}
        if self.chance(0.2):
            usage["cost"] = self.rng.randrange(1000) / 1000
        return usage

    def session(self):
        r = {"type": "session", "version": 1, "id": "s", "createdAt": self.now(), "cwd": "/home/user",
             "provider": "echo", "model": self.pick("", "m0", "m1")}
        if self.chance(0.3):
            r["title"] = self.pick("A title", "")
        if self.chance(0.3):
            r["tags"] = self.rng.sample(["a", "b", "c", "ä"], 2)
        if self.chance(0.3):
            r["metadata"] = {"k": "v", "l": 1}
        if self.chance(0.1):
            r["forkedFrom"] = {"session": "other", "exchange": "x"}
        return r

    def add(self, **record):
        self.records.append({name: v for name, v in record.items() if v != "LEFT OUT"})
        return self.records[-1]

    def maybe(self, p, value):
        return value if self.chance(p) else "LEFT OUT"

    # What a person does

    def turn(self, parent=None, replaces=None, status=None):
        name, model = self.new_id("x"), self.pick("m0", "m1", "m2")
        parent = parent if replaces else self.head
        steps = self.pick(0, 0, 0, 1, 2, 3)
        for n in range(steps):
            self.step(name, n, model)
        x = self.add(type="exchange", id=name, parent=parent, replaces=replaces or "LEFT OUT", timestamp=self.now(),
                     query=self.words(), answer=self.words(), summary=None, model=model,
                     status=status or self.pick("complete", "complete", "complete", "error", "interrupted"),
                     steps=steps or "LEFT OUT", duration=self.pick(None, 0, self.rng.randrange(60000)),
                     tokenUsage=self.usage(), finishReason=self.maybe(0.5, "stop"),
                     reasoning=self.maybe(0.1, self.words()), parameters=self.maybe(0.1, {"temperature": 0.5}))
        self.exchanges[name], self.head = x, name

    def step(self, name, n, model):
        ids = self.rng.sample(["call_0", "call_1", f"c{n}", "", 'q"'], self.rng.randrange(4))
        self.add(type="step", exchange=name, n=n, timestamp=self.now(), text=self.words(),
                 calls=[{"id": i, "name": "f", "arguments": {"a": [1, {"b": None}]}} for i in ids], model=model,
                 duration=self.pick(None, 5), tokenUsage=self.usage(),
                 native=self.maybe(0.2, {"provider": "p", "model": model, "items": [{"n": 1.5}]}))
        for i in ids:
            if self.chance(0.8):
                self.add(type="result", exchange=name, n=n, call=i, timestamp=self.now(),
                         status=self.pick("ok", "error", "denied", "timeout", "interrupted"),
                         exitStatus=self.maybe(0.5, 1), duration=self.pick(None, 9), output=self.words())

    def retry(self):
        if self.head:
            old, status = self.head, self.pick(None, "error")
            self.turn(self.exchanges[old]["parent"], old, status)
            if status:
                self.rewind(old)

    def edit(self):
        if self.path():
            old = self.rng.choice(self.path())
            self.turn(self.exchanges[old]["parent"], old)

    def undo(self):
        if self.head:
            self.rewind(self.exchanges[self.head]["parent"])

    def rewind(self, to, left=True):
        self.add(type="rewind", timestamp=self.now(), **{"from": self.head if left else "LEFT OUT"}, to=to)
        self.head = to

    def go(self):
        """To any exchange, as a merge does it: what was the head becomes a branch."""
        if self.exchanges:
            self.rewind(self.rng.choice([None, *self.exchanges]), self.chance(0.3))

    def change(self):
        self.add(type="change", id=self.new_id("c"), timestamp=self.now(), title=self.maybe(0.5, self.words()),
                 tags=self.maybe(0.5, {tag: self.chance(0.6) for tag in self.rng.sample(["a", "b", "c", "ä", "z"], 2)}),
                 metadata=self.maybe(0.4, {self.pick("k", "l", "m"): self.pick(None, "v", 2, {"deep": [1]})}),
                 tokenUsage=self.maybe(0.3, self.usage()))

    def summarise(self):
        if self.exchanges:
            self.add(type="summary", id=self.new_id("s"), timestamp=self.now(),
                     upTo=self.rng.choice(self.path() or list(self.exchanges)), text=self.words(), model="m1",
                     tokenUsage=self.maybe(0.5, self.usage()))

    def path(self):
        found, name = [], self.head
        while name:
            found.append(name)
            name = self.exchanges[name]["parent"]
        return found

    def go_on(self, acts):
        do = [self.turn] * 8 + [self.retry, self.edit, self.undo, self.undo, self.change, self.change, self.summarise]
        for _ in range(acts):
            self.rng.choice(do)()
            if self.chance(0.03):
                self.go()

    def apart(self, acts):
        """A copy in which other things happen."""
        other = copy.deepcopy(self)
        other.rng = random.Random(self.rng.random())
        other.made += 1000
        other.go_on(acts)
        return other


# Ways to write a record.  Each gives a line.

def compact(r):
    return json.dumps(r, separators=(",", ":"), ensure_ascii=False).encode()


def escaped(v):
    """Each character of a string as an escape, in names too."""
    if isinstance(v, str):
        units = v.encode("utf-16-be").hex()
        return '"' + "".join("\\u" + units[i:i + 4] for i in range(0, len(units), 4)) + '"'
    if isinstance(v, dict):
        return "{" + ",".join(escaped(name) + ":" + escaped(member) for name, member in v.items()) + "}"
    if isinstance(v, list):
        return "[" + ",".join(map(escaped, v)) + "]"
    return json.dumps(v)


SPELLINGS = [
    lambda r: json.dumps(r, separators=(",", ":"), sort_keys=True).encode(),
    lambda r: json.dumps(r).encode() + b" ",
    lambda r: compact(r) + b"\r",
    lambda r: compact(dict(reversed(r.items()))),
    lambda r: b" \t" + json.dumps(r, separators=(" ,", " : "), ensure_ascii=False).encode(),
    lambda r: escaped(r).encode(),
]


def damaged(rng, r):
    """A line that is not a valid record, most often, made of one."""
    line = compact(r)
    name = rng.choice([n for n in r if n != "type"])
    cut = rng.randrange(1, len(line))
    wrong = {"type": r["type"], "text": [], "n": -1, "timestamp": rng.choice([1.5, "1", -1, 2**60, None, True, 10**30]),
             "createdAt": -1, "id": 7, "query": None, "answer": {}, "status": "done", "to": 5, "upTo": None, "steps": -1,
             "calls": [{}], "tokenUsage": {"inputTokens": "3"}, "output": 1, "parent": 3, "duration": 0.5, "tags": ["x"],
             "exchange": None, "call": 9, "attachments": [{"sha256": "..", "name": "n", "type": "t", "size": 1}]}
    pieces = [line[:cut], line[:cut] + b"\0" + line[cut:], b"\0" * 5, line[cut:], line + b"}", b"\xef\xbb\xbf" + line, b"[]", b"",
              line[:-1] + b',"type":"x"}', line[:-1] + b',"odd":"\\ud800"}', line[:-1] + b',"o\\u0000":1}',
              line[:-1] + b',"odd":"\xff"}', line[:-1] + b',"odd":' + b"[" * 70 + b"]" * 70 + b"}",
              line[:-1] + b',"odd":NaN}', b"<<<<<<< HEAD", b"null", b'{"type":7}']
    if name in wrong and r["type"] in ("exchange", "step", "result") or name == "timestamp":
        pieces += [compact({**r, name: wrong.get(name)})] * 8
    return rng.choice(pieces)


class Spoiled:
    """A story after others had it: merged, edited, damaged, written by other programs."""

    def __init__(self, rng, story):
        self.rng = rng
        self.records = [copy.deepcopy(r) for r in story.records]
        if rng.random() < 0.3:
            self.shuffle()
        for _ in range(rng.randrange(4)):
            rng.choice([self.shuffle, self.leave_out, self.parentless, self.parentless, self.lost_parent, self.circle, self.again, self.heads_again,
                        self.other_version, self.other_version, self.nowhere, self.anonymous, self.unknown, self.more_members,
                        self.wrong_steps, self.same_time, self.child_first, self.merged])()
        self.lines = [self.spell(r) for r in self.records]
        self.tail = b""
        if rng.random() < 0.4:
            for _ in range(rng.randrange(1, 4)):
                self.damage()

    def some(self, *kinds):
        """The place of a record after the first."""
        at = [i for i, r in enumerate(self.records) if i and (not kinds or r["type"] in kinds)]
        return self.rng.choice(at) if at else None

    def insert(self, record, at=None):
        self.records.insert(at or self.rng.randrange(1, len(self.records) + 1), record)

    def shuffle(self):
        if self.rng.random() < 0.3:
            rest = self.records[1:]
            self.rng.shuffle(rest)
            self.records[1:] = rest
        for _ in range(3):
            at = self.some()
            if at:
                self.insert(self.records.pop(at))

    def leave_out(self):
        for _ in range(self.rng.randrange(1, 4)):
            at = self.some()
            if at:
                del self.records[at]

    def parentless(self):
        p = self.rng.choice([0.3, 1])
        for r in self.records:
            if self.rng.random() < p:
                r.pop("parent", None)

    def lost_parent(self):
        at = self.some("exchange")
        if at:
            self.records[at]["parent"] = "nowhere"

    def circle(self):
        a, b = self.some("exchange"), self.some("exchange")
        if a:
            self.records[a]["parent"] = self.records[b]["id"]

    def child_first(self):
        at = self.some("exchange")
        if at:
            self.insert(self.records.pop(at), 1)

    def again(self):
        for _ in range(self.rng.randrange(1, 4)):
            at = self.some()
            if at is not None:
                self.insert(copy.deepcopy(self.records[at]))

    def heads_again(self):
        """Exchanges that stand in the file once more, in a worse or better version, where they move the head."""
        for _ in range(self.rng.randrange(1, 4)):
            at = self.some("exchange")
            if at:
                other = copy.deepcopy(self.records[at])
                other["status"] = self.rng.choice(["complete", "interrupted"])
                self.insert(other, self.rng.choice([None, len(self.records)]))

    def other_version(self):
        at = self.some("exchange", "step", "result", "change", "summary")
        if not at:
            return
        other = copy.deepcopy(self.records[at])
        kind = other["type"]
        if kind == "exchange":
            other["status"] = self.rng.choice(["complete", "error", "interrupted"])
            other["answer"] += self.rng.choice(["", "more"])
            other["tokenUsage"] = {"inputTokens": self.rng.randrange(9)}
            if self.rng.random() < 0.4:
                ids = [r["id"] for r in self.records if r["type"] == "exchange"]
                other["parent"] = self.rng.choice([None, *ids])
        elif kind == "change":
            other["title"] = self.rng.choice(["other", "", "Another"])
            other["tokenUsage"] = {"totalTokens": 5}
        elif kind == "step":
            other["calls"] = other["calls"][:1]
        elif kind == "result":
            other["output"] += "?"
        else:
            ids = [r["id"] for r in self.records if r["type"] == "exchange"]
            other["upTo"] = self.rng.choice(ids or ["x"])
        self.insert(other)

    def nowhere(self):
        kind = self.rng.choice(["rewind", "step", "result", "summary", "replaces"])
        if kind == "rewind":
            self.insert({"type": "rewind", "timestamp": 7, "to": "nowhere"}, self.rng.choice([None, len(self.records)]))
        elif kind == "step":
            self.insert({"type": "step", "exchange": "nowhere", "n": 0, "timestamp": 7, "text": "", "calls": [], "model": "m"})
        elif kind == "result":
            self.insert({"type": "result", "exchange": "nowhere", "n": 0, "call": "c", "timestamp": 7, "status": "ok",
                         "output": ""})
        elif kind == "summary":
            self.insert({"type": "summary", "id": "lost", "timestamp": 7, "upTo": "nowhere", "text": "t", "model": "m"})
        elif self.some("exchange"):
            self.records[self.some("exchange")]["replaces"] = "nowhere"

    def anonymous(self):
        for r in self.records:
            if r["type"] in ("change", "summary") and self.rng.random() < 0.5:
                r.pop("id", None)

    def unknown(self):
        for _ in range(2):
            self.insert({"type": self.rng.choice(["marvel", "Exchange", ""]), "id": "x1", "parent": 7, "to": "x", "timestamp": "no"})

    def more_members(self):
        for r in self.records[1:]:
            if self.rng.random() < 0.5:
                r.update({"type2": "exchange", "n2": [1e300, -0.0, 10**25], "ID": {"id": "no", "parent": "no", "to": "no"}})

    def wrong_steps(self):
        at = self.some("exchange")
        if at:
            self.records[at]["steps"] = self.rng.randrange(3)

    def same_time(self):
        for r in self.records[1:]:
            if "timestamp" in r and self.rng.random() < 0.7 and r["timestamp"] != "no":
                r["timestamp"] = self.records[0]["createdAt"]

    def merged(self):
        ids = [r["id"] for r in self.records if r["type"] == "exchange"]
        if ids:
            self.insert({"type": "rewind", "timestamp": 9, "to": self.rng.choice(ids), "merged": True}, len(self.records))

    def spell(self, record):
        return self.rng.choice(SPELLINGS)(record) if self.rng.random() < self.other else compact(record)

    @property
    def other(self):
        if not hasattr(self, "_other"):
            self._other = self.rng.choice([0, 0, 0.1, 1])
        return self._other

    def damage(self):
        at = self.rng.randrange(1, len(self.lines) + 1)
        line = damaged(self.rng, self.rng.choice(self.records))
        if self.rng.random() < 0.1:
            self.tail = line.replace(b"\n", b"")
        elif self.rng.random() < 0.5 and at < len(self.lines):
            self.lines[at] = line
        else:
            self.lines.insert(at, line)

    def data(self):
        return b"".join(line + b"\n" for line in self.lines) + self.tail


def union(a, b, base):
    """As git merge-file --union puts two files together that were one once."""
    return a[:base] + a[base:] + [line for line in b[base:] if line not in a[base:]]


def merge(a, b, base):
    """As the page has it: what is not there yet, then the head of the latest."""
    have = [compact(r) for r in a]
    all_of = a + [r for r in b[base:] if compact(r) not in have]
    heads = [r for r in all_of if r["type"] in ("exchange", "rewind")]
    if heads:
        def names(r):
            return r["id"] if r["type"] == "exchange" else r["to"]
        last = max(heads, key=lambda r: (r["timestamp"], names(r) or ""))
        if names(last) != names(heads[-1]):
            all_of.append({"type": "rewind", "timestamp": last["timestamp"], "to": names(last), "merged": True})
    return all_of


def make(seed):
    """The bytes of a history, and whether it is as the tools write it."""
    rng = random.Random(seed)
    story = Story(rng)
    story.go_on(rng.randrange(rng.choice([2, 6, 15, 25])))
    sound = True
    if rng.random() < 0.3:
        base = len(story.records)
        other = story.apart(rng.randrange(1, 6))
        story.go_on(rng.randrange(1, 6))
        sound = rng.random() < 0.5
        story.records = (merge if sound else union)(story.records, other.records, base)
    if rng.random() < 0.25:
        return b"".join(compact(r) + b"\n" for r in story.records), sound
    return Spoiled(rng, story).data(), False


# ---- what the tools say of it ----

class Differs(Exception):
    def __init__(self, name, what, expected, seen):
        super().__init__(what)
        self.name, self.what, self.expected, self.seen = name, what, expected, seen


def expect(name, what, expected, seen):
    if expected != seen:
        raise Differs(name, what, expected, seen)


class Store:
    """Histories as sessions; what the tools print of them, session by session."""

    def __init__(self, top, histories):
        self.dir = os.path.join(top, "sessions")
        self.histories = {name: History(data) for name, data in histories.items()}
        self.names = list(histories)
        shutil.rmtree(self.dir, ignore_errors=True)
        os.mkdir(self.dir, 0o700)
        for name, data in histories.items():
            os.mkdir(os.path.join(self.dir, name), 0o700)
            self.write(name, data)

    def path(self, name):
        return os.path.join(self.dir, name, "history.jsonl")

    def write(self, name, data):
        with open(os.open(self.path(name), os.O_WRONLY | os.O_CREAT, 0o600), "wb") as f:
            f.write(data)

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def run(self, tool, *words):
        env = {**os.environ, "MC_SESSIONS_DIR": self.dir}
        run = subprocess.run([os.path.join(BIN, tool), *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             env=env, check=False)
        expect(None, f"{tool} {' '.join(words[:4])}: exit status", True, run.returncode in (0, 1) or run.returncode)
        return run.stdout, run.stderr.decode(errors="replace").splitlines(), run.returncode

    def json(self, *words):
        text = self.run(*words)[0]
        return [json.loads(line, parse_float=Decimal) for line in text.splitlines()]

    def warned(self, errors):
        """Lines on standard error: (session, line) of what was skipped, and the others."""
        skipped, others = Counter(), []
        for line in errors:
            m = re.search(r"([^/\s']+)/history\.jsonl:(\d+): skipped a damaged record: .", line)
            if m:
                skipped[m[1], int(m[2])] += 1
            else:
                others.append(line)
        return skipped, others

    # What is compared

    def cat(self, what, printed, whole, *options):
        """printed(h) is what may be printed of it, and how many of these lines may be missing."""
        out, errors, status = self.run("mc-session-cat", "--json", *options, *self.names)
        seen = out.split(b"\n")[:-1]
        at = 0
        for name, h in self.histories.items():
            lines, less = printed(h)
            some = (lines[i:] for i in range(less + 1) if lines[i:] == seen[at:at + len(lines) - i])
            lines = next(some, lines)
            expect(name, what, lines, seen[at:at + len(lines)])
            at += len(lines)
        expect(self.names[-1], what, [], seen[at:])
        skipped, others = self.warned(errors)
        damaged = Counter((name, n) for name, h in self.histories.items() for n in h.damaged)
        for name, n in skipped:
            expect(name, what + ": warnings of lines", True, damaged[name, n] == 1 == skipped[name, n] or (n, skipped[name, n]))
        if whole:
            for name, n in damaged:
                expect(name, what + ": warnings of lines", n, n if (name, n) in skipped else None)
        expect(None, what + ": exit status", bool(skipped), bool(status))
        return others

    def check_cat(self):
        others = self.cat("mc-session-cat --json", lambda h: (h.printed(), 0), True)
        for name, h in self.histories.items():
            n, early = self.told_of_tree(name, others)
            expect(name, "mc-session-cat: branches in its notice", [len(h.branches())] if h.branches() else [], n)
            expect(name, "mc-session-cat: notices of a missing beginning", h.begins_early(), early)
        self.cat("mc-session-cat --json --branches", lambda h: (h.printed(branches=True), 0), True, "--branches")
        self.check_last()

    def told_of_tree(self, name, errors):
        """Numbers of branches, and how many notices of a missing beginning."""
        told = [line for line in errors if f"session '{name}'" in line]
        n = [int(m[1]) for line in told if (m := re.search(r" has (\d+) more branch", line))]
        return n, len(told) - len(n)

    def check_last(self):
        """What is told of the tree is right, though it need not be told."""
        for last in LAST:
            what = f"mc-session-cat --json -n {last}"
            others = self.cat(what, lambda h: (h.printed(last=last), h.unsure(last)), False, "-n", str(last))
            for name, h in self.histories.items():
                n, early = self.told_of_tree(name, others)
                expect(name, what + ": branches in its notice", [len(h.branches())] if n else [], n)
                expect(name, what + ": notices of a missing beginning", h.begins_early() if early else 0, early)

    def check_index(self):
        def same(what, record, name):
            h = self.histories[name]
            expected, record = h.index(name), dict(record)
            for member in {**expected, **record}:
                expect(name, f"{what}: {member}", expected.get(member, "missing"), record.get(member, "missing"))

        listed = self.json("mc-session-ls", "--json")
        expect(None, "mc-session-ls: sessions", sorted(self.names), sorted(r["id"] for r in listed))
        for record in listed:
            same("mc-session-ls --json", record, record["id"])
        status = self.json("mc-session-cat", "--status", "--json", *self.names)
        for record in status:
            expect(record["id"], "mc-session-cat --status: state", ("idle", None), (record.pop("state"), record.pop("pid")))
            same("mc-session-cat --status --json", record, record["id"])
        expect(None, "mc-session-cat --status: sessions", self.names, [r["id"] for r in status])

    def fsck(self, *options):
        found = {name: [] for name in self.names}
        stale = set()  # in the index, after the history was repaired
        for f in self.json("mc-session-fsck", "--json", *options):
            if f["kind"] == "stale":
                stale.add(f["session"])
                continue
            expect(f["session"], "mc-session-fsck: file", f"{f['session']}/history.jsonl", f["file"])
            found[f["session"]].append(f)
        for name in stale:
            expect(name, "mc-session-fsck: a stale record, and nothing else", True, any(f["repair"] == "done" for f in found[name]))
        return found

    def judge(self, what, found, after=None):
        """The findings are those of the model.  A repair finds what is wrong with the tree in what it left,
        which is `after`."""
        for name, h in self.histories.items():
            kinds = [(f["kind"], f["line"]) for f in found[name]]
            expected = h.findings()
            if after:
                expected = sorted([f for f in expected if f[0] not in TREE] +
                                  [f for f in after[name].findings() if f[0] in TREE])
            expect(name, what, expected, sorted(k for k in kinds if k[0] != "duplicate"))
            told = {line for kind, line in kinds if kind == "duplicate"}
            for group in h.versions():
                left = [line for line in group if line.number not in told]
                expect(name, f"{what}: versions of {group[0].identity} that are not told of", 1, len(left))
                if group[0].kind in ("exchange", "step", "result"):
                    expect(name, f"{what}: the one left, of {group[0].identity}", h.best(group).rank, left[0].rank)
                told -= {line.number for line in group}
            expect(name, what + ": duplicates", set(), told)

    def check_fsck(self):
        before = {name: self.read(name) for name in self.names}
        self.judge("mc-session-fsck", self.fsck())
        for name in self.names:
            expect(name, "a check changed it", before[name], self.read(name))
        done = self.fsck("--repair")
        after = {name: History(self.read(name)) for name in self.names}
        self.judge("mc-session-fsck --repair", done, after)
        kept = Counter()
        for path, _, files in os.walk(os.path.join(self.dir, ".quarantine")):
            for file in files:
                with open(os.path.join(path, file), "rb") as f:
                    kept.update(f.read().split(b"\n"))
        for name in self.names:
            self.check_repaired(name, before[name], done[name], kept)
        self.histories = after
        left = self.fsck()
        self.judge("mc-session-fsck after a repair", left)
        for name in self.names:
            expect(name, "findings after a repair", Counter(f["kind"] for f in done[name] if f["repair"] != "done"),
                   Counter(f["kind"] for f in left[name]))

    def check_repaired(self, name, before, done, kept):
        """No line is lost, and nothing is called repaired that is still there."""
        data = self.read(name)
        here = Counter(data.split(b"\n"))
        for line in before.split(b"\n"):
            there = here if here[line] else kept
            expect(name, "a line is in the history or in quarantine after a repair", line, line if there[line] or b"\0" in line else None)
        if not done:
            expect(name, "a repair changed a sound history", before, data)
        # What stood between NUL bytes, or lacked only its line feed, is a record now.
        itself = any("follows itself" in f["message"] for f in done)
        if b"\0" not in before and before.endswith(b"\n") and not itself:
            expect(name, "a repair leaves the conversation what it is", History(before).path, History(data).path)

    def check(self):
        self.check_cat()
        self.check_index()
        self.check_last()
        self.check_fsck()


def difference(top, histories):
    """What differs first: None, or a Differs."""
    try:
        Store(top, histories).check()
    except Differs as d:
        return d
    return None


# ---- making it small ----

def smaller(top, data, what):
    """The history with fewer lines, and the difference that is left."""
    found = difference(top, {"s": data})
    size = len(data.splitlines())
    while size:
        lines = data.splitlines(keepends=True)
        size = min(size, len(lines))
        for at in range(len(lines) - size, -1, -size) if size < len(lines) else ():
            if at == 0 and size == 1:
                break
            trial = b"".join(lines[:max(at, 1)] + lines[at + size:])
            d = difference(top, {"s": trial}) if trial != data else None
            if d and d.what.split(":")[0] == what.split(":")[0]:
                data, found = trial, d
                lines = data.splitlines(keepends=True)
        size //= 2
    return data, found


def report(top, seed, data, d):
    again = difference(top, {"s": data})
    if again:
        data, d = smaller(top, data, again.what)
    print(f"# seed {seed}: {d.what}")
    if isinstance(d.expected, list) and isinstance(d.seen, list):
        d.expected, d.seen = [x for x in d.expected if x not in d.seen], [x for x in d.seen if x not in d.expected]
    print("# the model: ", d.expected)
    print("# the tools: ", d.seen)
    if not again:
        print("# (alone in a store it does not differ)")
    for line in data.splitlines():
        print("#   ", line.decode(errors="backslashreplace"))
    print(f"# once more: HISTORY_SEED={seed} tests/histories.py 1")


def compare(first, count):
    with tempfile.TemporaryDirectory() as top:
        for begin in range(first, first + count, BATCH):
            seeds = range(begin, min(begin + BATCH, first + count))
            made = {f"h{seed}": make(seed)[0] for seed in seeds}
            d = difference(top, made)
            if d and d.name is None:  # it cannot say whose it is
                d = next((Differs(name, *one.args, one.expected, one.seen) for name, data in made.items()
                          if (one := difference(top, {name: data}))), d)
            if d:
                name = d.name or next(iter(made))
                report(top, int(name[1:]), made[name], d)
                return 1
    print(f"{count} histories, from seed {first} on: no difference")
    return 0


def sound(first, count):
    """The histories of the tools have no findings in the model itself."""
    made = [(seed, *make(seed)) for seed in range(first, first + count)]
    bad = [seed for seed, data, is_sound in made if is_sound and (History(data).findings() or History(data).versions())]
    kinds = Counter(kind for _, data, _ in made for kind in {kind for kind, _ in History(data).findings()} |
                    ({"duplicate"} if History(data).versions() else set()))
    print(sum(is_sound for _, _, is_sound in made), "of the tools,", len(bad), "with findings", bad[:5], dict(kinds))
    return bool(bad)


def main(words):
    first = int(os.environ.get("HISTORY_SEED", "1"))
    if words[:1] == ["show"]:
        sys.stdout.buffer.write(make(int(words[1]))[0])
        return 0
    if words[:1] == ["sound"]:
        return sound(first, int(words[1]) if words[1:] else 300)
    return compare(first, int(words[0]) if words else 300)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

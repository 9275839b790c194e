"""Judges mc-session-fsck from outside, for tests/session-fsck.bats.

usage: fsck.py checked FINDING...
       fsck.py mends FINDING...
       fsck.py kept BEFORE FINDINGS.json

The store is that in $MC_SESSIONS_DIR.  Words in $OPERANDS are given to
mc-session-fsck.  A FINDING is "KIND SESSION FILE LINE", with "-" for null, and
for "mends" a fifth word, what became of it: done, moved (into quarantine),
none, impossible.  They may come in any order.  "?" before one: it may be
missing; "+": only the repair tells it; "-": only the check does.  That the
index is stale follows from other damage, and counts only where a FINDING asks.

checked  a check finds these, in text and in JSON alike, and changes nothing,
         not even a time.
mends    that; the repair says what it did; after it no byte is lost, only what
         was left alone is found again, and a second repair changes nothing;
         when nothing is left and there are no operands, every listed session
         takes another turn, and that is no damage.
kept     every file of the folder BEFORE is in the store as it was, or at the
         place in quarantine that a finding names; the lines of a history, and of
         removed.jsonl, are in the one or the other, those that stay in their old order, but
         for an exchange that was there twice.  Beside what
         is in quarantine is a note of its old place and mode.
"""

import json
import os
import re
import stat
import subprocess
import sys
from collections import Counter

STORE = os.fsencode(os.environ["MC_SESSIONS_DIR"])
OPERANDS = os.environ.get("OPERANDS", "").split()
QUARANTINE = b".quarantine"

KINDS = """torn nul record head version duplicate parent steps result history spool artifact leftover mode
    owner link special unreadable index stale unlisted orphan""".split()
MEMBERS = "file kind line message quarantine repair session".split()
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Wrong(Exception):
    pass


def expect(good, *words):
    if not good:
        raise Wrong("\n".join(w if isinstance(w, str) else repr(w) for w in words))


# What is on the disk

def walk(top):
    """The names of all that is below, from there on, parents first."""
    for path, folders, files in os.walk(top):
        for name in folders + files:
            yield os.path.relpath(os.path.join(path, name), top)


def content(path):
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        return "link", os.readlink(path)
    if stat.S_ISREG(mode):
        try:
            with open(path, "rb") as f:
                return "file", f.read()
        except PermissionError:
            return "file", None
    return "other", stat.S_IFMT(mode)


def lines(data):
    found = data.split(b"\n")
    return found[:-1] if found[-1] == b"" else found


def tree():
    def state(path):
        s = os.lstat(path)
        return oct(s.st_mode), s.st_uid, s.st_nlink, s.st_ino, s.st_size, s.st_ctime_ns, content(path)
    return {name: state(os.path.join(STORE, name)) for name in [b".", *walk(STORE)]}


def expect_unchanged(old, why):
    new = tree()
    expect(new == old, f"{why} changed", *(n for n in {**old, **new} if old.get(n) != new.get(n)))


# What the tool says

def fsck(*options):
    run = subprocess.run(["mc-session-fsck", *options, *OPERANDS], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    expect(run.returncode == bool(run.stdout),
           f"exit status {run.returncode} of mc-session-fsck {' '.join(options)} with this output:",
           run.stdout.decode(errors="replace"), run.stderr.decode(errors="replace"))
    return run.stdout.decode(), run.stderr.decode(errors="replace")


def parse(text):
    """The findings of output in JSON, after a look at their members."""
    findings = []
    for line in text.splitlines():
        f = json.loads(line)
        findings.append(f)
        expect(sorted(f) == MEMBERS, "other members:", line)
        expect(f["kind"] in KINDS, "no such kind:", line)
        expect(f["session"] is None or ID.fullmatch(f["session"]), "no id:", line)
        expect(f["file"] and isinstance(f["file"], str), "no file:", line)
        expect(f["line"] is None or type(f["line"]) is int and f["line"] > 0, "no line:", line)
        expect(f["message"] and isinstance(f["message"], str), "no message:", line)
        expect(f["repair"] in ("none", "done", "impossible"), "no such repair:", line)
        expect(f["quarantine"] is None or f["repair"] == "done" and f["quarantine"].startswith(".quarantine/"),
               "it was not moved:", line)
    return findings


def told(finding):
    words = [finding["kind"], finding["session"], finding["file"], finding["line"],
             "moved" if finding["quarantine"] else finding["repair"]]
    return " ".join("-" if w is None else str(w) for w in words)


def expect_findings(findings, wanted):
    seen = Counter(told(f) for f in findings)
    may = Counter(w[1:] for w in wanted if w.startswith("?"))
    must = Counter(w for w in wanted if not w.startswith("?"))
    if not any("stale " in w for w in wanted):
        seen = Counter({s: n for s, n in seen.items() if not s.startswith("stale ")})
    expect(not must - seen and not seen - must - may, "expected:", *sorted(must), "perhaps:", *sorted(may),
           "seen:", *sorted(seen.elements()), "in full:", *(json.dumps(f, ensure_ascii=False) for f in findings))


def checked(wanted):
    before = tree()
    text, errors = fsck()
    expect(not errors, "on standard error:", errors)
    findings = parse(fsck("--json")[0])
    expect_unchanged(before, "a check")
    expect_findings(findings, [f"{w} none" for w in wanted])
    said = text.splitlines()
    expect(len(said) == len(findings), "text and JSON have not as many lines:", text)
    for line, f in zip(said, findings):
        whose = f" ('{f['session']}')" if f["session"] and f["file"] == "index.jsonl" else ""
        begin = f["file"] + (f":{f['line']}" if f["line"] else "") + whose + f": {f['message']}"
        expect(line.startswith(begin), "not the same:", line, begin)


# That nothing is lost

class Kept:
    def __init__(self, before, findings):
        self.before, self.lost = before, []
        self.moved = {}
        for f in findings:
            if f["quarantine"]:
                self.moved.setdefault(os.fsencode(f["file"]), set()).add(os.fsencode(f["quarantine"]))

    def places(self, name):
        """Where it may be in quarantine, perhaps with its folder."""
        part = name
        while part:
            yield from (place + name[len(part):] for place in self.moved.get(part, ()))
            part = os.path.dirname(part)

    def here(self, *names):
        paths = [os.path.join(STORE, name) for name in names]
        return [content(path) for path in paths if os.path.lexists(path)]

    def lines(self, name, old):
        old = lines(old)
        new = [line for kind, data in self.here(name) if kind == "file" for line in lines(data)]
        rest = iter(old)
        pieces = {piece for line in old for piece in line.split(b"\0")}  # beside NUL bytes
        # Of an exchange that was there twice, one version is in the place of the last one.
        ids = Counter(re.findall(rb'"type":"exchange","id":"[^"]*"', b"\n".join(old)))
        twice = {line for line in old if any(n > 1 and id in line for id, n in ids.items())}
        expect(all(line in rest for line in new if line in old and line not in twice), name,
               "its records are in another order")
        for number, line in enumerate(new):
            if line not in old and line not in pieces:
                record = json.loads(line)
                expect((number, record.get("type")) == (0, "session") or record.get("status") == "interrupted",
                       name, "nobody wrote this:", line)
        moved = [line for kind, data in self.here(*self.places(name)) if kind == "file" for line in lines(data)]
        return not Counter(old) - Counter(new) - Counter(moved)

    def turn(self, name, data):
        head, _, answer = data.partition(b"\n")
        head = json.loads(head)
        with open(os.path.join(STORE, os.path.dirname(name), b"history.jsonl"), "rb") as f:
            return any(r.get("id") == head["id"] and r["query"] == head["query"]
                       and r["answer"].startswith(answer.decode(errors="replace")) for r in map(json.loads, f))

    def one(self, name):
        kind, data = content(os.path.join(self.before, name))
        base = os.path.basename(name)
        here = self.here(name, *self.places(name))
        if (kind, data) in here:
            return True
        if kind != "file":
            return False
        if base == b"history.jsonl" or name == b"removed.jsonl":
            return self.lines(name, data)
        if base == b"turn.partial":
            return self.turn(name, data)
        # The index may have got a record before it was moved, or only that.
        return name == b"index.jsonl" and any(k == "file" and d.startswith(data) for k, d in here)

    def undo(self, name, place):
        """What is needed to undo the move is beside what was moved."""
        with open(os.path.join(STORE, place + b".json"), encoding="utf-8") as f:
            note = json.load(f)
        old = os.lstat(os.path.join(self.before, name)) if os.path.lexists(os.path.join(self.before, name)) else None
        repaired = {"0700", "0600"}  # by the same run, which told of it
        expect(note["from"] == name.decode(errors="replace"), place, "comes from", name, "and says", note)
        expect(note.get("session") == (name.split(b"/")[0].decode() if b"/" in name else None), place, note)
        expect(old is None or note["mode"] in {f"{stat.S_IMODE(old.st_mode):04o}"} | repaired, place, note)
        expect(old is None or note["uid"] == old.st_uid, place, note)

    def judge(self):
        for name in walk(self.before):
            expect(self.one(name), name, "is lost")
        named = {place for places in self.moved.values() for place in places}
        for place in named:
            expect(os.path.lexists(os.path.join(STORE, place)), place, "is named as the place, and is not there")
        for name, places in self.moved.items():
            for place in places:
                self.undo(name, place)
        for name in walk(STORE):
            new = not os.path.lexists(os.path.join(self.before, name))
            if os.path.dirname(name) == QUARANTINE:
                expect(not new or name.removesuffix(b".json") in named, name, "is there, and no finding names it")
            elif not name.startswith(QUARANTINE):
                expect(not new or name in (b"index.jsonl", b"index.lock"), name, "is new")
        if named:
            mode = stat.S_IMODE(os.lstat(os.path.join(STORE, QUARANTINE)).st_mode)
            expect(mode == 0o700, f"the quarantine has mode {mode:o}")


def go_on():
    ids = subprocess.run(["mc-session-ls", "-q"], stdout=subprocess.PIPE, check=True).stdout.decode().split()
    for name in ids:
        words = f"and on in {name}"
        subprocess.run(["mc-chat", "--no-stdin", "-s", name, words], stdout=subprocess.DEVNULL, check=True)
        with open(os.path.join(STORE, os.fsencode(name), b"history.jsonl"), "rb") as f:
            expect(json.loads(f.readlines()[-1])["query"] == words, "not stored:", words)
    text, _ = fsck()
    expect(not text, "after another turn of each:", text)


def mends(wanted):
    found = [w.lstrip("-").rsplit(" ", 1)[0] for w in wanted if not w.startswith("+")]
    done = [w.lstrip("+") for w in wanted if not w.startswith("-")]
    left = [w for w in done if w.endswith((" none", " impossible"))]
    checked(found)
    subprocess.run(["rm", "-rf", "before"], check=True)
    subprocess.run(["cp", "-a", STORE, "before"], check=True)
    findings = parse(fsck("-r", "--json")[0])
    expect_findings(findings, done)
    Kept(b"before", findings).judge()
    checked([w.rsplit(" ", 1)[0] for w in left])
    before = tree()
    expect_findings(parse(fsck("--repair", "--json")[0]), left)
    expect_unchanged(before, "a second repair")
    if not left and not OPERANDS:
        go_on()


def main(what, *words):
    try:
        if what == "kept":
            with open(words[1], encoding="utf-8") as f:
                Kept(os.fsencode(words[0]), parse(f.read())).judge()
        else:
            {"checked": checked, "mends": mends}[what](words)
    except Wrong as wrong:
        sys.exit(str(wrong))


if __name__ == "__main__":
    main(*sys.argv[1:])

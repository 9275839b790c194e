#!/usr/bin/python3
"""Cuts the power while the tools store.

Each test records what some commands do to the file system (syscalls.py), takes
every moment at which the power may go, makes each tree that the disk may hold
then (disk.py says which), and lets the tools loose on it.

A tree passes when

  * every acknowledged exchange is there, byte for byte, and none is there twice.
    Acknowledged is what mc-chat or mc-session-cat stored before it exited with 0;
  * a session is whole, or it is not there;
  * a prompt whose reply had begun to arrive is there and whole, or its exchange is;
    and a new index is whole if its name is there;
  * no tool crashes or refuses to work, with a repair before and without;
  * mc-session-fsck finds nothing after a repair, and all sessions are listed then;
    without --repair it changes nothing;
  * the next turns are stored;
  * no bytes of a history or of a turn that was cut short are gone.

FAULT=full makes all trees where they are not too many; otherwise a sample of them
is made, which FAULT_SEED=N chooses, and which is larger with LONG=1.
"""

import collections
import contextlib
import functools
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from disk import ROOT, Disk, Mark, Names, Sync, Write, unique  # noqa: E402
import syscalls  # noqa: E402

TESTS = pathlib.Path(__file__).resolve().parents[1]
BIN = pathlib.Path(os.environ.get("MCBOX_BIN_DIR", TESTS.parent))
FULL = os.environ.get("FAULT") == "full"
SHORT = not FULL and not os.environ.get("LONG")
SEED = int(os.environ.get("FAULT_SEED", 1))
OF_A_MOMENT = 1000 if FULL else 7 if SHORT else 20  # trees, beyond which a sample must do
OF_A_TEST = 1000 if FULL else 4 if SHORT else 12  # those beside the plain ones, likewise
OF_A_KILL = 20 if FULL else 1

STORE = "share/mcbox/sessions"  # below the root of the file system that loses power
# What has to be there: {session: lines}; and {session: first line} of those that may be gone.
Asked = collections.namedtuple("Asked", "exchanges removed")


class Problem(Exception):
    """A sentence about what is wrong; what varies from tree to tree is in `details`."""

    def __init__(self, sentence, details=""):
        super().__init__(sentence)
        self.details = details


# ---- the tools ----

def hangs(*_):
    raise Problem("a tool hangs")


@contextlib.contextmanager
def limit():
    """subprocess' own would look for the end by polling, which takes longer than a tool."""
    signal.alarm(60)
    try:
        yield
    finally:
        signal.alarm(0)


class Tools:
    """Runs them on the store below `root`."""

    def __init__(self, root, home):
        self.store, self.home = root / STORE, home
        self.env = {
            "PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8", "TZ": "UTC",
            "MC_SESSIONS_DIR": str(self.store),
            "ASAN_OPTIONS": "detect_leaks=0",  # that does not work under a tracer
        }

    def run(self, tool, *args, ok=(0,)):
        with limit():
            done = subprocess.run([BIN / tool, *args], env=self.env, cwd=self.home,
                                  stdin=subprocess.DEVNULL, capture_output=True, close_fds=False)
        if done.returncode not in ok or re.search(b"Sanitizer|runtime error:", done.stderr):
            said = (done.stderr or done.stdout).decode(errors="replace")
            raise Problem(f"{tool} {' '.join(args)}: exit status {done.returncode}", said)
        return done.stdout

    def sessions(self):
        """The ids, by the folders."""
        return sorted(f.parent.name for f in self.store.glob("[!.]*/history.jsonl"))

    def history(self, session):
        return self.store / session / "history.jsonl"


def objects(text, what):
    """The JSON objects of these lines, each with its bytes."""
    found = []
    for line in text.splitlines(keepends=True):
        try:
            found.append((json.loads(line), line))
        except ValueError:
            raise Problem(f"{what} prints a line that is no JSON", line.decode()) from None
    return found


def valid(text):
    """The objects of the lines that are valid."""
    found = []
    for line in text.splitlines():
        try:
            found.append(json.loads(line.strip(b"\0")))  # a loss of power may leave those
        except ValueError:
            pass
    return [r for r in found if isinstance(r, dict)]


def exchanges(text):
    """The lines of the exchanges that are whole."""
    found = []
    for line in text.splitlines(keepends=True):
        try:
            if json.loads(line)["type"] == "exchange":
                found.append(line)
        except (ValueError, TypeError, KeyError):
            pass
    return found


# ---- recording ----

class Recording:
    """A file system, and what commands did to it from begin() on."""

    def __init__(self, place):
        self.root, self.place = place / "root", place
        self.root.mkdir()
        self.tools = Tools(self.root, place)
        self.disk = None
        self.asked = Asked({}, {})
        self.env = {}          # for the tools, on the trees too
        self.server = None
        self.next = 0          # where in the log it goes on after a kill
        self.keep = []         # bytes that have to stay somewhere
        self.damaged = set()   # sessions that only a repair can bring in order

    def new(self, *sessions):
        for session in sessions:
            self.tools.run("mc-session-new", "-p", "echo", "-i", session)

    def say(self, session, text):
        self.tools.run("mc-chat", "--no-stdin", "-s", session, text)

    def begin(self):
        """What is there now is on the disk."""
        self.disk = Disk(self.root)
        for session in self.tools.sessions():
            self.acknowledge(session)

    def acknowledge(self, session):
        lines = dict.fromkeys(exchanges(self.tools.history(session).read_bytes()))
        removed = {s: head for s, head in self.asked.removed.items() if s != session}
        self.mark(Asked(self.asked.exchanges | {session: tuple(lines)}, removed))

    def mark(self, asked):
        self.asked = asked
        self.disk.mark(asked)

    def trace(self, tool, *args, kill=None, status=(0,)):
        """Runs one command, which must exit as `status` says, or be killed at a system call."""
        with limit():
            got = syscalls.run(self.disk, self.root, [BIN / tool, *args], self.place / "trace",
                               kill, env=self.tools.env, cwd=self.place, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if got not in ([-9] if kill else status):
            raise Problem(f"{tool} {' '.join(args)}: exit status {got} under strace")
        real, followed = Disk(self.root).tree(), self.disk.tree()
        wrong = [p for p in real.keys() | followed.keys() if real.get(p, 1) != followed.get(p, 1)]
        if wrong:
            raise Problem(f"{tool} did what was not understood, to {wrong}")

    def chat(self, session, *args):
        self.trace("mc-chat", "--no-stdin", "-s", session, *args)
        self.acknowledge(session)

    def cat(self, session):
        self.trace("mc-session-cat", session)
        self.acknowledge(session)

    def remove(self, session):
        """It may be gone from here on, but what is there of it is whole."""
        head = self.tools.history(session).read_bytes().splitlines()[0]
        self.mark(self.asked._replace(removed=self.asked.removed | {session: head}))
        self.trace("mc-session-rm", "-f", session)

    def serve(self, script):
        """A server for the rest of the test, which ends with its standard input."""
        (self.place / "script").write_text(json.dumps(script))
        self.server = subprocess.Popen([TESTS / "server.py", self.place / "script",
                                        self.place / "requests"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        port = int(self.server.stdout.readline())
        self.env["MC_BASE_URL"] = f"http://127.0.0.1:{port}/v1"
        self.tools.env |= self.env

    def close(self):
        if self.server:
            self.server.communicate()
        self.server = None

    def did(self, words):
        """A recording in which this never happened is worth nothing."""
        if not any(words in op.words for op in self.disk.log if isinstance(op, (Names, Sync))):
            raise Problem(f"'{words}' was to be recorded, and never happened")


def prompts(log):
    """{(session, id): inode} of the prompts whose replies had begun to arrive."""
    spools, content, found = {}, collections.defaultdict(bytes), {}
    for op in log:
        if isinstance(op, Names) and (m := re.search(r"([^/ ]+)/turn\.partial", op.words)):
            spools |= {inode: m[1] for (_, name), inode in op.changes if name == "turn.partial"}
        elif isinstance(op, Write):
            if op.inode in spools and op.inode in content:
                found[spools[op.inode], json.loads(content[op.inode].split(b"\n")[0])["id"]] = op.inode
            content[op.inode] += op.data
    return found


def promised(log):
    """{inode: what it has to begin with, wherever its name is}"""
    content, prompts, indexes = collections.defaultdict(bytes), {}, {}
    spools = {inode for op in log if isinstance(op, Names)
              for (_, name), inode in op.changes if name == "turn.partial"}
    for op in log:
        if isinstance(op, Write):
            if op.inode in spools and op.inode in content:
                prompts.setdefault(op.inode, content[op.inode])  # the reply has begun
            content[op.inode] += op.data
        elif isinstance(op, Names) and "renamed" in op.words:
            (_, name), inode = op.changes[1]
            if name == "index.jsonl" and content[inode].count(b"\n") > 1:  # more than a header
                indexes[inode] = content[inode]
    return prompts | indexes


# ---- judging a tree ----

class Trial:
    def __init__(self, recording, asked, state, place):
        self.asked, self.state = asked, state
        self.keep, self.damaged = recording.keep, recording.damaged
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        self.tools = Tools(place, recording.place)
        self.tools.env |= recording.env
        self.place = place
        for path, content in sorted(state.tree.items()):
            if content is None:
                (place / path).mkdir(mode=0o700)
            else:
                (place / path).touch(mode=0o600)
                (place / path).write_bytes(content)

    def judge(self, repair_first):
        self.sessions_are_there()
        self.ids = self.tools.sessions()
        cut = self.cut_short()
        if repair_first:
            self.repair()
        found = self.read()
        if repair_first or not self.state.tree.get(STORE + "/index.jsonl"):
            self.listed(found)
        else:
            self.tools.run("mc-session-ls", "--json")
        found = self.one_more()
        if not repair_first:
            self.repair()
            self.listed(self.read())
            self.one_more()
        self.recovered(cut, found)
        self.nothing_thrown_away()
        self.clean()

    # What is there

    def sessions_are_there(self):
        for session, lines in self.asked.exchanges.items():
            if lines and session not in self.asked.removed and \
                    not self.tools.history(session).exists():
                raise Problem(f"session {session} is gone, though its exchange was acknowledged")

    def conversation(self, session):
        """The stored records as mc-session-cat prints them."""
        # Status 1 says that there are damaged lines.
        text = self.tools.run("mc-session-cat", "--json", session, ok=(0, 1))
        found = objects(text, "mc-session-cat")
        if session not in self.damaged and \
                not (found and found[0][0]["type"] == "session" and found[0][0]["id"] == session):
            raise Problem(f"session {session} is there, but not its session record")
        return [(o, line) for o, line in found if o["type"] == "exchange"]

    def read(self):
        """{session: its exchanges}"""
        found = {session: self.conversation(session) for session in self.ids}
        for session, there in found.items():
            lines = [line for _, line in there]
            if self.asked.removed.get(session, b"") in self.tools.history(session).read_bytes():
                for line in self.asked.exchanges.get(session, ()):
                    if line not in lines:
                        raise Problem(f"session {session} has lost an acknowledged exchange",
                                      line.decode())
            if session not in self.damaged and len({o["id"] for o, _ in there}) < len(there):
                raise Problem(f"session {session} has an exchange twice",
                              "\n".join(f"{o['status']}: {o['query']}" for o, _ in there))
        return {session: [o for o, _ in there] for session, there in found.items()}

    def cut_short(self):
        """The turns that only a turn.partial holds: (session, its first line, its reply)."""
        found = []
        for path in self.tools.store.glob("[!.]*/turn.partial"):
            head, line_feed, reply = path.read_bytes().partition(b"\n")
            try:
                head = json.loads(head) if line_feed else {}
            except ValueError:
                continue
            history = path.with_name("history.jsonl")
            if not (head and history.exists()):
                continue
            own = [r for r in valid(history.read_bytes()) if head["id"] in (r.get("id"), r.get("exchange"))]
            if not any(r["type"] == "exchange" for r in own):
                # The reply to a request that asked for tools is a step, not the answer.
                stored = any(r["type"] == "step" and r["n"] == head.get("n") for r in own)
                found.append((path.parent.name, head, "" if stored else reply.decode()))
        return found

    @staticmethod
    def recovered(cut, found):
        for session, head, reply in cut:
            same = [(o["parent"], o["query"], o["status"], o["answer"])
                    for o in found[session] if o["id"] == head["id"]]
            if same != [(head["parent"], head["query"], "interrupted", reply)]:
                raise Problem("a turn that was cut short did not become an exchange", str(same))

    def nothing_thrown_away(self):
        left = b"\n".join(f.read_bytes() for f in self.place.rglob("*") if f.is_file())
        wanted = list(self.keep)
        for path, content in self.state.tree.items():
            if path.endswith("/history.jsonl"):
                wanted += content.split(b"\n")
            elif path.endswith("/turn.partial") and not self.became_exchange(content, left):
                wanted.append(content)
        for some in wanted:
            if some not in left:
                raise Problem("bytes are gone", repr(some))

    @staticmethod
    def became_exchange(content, left):
        """recovered() has looked whether it is the right one."""
        try:
            return json.dumps(json.loads(content.partition(b"\n")[0])["id"]).encode() in left
        except ValueError:
            return False

    # What goes on

    def one_more(self):
        for session in set(self.ids) - self.damaged:
            self.tools.run("mc-chat", "--no-stdin", "-s", session, "one more")
        found = self.read()
        for session, there in found.items():
            if session in self.damaged:
                continue
            if not there or (there[-1]["query"], there[-1]["status"]) != ("one more", "complete"):
                raise Problem(f"the next turn of session {session} was not stored")
        return found

    def listed(self, found):
        if not self.tools.store.exists():
            return
        listed = {o["id"]: o for o, _ in objects(self.tools.run("mc-session-ls", "--json"),
                                                 "mc-session-ls")}
        for session, there in found.items():
            if session in self.damaged:
                continue
            if session not in listed:
                raise Problem(f"session {session} is not in the list")
            if listed[session]["exchangeCount"] != sum(o["status"] == "complete" for o in there):
                raise Problem(f"the list does not count the exchanges of session {session}")

    def repair(self):
        if not self.tools.store.exists():
            return
        before = Disk(self.place).tree()
        objects(self.tools.run("mc-session-fsck", "--json", ok=(0, 1)), "mc-session-fsck")
        if Disk(self.place).tree() != before:
            raise Problem("mc-session-fsck without --repair changed something")
        self.tools.run("mc-session-fsck", "--repair", ok=(0, 1))
        self.clean()
        self.damaged = set()

    def clean(self):
        if not self.tools.store.exists():
            return
        found = self.tools.run("mc-session-fsck", ok=(0, 1))
        if found:
            raise Problem("mc-session-fsck still has findings after a repair", found.decode())


# ---- from recordings to trees ----

def choose(recording, points, most):
    """What to try: (asked, place in the log, state) of the plain trees of all these places,
    and `most` of the others. And how many there are."""
    rng, log = random.Random(SEED), recording.disk.log
    plain, others = {}, {}
    for point in points:
        asked = [op.value for op in log[:point] if isinstance(op, Mark)]
        if not asked:
            continue
        needed = asked[-1], sorted(promised(log[:point]).items())
        for states, to in zip(recording.disk.states(point, rng, OF_A_MOMENT), (plain, others)):
            for state in states:
                to.setdefault(digest(needed, state), (asked[-1], point, state))
    others = [tree for key, tree in others.items() if key not in plain]
    count = len(plain) + len(others)
    if len(others) > most:
        others = rng.sample(others, most)
    return [*plain.values(), *others], count


def digest(needed, state):
    """The same for two trees of which the same is wanted."""
    h = hashlib.sha256(repr(needed).encode())
    for path, content in sorted(state.tree.items()):
        h.update(f"{path} {-1 if content is None else len(content)}\n".encode())
        h.update(content or b"")
    return h.digest()


def keep_promises(log, asked, state):
    begin = promised(log)
    for (session, name), inode in prompts(log).items():
        history = state.tree.get(f"{STORE}/{session}/history.jsonl") or b""
        if session not in asked.removed and inode not in state.inodes.values() and \
                not any(o.get("id") == name for o in valid(history)):
            raise Problem("a prompt whose reply had begun to arrive is gone", f"{session}: {name}")
    for path, inode in state.inodes.items():
        if inode in begin and not state.tree[path].startswith(begin[inode]):
            raise Problem("a prompt was not on the disk when its reply began to arrive"
                          if path.endswith("turn.partial") else
                          "a new index was not on the disk when it was renamed", path)


Failure = collections.namedtuple("Failure", "times lost before details")


def try_all(recording, points, most, place):
    """({sentence: Failure}, trees tried, how many there are). Of each failure the tree is
    told that lost least."""
    trees, possible = choose(recording, points, most)
    failures = {}
    for n, (asked, point, state) in enumerate(trees):
        for repair_first in (False, True) if FULL else (n % 2 == 0,):
            try:
                keep_promises(recording.disk.log[:point], asked, state)
                Trial(recording, asked, state, place / "tree").judge(repair_first)
            except Problem as problem:
                old = failures.get(str(problem))
                new = Failure(1, state.lost(), before(recording.disk.log, point), problem.details)
                if old and len(old.lost) <= len(new.lost):
                    new = old
                failures[str(problem)] = new._replace(times=old.times + 1 if old else 1)
    return failures, len(trees), possible


def before(log, point):
    """Where the power went, in words."""
    ahead = log[point].words if point < len(log) and isinstance(log[point], Sync) else "the end"
    done = [op.words for op in log[:point] if isinstance(op, (Names, Sync))]
    return f"before: {ahead}; after: {done[-1] if done else 'nothing'}"


# ---- what is recorded ----

FIRST = ("--no-stdin", "-p", "echo", "-n", "-s", "a", "first")
NEXT = ("--no-stdin", "-p", "echo", "-n", "-s", "a", "next")
CUT = "018bcfe5-6800-7000-8000-000000000002"  # the id of a turn that was cut short


def nothing(_):
    pass


def other_session(r):
    r.new("other")


def a_new_store(r):
    r.begin()
    r.trace("mc-chat", *FIRST)
    r.acknowledge("a")
    r.did("created")


def a_first_chat(r):
    other_session(r)
    r.begin()
    r.trace("mc-session-new", "-p", "echo", "-i", "a")
    r.chat("a", "first")
    r.did(f"sync of {STORE}/a/history.jsonl")


def several_chats(r):
    r.new("a")
    r.begin()
    r.chat("a", "first")
    r.chat("a", "-m", "another", "second")
    r.chat("a", "third")


def streamed_chat(r):
    """curl takes no more than 16 KiB at a time, so that there is more than one piece."""
    pieces = [f"piece {i} of the reply, " * 100 for i in range(20)]
    steps = [{"text": piece} for piece in pieces] + [{"finish": "stop"}, {"done": True}]
    r.serve({"responses": [{"steps": steps}]})
    r.tools.run("mc-session-new", "-p", "openai-compatible", "-m", "test", "-i", "a")
    r.begin()
    r.chat("a", "first")
    if sum(isinstance(op, Write) for op in r.disk.log) < 2 + 3 + 1:
        raise Problem("the reply was to come in pieces")
    r.chat("a", "second")


def attachments(r):
    """That a name is on the disk and what it refers to is not, mc-session-fsck would find."""
    for name in "one", "two":
        (r.place / name).write_text(name * 50)
    r.new("a")
    r.begin()
    r.chat("a", "-a", str(r.place / "one"), "first")
    r.did("artifacts/.new renamed")
    r.chat("a", "second")
    r.chat("a", "-a", str(r.place / "two"), "-a", str(r.place / "one"), "third")


def compaction(r):
    r.new("a", "b")
    r.say("a", "first")
    index = r.tools.store / "index.jsonl"
    lines = index.read_bytes().splitlines(keepends=True)
    with index.open("ab") as f:
        f.write(lines[-1] * (70000 // len(lines[-1])))
    r.begin()
    r.chat("a", "second")
    r.did(f"{STORE}/.index.tmp renamed")
    r.chat("b", "third")


def index_made_again(r):
    r.new("a", "b")
    r.say("a", "first")
    (r.tools.store / "index.jsonl").unlink()
    r.begin()
    r.trace("mc-session-ls")
    r.did(f"{STORE}/.index.tmp renamed")
    r.chat("b", "second")


def cut_short(r, n):
    """A session whose turn was cut short while the reply to its request `n` came."""
    r.new("a")
    r.say("a", "first")
    parent = json.loads(exchanges(r.tools.history("a").read_bytes())[-1])["id"]
    (r.tools.store / "a" / "turn.partial").write_text(
        json.dumps({"type": "exchange", "id": CUT, "parent": parent, "n": n,
                    "timestamp": 1800000000000, "query": "cut", "model": "echo"}) + "\nhalf")


def recover(r):
    r.begin()
    r.cat("a")
    r.did("turn.partial, removed")
    r.chat("a", "next")


def recovery(r):
    cut_short(r, 0)
    recover(r)


def recovery_after_steps(r, n):
    """The model asked for a tool, which ran; it was told, or was yet to be."""
    cut_short(r, n)
    step = {"type": "step", "exchange": CUT, "n": 0, "timestamp": 1800000000001, "text": "half",
            "calls": [{"id": "x", "name": "ls", "arguments": {}}], "model": "echo", "duration": 1,
            "tokenUsage": {"inputTokens": 1}}
    result = {"type": "result", "exchange": CUT, "n": 0, "call": "x", "timestamp": 1800000000002,
              "status": "ok", "duration": 1, "output": "a file"}
    with r.tools.history("a").open("a") as f:
        f.write(json.dumps(step) + "\n" + json.dumps(result) + "\n")
    recover(r)


def removal(r):
    r.new("a", "b")
    r.say("a", "first")
    r.say("b", "first")
    r.begin()
    r.remove("a")
    r.did("removed")
    r.chat("b", "next")
    r.chat("a", "-p", "echo", "-n", "anew")


def two_in_turn(r):
    r.new("a", "b")
    r.begin()
    for session, text in zip("abab", ("first", "second", "third", "fourth")):
        r.chat(session, text)


def damaged_store(r):
    r.new("a", "b", "c")
    for session in "abc":
        r.say(session, "first")
        r.say(session, "second")
    store = r.tools.store
    head, *rest = r.tools.history("a").read_bytes().splitlines(keepends=True)
    r.tools.history("a").write_bytes(head + b"no record\n" + rest[0] + b"\0" * 30 + b"\n"
                                     + b"".join(rest) + b'{"type":"torn')
    _, *rest = r.tools.history("b").read_bytes().splitlines(keepends=True)
    r.tools.history("b").write_bytes(b'{"type":"no head\n' + b"".join(rest))
    (store / "c" / "turn.partial").write_bytes(b"no turn")
    (store / "c" / ".history.tmp").write_bytes(b"half a repair")
    (store / ".new-x-1").mkdir()
    (store / ".new-x-1" / "history.jsonl").write_bytes(b"left over")
    (store / "d").mkdir()
    (store / "d" / "turn.partial").write_bytes(b"no history")
    with (store / "index.jsonl").open("ab") as f:
        f.write(b"no index record\n")
    for f in store.rglob("*"):
        f.chmod(0o700 if f.is_dir() else 0o600)
    # Not the index's: whoever lists sessions makes it again.
    r.keep = [b"no record", b"\0" * 30, b'{"type":"torn', b'{"type":"no head', b"no turn",
              b"half a repair", b"left over", b"no history"]
    r.damaged = {"a", "b"}


def damaged_line(r):
    """The only thing that is wrong: nothing else makes a repair sync the store's names."""
    r.new("a")
    r.say("a", "first")
    head, exchange = r.tools.history("a").read_bytes().splitlines(keepends=True)
    r.tools.history("a").write_bytes(head + b"no record\n" + exchange)
    r.keep = [b"no record"]
    r.damaged = {"a"}


def repair(r):
    """At no moment may valid records be gone, or what was damaged."""
    damaged_store(r)
    r.begin()
    r.trace("mc-session-fsck", "--repair", status=(1,))
    r.did("/.quarantine")


# ---- the model itself ----

def make(disk, name="f", sync=False):
    """A file with three bytes in it."""
    inode = disk.create((ROOT, name), False, "created")
    disk.write(inode, 0, b"new")
    if sync:
        disk.sync(inode, len(disk.log), "file")


def sync_folder(disk):
    disk.sync(ROOT, len(disk.log), "folder")


def replace(disk, sync):
    make(disk, "g", sync)
    disk.change_names([((ROOT, "g"), None), ((ROOT, "f"), disk.names[ROOT, "g"])], "renamed")


def remove(disk):
    disk.change_names([((ROOT, "f"), None)], "removed")


TORN = {b"", b"n", b"ne", b"new", b"n\0\0", b"ne\0", b"\0\0\0"}
KNOWN = [
    # What is done, what was in file f before, and all that may be in it after; None: no file.
    ("a new file", None, lambda d: make(d), {None, *TORN}),
    ("a new file, synced", None, lambda d: make(d, sync=True), {None, b"new"}),
    ("a new file, its folder synced", None, lambda d: (make(d), sync_folder(d)), TORN),
    ("both synced", None, lambda d: (make(d, sync=True), sync_folder(d)), {b"new"}),
    ("a sync that began too early", None, lambda d: (make(d, sync=True), d.sync(ROOT, 0, "folder")),
     {None, b"new"}),
    ("a file replaced", b"old", lambda d: replace(d, sync=False), {b"old", *TORN}),
    ("a file replaced by one that was synced", b"old", lambda d: replace(d, sync=True),
     {b"old", b"new"}),
    ("a file removed", b"old", remove, {b"old", None}),
    ("a file removed, its folder synced", b"old", lambda d: (remove(d), sync_folder(d)), {None}),
    ("a file removed and made anew", b"old", lambda d: (remove(d), make(d, sync=True)),
     {b"old", None, b"new"}),
]


def test_model(place):
    wrong = []
    for n, (what, old, act, expected) in enumerate(KNOWN):
        root = place / str(n)
        root.mkdir(parents=True)
        if old:
            (root / "f").write_bytes(old)
        disk = Disk(root)
        act(disk)
        plain, others = disk.states(len(disk.log), random.Random(SEED), 1000)
        seen = {state.tree.get("f") for state in plain + others}
        if seen != expected:
            wrong.append(f"{what}: {seen}")
    comment("\n".join(wrong))
    return not wrong


# ---- TAP ----

SEQUENCES = [
    (a_first_chat, "a session is created, then its first chat"),
    (several_chats, "several chats in a session"),
    (streamed_chat, "a reply that comes in pieces"),
    (attachments, "files that go along with prompts"),
    (two_in_turn, "two sessions in turn"),
    (compaction, "an exchange with which the index is compacted"),
    (index_made_again, "the index is made again"),
    (recovery, "a turn that was cut short is recovered"),
    (functools.partial(recovery_after_steps, n=0), "one whose reply is a step by now"),
    (functools.partial(recovery_after_steps, n=1), "one that was cut short after a step"),
    (removal, "a session is removed, and made anew"),
    (repair, "a damaged store is repaired"),
    (a_new_store, "the first chat makes the store"),
]


comments = []  # on the test that runs; TAP has them after its result


def comment(text):
    for line in text.splitlines():
        comments.append("# " + "".join(c if c.isprintable() else repr(c)[1:-1] for c in line))


def run_sequence(sequence, place):
    """A recording of it, to be closed."""
    place.mkdir()
    r = Recording(place)
    try:
        sequence(r)
    except BaseException:
        r.close()
        raise
    return r


def tell(failures):
    for sentence, f in failures.items():
        comment(f"{sentence} ({f.times} times)\n  the power went {f.before}\n  lost then: "
                + ("; ".join(f.lost) or "nothing"))
        comment(f.details[:1000])
    return not failures


def test_sequence(sequence, place):
    start = time.monotonic()
    r = run_sequence(sequence, place)
    try:
        failures, trees, possible = try_all(r, r.disk.points(), OF_A_TEST, place)
    finally:
        r.close()
    comment(f"{trees} trees of {possible}, {len(r.disk.log)} operations, "
            f"{time.monotonic() - start:.1f} s")
    return tell(failures)


def first_chat(r, kill=None):
    r.trace("mc-chat", *FIRST, kill=kill)


def next_chat(r):
    r.trace("mc-chat", *NEXT)
    r.acknowledge("a")


def first_repair(r, kill=None):
    r.trace("mc-session-fsck", "--repair", kill=kill, status=(1,))


def next_repair(r):
    r.trace("mc-session-fsck", "--repair", status=(0, 1))


# What is between these calls neither changes the disk nor syncs it.
DEADLY = ("mkdir", "mkdirat", "fdatasync", "fsync", "renameat")
if FULL:
    DEADLY += ("write", "writev", "unlinkat")


def test_kills(prepare, first, after, place):
    """`first` is killed at one of its system calls, mc-session-cat and `after` go on, and
    the power goes when either of them is done: what `first` had yet to sync, they must."""
    def killed(r, kill=None):
        prepare(r)
        r.begin()
        first(r, kill)
        if kill:
            if r.tools.history("a").exists() and not r.damaged:
                r.cat("a")
            r.next = len(r.disk.log)
            after(r)

    run_sequence(killed, place)
    made = re.findall(r"^\d+ +(\w+)\(.* = (\S+)", (place / "trace").read_text(), re.MULTILINE)
    count, failures, kills, trees, places = collections.Counter(), {}, collections.defaultdict(list), 0, 0
    for name, result in made:
        count[name] += 1
        if name not in DEADLY or result == "-1":
            continue
        places += 1
        if SHORT and places % 3:
            continue
        kill = f"{name}:when={count[name]}"
        r = run_sequence(functools.partial(killed, kill=kill), place / kill)
        points = [p for p in r.disk.points() if p >= r.next]
        if after is next_chat:
            points = unique([points[0], points[-1]])  # between them it is a chat like any other
        some, n, _ = try_all(r, points, OF_A_KILL, place / kill)
        trees += n
        for sentence, f in some.items():
            failures.setdefault(sentence, f)
            kills[sentence].append(kill)
        shutil.rmtree(place / kill)
    comment(f"{trees} trees")
    for sentence, where in kills.items():
        comment(f"{sentence}: killed at {', '.join(where)}")
    return tell(failures)


def may_trace():
    try:
        return subprocess.run(["strace", "-o", os.devnull, "true"], stderr=subprocess.DEVNULL,
                              check=False).returncode == 0
    except FileNotFoundError:
        return False


def main():
    if not may_trace():
        print("1..0 # skip strace is not installed, or may not trace here")
        return 0
    signal.signal(signal.SIGALRM, hangs)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was made is deleted
    tests = [(test_model, "the model knows what a disk may do")]
    tests += [(functools.partial(test_sequence, sequence), what) for sequence, what in SEQUENCES]
    tests += [
        (functools.partial(test_kills, nothing, first_chat, next_chat),
         "the first chat is killed while it makes the store, and the next one goes on"),
        (functools.partial(test_kills, other_session, first_chat, next_chat),
         "the first chat is killed, and the next one goes on"),
        (functools.partial(test_kills, damaged_line, first_repair, next_repair),
         "a repair is killed, and the next one goes on"),
    ]
    memory = "/dev/shm"  # where the tools' own syncs cost nothing
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as top:
        print(f"# seed {SEED}")
        print(f"1..{len(tests)}")
        bad = 0
        for number, (test, what) in enumerate(tests, 1):
            place = pathlib.Path(top).resolve() / str(number)
            try:
                good = test(place)
            except (Problem, syscalls.Unknown) as problem:
                comment(f"{problem}\n{getattr(problem, 'details', '')}")
                good = False
            print("ok" if good else "not ok", number, "-", what)
            print("".join(line + "\n" for line in comments), end="", flush=True)
            comments.clear()
            bad += not good
            shutil.rmtree(place)
    return 1 if bad else 0


sys.exit(main())

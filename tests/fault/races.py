#!/usr/bin/python3 -B
"""Tools that meet at a bad moment, and one that is stopped in the middle.

  - mc-session-rm -f against turns of the same session: a turn that exits 0 is in the
    session (and went with it, if it came before the removal), or in the new session that
    standard error names, once; one that fails has printed and stored nothing; nothing is
    written to a file that was removed.
  - mc-session-fsck while sessions are made, used and removed: it finds nothing, where
    nothing is damaged, with --repair too; and with --repair, while histories and the index
    are being damaged and turns killed: no turn that exited 0 is lost or doubled, and what
    the damage was is in .quarantine.
  - the holder of a lock is stopped: who waits for it says its process id and goes on when
    it does; --no-wait exits 75 at once; readers are not kept.  Where a session is just being
    made or removed, mc-session-fsck finds nothing.
"""

import ctypes
import fcntl
import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import threading
import time

import harness
from harness import EXIT_BUSY, FULL, RANDOM, SANITIZED, SHORT, chat, end, history, ok, poll, run, start

ROUNDS = 2000 if FULL else 15 if SHORT else 60
SECONDS = 60 if FULL else 2
GONE = "the-removed"  # the beginning of no id that the tools choose
REMOVED = re.compile(rb"was removed; this goes on as session '([^']+)'")


def queries(name):
    return [x["query"] for x in harness.exchanges(history(name).read_bytes())]


def check_list():
    """The list names the sessions that there are, and nothing is left over."""
    listed = [json.loads(line)["id"] for line in run("session-ls", "--json").out.splitlines()]
    if sorted(listed) != harness.sessions():
        yield f"listed: {sorted(listed)}; there: {harness.sessions()}"
    left = [name for name in harness.tree() if "/." in f"/{name}" or "/turn." in name]
    if left:
        yield f"left over: {left}"
    found = harness.fsck()
    if found.status != 0 or found.out:
        yield f"mc-session-fsck: {found}"


# ---- mc-session-rm against mc-chat ----

class Watch:
    """Tells whether a session's history was written to after its folder was renamed."""

    IN_MODIFY, IN_MOVE_SELF = 0x2, 0x800
    libc = ctypes.CDLL(None, use_errno=True)

    def __init__(self, name):
        self.fd = self.libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self.file = self.add(history(name), self.IN_MODIFY)
        self.folder = self.add(history(name).parent, self.IN_MOVE_SELF)

    def add(self, path, events):
        wd = self.libc.inotify_add_watch(self.fd, os.fsencode(path), events)
        if wd < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch")
        return wd

    def end(self):
        """The events, in their order: "moved" and "written"."""
        data = os.read(self.fd, 1 << 20)
        os.close(self.fd)
        events = []
        while data:
            wd, mask, _, size = struct.unpack_from("iIII", data)
            data = data[16 + size:]
            if wd == self.file and mask & self.IN_MODIFY:
                events.append("written")
            elif wd == self.folder and mask & self.IN_MOVE_SELF:
                events.append("moved")
        return events


def check_turn(prompt, result, removed):
    """`removed`: the queries of the history that was removed."""
    places = [name for name in harness.sessions() for query in queries(name) if query == prompt]
    places += ["the removed one" for query in removed if query == prompt]
    moved = REMOVED.search(result.err)
    if result.status == 0:
        if result.out.decode() != prompt + "\n":
            yield f"{prompt}: {result}"
        if len(places) != 1 or (moved and places != [moved[1].decode()]):
            yield f"{prompt} is in {places}: {result}"
    elif result.status != 1 or b"no session '%s'" % GONE.encode() not in result.err:
        yield f"{prompt}: {result}"
    elif result.out or places:
        yield f"{prompt} failed, and printed {result.out}, and is in {places}"


def removal_round(number, counts):
    chat(GONE, "before")
    watch = Watch(GONE)
    with open(history(GONE), "rb") as old:
        jobs = {f"{number}.{k}": ["chat", "--no-stdin", "-s", GONE, *["-n", "-p", "echo"][:3 * (k % 2)],
                                  "--", f"{number}.{k}"] for k in range(4)}
        jobs["rm"] = ["session-rm", "-f", GONE]
        order = list(jobs)
        RANDOM.shuffle(order)
        running = {}
        # In some rounds all of them come to wait for the lock.
        if RANDOM.random() < 0.5:
            fcntl.flock(old, fcntl.LOCK_EX)
        for name in order:
            running[name] = start(*jobs[name])
            time.sleep(RANDOM.choice([0, 0, 0.0005, 0.001, 0.002]))
        fcntl.flock(old, fcntl.LOCK_UN)
        results = {name: end(process) for name, process in running.items()}
        removed = [x["query"] for x in harness.exchanges(old.read())]
    rm = results.pop("rm")
    if rm.status != 0:
        yield f"mc-session-rm: {rm}"
    for name, result in results.items():
        yield from check_turn(name, result, removed)
        counts["gone on elsewhere" if REMOVED.search(result.err) else
               "failed" if result.status else
               "before" if name in removed else "after"] += 1
    events = watch.end()
    if events.count("moved") != 1 or "written" in events[events.index("moved"):]:
        yield f"the history was written to after its removal: {events}"


def test_removal():
    shutil.rmtree("sessions", ignore_errors=True)
    complaints = []
    counts = dict.fromkeys(("before", "after", "gone on elsewhere", "failed"), 0)
    for number in range(ROUNDS):
        complaints += [f"round {number}: {text}" for text in removal_round(number, counts)]
        if number % 20 == 19 or number == ROUNDS - 1:
            complaints += check_list()
            shutil.rmtree("sessions")
    harness.note(f"turns: {counts}")
    ok(f"mc-session-rm -f against four turns, {ROUNDS} rounds", complaints)


# ---- mc-session-fsck against everything ----

SHARED = [f"s{k}" for k in range(6)]


class Crowd:
    """Threads that do one thing after the other until the time is up."""

    def __init__(self):
        shutil.rmtree("sessions", ignore_errors=True)
        for name in SHARED:
            chat(name, "before")
        self.complaints = []
        self.said = {name: [] for name in SHARED}     # by turns that exited 0
        self.perhaps = {name: [] for name in SHARED}  # by turns that were killed
        self.garbage = []
        self.done = {}
        self.lock = threading.Lock()
        self.number = 0

    def next(self):
        with self.lock:
            self.number += 1
            return self.number

    def run(self, *actors):
        deadline = time.monotonic() + SECONDS

        def repeat(act):
            while time.monotonic() < deadline:
                try:
                    self.complaints += act()
                except Exception as e:  # the thread's end must not go unseen
                    self.complaints.append(f"{act.__name__}: {e!r}")
                    return
                self.done[act.__name__] = self.done.get(act.__name__, 0) + 1

        threads = [threading.Thread(target=repeat, args=(act,)) for act in actors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        harness.note(f"done: {self.done}")

    def talk(self):
        name, prompt = RANDOM.choice(SHARED), f"said {self.next()}"
        result = chat(name, prompt)
        if result.status != 0 or result.out.decode() != prompt + "\n" or REMOVED.search(result.err):
            yield f"mc-chat in {name}: {result}"
        else:
            self.said[name].append(prompt)

    def come_and_go(self):
        name = f"n{self.next()}"
        for result in (run("session-new", "-p", "echo", "-i", name), chat(name, "hello"),
                       run("session-rm", "-f", name)):
            if result.status != 0:
                yield f"{name}: {result}"

    def kill(self):
        """A turn that may be anywhere."""
        name, prompt = RANDOM.choice(SHARED), f"killed {self.next()}"
        self.perhaps[name].append(prompt)
        process = start("chat", "--no-stdin", "-s", name, "--", prompt)
        time.sleep(RANDOM.random() * 0.004)
        process.kill()
        result = end(process)
        if result.status == 0:
            self.said[name].append(prompt)
        yield from ()

    def damage(self):
        """As a crash would: under the lock that whoever writes holds."""
        tag = f'{{"id":"garbage {self.next()}'
        name = RANDOM.choice(SHARED)
        if RANDOM.random() < 0.5:
            path, lock = history(name), history(name)
        else:
            path, lock = pathlib.Path("sessions/index.jsonl"), "sessions/index.lock"
        with open(lock, "ab") as holder:
            fcntl.flock(holder, fcntl.LOCK_EX)
            # Beside the lock, what is locked must still be what the name leads to.
            if os.path.exists(path) and os.path.samestat(os.stat(lock), os.fstat(holder.fileno())):
                with open(path, "ab") as f:
                    f.write(tag.encode() + RANDOM.choice([b"", b"\n", b"\0\0\0"]))
                if path == lock:
                    self.garbage.append(tag)
        time.sleep(0.01)
        yield from ()

    def check(self):
        result = harness.fsck()
        if result.status != 0 or result.out:
            yield f"mc-session-fsck: {result}"

    def repair(self):
        result = harness.fsck("--repair")
        if result.status not in (0, 1):
            yield f"mc-session-fsck --repair: {result}"

    def repair_nothing(self):
        result = harness.fsck("--repair")
        if result.status != 0 or result.out:
            yield f"mc-session-fsck --repair: {result}"

    def check_said(self):
        for name in SHARED:
            stored = queries(name)
            for prompt in ["before", *self.said[name]]:
                if stored.count(prompt) != 1:
                    yield f"{prompt!r} is {stored.count(prompt)} times in {name}"
            for prompt in self.perhaps[name]:
                if stored.count(prompt) > 1:
                    yield f"{prompt!r} is {stored.count(prompt)} times in {name}"


def test_check():
    crowd = Crowd()
    crowd.run(crowd.talk, crowd.talk, crowd.come_and_go, crowd.come_and_go, crowd.check)
    ok("mc-session-fsck, while others write",
       [*crowd.complaints, *crowd.check_said(), *check_list()])


def test_repair_nothing():
    crowd = Crowd()
    crowd.run(crowd.talk, crowd.talk, crowd.come_and_go, crowd.repair_nothing, crowd.check)
    ok("mc-session-fsck --repair, while others write",
       [*crowd.complaints, *crowd.check_said(), *check_list()])


def test_repair():
    crowd = Crowd()
    crowd.run(crowd.talk, crowd.talk, crowd.come_and_go, crowd.kill, crowd.damage, crowd.repair)
    harness.fsck("--repair")
    complaints = [*crowd.complaints, *crowd.check_said()]
    again = harness.fsck()
    if again.status != 0:
        complaints.append(f"after the last repair: {again}")
    store = harness.tree()
    aside = b"".join(data for name, data in store.items() if name.startswith(".quarantine") and data)
    complaints += [f"{tag} is not in quarantine" for tag in crowd.garbage
                   if tag.encode() not in aside]
    ok("mc-session-fsck --repair, while others write, damage and are killed", complaints)


# ---- a lock's holder is stopped ----

def state(process):
    return pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]


def stop(process):
    process.send_signal(signal.SIGSTOP)
    if not poll(lambda: state(process) == "T"):
        raise RuntimeError("it did not stop")


def start_waiter(complaints, holder, *words, **env):
    """A tool that is to wait, and to say for which process."""
    with open("waiter.err", "wb") as err:
        waiter = start(*words, err=err, **env)
    told = f"process {holder.pid},".encode()
    if not poll(lambda: told in pathlib.Path("waiter.err").read_bytes()):
        complaints.append(f"{words} said {pathlib.Path('waiter.err').read_bytes()}")
    if waiter.poll() is not None:
        complaints.append(f"{words} did not wait: {end(waiter)}")
    return waiter


STALL = {"responses": [
    {"steps": [{"text": "one"}, {"touch": "begun"}, {"wait": "go"}, {"text": " two"},
               {"finish": "stop"}, {"done": True}]},
    {"steps": [{"text": "and three"}, {"finish": "stop"}, {"done": True}]}]}


def test_stopped_turn(last_word):
    """`last_word`: SIGCONT, or SIGKILL, with which the wait must end as well."""
    complaints = []
    for name in ("begun", "go"):
        pathlib.Path(name).unlink(missing_ok=True)
    shutil.rmtree("sessions", ignore_errors=True)
    server = harness.Server(STALL, log=f"{last_word.name}.jsonl")
    holder = start("chat", "--no-stdin", "-n", "-s", "a", "first", **server.env)
    if not poll(lambda: os.path.exists("begun") and
                b"one" in pathlib.Path("sessions/a/turn.partial").read_bytes()):
        complaints.append("the turn did not begin")
    stop(holder)

    begun = time.monotonic()
    busy = end(start("chat", "--no-stdin", "--no-wait", "-s", "a", "not now", **server.env), 10)
    if busy.status != EXIT_BUSY or busy.out or f"process {holder.pid}".encode() not in busy.err:
        complaints.append(f"--no-wait: {busy}")
    if time.monotonic() - begun > (10 if SANITIZED else 3):
        complaints.append("--no-wait took its time")
    second = start_waiter(complaints, holder, "chat", "--no-stdin", "-s", "a", "second", **server.env)
    remover = start_waiter(complaints, holder, "session-rm", "-f", "a")
    remover.kill()
    end(remover)
    for words in [("session-cat", "a"), ("session-ls",), ("session-cat", "--status", "a")]:
        result = run(*words)
        if result.status != 0:
            complaints.append(f"{words}: {result}")
    if f"process {holder.pid}".encode() not in result.out:
        complaints.append(f"the status does not name the holder: {result}")
    found = harness.fsck()
    if found.status != 0:
        complaints.append(f"mc-session-fsck: {found}")

    pathlib.Path("go").touch()
    holder.send_signal(last_word)
    first = end(holder)
    second = end(second)
    server.stop()
    whole = last_word == signal.SIGCONT
    if first[:2] != ((0, b"one two\n") if whole else (-signal.SIGKILL, b"one")):
        complaints.append(f"the holder: {first}")
    if second[:2] != (0, b"and three\n"):
        complaints.append(f"the waiter: {second}")
    stored = [(x["query"], x["answer"], x["status"])
              for x in harness.exchanges(history("a").read_bytes())]
    if stored != [("first", "one two" if whole else "one", "complete" if whole else "interrupted"),
                  ("second", "and three", "complete")]:
        complaints.append(f"stored: {stored}")
    asked = json.loads(server.log.read_bytes().splitlines()[-1])["body"]["messages"]
    if [m["content"] for m in asked] != ["first", "one two" if whole else "one", "second"]:
        complaints.append(f"the second turn sent {asked}")
    complaints += check_list()
    ok(f"a turn is stopped, then {last_word.name}", complaints)


STRACE = ["strace", "-D", "-q", "-o", "/dev/null"]


def start_stopped(complaints, calls, path, reached, *words):
    """A tool that the tracer stops when it has made the first of these system calls on the
    path; what it has reached then."""
    name, *args = words
    # With -D the tracer is a grandchild, and this process is the tool.
    process = subprocess.Popen(
        [*STRACE, *(["-P", os.path.abspath(path)] if path else []), "-e", f"trace={calls}",
         "-e", f"inject={calls}:signal=SIGSTOP:when=1", f"{harness.BIN}/mc-{name}", *args],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if not poll(lambda: reached() and state(process) in "tT"):
        complaints.append(f"{words} did not stop where it should")
    return process


def go_on(complaints, process, statuses=(0,)):
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
    result = end(process, timeout=30)
    if result.status not in statuses:
        complaints.append(f"{process.args[-4:]}: {result}")


def finds_nothing(complaints, *args):
    found = harness.fsck(*args)
    if found.status != 0 or found.out:
        complaints.append(f"mc-session-fsck {args}: {found}")


def is_locked(path):
    with open(path, "rb") as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def there_is(beginning):
    return any(name.startswith(beginning) for name in os.listdir("sessions"))


def stopped_index(complaints):
    holder = start_stopped(complaints, "flock", "sessions/index.lock",
                           lambda: is_locked("sessions/index.lock"),
                           "session-new", "-p", "echo", "-i", "b")
    waiter = start_waiter(complaints, holder, "chat", "--no-stdin", "-s", "a", "hello")
    if b"index.lock" not in pathlib.Path("waiter.err").read_bytes():
        complaints.append("the waiter does not say which lock")
    if "hello" not in queries("a"):
        complaints.append("the turn was not stored before the wait")
    if run("session-ls").status != 0:
        complaints.append("the list waited")
    go_on(complaints, holder)
    go_on(complaints, waiter)


def stopped_making(complaints):
    """What is being made or removed is no leftover of a crash."""
    maker = start_stopped(complaints, "mkdirat", None, lambda: there_is(".new-"),
                          "session-new", "-p", "echo", "-i", "b")
    finds_nothing(complaints)
    finds_nothing(complaints, "--repair")
    go_on(complaints, maker)
    if "b" not in harness.sessions():
        complaints.append("the session was not made")


def stopped_removing(complaints):
    remover = start_stopped(complaints, "renameat,renameat2", None, lambda: there_is(".removed-"),
                            "session-rm", "-f", "a")
    finds_nothing(complaints)
    finds_nothing(complaints, "--repair")
    go_on(complaints, remover)
    if harness.sessions():
        complaints.append("the session was not removed")


def stopped_repair(complaints):
    """The new history is in its place, and the repair has more to do: nobody else has it."""
    with open(history("a"), "ab") as f:
        f.write(b"garbage\n")
    repair = start_stopped(complaints, "renameat,renameat2", None,
                           lambda: b"garbage" not in history("a").read_bytes(),
                           "session-fsck", "--repair", "a")
    waiter = start_waiter(complaints, repair, "chat", "--no-stdin", "-s", "a", "hello")
    go_on(complaints, repair, statuses=(1,))
    go_on(complaints, waiter)
    if queries("a") != ["before", "hello"]:
        complaints.append(f"stored: {queries('a')}")
    shutil.rmtree("sessions/.quarantine")


# What else happens while a check is stopped, and how it may end. What was checked may be gone.
MEANWHILE = [("session-rm", "-f", "a"), ("chat", "--no-stdin", "-s", "a", "hello"),
             ("chat", "--no-stdin", "-p", "echo", "-n", "-s", "b", "hello")]
CALLS = "openat,newfstatat,fstat,getdents64,flock,mmap,pread64,close"


def new_store():
    shutil.rmtree("sessions", ignore_errors=True)
    chat("a", "before")


def fsck_words(args, *strace):
    return [*STRACE[:3], "-o", "trace", "-e", f"trace={CALLS}", *strace,
            f"{harness.BIN}/mc-session-fsck", *args]


def check_stopped_at(args, call, number, words):
    """The number-th such call of mc-session-fsck stops it, and another tool comes along."""
    new_store()
    pathlib.Path("trace").unlink(missing_ok=True)
    check = subprocess.Popen(
        fsck_words(args, "-e", f"inject={call}:signal=SIGSTOP:when={number}"),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    trace = pathlib.Path("trace")
    poll(lambda: check.poll() is not None or
         trace.exists() and "stopped by SIGSTOP" in trace.read_text())
    with open("other.err", "wb") as err:
        other = start(*words, err=err)
    poll(lambda: other.poll() is not None or
         b"waiting" in pathlib.Path("other.err").read_bytes())
    if check.poll() is None:
        check.send_signal(signal.SIGCONT)
    found, other = end(check, timeout=30), end(other, timeout=30)
    if found.status != 0 or found.out:
        yield f"fsck, stopped at {call} {number}, then {words}: {found}"
    if other.status != 0:
        yield f"{words}, while fsck is stopped at {call} {number}: {other}"
    yield from check_list()


def stopped_check(complaints):
    cases = []
    for args in (), ("--repair",):
        new_store()
        subprocess.run(fsck_words(args), stdin=subprocess.DEVNULL, check=False)
        lines = pathlib.Path("trace").read_text().splitlines()
        for call in CALLS.split(","):
            n = sum(line.startswith(call + "(") for line in lines)
            cases += [(args, call, number, words) for number in range(1, n + 1)
                      for words in MEANWHILE]
    chosen = cases if FULL else RANDOM.sample(cases, 5 if SHORT else 25)
    harness.note(f"{len(chosen)} of {len(cases)} stops")
    for case in chosen:
        complaints += check_stopped_at(*case)


def test_stopped(what, test):
    new_store()
    if not shutil.which("strace") or subprocess.run(
            [*STRACE, "true"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            check=False).returncode != 0:
        ok(what, skip="strace may not trace here")
        return
    complaints = []
    test(complaints)
    ok(what, [*complaints, *check_list()])


def main():
    harness.fresh()
    test_stopped_turn(signal.SIGCONT)
    test_stopped_turn(signal.SIGKILL)
    test_stopped("the holder of the index's lock is stopped", stopped_index)
    test_stopped("mc-session-new is stopped", stopped_making)
    test_stopped("mc-session-rm is stopped", stopped_removing)
    test_stopped("mc-session-fsck --repair is stopped", stopped_repair)
    test_stopped("mc-session-fsck is stopped anywhere", stopped_check)
    test_removal()
    test_check()
    test_repair_nothing()
    test_repair()
    harness.finish()


main()

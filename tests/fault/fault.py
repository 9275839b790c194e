"""What the tests of this folder share: a place of their own, running a tool there, with
a fault or without, stores as plain data, and TAP.

    place = fault.Place()               # an empty directory; it goes when the test ends
    r = place.run("mc-session-ls", "-q")
    r.status, r.out, r.err              # -9: SIGKILL; None: it did not end in time
    tree = place.read()                 # {"demo/history.jsonl": b"...", "demo": None, ...}
    place.write(tree)                   # the store is that, and nothing else

LONG=1 asks for a larger sample of the faults, FAULT=full for all of them, and FAULT_SEED=N for
another choice.
"""

import atexit
import collections
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("MCBOX_BIN_DIR") or ROOT)
PROGRAMS = pathlib.Path(os.environ.get("FAULT_BIN_DIR") or ROOT / "build/tests/fault")
TRACER, AGAIN, STEPS = (str(PROGRAMS / name) for name in ("tracer", "again", "steps"))
FULL = os.environ.get("FAULT") == "full"
SEED = int(os.environ.get("FAULT_SEED", 1))
SANITIZED = b"__asan_init" in (BIN / "mcbox").read_bytes()
SHORT = SANITIZED or not os.environ.get("LONG")
HANG = 60 if SANITIZED else 30  # seconds; nothing here takes more than one
ID = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"

signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the directory goes

Result = collections.namedtuple("Result", "status out err")


class Place:
    """A directory with a store, a home, and what a tool reads and prints."""

    def __init__(self):
        # In memory, where there is some: forcing to the disk is called as often, and is quick.
        shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.dir = tempfile.mkdtemp(prefix="mcbox-fault-", dir=shm)
        self.keep = False
        atexit.register(self._remove)
        self.store = self.dir + "/data/sessions"
        self.hits = self.dir + "/hits"
        os.mkdir(self.dir + "/home")
        os.mkdir(self.dir + "/cwd")
        self.env = {
            "PATH": os.environ["PATH"], "HOME": self.dir + "/home", "LC_ALL": "C.UTF-8",
            "TZ": "UTC", "MC_SESSIONS_DIR": self.store,
            "ASAN_OPTIONS": "detect_leaks=0",  # which does not work under a tracer
        }

    def _remove(self):
        if not self.keep:
            shutil.rmtree(self.dir, ignore_errors=True)

    def spawn(self, argv, stdin=b"", stdout=None):
        """Starts it; its output goes to files, or what it prints to a descriptor."""
        source = "/dev/null"
        if stdin:
            source = self.dir + "/in"
            with open(source, "wb") as f:
                f.write(stdin)
        new = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        actions = [(os.POSIX_SPAWN_OPEN, 0, source, os.O_RDONLY, 0),
                   (os.POSIX_SPAWN_DUP2, stdout, 1) if stdout is not None else
                   (os.POSIX_SPAWN_OPEN, 1, self.dir + "/out", new, 0o600),
                   (os.POSIX_SPAWN_OPEN, 2, self.dir + "/err", new, 0o600)]
        os.chdir(self.dir + "/cwd")
        return os.posix_spawn(argv[0], argv, self.env, file_actions=actions,
                              setsigdef=[signal.SIGPIPE])  # which Python ignores

    def output(self, status):
        return Result(status, slurp(self.dir + "/out"), slurp(self.dir + "/err").decode(errors="replace"))

    def run(self, tool, *args, stdin=b"", options=None):
        """options: the tracer's; it writes to place.hits what it hit."""
        argv = [str(BIN / tool), *args]
        if options is not None:
            argv = [TRACER, "-o", self.hits, *options, *argv]
        pid = self.spawn(argv, stdin)
        return self.output(wait(pid, HANG))

    def read(self):
        tree = {}
        for top, dirs, files in os.walk(self.store):
            base = os.path.relpath(top, self.store) + "/"
            base = "" if base == "./" else base
            tree.update((base + d, None) for d in dirs)
            tree.update((base + f, slurp(f"{top}/{f}")) for f in files)
        return tree

    def write(self, tree):
        """None: there is not even a folder."""
        shutil.rmtree(os.path.dirname(self.store), ignore_errors=True)
        if tree is None:
            return
        os.makedirs(self.store, 0o700)
        for name in sorted(n for n, data in tree.items() if data is None):
            os.mkdir(f"{self.store}/{name}", 0o700)
        for name, data in tree.items():
            if data is not None:
                spill(f"{self.store}/{name}", data)


def slurp(name):
    with open(name, "rb") as f:
        return f.read()


def spill(name, data):
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(fd, "wb") as f:
        f.write(data)


def wait(pid, seconds):
    """The exit status, or minus the signal; None when the time was up, and it was killed."""
    late = True
    try:
        late = not ended(pid, seconds)
    finally:  # we may be interrupted too
        if late:
            os.kill(pid, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return None if late else status


def ended(pid, seconds):
    fd = os.pidfd_open(pid)
    try:
        return bool(select.select([fd], [], [], seconds)[0])
    finally:
        os.close(fd)


# What a store holds

def histories(tree):
    """The sessions that a reader sees, by id; None where the history is missing."""
    return {name: tree.get(name + "/history.jsonl")
            for name, data in tree.items()
            if data is None and "/" not in name and not name.startswith(".")}


def records(history):
    """The valid JSON objects of it."""
    for line in history.split(b"\n")[:-1]:
        record = parse(line)
        if record is not None:
            yield record


def parse(line):
    try:
        record = json.loads(line)
    except ValueError:  # UnicodeDecodeError too
        return None
    return record if isinstance(record, dict) else None


# The scripted server

class Server:
    def __init__(self, place, script):
        spill(place.dir + "/server.json", json.dumps(script).encode())
        self.process = subprocess.Popen(
            ["/usr/bin/python3", str(ROOT / "tests/server.py"), place.dir + "/server.json",
             place.dir + "/server.jsonl"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        atexit.register(self.stop)
        port = self.process.stdout.readline().strip()
        if not port:
            sys.exit("tests/server.py did not start")
        place.env["MC_BASE_URL"] = f"http://127.0.0.1:{port}/v1"

    def stop(self):
        self.process.stdin.close()  # it ends with its input
        try:
            self.process.wait(HANG)
        except subprocess.TimeoutExpired:
            self.process.kill()


# TAP

class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def result(self, passed, name, problems=()):
        self.count += 1
        self.failed += not passed
        print(f"{'' if passed else 'not '}ok {self.count} - {name}")
        for problem in problems:
            self.note(problem)
        sys.stdout.flush()

    @staticmethod
    def note(text):
        for line in text.splitlines():
            print("# " + line, flush=True)

    def end(self):
        print(f"1..{self.count}")
        return 1 if self.failed else 0

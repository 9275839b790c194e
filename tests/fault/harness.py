"""What the tests of this folder that are written in Python share.

A test works in a fresh directory, `sessions` in it, with nothing of the user's settings,
and says what came of it in TAP: ok(…) for each result, finish() at the end.  LONG=1 asks
for a larger sample, FAULT=full for everything, and FAULT_SEED=N for other random choices, which
are drawn from RANDOM.
"""

import atexit
import collections
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = os.environ.get("MCBOX_BIN_DIR") or str(ROOT)
FAULT_BIN = os.environ.get("FAULT_BIN_DIR") or str(ROOT / "build/tests/fault")
FULL = os.environ.get("FAULT") == "full"
SEED = int(os.environ.get("FAULT_SEED", 1))
RANDOM = random.Random(SEED)

SANITIZED = b"__asan_init" in pathlib.Path(BIN, "mcbox").read_bytes()
SHORT = SANITIZED or not os.environ.get("LONG")

EXIT_PROVIDER, EXIT_UNSTORED, EXIT_BUSY = 3, 74, 75


# ---- TAP ----

count = failures = 0
NOTES = 12  # shown of one test's complaints


def note(text):
    for line in str(text).splitlines():
        print("#", line)


def ok(name, complaints=(), skip=None):
    """One result: passed when there are no complaints; these are shown."""
    global count, failures
    complaints = list(complaints)
    count += 1
    failures += bool(complaints)
    print(f"{'not ok' if complaints else 'ok'} {count} - {name}{' # SKIP ' + skip if skip else ''}")
    for text in complaints[:NOTES]:
        note(text)
    if len(complaints) > NOTES:
        note(f"… and {len(complaints) - NOTES} more of these")
    sys.stdout.flush()


def finish():
    print(f"1..{count}")
    sys.stdout.flush()
    sys.exit(1 if failures else 0)


# ---- a place of its own ----

def fresh():
    """Goes into a new directory, gone at the end; returns it."""
    for name in list(os.environ):
        if name.startswith(("MC_", "ANTHROPIC_", "OPENAI_", "GEMINI_", "GOOGLE_", "SSL_CERT_", "XDG_",
                            "LC_")) or \
                name.lower().endswith("_proxy"):
            del os.environ[name]
    # In memory, where there is some: forcing to the disk is called as often, and is quick.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    place = pathlib.Path(tempfile.mkdtemp(prefix="mcbox-fault-", dir=memory))
    owner = os.getpid()
    atexit.register(lambda: os.getpid() == owner and shutil.rmtree(place, ignore_errors=True))
    # So that tests/run's SIGTERM leaves nothing behind either.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.environ.update(HOME=str(place), MC_SESSIONS_DIR=str(place / "sessions"), LC_ALL="C.UTF-8",
                      TZ="UTC", MC_PAGER="cat", ASAN_OPTIONS="detect_leaks=0", PATH=f"{BIN}:{os.environ['PATH']}")
    os.umask(0o077)
    os.chdir(place)
    note(f"seed {SEED}")
    return place


# ---- running ----

Result = collections.namedtuple("Result", "status out err")


def start(*words, out=subprocess.PIPE, err=subprocess.PIPE, **env):
    """A tool in the background; its name is given without mc-, or as a path."""
    name, *args = words
    return subprocess.Popen([name if "/" in name else f"{BIN}/mc-{name}", *map(str, args)], stdin=subprocess.DEVNULL,
                            stdout=out, stderr=err, close_fds=False,
                            env={**os.environ, **env} if env else None)


def end(process, timeout=60):
    """Waits for it; its status is negative where a signal ended it."""
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        err = (err or b"") + f"\n(killed: it ran for {timeout} s)".encode()
    return Result(process.returncode, out, err)


def run(*words, **env):
    return end(start(*words, **env))


def chat(session, prompt, *args, **env):
    """A turn with the echo provider in a session that is made when missing."""
    return run("chat", "-p", "echo", "--no-stdin", "-n", "-s", session, *args, "--", prompt, **env)


def poll(condition, seconds=30):
    """Until it is true; False when the time is up."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


class Server:
    """tests/server.py, playing this script; it ends with us."""

    def __init__(self, script, log="server.jsonl"):
        self.log = pathlib.Path(log)
        pathlib.Path("server.json").write_text(json.dumps(script))
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests/server.py"), "server.json", log],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        port = int(self.process.stdout.readline())
        self.env = {"MC_BASE_URL": f"http://127.0.0.1:{port}/v1", "MC_MODEL": "test-model",
                    "MC_PROVIDER": "openai-compatible"}
        atexit.register(self.stop)

    def stop(self):
        self.process.kill()
        self.process.wait()

    def requests(self):
        return self.log.read_bytes().count(b"\n") if self.log.exists() else 0


# ---- what is in a store ----

def tree(folder="sessions"):
    """Each file's bytes, by its name from the folder on; None for a folder."""
    files = {}
    todo = [""]
    while todo:
        at = todo.pop()
        for entry in os.scandir(os.path.join(folder, at)):
            name = os.path.join(at, entry.name)
            if entry.is_dir(follow_symlinks=False):
                files[name] = None
                todo.append(name)
            else:
                with open(entry.path, "rb") as f:
                    files[name] = f.read()
    return files


def whole_lines(data):
    """The lines that end with a line feed, and have it."""
    return [line + b"\n" for line in data.split(b"\n")[:-1]]


def listing(index):
    """The live records in an index's bytes, newest first, as mc-session(5) has it."""
    seen, live = set(), []
    torn = index[index.rfind(b"\n") + 1:] + b"\n"  # a whole record that only lacks its line feed
    for line in reversed([*whole_lines(index), torn]):
        if not line.startswith(b'{"id":"') or not line.endswith(b'"version":1}\n'):
            continue
        name = line[7:line.find(b'"', 7)]
        if not valid_id(name) or name in seen:
            continue
        seen.add(name)
        if not line.startswith(b'{"id":"%s","deletedAt":' % name):
            live.append(line)
    return live


LETTERS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


def valid_id(name):
    return 0 < len(name) <= 64 and name[0] in LETTERS and LETTERS.issuperset(
        name.translate(None, b"._-")) and name not in (b"index.jsonl", b"index.lock")


def history(session):
    return pathlib.Path("sessions", session, "history.jsonl")


def exchanges(data):
    """The exchanges in a history's bytes that are valid JSON."""
    found = []
    for line in data.split(b"\n")[:-1]:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and record.get("type") == "exchange":
            found.append(record)
    return found


def sessions():
    return sorted(p.parent.name for p in pathlib.Path("sessions").glob("[!.]*/history.jsonl"))


def fsck(*args):
    return run("session-fsck", *args)

#!/usr/bin/python3
"""Somebody lives in mc-chat for a while, and is not gentle.

usage: soak.py            TIME=600 SEED=1 make SANITIZE=1 soak

In a pseudo-terminal, against the scripted server, for TIME seconds (10): types, pastes,
edits, completes, searches, gives commands, interrupts, resizes and leaves, at random and at
any moment, while replies stream, break off and fail.  Prints TAP.

What must hold: it ends only when it is told to, with the status for that, and leaves the
terminal as it was; it answers as long as it runs; each prompt that was shown as sent is in a
history; mc-session-fsck finds nothing; no sanitizer has a word to say.
"""

import fcntl
import glob
import json
import os
import pty
import random
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIN = os.environ.get("MCBOX_BIN_DIR", ROOT)
TIME = float(os.environ.get("TIME", "10"))
SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 30))
PATIENCE = 30  # seconds; only a hang takes so long
LEFT = (0, 130)

WORDS = ("lock file 漢字 naïve 😀 stone ملف 'quote \"double back\\slash #5 *bold* `code` "
         "e\u0301 https://example.org/a?b=c @notes.txt - 1. > | ~~~ -x").split(" ")
REPLIES = [
    "Short.",
    "# Heading\n\nA *paragraph* of **some** length, with `code`, [a link](https://example.org) and "
    "words that are to be wrapped, 漢字 among them, until the line is full and another one begins.\n",
    "- one\n- two\n  - three\n\n1. first\n2. second\n\n> quoted\n> more\n\n---\n",
    "```c\nint main(void)\n{\n\treturn 0;\n}\n```\nand\n\n~~~\nplain\n~~~\n",
    "| a | wide cell | 漢字 |\n|---|:-:|--:|\n" + "| 1 | two words | 3 |\n" * 30,
    "```python\n" + "".join(f"print({n})  # a line of code that goes on for a while\n" for n in range(60)) + "```\n",
    "One long line: " + "word " * 400,
    "\x1b[31mred\x1b[0m \x07 \u202eover \r\n",
]


def responses(rnd):
    for _ in range(400):
        text = rnd.choice(REPLIES)
        cut = rnd.randrange(1, 40)
        steps = [{"text": text[i:i + cut]} for i in range(0, len(text), cut)]
        kind = rnd.random()
        if kind < 0.1:
            yield {"status": rnd.choice([400, 401, 429, 500]), "steps": [{"send": '{"error":{"message":"no"}}'}]}
            continue
        if kind < 0.2:
            steps = steps[:len(steps) // 2] + [{"reset": True}]
        elif kind < 0.5:
            steps.insert(rnd.randrange(len(steps) + 1), {"drip": [": wait\n\n", 0.05, rnd.randrange(1, 30)]})
        yield {"steps": steps + [{"finish": "stop"}, {"usage": {"prompt_tokens": 9, "completion_tokens": 5,
                                                                "total_tokens": 14}}, {"done": True}]}


class Life:
    """mc-chat in a terminal."""

    def __init__(self, home, env):
        self.home, self.env, self.rnd = home, env, random.Random(SEED)
        self.master, self.slave = pty.openpty()
        self.first = termios.tcgetattr(self.slave)
        self.child, self.seen, self.said, self.starts = None, b"", 0, 0
        self.resize(80, 24)

    def resize(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def start(self, *args):
        self.child = subprocess.Popen([f"{BIN}/mc-chat", *args], stdin=self.slave, stdout=self.slave, stderr=self.slave,
                                      env=self.env, cwd=self.home, start_new_session=True,
                                      preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.starts += 1
        self.wait_for(lambda: b"> " in self.seen, "the prompt of a new conversation")

    def drain(self, seconds):
        """Reads what it shows, for so long; True when something came."""
        end, any_came = time.monotonic() + seconds, False
        while select.select([self.master], [], [], max(0, end - time.monotonic()))[0]:
            self.seen = (self.seen + os.read(self.master, 65536))[-200000:]
            any_came = True
        return any_came

    def wait_for(self, done, what):
        deadline = time.monotonic() + PATIENCE
        while not done():
            if time.monotonic() > deadline:
                raise AssertionError(f"{what} did not come; the end of what it showed: {self.seen[-600:]}")
            if self.child.poll() is not None:
                return
            self.drain(0.05)

    def send(self, data):
        """As a person or a terminal does: what does not fit yet is sent when it does."""
        data = data.encode() if isinstance(data, str) else data
        deadline = time.monotonic() + PATIENCE
        while data and self.child.poll() is None:
            if select.select([], [self.master], [], 0)[1]:
                data = data[os.write(self.master, data[:256]):]
            self.drain(0)
            if time.monotonic() > deadline:
                raise AssertionError(f"it takes no input; the end of what it showed: {self.seen[-600:]}")

    def ended(self):
        """Whether it has left, as it may; and was right to leave the terminal so."""
        status = self.child.poll()
        if status is None:
            return False
        self.drain(0.05)
        if status not in LEFT and status != -2:
            raise AssertionError(f"status {status}; the end of what it showed: {self.seen[-2000:]}")
        if termios.tcgetattr(self.slave) != self.first:
            raise AssertionError(f"the terminal was left as {termios.tcgetattr(self.slave)[:4]}, not {self.first[:4]}")
        self.child = None
        return True

    def settle(self):
        """Back to an empty prompt, from wherever it is."""
        for _ in range(100):
            if self.child.poll() is not None:
                return
            mark = f"settled{self.rnd.randrange(1 << 40):x}"
            self.send("\x1b\x1b")  # out of a picker, a search
            self.drain(0.6)
            self.send(f"\x05\x15/title {mark}\r")
            deadline = time.monotonic() + 3
            while time.monotonic() < deadline and self.child.poll() is None:
                self.drain(0.05)
                if re.search(rf"Title:\s+{mark}.*[\r\n].*> ".encode(), self.seen, re.DOTALL):
                    return
            self.send("\x03")
            self.drain(0.3)
        raise AssertionError(f"no way back to the prompt; the end of what it showed: {self.seen[-2000:]}")

    # What a person does.

    def text(self):
        return " ".join(self.rnd.choice(WORDS) for _ in range(self.rnd.randrange(1, 12)))

    def type_text(self):
        self.send(self.text())

    def ask(self):
        self.send(self.text() + "\r")

    def paste(self):
        lines = "\r".join(self.text() for _ in range(self.rnd.randrange(1, 60)))
        self.send(f"\x1b[200~{lines}\x1b[201~")

    def lines(self):
        self.send(self.rnd.choice(["a\\\rb\r", "one\x1b\rtwo\r", '"""\ra\rb"""\r', '"""\rleft open']))

    def keys(self):
        for _ in range(self.rnd.randrange(1, 10)):
            self.send(self.rnd.choice(["\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x01", "\x05", "\x0b", "\x15", "\x17",
                                       "\x19", "\t", "\t\t", "\x7f", "\x12lo", "\x07", "\x0c", "\x1bb", "\x1bd", "\x1b"]))

    def command(self):
        self.send(self.rnd.choice([
            "/help", "/new", "/new -m other", "/undo", "/retry", "/edit", "/title a title", "/title", "/model",
            "/model another", "/system", "/system be brief", "/attach notes.txt", "/attach nothing", "/copy", "/copy 1",
            "/copy 99", "/save out.txt", "/save -f out.txt", "/usage", "/compact", "/nonsense", "/use zzz", "/",
        ]) + "\r")

    def pick(self):
        self.send("/sessions\r")
        self.drain(self.rnd.random() / 5)
        for _ in range(self.rnd.randrange(0, 6)):
            self.send(self.rnd.choice(["\x1b[A", "\x1b[B", "a", "loc", "\x15", "\x7f", "\x1b[6~"]))
        self.send(self.rnd.choice(["\r", "\x1b", "\x03"]))

    def edit(self):
        self.send(self.text() + "\x18\x05")

    def interrupt(self):
        self.send("\x03")

    def change_size(self):
        self.resize(self.rnd.choice([20, 40, 79, 80, 81, 132, 300]), self.rnd.choice([5, 10, 24, 60]))

    def leave(self):
        self.send(self.rnd.choice(["\x03\x03", "\x04", "\x15\x04", "/exit\r"]))

    ACTIONS = [(type_text, 6), (ask, 12), (paste, 3), (lines, 4), (keys, 8), (command, 10), (pick, 3), (edit, 2),
               (interrupt, 8), (change_size, 4), (leave, 1)]

    def live(self, seconds):
        end = time.monotonic() + seconds
        actions, weights = zip(*self.ACTIONS)
        self.start()
        while time.monotonic() < end:
            self.rnd.choices(actions, weights)[0](self)
            self.drain(self.rnd.choice([0, 0, 0.01, 0.1, 0.5]))
            if self.rnd.random() < 0.02:
                self.settle()
            if self.child.poll() is not None and self.ended():
                way = self.rnd.choice([[], ["-c"], ["-c", "--plain"], ["-c", "--reasoning"]])
                self.start(*way if glob.glob(f"{self.home}/sessions/*/history.jsonl") else [])
        self.settle()
        if self.child.poll() is None:
            self.send(f"the last prompt {SEED}\r")
            self.drain(1)
            self.settle()
            self.send("/exit\r")
        deadline = time.monotonic() + PATIENCE
        while self.child.poll() is None and time.monotonic() < deadline:
            self.drain(0.05)
        if not self.ended():
            raise AssertionError("/exit did not end it")


def serve(home, script):
    path = f"{home}/script.json"
    with open(path, "w") as f:
        json.dump(script, f)
    server = subprocess.Popen([sys.executable, f"{ROOT}/tests/server.py", path, f"{home}/requests"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    return server, int(server.stdout.readline())


def prompts(home):
    for path in glob.glob(f"{home}/sessions/*/history.jsonl"):
        with open(path) as f:
            for line in f:
                record = json.loads(line)
                if record["type"] == "exchange":
                    yield record["query"]


def main():
    home = tempfile.mkdtemp(prefix="mcbox-soak-")
    rnd = random.Random(SEED)
    server, port = serve(home, {"responses": list(responses(rnd))})
    results = []
    with open(f"{home}/editor", "w") as f:
        f.write("#!/bin/sh\necho edited >>\"$1\"\n")
    os.chmod(f"{home}/editor", 0o755)
    with open(f"{home}/notes.txt", "w") as f:
        f.write("Buy milk.\n")
    env = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")}
    env |= {"HOME": home, "MC_SESSIONS_DIR": f"{home}/sessions", "MC_PROVIDER": "openai-compatible", "MC_MODEL": "m",
            "MC_BASE_URL": f"http://127.0.0.1:{port}/v1", "MC_RETRIES": "0", "LC_ALL": "C.UTF-8", "PAGER": "cat",
            "TERM": "xterm-256color", "EDITOR": f"{home}/editor",
            "ASAN_OPTIONS": env.get("ASAN_OPTIONS", "") + f":log_path={home}/sanitizer",
            "UBSAN_OPTIONS": env.get("UBSAN_OPTIONS", "") + f":log_path={home}/sanitizer"}
    life = Life(home, env)
    why = ""
    try:
        life.live(TIME)
    except AssertionError as error:
        why = str(error)
    if life.child and life.child.poll() is None:
        life.child.kill()
        life.child.wait()
    server.stdin.close()
    server.wait()
    results.append((f"a life of {TIME:g} s with {life.starts} conversations, SEED={SEED}", not why, why))
    said = "".join(open(p).read() for p in glob.glob(f"{home}/sanitizer*"))
    results.append(("no sanitizer has a word to say", not said, said[:4000]))
    stored = list(prompts(home))
    results.append((f"the last of {len(stored)} prompts is stored", why or f"the last prompt {SEED}" in stored, stored[-3:]))
    check = subprocess.run([f"{BIN}/mc-session-fsck"], env=env, capture_output=True, text=True)
    results.append(("nothing is wrong with the store", check.returncode == 0, check.stdout + check.stderr))
    for n, (name, passed, words) in enumerate(results, 1):
        print(f"{'ok' if passed else 'not ok'} {n} - {name}")
        if not passed:
            print("# " + str(words).replace("\n", "\n# "))
    print(f"1..{len(results)}")
    if all(passed for _, passed, _ in results):
        shutil.rmtree(home)
    else:
        print(f"# what there is of it: {home}")
    sys.exit(not all(passed for _, passed, _ in results))


if __name__ == "__main__":
    main()

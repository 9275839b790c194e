#!/usr/bin/python3
"""What the terminal is like while a reply runs, and after any end of it.  Prints TAP.

mc-chat runs at a pseudo-terminal that it controls, so that keys are signals. Each stage of a
turn is brought about by the scripted server or by what stands in its place. Seen from here
are the bytes that reach the terminal and when, its mode, and what is stored. The criteria:

 - after any end but SIGKILL the terminal's mode is what it was, and what was typed is not there
   for the shell to run;
 - Ctrl-C stops the reply at any stage, keeps what came, and does not leave; in the last moment
   it loses nothing;
 - the indicator comes after its time, and what is behind it is as if it had not been.
"""

import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time

sys.dont_write_bytecode = True

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TIME_LIMIT = 60  # seconds for one step; only a hang takes so long
SANITIZED = "sanitize" in os.environ.get("MCBOX_BIN_DIR", "")

tests = failures = 0


def ok(passed, name, *why):
    global tests, failures
    tests += 1
    failures += not passed
    print(f"{'ok' if passed else 'not ok'} {tests} - {name}")
    for line in why if not passed else ():
        print("#", str(line).replace("\n", "\n# "))
    sys.stdout.flush()


def same(name, want, got):
    ok(want == got, name, f"expected {want!r}", f"seen     {got!r}")


def skip(name, why):
    global tests
    tests += 1
    print(f"ok {tests} - {name} # skip {why}")


place = tempfile.mkdtemp(prefix="mcbox-reply-")
environment = {name: value for name, value in os.environ.items()
               if not re.match("(MC|ANTHROPIC|OPENAI|GEMINI|GOOGLE|XDG|LC|TMUX)_|TMUX$|COLUMNS$|LINES$|LANG|NO_COLOR$"
                               "|INPUTRC$", name)
               and not name.lower().endswith("_proxy")}
environment |= {"PATH": os.environ.get("MCBOX_BIN_DIR", ROOT) + ":" + os.environ["PATH"],
                "HOME": place, "LC_ALL": "C.UTF-8", "TZ": "UTC", "TERM": "xterm-256color", "MC_RETRIES": "0",
                "MC_SESSIONS_DIR": os.path.join(place, "sessions"), "MC_MODEL": "m"}
# A process that a signal ends while LeakSanitizer looks for leaks may never end.
environment["ASAN_OPTIONS"] = "detect_leaks=0"


def path(name):
    return os.path.join(place, name)


def touch(name):
    with open(path(name), "wb"):
        pass


def wait_until(what, condition):
    deadline = time.monotonic() + TIME_LIMIT
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.005)


# ---- the server ----

class Server:
    def __init__(self, responses):
        with open(path("server.json"), "w", encoding="utf-8") as script:
            json.dump({"routes": responses}, script)
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(ROOT, "tests/server.py"), path("server.json"), path("server.log")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=place)
        self.port = int(self.process.stdout.readline())

    def at(self, route):
        return {"MC_BASE_URL": f"http://127.0.0.1:{self.port}/{route}", "MC_PROVIDER": "openai-compatible"}

    def stop(self):
        self.process.stdin.close()
        self.process.wait(TIME_LIMIT)


END = [{"finish": "stop"}, {"done": True}]


# ---- a terminal ----

# Outlives the command, with whose session the terminal would end.
SHELL = """trap : INT QUIT; sh -c 'echo $$ >pid.new; mv pid.new "$0"; exec "$@"' "$@"
           echo $? >"$1.status.new"; mv "$1.status.new" "$1.status"; exec tail -f /dev/null"""
GET_NUMBER = 0x80045430  # TIOCGPTN of Linux
terminals = 0


class Terminal:
    """Runs a command; `raw` is what came from it, `times` when each piece did."""

    def __init__(self, *argv, columns=80, **settings):
        global terminals
        terminals += 1
        self.raw, self.times, self.status, self.name = b"", [], None, path(f"pid.{terminals}")
        self.shell, self.fd = pty.fork()
        if not self.shell:
            try:
                os.chdir(place)
                for key in (signal.SIGINT, signal.SIGQUIT):  # a test in the background has them ignored
                    signal.signal(key, signal.SIG_DFL)
                os.execvpe("sh", ["sh", "-c", SHELL, "sh", self.name, *argv], environment | settings)
            finally:
                os._exit(127)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        number = struct.unpack("i", fcntl.ioctl(self.fd, GET_NUMBER, b"\0" * 4))[0]
        self.slave = os.open(f"/dev/pts/{number}", os.O_RDWR | os.O_NOCTTY)
        os.set_blocking(self.fd, False)
        self.before = self.mode()
        wait_until("a process", lambda: os.path.exists(self.name))
        with open(self.name, encoding="ascii") as file:
            self.pid = int(file.read())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
        os.kill(self.shell, signal.SIGKILL)
        os.waitpid(self.shell, 0)
        os.close(self.slave)
        os.close(self.fd)

    def mode(self):
        return termios.tcgetattr(self.fd)

    def queued(self):
        """Bytes that a program would read now, in the mode of most shells."""
        mode = self.mode()
        mode[3] &= ~termios.ICANON
        termios.tcsetattr(self.slave, termios.TCSANOW, mode)
        return struct.unpack("i", fcntl.ioctl(self.slave, termios.FIONREAD, b"\0" * 4))[0]

    def take(self, seconds):
        if select.select([self.fd], [], [], seconds)[0]:
            try:
                piece = os.read(self.fd, 65536)
            except BlockingIOError:
                return
            self.raw += piece
            self.times.append((time.monotonic(), len(self.raw)))

    def wait(self, what, since=0):
        """Until this regular expression is in what came, from that byte on."""
        deadline = time.monotonic() + TIME_LIMIT
        while not re.search(what, self.raw[since:], re.S):
            left = deadline - time.monotonic()
            if left < 0:
                raise TimeoutError(f"{what!r} did not come; the last that did: {self.raw[-500:]!r}")
            self.take(left)
        return self

    def when(self, what):
        """The time at which that was there."""
        at = re.search(what, self.raw, re.S).end()
        return next(when for when, n in self.times if n >= at)

    def type(self, text):
        """Returns how much had come until then."""
        since, deadline = len(self.raw), time.monotonic() + TIME_LIMIT
        while text:
            try:
                text = text[os.write(self.fd, text):]
            except BlockingIOError:
                self.take(0.01)
            if time.monotonic() > deadline:
                raise TimeoutError("nobody takes what is typed")
        return since

    def prompt(self, since=0):
        return self.wait(rb"(?:^|[\n\r]|\x1b\[K|\x1b\[\?2004h)> (?:\x1b\[K)?$", since)

    def ask(self, text):
        self.prompt()
        self.type(text + b"\r")
        return self

    def end(self):
        """Its exit status; 128 + N when signal N ended it."""
        deadline = time.monotonic() + TIME_LIMIT
        while not os.path.exists(self.name + ".status"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no end; the last that came: {self.raw[-500:]!r}")
            self.take(0.01)
        while select.select([self.fd], [], [], 0)[0]:
            self.take(0)
        with open(self.name + ".status", encoding="ascii") as file:
            self.status = int(file.read())
        return self.status


sessions = 0


def chat(*options, **settings):
    global sessions
    sessions += 1
    t = Terminal("mc-chat", "-n", "-s", f"s{sessions}", *options, **settings)
    t.session = f"s{sessions}"
    return t


def exchanges(session):
    with open(path(f"sessions/{session}/history.jsonl"), encoding="utf-8") as history:
        records = [json.loads(line) for line in history]
    return [(x["query"], x["status"], x["answer"]) for x in records if x["type"] == "exchange"]


def stored(session, n=1):
    def is_there():
        try:
            return len(exchanges(session)) >= n
        except (FileNotFoundError, json.JSONDecodeError):
            return False
    wait_until(f"{n} exchanges", is_there)
    return exchanges(session)


# ---- after any end ----

def ends():
    """In a reply, with text typed ahead that a shell would run."""
    deaths = [signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGQUIT,
              signal.SIGTERM, signal.SIGHUP, signal.SIGXCPU, signal.SIGUSR1]
    for death in deaths:
        with chat(**server.at("half")) as t:
            t.ask(b"hi").wait(rb"half an")
            quiet = t.mode() != t.before
            t.type(b"touch run\r")
            os.kill(t.pid, death)
            status = t.end()
            ok(quiet and t.mode() == t.before and status != 0, f"{death.name} in a reply: the mode is as before",
               f"quiet: {quiet}, status: {status}", t.before, t.mode())
            same(f"{death.name}: the shell finds nothing that was typed", 0, t.queued())
            if death in (signal.SIGTERM, signal.SIGHUP):
                ok(b"typed, but not sent: touch run" in t.raw, f"{death.name}: but it is told", t.raw)
            ok(b"\x1b[?25h" in t.raw or death in (signal.SIGTERM, signal.SIGHUP),
               f"{death.name}: the cursor is there", t.raw[-100:])
            same(f"{death.name}: what came is stored", [("hi", "interrupted", "half an")],
                 recovered(t.session) or stored(t.session))
    with chat(**server.at("half")) as t:
        t.ask(b"hi").wait(rb"half an")
        t.type(b"\x1c")  # which the kernel sends, and no process
        status = t.end()
        ok(t.mode() == t.before and status != 0, "Ctrl-\\ in a reply: the mode is as before", status)


def recovered(session):
    """As the next tool finds it."""
    subprocess.run(["mc-session-cat", session], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, env=environment, check=False, timeout=TIME_LIMIT)
    subprocess.run(["mc-session-ls", "-q"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, env=environment, check=False, timeout=TIME_LIMIT)
    try:
        return exchanges(session)
    except FileNotFoundError:
        return []


def at_the_prompt():
    for death in (signal.SIGSEGV, signal.SIGTERM, signal.SIGHUP, signal.SIGABRT):
        with chat(MC_PROVIDER="echo") as t:
            t.prompt()
            os.kill(t.pid, death)
            status = t.end()
            ok(t.mode() == t.before and status != 0, f"{death.name} at the prompt: the mode is as before", status)


def ordinary_ends():
    for name, last in (("/exit", b"/exit\r"), ("Ctrl-D", b"\x04")):
        with chat(MC_PROVIDER="echo") as t:
            t.ask(b"hi").wait(rb"hi.*hi").prompt()
            t.type(last)
            same(f"{name} leaves", 0, t.end())
            same(f"{name}: the mode is as before", t.before, t.mode())


# ---- the mode ----

def mode_of_a_reply():
    with chat(**server.at("half")) as t:
        t.ask(b"hi").wait(rb"half an")
        m = t.mode()
        same("in a reply nothing is echoed, and keys are signals that drop nothing",
             (0, 0, termios.ISIG, termios.NOFLSH),
             tuple(m[3] & flag for flag in (termios.ECHO, termios.ICANON, termios.ISIG, termios.NOFLSH)))
        same("and output is as it was", t.before[1], m[1])
        since = t.type(b"not to be seen")
        t.type(b"\x03")
        t.wait(rb"interrupted", since)
        ok(b"seen" not in t.raw[since:].partition(b"interrupted")[0], "what is typed does not get into the reply",
           t.raw[since:])


def one_shot():
    with chat("hello", **server.at("half")) as t:
        t.wait(rb"half an")
        same("for one prompt the terminal stays as it is", t.before, t.mode())
        t.type(b"\x03")
        same("and Ctrl-C ends it", 130, t.end())


# ---- Ctrl-C ----

def silent_listener():
    """Takes connections, since the kernel does, and never says a word."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(5)
    return s


def stops(name, t, began, want):
    """One Ctrl-C, and one more in the same breath."""
    with t:
        t.ask(b"hi")
        began(t)
        since = t.type(b"\x03")
        t.wait(rb"interrupted[^\n]*\r\n", since).prompt(since)  # or with the reason of the retries
        since = t.type(b"\x03")
        t.prompt(since)
        same(f"Ctrl-C {name}: what came is kept", want, exchanges(t.session) if want else recovered(t.session))
        t.type(b"/exit\r")
        same(f"Ctrl-C {name}: twice, and one is still there", 0, t.end())


def requested(n):
    def is_logged(_):
        def look():
            try:
                with open(path("server.log"), "rb") as log:
                    return len(log.readlines()) > n
            except FileNotFoundError:
                return False
        wait_until("a request", look)
    return is_logged


def requests():
    try:
        with open(path("server.log"), "rb") as log:
            return len(log.readlines())
    except FileNotFoundError:
        return 0


def stages():
    with silent_listener() as s:
        port = s.getsockname()[1]
        mute = chat(MC_BASE_URL=f"https://127.0.0.1:{port}/v1", MC_PROVIDER="openai-compatible")
        taken = []
        stops("while connecting", mute, lambda t: taken.append(s.accept()), [("hi", "interrupted", "")])
        taken[0][0].close()
    stops("before anything came", chat(**server.at("never")), requested(requests()), [("hi", "interrupted", "")])
    stops("while the indicator runs", chat(**server.at("never")), lambda t: t.wait(r"… 1 s".encode()),
          [("hi", "interrupted", "")])
    stops("in reasoning", chat("--reasoning", **server.at("thinks")), lambda t: t.wait(rb"let me see"),
          [("hi", "interrupted", "")])
    stops("in text", chat(**server.at("half")), lambda t: t.wait(rb"half an"), [("hi", "interrupted", "half an")])
    stops("in a countdown", chat(**server.at("busy"), MC_RETRIES="3"), lambda t: t.wait(rb"trying again in"),
          [("hi", "interrupted", "")])
    config = {"providers": {"mine": {"type": "openai-compatible", "apiKeyCommand": [path("key")],
                                     "baseUrl": server.at("half")["MC_BASE_URL"]}}}
    with open(path("config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file)
    with open(path("key"), "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n: >asked\nexec sleep 60\n")
    os.chmod(path("key"), 0o700)
    stops("in the command that has the key", chat("-p", "mine", MC_CONFIG=path("config.json")),
          lambda t: wait_until("the command", lambda: os.path.exists(path("asked"))), [])


def hammered():
    """Three in a row, as of somebody who wants one reply to end, in less than a second."""
    for _ in range(10):
        with chat(**server.at("half")) as t:
            t.ask(b"hi").wait(rb"half an")
            since = t.type(b"\x03")
            t.wait(rb"interrupted\r\n", since)
            stopped = time.monotonic()
            for _ in range(2):
                t.prompt(since)
                since = t.type(b"\x03")
                t.wait(rb"\n", since)
            if time.monotonic() - stopped > 0.7:
                continue  # this machine is too slow just now to tell
            t.prompt(since)
            t.type(b"/exit\r")
            same("Ctrl-C three times in a row, and one is still there", 0, t.end())
            ok(b"again leaves" not in t.raw, "and is not told how to leave", t.raw)
            return
    skip("Ctrl-C three times in a row", "this machine is too slow")


def last_moment():
    """The reply is complete, and only the connection's end is waited for."""
    with chat(**server.at("over")) as t:
        t.ask(b"hi")
        wait_until("the end", lambda: os.path.exists(path("over")))
        t.type(b"\x03")
        same("Ctrl-C when all has come: it is complete", [("hi", "complete", "all of it")], stored(t.session))
        t.prompt()
        t.type(b"/exit\r")
        same("and one is still there", 0, t.end())


def while_storing():
    name = "Ctrl-C while the reply is stored"
    if not shutil.which("strace"):
        skip(name, "strace is not installed")
        return
    global sessions
    sessions += 1
    with Terminal("strace", "-f", "-o", "/dev/null", "-e", "trace=fdatasync", "-e",
                  "inject=fdatasync:delay_enter=700000", "mc-chat", "-n", "-s", f"s{sessions}",
                  **server.at("quick")) as t:
        t.prompt()
        t.type(b"hi\r")
        t.wait(rb"quick and whole")
        t.type(b"\x03")
        same(f"{name}: it is complete, and once", [("hi", "complete", "quick and whole")], stored(f"s{sessions}"))
        t.prompt(t.raw.index(b"whole"))
        t.type(b"/exit\r")
        same(f"{name}: one is still there", 0, t.end())


def behind_a_page():
    """A Ctrl-C that comes behind more than the terminal's queue holds."""
    with chat(**server.at("half")) as t:
        t.ask(b"hi").wait(rb"half an")
        began = time.monotonic()
        since = t.type(b"a line of the page\r" * 5000 + b"\x03")
        t.wait(rb"interrupted\r\n", since)
        ok(time.monotonic() - began < 20, "Ctrl-C behind a page stops the reply", time.monotonic() - began)


def twice_at_the_prompt():
    with chat(MC_PROVIDER="echo") as t:
        t.prompt()
        since = t.type(b"\x03")
        t.wait(rb"Ctrl-C again leaves", since).prompt(since)
        t.type(b"\x03")
        same("twice at once at an empty prompt leaves", 130, t.end())


# ---- the indicator ----

DOTS = "…".encode()


def indicator():
    with chat(**server.at("late")) as t:
        t.prompt()
        t.type(b"hi\r")
        asked = time.monotonic()
        t.wait(DOTS)
        after = t.when(DOTS) - asked
        ok(0.6 < after < 5, "the indicator comes after its time", after)
        t.wait(r"… 1 s".encode()).wait(r"… 2 s".encode())
        apart = t.when("… 2 s".encode()) - t.when("… 1 s".encode())
        ok(0.7 < apart < 3, "and counts the seconds", apart)
        since = t.type(b"typed ahead\r")
        touch("late")
        t.wait(rb"late it is.*> typed ahead", since)
        gone = t.raw[since:].partition(b"late it is")[0]
        ok(gone.endswith(b"\r\x1b[K"), "and is taken away before the text", gone)
        ok(DOTS not in t.raw[t.raw.index(b"late it is"):], "and does not come back in it", t.raw)
    with chat(**server.at("quick")) as t:
        t.ask(b"hi").wait(rb"quick and whole").prompt(len(b"hi"))
        ok(DOTS not in t.raw, "a reply that is quick has none", t.raw)


def no_indicator():
    for name, options, settings in (("TERM=dumb", [], {"TERM": "dumb"}), ("no TERM", [], {"TERM": ""}),
                                    ("--plain", ["--plain"], {})):
        if os.path.exists(path("late2")):
            os.unlink(path("late2"))
        with chat(*options, **server.at("late2") | settings) as t:
            n = requests()
            t.ask(b"hi")
            requested(n)(t)
            time.sleep(1.2)  # nothing is to happen in this time
            touch("late2")
            t.wait(rb"late it is")
            ok(DOTS not in t.raw and b"\x1b[K" not in t.raw, f"{name}: no indicator", t.raw)
    if os.path.exists(path("late2")):
        os.unlink(path("late2"))
    with chat("hi", **server.at("late2")) as t:
        t.wait(r"… 1 s".encode())
        touch("late2")
        same("for one prompt there is one, too", 0, t.end())
        ok(t.raw.endswith(b"\r\x1b[Klate it is\r\n"), "and goes", t.raw)
    os.unlink(path("late2"))
    with Terminal("sh", "-c", "mc-chat hi | cat", **server.at("late2")) as t:
        time.sleep(1.2)
        touch("late2")
        t.end()
        same("a pipe has none", b"late it is\r\n", t.raw)


def attempts():
    with chat("hi", **server.at("busy"), MC_RETRIES="3") as t:
        t.wait(rb"trying again in \d+ s \(attempt 2 of 4\)").wait(rb"\(attempt 3 of 4\)")
        t.type(b"\x03")
        t.end()
        last = t.raw.rpartition(b"\x1b[K")[2]
        ok(re.fullmatch(rb"mc-chat: interrupted after \d failed attempts?:\r\n'[^']*' answered 429\r\n", last),
           "a countdown says which attempt follows, and goes; the reason stays", last)


def offers_retry():
    with chat(**server.at("breaks")) as t:
        t.ask(b"hi").wait(rb"connection broke.*what came is kept, and /retry asks again\r\n")
        same("a connection that breaks keeps what came", [("hi", "error", "half")], stored(t.session))
    with chat(**server.at("refuses")) as t:
        t.ask(b"hi").wait(rb"400").prompt(t.raw.index(b"400"))
        ok(b"/retry" not in t.raw, "what would be refused again is not offered to be", t.raw)
    with chat("hi", **server.at("breaks")) as t:
        same("without a conversation there is no /retry", 3, t.end())
        ok(b"/retry" not in t.raw, "and none is offered", t.raw)


os.umask(0o077)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
server = Server({
    "/half": [{"steps": [{"text": "half an"}, {"hang": True}]}],
    "/never": [{"steps": [{"hang": True}]}],
    "/thinks": [{"steps": [{"reasoning": "let me see"}, {"hang": True}]}],
    "/busy": [{"status": 429, "headers": {"Retry-After": "1"}, "steps": [{"send": "{}"}]}],
    "/over": [{"keepalive": True, "steps": [{"text": "all of it"}, *END, {"touch": "over"}, {"hang": True}]}],
    "/quick": [{"steps": [{"send": "".join(f"data: {part}\n\n" for part in (
        '{"choices":[{"delta":{"content":"quick and whole"}}]}',
        '{"choices":[{"delta":{},"finish_reason":"stop"}]}', "[DONE]"))}]}],
    "/late": [{"steps": [{"wait": "late"}, {"text": "late it is"}, *END]},
              {"steps": [{"hang": True}]}],
    "/late2": [{"steps": [{"wait": "late2"}, {"text": "late it is"}, *END]}],
    "/breaks": [{"steps": [{"text": "half"}, {"reset": True}]}],
    "/refuses": [{"status": 400, "steps": [{"send": "{}"}]}],
})
try:
    for test in (ends, at_the_prompt, ordinary_ends, mode_of_a_reply, one_shot, stages, hammered, last_moment, while_storing,
                 behind_a_page, twice_at_the_prompt, indicator, no_indicator, attempts, offers_retry):
        start = time.monotonic()
        try:
            test()
        except (TimeoutError, OSError, ValueError) as error:
            ok(False, test.__name__, repr(error))
        print(f"# {test.__name__}: {time.monotonic() - start:.2f} s")
finally:
    server.stop()
    shutil.rmtree(place)
print(f"1..{tests}")
sys.exit(failures > 0)

#!/usr/bin/python3 -B
"""Memory runs out: each allocation of each tool fails in turn (see alloc.c).

Two ways: the Nth allocation fails and no other; and the Nth and all that follow.  The
short form takes the first and the last allocation of each call stack, and of these at most
so many of a scenario as BUDGET says.  A run passes when

  - the tool does not crash or hang, and its status is a documented one; where a library does,
    for its own want of memory, that is counted and shown, and only the last four points hold;
  - standard error says "TOOL: … memory …", and the status is not 0; or else the status,
    standard output and the histories are those of a run that lacks nothing, and so is the
    index, unless standard error says otherwise;
  - histories only grow, and what is no history is not lost;
  - what was printed of a reply is in the session afterwards;
  - mc-session-fsck --repair leaves a store that mc-session-fsck finds clean.

What fails is shown with the place that could not allocate, and once for each kind.  ONLY=NAME runs one scenario.
"""

import collections
import hashlib
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import subprocess
import threading
import time

import harness
from harness import FULL, SANITIZED, SHORT, Result, note, ok, run

ALLOC, STEPS = harness.FAULT_BIN + "/alloc.so", harness.FAULT_BIN + "/steps"
BUDGET = 10**9 if FULL else 12 if SHORT else 60  # allocations of a scenario
LIMIT = 60  # seconds that a run may take; nothing here takes more than one
MANY = 800  # sessions: more than the index reader's first table takes
VOLATILE = ("id", "exchange", "root", "summaryAt", "timestamp", "duration", "createdAt", "updatedAt", "historyBytes", "cwd",
            "deletedAt")


class Scenario:
    def __init__(self, name, template, words, prints=False, terminal=False, env=None,
                 statuses=(1,)):
        self.name, self.template, self.words = name, template, words
        self.prints = prints  # a reply, which must be stored
        self.terminal = terminal
        self.env = env or {}
        self.statuses = statuses  # that it may fail with; 2 is for a wrong command line


# ---- the stores that are there before ----

def record(number, **more):
    return json.dumps({"type": "exchange", "id": f"018bcfe5-6800-7000-8000-{number:012}",
                       "timestamp": 1700000000000 + 1000 * number, "query": f"ask {number}",
                       "answer": f"reply {number}\nof two lines", "summary": None,
                       "model": "echo", "status": "complete", "duration": 5,
                       "tokenUsage": {"inputTokens": 2, "outputTokens": 3, "totalTokens": 5},
                       **more}, separators=(",", ":")) + "\n"


def write_session(name, lines, provider="echo"):
    folder = pathlib.Path("sessions", name)
    folder.mkdir(parents=True, mode=0o700)
    head = json.dumps({"type": "session", "version": 1, "id": name, "createdAt": 1700000000000,
                       "cwd": "/", "provider": provider, "model": "echo", "title": f"The {name}",
                       "system": "Be brief.", "metadata": {"k": "v"}}, separators=(",", ":"))
    (folder / "history.jsonl").write_text(head + "\n" + "".join(lines))
    (folder / "history.jsonl").chmod(0o600)


def template(name, *changes):
    """A store with three sessions, then changed; kept in a folder of this name."""
    for number, session in enumerate("abc"):
        write_session(session, [record(30 - 10 * number + i) for i in range(1, 4)],
                      "openai-compatible" if session == "c" else "echo")
    run("session-ls")
    for change in changes:
        change()
    os.rename("sessions", name)


def no_index():
    os.unlink("sessions/index.jsonl")


def cut_short():
    spool = pathlib.Path("sessions/b/turn.partial")
    spool.write_text(record(99).split(',"answer"')[0] + ',"model":"echo"}\nas far as it')
    spool.chmod(0o600)


def due():
    """An index that the next writer compacts."""
    line = pathlib.Path("sessions/index.jsonl").read_text().splitlines(keepends=True)[1]
    with open("sessions/index.jsonl", "a") as f:
        f.write(line * (70000 // len(line)))


def many():
    line = pathlib.Path("sessions/index.jsonl").read_text().splitlines(keepends=True)[1]
    with open("sessions/index.jsonl", "a") as f:
        for number in range(MANY):
            f.write(re.sub('"id":"."', f'"id":"many{number}"', line))


def damaged():
    with open(harness.history("a"), "a") as f:
        f.write('{"type":"exchange","id":\n' + record(7)[:100])
    removed = pathlib.Path("sessions/removed.jsonl")
    removed.write_text('garbage\n{"id":"x","createdAt":1,"deletedAt":2}\n{"id":"y","del')
    removed.chmod(0o600)
    os.mkdir("sessions/.new-x-y", 0o700)
    no_index()
    cut_short()


def picture():
    """Attached to the last exchange of c, and a file of its own."""
    content = b"\x89PNG\r\n\x1a\n" + bytes(9999)
    digest = hashlib.sha256(content).hexdigest()
    folder = pathlib.Path("sessions/c/artifacts")
    folder.mkdir(mode=0o700)
    for path in folder / digest, pathlib.Path("cat.png"):
        path.write_bytes(content)
        path.chmod(0o600)
    with open(harness.history("c"), "a") as f:
        f.write(record(60, attachments=[{"sha256": digest, "name": "cat.png", "type": "image/png",
                                         "size": len(content)}]))
    run("session-fsck", "-r")  # for the index


def outgrown():
    """More than fits into the window of the settings in AUTO, which have it summed up."""
    with open(harness.history("c"), "a") as f:
        for number in range(60, 72):
            f.write(record(number, answer="word " * 700))
    run("session-fsck", "-r")  # for the index
    AUTO.mkdir(parents=True)
    (AUTO / "config.json").write_text('{"context": 4096, "autoCompact": true}')


AUTO = pathlib.Path("auto", "mcbox")


def templates():
    template("three")
    template("unlisted", no_index)
    template("cut", cut_short)
    template("due", due)
    template("many", many)
    template("damaged", damaged)
    template("picture", picture)
    template("outgrown", outgrown)
    os.mkdir("nothing")


# ---- one run ----

def read_all(fd):
    parts = []
    try:
        while part := os.read(fd, 65536):
            parts.append(part)
    except OSError:  # EIO: the terminal's last user has left
        pass
    return b"".join(parts)


def ticks_in_futex(pid):
    """The processor time so far, if the process waits for another thread; else None."""
    try:
        call = pathlib.Path(f"/proc/{pid}/syscall").read_text().split()[0]
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, IndexError):
        return None
    return fields[11:13] if call == FUTEX else None


FUTEX = {"x86_64": "202", "aarch64": "98"}.get(os.uname().machine)


def end(process):
    """Waits for it.  One that does not end is aborted, so that it reports where."""
    deadline, before, why = time.monotonic() + LIMIT, None, b""
    while True:
        try:
            out, err = process.communicate(timeout=1)
            break
        except subprocess.TimeoutExpired:
            now = ticks_in_futex(process.pid)
            if why:
                process.kill()
            elif now and now == before or time.monotonic() > deadline:
                why = HUNG if now and now == before else LATE
                process.send_signal(signal.SIGABRT)
            before = now
    return Result(process.returncode, out, (err or b"") + why)


HUNG = b"\n(it waited for a thread, without an end)\n"
LATE = b"\n(it did not end in time)\n"


def run_at_terminal(words, env):
    """Standard output is a terminal, as wide as it takes; its text is returned."""
    master, slave = pty.openpty()
    parts = []
    reader = threading.Thread(target=lambda: parts.append(read_all(master)))
    reader.start()
    process = harness.start(*words, out=slave, **env)
    os.close(slave)
    result = end(process)
    reader.join(LIMIT)
    os.close(master)
    return Result(result.status, b"".join(parts), result.err)


def execute(scenario, **plan):
    """The result, and the report's lines."""
    report = pathlib.Path("report")
    report.unlink(missing_ok=True)
    env = {**scenario.env, "LD_PRELOAD": ALLOC, "ALLOC_REPORT": str(report.absolute()), **plan}
    if SANITIZED:  # the sanitizer wants to be the first library; its malloc() is behind ours
        env["ASAN_OPTIONS"] = "detect_leaks=0:verify_asan_link_order=0:exitcode=99:handle_abort=1"
    if scenario.terminal:
        result = run_at_terminal(scenario.words, env)
    else:
        result = end(harness.start(*scenario.words, **env))
    return result, report.read_text().splitlines() if report.exists() else []


def renew(scenario):
    shutil.rmtree("sessions", ignore_errors=True)
    if scenario.template != "nothing":
        shutil.copytree(scenario.template, "sessions")


def stored():
    return harness.tree() if os.path.isdir("sessions") else {}


def unnumbered(text):
    """Without what makes the names in quarantine, and of what is set aside, unique."""
    return re.sub(r"(quarantine/[^ /]*?|turn\.damaged)-[a-z0-9]+(?=\.json\b|[\s/]|$)", r"\1-…", text)


def settle(record):
    return {k: v for k, v in record.items() if k not in VOLATILE}


def records(data):
    """A history's records, or its lines where they are none, without what varies."""
    found = []
    for line in data.split(b"\n"):
        try:
            found.append(settle(json.loads(line)))
        except (ValueError, AttributeError):
            found.append(line)
    return found


def summary(store):
    """What a store holds: (the files that are no index, the list)."""
    files = {unnumbered(name):
             records(data) if name.endswith((".jsonl", ".json")) else data
             for name, data in store.items()
             if name not in ("index.lock", ".index.stale") and not name.startswith("index.jsonl")}
    index = store.get("index.jsonl", b"")
    return files, sorted(json.dumps(settle(json.loads(line)) | {"id": json.loads(line)["id"]})
                         for line in harness.listing(index))


def settle_output(scenario, out):
    if scenario.name.startswith("chat --json"):
        return json.dumps(records(out), default=str)
    return unnumbered(out.decode(errors="replace"))


# ---- the criteria ----

def check_kept(scenario, before, after):
    """Histories grow; a spool is there, or in the history."""
    if scenario.words[0] == "session-rm":
        return  # all or nothing is seen by fsck, and by what the tool says
    everything = b"".join(data for data in after.values() if data)
    for name, data in before.items():
        if name.endswith("history.jsonl") and not after.get(name, b"").startswith(data):
            for line in data.split(b"\n"):
                valid = line.endswith(b"}") and line.startswith(b"{")
                if "-r" not in scenario.words or line not in (after.get(name, b"") if valid else
                                                              everything):
                    yield f"{name} has lost a {'record' if valid else 'line'}"
        if name.endswith("turn.partial") and name not in after and \
                data.split(b"\n", 1)[1] not in everything:
            yield f"{name} is lost"


def said_in_steps(history, exchange):
    found = [record for line in history.split(b"\n") if b'"type":"step"' in line for record in [json.loads(line)]]
    return "".join(step["text"] for step in found if step["exchange"] == exchange)


def check_printed(before, after, out):
    """The reply that was printed is at the end of a session, or in its turn.partial; and before it,
    the texts of its steps."""
    text = out.decode(errors="replace").rstrip("\n")
    if not text:
        return
    for name, data in after.items():
        if not data or data == before.get(name):
            continue
        if name.endswith("turn.partial"):
            head, _, reply = data.decode().partition("\n")
            history = after[name.replace("turn.partial", "history.jsonl")]
            if (said_in_steps(history, json.loads(head)["id"]) + reply).startswith(text):
                return
        if name.endswith("history.jsonl"):
            found = harness.exchanges(data)
            if found and (said_in_steps(data, found[-1]["id"]) + found[-1]["answer"]).startswith(text):
                return
    yield f"{text!r} was printed and is not stored"


def check_repair():
    harness.fsck("--repair")
    again = harness.fsck()
    if again.status != 0:
        yield f"after fsck --repair, fsck: {again}"


def check_told(scenario, ideal, result, after):
    status, out, err = result
    wanted, (wanted_files, wanted_list) = ideal
    name = scenario.words[0]
    tool = f"{os.path.basename(name)}: " if "/" in name else f"mc-{name}: "
    words = [line[len(tool):] for line in err.decode(errors="replace").splitlines()
             if line.startswith(tool)]
    # A repair says in the finding why it could not be made, and that there are such. The
    # loader has its own words, and so has libcurl, which calls some of it a network error.
    clear = any(word in text.lower() for text in words
                for word in ("memory", "could not be repaired", "cannot load libcurl",
                             "cannot get an answer", "cannot reach"))
    if status not in (*scenario.statuses, wanted.status):
        yield f"status {status}"
    elif status == wanted.status and not (status and clear):
        files, listed = summary(after)
        if settle_output(scenario, out) != settle_output(scenario, wanted.out):
            yield f"status {status}, and another output"
        # Without a summary the turn goes on with less of the conversation.
        if files != wanted_files and not any("could not be summed up" in text for text in words):
            yield f"status {status}, and other histories"
        if listed != wanted_list and not any(words):
            yield f"status {status}, and another index, without a word"
    elif not clear:
        yield "no clear error"


def check(scenario, before, ideal, result, crashed_in):
    after = stored()
    if not crashed_in:
        yield from check_told(scenario, ideal, result, after)
    yield from check_kept(scenario, before, after)
    if scenario.prints and "--json" not in scenario.words:
        yield from check_printed(before, after, result.out)
    if after != before:
        yield from check_repair()


def library_that_crashed(result, report):
    """Its file and function, where a library that we call ended the process, or hung."""
    if result.err.endswith(LATE):
        return None  # the library waits because we call it again and again
    if result.status == 127 and b"thread-local data: ABORT" in result.err:
        return "ld-linux (no memory for thread-local data)"
    if result.status == 99:  # the sanitizer's report
        stack = re.findall(r"#\d+ \S+ in (\S+) .*?([^/ +]+)[^/ ]*$", result.err.decode(), re.M)
        return next((f"{where}:{name}" for name, where in stack
                     if where.startswith(("libjson-c", "libcurl", "libgnutls", "libcrypto"))), None)
    if result.status >= 0:
        return None
    at = next((i for i, line in enumerate(report) if line.startswith("signal ")), len(report))
    stack = [name for name in map(function, report[at + 1:])
             if not name.startswith(("alloc.so", "libc.so"))]
    if not stack or stack[0].startswith("mc"):
        return None
    return next((name for name in stack if not name.endswith(":")), stack[0])


def function(line):
    """FILE:FUNCTION of a line of a stack, "FILE(FUNCTION+OFFSET) [ADDRESS]"."""
    path, name, offset = re.match(r"([^(]*)\(([^+)]*)\+?([^)]*)", line).groups()
    if not name and os.path.realpath(path).endswith("/mcbox"):
        found = subprocess.run(["addr2line", "-fe", path, offset], stdout=subprocess.PIPE,
                               check=False)
        name = found.stdout.decode().split("\n")[0]
    return f"{os.path.basename(path)}:{name}"


def place(report):
    """Where the allocation failed, and then where the process died, if it did."""
    return " < ".join(function(line) if "(" in line else line for line in report
                      if "alloc.so" not in line and "__libc_start" not in line)[:600]


def numbers(scenario):
    """Which allocations are to fail: the first and last of each stack, or all."""
    renew(scenario)
    _, report = execute(scenario, ALLOC_TRACE="1")
    first, last = {}, {}
    for line in report:
        number, stack = line.split()
        first.setdefault(stack, int(number))
        last[stack] = int(number)
    chosen = list(range(1, len(report) + 1)) if FULL else sorted({*first.values(), *last.values()})
    if len(chosen) > BUDGET:
        chosen = sorted(harness.RANDOM.sample(chosen, BUDGET))
    return chosen, len(report), len(first)


def sweep(scenario):
    chosen, total, places = numbers(scenario)
    if not total:
        ok(scenario.name, skip="this build has an allocator of its own, which cannot be replaced")
        return
    renew(scenario)
    before = stored()
    result, _ = execute(scenario)
    ideal = result, summary(stored())
    for way in "ALLOC_FAIL", "ALLOC_FAIL_FROM":
        complaints, kinds, crashes = [], collections.Counter(), collections.Counter()
        for number in chosen:
            if stored() != before:
                renew(scenario)
            result, report = execute(scenario, **{way: str(number)})
            crashed_in = library_that_crashed(result, report)
            if crashed_in:
                crashes["hangs" if result.err.endswith(HUNG) else "crashes", crashed_in] += 1
            for text in check(scenario, before, ideal, result, crashed_in):
                kinds[text] += 1
                if kinds[text] == 1:
                    complaints.append(f"{text}: {way}={number}: {result}\n  in {place(report)}")
        if complaints:
            complaints.insert(0, f"{dict(kinds)}")
        ok(f"{scenario.name}: {'one allocation' if way == 'ALLOC_FAIL' else 'memory'} fails "
           f"({len(chosen)} of {total}, {places} places)", complaints)
        for (what, library), times in crashes.items():
            note(f"{what} in a library: {times} in {library}")


HELLO = {"responses": [{"steps": [{"text": "Hello"}, {"text": " from"}, {"text": " the server."},
                                  {"finish": "stop"},
                                  {"usage": {"prompt_tokens": 9, "completion_tokens": 4,
                                             "total_tokens": 13}}, {"done": True}]}]}


def scenarios():
    server = harness.Server(HELLO)
    turn = ("chat", "--no-stdin")
    failed_turn = (1, harness.EXIT_PROVIDER, harness.EXIT_UNSTORED)
    yield Scenario("new", "three", ("session-new", "-p", "echo", "-i", "x", "-t", "T", "-S", "S",
                                    "--meta", "k=v"))
    yield Scenario("new, the first", "nothing", ("session-new", "-p", "echo", "-i", "x"))
    yield Scenario("ls", "three", ("session-ls",))
    yield Scenario("ls at a terminal", "three", ("session-ls",), terminal=True)
    yield Scenario("ls --json", "three", ("session-ls", "--json"))
    yield Scenario("ls --json of many", "many", ("session-ls", "--json"))
    yield Scenario("ls with filters", "three",
                   ("session-ls", "--cwd", "/", "--provider", "echo", "--model", "echo",
                    "--since", "2020-01-01", "--before", "2024-01-01", "THE"))
    yield Scenario("ls without an index", "unlisted", ("session-ls",))
    yield Scenario("cat", "three", ("session-cat", "a", "b"))
    yield Scenario("cat at a terminal", "three", ("session-cat", "a"), terminal=True)
    yield Scenario("cat --json", "three", ("session-cat", "--json", "a"))
    yield Scenario("cat --last", "three", ("session-cat", "-n", "2", "a"))
    yield Scenario("cat --status", "three", ("session-cat", "--status", "a"))
    yield Scenario("cat --status --json", "three", ("session-cat", "--status", "--json", "a"))
    yield Scenario("cat of a turn cut short", "cut", ("session-cat", "b"))
    yield Scenario("cat of none", "three", ("session-cat", "zz"))
    yield Scenario("rm", "three", ("session-rm", "-f", "a", "b"))
    yield Scenario("providers at a terminal", "three", ("models", "--providers"), terminal=True)
    yield Scenario("chat, new", "three", (*turn, "-p", "echo", "-n", "-s", "x", "hello there"),
                   True, statuses=failed_turn)
    yield Scenario("chat, going on", "three", (*turn, "-s", "a", "hello there"), True,
                   statuses=failed_turn)
    yield Scenario("chat, the last", "three", (*turn, "-c", "-m", "other", "-t", "T", "hello"),
                   True, statuses=failed_turn)
    yield Scenario("chat --json", "three", (*turn, "--json", "-s", "a", "hello there"), True,
                   statuses=failed_turn)
    yield Scenario("chat after a turn cut short", "cut", (*turn, "-s", "b", "hello there"), True,
                   statuses=failed_turn)
    yield Scenario("chat that compacts the index", "due", (*turn, "-s", "a", "hello there"), True,
                   statuses=failed_turn)
    yield Scenario("chat with a server", "three", (*turn, "-s", "c", "hello there"), True,
                   env=server.env, statuses=failed_turn)
    yield Scenario("chat -a", "three", (*turn, "-s", "a", "-a", "cat.png", "-a", "cat.png", "hello"),
                   True, statuses=failed_turn)
    yield Scenario("chat with a server and a picture", "picture", (*turn, "-s", "c", "hello there"),
                   True, env=server.env, statuses=failed_turn)
    yield Scenario("a turn that calls tools", "three", (STEPS, "a", "ran"), True, statuses=failed_turn)
    yield Scenario("cat of a picture", "picture", ("session-cat", "c"))
    yield Scenario("compact", "three", ("session-compact", "-k", "0", "a", "b"),
                   statuses=failed_turn)
    yield Scenario("compact with a server", "three", ("session-compact", "-k", "0", "c"),
                   env=server.env, statuses=failed_turn)
    yield Scenario("chat that leaves something out", "three",
                   (*turn, "--context", "256", "-s", "a", "hello there " + "word " * 400), True,
                   statuses=failed_turn)
    yield Scenario("chat that sums up first", "outgrown", (*turn, "-s", "c", "hello there"), True,
                   env={**server.env, "XDG_CONFIG_HOME": str(AUTO.parent.absolute())}, statuses=failed_turn)
    yield Scenario("fsck", "three", ("session-fsck",))
    yield Scenario("fsck of a picture", "picture", ("session-fsck",))
    yield Scenario("fsck of damage", "damaged", ("session-fsck", "--json"))
    yield Scenario("fsck --repair", "damaged", ("session-fsck", "-r"))


def main():
    harness.fresh()
    templates()
    only = os.environ.get("ONLY")
    for scenario in scenarios():
        if not only or scenario.name == only:
            sweep(scenario)
    harness.finish()


main()

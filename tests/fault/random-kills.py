#!/usr/bin/python3 -B
"""SIGKILL of mc-chat at random moments, again and again in the same session.

Prompts of 300 bytes to 16 MB go through the echo provider, and through a server whose
reply is read until so many bytes of it were seen. After each kill:

- the history begins with what it was before.

And after a few turns, killed or not, when mc-session-cat has looked at the session:

- each exchange that was acknowledged (exit status 0) is there once, exactly;
- what had been printed of the others is there, once;
- no exchange is there twice, and a damaged line is the beginning of a record;
- after mc-session-fsck --repair, mc-session-fsck finds nothing.

usage: random-kills   (FAULT=full: 10,000 kills and 500; FAULT_SEED=N)
"""

import itertools
import os
import random
import select
import signal
import sys

from fault import BIN, FULL, HANG, SEED, SHORT, Place, Server, Tap, ended, parse, records, slurp, wait

ECHO_KILLS = 10000 if FULL else 100 if SHORT else 300
STREAM_KILLS = 500 if FULL else 10 if SHORT else 40
TURNS = 8  # of a session, and no more than so many bytes
BYTES = 20_000_000
PROBLEMS = 20  # that are shown; then it ends
LEAST = 0.05  # of the turns must have been killed, or the moments are wrong

PIECES = [f"piece {n} of a reply, naïve… " for n in range(400)]
SCRIPT = {"responses": [{"steps": [*({"text": piece} for piece in PIECES), {"finish": "stop"}, {"done": True}]}]}


def place():
    """What was measured of a program that is killed anywhere is damaged, and not kept."""
    new = Place()
    new.env["GCOV_PREFIX"] = new.dir + "/gcov"
    return new


class Prompts:
    """Texts that begin with their number: mostly short, with a few that are long."""
    sizes = [(100, 300, 4000), (20, 4000, 100_000), (4, 100_000, 1_000_000), (1, 1_000_000, 16_000_000)]
    letters = "abcdefghijklmnopqrstuvwxyzäß…\"\\\x01"

    def __init__(self, choose):
        self.choose, self.n = choose, 0
        self.words = ["".join(choose.choices(self.letters, k=choose.randrange(1, 900)))
                      for _ in range(1000)]

    def next(self):
        _, least, most = self.choose.choices(self.sizes, [s[0] for s in self.sizes])[0]
        size = self.choose.randrange(least, most)
        self.n += 1
        # Each word is a piece of the reply: a long text has no more of them than a short one.
        stretch = max(1, size // 8000)
        text = f"{self.n}:"
        while len(text) < size:
            text += " " + self.choose.choice(self.words) * stretch
        return text[:size] + "."


class Session:
    """Turns of one session, and what must be in it after them."""

    def __init__(self, place, name):
        self.place, self.name = place, name
        self.file = f"{place.store}/{name}/history.jsonl"
        self.history = b""
        self.prompts = {}       # by their number
        self.acknowledged = set()
        self.printed = {}       # what was seen of the reply

    def take(self, n, prompt, status, out):
        """After a turn, killed or not."""
        self.prompts[n] = prompt
        if status == 0:
            self.acknowledged.add(n)
        elif status != -9:
            yield f"turn {n} ended with {status}: {slurp(self.place.dir + '/err')!r}"
        self.printed[n] = out.rstrip(b"\n")
        now = slurp(self.file) if os.path.exists(self.file) else b""
        if not now.startswith(self.history):
            yield f"after turn {n}, the history of '{self.name}' does not begin with what it was"
        self.history = now

    def full(self):
        return len(self.prompts) == TURNS or len(self.history) > BYTES

    def look(self, reply_to):
        if not self.history:
            if self.acknowledged or any(self.printed.values()):
                yield f"there is no session '{self.name}'"
            return
        r = self.place.run("mc-session-cat", "--json", self.name)
        if r.status != 0 and "damaged record" not in r.err:
            yield f"mc-session-cat '{self.name}' ended with {r.status}: {r.err!r}"
        yield from self.take(0, "", 0, b"")
        self.acknowledged.discard(0)
        lines = self.history.split(b"\n")
        for line in lines:
            if not parse(line) and not line.startswith(b'{"type":"exchange"'[:len(line)]):
                yield f"a line of '{self.name}' is {line[:100]!r}"
        found = {}
        for x in records(self.history):
            if x["type"] == "exchange":
                found.setdefault(int(x["query"].split(":")[0]), []).append(x)
        for n in self.prompts:
            yield from self.look_at(n, found.get(n, []), reply_to)

    def look_at(self, n, found, reply_to):
        prompt, printed = self.prompts[n], self.printed[n]
        reply = reply_to(prompt)
        if len(found) > 1:
            yield f"turn {n} of '{self.name}' is there {len(found)} times"
        elif not found:
            if n in self.acknowledged or printed:
                yield f"turn {n} of '{self.name}' is not there; {len(printed)} bytes were printed"
        else:
            x = found[0]
            answer = x["answer"].encode()
            whole = x["status"] == "complete"
            if x["query"] != prompt or not answer.startswith(printed):
                yield f"turn {n} of '{self.name}' is another; {len(printed)} bytes were printed"
            # The last character of an interrupted one may be cut, and is U+FFFD then.
            if x["answer"] != reply if whole else not reply.startswith(x["answer"].rstrip("\ufffd")):
                yield f"the answer of turn {n} of '{self.name}' is wrong ({x['status']})"
            if n in self.acknowledged and not whole:
                yield f"turn {n} of '{self.name}' was acknowledged, and is {x['status']}"


def look_at_store(place):
    r = place.run("mc-session-fsck", "--repair")
    again = place.run("mc-session-fsck")
    if again.status != 0 or r.err:
        yield f"mc-session-fsck ended with {again.status}: {again.out!r}; the repair said {r.out!r} {r.err!r}"


class Clock:
    """When to kill: so that about a third of the turns end before, small and large ones."""

    def __init__(self, choose):
        self.choose, self.start, self.per_byte = choose, 0.004, 2e-8

    def moment(self, size):
        return (self.start + self.per_byte * size) * self.choose.uniform(0.3, 1.2)

    def learn(self, size, late):
        step = 0.92 if late else 1.04
        if size < 10_000:
            self.start *= step
        elif size > 1_000_000:
            self.per_byte *= step


def too_few(counts, wanted):
    """Whether it would go on for ever."""
    return counts["turns"] > 100 + wanted / LEAST


def echo_kills(place, choose, counts):
    """Turns with the echo provider, in one session after the other."""
    prompts, clock = Prompts(choose), Clock(choose)
    while counts["kills"] < ECHO_KILLS:
        if too_few(counts, ECHO_KILLS):
            yield f"{counts['turns']} turns, and only {counts['kills']} kills"
            return
        place.write({})
        session = Session(place, f"echo{prompts.n}")
        while not session.full():
            prompt = prompts.next()
            data = prompt.encode()
            size = len(data) + len(session.history)
            argv = [str(BIN / "mc-chat"), "-n", "-s", session.name, "-p", "echo"]
            pid = place.spawn(argv, data)
            late = ended(pid, clock.moment(size))
            if not late:
                os.kill(pid, signal.SIGKILL)
            clock.learn(size, late)
            status = wait(pid, HANG)
            out = slurp(place.dir + "/out")
            counts["turns"] += 1
            counts["kills"] += status == -9
            counts["seen"] += status == -9 and bool(out)
            counts["acknowledged"] += status == 0
            yield from session.take(prompts.n, prompt, status, out)
        yield from session.look(lambda prompt: prompt)
        yield from look_at_store(place)


def stream_kills(place, choose, counts):
    """Replies of a server, until so many bytes of one were seen."""
    reply = "".join(PIECES)
    place.env["MC_MODEL"] = "test-model"
    Server(place, SCRIPT)
    n = 0
    while counts["kills"] < STREAM_KILLS:
        if too_few(counts, STREAM_KILLS):
            yield f"{counts['turns']} turns, and only {counts['kills']} kills"
            return
        place.write({})
        session = Session(place, f"stream{n}")
        while not session.full():
            n += 1
            source, sink = os.pipe()
            argv = [str(BIN / "mc-chat"), "-n", "-s", session.name, "-p", "openai-compatible", f"{n}: go on"]
            pid = place.spawn(argv, stdout=sink)
            os.close(sink)
            out = read_until(source, choose.randrange(1, len(reply.encode())))
            os.kill(pid, signal.SIGKILL)
            out += read_until(source, sys.maxsize)
            os.close(source)
            status = wait(pid, HANG)
            counts["turns"] += 1
            counts["kills"] += status == -9
            counts["seen"] += status == -9 and bool(out)
            counts["acknowledged"] += status == 0
            yield from session.take(n, f"{n}: go on", status, out)
        yield from session.look(lambda _: reply)
        yield from look_at_store(place)


def read_until(fd, size):
    """What comes of it; less when it ends, or when nothing comes for so long that it hangs."""
    data = b""
    while len(data) < size and select.select([fd], [], [], HANG)[0]:
        more = os.read(fd, 65536)
        if not more:
            break
        data += more
    return data


def main():
    tap = Tap()
    tap.note(f"FAULT_SEED={SEED}{' FAULT=full' if FULL else ''}")
    for what, kills in (("with the echo provider", echo_kills), ("in a stream", stream_kills)):
        counts = dict.fromkeys(("turns", "kills", "seen", "acknowledged"), 0)
        problems = list(itertools.islice(kills(place(), random.Random(SEED), counts), PROBLEMS))
        tap.note(f"{counts['kills']} kills in {counts['turns']} turns, {counts['seen']} of them when a part had been printed; "
                 f"{counts['acknowledged']} acknowledged")
        tap.result(not problems, f"SIGKILL {what} loses nothing", problems)
    return tap.end()


sys.exit(main())

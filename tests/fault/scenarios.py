"""What is run while something goes wrong, and what must be true after it.

    s = Chat(place, "chat", ...)
    s.prepare()                     # runs it once without a fault, to know what it should do
    hit, problems = s.trial(["-n", "17", "-e", "EIO"])

`hit` is the tracer's line about the call, or None where there was no such call. The
problems are sentences.

For each tool and each fault:

- It does not hang, and dies by no signal but our own. Its exit status is one that its
  manual page names, and a failure is told on standard error, under the tool's name.
- Every history that was there begins with what it was, or, deleted by mc-session-rm, is
  gone. No session is half there.
- A write that takes less than it was asked to, and a call that a signal interrupts, are
  no reason to fail.
- Status 0 means that all of it was done: the output is what it is without a fault, the
  exchange is in the history, and the list is up to date or says that it is not.
- What had been printed of a reply is in the session when mc-session-cat has looked.
- What an exchange, or a turn that is running, refers to in artifacts/ is there, and is what
  its name says.
- Without a fault, the tools read the store, the same thing works again, and after
  mc-session-fsck --repair, mc-session-fsck finds nothing.

What a class adds to this, it says.
"""

import hashlib
import json
import os
import re

import stores
from fault import AGAIN, HANG, ID, STEPS, histories, parse, records, slurp, spill

PROMPT = "one two… three"  # the prompt of what is traced: three pieces
# What can be interrupted (EINTR), and made again.
RETRIED = {"fdatasync", "flock", "fsync", "poll", "pread64", "pwrite64", "read",
           "recvfrom", "sendto", "write", "writev"}


def is_torn(tree):
    return any(h and not h.endswith(b"\n") for h in histories(tree or {}).values())


class Fault:
    """What was done, by the tracer's options and its line about the call."""

    def __init__(self, hit, options):
        self.call = hit.split()[1]
        self.on_stdout, self.on_stderr = hit.endswith(" (1)"), hit.endswith(" (2)")
        self.error = options[options.index("-e") + 1] if "-e" in options else None
        self.kills = "-k" in options
        short = not self.kills and not self.error
        # What prints by stdio does not write again, and catches no signal that would ask for it.
        # Nor does the loader of libraries read again.
        others = (self.on_stdout and self.call == "write") or ".so." in hit
        self.is_no_reason = short or (self.error == "EINTR" and self.call in RETRIED and not others)


class Scenario:
    statuses = {0, 1}

    def __init__(self, place, name, args, change=stores.as_it_is, stdin=b""):
        self.place, self.name, self.args, self.change, self.stdin = place, name, args, change, stdin

    # -- what is there before

    def sessions(self):
        return {**stores.session("demo"), **stores.session("other"), **stores.session("third", 1)}

    def prepare(self):
        """False when it does not even do without a fault what it should."""
        self.place.write(self.sessions())
        self.place.run("mc-session-ls")  # which makes the index
        self.before = self.change(self.place.read())
        self.place.write(self.before)
        self.normal = self.run()
        return self.normal.status in self.statuses and self.is_whole(self.normal.out)

    def run(self, options=None):
        return self.place.run(self.tool, *self.args, stdin=self.stdin, options=options)

    def calls(self):
        """The names of all system calls, in their order."""
        self.place.write(self.before)
        self.run(["-c"])
        return [line.split()[1] for line in slurp(self.place.hits).decode().splitlines()]

    # -- with a fault

    def trial(self, options):
        self.place.write(self.before)
        r = self.run(options)
        hit = slurp(self.place.hits).decode(errors="replace").strip()
        if not hit:
            return None, [f"it did not end in {HANG} s"] if r.status is None else []
        self.fault = Fault(hit, options)
        problems = list(self.problems(r))
        if problems:
            problems.append(f"it ended with {r.status} and {r.err!r}")
        return hit, problems

    def problems(self, r):
        killed = self.fault.kills and r.status == -9
        if r.status is None:
            yield f"it did not end in {HANG} s"
        elif r.status < 0 and not killed:
            yield f"signal {-r.status} ended it"
        elif not killed:
            yield from self.look_at_end(r)
            if r.status != 0 and self.goes_on():
                yield f"status {r.status}, and it could have gone on"
        after = self.place.read()
        yield from self.look_at_store(after)
        # What was being written when SIGKILL came may be torn, and then is a damaged line.
        self.damaged = is_torn(self.before) or (killed and is_torn(after))
        yield from self.recover(after)
        after = self.place.read()
        yield from self.look_at_spool(after)
        yield from self.look_at_result(r, after)
        yield from self.again()
        yield from self.repair()

    def look_at_end(self, r):
        if r.status not in self.statuses:
            yield f"exit status {r.status}"
        if r.status and not r.err.startswith(self.tool + ": ") and not self.fault.on_stderr:
            yield f"status {r.status} without a message of {self.tool}"
        if r.status == 0:
            if not self.is_whole(r.out):
                yield f"status 0, and standard output is {r.out!r}"
            yield from self.look_at_list(r)

    def is_whole(self, out):
        return out == self.normal.out

    def goes_on(self):
        return self.fault.is_no_reason

    def look_at_list(self, r):
        """After status 0 the list is up to date, or there was a notice."""
        tree = self.place.read()
        listed = {record.get("id"): record.get("historyBytes")
                  for record in records(tree.get("index.jsonl", b""))}
        if not listed or "list of sessions is not up to date" in r.err:
            return
        for name, history in histories(tree).items():
            if history is not None and listed.get(name) != len(history):
                yield f"status 0 without a notice, and the list is not true of '{name}'"

    def look_at_store(self, after):
        yield from self.look_at_prior(after)
        for name, history in histories(after).items():
            if history is None:
                yield f"session '{name}' has no history"
                continue
            if (parse(history.split(b"\n")[0]) or {}).get("type") != "session":
                yield f"session '{name}' has no session record"
            yield from self.look_at_artifacts(after, name)

    @staticmethod
    def look_at_artifacts(after, name):
        # The first line of a turn that is running is the beginning of an exchange, too.
        turn = (after.get(name + "/turn.partial") or b"").split(b"\n")[0] + b"\n"
        for record in [*records(after[name + "/history.jsonl"] or b""), *records(turn)]:
            for digest in (a["sha256"] for a in record.get("attachments") or ()):
                content = after.get(f"{name}/artifacts/{digest}")
                if content is None or hashlib.sha256(content).hexdigest() != digest:
                    yield f"what is attached in session '{name}' is not there, or not whole"

    def look_at_prior(self, after):
        for name, history in histories(self.before or {}).items():
            if not (after.get(name + "/history.jsonl") or b"").startswith(history):
                yield f"what was in session '{name}' is not there any more"

    def look_at_spool(self, tree):
        """The turn that a crash had cut short is in the history now, once, in the same bytes
        whoever stored it."""
        for name, spool in (self.before or {}).items():
            if name.endswith("/turn.partial"):
                history = os.path.dirname(name) + "/history.jsonl"
                whole = b"".join(line + b"\n" for line in self.before[history].split(b"\n") if parse(line))
                want = stores.sealed(spool, whole)
                found = [line + b"\n" for line in tree[history].split(b"\n")
                         if (parse(line) or {}).get("id") == stores.SPOOL_ID]
                if found != [want]:
                    yield f"of the turn that was cut short, there is {found} instead of {want}"

    def recover(self, after):
        ids = list(histories(after))
        if not ids:
            return
        r = self.place.run("mc-session-cat", "--json", *ids)
        if r.status != 0 and not self.tells_damage(r):
            yield f"after it, mc-session-cat ended with {r.status}: {r.err!r}"
        again = self.place.read()
        yield from self.look_at_store(again)
        left = [name for name in again if name.endswith("/turn.partial")]
        if left:
            yield f"after mc-session-cat, there is still {left}"

    def tells_damage(self, r):
        """mc-session-cat fails by a damaged line, until it was repaired."""
        return self.damaged and r.status == 1 and "damaged record" in r.err

    def look_at_result(self, r, tree):
        return ()

    def again(self):
        r = self.run()
        if r.status != 0 or not self.is_whole(r.out):
            yield f"then, without a fault, it ended with {r.status}: {r.out!r} {r.err!r}"

    def repair(self):
        r = self.place.run("mc-session-fsck", "--repair")
        if r.status not in (0, 1) or r.err:
            yield f"then mc-session-fsck --repair ended with {r.status}: {r.err!r}"
        tree = self.place.read()
        yield from self.look_at_repaired(tree)
        yield from Scenario.look_at_spool(self, tree)
        again = self.place.run("mc-session-fsck")
        if again.status != 0:
            yield f"after a repair, mc-session-fsck ended with {again.status}: " \
                  f"{again.out!r} {again.err!r}; the repair said {r.out!r}"

    def look_at_repaired(self, after):
        """All valid records are there, in their order, and all damaged lines somewhere."""
        everything = b"\0".join(data for data in after.values() if data)
        paths = [name + "/history.jsonl" for name in histories(self.before or {})]
        for path in (*paths, "removed.jsonl"):
            lines = ((self.before or {}).get(path) or b"").split(b"\n")
            left = iter((after.get(path) or b"").split(b"\n"))
            if not all(line in left for line in lines if parse(line)):
                yield f"after a repair, a record of '{path}' is lost"
            if not all(line.strip(b"\0") in everything for line in lines if not parse(line)):
                yield f"after a repair, a damaged line of '{path}' is lost"


class New(Scenario):
    """What was printed is the id of a session that is there."""
    tool = "mc-session-new"

    def is_whole(self, out):
        return re.fullmatch(ID.encode() + b"\n", out)

    def look_at_result(self, r, tree):
        name = r.out.decode().strip()
        if r.out.endswith(b"\n") and not histories(tree).get(name):
            yield f"it printed '{name}', and there is no such session"

    def again(self):
        # One with a given id may be there now, and then is said to be.
        r = self.run()
        there = "--id" in self.args and "exists already" in r.err
        if (r.status != 0 or not self.is_whole(r.out)) and not there:
            yield f"then, without a fault, it ended with {r.status}: {r.err!r}"


class Ls(Scenario):
    tool = "mc-session-ls"


class Cat(Scenario):
    """The list is no affair of its own."""
    tool = "mc-session-cat"

    def look_at_list(self, r):
        return ()

    def again(self):
        r = self.run()
        if (r.status != 0 and not self.tells_damage(r)) or not self.is_whole(r.out):
            yield f"then, without a fault, it ended with {r.status}: {r.out!r} {r.err!r}"


class Rm(Scenario):
    """All of the session is there, or nothing; with status 0 nothing."""
    tool = "mc-session-rm"

    def kept(self, after):
        return after if "demo" in after else {**self.before, **after}

    def look_at_prior(self, after):
        return super().look_at_prior(self.kept(after))

    def look_at_repaired(self, after):
        return super().look_at_repaired(self.kept(after))

    def look_at_result(self, r, tree):
        left = [name for name in tree if "demo" in name]
        if r.status == 0 and left:
            yield f"status 0, and there is still {left}"

    def again(self):
        r = self.run()
        gone = r.status == 1 and "no session 'demo'" in r.err
        if r.status != 0 and not gone:
            yield f"then, without a fault, it ended with {r.status}: {r.err!r}"
        if "demo" in self.place.read() or b"demo" in self.place.run("mc-session-ls", "-q").out:
            yield "then, without a fault, it did not delete the session"


class Chat(Scenario):
    """Status 0 means that the exchange is stored, as the last one, with its change record.
    A prompt that could not be stored was not sent. When it cannot be known whether the
    exchange is on the disk, the reply is there and the status is 74.
    """
    tool = "mc-chat"
    statuses = {0, 1, 2, 3, 74}
    reply = PROMPT

    def __init__(self, place, name, args, session, change=stores.as_it_is, changes=None):
        super().__init__(place, name, args, change, PROMPT.encode())
        self.session, self.changes = session, changes

    def is_whole(self, out):
        return out.decode(errors="replace") == self.reply + "\n"

    def look_at_end(self, r):
        yield from super().look_at_end(r)
        broken_off = r.status and self.reply.encode().startswith(r.out.removesuffix(b"\n"))
        if not (broken_off or (self.reply + "\n").encode().startswith(r.out)):
            yield f"standard output is {r.out!r}"
        if self.fault.call in ("fsync", "fdatasync") and self.fault.error not in (None, "EINTR"):
            yield from self.look_at_sync(r)

    def look_at_sync(self, r):
        """Something could not be forced to the disk. Without the list, one can go on."""
        if r.status == 0 and "list of sessions" in r.err:
            return
        if (r.status, bool(r.out)) not in ((74, True), (1, False)):
            yield f"status {r.status} and output {r.out!r} when it could not be forced to the disk"

    def turns(self, tree):
        """The exchanges of our prompt, each with its session and the record before it."""
        for name, history in histories(tree).items():
            before = {}
            for record in records(history or b""):
                if record.get("query") == PROMPT:
                    yield name, record, before
                before = record

    def look_at_result(self, r, tree):
        turns = list(self.turns(tree))
        if r.status == 0:
            done = [(name, before) for name, x, before in turns
                    if x["status"] == "complete" and x["answer"] == self.reply]
            if len(done) != 1 or len(turns) != 1:
                yield f"status 0, and the exchange is there {len(done)} of {len(turns)} times"
            elif self.session and done[0][0] != self.session:
                yield f"status 0, and the exchange is in session '{done[0][0]}'"
            elif self.changes and {**done[0][1], **self.changes} != done[0][1]:
                yield "status 0, and there is no record of the change"
        text = r.out.rstrip(b"\n")
        if text and not any(x["answer"].encode().startswith(text) for _, x, _ in turns):
            yield f"{text!r} was printed, and is not in the session"
        if len({x["id"] for _, x, _ in turns}) < len(turns):
            yield "an exchange is there twice"


class AttachChat(Chat):
    """The exchange refers to the file, and in any case nothing refers to what is not there."""

    def __init__(self, place, name, args, session, change=stores.as_it_is):
        file = place.dir + "/cat.png"
        spill(file, stores.PICTURE)
        super().__init__(place, name, [*args, "-a", file], session, change)

    def look_at_result(self, r, tree):
        yield from super().look_at_result(r, tree)
        for _, record, _ in self.turns(tree):
            if record.get("attachments") != [stores.reference(stores.PICTURE)]:
                yield f"the exchange has {record.get('attachments')} attached"


class ChatUnsaved(Chat):
    """--no-save changes nothing in the store."""

    def look_at_result(self, r, tree):
        if tree != self.before:
            yield "the store has changed"


class Fsck(Scenario):
    """What there is to be found is found, or there is a message."""
    tool = "mc-session-fsck"

    def prepare(self):
        fit = super().prepare()
        self.findings = self.normal.status == 1
        return fit and not self.normal.err

    def look_at_end(self, r):
        # Findings are a reason for status 1 too.
        if r.status not in self.statuses:
            yield f"exit status {r.status}"
        told = r.err.startswith(self.tool + ": ") or self.fault.on_stderr
        whole = r.out.count(b"\n") == self.normal.out.count(b"\n")
        if not told and (r.status and not r.out or self.fault.on_stdout and not whole):
            yield f"status {r.status} without a word"
        if r.status == 0 and self.findings:
            yield "status 0, and there is something to be found"
        if self.fault.is_no_reason and not whole:
            yield f"it could have gone on, and standard output is {r.out!r}"

    def goes_on(self):
        return super().goes_on() and not self.findings

    def is_whole(self, out):
        return True

    def look_at_store(self, after):
        return self.look_at_repaired(after) if "--repair" in self.args else self.look_at_prior(after)

    def look_at_prior(self, after):
        """Without --repair it changes nothing."""
        if after != self.before:
            yield "the store has changed"

    def recover(self, after):
        return ()

    def again(self):
        return ()

    def look_at_spool(self, tree):
        return ()


class ServerChat(Chat):
    reply = "Hello from the server."
    script = {"responses": [{"steps": [
        {"text": "Hello"}, {"text": " from"}, {"text": " the server."}, {"finish": "stop"},
        {"usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}}, {"done": True},
    ]}]}

    def sessions(self):
        other = stores.session("demo")
        return {name: data and data.replace(b'"echo"', b'"openai-compatible"', 1)
                for name, data in other.items()}


class Pictured:
    """Something is attached to an exchange that is there before."""

    def sessions(self):
        return stores.with_picture(super().sessions())


class PictureChat(Pictured, Chat):
    pass


class PictureAttachChat(Pictured, AttachChat):
    pass


class PictureServerChat(Pictured, ServerChat):
    pass


class PictureRm(Pictured, Rm):
    pass


class PictureFsck(Pictured, Fsck):
    """One that is missing cannot be brought back."""

    def repair(self):
        return super().repair() if self.change is stores.as_it_is else ()


class AutoChat(ServerChat):
    """The conversation has outgrown the window, and is summed up before the turn. That this
    fails is told, and no reason for the turn to fail.
    """

    def sessions(self):
        return {name: data and data.replace(b"ask 2", b"ask 2 " + b"word " * 3000)
                for name, data in super().sessions().items()}

    def run(self, options=None):
        config = self.place.dir + "/config.json"
        with open(config, "w", encoding="utf-8") as f:
            json.dump({"context": 4096, "autoCompact": True}, f)
        self.place.env["MC_CONFIG"] = config
        try:
            return super().run(options)
        finally:
            del self.place.env["MC_CONFIG"]

    def prepare(self):
        return super().prepare() and "summing up" in self.normal.err and \
            len(summaries(self.place.read())) == 1

    def look_at_sync(self, r):
        if r.status != 0 or "could not be summed up" not in r.err:
            yield from super().look_at_sync(r)

    def look_at_result(self, r, tree):
        yield from super().look_at_result(r, tree)
        yield from look_at_summaries(tree, self.reply)
        if r.status == 0 and "summing up" in r.err and "could not" not in r.err and \
                not summaries(tree):
            yield "there is no summary, and no word of why"


class Again(Scenario):
    """The last prompt is asked again, in the place of the last exchange (again.c, as /retry
    does). That one leaves the conversation only together with a stored exchange of that prompt.
    """
    tool = AGAIN
    statuses = {0, 1, 74}

    def look_at_end(self, r):
        yield from super().look_at_end(r._replace(err=r.err.replace("again: ", self.tool + ": ", 1)))
        if not self.normal.out.startswith(r.out):
            yield f"standard output is {r.out!r}"

    def prepare(self):
        fine = super().prepare()
        self.old = conversation(self.before["demo/history.jsonl"])
        return fine

    def look_at_result(self, r, tree):
        now = conversation(tree["demo/history.jsonl"])
        kept, new = now[:len(self.old)] == self.old, now[-1]
        replaced = now[:-1] == self.old[:-1]
        if new["query"] != self.old[-1]["query"] or not (kept or replaced):
            yield f"the conversation is {[x['id'] for x in now]}"
        if r.status == 0 and (not replaced or kept or new["status"] != "complete"):
            yield "status 0, and the exchange is not in its place"
        if r.out.rstrip() and not any(
                x.get("query") == new["query"] and x["id"] != self.old[-1]["id"] and
                x["answer"].encode().startswith(r.out.rstrip())
                for x in records(tree["demo/history.jsonl"])):
            yield f"{r.out!r} was printed, and is not in the session"


class Steps(Scenario):
    """A turn in which the model calls tools (steps.c). No call runs twice; it runs only when its
    step is stored; and the exchange has the steps, the usage and the text that there are.
    """
    tool = STEPS
    statuses = {0, 1, 74}
    tokens = 11  # of each request

    def __init__(self, place, name, change=stores.as_it_is):
        self.file = place.store + "/../ran"  # goes with the store
        super().__init__(place, name, ["demo", self.file], change)

    def ran(self):
        return list(slurp(self.file).decode()) if os.path.exists(self.file) else []

    def prepare(self):
        return super().prepare() and self.ran() == ["a", "b", "c"]

    def look_at_end(self, r):
        yield from super().look_at_end(r._replace(err=r.err.replace("steps: ", self.tool + ": ", 1)))
        if not self.normal.out.startswith(r.out.rstrip(b"\n")):
            yield f"standard output is {r.out!r}"

    def look_at_result(self, r, tree):
        ran, found = self.ran(), list(records(tree["demo/history.jsonl"]))
        mine = [x for x in found if x.get("query") == "call tools"]
        steps = [x for x in found if x["type"] == "step" and x["exchange"] != stores.SPOOL_ID]
        results = [x["call"] for x in found if x["type"] == "result" and x["exchange"] != stores.SPOOL_ID]
        calls = [call["id"] for step in steps for call in step["calls"]]
        if len(set(ran)) < len(ran):
            yield f"a call ran twice: {ran}"
        if not set(ran) <= set(calls):
            yield f"{ran} ran, and only {calls} are stored"
        if len(set(results)) < len(results) or not set(results) <= set(calls):
            yield f"there are results of {results}, and calls {calls}"
        if len(mine) > 1:
            yield f"the exchange is there {len(mine)} times"
        for x in mine:
            yield from self.look_at_exchange(x, steps)
        text = "".join(step["text"] for step in steps) + "".join(x["answer"] for x in mine)
        if not text.encode().startswith(r.out.rstrip(b"\n")):
            yield f"{r.out!r} was printed, and {text!r} is stored"
        if r.status == 0 and (len(mine) != 1 or mine[0]["status"] != "complete" or len(results) != 3):
            yield "status 0, and the turn is not stored as it should"
        if steps and not mine:
            yield "there are steps, and not their exchange"

    def look_at_exchange(self, x, steps):
        if x.get("steps", 0) != len(steps) or [step["n"] for step in steps] != list(range(len(steps))):
            yield f"the exchange counts {x.get('steps')} steps, and there are {[step['n'] for step in steps]}"
        # The answer may have come, and then the turn failed or was killed.
        answered = {True} if x["status"] == "complete" else {False, True}
        usage = (x["tokenUsage"] or {}).get("totalTokens", 0)
        if usage not in {(len(steps) + n) * self.tokens for n in answered}:
            yield f"{x['status']} with {len(steps)} steps, its usage is {x['tokenUsage']}"
        if any(step["timestamp"] <= x["timestamp"] for step in steps):
            yield "a step is older than its exchange"

    def again(self):
        before = self.ran()
        yield from super().again()
        if self.ran() != before + ["a", "b", "c"]:
            yield f"then, without a fault, {self.ran()} ran, and {before} had before"


def conversation(history):
    """From the root to the head, as mc-session(5) has it."""
    at, head, before = {}, None, {}
    for x in records(history):
        if x.get("type") == "exchange":
            at[x["id"]], before[x["id"]] = x, head
            head = x["id"]
        elif x.get("type") == "rewind":
            head = x["to"]
    now = []
    while head in at and at[head] not in now:
        now.append(at[head])
        head = at[head].get("parent", before[head])
    return now[::-1]


class Compact(Scenario):
    """Status 0 means that the summary is stored, and printed; with 74 it is printed only. One
    that failed otherwise left nothing.
    """
    tool = "mc-session-compact"
    statuses = {0, 1, 2, 3, 74}
    reply = None

    def look_at_end(self, r):
        yield from super().look_at_end(r)
        if not self.normal.out.startswith(r.out):
            yield f"standard output is {r.out!r}"

    def look_at_result(self, r, tree):
        found = summaries(tree)
        yield from look_at_summaries(tree, self.normal.out.decode()[:-1])
        if r.status == 0 and len(found) != 1:
            yield f"status 0, and the summary is there {len(found)} times"
        if r.out and not found and r.status != 74 and not self.fault.kills:
            yield "it was printed, and is not in the session"

    def again(self):
        r = self.run()
        done = self.is_whole(r.out) or "nothing more to sum up" in r.err
        if r.status != 0 or not done:
            yield f"then, without a fault, it ended with {r.status}: {r.out!r} {r.err!r}"
        if len(summaries(self.place.read())) != 1:
            yield "then, without a fault, there was no summary, or there were two"


class ServerCompact(Compact):
    sessions = ServerChat.sessions


def summaries(tree):
    return [x for x in records(tree.get("demo/history.jsonl") or b"") if x.get("type") == "summary"]


def look_at_summaries(tree, text):
    """They are whole."""
    for x in summaries(tree):
        if x["text"] != text:
            yield f"there is a summary {x['text']!r}"


def scenarios(place):
    """All of them; those that ask a server need place.env["MC_BASE_URL"]."""
    echo = ["-p", "echo"]
    yield New(place, "session-new", [*echo, "-t", "A title"])
    yield New(place, "session-new --id", [*echo, "--id", "mine"])
    yield New(place, "session-new, no store", [*echo, "--id", "mine"], stores.nothing)
    yield New(place, "session-new, a long index", echo, stores.with_long_index)
    yield Ls(place, "session-ls", [])
    yield Ls(place, "session-ls --json", ["--json"])
    yield Ls(place, "session-ls, no index", [], stores.without_index)
    yield Ls(place, "session-ls, an empty index", [], stores.with_empty_index)
    yield Cat(place, "session-cat", ["demo"])
    yield Cat(place, "session-cat -n 1", ["-n", "1", "demo"])
    yield Cat(place, "session-cat --json", ["--json", "demo"])
    yield Cat(place, "session-cat --status", ["--status", "demo"])
    yield Cat(place, "session-cat, a turn cut short", ["demo"], stores.with_spool)
    yield Cat(place, "session-cat, a retry cut short", ["demo"], stores.with_retry_cut_short)
    yield Cat(place, "session-cat, cut short after a step", ["demo"], stores.with_stored_step)
    yield Compact(place, "session-compact", ["-k", "1", "demo"])
    yield Compact(place, "session-compact, a turn cut short", ["-k", "0", "demo"], stores.with_spool)
    yield Compact(place, "session-compact, a torn end", ["-k", "1", "demo"], stores.with_torn_end)
    yield ServerCompact(place, "session-compact, a server", ["-k", "1", "-m", "test-model", "demo"])
    yield Rm(place, "session-rm", ["-f", "demo"])
    yield PictureRm(place, "session-rm, a picture", ["-f", "demo"])
    yield Chat(place, "chat, a new session", echo, None)
    yield Chat(place, "chat, no store", [*echo, "-n", "-s", "mine"], "mine", stores.nothing)
    yield Chat(place, "chat", ["-s", "demo"], "demo")
    yield Chat(place, "chat -m -t", ["-s", "demo", "-m", "echo-2", "-t", "Another"], "demo",
               changes={"type": "change", "title": "Another"})
    yield Chat(place, "chat, a turn cut short", ["-s", "demo"], "demo", stores.with_spool)
    yield Chat(place, "chat, cut short with a step", ["-s", "demo"], "demo", stores.with_step_and_reply)
    yield Chat(place, "chat, a torn end", ["-s", "demo"], "demo", stores.with_torn_end)
    yield Chat(place, "chat, a long index", ["-s", "demo"], "demo", stores.with_long_index)
    yield Chat(place, "chat, no index", ["-s", "demo"], "demo", stores.without_index)
    yield ChatUnsaved(place, "chat --no-save", [*echo, "--no-save"], None)
    yield AttachChat(place, "chat -a, a new session", echo, None)
    yield AttachChat(place, "chat -a", ["-s", "demo"], "demo")
    yield PictureAttachChat(place, "chat -a, once more", ["-s", "demo"], "demo")
    yield AttachChat(place, "chat -a, one cut short", ["-s", "demo"], "demo",
                     stores.with_picture_cut_short)
    yield PictureChat(place, "chat, a picture in an earlier turn", ["-s", "demo"], "demo")
    yield ServerChat(place, "chat, a server", ["-s", "demo", "-m", "test-model"], "demo")
    yield PictureServerChat(place, "chat, a server, a picture in an earlier turn",
                            ["-s", "demo", "-m", "test-model"], "demo")
    yield Again(place, "asked again", ["demo"])
    yield Again(place, "asked again, a torn end", ["demo"], stores.with_torn_end)
    yield Steps(place, "tools are called")
    yield Steps(place, "tools are called, a turn cut short", stores.with_step_and_reply)
    yield AutoChat(place, "chat, summed up before it", ["-s", "demo", "-m", "test-model"], "demo")
    yield Fsck(place, "session-fsck", [])
    yield PictureFsck(place, "session-fsck, a picture", [])
    yield PictureFsck(place, "session-fsck, a damaged picture", [], stores.with_damaged_picture)
    yield PictureFsck(place, "session-fsck, a missing picture", [], stores.without_picture)
    yield Fsck(place, "session-fsck, damage", [], stores.damaged)
    yield Fsck(place, "session-fsck --repair", ["--repair"], stores.damaged)
    yield Fsck(place, "session-fsck --repair, cut short after a step", ["--repair"], stores.with_stored_step)

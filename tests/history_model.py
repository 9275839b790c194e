"""A model of reading history.jsonl, for tests/histories.py.

It follows the page mc-session(5) and shares nothing with the reader in lib/store: it reads the whole
file, forwards, and looks everything up again each time.  It is slow and short on purpose.

    h = History(b"...")      the bytes of a history.jsonl
    h.damaged, h.torn        numbers of lines that are not valid records
    h.path, h.index(name)    what they mean
    h.printed()              what mc-session-cat --json prints
    h.findings()             what mc-session-fsck finds in the file

What mc-session-cat --json prints:

    --branches   every valid line, as it is.
    -n N         the lines of the last N exchanges of the path, of their steps and of their results.
                 What of these stands before the last lines of these exchanges and of their counted steps
                 may be missing, because the reader, who comes from the end, stops there.
    neither      the lines of all exchanges of the path, of their steps and of their results; those of
                 the session record, of every change, and of each summary whose upTo is on the path.

Without --branches each record is printed once, as its last line, and the lines are in the order of the
file.  Rewinds and records of unknown types belong to no conversation.

A branch is counted where it ends: at an exchange that is off the path and not reached by any "from" or
"replaces" (these reach what they name, and its ancestors), and that no other such exchange follows.
A rewind to something that is not in the file is ignored, its "from" too, and only its time counts.
"""

import json
import re
from decimal import Decimal

COUNT_MAX = 2**53 - 1
TIME_MAX = 253402300799999  # the end of the year 9999
DEPTH = 64

SESSION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
DIGEST = re.compile(r"[0-9a-f]{64}")
NOT_IDS = ("index.jsonl", "index.lock", "removed.jsonl")
TOKENS = ("inputTokens", "outputTokens", "totalTokens", "reasoningTokens", "cachedInputTokens",
          "cacheWriteInputTokens")


class Damaged(Exception):
    pass


# One line

def need(good, why):
    if not good:
        raise Damaged(why)


def members(pairs):
    found = dict(pairs)
    need(len(found) == len(pairs), "two members of one name")
    need(not any("\0" in name for name in found), "a NUL in a name")
    return found


def no_number(word):
    raise Damaged(word)


def check_value(value, depth=DEPTH):
    """No half of a surrogate pair, and not too deep."""
    need(depth, "nested too deep")
    if isinstance(value, str):
        need(not re.search("[\ud800-\udfff]", value), "half a surrogate pair")
    elif isinstance(value, dict):
        for name, member in value.items():
            check_value(name, depth)
            check_value(member, depth - 1)
    elif isinstance(value, list):
        for element in value:
            check_value(element, depth - 1)


def parse(line):
    """The JSON object of a line.  A fraction is a Decimal."""
    try:
        value = json.loads(line.decode(), object_pairs_hook=members, parse_constant=no_number,
                           parse_float=Decimal)
    except (ValueError, RecursionError) as e:
        raise Damaged(str(e)) from e
    need(isinstance(value, dict), "not an object")
    check_value(value)
    return value


# What the members of a record may be.  Each takes a value that is not null.

def is_text(v):
    return isinstance(v, str)


def is_object(v):
    return isinstance(v, dict)


def is_count(v, most=COUNT_MAX):
    return type(v) is int and 0 <= v <= most


def is_time(v):
    return is_count(v, TIME_MAX)


def is_digest(v):
    return is_text(v) and DIGEST.fullmatch(v)


def is_dollars(v):
    return type(v) in (int, Decimal) and 0 <= v < COUNT_MAX // 10**9


def is_version(v):
    return type(v) is int and v == 1


def is_one_of(*words):
    return lambda v: v in words


def is_list_of(is_element):
    return lambda v: isinstance(v, list) and all(is_element(element) for element in v)


def is_session_id(v):
    return is_text(v) and SESSION_ID.fullmatch(v) and v not in NOT_IDS


def is_record(**kinds):
    """The name of an optional member begins with "_" here."""
    def judge(v):
        if not is_object(v):
            return False
        for name, is_kind in kinds.items():
            member = v.get(name.lstrip("_"))
            if not (name.startswith("_") if member is None else is_kind(member)):
                return False
        return True
    return judge


is_usage = is_record(_cost=is_dollars, **{"_" + name: is_count for name in TOKENS})
is_attachments = is_list_of(is_record(sha256=is_digest, name=is_text, type=is_text, size=is_count))
is_call = is_record(id=is_text, name=is_text, arguments=is_object)


def is_tags(v):
    return is_object(v) and all(isinstance(on, bool) for on in v.values())


IS_VALID = {
    "session": is_record(
        version=is_version, id=is_session_id, createdAt=is_time, _cwd=is_text, provider=is_text, model=is_text,
        _title=is_text, _system=is_text, _tags=is_list_of(is_text), _metadata=is_object, _forkedFrom=is_object,
        _importedFrom=is_object),
    "exchange": is_record(
        id=is_text, _parent=is_text, _replaces=is_text, timestamp=is_time, query=is_text, answer=is_text,
        model=is_text, status=is_one_of("complete", "error", "interrupted"), _steps=is_count, _duration=is_count,
        _tokenUsage=is_usage, _finishReason=is_text, _error=is_text, _reasoning=is_text,
        _attachments=is_attachments, _parameters=is_object, _leftOut=is_count, _native=is_object),
    "step": is_record(
        exchange=is_text, n=is_count, timestamp=is_time, text=is_text, _reasoning=is_text,
        calls=is_list_of(is_call), model=is_text, _duration=is_count, _tokenUsage=is_usage, _native=is_object),
    "result": is_record(
        exchange=is_text, n=is_count, call=is_text, timestamp=is_time,
        status=is_one_of("ok", "error", "denied", "timeout", "interrupted"), _exitStatus=is_count,
        _duration=is_count, output=is_text, _attachments=is_attachments, _artifact=is_digest),
    "change": is_record(
        _id=is_text, timestamp=is_time, _title=is_text, _tags=is_tags, _metadata=is_object, _tokenUsage=is_usage),
    "summary": is_record(
        _id=is_text, timestamp=is_time, upTo=is_text, text=is_text, model=is_text, _tokenUsage=is_usage),
    "rewind": is_record(timestamp=is_time, _from=is_text, _to=is_text),
}


def record_of(line):
    record = parse(line)
    kind = record.get("type")
    need(isinstance(kind, str), "no type")
    need(kind not in IS_VALID or IS_VALID[kind](record), f"not a valid {kind}")
    need(kind != "rewind" or "to" in record, "'to' is missing")
    return record


class Line:
    """A valid one."""

    def __init__(self, number, offset, text):
        self.number, self.offset, self.text = number, offset, text
        self.record = record_of(text)
        self.kind = self.record["type"]

    def get(self, name):
        return self.record.get(name)

    @property
    def identity(self):
        """Two lines of one identity are one record."""
        get = self.get
        if self.kind == "session":
            return self.kind, get("id"), get("createdAt")
        if self.kind == "step":
            return self.kind, get("exchange"), get("n")
        if self.kind == "result":
            return self.kind, get("exchange"), get("n"), get("call")
        if self.kind in ("exchange", "change", "summary") and get("id") is not None:
            return self.kind, get("id")
        return "line", self.text.rstrip(b" \t\r\n\v\f")

    @property
    def end(self):
        if self.kind not in IS_VALID:
            return 0
        return self.get("createdAt" if self.kind == "session" else "timestamp") + (
            self.get("duration") or 0 if self.kind in ("exchange", "step", "result") else 0)

    @property
    def order(self):
        """The greatest decides, among changes and among summaries of one exchange."""
        return self.get("timestamp"), self.get("id") or "", self.number

    @property
    def rank(self):
        """Of two versions of one record the greater is the better one."""
        status = ("interrupted", "error", "complete").index(self.get("status")) if self.kind == "exchange" else 0
        return status, len(self.text), self.text


# All of them

class History:
    def __init__(self, data):
        self.data = data
        self.lines = []          # the valid ones
        self.damaged = []        # numbers, from 1
        *whole, rest = data.split(b"\n")
        self.torn = len(whole) + 1 if rest else None
        self.size = len(data) - len(rest)
        offset = 0
        for number, text in enumerate(whole, 1):
            try:
                self.lines.append(Line(number, offset, text))
            except Damaged:
                self.damaged.append(number)
            offset += len(text) + 1
        last = {line.identity: line for line in self.lines}
        self.records = sorted(last.values(), key=lambda line: line.number)
        self.session = next((last[line.identity] for line in self.lines if line.kind == "session"), None)
        self.exchanges = {line.get("id"): line for line in self.of("exchange")}
        self.steps = {(line.get("exchange"), line.get("n")): line for line in self.of("step")}
        self.find_path()

    def of(self, kind):
        return [line for line in self.records if line.kind == kind]

    def find_path(self):
        """An exchange or a rewind names the head, unless that is not in the file."""
        head, self.parents, self.rewinds = None, {}, []
        for line in self.lines:
            if line.kind == "exchange":
                name = line.get("id")
                if self.exchanges[name] is line:
                    self.parents[name] = line.get("parent") if "parent" in line.record else head
                head = name
            elif line.kind == "rewind" and (line.get("to") is None or line.get("to") in self.exchanges):
                self.rewinds.append(line)
                head = line.get("to")
        self.path = self.ancestry(head)[::-1]

    def ancestry(self, name):
        """It, its parent, and so on."""
        found = {}
        while name in self.exchanges and name not in found:
            found[name] = True
            name = self.parents[name]
        return list(found)

    @property
    def head(self):
        return self.path[-1] if self.path else None

    def begins_early(self):
        """The parent of the first exchange is not in the file."""
        return bool(self.path) and self.parents[self.path[0]] not in (None, *self.exchanges)

    def branches(self):
        """The exchanges in which the branches end."""
        reached = set(self.path)
        for name in [r.get("from") for r in self.rewinds] + [x.get("replaces") for x in self.exchanges.values()]:
            reached.update(self.ancestry(name))
        off = [name for name in self.exchanges if name not in reached]
        return [name for name in off if not any(self.parents[x] == name for x in off if x != name)]

    # What belongs to the session

    def decided(self, choices):
        """choices(change) gives the names and values of a change; the latest of a name counts."""
        found = {}
        for change in sorted(self.of("change"), key=lambda line: line.order):
            found.update(choices(change))
        return found

    @property
    def title(self):
        titles = self.decided(lambda c: {} if c.get("title") is None else {"title": c.get("title")})
        return titles.get("title", self.session.get("title")) or None

    @property
    def tags(self):
        tags = dict.fromkeys(self.session.get("tags") or [], True)
        tags.update(self.decided(lambda c: c.get("tags") or {}))
        return sorted(tag for tag, on in tags.items() if on)

    @property
    def metadata(self):
        values = dict(self.session.get("metadata") or {})
        values.update(self.decided(lambda c: c.get("metadata") or {}))
        return {key: value for key, value in values.items() if value is not None}

    @property
    def summary(self):
        """The one in use, or None."""
        places = {name: place for place, name in enumerate(self.path)}
        useful = [line for line in self.of("summary") if line.get("upTo") in places]
        return max(useful, key=lambda line: (places[line.get("upTo")], line.order), default=None)

    def usage(self):
        sums = dict.fromkeys(TOKENS[:3], 0)
        for line in self.records:
            if line.kind in ("exchange", "change", "summary"):
                for name, n in (line.get("tokenUsage") or {}).items():
                    if name in (*TOKENS, "cost") and n is not None:
                        sums[name] = sums.get(name, 0) + n
        return sums

    def index(self, name):
        """The record of the index for a session in the folder `name`."""
        path = [self.exchanges[x] for x in self.path]
        s = self.session
        record = {
            "id": name,
            "createdAt": s.get("createdAt"),
            "updatedAt": max(line.end for line in self.lines),
            "exchangeCount": sum(x.get("status") == "complete" for x in path),
            "toolCalls": sum(len(line.get("calls")) for (x, _), line in self.steps.items() if x in self.path),
            "branches": len(self.branches()),
            "provider": s.get("provider"),
            "model": next((x.get("model") for x in path[::-1] if x.get("status") != "error"), s.get("model")),
            "cwd": s.get("cwd") or "",
            "title": cut(self.title),
            "tags": self.tags,
            "firstQuery": cut(path[0].get("query")) if path else None,
            "lastQuery": cut(path[-1].get("query")) if path else None,
            "root": self.path[0] if path else None,
            "usageTotals": self.usage(),
            "historyBytes": self.size,
            "version": 1,
        }
        if self.summary:
            place = self.path.index(self.summary.get("upTo")) + 1
            record["summaryAt"] = self.summary.offset
            record["summaryOf"] = sum(x.get("status") == "complete" for x in path[:place])
        return record

    # What the tools print

    def printed(self, branches=False, last=None):
        if branches:
            return [line.text for line in self.lines]
        path = self.path if last is None else self.path[-last:]

        def belongs(line):
            if line.kind == "exchange":
                return line.get("id") in path
            if line.kind in ("step", "result"):
                return line.get("exchange") in path
            if last is not None:
                return False
            return line is self.session or line.kind == "change" or (
                line.kind == "summary" and line.get("upTo") in path)

        return [line.text for line in self.records if belongs(line)]

    def unsure(self, last):
        """How many of the lines of printed(last=last), the first ones, may be missing."""
        sure = [self.exchanges[name].number for name in self.path[-last:]]
        sure += [line.number for (name, n), line in self.steps.items()
                 if name in self.path[-last:] and n < (self.exchanges[name].get("steps") or 0)]
        return sum(line.number < min(sure) and line.kind in ("step", "result") and
                   line.get("exchange") in self.path[-last:] for line in self.records) if sure else 0

    def findings(self):
        """(kind, line number), of all kinds but "duplicate".  A circle of parents may come from a version of
        an exchange that is not the best one, so it is a finding only where no record has two versions."""
        texts = self.data.split(b"\n")
        found = [("record", n) for n in self.damaged] + [("torn", self.torn)] * bool(self.torn)
        found = [("nul" if b"\0" in texts[n - 1] else kind, n) for kind, n in found]
        for name, line in self.exchanges.items():
            said = line.get("parent")
            if said is not None and said not in self.exchanges or not self.versions() and self.goes_round(name):
                found.append(("parent", line.number))
            if (line.get("steps") or 0) != sum(x == name for x, _ in self.steps):
                found.append(("steps", line.number))
        lost = {}  # one finding for all steps of an exchange: the first one
        for (name, _), line in self.steps.items():
            if name not in self.exchanges:
                lost[name] = min(line.number, lost.get(name, line.number))
        found += [("steps", number) for number in lost.values()]
        for line in self.of("result"):
            step = self.steps.get((line.get("exchange"), line.get("n")))
            if not step or line.get("call") not in [call["id"] for call in step.get("calls")]:
                found.append(("result", line.number))
        return sorted(found)

    def goes_round(self, name):
        """Its ancestors lead back to it."""
        return self.parents[self.ancestry(name)[-1]] == name

    @staticmethod
    def best(group):
        """Of the versions of a record, the one that a repair keeps.  An exchange stays where it is in the tree."""
        def place(line):
            return "parent" in line.record, line.get("parent")
        return max((line for line in group if group[0].kind != "exchange" or place(line) == place(group[-1])),
                   key=lambda line: line.rank)

    def versions(self):
        """The lines of each record that has several lines and an identity of its own."""
        groups = {}
        for line in self.lines:
            if line.identity[0] not in ("line", "session"):
                groups.setdefault(line.identity, []).append(line)
        return [group for group in groups.values() if len(group) > 1]


def cut(text):
    return text if text is None or len(text) <= 100 else text[:100] + "..."

#!/usr/bin/python3 -B
"""Files that a crash or a bad disk damaged: cut short, ended by NULs, a bit flipped.

The history and the index are cut at every offset of their last 8 KB, and their ends are
overwritten or followed by 1 to 4096 NULs, as a loss of power may leave them; in the index
three bits of every byte are flipped, in the history one.  The short form takes some of
each, spread evenly.  What must hold:

  - no tool crashes, and none that only reads changes a file, except the index;
  - mc-session-cat --json prints all lines of the history but the damaged one, byte for
    byte; mc-session-ls --json prints the last whole record of each session.  It looks at
    the beginning and end of a record only, as mc-session(5) has it: one that was flipped
    within is printed as it is, and is for mc-session-fsck to find;
  - where a line of the index cannot be read, mc-session-ls makes the index again, says so,
    and prints the sessions that were missing, too;
  - mc-chat goes on behind the damage: the file begins with what was there, and the new
    record is read;
  - mc-session-fsck finds the damage; with an index it may find none only if the list is
    what the histories say;
  - --repair leaves all valid records where they were, and every byte of the damaged line,
    or the whole damaged index, is in .quarantine; the list is then that of an index made
    from nothing; mc-session-fsck finds nothing more, and a second --repair changes nothing.
"""

import json
import os
import pathlib
import shutil

import harness
from harness import FULL, RANDOM, SHORT, chat, fsck, history, listing, ok, run, tree, whole_lines

TAIL = 8192
BITS = 0, 5, 7  # other digits and letters, the other case, and no UTF-8
NULS = [1, 2, 7, 8, 100, 511, 512, 513, 2048, 4095, 4096]
TEXTS = ["short", "a \"quoted\" \\ text", "naïve café – 漢字 🙂", "two\nlines\tand a tab", "x" * 300]


# ---- a store that is whole ----

def dump(record):
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def head(name):
    return dump({"type": "session", "version": 1, "id": name, "createdAt": 1700000000000,
                 "cwd": "/", "provider": "echo", "model": "echo", "title": f"On {name}"})


def exchange_id(number):
    return f"018bcfe5-6800-7000-8000-{number:012}"


def exchange(number, first=1):
    text = TEXTS[number % len(TEXTS)]
    return dump({"type": "exchange", "id": exchange_id(number),
                 "parent": exchange_id(number - 1) if number > first else None,
                 "timestamp": 1700000000000 + 1000 * number, "query": f"{text} {number}",
                 "answer": text * (1 + number % 3), "summary": None, "model": "echo",
                 "status": "complete", "duration": 5,
                 "tokenUsage": {"inputTokens": 2, "outputTokens": 3, "totalTokens": 5}})


def build():
    """Session a, whose history has some 12 KB, and as many others as fill an index of 10 KB.

    The index has records that later ones replace, too."""
    write({"a/history.jsonl": head("a") + b"".join(map(exchange, range(1, 28)))})
    for number in range(24):
        name = f"s{number:02}"
        write({f"{name}/history.jsonl": head(name) + exchange(100 + number, 100 + number)})
    run("session-ls")
    index = pathlib.Path("sessions/index.jsonl")
    old = [line.replace(b'"exchangeCount":1', b'"exchangeCount":0')
           for line in whole_lines(index.read_bytes())[1:8]]
    index.write_bytes(b"".join(whole_lines(index.read_bytes())[:1] + old +
                               whole_lines(index.read_bytes())[1:]))
    return tree()


def write(files):
    for name, data in files.items():
        path = pathlib.Path("sessions", name)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_bytes(data)
        path.chmod(0o600)


def restore(base, **changed):
    """Makes the store `base` again, but for what is changed."""
    wanted = {**base, **{name.replace("__", "/") + ".jsonl": data for name, data in changed.items()}}
    now = tree()
    for name in now.keys() - wanted.keys():
        path = os.path.join("sessions", name)
        if os.path.isdir(path):
            shutil.rmtree(path)
        elif os.path.exists(path):
            os.unlink(path)
    write({name: data for name, data in wanted.items() if now.get(name, b"none") != data
           and data is not None})
    return wanted


# ---- which damage ----

def spread(numbers, n):
    """n of them, from the first to the last; all in the long form."""
    numbers = list(numbers)
    n = max(2, n // 6) if SHORT else n
    if FULL or len(numbers) <= n:
        return numbers
    return [numbers[i * (len(numbers) - 1) // (n - 1)] for i in range(n)]


def cuts(data, n):
    """Every offset at which the last 8 KB can be cut; line ends and their neighbours too."""
    first = max(len(data) - TAIL, data.find(b"\n") + 1)
    ends = [i + d for i in range(first, len(data)) if data[i] == 10 for d in (0, 1)]
    chosen = {*spread(range(first, len(data)), n), *spread(ends, 8)}
    return [(f"cut at {at}", data[:at]) for at in sorted(chosen) if at < len(data)]


def nuls(data, n):
    sizes = [*NULS, *range(1, 4097, 61)] if FULL else NULS
    for size in spread(sizes, n):
        yield f"{size} NULs behind it", data + bytes(size)
        # What was to be appended has its size, and a part of it, or nothing, is there.
        at = RANDOM.randrange(len(data) - TAIL, len(data))
        yield f"{size} NULs at {at}", data[:at] + bytes(size)
        yield f"{size} NULs at a line's end", data[:data.rfind(b"\n", 0, at) + 1] + bytes(size)
        if size < TAIL:
            yield f"the last {size} bytes NULs", data[:-size] + bytes(size)


def flips(data, n, bits):
    for at in spread(range(len(data)), n):
        for bit in bits if FULL else [RANDOM.choice(bits)]:
            yield f"bit {bit} at {at}", data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1:]


# ---- the history ----

def is_record(line):
    try:
        return "type" in json.loads(line)
    except (ValueError, TypeError):
        return False


def same(what, expected, result, status):
    if result.out != expected:
        yield f"{what} printed something else: {result.err.decode(errors='replace')}"
    if result.status != status:
        yield f"{what}: status {result.status}, not {status}: {result.err.decode(errors='replace')}"


def check_printed(data):
    lines = whole_lines(data)
    good = [line for line in lines if is_record(line)]
    yield from same("mc-session-cat", b"".join(good), run("session-cat", "--json", "a"),
                    0 if good == lines else 1)


def check_appended(data):
    """The history goes on behind the damage."""
    result = chat("a", "after the damage")
    now = history("a").read_bytes()
    if result.status != 0 or result.out != b"after the damage\n":
        yield f"mc-chat: {result}"
    if not now.startswith(data):
        yield "mc-chat changed what was there"
    added = now[len(data):]
    if data[-1:] != b"\n":
        if added[:1] != b"\n":
            yield "the torn line was not ended"
        added = added[1:]
    if [x["query"] for x in harness.exchanges(added)] != ["after the damage"]:
        yield f"mc-chat appended {added}"
    yield from check_printed(now)


def check_repaired(lost, intact):
    """`lost`: bytes that must be in quarantine now; `intact`: whether there is nothing to find."""
    found = fsck()
    if found.status != (0 if intact else 1) or bool(found.out) == intact:
        yield f"mc-session-fsck: {found}"
    repaired = fsck("--repair")
    if repaired.status != found.status:
        yield f"mc-session-fsck --repair: {repaired}"
    first = tree()
    aside = [data for name, data in first.items() if name.startswith(".quarantine/") and data]
    for part in lost:
        if not any(part in data for data in aside):
            yield f"{len(part)} bytes are not in quarantine: {part[:80]}… ({repaired})"
    for words in [()], [("--repair",)]:
        again = fsck(*words[0])
        if again.status != 0 or again.out:
            yield f"mc-session-fsck {words[0]} after the repair: {again}"
    if tree() != first:
        yield "a second repair changed something"


def check_history_repaired(data, stale):
    good, bad = [], []
    lines = whole_lines(data)
    if data[-1:] != b"\n":
        lines.append(data[data.rfind(b"\n") + 1:] + b"\n")
    for line in lines:
        if is_record(line):
            good.append(line)
        else: # a record beside NULs gets a line of its own
            bad.append(line)
            good += [piece + b"\n" for piece in line[:-1].split(b"\0") if is_record(piece)]
    yield from check_repaired([line[:-1] for line in bad], not bad and not stale)
    if history("a").read_bytes() != b"".join(good):
        yield "after the repair, the history is not its valid records"


def check_history(base, data, appending):
    restore(base, a__history=data)
    yield from check_printed(data)
    if history("a").read_bytes() != data:
        yield "mc-session-cat changed the history"
    if appending:
        yield from check_appended(data)
    yield from check_history_repaired(history("a").read_bytes(), not appending)


def check_flipped_history(base, data):
    """A flipped line is printed as it is, or told to be damaged; the others are printed."""
    restore(base, a__history=data)
    # Where a line is damaged, or its id is another, those before it are a branch.
    result = run("session-cat", "--json", "--branches", "a")
    untouched = set(whole_lines(base["a/history.jsonl"]))
    lines = whole_lines(data)
    sound = b"".join(line for line in lines if line in untouched)
    if result.status == 0 and result.out != data[:data.rfind(b"\n") + 1]:
        yield f"status 0, and not all was printed: {result.err}"
    if result.status == 1 and (result.out != sound or b":" not in result.err) and \
            untouched.issuperset(lines[:1]):
        yield f"the other lines were not printed as they are: {result.err}"
    if result.status not in (0, 1):
        yield f"{result.status}: {result.err}"
    if history("a").read_bytes() != data:
        yield "mc-session-cat changed the history"


# ---- the index ----

def names(lines):
    return [json.loads(line)["id"] for line in lines]


def listed_in_part(plain, rebuilt):
    """The records up to one that cannot be read, wherever that is, and then the new index's."""
    for n in range(len(plain) + 1):
        met = {line[7:line.find(b'"', 7)].decode() for line in plain[:n]}
        yield b"".join(plain[:n] + [line for line in rebuilt if json.loads(line)["id"] not in met])


def check_listed(data, rebuilt):
    plain = listing(data)
    result = run("session-ls", "--json")
    if pathlib.Path("sessions/index.jsonl").read_bytes() == data:
        yield from same("mc-session-ls", b"".join(plain), result, 0)
        return
    if b"was made again" not in result.err:
        yield f"mc-session-ls changed the index without a word: {result.err}"
    if result.status != 0 or result.out not in listed_in_part(plain, rebuilt):
        yield f"mc-session-ls, which made the index again, printed something else: {result.err}"
    again = run("session-ls", "-q")
    if again.out.decode().split() != names(rebuilt) or again.err:
        yield f"the index that was made again lists something else: {again}"


def check_list_goes_on(data, rebuilt):
    result = chat("a", "after the damage")
    now = pathlib.Path("sessions/index.jsonl").read_bytes()
    if result.status != 0:
        yield f"mc-chat: {result}"
    if not now.startswith(data):
        yield "mc-chat changed what was in the index"
    first = json.loads(listing(now)[0])
    if (first["id"], first["lastQuery"]) != ("a", "after the damage"):
        yield f"the list begins with {first}"
    others = [line for line in rebuilt if json.loads(line)["id"] != "a"]
    yield from check_listed(now, [listing(now)[0], *others])


def check_index_repaired(data, rebuilt):
    if fsck().status == 0:
        if listing(data) != rebuilt and sorted(listing(data)) != sorted(rebuilt):
            yield "mc-session-fsck found nothing, and the list is wrong"
        return
    yield from check_repaired([data], False)
    yield from same("mc-session-ls after the repair", b"".join(rebuilt),
                    run("session-ls", "--json"), 0)


def check_index(base, data, rebuilt, number):
    """The whole of it is checked for some; what the long form would take hours for."""
    restore(base, index=data)
    yield from check_listed(data, rebuilt)
    restore(base, index=data)
    if number % 8 == 0:
        yield from check_index_repaired(data, rebuilt)
    if number % 8 == 4:
        yield from check_list_goes_on(data, rebuilt)


# ---- all of it ----

def sweep(name, cases, check):
    complaints = []
    total = 0
    for what, data in cases:
        complaints += [f"{what}: {text}" for text in check(data, total)]
        total += 1
    ok(f"{name} ({total} cases)", complaints)


def main():
    harness.fresh()
    base = build()
    past, index = base["a/history.jsonl"], base["index.jsonl"]
    restore({name: data for name, data in base.items() if name != "index.jsonl"})
    run("session-ls")
    rebuilt = listing(pathlib.Path("sessions/index.jsonl").read_bytes())
    ok("the list is that of an index made from nothing",
       [] if listing(index) == rebuilt else ["it is not"])
    restore(base)
    ok("the store is whole", [] if fsck().status == 0 else [fsck()])

    sweep("history, cut", cuts(past, 80), lambda data, k: check_history(base, data, k % 2 == 0))
    sweep("history, NULs", nuls(past, 6), lambda data, k: check_history(base, data, k % 2 == 0))
    sweep("history, a bit flipped", flips(past, 300, [0]),
          lambda data, k: check_flipped_history(base, data))
    sweep("index, cut", cuts(index, 120), lambda data, k: check_index(base, data, rebuilt, 4 * k))
    sweep("index, NULs", nuls(index, 4), lambda data, k: check_index(base, data, rebuilt, 4 * k))
    sweep("index, a bit flipped", flips(index, 500, BITS),
          lambda data, k: check_index(base, data, rebuilt, k))
    harness.finish()


main()

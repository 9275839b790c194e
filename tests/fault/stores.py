"""Stores to begin with, made by hand. A function takes one as Place.read() gives it, with
the sessions demo, other and third in its index, and returns another."""

import hashlib
import json


def line_of(record):
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def exchange_id(n):
    return f"018bcfe5-6800-7000-8000-{n:012d}"


def exchange(n, query, answer, parent=None):
    return line_of({
        "type": "exchange", "id": exchange_id(n), "parent": exchange_id(parent) if parent else None,
        "timestamp": 1700000000000 + n, "query": query, "answer": answer, "summary": None,
        "model": "echo", "status": "complete", "duration": 5,
        "tokenUsage": {"inputTokens": 2, "outputTokens": 3, "totalTokens": 5},
    })


def head(session):
    return json.dumps({
        "type": "session", "version": 1, "id": session, "createdAt": 1700000000000, "cwd": "/",
        "provider": "echo", "model": "echo", "title": "Notes on " + session,
    }, separators=(",", ":")).encode() + b"\n"


def session(name, exchanges=2):
    return {name: None, name + "/history.jsonl": head(name) + b"".join(
        exchange(n, f"ask {n}", f"reply {n}: naïve…", n - 1) for n in range(1, exchanges + 1))}


PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 300  # more than one read(2)


def reference(content):
    """What an exchange says of a file that is attached to it."""
    return {"sha256": hashlib.sha256(content).hexdigest(), "name": "cat.png", "type": "image/png",
            "size": len(content)}


def with_picture(tree):
    """Attached to the last exchange of demo. Its index is to be made after that."""
    line = json.loads(exchange(8, "ask 8", "reply 8", 2)) | {"attachments": [reference(PICTURE)]}
    return {
        **tree, "demo/artifacts": None, "demo/artifacts/" + reference(PICTURE)["sha256"]: PICTURE,
        "demo/history.jsonl": tree["demo/history.jsonl"] +
                              json.dumps(line, separators=(",", ":")).encode() + b"\n",
    }


def with_damaged_picture(tree):
    return {**tree, "demo/artifacts/" + reference(PICTURE)["sha256"]: PICTURE[:-1]}


def without_picture(tree):
    return {name: data for name, data in tree.items() if not name.startswith("demo/artifacts/")}


def with_picture_cut_short(tree):
    """What another one left whose storing was killed."""
    return {**tree, "demo/artifacts": None, "demo/artifacts/.new": PICTURE[:999]}


SPOOL_ID = exchange_id(77)
SPOOL_ANSWER = "what had come of it"


def spool(n=0, **others):
    """A turn after the second exchange, of which the reply to request `n` was arriving."""
    return line_of({"type": "exchange", "id": SPOOL_ID, "parent": exchange_id(2), **others, "n": n,
                    "timestamp": 1700000000077, "query": "cut short", "model": "echo"}) + \
        SPOOL_ANSWER.encode()


SPOOL = spool()


def with_spool(tree):
    return {**tree, "demo/turn.partial": SPOOL}


def with_retry_cut_short(tree):
    """The last exchange was being asked again."""
    return {**tree, "demo/turn.partial": spool(parent=exchange_id(1), replaces=exchange_id(2))}


def with_step(tree, n):
    """The model had asked for two programs, of which one had run; its reply to request `n` was
    arriving."""
    usage = {"inputTokens": 7, "outputTokens": 2, "totalTokens": 9, "cost": 0.25}
    step = {"type": "step", "exchange": SPOOL_ID, "n": 0, "timestamp": 1700000000078, "text": SPOOL_ANSWER,
            "calls": [{"id": c, "name": "ls", "arguments": {"path": c}} for c in ("x", "y")],
            "model": "echo", "duration": 3, "tokenUsage": usage}
    result = {"type": "result", "exchange": SPOOL_ID, "n": 0, "call": "x", "timestamp": 1700000000079,
              "status": "ok", "exitStatus": 0, "duration": 1, "output": "a file"}
    return {**tree, "demo/turn.partial": spool(n),
            "demo/history.jsonl": tree["demo/history.jsonl"] + line_of(step) + line_of(result)}


def with_stored_step(tree):
    """The reply is a step by now, and the next request was not sent yet."""
    return with_step(tree, 0)


def with_step_and_reply(tree):
    return with_step(tree, 1)


def sealed(spool, history):
    """The line that a turn which was cut short becomes: the same whoever stores it."""
    head, _, answer = spool.partition(b"\n")
    head = json.loads(head)
    steps = [r for r in map(json.loads, filter(None, history.split(b"\n")[:-1])) if
             r["type"] == "step" and r["exchange"] == head["id"]]
    usage = {}
    for step in steps:
        for key, n in step["tokenUsage"].items():
            usage[key] = usage.get(key, 0) + n
    return line_of({
        "type": "exchange", "id": head["id"], "parent": head["parent"],
        **{key: head[key] for key in ("replaces",) if key in head},
        "timestamp": head["timestamp"], "query": head["query"],
        "answer": "" if head["n"] in [step["n"] for step in steps] else answer.decode(),
        "summary": None, "model": head["model"], "status": "interrupted",
        **({"steps": len(steps)} if steps else {}), "duration": None, "tokenUsage": usage or None,
    })


def with_torn_end(tree):
    """The history's last line is a fragment, as a crash in the middle of a write leaves it."""
    return {**tree, "demo/history.jsonl": tree["demo/history.jsonl"] + exchange(9, "torn", "torn")[:99]}


def without_index(tree):
    return {n: data for n, data in tree.items() if n != "index.jsonl"}


def with_empty_index(tree):
    return {**tree, "index.jsonl": b""}


def with_long_index(tree):
    """Ten times as long as it need be, and beyond 64 KiB: the next append makes it anew."""
    lines = tree["index.jsonl"].split(b"\n", 1)[1]
    return {**tree, "index.jsonl": b'{"live":3,"bytes":%d,"version":1}\n' % len(lines) +
            lines * (80000 // len(lines))}


def as_it_is(tree):
    return tree


def nothing(_):
    return None


def damaged(tree):
    """A damaged line in the middle, NULs, a torn end, a spool, leftovers, a damaged artifact;
    and a session that the index does not know."""
    lines = tree["demo/history.jsonl"].split(b"\n")
    lines[1:1] = [b'{"type":"exchange","id":"broken', b"\0" * 40]
    return {
        **tree, "demo/history.jsonl": b"\n".join(lines) + b'{"type":"exch',
        "other/turn.partial": SPOOL, ".new-x-y": None, ".new-x-y/history.jsonl": head("x"),
        "third/artifacts": None, "third/artifacts/.new": PICTURE[:999],
        "third/artifacts/" + reference(PICTURE)["sha256"]: PICTURE + b"damage",
        "removed.jsonl": b'{"id":"x","createdAt":1,"deletedAt":2}\ngarbage\n{"id":"y","deleted',
        **session("unlisted", 1),
    }

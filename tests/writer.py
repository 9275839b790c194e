#!/usr/bin/env python3
"""Writes turns into a session as mc-session(5) says a writer does, at random times.

    tests/writer.py DIRECTORY ID TURNS SEED

Replies arrive in pieces that are cut anywhere, some are not UTF-8, some turns fail, some are
never told but stored at once, and some writers die: the next one stores what came. Other
records (models, titles, rewinds) are not written: the conversation only grows.
"""

import codecs
import fcntl
import json
import os
import random
import sys
import time

# A byte that is no UTF-8 becomes one U+FFFD, as the tools have it.
codecs.register_error("each", lambda e: ("\ufffd", e.start + 1))

PARTS = ["word ", "two\nlines\n", "é", "日本語", "🎉", "\n", "\n\n", "`code`", "\t", "\\\"",
         b"\xff", b"\xe2\x82", b"\xf0\x9f", "e\u0301", "\r\n", "x" * 5000, "> quoted\n"]


class Writer:
    def __init__(self, directory, name, seed):
        self.folder = os.path.join(directory, name)
        self.random = random.Random(seed)
        self.number = 0

    def pause(self):
        if self.random.random() < 0.5:
            time.sleep(self.random.choice([0, 0.001, 0.005, 0.02]))

    def path(self, name):
        return os.path.join(self.folder, name)

    def text(self):
        n = self.random.choice([0, 1, 3, 10, 40])
        parts = [self.random.choice(PARTS) for _ in range(n)]
        return b"".join(p if isinstance(p, bytes) else p.encode() for p in parts)

    def append(self, history, head, answer, status):
        record = dict(head, answer=answer.decode("utf-8", "each"), summary=None, status=status)
        if status == "error":
            record["error"] = "no luck"
        os.write(history, json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")

    def recover(self, history):
        try:
            with open(self.path("turn.partial"), "rb") as f:
                head, answer = f.read().split(b"\n", 1)
        except FileNotFoundError:
            return
        head = json.loads(head)
        with open(self.path("history.jsonl"), "rb") as f:
            if head["id"].encode() not in f.read():
                self.append(history, head, answer, "interrupted")
        self.pause()
        os.unlink(self.path("turn.partial"))

    def stream(self, head, answer):
        fd = os.open(self.path("turn.partial"), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        line = json.dumps(head, separators=(",", ":")).encode() + b"\n"
        cut = self.random.randrange(len(line)) if self.random.random() < 0.2 else len(line)
        os.write(fd, line[:cut])
        self.pause()
        os.write(fd, line[cut:])
        while answer:
            n = self.random.choice([1, 2, 3, 7, 100, 10000])
            os.write(fd, answer[:n])
            answer = answer[n:]
            self.pause()
        os.close(fd)

    def turn(self):
        self.number += 1
        head = {"type": "exchange", "id": f"turn-{self.number:06}", "timestamp": 1700000000000 + self.number,
                "query": f"ask {self.number}\nand more", "model": "echo"}
        answer = self.text()
        history = os.open(self.path("history.jsonl"), os.O_RDWR | os.O_APPEND)
        fcntl.flock(history, fcntl.LOCK_EX)
        self.recover(history)
        how = self.random.choices(["streamed", "at once", "dies", "dies stored"], [6, 1, 2, 1])[0]
        if how != "at once":
            self.stream(head, answer)
        if how != "dies":
            self.append(history, head, answer, self.random.choice(["complete", "complete", "interrupted", "error"]))
            self.pause()
        if how == "streamed":
            os.unlink(self.path("turn.partial"))
        os.close(history)

    def run(self, turns):
        for _ in range(turns):
            self.turn()
            self.pause()
        history = os.open(self.path("history.jsonl"), os.O_RDWR | os.O_APPEND)
        fcntl.flock(history, fcntl.LOCK_EX)
        self.recover(history)


if __name__ == "__main__":
    Writer(sys.argv[1], sys.argv[2], int(sys.argv[4])).run(int(sys.argv[3]))

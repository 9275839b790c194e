#!/usr/bin/python3
"""What others wrote is shown at a terminal, and not obeyed.

Every text that strangers may have a hand in goes with all sequences of
hostile.py to a pseudo-terminal: replies, cut in two at every byte and sent byte
by byte; titles, models, errors, names of files, arguments, settings.  Prints TAP.

A test passes when

 - nothing arrives at the terminal but characters that it prints, tabs, and line
   feeds (each with the carriage return that the terminal itself puts before it):
   no control character in any form, no byte that is no UTF-8, and
 - each text is there, in order and readable, with every control character in
   the form that lib/tty/neutral.h gives it, wherever the text was cut.

The terminal is a dumb one: elsewhere readline and Markdown add sequences of their own, which
tests/fuzz/markdown.c tells from those of others.

And what goes to a pipe is the same text byte for byte, and --json means the same
in both places.
"""

import base64
import codecs
import fcntl
import itertools
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import tty

sys.dont_write_bytecode = True
from hostile import HIDDEN, TABLE  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TIME_LIMIT = 60  # seconds for one command; only a hang takes so long


# ---- what is expected ----

def replace_bytes(error):
    """Each byte that is no UTF-8 by one U+FFFD."""
    return "\ufffd" * (error.end - error.start), error.end


codecs.register_error("each byte", replace_bytes)

CONTROL = "\x00-\x08\x0b-\x1f\x7f-\x9f"
BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
INVISIBLE = ("\u180e\u200b\u2028\u2029\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb"
             "\U000e0001\U000e0020-\U000e007f")
OBEYED = re.compile(f"[{CONTROL}{BIDI}]")
UNSEEN = re.compile(f"[{INVISIBLE}]")


def show_control(match):
    code = ord(match[0])
    return f"^{chr(code ^ 0x40)}" if code < 0x80 else f"<U+{code:04X}>"


def neutral(data):
    """What is to be seen of it."""
    text = data.decode(errors="each byte") if isinstance(data, bytes) else data
    return UNSEEN.sub(show_control, OBEYED.sub(show_control, text.replace("\r\n", "\n")))


def neutral_end(data):
    """The same, where nothing follows: a character that breaks off there is one bad one."""
    decoder = codecs.getincrementaldecoder("utf-8")("each byte")
    return neutral(decoder.decode(data) + "\ufffd" * bool(decoder.getstate()[0]))


def said(data):
    """In a message, which is one line."""
    return neutral(data).replace("\n", " ")


def neutral_line(data):
    return re.sub("[ \t\n]+", " ", neutral(data)).strip(" ")


def harm(raw, forbidden=OBEYED):
    """What a terminal would obey (or not show), or None. `raw` is what its driver passed on."""
    raw = raw.replace(b"\r\n", b"\n")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        return f"no UTF-8: {raw[max(0, error.start - 30):error.end + 10]}"
    bad = forbidden.search(text)
    return bad and f"U+{ord(bad[0]):04X} in {ascii(text[max(0, bad.start() - 30):bad.end() + 10])}"


def seen(raw):
    return raw.replace(b"\r\n", b"\n").decode(errors="backslashreplace")


# ---- TAP ----

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
    """Two texts, or two lists. Says where they part."""
    at = next((n for n, pair in enumerate(zip(want, got)) if pair[0] != pair[1]), min(len(want), len(got)))
    around = slice(max(0, at - 40), at + 60) if isinstance(want, (str, bytes)) else slice(at, at + 1)
    ok(want == got, name, f"expected {ascii(want[around])}", f"seen     {ascii(got[around])}")


def shown(name, raw, pieces, in_order=True):
    """The pieces are all there, and nothing that a terminal obeys."""
    text, at, missing = seen(raw), 0, []
    for piece in pieces:
        found = text.find(piece, at if in_order else 0)
        if found < 0:
            missing.append(piece)
        else:
            at = found + len(piece)
    bad = harm(raw)
    why = [bad] if bad else []
    if missing:
        why += [f"missing, {len(missing)} of {len(pieces)}, the first: {ascii(missing[0])}",
                f"behind {ascii(text[max(0, at - 40):at])} comes {ascii(text[at:at + 80])}"]
    ok(pieces and not why, name, *why)


# ---- a place of its own, and a terminal ----

place = tempfile.mkdtemp(prefix="mcbox-terminal-")
environment = {name: value for name, value in os.environ.items()
               if not re.match("(MC|ANTHROPIC|OPENAI|GEMINI|GOOGLE|XDG|LC|TMUX)_|TMUX$|COLUMNS$|LINES$|LANG", name)
               and not name.lower().endswith("_proxy")}
environment |= {"PATH": os.environ.get("MCBOX_BIN_DIR", ROOT) + ":" + os.environ["PATH"],
                "HOME": place, "LC_ALL": "C.UTF-8", "TZ": "UTC", "TERM": "dumb", "MC_RETRIES": "0",
                "MC_PAGER": "cat"}


def path(name):
    return os.path.join(place, name)


def terminal(*argv, typed=None, columns=2000, **settings):
    """Runs a command with standard output and error at a terminal, and with its
    input there too when something is typed. Its status, and the bytes that came."""
    master, slave = pty.openpty()
    if typed is not None:
        tty.setraw(slave)
    mode = termios.tcgetattr(slave)
    mode[1] |= termios.OPOST | termios.ONLCR
    mode[3] &= ~termios.ECHO
    termios.tcsetattr(slave, termios.TCSANOW, mode)
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL if typed is None else slave, stdout=slave, stderr=slave,
        env=environment | settings, cwd=place, start_new_session=True)
    os.close(slave)
    try:
        raw = talk_to(master, typed or b"")
        return process.wait(TIME_LIMIT), raw
    except BaseException:
        process.kill()
        raise
    finally:
        os.close(master)


def talk_to(master, typed):
    raw, deadline = [], time.monotonic() + TIME_LIMIT
    os.set_blocking(master, False)
    while True:
        left = deadline - time.monotonic()
        readable, writable, _ = select.select([master], [master] if typed else [], [], max(0, left))
        if left < 0:
            raise TimeoutError(f"no end; the last that came: {b''.join(raw)[-200:]}")
        try:
            if writable:
                typed = typed[os.write(master, typed[:512]):]
            if readable:
                raw.append(os.read(master, 65536))
        except BlockingIOError:
            continue
        except OSError:  # the other end is closed
            return b"".join(raw)


def piped(*argv, **settings):
    """Its standard output; what it says on standard error is not of interest here."""
    return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, env=environment | settings, cwd=place,
                          timeout=TIME_LIMIT, check=False).stdout


# ---- texts ----

SEQUENCES = [sequence for _, sequence in TABLE]


def is_utf8(data):
    return data.decode(errors="each byte").encode() == data


def framed(sequences, *without):
    """Each with readable text around it; without those that hold one of these bytes."""
    return [b"a" + s + b"z" for s in sequences if not any(byte in s for byte in without)]


def packed(sequences, limit):
    """As few texts as hold them all, none longer than the limit."""
    pack = b""
    for text in sequences:
        if pack and len(pack) + len(text) >= limit:
            yield pack
            pack = b""
        pack += (b" " if pack else b"") + text
    yield pack


ALL = framed(SEQUENCES)
WITHOUT_HALVES = [s for s in SEQUENCES if b"\xed" not in s]
TEXTS = [text.decode() for text in ALL if is_utf8(text)]  # what JSON can hold
NAMES = framed(SEQUENCES, b"\0", b"/")  # what a file's name can be


# ---- a server, and its replies ----

def json_string(data):
    """As a bad server writes it: only what would end the string or the line is escaped."""
    return b'"%s"' % re.sub(rb'[\x00-\x1f"\\]', lambda m: b"\\u%04x" % m[0][0], data)


def send(data):
    return {"send_base64": base64.b64encode(data).decode()}


def piece(data):
    return send(b'data: {"choices":[{"delta":{"content":%s}}]}\n\n' % json_string(data))


def reply(pieces, end=True):
    """Each piece in a chunk of its own, which libcurl hands on by itself."""
    return {"keepalive": True,
            "steps": [piece(p) for p in pieces] + [{"finish": "stop"}, {"done": True}] * end}


def cut_everywhere(sequences):
    """Pieces of a reply, and the number of cuts of each sequence. Each cut is framed:
    <number.cut:sequence:number.cut>. The last cut is that into single bytes."""
    pieces, cuts = [b""], []
    for number, sequence in enumerate(sequences):
        cuts.append(len(sequence) + 2)
        for cut in range(len(sequence) + 2):
            pieces[-1] += b"<%d.%d:" % (number, cut)
            if cut <= len(sequence):
                pieces[-1] += sequence[:cut]
                pieces.append(sequence[cut:])
            else:
                pieces += [bytes([byte]) for byte in sequence] + [b""]
            pieces[-1] += b":%d.%d>\n" % (number, cut)
    return [p for p in pieces if p], cuts


def framed_forms(text):
    """What was seen of each cut: {number: {cut: form}}"""
    forms = {}
    for m in re.finditer(r"<(\d+)\.(\d+):(.*?):\1\.\2>", text, re.S):
        forms.setdefault(int(m[1]), {})[int(m[2])] = m[3]
    return forms


def taken(data):
    """What mc-chat makes of a reply: halves of a surrogate pair are one character, and one alone is bad."""
    data = re.sub(rb"\xed[\xa0-\xaf][\x80-\xbf]\xed[\xb0-\xbf][\x80-\xbf]",
                  lambda m: m[0].decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass")
                  .decode("utf-16").encode(), data)
    return re.sub(rb"\xed[\xa0-\xbf][\x80-\xbf]", "\ufffd".encode(), data)


class Server:
    def __init__(self, routes):
        with open(path("server.json"), "w", encoding="utf-8") as script:
            json.dump({"routes": routes}, script)
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(ROOT, "tests/server.py"), path("server.json"), path("server.log")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())

    def at(self, route):
        return {"MC_BASE_URL": f"http://127.0.0.1:{self.port}/{route}", "MC_MODEL": "m",
                "MC_PROVIDER": "openai-compatible", "MC_SESSIONS_DIR": path("replies")}

    def stop(self):
        self.process.stdin.close()
        self.process.wait(TIME_LIMIT)


def table_of_replies():
    """One reply holds the whole table, cut everywhere."""
    pieces, cuts = cut_everywhere(SEQUENCES)
    status, raw = terminal("mc-chat", "--plain", "-n", "-s", "cut", "hi", **server.at("cut"))
    ok(status == 0 and not harm(raw), f"a reply of {len(pieces)} pieces has nothing that a terminal obeys",
       status, harm(raw))
    text = seen(raw)
    forms = framed_forms(text)
    for family, group in itertools.groupby(enumerate(TABLE), lambda entry: entry[1][0]):
        wrong = []
        for number, (_, sequence) in group:
            want = dict.fromkeys(range(cuts[number]), neutral(taken(sequence)))
            got = forms.get(number, {})
            wrong += [f"{sequence}, cut {cut} of {cuts[number]}: {ascii(got.get(cut))}"
                      for cut in want if got.get(cut) != want[cut]]
        ok(not wrong, f"{family}: the same wherever they are cut", *wrong[:5])
    same("and nothing else is there", "Session: cut  openai-compatible m\n" + "".join(
        f"<{n}.{cut}:{neutral(taken(s))}:{n}.{cut}>\n" for n, s in enumerate(SEQUENCES)
        for cut in range(cuts[n])), text)
    with open(path("replies/cut/history.jsonl"), encoding="utf-8", errors="replace") as history:
        stored = [json.loads(line) for line in history][1]["answer"]
    same("the stored reply is exact", taken(b"".join(pieces)).decode(errors="each byte"), stored)
    same("and so it is when it is printed to a pipe", ("> hi\n\n" + stored).encode(),
         piped("mc-session-cat", "cut", **server.at("")))


def pieces_to_pipe():
    """A pipe of packets shows each write by itself: the pieces are what was sent, so the
    neutraliser was given them one by one above, too. (What may be half a pair is held back.)"""
    pieces, _ = cut_everywhere(WITHOUT_HALVES)
    ours, theirs = os.pipe2(os.O_DIRECT | os.O_CLOEXEC)
    process = subprocess.Popen(["mc-chat", "--no-save", "hi"], stdin=subprocess.DEVNULL, stdout=theirs,
                               env=environment | server.at("pipe"), cwd=place)
    os.close(theirs)
    got = list(iter(lambda: os.read(ours, 65536), b""))
    os.close(ours)
    process.wait(TIME_LIMIT)
    same("in a pipe the reply is exact, and it comes in the server's pieces", pieces, got)


def reply_in_one_piece():
    status, raw = terminal("mc-chat", "--plain", "--no-save", "--no-stream", "hi", **server.at("whole"))
    shown("a reply that is not streamed", raw, [neutral(taken(text)) for text in ALL])


def reply_as_json():
    status, raw = terminal("mc-chat", "--no-save", "--json", "hi", **server.at("whole"))
    ok(not harm(raw), "the record of a turn has nothing that a terminal obeys", harm(raw))
    record, want = parsed(seen(raw))[0], b"\n".join(ALL)
    for member, change in ("answer", taken), ("reasoning", taken), ("finishReason", bytes):
        same(f"and means the reply's {member}", change(want).decode(errors="each byte"), record[member])


def open_ends():
    """Replies that end with a sequence: what is open must not reach into what follows."""
    _, raw = terminal("mc-chat", "--plain", "--no-save", typed=b"hi\n" * len(SEQUENCES) + b"/exit\n", **server.at("open"))
    shown("replies that break off behind a sequence", raw, [
        neutral_end(taken(b"a" + s)).removesuffix("\n") + "\nmc-chat: the server ended the stream" for s in SEQUENCES])


# ---- errors of a server ----

ADVICE = {400: "", 401: "; no API key is set", 404: "; are the base URL", 429: "; try again later", 500: ""}


def refusals():
    """Bodies of answers that are no 2xx, and what is to be seen of each."""
    statuses = itertools.cycle(ADVICE)
    forms = [  # NUL ends these messages
        (b'{"error":{"message":%s}}', json_string, framed(SEQUENCES, b"\0")),
        (b'{"detail":[{"msg":%s}]}', json_string, framed(SEQUENCES[::7], b"\0")),
        (b"%s", bytes, framed(SEQUENCES[::5], b"\0")),
        (b"<html><TITLE>%s</title>", bytes, framed(SEQUENCES[::5], b"\0", b"<")),
    ]
    for body, encode, texts in forms:
        for text in packed(texts, 190):
            status = next(statuses)
            yield ({"status": status, "keepalive": True, "headers": {"Content-Type": "text/html"},
                    "steps": [send(body % encode(text))]},
                   f"the server answered {status}: {said(text)}{ADVICE[status]}")
    for text in packed(framed(SEQUENCES, b"\0"), 800):
        yield ({"keepalive": True, "steps": [
            piece(b"so far"), send(b'data: {"error":{"message":%s}}\n\n' % json_string(text))]},
            f"so far\nmc-chat: the server reports: {said(text)}\n")


def headers():
    """libcurl may repeat a header that it does not like."""
    for text in (s for s in SEQUENCES[::9] if not set(s) & set(b"\0\r\n")):
        value = "a" + text.decode("latin-1") + "z"
        for name in ("Content-Length", "Transfer-Encoding", "Location", "Content-Encoding", "WWW-Authenticate"):
            yield {"status": 302, "reason": value, "headers": {name: value}, "steps": [{"send": "no"}]}
    for text in packed(TEXTS_AS_BYTES[::5], 200):
        yield {"keepalive": True, "steps": [piece(b"ok"), {"finish": text.decode()}, {"done": True}]}


TEXTS_AS_BYTES = [text.encode() for text in TEXTS]


def errors_of_server():
    pieces = [p for _, p in REFUSALS]
    _, raw = terminal("mc-chat", "--plain", "--no-save", typed=b"hi\n" * len(pieces) + b"/exit\n", **server.at("refuse"))
    shown(f"messages of {len(pieces)} answers that refuse, JSON, text and HTML", raw, pieces)


def headers_of_server():
    n = len(HEADERS)
    _, raw = terminal("mc-chat", "--no-save", typed=b"hi\n" * n + b"/exit\n", **server.at("headers"))
    ok(seen(raw).count("> ") >= n and not harm(raw), f"{n} hostile headers, reasons and finish reasons", harm(raw))


# ---- stores ----

def dumps(value):
    """Only what JSON does not allow is escaped: DEL, C1 and bidi stand there themselves."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def craft(store, name, *records):
    """A session of these records (bytes or objects)."""
    folder = os.path.join(os.fsencode(store), os.fsencode(name))
    os.makedirs(folder, mode=0o700, exist_ok=True)
    with open(os.path.join(folder, b"history.jsonl"), "wb") as history:
        for record in records:
            history.write((record if isinstance(record, bytes) else dumps(record).encode()) + b"\n")


def head(name, **more):
    return {"type": "session", "version": 1, "id": name, "createdAt": 1700000000000, "cwd": "/",
            "provider": "echo", "model": "echo", **more}


def exchange(number, query, answer, **more):
    return {"type": "exchange", "id": f"x{number}", "timestamp": 1700000000000 + number, "query": query,
            "answer": answer, "summary": None, "model": "echo", "status": "complete", **more}


def lines(prefix, text, change):
    return "".join(prefix + change(line) + "\n" for line in text.split("\n"))


def conversation():
    """mc-session-cat, and the exchanges that mc-chat shows again."""
    turns = [exchange(n, text, text[::-1] if n % 3 == 0 else text,
                      **({"status": "error", "error": text} if "\0" not in text else {}))
             for n, text in enumerate(TEXTS)]
    craft(path("cat"), "s", head("s"), *turns)
    store = {"MC_SESSIONS_DIR": path("cat")}

    def printed(change):
        return "\n".join(
            lines("> ", x["query"], change) + "\n" + lines("", x["answer"], change) +
            (lines("", f"[error: {x['error']}]", change) if "error" in x else "") for x in turns)

    status, raw = terminal("mc-session-cat", "s", **store)
    ok(status == 0 and not harm(raw), "mc-session-cat prints nothing that a terminal obeys", status, harm(raw))
    same("and all the texts", printed(lambda line: neutral(line.removesuffix("\r"))), seen(raw))
    same("to a pipe it is exact", printed(str).encode(), piped("mc-session-cat", "s", **store))
    json_means_the_same("mc-session-cat --json", "mc-session-cat", "--json", "s", **store)
    json_means_the_same("mc-session-cat --json -n", "mc-session-cat", "--json", "-n", "100000", "s", **store)
    with open(path("cat/s/history.jsonl"), "rb") as history:
        same("to a pipe the records are exact", history.read(), piped("mc-session-cat", "--json", "s", **store))


def json_means_the_same(name, *argv, **settings):
    raw, exact = terminal(*argv, **settings)[1], piped(*argv, **settings)
    ok(not harm(raw), f"{name} prints nothing that a terminal obeys", harm(raw))
    same(f"{name} means the same at a terminal and in a pipe",
         parsed(exact.decode(errors="each byte")), parsed(seen(raw)))


def parsed(text):
    """The values of JSON Lines; a line that is no JSON as it is."""
    values = []
    for line in text.split("\n"):
        try:
            values.append(json.loads(line))
        except ValueError:
            values.append(line)
    return values


def white_space_in_records():
    """RFC 8259 allows it between members, and another writer may use it."""
    craft(path("space"), "s", b'{"type":"session",\t"version":1, "id":"s", "createdAt":1700000000000,'
          b'"provider":"echo", "model":\t"echo"}\r', b'\t{"type":"x"}\r')
    json_means_the_same("a record with tabs and CRLF", "mc-session-cat", "--json", "s",
                        MC_SESSIONS_DIR=path("space"))


def resumed():
    """At a terminal a conversation that goes on shows its last exchanges again."""
    one_line = [text for text in TEXTS if "\n" not in text]
    third = len(one_line) // 3 + 1
    groups = [" ".join(one_line[at:at + third]) for at in range(0, len(one_line), third)]
    craft(path("resume"), "s", head("s", title=groups[0], cwd=groups[0]),
          *(exchange(n, group, group) for n, group in enumerate(groups)))
    _, raw = terminal("mc-chat", "-s", "s", typed=b"/exit\n", MC_SESSIONS_DIR=path("resume"))
    shown("the last exchanges, when a conversation goes on", raw, ["Session: s (resumed, 3 exchanges)  "] + [
        piece for group in groups for piece in (f"\n> {neutral(group)}\n\n", f"{neutral(group)}\n")])


def index_record(number, name, **more):
    record = {"id": name, "createdAt": 1700000000000, "updatedAt": 1700000000000 + number,
              "exchangeCount": 1, "provider": "echo", "model": "echo", "cwd": "/", "title": None,
              "firstQuery": None, "lastQuery": None} | more
    members = [b"%s:%s" % (json_string(key.encode()),
                           json_string(value) if isinstance(value, bytes) else json.dumps(value).encode())
               for key, value in record.items()]
    return b"{" + b",".join(members) + b',"usageTotals":{"inputTokens":0,"outputTokens":0,"totalTokens":0},' \
        b'"historyBytes":1,"version":1}\n'


def write_index(with_others):
    """The index as somebody may have written it: not even UTF-8. With ids that are none, too: then
    what reads it makes it again, without any of these, since they have no histories."""
    os.makedirs(path("list"), mode=0o700, exist_ok=True)
    with open(path("list/index.jsonl"), "wb") as index:
        for n, text in enumerate(ALL):
            texts = {"title": text} if n % 2 else {"firstQuery": text, "lastQuery": text}
            index.write(index_record(n, f"s{n}", provider=text, model=text, cwd=text, **texts))
            if with_others:
                index.write(index_record(n, "s").replace(b'"s"', json_string(text)))
                index.write(index_record(n, "s").replace(b'"s"', b'"%s"' % text.replace(b"\n", b" ")))


def listed():
    write_index(with_others=False)
    store = {"MC_SESSIONS_DIR": path("list")}
    rows = [neutral_line(text) for text in reversed(ALL)]
    _, raw = terminal("mc-session-ls", **store)
    shown("titles and first prompts in the list", raw, [f"  {row}\n" for row in rows])
    models = [line.split("  ", 1)[0] for line in re.findall(r"  1  (a.*?)\n", seen(raw))]
    # A column is 20 characters wide, so a model may be cut.
    wrong = [(model, row) for model, row in zip(models, rows)
             if not row.startswith(model.rstrip().removesuffix("…"))]
    ok(len(models) == len(rows) and not wrong, "and models, cut to the column", len(models), *wrong[:3])
    for n in range(len(ALL)):
        craft(path("list"), f"s{n}", head(f"s{n}"))
    write_index(with_others=True)
    same("ids that are none are not listed", sorted(f"s{n}" for n in range(len(ALL))),
         sorted(piped("mc-session-ls", "-q", **store).decode().split()))
    write_index(with_others=False)
    _, raw = terminal("mc-session-ls", columns=70, **store | {"LC_ALL": "C"})
    ok(seen(raw).count("\n") == len(rows) + 1 and not harm(raw), "in a narrow window and the C locale too", harm(raw))
    json_means_the_same("mc-session-ls --json", "mc-session-ls", "--json", **store)


def recent_sessions():
    """Who asks for one that is not there is shown five others."""
    raw, pieces, names = b"", [], [f"s{n}" for n in range(5)]
    for name in names:
        craft(path("recent"), name, head(name))
    for at in range(0, len(TEXTS), 5):
        rows = list(zip(names, TEXTS[at:at + 5]))
        with open(path("recent/index.jsonl"), "wb") as index:
            index.writelines(index_record(n, name, title=text.encode()) for n, (name, text) in enumerate(rows))
        raw += terminal("mc-session-cat", "gone", MC_SESSIONS_DIR=path("recent"))[1]
        pieces += [f"  {name}  2023-11-14 22:13  {neutral_line(text)[:24]}" for name, text in reversed(rows)]
    shown("recent sessions, when there is no such one", raw, pieces)


def details():
    """mc-session-cat --status, and the question of mc-session-rm."""
    names = [f"s{n:04}" for n in range(len(TEXTS))]
    for name, text in zip(names, TEXTS):
        craft(path("status"), name, head(name, title=text, provider=text, model=text[::-1], cwd=text))
    store = {"MC_SESSIONS_DIR": path("status")}
    _, raw = terminal("mc-session-cat", "--status", *names, **store)
    shown("mc-session-cat --status", raw, [
        f"id         {name}\nstate      idle\ntitle      {neutral_line(text)}\nprovider   {neutral_line(text)}\n"
        f"model      {neutral_line(text[::-1])}\ncwd        {neutral_line(text)}\n"
        for name, text in zip(names, TEXTS)])
    json_means_the_same("mc-session-cat --status --json", "mc-session-cat", "--status", "--json", *names, **store)
    _, raw = terminal("mc-session-rm", *names, **store)  # nobody answers: no
    shown("the question of mc-session-rm", raw, [
        f"Delete session '{name}' (0 exchanges: {neutral_line(text[:60])}{'…' * (len(text) > 60)})? [y/N] "
        for name, text in zip(names, TEXTS)])


def providers():
    """A session's provider may be any; it is named when another one is asked for."""
    raw, pieces = b"", []
    for text in packed([t.encode() for t in TEXTS if "\0" not in t], 800):
        craft(path("provider"), "s", head("s", provider=text.decode()))
        raw += terminal("mc-chat", "-s", "s", "-p", "echo", "hi", MC_SESSIONS_DIR=path("provider"))[1]
        pieces.append(f"session 's' keeps its provider, {said(text)};")
    shown("the provider that a session keeps", raw, pieces)


# ---- files and their names ----

def folders():
    """Paths of which each part holds as much as a name can."""
    names = packed(NAMES, 230)
    while part := list(itertools.islice(names, 3)):
        yield os.path.join(os.fsencode(place), b"d", *part)


def damaged():
    """Warnings name the file, and so the sessions directory."""
    raw, pieces = b"", []
    for folder in folders():
        craft(folder, b"s", head("s"), b'{"type":"exchange","id":"\x1b]0;t\x07\x9b"}', b'{"\x1b[2J',
              exchange(1, "query", "answer"))
        with open(os.path.join(folder, b"s/turn.partial"), "wb") as spool:
            spool.write(b'\x1b[2J{"')
        os.symlink(b"s", os.path.join(folder, b"link"))
        raw += terminal("mc-session-cat", "s", "link", MC_SESSIONS_DIR=folder)[1]
        name = said(folder)
        pieces += [f"{name}/s/turn.partial is damaged", f"{name}/s/history.jsonl:", "> query\n",
                   f"{name}/link"]
    shown("damaged files, in folders with hostile names", raw, pieces)


def no_directory():
    raw, pieces = b"", []
    for folder in folders():
        os.makedirs(folder, exist_ok=True)
        file = os.path.join(folder, b"file")
        with open(file, "wb"):
            pass
        raw += terminal("mc-session-ls", MC_SESSIONS_DIR=file)[1]
        raw += terminal("mc-session-new", MC_SESSIONS_DIR=os.path.join(file, b"x"))[1]
        raw += terminal("mc-session-ls", MC_CONFIG=os.path.join(folder, b"none"))[1]
        pieces += [f"sessions directory '{said(file)}' is not a directory",
                   f"'{said(file)}/x'", f"cannot read config '{said(folder)}/none'"]
    shown("a sessions directory and a config file that are none", raw, pieces)


def strangers(store, names):
    """In the sessions directory: links, FIFOs, folders and files with names that are no ids.
    Returns the names of those that mc-session-fsck(1) must find: what is left of a creation."""
    craft(store, "s", head("s"), exchange(1, "query", "answer"), b'{"\x1b[2J')
    make, found = [lambda file: os.symlink(b"/nowhere", file), os.mkfifo, os.mkdir, os.mkdir, os.mknod], []
    for n, name in enumerate(names):
        kind = n % len(make)
        name = b".new-" + name if kind in (2, 3) else name
        make[kind](os.path.join(os.fsencode(store), name))
        found += [neutral_line(name)] if kind in (2, 3) else []
    return found


def checked():
    found, store = strangers(path("strangers"), NAMES), {"MC_SESSIONS_DIR": path("strangers")}
    _, raw = terminal("mc-session-ls", **store)
    shown("a list that is made amid hostile names", raw, ["s         2023", "query\n"])
    json_means_the_same("mc-session-fsck --json", "mc-session-fsck", "--json", **store)
    objects = piped("mc-session-fsck", "--json", **store).splitlines()
    ok(len(objects) >= len(found) and all(is_utf8(o) and json.loads(o) for o in objects),
       "and to a pipe each is JSON, whatever the name")
    findings("findings of mc-session-fsck", found, "mc-session-fsck", **store)
    found = strangers(path("repair"), NAMES[::7])  # each costs two fsync(2)
    findings("repairs of mc-session-fsck", found, "mc-session-fsck", "--repair", MC_SESSIONS_DIR=path("repair"))


def findings(name, found, *argv, **settings):
    _, raw = terminal(*argv, **settings)
    # The tool's own line of progress, which it draws over.
    raw = re.sub(rb"\r(mc-session-fsck: [ -~]*)?\x1b\[K", b"", raw)
    shown(name, raw, found, in_order=False)


# ---- arguments and settings ----

def arguments():
    raw = terminal("mc-session-cat", *framed(SEQUENCES, b"\0"), MC_SESSIONS_DIR=path("none"))[1]
    shown("ids that are none", raw, [f"invalid session id '{said(text)}'"
                                     for text in framed(SEQUENCES, b"\0") if text != b"az"])
    raw, pieces = b"", []
    for text in packed(framed(SEQUENCES, b"\0"), 800):
        raw += terminal("mcbox", text)[1] + terminal("mc-session-new", "-C", b"/" + text)[1]
        pieces += [f"unknown command '{said(text)}'", f"cannot use directory '/{said(text)}'"]
    shown("commands and directories that are not there", raw, pieces)
    raw, pieces = b"", []
    for code in [*range(1, 0x20), *range(0x7f, 0x100)]:
        raw += terminal("mc-chat", b"-" + bytes([code]))[1]
        pieces.append(f"unknown option '-{said(bytes([code]))}'")
    shown("options of one byte", raw, pieces)


SAMPLE = b"a\x1b[2J\x9b" b"31m\xc2\x9b" b"1m\xe2\x80\xae\x07\r\x7f\x08\xff\x1b]0;t\x1b\\z"
VALID = SAMPLE.replace(b"\x9b" b"31m\xc2", b"31m\xc2").replace(b"\xff", b"")
# Nothing that url_check() refuses at once, but what a terminal would hide.
HIDDEN_URL = "ftp://a\u202ez\u009b31m".encode()


def messages():
    """Every other message that repeats what it was given."""
    usual = {"MC_SESSIONS_DIR": path("cat"), "MC_PROVIDER": "echo"}
    cases = [
        (SAMPLE, ["mcbox", b"-" + SAMPLE]), (SAMPLE, ["mc-chat", b"--" + SAMPLE]),
        (SAMPLE, ["mc-chat", b"--timeout", SAMPLE]), (SAMPLE, ["mc-chat", b"-s", SAMPLE, "hi"]),
        (SAMPLE, ["mc-chat", b"-n", b"-s", SAMPLE, "hi"]),
        (SAMPLE, ["mc-session-new", b"-i", SAMPLE]), (SAMPLE, ["mc-session-new", b"--meta", SAMPLE]),
        (SAMPLE, ["mc-session-new", SAMPLE]),
        (SAMPLE, ["mc-session-ls", b"-n", SAMPLE]), (SAMPLE, ["mc-session-ls", b"--since", SAMPLE]),
        (SAMPLE, ["mc-session-ls", b"--before", SAMPLE]), (SAMPLE, ["mc-session-cat", b"-n", SAMPLE, "s"]),
        (SAMPLE, ["mc-session-rm", b"-f", SAMPLE]), (SAMPLE, ["mc-session-rm", SAMPLE]),
        (VALID, ["mc-session-new", b"-p", VALID]), (VALID, ["mc-chat", b"-p", VALID, "hi"]),
        # What is no UTF-8 is refused without repeating it.
        (b"the provider is not valid UTF-8", ["mc-session-new", b"-p", SAMPLE]),
        (b"the title is not valid UTF-8", ["mc-session-new", b"-t", SAMPLE]),
        (b"the model is not valid UTF-8", ["mc-session-new", b"-m", SAMPLE]),
        (b"the prompt is not valid UTF-8", ["mc-chat", SAMPLE]),
    ]
    settings = [
        (VALID, {"MC_PROVIDER": VALID}), (b"control characters", {"MC_BASE_URL": SAMPLE}),
        (SAMPLE, {"MC_CONFIG": b"/" + SAMPLE}), (SAMPLE, {"MC_SESSIONS_DIR": b"/proc/self/cmdline/" + SAMPLE}),
        (SAMPLE, {"MC_SESSIONS_DIR": b"/dev/null/" + SAMPLE, "XDG_CONFIG_HOME": SAMPLE}),
        (HIDDEN_URL, {"MC_PROVIDER": "openai-compatible", "MC_MODEL": "m", "MC_BASE_URL": HIDDEN_URL}),
        (b"", {"MC_PROVIDER": "openai-compatible", "MC_MODEL": SAMPLE}),
        (b"an invalid character", {"MC_PROVIDER": "openai-compatible", "MC_MODEL": "m",
                                          "OPENAI_COMPATIBLE_API_KEY": SAMPLE, "MC_BASE_URL": "http://127.0.0.1:1"}),
    ]
    cases += [(want, ["mc-chat", "-n", "-s", "new", "hi"], more) for want, more in settings]
    wrong = []
    for want, argv, *more in cases:
        status, raw = terminal(*argv, **usual | dict(*more))
        bad = harm(raw)
        if bad or status in (0, -signal.SIGSEGV) or said(want) not in seen(raw):
            wrong.append(f"{argv} {more}: {bad or raw}")
    ok(not wrong, f"{len(cases)} messages that repeat what they were given", *wrong[:5])


def settings_file():
    raw, pieces = b"", []

    def refused(config, want):
        nonlocal raw
        with open(path("config.json"), "wb") as file:
            file.write(config)
        raw += terminal("mc-chat", "hi", MC_CONFIG=path("config.json"), MC_SESSIONS_DIR=path("none"))[1]
        pieces.append(want)

    for text in packed([t.encode() for t in TEXTS if "\0" not in t], 700):
        value = json_string(text)
        refused(b"{%s:1}" % value, f"unknown key '{said(text)}'")
        refused(b'{"provider":%s}' % value, f"unknown provider '{said(text)}'")
        # What may have a control in it, or a password, is not repeated.
        refused(b'{"baseUrl":%s}' % value,
                "must not hold" if re.search(rb"[\0- \x7f\\@]", text) else f"base URL '{said(text)}' must be")
    for text in packed(ALL, 60000):
        refused(b'{"model":%s}' % json_string(text), "config.json': it is not valid UTF-8")
        refused(text, "config.json': it is not valid UTF-8")
    shown("mistakes in the config file", raw, pieces)


# ---- prompts ----

def typed_commands():
    """A paste may be hostile too."""
    texts = [t for t in framed(SEQUENCES, b"\0", b"\n") if not re.search(rb"[ \t\r/]", t)]  # with another slash it is a path, and no command
    _, raw = terminal("mc-chat", "--no-save", "-p", "echo", typed=b"".join(b"/%s\n" % t for t in texts) + b"/exit\n",
                      MC_SESSIONS_DIR=path("none"))
    shown("commands that are none", raw, [f"unknown command '/{neutral(t)}'; /exit" for t in texts])


def said_back():
    _, raw = terminal("mc-chat", "--plain", "--no-save", "-p", "echo", "--", *[t for t in TEXTS if "\0" not in t],
                      MC_SESSIONS_DIR=path("none"))
    shown("what the echo provider says back", raw, [neutral(t) for t in TEXTS if "\0" not in t])


# ---- what is not seen at all ----

def hidden_characters():
    """A terminal does not obey these, but it hides them: what one copies from it, or
    takes for a name, is not what one has seen."""
    sequences = [s for _, s in HIDDEN]
    pieces, cuts = cut_everywhere(sequences)
    _, raw = terminal("mc-chat", "--plain", "--no-save", "hi", **server.at("hidden"))
    forms = framed_forms(seen(raw))
    for family, group in itertools.groupby(enumerate(HIDDEN), lambda entry: entry[1][0]):
        wrong = [f"{ascii(sequence.decode())} ({sequence.hex(' ')})" for number, (_, sequence) in group
                 if forms.get(number) != dict.fromkeys(range(cuts[number]), neutral(sequence))]
        ok(not wrong, f"{family} are shown", f"{len(wrong)} are not:", *wrong[:8])
    texts = ["a" + s.decode() + "z" for s in sequences]
    craft(path("hidden"), "s", head("s"), *(exchange(n, t, t) for n, t in enumerate(texts)))
    store = {"MC_SESSIONS_DIR": path("hidden")}
    raw = terminal("mc-session-cat", "--json", "s", **store)[1]
    ok(not harm(raw, UNSEEN), "records with hidden characters show them", harm(raw, UNSEEN))
    same("and mean the same", parsed(piped("mc-session-cat", "--json", "s", **store).decode()), parsed(seen(raw)))


# ---- a terminal that would obey ----

STATE = "|".join(f"#{{{name}}}" for name in (
    "pane_title", "window_name", "alternate_on", "cursor_flag", "insert_flag", "keypad_flag",
    "keypad_cursor_flag", "mouse_any_flag", "mouse_all_flag", "mouse_button_flag", "mouse_standard_flag",
    "mouse_sgr_flag", "mouse_utf8_flag", "origin_flag", "wrap_flag", "scroll_region_upper",
    "scroll_region_lower", "pane_tabs", "pane_path", "pane_in_mode"))


def in_tmux():
    """The whole table goes through tmux, which is let do all that is asked of it: its state
    and titles stay as they were, nothing is in its clipboard, nobody typed an answer."""
    socket = f"mcbox-safety-{os.getpid()}"

    def tmux(*argv):
        return subprocess.run(["tmux", "-f", "/dev/null", "-L", socket, *argv], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env=environment, timeout=TIME_LIMIT, check=False,
                              stdin=subprocess.DEVNULL).stdout.decode(errors="replace")

    def wait_for(name):
        deadline = time.monotonic() + TIME_LIMIT
        while not os.path.exists(path(name)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no '{name}'; the screen: {tmux('capture-pane', '-p')}")
            time.sleep(0.02)

    shell = f"""stty -echo; : >ready; '{ROOT}/tests/await' go || exit
               mc-chat --plain -n -s tmux hi; : >done; IFS= read -r typed; printf %s "$typed" >typed.new
               mv typed.new typed; exec tail -f /dev/null"""
    settings = [f"{name}={value}" for name, value in server.at("whole").items()]
    try:
        tmux("set", "-g", "status", "off", ";", "set", "-g", "history-limit", "100000", ";",
             "set", "-g", "allow-rename", "on", ";", "set", "-g", "allow-passthrough", "on", ";",
             "set", "-g", "set-clipboard", "on", ";", "new-session", "-d", "-x", "250", "-y", "50",
             "-c", place, "env", f"PATH={environment['PATH']}", *settings, "sh", "-c", shell, ";",
             "set", "-w", "automatic-rename", "off", ";", "select-pane", "-T", "untouched", ";",
             "rename-window", "untouched")
        wait_for("ready")
        before = tmux("display-message", "-p", STATE)
        with open(path("go"), "wb"):
            pass
        wait_for("done")
        tmux("send-keys", "nothing", "Enter")
        wait_for("typed")
        with open(path("typed"), encoding="utf-8", errors="replace") as typed:
            same("tmux answers no query", "nothing", typed.read())
        same("its modes and titles stay as they were", before, tmux("display-message", "-p", STATE))
        ok(before.startswith("untouched|untouched|0|1|0|"), "and they could be seen", before)
        same("its clipboard stays empty", "", tmux("list-buffers"))
        # How it draws what is not ASCII, and tabs, is its own affair.
        texts = [neutral(t) for t in ALL if b"\t" not in t]
        shown("its screen has the texts", tmux("capture-pane", "-pJ", "-S", "-").encode(),
              [t for t in texts if t.isascii()])
    finally:
        where = tmux("display-message", "-p", "#{socket_path}").strip()
        tmux("kill-server")
        if where.startswith("/") and os.path.exists(where):
            os.unlink(where)  # tmux leaves it


# ---- all of it ----

REFUSALS = list(refusals())
HEADERS = list(headers())

server = Server({
    "/cut": [reply(cut_everywhere(SEQUENCES)[0])],
    "/pipe": [reply(cut_everywhere(WITHOUT_HALVES)[0])],
    "/hidden": [reply(cut_everywhere([s for _, s in HIDDEN])[0])],
    "/whole": [{"headers": {"Content-Type": "application/json"}, "steps": [send(
        b'{"choices":[{"message":{"content":%s,"reasoning":%s},"finish_reason":%s}]}' %
        ((json_string(b"\n".join(ALL)),) * 3))]}],
    "/open": [reply([b"a" + s], end=False) for s in SEQUENCES],
    "/refuse": [response for response, _ in REFUSALS],
    "/headers": HEADERS,
})
os.umask(0o077)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
try:
    for test in (table_of_replies, pieces_to_pipe, reply_in_one_piece, reply_as_json, open_ends, errors_of_server,
                 headers_of_server, conversation, white_space_in_records, resumed, listed, recent_sessions,
                 details, providers, damaged, no_directory, checked, arguments, messages, settings_file,
                 typed_commands, said_back, hidden_characters, in_tmux):
        start = time.monotonic()
        test()
        print(f"# {test.__name__}: {time.monotonic() - start:.2f} s")
finally:
    server.stop()
    shutil.rmtree(place)
print(f"1..{tests}")
sys.exit(failures > 0)

#!/usr/bin/python3
"""A scripted HTTP/1.1 server for tests.

usage: server.py [--parent PID] [--tls CERT KEY] SCRIPT.json|- LOG.jsonl

Listens on a free port of 127.0.0.1, prints the port on a line of its own and
serves until its standard input ends (or, with --parent, until that process is
gone), so that a test that dies leaves no server behind.

SCRIPT is {"responses": [R, ...]}: the k-th POST gets the k-th response, and
the last one repeats.  Or {"routes": {"/prefix": [R, ...]}}: the longest prefix
of the path decides, each route counts for itself, and "responses", when given
too, are for all other paths.  R holds, all of it optional:

  status, reason   200 OK
  headers          added to, or put in place of, Content-Type: text/event-stream
  keepalive        true: a chunked body, and the connection stays; otherwise
                   the body ends with the connection
  header_bytes     so many bytes of headers more, in lines of 1 KB
  gzip             true: the body is compressed, as Content-Encoding says unless
                   the headers say something else
  raw              true: no status line, no headers but what the steps send
  steps            what to do, in this order:

  {"send": "text"}          the text as it is
  {"send_base64": "..."}    the bytes as they are
  {"event": {...}}          one server-sent event with this JSON
  {"text": "piece"}         a Chat Completions chunk with a piece of the answer
  {"reasoning": "piece"}    likewise, as delta.reasoning_content
  {"finish": "stop"}        the chunk with the finish_reason
  {"usage": {...}}          the chunk with the usage and no choices
  {"done": true}            data: [DONE]
  {"echo": true}            the last user message, as pieces of one word
  {"touch": "FILE"}         create the file: the test can see how far we are
  {"wait": "FILE"}          until the file exists; a reset after 60 s
  {"repeat": N, "steps": [...]}
  {"fill": ["text", N]}     the text again and again, N bytes of it; as fast as
                            it goes; for ever when N is null (\\udcff is byte ff)
  {"drip": ["text", S]}     the text again and again, every S seconds, until the
                            client leaves; ["text", S, N]: N times
  {"hang": true}            send nothing until the client leaves, then go on
  {"reset": true}           drop the connection with a TCP reset

The status line and headers leave with the first byte of the body ({"send": ""}
will do) or at the end, so that a wait, hang or reset may also come before them.

A request is logged before its response starts, as a line of JSON with method,
path, headers (names in lower case), body (a string when it is not JSON) and the
connection's number, counted from 1 as they are opened, whatever comes of them.
A GET of .../models gets the k-th response of "models": [R, ...], likewise; without it, an
empty list.  Another GET is a 404.
"""

import base64
import collections
import json
import os
import re
import select
import signal
import socket
import socketserver
import struct
import sys
import threading
import time
import zlib
from http import HTTPStatus

# A test may start several of these, and http.server, ssl and argparse take longer to import than
# all the rest to run: ssl is imported for --tls only.

POLL = 0.01  # seconds
WAIT_LIMIT = 60  # seconds
LINE_MAX = 1 << 16  # bytes
LEFT = (ConnectionError,)  # how it shows that the client left; --tls adds to it

HELLO = {"responses": [{"steps": [
    {"text": "Hello"}, {"text": " from"}, {"text": " the"}, {"text": " server."},
    {"finish": "stop"},
    {"usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}},
    {"done": True},
]}]}
MODELS = {"headers": {"Content-Type": "application/json"},
          "steps": [{"send": '{"object":"list","data":[]}'}]}
NOT_FOUND = {"status": 404, "headers": {"Content-Type": "application/json"},
             "steps": [{"send": '{"error":{"message":"no route in the script"}}'}]}


class Script:
    """Hands out the responses, and logs the requests in the same order."""

    def __init__(self, script, log):
        self.routes = dict(script.get("routes", {}))
        if "responses" in script:
            self.routes[""] = script["responses"]
        self.models = script.get("models", [MODELS])
        self.used = collections.Counter()
        self.log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.lock = threading.Lock()

    def answer(self, request):
        with self.lock:
            os.write(self.log, json.dumps(request).encode() + b"\n")
            if request["method"] == "GET":
                listed = request["path"].partition("?")[0].endswith("/models")
                return self.next("GET", self.models) if listed else NOT_FOUND
            matches = [p for p in self.routes if request["path"].startswith(p)]
            if not matches:
                return NOT_FOUND
            prefix = max(matches, key=len)
            return self.next(prefix, self.routes[prefix])

    def next(self, name, responses):
        self.used[name] += 1
        return responses[min(self.used[name], len(responses)) - 1]


class Reset(Exception):
    """The script wants the connection dropped."""


class Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def setup(self):
        with self.server.script.lock:
            self.server.connections += 1
            self.number = self.server.connections
        if self.server.tls:  # here, where a client that is slow holds up nobody else
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self):
        try:
            self.close_connection = False
            while not self.close_connection and self.read_request():
                self.answer()
                self.wfile.flush()
        except Reset:
            self.reset()
        except LEFT:
            pass
        except Exception:
            self.reset()
            raise

    # Closed here, because socketserver would send a FIN first, which looks like the
    # proper end of the body.
    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())

    def read_request(self):
        """The request line and the headers; False when the client sends no more."""
        line = self.rfile.readline(LINE_MAX)
        if not line:
            return False
        self.command, self.path, version = line.decode("latin-1").split()
        self.headers = collections.defaultdict(list)
        while line := self.rfile.readline(LINE_MAX).rstrip(b"\r\n"):
            name, _, value = line.decode("latin-1").partition(":")
            self.headers[name.lower()].append(value.strip(" \t"))
        connection = self.header("connection").lower()
        self.close_connection = connection == "close" or (version < "HTTP/1.1" and connection != "keep-alive")
        return True

    def header(self, name):
        return ", ".join(self.headers.get(name, []))

    def answer(self):
        if self.command not in ("GET", "POST") or "transfer-encoding" in self.headers:
            raise ValueError(f"a {self.command} like this is not expected")
        if self.header("expect").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        raw = self.rfile.read(int(self.header("content-length") or 0))
        try:
            self.body = json.loads(raw.decode())
        except ValueError:
            self.body = raw.decode(errors="surrogateescape")
        self.response = self.server.script.answer({
            "method": self.command,
            "path": self.path,
            "headers": {name: self.header(name) for name in self.headers},
            "body": self.body,
            "connection": self.number,
        })
        self.header_sent = self.response.get("raw", False)
        self.gzip = zlib.compressobj(9, wbits=31) if self.response.get("gzip") else None
        self.play(self.response.get("steps", []))
        self.send(b"")
        if self.gzip:
            self.write(self.gzip.flush())
        if self.response.get("keepalive"):
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.close_connection = True

    def send(self, data):
        if not self.header_sent:
            self.header_sent = True
            chunked = self.response.get("keepalive")
            headers = {"Content-Type": "text/event-stream"}
            headers |= {"Transfer-Encoding": "chunked"} if chunked else {"Connection": "close"}
            headers |= {"Content-Encoding": "gzip"} if self.gzip else {}
            headers |= self.response.get("headers", {})
            status = self.response.get("status", 200)
            reason = self.response.get("reason")
            if reason is None:
                reason = HTTPStatus(status).phrase if status in set(HTTPStatus) else ""
            lines = [f"HTTP/1.1 {status} {reason}"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            self.wfile.write("".join(f"{line}\r\n" for line in lines).encode("latin-1"))
            self.end_headers_after(self.response.get("header_bytes", 0))
        self.write(self.gzip.compress(data) if self.gzip else data)

    def end_headers_after(self, filling):
        for i in range(filling // 1024):
            self.wfile.write(b"X-Filling-%06d: %s\r\n" % (i, b"x" * (1024 - 20)))
        self.wfile.write(b"\r\n")

    def write(self, data):
        if data:  # an empty chunk would end the body
            chunked = self.response.get("keepalive")
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data) if chunked else data)

    def send_chunk(self, choices, **more):
        model = self.body.get("model") if isinstance(self.body, dict) else None
        self.step_event({"id": "chatcmpl-test", "object": "chat.completion.chunk",
                         "created": 1700000000, "model": model, "choices": choices, **more})

    def send_delta(self, delta, finish=None):
        self.send_chunk([{"index": 0, "delta": delta, "finish_reason": finish}])

    def play(self, steps):
        for step in steps:
            if "repeat" in step:
                for _ in range(step["repeat"]):
                    self.play(step["steps"])
            else:
                (name, value), = step.items()
                getattr(self, "step_" + name)(value)

    def step_send(self, text):
        self.send(text.encode())

    def step_send_base64(self, text):
        self.send(base64.b64decode(text, validate=True))

    def step_fill(self, what):
        text, left = what[0].encode(errors="surrogateescape"), what[1]
        block = text * (1 + (1 << 20) // len(text))
        while left is None or left > 0:
            self.send(block if left is None else block[:left])
            if left is not None:
                left -= min(left, len(block))

    def step_drip(self, what):
        text, period, left = [*what, None][:3]
        while left is None or left > 0:
            self.send(text.encode())
            left = None if left is None else left - 1
            if select.select([self.connection], [], [], period)[0]:
                raise ConnectionResetError  # the client left

    def step_event(self, event):
        text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        self.send(f"data: {text}\n\n".encode())

    def step_text(self, piece):
        self.send_delta({"content": piece})

    def step_reasoning(self, piece):
        self.send_delta({"reasoning_content": piece})

    def step_finish(self, reason):
        self.send_delta({}, reason)

    def step_usage(self, usage):
        self.send_chunk([], usage=usage)

    def step_done(self, _):
        self.send(b"data: [DONE]\n\n")

    def step_echo(self, _):
        content = [m["content"] for m in self.body["messages"] if m["role"] == "user"][-1]
        if isinstance(content, list):
            content = "".join(part.get("text", "") for part in content)
        for piece in re.findall(r"\s*\S+|\s+", content):
            self.step_text(piece)

    def step_touch(self, name):
        with open(name, "a", encoding="utf-8"):
            os.utime(name)

    def step_wait(self, name):
        deadline = time.monotonic() + WAIT_LIMIT
        while not os.path.exists(name):
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {WAIT_LIMIT} s for '{name}'")
            time.sleep(POLL)

    def step_hang(self, _):
        try:
            while self.connection.recv(65536):
                pass
        except ConnectionError:
            pass

    def step_reset(self, _):
        raise Reset


class Server(socketserver.ThreadingTCPServer):
    # Unlike HTTPServer, this does not ask the resolver for the host's name.
    daemon_threads = True
    request_queue_size = 128
    connections = 0
    tls = None

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], LEFT):
            super().handle_error(request, client_address)


# A misspelt key must fail the test at once, not pass for a short answer.

def check_response(response):
    unknown = response.keys() - {"status", "reason", "headers", "keepalive", "header_bytes",
                                  "gzip", "raw", "steps"}
    if unknown:
        sys.exit(f"server.py: bad key in a response: {min(unknown)}")
    check_steps(response.get("steps", []))


def check_steps(steps):
    for step in steps:
        names = step.keys() - ({"steps"} if "repeat" in step else set())
        if names != {"repeat"} and (len(names) != 1 or not hasattr(Handler, "step_" + min(names))):
            sys.exit(f"server.py: bad step: {json.dumps(step)}")
        check_steps(step.get("steps", []))


def load(name):
    if name == "-":
        return HELLO
    with open(name, encoding="utf-8") as file:
        script = json.load(file)
    if not script or script.keys() - {"routes", "responses", "models"}:
        sys.exit('server.py: the script needs "responses", "routes" or "models"')
    for responses in [*script.get("routes", {}).values(), script.get("responses", []),
                      script.get("models", [])]:
        for response in responses:
            check_response(response)
    return script


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def main():
    global LEFT
    args, parent, tls = sys.argv[1:], None, None
    while args and args[0] in ("--parent", "--tls"):
        if args[0] == "--parent":
            parent = int(args[1])
            del args[:2]
        else:
            tls = args[1:3]
            del args[:3]
    if len(args) != 2:
        sys.exit(__doc__.split("\n")[2])

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    server = Server(("127.0.0.1", 0), Handler)
    server.script = Script(load(args[0]), args[1])
    if tls:
        import ssl
        LEFT += (ssl.SSLError,)
        server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.tls.load_cert_chain(*tls)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)

    if parent:
        while alive(parent):
            time.sleep(0.1)
    else:
        while os.read(0, 4096):
            pass


if __name__ == "__main__":
    main()

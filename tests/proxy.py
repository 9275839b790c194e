#!/usr/bin/python3
"""An HTTP proxy for tests, to which every host is on this machine.

usage: proxy.py [--parent PID] [--to PORT] [--refuse STATUS] [--user NAME:PASSWORD] LOG.jsonl

Listens on a free port of 127.0.0.1, prints it and serves until its standard input ends
(or, with --parent, until that process is gone).  CONNECT and requests for http:// both
lead to port PORT of 127.0.0.1, or to the one that they name, whatever the host.  With
--refuse every request is answered so; with --user those without that name and password
are answered 407.

Each request is logged as a line of JSON with its method, target and headers (names in
lower case), before anything is done.
"""

import argparse
import base64
import json
import os
import select
import socket
import socketserver
import threading
import time


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        line = self.rfile.readline().decode("latin-1").split()
        headers, head = {}, b""
        while (field := self.rfile.readline()) not in (b"\r\n", b""):
            name, _, value = field.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
            if not name.lower().startswith("proxy-"):
                head += field
        if len(line) != 3:
            return
        method, target, _ = line
        os.write(self.server.log, json.dumps(
            {"method": method, "target": target, "headers": headers}).encode() + b"\n")
        status = self.refusal(headers)
        if status:
            self.wfile.write(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\nConnection: close\r\n"
                             b"Proxy-Authenticate: Basic realm=\"test\"\r\n\r\n" % status)
            return
        authority = target if method == "CONNECT" else target.split("/")[2]
        port = self.server.args.to or int(authority.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as there:
            if method == "CONNECT":
                self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                path = "/" + target.split("/", 3)[3]
                body = self.rfile.read(int(headers.get("content-length", 0)))
                there.sendall(f"{method} {path} HTTP/1.1\r\n".encode() + head + b"\r\n" + body)
            self.carry(there)

    def refusal(self, headers):
        args = self.server.args
        if args.user:
            want = "Basic " + base64.b64encode(args.user.encode()).decode()
            if headers.get("proxy-authorization") != want:
                return 407
        return args.refuse

    def carry(self, there):
        pairs = {self.connection: there, there: self.connection}
        while True:
            for end in select.select(list(pairs), [], [])[0]:
                data = end.recv(65536)
                if not data:
                    return
                pairs[end].sendall(data)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # one of the two ends left


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n")[2].removeprefix("usage: "))
    parser.add_argument("--parent", type=int)
    parser.add_argument("--to", type=int)
    parser.add_argument("--refuse", type=int)
    parser.add_argument("--user")
    parser.add_argument("log")
    server = Server(("127.0.0.1", 0), Handler)
    server.args = parser.parse_args()
    server.log = os.open(server.args.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    if server.args.parent:
        while alive(server.args.parent):
            time.sleep(0.1)
    else:
        while os.read(0, 4096):
            pass


if __name__ == "__main__":
    main()

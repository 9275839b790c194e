#!/usr/bin/env python3
"""Runs a command whose standard stream is O_NONBLOCK, and whose other end takes its time.

    late.py [--socket] out|err CMD...    prints what the command writes there
    late.py [--socket] in TEXT CMD...    the command reads this

The other end is looked after when the command waits for it, or has ended: when the stream is full,
or nothing of it has come and the command sleeps. The exit status is the command's; 99 says that
the stream is not O_NONBLOCK any more, though other processes may want it so.
"""
import array
import fcntl
import os
import socket
import subprocess
import sys
import termios
import time


def nonblocking(fd):
    return bool(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK)


def pair(sockets):
    if not sockets:
        return os.pipe()
    a, b = socket.socketpair()
    return a.detach(), b.detach()


def waiting(fd):
    """How many bytes wait there."""
    n = array.array("i", [0])
    fcntl.ioctl(fd, termios.FIONREAD, n)
    return n[0]


def sleeps(process):
    with open(f"/proc/{process.pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()[0] == "S"


def settle(process, state):
    """Until the command has ended, or sleeps in the same state for a while."""
    end, before, since = time.monotonic() + 30, None, 0
    while process.poll() is None and time.monotonic() < end:
        now = state()
        since = since + 1 if sleeps(process) and now == before else 0
        before = now
        if since == 5:
            return
        time.sleep(0.02)


def main():
    args = sys.argv[1:]
    sockets = args[0] == "--socket"
    args = args[sockets:]
    which = args.pop(0)
    r, w = pair(sockets)
    if which == "in":
        text = args.pop(0).encode()
        os.set_blocking(r, False)
        process = subprocess.Popen(args, stdin=r)
        settle(process, lambda: 0)
        try:
            os.write(w, text)
        except BrokenPipeError:
            pass
        os.close(w)
        shared = r
    else:
        os.set_blocking(w, False)
        process = subprocess.Popen(args, **{"std" + which: w})
        settle(process, lambda: waiting(r))
        shared = os.dup(w) # the flag is seen below; then it goes, for the end of the file
        still = nonblocking(shared)
        os.close(shared)
        os.close(w)
        while data := os.read(r, 65536):
            os.write(1, data)
        shared = None
    status = process.wait()
    if shared is not None:
        still = nonblocking(shared)
    return status if still else 99


sys.exit(main())

#!/usr/bin/env python3
"""Runs a command as a careless parent would.

    parent.py [OPTION...] CMD...

    --ignore NAME,...    signals that it ignores: CHLD,PIPE; "all" but KILL and STOP
    --block NAME,...     the same, blocked
    --umask OCTAL
    --files N            RLIMIT_NOFILE
    --open N             so many more descriptors are open
    --nonblock FD,...    these are O_NONBLOCK
"""
import argparse
import fcntl
import os
import resource
import signal
import sys


def signals(names):
    if names == "all":
        return [s for s in signal.valid_signals() if s not in (signal.SIGKILL, signal.SIGSTOP)]
    return [signal.Signals["SIG" + name] for name in names.split(",")]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--ignore", type=signals, default=[])
    p.add_argument("--block", type=signals, default=[])
    p.add_argument("--umask", type=lambda s: int(s, 8))
    p.add_argument("--files", type=int)
    p.add_argument("--open", type=int, default=0)
    p.add_argument("--nonblock", type=lambda s: [int(fd) for fd in s.split(",")], default=[])
    p.add_argument("command", nargs=argparse.REMAINDER)
    o = p.parse_args()
    # What its own parent ignores, and what Python does.
    for s in signals("all"):
        signal.signal(s, signal.SIG_DFL)
    for s in o.ignore:
        signal.signal(s, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, o.block)
    if o.open:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(o.open + 100, hard)), hard))
    for _ in range(o.open):
        os.set_inheritable(os.open("/dev/null", os.O_RDONLY), True)
    for fd in o.nonblock:
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_NONBLOCK)
    if o.umask is not None:
        os.umask(o.umask)
    if o.files:
        # What is open above that stays usable, but would be told as open.
        resource.setrlimit(resource.RLIMIT_NOFILE, (o.files, o.files))
    os.execvp(o.command[0], o.command)


sys.exit(main())

#!/usr/bin/python3 -B
"""SIGKILL before and after each system call of each tool, and in the middle of each
write, as it comes when a large one is under way.

What must be true then is told in scenarios.py. In short: nothing that was there is lost,
what had been printed is stored, no session is half there, and all tools work again.

usage: kills                     (FAULT=full: at every call)
       kills 'chat' -n 17 -k after (only this; the store is kept)
"""

import sys

import sweep

SIZES = ("1", "50", "999999999")  # bytes; the last is one too few

KINDS = {
    "SIGKILL before a call": [["-k", "before"]],
    "SIGKILL after a call": [["-k", "after"]],
    "SIGKILL in a write": [["-s", size, "-k", "after"] for size in SIZES],
}

sys.exit(sweep.main("SIGKILL at a call", KINDS, 16))

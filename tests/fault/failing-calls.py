#!/usr/bin/python3 -B
"""Each system call of each tool fails in turn, or writes less than it was asked to.

What must be true then is told in scenarios.py. In short: no crash and no hang, nothing
that was there is lost, nothing that was acknowledged is missing, what was printed is
stored, and then all works again; a short write, and a call that a signal interrupted
(EINTR), are no reason to fail at all.

usage: failing-calls                     (FAULT=full: every call, every error)
       failing-calls 'chat' -n 17 -e EIO (only this; the store is kept)
"""

import sys

import sweep

ERRORS = ("ENOSPC", "EIO", "EDQUOT", "EMFILE", "EACCES", "EROFS", "EINTR")
SIZES = ("1", "50", "999999999")  # bytes; the last is one too few

KINDS = {name: [["-e", name]] for name in ERRORS}
KINDS["short writes"] = [["-s", size] for size in SIZES]

sys.exit(sweep.main("a call fails, or writes less", KINDS, 20))

"""Runs a command under strace, and does to a Disk what the command did below a folder.

Followed are the system calls of one process, of all its threads, that change
files. Whoever uses this compares the Disk with the folder afterwards, so that a
call that is not known here cannot go unnoticed.
"""

import os
import re
import subprocess

from disk import ROOT, paths

CALLS = ("open openat openat2 creat close dup dup2 dup3 fcntl fork vfork clone clone3 "
         "write writev pwrite64 pwritev pwritev2 lseek truncate ftruncate fallocate "
         "copy_file_range sendfile fsync fdatasync sync syncfs rename renameat renameat2 link "
         "linkat symlink symlinkat unlink unlinkat mkdir mkdirat rmdir").split()
LONGEST = 1 << 26  # bytes of a write


class Unknown(Exception):
    """Something that this cannot follow."""


class OpenFile:
    def __init__(self, inode, append):
        self.inode, self.append, self.at = inode, append, 0


def run(disk, root, command, trace, kill=None, **more):
    """Runs `command`, tells `disk`, and returns the exit status. `kill` is a system call,
    "fsync" or "fdatasync:when=2": the process is killed as it makes it."""
    strace = ["strace", "-f", "-xx", "-s", str(LONGEST), "-e", "signal=none", "-o", str(trace),
              "-e", "trace=" + ",".join("?" + name for name in CALLS)]
    if kill:
        name, _, when = kill.partition(":")
        strace += ["-e", f"inject={name}:signal=KILL:{when or 'when=1'}"]
    status = subprocess.run(strace + ["--"] + command, **more).returncode
    follow = Follower(disk, os.fspath(root))
    with open(trace, encoding="ascii") as lines:
        for name, args, result, began in calls(lines, lambda: len(disk.log)):
            follow.call(name, args, result, began)
    return status


LINE = re.compile(r"(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)$")
END = re.compile(r"(.*)\) += (-?\w+|\?)(?: .*)?$")


def calls(lines, clock):
    """(name, arguments, result, what the clock said when it began) of each call that
    succeeded, in the order of their ends."""
    unfinished = {}
    for line in lines:
        line = line.rstrip("\n")
        match = LINE.match(line)
        if not match:
            if not re.match(r"\d+ +(\+\+\+|---)", line):
                raise Unknown(f"a line of strace: {line[:200]}")
            continue
        thread, resumed, name, rest = match.groups()
        began = clock()
        if resumed:
            name, (start, began) = resumed, unfinished.pop(thread)
            rest = start + rest
        if rest.endswith("<unfinished ...>"):
            unfinished[thread] = rest[:-len("<unfinished ...>")].rstrip(), began
            continue
        match = END.match(rest)
        if not match:
            raise Unknown(f"a line of strace: {line[:200]}")
        args, result = match.groups()
        if result != "?" and int(result, 0) >= 0:
            yield name, split(args), int(result, 0), began


def split(text):
    """The arguments, parted at the commas that are not within brackets. With -xx no
    string has a bracket or a comma in it."""
    args, depth, start = [], 0, 0
    for i, c in enumerate(text):
        if c in "[{(":
            depth += 1
        elif c in "]})":
            depth -= 1
        elif c == "," and depth == 0:
            args.append(text[start:i].strip())
            start = i + 1
    return args + [text[start:].strip()]


def unquote(text):
    match = re.fullmatch(r'"((?:\\x[0-9a-f]{2})*)"', text)
    if not match:
        raise Unknown(f"no whole string: {text[:100]}")
    return bytes.fromhex(match[1].replace("\\x", ""))


def vector(text):
    if "..." in text:
        raise Unknown("strace left something out")
    return b"".join(unquote(s) for s in re.findall(r'iov_base=("[^"]*")', text))


class Follower:
    def __init__(self, disk, root):
        self.disk, self.root, self.files = disk, root, {}

    def call(self, name, args, result, began):
        if name in ("fork", "vfork") or \
                name.startswith("clone") and "CLONE_THREAD" not in " ".join(args):
            raise Unknown("a second process")
        getattr(self, "on_" + name, self.other)(args, result, began)

    def other(self, args, result, began):
        """Nothing that matters, or the comparison of the trees will tell."""

    # Places

    def file(self, arg):
        return self.files.get(int(arg))

    def entry(self, at, path):
        """(directory's inode, name, path from the root on); None outside of the root."""
        path = unquote(path).decode()
        if path.startswith("/"):
            if path != self.root and not path.startswith(self.root + "/"):
                return None
            directory, path = ROOT, path[len(self.root):]
        elif at == "AT_FDCWD":
            return None  # the commands run elsewhere
        else:
            directory = self.file(at)
            if directory is None:
                return None
            directory = directory.inode
        parts = [p for p in path.split("/") if p not in ("", ".")]
        while parts and parts[0] == "..":
            directory = next((up for (up, _), inode in self.disk.names.items()
                              if inode == directory), None)
            parts = parts[1:]
        if directory is None:
            return None
        if ".." in parts:
            raise Unknown("'..' in a path")
        if not parts:
            return directory, None
        return self.disk.find(parts[:-1], directory), parts[-1]

    def path(self, entry):
        known = {inode: path for path, inode in walk(self.disk)}
        directory = known.get(entry[0], "?")
        return f"{directory}/{entry[1]}" if directory else entry[1]

    def inode(self, entry):
        return entry[0] if entry[1] is None else self.disk.names.get(entry)

    # Descriptors

    def on_openat(self, args, fd, _):
        entry = self.entry(args[0], args[1])
        if entry is None:
            return
        inode, flags = self.inode(entry), args[2]
        if inode is None:
            if "O_CREAT" not in flags:
                raise Unknown(f"a file that is not known: {self.path(entry)}")
            inode = self.disk.create(entry, False, f"the name {self.path(entry)}, created")
        if "O_TRUNC" in flags:
            self.disk.resize(inode, 0)
        self.files[fd] = OpenFile(inode, "O_APPEND" in flags)

    def on_open(self, args, fd, began):
        self.on_openat(["AT_FDCWD", *args], fd, began)

    def on_creat(self, args, fd, began):
        self.on_openat(["AT_FDCWD", args[0], "O_CREAT|O_TRUNC"], fd, began)

    def on_close(self, args, _, __):
        self.files.pop(int(args[0]), None)

    def on_dup(self, args, fd, _):
        self.files.pop(fd, None)
        if self.file(args[0]):
            self.files[fd] = self.file(args[0])

    on_dup2 = on_dup3 = on_dup

    def on_fcntl(self, args, fd, began):
        if args[1].startswith("F_DUPFD"):
            self.on_dup(args, fd, began)

    def on_lseek(self, args, at, _):
        if self.file(args[0]):
            self.file(args[0]).at = at

    # Contents

    def put(self, fd, data, n, at=None):
        f = self.file(fd)
        if f is None:
            return
        start = f.at if at is None else at
        if f.append:
            start = len(self.disk.content[f.inode])
        self.disk.write(f.inode, start, data[:n])
        if at is None:
            f.at = start + n

    def on_write(self, args, n, _):
        if self.file(args[0]):
            self.put(args[0], unquote(args[1]), n)

    def on_writev(self, args, n, _):
        if self.file(args[0]):
            self.put(args[0], vector(args[1]), n)

    def on_pwrite64(self, args, n, _):
        if self.file(args[0]):
            self.put(args[0], unquote(args[1]), n, int(args[3]))

    def on_pwritev(self, args, n, _):
        if self.file(args[0]):
            self.put(args[0], vector(args[1]), n, int(args[3]))

    def on_ftruncate(self, args, _, __):
        if self.file(args[0]):
            self.disk.resize(self.file(args[0]).inode, int(args[1]))

    def on_fsync(self, args, _, began):
        f = self.file(args[0])
        if f:
            known = {inode: path for path, inode in walk(self.disk)}
            where = known.get(f.inode, "a file without a name") or "the root"
            self.disk.sync(f.inode, began, f"sync of {where}")

    on_fdatasync = on_fsync

    # Names

    def on_mkdirat(self, args, _, __):
        entry = self.entry(args[0], args[1])
        if entry:
            self.disk.create(entry, True, f"the folder {self.path(entry)}, created")

    def on_mkdir(self, args, result, began):
        self.on_mkdirat(["AT_FDCWD", *args], result, began)

    def on_unlinkat(self, args, _, __):
        entry = self.entry(args[0], args[1])
        if entry:
            self.disk.change_names([(entry, None)], f"the name {self.path(entry)}, removed")

    def on_unlink(self, args, result, began):
        self.on_unlinkat(["AT_FDCWD", *args], result, began)

    on_rmdir = on_unlink

    def on_renameat(self, args, _, __):
        old, new = self.entry(args[0], args[1]), self.entry(args[2], args[3])
        if old is None and new is None:
            return
        if old is None or new is None:
            raise Unknown("a rename over the root's border")
        if self.inode(old) != self.inode(new):
            self.disk.change_names([(old, None), (new, self.inode(old))] if old != new else [],
                                   f"{self.path(old)} renamed to {self.path(new)}")

    on_renameat2 = on_renameat

    def on_rename(self, args, result, began):
        self.on_renameat(["AT_FDCWD", args[0], "AT_FDCWD", args[1]], result, began)

    def on_linkat(self, args, _, __):
        old, new = self.entry(args[0], args[1]), self.entry(args[2], args[3])
        if old and new:
            self.disk.change_names([(new, self.inode(old))],
                                   f"{self.path(old)} linked to {self.path(new)}")

    def on_link(self, args, result, began):
        self.on_linkat(["AT_FDCWD", args[0], "AT_FDCWD", args[1]], result, began)


def walk(disk):
    yield "", ROOT
    yield from paths(disk.names)

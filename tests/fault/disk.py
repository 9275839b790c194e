"""What a loss of power may leave of a file system.

A Disk keeps two things: the tree as the running programs see it, and the log of
all that was done to it. states() gives the trees that may be found after the
power went at some point of that log.

The rule is what POSIX and fsync(2) promise, and no more:

  * A file's content and size are on the disk when fsync or fdatasync of that
    file has returned. Until then each block has, independently of all others,
    one of the contents that it had since; and the file one of the sizes. Where
    the size is there and the block is not, there are NULs (delayed allocation);
    and the last write may be torn within its block.
  * A name (an entry of a directory, made by creat, mkdir, link, rename, or
    removed by unlink, rmdir, rename) is on the disk when fsync of its directory
    has returned. Until then any of these operations may be there or not,
    whatever their order was, but two on the same name keep theirs, and a rename
    is atomic: the new name is there and the old one gone, or neither.
  * fsync of a file says nothing of its name, and fsync of a directory nothing
    of what is in the files.

File systems do better, each in its own way: ext4 and XFS commit all changes of
names in their order, and an fsync of a new file of ext4 brings its name along;
Btrfs logs the one file, and lets later changes of other names overtake earlier
ones. A program that relies on any of this works by luck.

POSIX would let a block be a mixture of any of its writes; it is taken here that
a block is written from a page that holds all of them so far, as everywhere. That
a name leads to a file says nothing of what is in it: that is the usual way to
lose a file that was "atomically" replaced.

The method is that of the ALICE ("All File Systems Are Not Created Equal") and
CrashMonkey ("Finding Crash-Consistency Bugs with Bounded Black-Box Crash
Testing") papers: record, reorder, look.
"""

import collections
import itertools
import os
import pathlib

BLOCK = 4096
ROOT = 0

# What the log holds. A change of names has [((directory, name), inode or None)], and
# words for people. A Sync covers what was logged before its call began. A Mark is the
# caller's.
Write = collections.namedtuple("Write", "inode offset data")
Resize = collections.namedtuple("Resize", "inode size")
Names = collections.namedtuple("Names", "changes words")
Sync = collections.namedtuple("Sync", "inode covers words")
Mark = collections.namedtuple("Mark", "value")

# A tree (path: bytes, or None for a directory), its inodes by their paths, and a function
# that tells in words what was lost.
State = collections.namedtuple("State", "tree inodes lost")


class Disk:
    """Begins with what is below `path`, all of it safely on the disk."""

    def __init__(self, path):
        self.log = []
        self.names = {}  # (directory, name): inode
        self.content = {ROOT: None}  # inode: bytes, or None for a directory
        self.scan(pathlib.Path(path), ROOT)
        self.first_names = dict(self.names)
        self.first_content = dict(self.content)

    def scan(self, path, directory):
        for child in path.iterdir():
            inode = len(self.content)
            self.names[directory, child.name] = inode
            self.content[inode] = None if child.is_dir() else child.read_bytes()
            if child.is_dir():
                self.scan(child, inode)

    # What programs do

    def find(self, parts, directory=ROOT):
        """The inode at the end of these names, or None."""
        for name in parts:
            directory = self.names.get((directory, name))
        return directory

    def is_directory(self, inode):
        return self.content[inode] is None

    def change_names(self, changes, words):
        for entry, inode in changes:
            if inode is None:
                del self.names[entry]
            else:
                self.names[entry] = inode
        self.log.append(Names(changes, words))

    def create(self, entry, directory, words):
        inode = len(self.content)
        self.content[inode] = None if directory else b""
        self.first_content[inode] = self.content[inode]
        self.change_names([(entry, inode)], words)
        return inode

    def write(self, inode, offset, data):
        old = self.content[inode].ljust(offset, b"\0")
        self.content[inode] = old[:offset] + data + old[offset + len(data):]
        self.log.append(Write(inode, offset, data))

    def resize(self, inode, size):
        if size != len(self.content[inode]):
            self.content[inode] = self.content[inode][:size].ljust(size, b"\0")
            self.log.append(Resize(inode, size))

    def sync(self, inode, covers, words):
        self.log.append(Sync(inode, covers, words))

    def mark(self, value):
        self.log.append(Mark(value))

    def tree(self):
        return {path: self.content[inode] for path, inode in paths(self.names)}

    # What a loss of power leaves

    def points(self):
        """Where in the log to cut the power. Between two syncs the longer log can leave
        all that the shorter one can; so the moments just before a sync or a mark, and
        the end, are enough."""
        last = len(self.log)
        return [i for i in range(last) if isinstance(self.log[i], (Sync, Mark))] + [last]

    def states(self, point, rng, most):
        """(plain, more): the trees that the log up to `point` may leave, where nothing or
        everything of the names and of the contents is there, and the others: all, or
        when there are more than `most`, each single thing missing or alone, and a sample."""
        past = Past(self, point)
        orders = past.name_choices(most)
        versions = {inode: past.versions(inode, most) for inode in past.pending_files()}
        count = len(orders)
        for v in versions.values():
            count *= len(v)
        nothing, everything = orders[0], orders[1]
        old = {i: v[0] for i, v in versions.items()}
        new = {i: v[-1] for i, v in versions.items()}
        plain = [(o, data) for o in (nothing, everything) for data in (old, new)]
        if count <= most:
            more = [(o, dict(zip(versions, data)))
                    for o in orders for data in itertools.product(*versions.values())]
        else:
            more = [(o, data) for o in past.single_names() for data in (old, new)]
            for inode, choices in versions.items():
                more += [(o, data | {inode: one}) for one in choices for data in (old, new)
                         for o in (nothing, everything)]
            more += [(past.random_names(rng), {i: rng.choice(v) for i, v in versions.items()})
                     for _ in range(most)]
        return [past.state(*c) for c in plain], [past.state(*c) for c in more]


class Past:
    """The log up to a point, parted into what is safe and what is pending."""

    def __init__(self, disk, point):
        self.disk = disk
        self.log = disk.log[:point]
        covered = {}  # inode: everything of it before this place in the log is safe
        for op in self.log:
            if isinstance(op, Sync):
                covered[op.inode] = max(op.covers, covered.get(op.inode, 0))
        self.covered = covered
        self.latest = dict(disk.first_content)  # what a running program would read
        for op in self.log:
            if isinstance(op, (Write, Resize)):
                self.latest[op.inode] = after(self.latest[op.inode], op)
        changes = [i for i, op in enumerate(self.log) if isinstance(op, Names)]
        # A change of names depends on those before it of the same names.
        self.needs = {i: {j for j in changes if j < i and self.entries(i) & self.entries(j)}
                      for i in changes}
        safe = set()
        for i in reversed(changes):
            if any(i < covered.get(d, 0) for d, _ in self.entries(i)):
                safe |= self.with_needs({i})
        self.safe = frozenset(safe)
        self.pending = [i for i in changes if i not in safe]

    def entries(self, i):
        return {entry for entry, _ in self.log[i].changes}

    def with_needs(self, chosen):
        todo, done = list(chosen), set()
        while todo:
            i = todo.pop()
            if i not in done:
                done.add(i)
                todo += self.needs[i]
        return done

    def without(self, lost):
        """All changes but this one, and those that cannot be without it."""
        return self.safe.union(i for i in self.pending if lost not in self.with_needs({i}))

    def single_names(self):
        alone = [self.safe | self.with_needs({i}) for i in self.pending]
        return alone + [self.without(i) for i in self.pending]

    def random_names(self, rng):
        some = [i for i in self.pending if rng.random() < 0.5]
        if rng.random() < 0.5:
            return self.safe | self.with_needs(some)
        kept = self.safe.union(self.pending)
        for i in some:
            kept = kept & self.without(i)
        return kept

    def name_choices(self, most):
        """Which changes of names may be there together: nothing pending, everything,
        and then all others, or when these are too many, each single one."""
        found = [frozenset(), frozenset(self.pending)]
        ideals = {frozenset()}
        for i in self.pending:  # in their order, so that what one needs was looked at
            before = self.needs[i] - self.safe
            ideals |= {x | {i} for x in ideals if before <= x}
            if len(ideals) > most:
                return [self.safe | x for x in found] + self.single_names()
        found += sorted(ideals - set(found), key=sorted)
        return [self.safe | x for x in found]

    def pending_files(self):
        return sorted({op.inode for i, op in enumerate(self.log)
                       if isinstance(op, (Write, Resize)) and i >= self.covered.get(op.inode, 0)})

    def versions(self, inode, most):
        """The contents that the file may have: the safe one first, the newest last."""
        safe, pending = self.disk.first_content[inode], []
        for i, op in enumerate(self.log):
            if isinstance(op, (Write, Resize)) and op.inode == inode:
                if i < self.covered.get(inode, 0):
                    safe = after(safe, op)
                else:
                    pending.append(op)
        past = [safe]
        for op in pending:
            past.append(after(past[-1], op))
        new = past[-1]
        # Each block's contents in time, and the sizes.
        blocks = [unique(b[at:at + BLOCK].ljust(BLOCK, b"\0") for b in past)
                  for at in range(0, max(map(len, past)), BLOCK)]
        sizes = unique(len(b) for b in past)
        count = len(sizes)
        for b in blocks:
            count *= len(b)
        if count <= min(most, 256):
            found = [b"".join(b)[:n] for b in itertools.product(*blocks) for n in sizes]
        else:
            oldest, latest = [b[0] for b in blocks], [b[-1] for b in blocks]
            found = past + [b"".join(oldest)[:n] for n in sizes]
            for i, b in enumerate(blocks):
                for one in b:
                    found.append(b"".join(oldest[:i] + [one] + oldest[i + 1:])[:len(new)])
                    found.append(b"".join(latest[:i] + [one] + latest[i + 1:])[:len(new)])
        if isinstance(pending[-1], Write):
            found += torn(past[-2], pending[-1], len(new))
        return [safe] + unique(b for b in found if b not in (safe, new)) + [new]

    def state(self, names_there, data):
        names = dict(self.disk.first_names)
        for i in sorted(names_there):
            for entry, inode in self.log[i].changes:
                if inode is None:
                    del names[entry]
                else:
                    names[entry] = inode
        content = self.latest | data
        inodes = dict(paths(names))

        def lost():
            words = [self.log[i].words for i in self.pending if i not in names_there]
            for path, inode in inodes.items():
                if inode in data:
                    words += self.lost_data(path, inode, data[inode])
            return words

        return State({path: content[inode] for path, inode in inodes.items()}, inodes, lost)

    def lost_data(self, path, inode, data):
        whole = self.latest[inode]
        if data == whole:
            return []
        same = len(os.path.commonprefix([data, whole]))
        nul = len(data) - same
        return [f"data of {path} after byte {same} of {len(whole)}"
                + (f", where {nul} others are" if nul else "")]


def after(content, op):
    if isinstance(op, Resize):
        return content[:op.size].ljust(op.size, b"\0")
    return content[:op.offset].ljust(op.offset, b"\0") + op.data \
        + content[op.offset + len(op.data):]


def torn(old, op, size):
    """The last write, cut off in its last block, and the NULs that may be there instead."""
    start = max(op.offset, (op.offset + len(op.data) - 1) // BLOCK * BLOCK)
    end = op.offset + len(op.data)
    for cut in unique([start + 1, (start + end) // 2, end - 1]):
        part = after(old, op)[:cut]
        if start < cut < end:
            yield part
            yield part.ljust(size, b"\0")


def unique(things):
    return list(dict.fromkeys(things))


def paths(names):
    """(path, inode) of everything that can be reached."""
    below = collections.defaultdict(list)
    for (directory, name), inode in names.items():
        below[directory].append((name, inode))
    todo = [("", ROOT)]
    while todo:
        path, directory = todo.pop()
        for name, inode in sorted(below[directory]):
            todo.append((f"{path}/{name}", inode))
            yield f"{path}/{name}"[1:], inode


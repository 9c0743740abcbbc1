"""What the kernel says of the daemon and of what it has started."""

import os

PAGE = os.sysconf("SC_PAGE_SIZE")
TICK = os.sysconf("SC_CLK_TCK")


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def stat(pid):
    """Parent, processor time in seconds, state, start time; None when there is no such process."""
    text = read(f"/proc/{pid}/stat")
    if not text:
        return None
    # The program's name may hold anything: what counts begins after its last parenthesis.
    fields = text[text.rindex(b")") + 2 :].split()
    return int(fields[1]), (int(fields[11]) + int(fields[12])) / TICK, fields[0], int(fields[19])


def resident_bytes(pid):
    fields = read(f"/proc/{pid}/statm").split()
    return int(fields[1]) * PAGE if fields else 0


def descriptors(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


def threads(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return 0


def descendants(pid):
    """Children, their children and so on, dead ones that nobody has taken away included."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (found := stat(name)):
            parents.setdefault(found[0], []).append((int(name), found[3]))
    result, waiting = [], [pid]
    while waiting:
        children = parents.get(waiting.pop(), [])
        result += children
        waiting += [child for child, _ in children]
    return result


def owned_by(home):
    """Processes, anywhere on the machine, that carry the mark of the daemon of this home."""
    mark = b"CODEAI_HUB_OWNER=" + home.encode()
    return [
        int(name) for name in os.listdir("/proc") if name.isdigit() and mark in read(f"/proc/{name}/environ").split(b"\0")
    ]

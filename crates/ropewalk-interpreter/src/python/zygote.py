"""Forks sessions: the packages are imported once, here, and no stranger's code ever runs here.

One thread only. Asked over standard input, a SOCK_SEQPACKET socket: each request is one JSON object with the descriptors of
the new session, and is answered by the number of the first child and its pidfd. Ends with the socket's other end.
"""

import array
import ctypes
import gc
import json
import os
import signal
import socket
import sys

import session
import wall
import worker

MOST_REQUEST = 256 * 1024
HUGE, MADV_COLLAPSE = 2 << 20, 25


def receive(server):
    """The next request and its descriptors, or `None` at the end."""
    data, ancillary, _flags, _address = server.recvmsg(MOST_REQUEST, socket.CMSG_SPACE(5 * 4))
    descriptors = array.array("i")
    for level, kind, payload in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(payload[: len(payload) - len(payload) % 4])
    return (json.loads(data), list(descriptors)) if data else None


def tree():
    """The folders that Python lives in: all that it reads when it imports something later."""
    folders = {os.path.realpath(folder) for folder in (sys.prefix, sys.base_prefix, *sys.path) if os.path.isdir(folder)}
    folders |= {sys.prefix, sys.base_prefix}
    within = lambda folder: any(folder != other and folder.startswith(f"{other}/") for other in folders | {"/usr"})
    return sorted(folder for folder in folders - {"/usr"} if not within(folder))


def use_huge_pages():
    """Moves what is in memory to huge pages, as far as it lies together: a fork is quicker by a fifth."""
    with open("/proc/self/maps") as file:
        lines = file.read().splitlines()
    for fields in map(str.split, lines):
        if fields[1] == "rw-p" and fields[5:] in ([], ["[heap]"]):
            start, end = (int(address, 16) for address in fields[0].split("-"))
            for address in range(-(-start // HUGE) * HUGE, end // HUGE * HUGE, HUGE):
                # What cannot be moved stays as it is: the kernel may be older than 6.1, or memory scarce.
                wall.libc.madvise(ctypes.c_void_p(address), ctypes.c_size_t(HUGE), MADV_COLLAPSE)


def main(server, packages):
    failures = worker.import_all(packages)
    # What is there stays in pages that all sessions share.
    gc.collect()
    gc.freeze()
    use_huge_pages()
    # Those that lose their parent come here. Children are told of by their pidfds: none is waited for.
    wall.adopt()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server.send(json.dumps({"failures": failures, "tree": tree()}).encode())
    while (asked := receive(server)) is not None:
        plan, descriptors = asked
        try:
            child = os.fork()
            if child == 0:
                server.close()
                session.begin(plan, *descriptors)
            pidfd = os.pidfd_open(child)
        except OSError as error:
            server.send(json.dumps({"error": f"does not fork: {error}"}).encode())
            continue
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        socket.send_fds(server, [json.dumps({"pid": child}).encode()], [pidfd])
        os.close(pidfd)

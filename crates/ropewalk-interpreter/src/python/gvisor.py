"""From a process of the server to a session in gVisor: what surrounds the kernel of its own that a session has there.

    this --(new namespaces)--> init, number 1 within: builds the guest's root in memory, starts runsc
                                 runsc, with two users of its own: the kernel, its files, and in that the guest

Asked over standard input, a SOCK_SEQPACKET socket: one message with the plan and the descriptors of the session. All that
a session needs on the host (its root, its bundle, the state of runsc) lies in memory of these namespaces and goes with
them. They end when the server closes the socket, and everything in them with it.
"""

import array
import json
import os
import select
import socket

import session
import wall

MOST_PLAN = 512 * 1024
STAGING = "/mnt"
ROOT, BUNDLE, STATE, ORDERS = f"{STAGING}/root", f"{STAGING}/bundle", f"{STAGING}/state", f"{STAGING}/orders"


def main(server):
    plan, descriptors = receive(server)
    place = "the descriptors"
    try:
        session.take_descriptors(server.detach(), *descriptors)
        server = socket.socket(fileno=session.INIT)
        # Put into its control groups by the server, who says so.
        if server.recv(1) != b"g":
            os._exit(0)
        place = "namespaces"
        session.enter_namespaces(plan, {"namespaces"})
        if first := session.fork_first(server):
            server.close()
            os.close(session.CONTROL)
            os.closerange(session.STDOUT, session.STDERR + 1)
            # Whoever started this one waits for it, and nobody else for the first process.
            os.waitpid(first, 0)
            os._exit(0)
        wall.forget_signals()
        place = "file_system"
        build(plan)
        place = "runsc"
        be_init(plan, server)
    except BaseException as error:
        try:
            server.send(json.dumps({"failed": place, "why": f"{error}"}).encode())
        finally:
            os._exit(1)


def receive(server):
    data, ancillary, _flags, _address = server.recvmsg(MOST_PLAN, socket.CMSG_SPACE(4 * 4))
    descriptors = array.array("i")
    for _level, _kind, payload in ancillary:
        descriptors.frombytes(payload[: len(payload) - len(payload) % 4])
    return json.loads(data), list(descriptors)


def build(plan):
    """The guest's root, read-only, and its places to write; the bundle; all in memory."""
    wall.mount(None, "/", None, wall.MS_REC | wall.MS_PRIVATE)
    # Processes go by their numbers in here: those of the host's own are others.
    wall.mount("proc", "/proc", "proc", wall.MS_NOSUID | wall.MS_NODEV | wall.MS_NOEXEC)
    os.umask(0o022)
    # Without flags: runsc, which cannot take any away, mounts it again without.
    wall.mount("session", STAGING, "tmpfs", 0, "size=8m,nr_inodes=2048,mode=755")
    for folder in (BUNDLE, STATE, ORDERS, *(f"{ROOT}/{name}" for name in ("proc", "sys", "dev/shm", "etc", "run/session", "tmp", "mnt/data"))):
        os.makedirs(folder)
    os.chown(STATE, plan["kernel"], plan["kernel"])
    for place, options in plan["writable"].items():
        # Within the root there is nothing but what is read: runsc shows these in their places.
        os.makedirs(STAGING + plan["shown"][place])
        wall.mount("session", STAGING + plan["shown"][place], "tmpfs", wall.MS_NOSUID | wall.MS_NODEV, options)
    for source in plan["read_only"]:
        # What lies below a place to write, such as Python below /tmp, is seen there.
        within = [place for place in plan["shown"] if source.startswith(f"{place}/")]
        target = f"{STAGING}{plan['shown'][within[0]]}{source[len(within[0]):]}" if within else f"{ROOT}{source}"
        if os.path.islink(source):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.symlink(os.readlink(source), target)
        elif os.path.isdir(source):
            os.makedirs(target, exist_ok=True)
            wall.bind(source, target, plan["calls"])
    for name, text in plan["etc"].items():
        with open(f"{ROOT}/etc/{name}", "w") as file:
            file.write(text)
    count_interruption(0)
    with open(f"{BUNDLE}/config.json", "w") as file:
        json.dump(plan["config"], file)


def be_init(plan, server):
    """Starts runsc, then reaps whoever ends, until it or the server is gone. Interruptions go to the guest by its kernel."""
    wall.hide()
    data = os.open(STAGING + plan["shown"]["/mnt/data"], os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    null = os.dup(session.STDIN)
    os.dup2(session.CONTROL, session.STDIN)
    child = start(plan, "run")
    os.close(session.CONTROL)
    for pipe in (session.STDIN, session.STDOUT, session.STDERR):
        os.dup2(null, pipe)
    socket.send_fds(server, [json.dumps({"ready": child}).encode()], [data])
    os.close(data)
    ended = session.signal_pipe()
    poll = select.poll()
    poll.register(server, select.POLLIN)
    poll.register(ended, select.POLLIN)
    interruptions = 0
    while True:
        for descriptor, _event in poll.poll():
            if descriptor == ended:
                os.read(ended, 4096)
                session.reap(child)
            else:
                order = server.recv(16)
                if not order:
                    session.end(plan)
                if order == b"interrupt":
                    # It takes a moment, and may come too late: the guest looks when it was asked for.
                    interruptions += 1
                    count_interruption(interruptions)
                    start(plan, "interrupt")


def count_interruption(number):
    """Shows the guest how many there were."""
    with open(f"{ORDERS}/interruptions", "r+b" if number else "wb", buffering=0) as file:
        file.write(f"{number:8}".encode())


def start(plan, command):
    """Forks runsc, root of a user namespace of two users: its own, and the guest's."""
    command = plan["commands"][command]
    (here, there), (told, tells) = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(session.INIT)
            os.setgroups([])
            wall.show()
            wall.unshare(wall.NEWUSER | wall.NEWNS)
            os.write(there, b"u")
            if os.read(told, 1) != b"m":
                os._exit(1)
            os.setresgid(0, 0, 0)
            os.setresuid(0, 0, 0)
            os.environ.clear()
            os.execv(command[0], command)
        except BaseException as error:
            os.write(session.STDERR, f"{command[0]} cannot be run: {error}".encode())
        finally:
            os._exit(1)
    os.close(there)
    if os.read(here, 1) != b"u":
        raise OSError("no user namespace")
    for name in ("uid_map", "gid_map"):
        with open(f"/proc/{child}/{name}", "w") as file:
            file.write(f"0 {plan['kernel']} 1\n{plan['inside']} {plan['uid']} 1\n")
    os.write(tells, b"m")
    for descriptor in (here, told, tells):
        os.close(descriptor)
    return child

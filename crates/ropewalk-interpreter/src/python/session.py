"""From a child of the zygote to a session: the wall, the first process of its namespaces, and the worker.

    child --(new namespaces)--> init, number 1 within: builds the wall, forks the worker, waits
                                  worker: runs the cells

The child leaves as soon as init is there. Init has no handler for any signal and cannot be traced or read by the worker.
It ends when the server closes its socket, and everything in the namespaces with it.
"""

import json
import os
import select
import signal
import socket
import sys

import wall
import worker

STDIN, STDOUT, STDERR, INIT, CONTROL, CPU = 0, 1, 2, 900, 901, 902


def begin(plan, *descriptors):
    """Never returns. `descriptors`: as `take_descriptors` has them."""
    place = "the descriptors"
    try:
        take_descriptors(*descriptors)
        server = socket.socket(fileno=INIT)
        # Put into its control groups by the server, who says so.
        if server.recv(1) != b"g":
            os._exit(0)
        place = "namespaces"
        layers = set(plan["layers"])
        enter_namespaces(plan, layers)
        if fork_first(server):
            os._exit(0)
        for place, build in steps(plan, layers):
            build()
        place = "the worker"
        be_init(plan, layers, server)
    except BaseException as error:
        try:
            server.send(json.dumps({"failed": place, "why": f"{error}"}).encode())
        finally:
            os._exit(1)


def take_descriptors(init, control, stdout, stderr, *cpu):
    """Keeps these alone, each in its place; forked children of the worker get the first three only.

    `init`, `control`: sockets to the server; `stdout`, `stderr`: pipes to it; `cpu`: where the computing time is written, if
    there is a control group for it.
    """
    null = os.open("/dev/null", os.O_RDONLY)
    places = (STDIN, STDOUT, STDERR, INIT, CONTROL, CPU)
    high = [os.dup(descriptor) for descriptor in (null, stdout, stderr, init, control, *cpu)]
    for descriptor, place in zip(high, places):
        os.dup2(descriptor, place, inheritable=place <= STDERR)
    os.closerange(STDERR + 1, INIT)
    os.closerange(places[len(high) - 1] + 1, os.sysconf("SC_OPEN_MAX"))


def enter_namespaces(plan, layers):
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write(str(plan["oom_score_adj"]))
    if os.getuid() == 0:
        # Before whatever a cell leaves running, which may take all the time that a session has: init sees the server's end.
        os.nice(-20)
    if "namespaces" in layers:
        if os.getuid() != 0:
            wall.map_ids(os.getuid(), os.getgid(), plan["inside"])
        wall.unshare(wall.NEWNS | wall.NEWPID | wall.NEWNET | wall.NEWIPC | wall.NEWUTS | wall.NEWCGROUP)
        # In place of the host's.
        socket.sethostname("session")


def fork_first(server):
    """Forks the first process of the new namespaces, and tells the server of it. Gives its number, or 0 in itself."""
    told, tells = os.pipe()
    first = os.fork()
    if first:
        socket.send_fds(server, [json.dumps({"init": first}).encode()], [os.pidfd_open(first)])
    # Now, and not with the end of this process, which takes as long as a fork.
    os.close(tells)
    if not first:
        # Says nothing before the server was told of it: what comes first is its number.
        os.read(told, 1)
    os.close(told)
    return first


def steps(plan, layers):
    """What init does, in this order: each layer beside its name."""
    yield "signals", wall.forget_signals
    if "file_system" in layers:
        yield "file_system", lambda: wall.build_root(plan)
    if "uid" in layers and os.getuid() == 0:
        yield "uid", lambda: wall.become(plan["uid"], plan["inside"])
    if "capabilities" in layers:
        yield "capabilities", lambda: wall.drop_capabilities(plan["calls"])
    if "rlimits" in layers:
        yield "rlimits", lambda: wall.limit(plan["limits"])
    if "landlock" in layers:
        yield "landlock", lambda: wall.landlock(list(plan["writable"]))
    yield "environment", lambda: wall.rebuild_environment(plan["environment"])


def be_init(plan, layers, server):
    """Forks the worker, then reaps whoever ends, until the worker or the server is gone."""
    wall.hide()
    data = os.open("/mnt/data", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        os.close(INIT)
        os.closerange(CPU, CPU + 1)
        os.close(data)
        os.setsid()
        os.nice(-os.nice(0))
        wall.show()
        if "seccomp" in layers:
            wall.filter_calls(plan)
        worker.work(socket.socket(fileno=CONTROL))
    os.close(CONTROL)
    for pipe in (STDIN, STDOUT, STDERR):
        os.close(pipe)
    socket.send_fds(server, [json.dumps({"ready": child}).encode()], [data])
    os.close(data)
    if "seccomp" in layers:
        wall.filter_calls(plan)
    ended = signal_pipe()
    poll = select.poll()
    poll.register(server, select.POLLIN)
    poll.register(ended, select.POLLIN)
    while True:
        for descriptor, _event in poll.poll():
            if descriptor == ended:
                os.read(ended, 4096)
                reap(child)
            else:
                order = server.recv(16)
                if not order:
                    end(plan)
                if order == b"interrupt":
                    os.kill(child, signal.SIGINT)


def end(plan):
    """The server is gone, and with it whoever would give time to what is left running: to end takes time too."""
    try:
        os.write(CPU, str(plan["computing_time"]).encode())
    except OSError:
        pass
    os._exit(0)


def signal_pipe():
    """Readable when a child has ended."""
    reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return reading


def reap(child):
    """Everybody who ended; init ends with its worker, and says how that did."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            os._exit(0)
        if pid == 0:
            return
        if pid == child:
            os._exit(min(255, os.waitstatus_to_exitcode(status) % 256))

"""The wall around a session: each layer is one function, and the server says which are to be tried.

Runs in a child of the zygote that has one thread and has never run a stranger's code. What is allowed (mounts, limits,
the system-call filter) comes from the server; here it is only carried out. A layer that does not hold raises, and the
session ends before the worker begins.
"""

import base64
import ctypes
import os
import resource
import signal

libc = ctypes.CDLL(None, use_errno=True)

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH, AT_RECURSIVE = 2, 0x8000
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV = 1, 2, 4
NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = (
    0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)
PR_SET_DUMPABLE, PR_CAPBSET_READ, PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER = 4, 23, 24, 36
PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 38, 47, 4
SYS_landlock_create_ruleset, SYS_landlock_add_rule, SYS_landlock_restrict_self = 444, 445, 446


def check(result, what):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def mount(source, target, kind, flags, options=None):
    encode = lambda text: text.encode() if text is not None else None
    check(libc.mount(encode(source), encode(target), encode(kind), ctypes.c_ulong(flags), encode(options)),
          f"mount {target}")


def bind(source, target, calls):
    """Shows `source` at `target`, read-only with all that is mounted below it."""
    mount(source, target, None, MS_BIND | MS_REC)
    attributes = (ctypes.c_uint64 * 4)(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0, 0, 0)
    size = ctypes.sizeof(attributes)
    check(libc.syscall(calls["mount_setattr"], -1, target.encode(), AT_RECURSIVE, attributes, size),
          f"read-only mount of {target}")


def unshare(flags):
    check(libc.unshare(flags), "unshare")


def map_ids(uid, gid, inside):
    """Gives the new user namespace one user and one group. After a change of uid that needs a dumpable process."""
    check(libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), "dumpable")
    unshare(NEWUSER)
    for name, line in (("setgroups", "deny"), ("uid_map", f"{inside} {uid} 1"), ("gid_map", f"{inside} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(line)


def build_root(plan):
    """A root of its own: what `plan` names, read-only, and three places to write."""
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    # Its folders are another user's to enter, whatever the server's own files are.
    os.umask(0o022)
    root = plan["staging"]
    mount("root", root, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,nr_inodes=512,mode=755")
    for folder in ("proc", "dev", "tmp", "mnt/data", "etc"):
        os.makedirs(f"{root}/{folder}", exist_ok=True)
    for place, options in plan["writable"].items():
        os.makedirs(f"{root}{place}", exist_ok=True)
        mount("session", f"{root}{place}", "tmpfs", MS_NOSUID | MS_NODEV, options)
    for source in plan["read_only"]:
        if os.path.islink(source):
            os.makedirs(os.path.dirname(f"{root}{source}"), exist_ok=True)
            os.symlink(os.readlink(source), f"{root}{source}")
        elif os.path.isdir(source):
            os.makedirs(f"{root}{source}", exist_ok=True)
            bind(source, f"{root}{source}", plan["calls"])
    for name in ("null", "zero", "full", "random", "urandom"):
        open(f"{root}/dev/{name}", "w").close()
        mount(f"/dev/{name}", f"{root}/dev/{name}", None, MS_BIND)
    for name, to in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(to, f"{root}/dev/{name}")
    for name, text in plan["etc"].items():
        with open(f"{root}/etc/{name}", "w") as file:
            file.write(text)
    mount("proc", f"{root}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "subset=pid")
    mount(None, root, None, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV)
    os.chdir(root)
    check(libc.syscall(plan["calls"]["pivot_root"], b".", b"."), "pivot_root")
    check(libc.umount2(b".", MNT_DETACH), "umount of the old root")
    os.chdir("/mnt/data")


def drop_capabilities(calls):
    check(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "ambient capabilities")
    number = 0
    while libc.prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0:
        check(libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0), "bounding set")
        number += 1
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    check(libc.syscall(calls["capset"], header, (ctypes.c_uint32 * 6)()), "capset")
    check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


def limit(limits):
    for name, value in limits.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))


READ_AND_EXECUTE = 1 | 4 | 8  # EXECUTE, READ_FILE, READ_DIR
ALL_FILES = (1 << 16) - 1  # ABI 5: up to IOCTL_DEV
ALL_TCP, ALL_SCOPES = 3, 3


class Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("access", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def landlock(writable):
    """Reads and executes below /, writes below the three places, no TCP, no signal or abstract socket out."""
    abi = check(libc.syscall(SYS_landlock_create_ruleset, None, 0, 1), "landlock")
    files = ALL_FILES if abi >= 5 else (1 << 15) - 1 if abi >= 3 else (1 << 13) - 1
    ruleset = (ctypes.c_uint64 * 3)(files, ALL_TCP if abi >= 4 else 0, ALL_SCOPES if abi >= 6 else 0)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    rules = check(libc.syscall(SYS_landlock_create_ruleset, ruleset, size, 0), "landlock ruleset")
    places = [("/", READ_AND_EXECUTE)] + [(place, files) for place in writable]
    places += [(f"/dev/{name}", 2 | 4) for name in ("null", "zero", "full", "random", "urandom")]
    for place, access in places:
        parent = os.open(place, os.O_PATH | os.O_CLOEXEC)
        rule = Beneath(access & files, parent)
        check(libc.syscall(SYS_landlock_add_rule, rules, 1, ctypes.byref(rule), 0), f"landlock rule of {place}")
        os.close(parent)
    check(libc.syscall(SYS_landlock_restrict_self, rules, 0), "landlock")
    os.close(rules)
    return abi


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def filter_calls(plan):
    for program in plan["filters"]:
        program = base64.b64decode(program)
        program = Program(len(program) // 8, program)
        check(libc.syscall(plan["calls"]["seccomp"], 1, 0, ctypes.byref(program)), "seccomp")


def forget_signals():
    """The first process of a namespace gets no signal from within that it has no handler for."""
    for number in signal.valid_signals():
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)


def become(uid, inside):
    """Another user, and the only one of a user namespace of its own."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    map_ids(uid, uid, inside)


def hide():
    """Nobody of the same user reads or traces this process."""
    check(libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "not dumpable")


def show():
    """The worker reads its own /proc."""
    check(libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), "dumpable")


def rebuild_environment(environment):
    os.environ.clear()
    os.environ.update(environment)
    os.umask(0o022)


def adopt():
    """Makes this process the parent of descendants that lose theirs."""
    check(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "subreaper")

"""Runs the cells of one session, one after another, in one namespace.

Frames go over the control socket: the length of a header in four bytes, the header as JSON, then as many raw bytes as its
`bytes` says. Whatever a cell breaks here, it breaks for its own session: the server believes nothing that it cannot see
from outside.
"""

import ast
import builtins
import importlib
import io
import json
import linecache
import os
import random
import signal
import struct
import sys
import threading
import types

import failure
import notebook
import shown

AWAITS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
# What the loop needs, under names that a cell cannot reach by assigning to a module.
_dumps, _loads, _pack, _unpack = json.dumps, json.loads, struct.pack, struct.unpack
_dup2, _getpid, _exit, _compile, _thread = os.dup2, os.getpid, os._exit, builtins.compile, threading.get_ident
_explain, _execute = failure.explain, notebook.execute
# Put back before each cell: one that breaks them breaks the next one of its session no more.
_builtins, _saved_builtins = builtins.__dict__, dict(builtins.__dict__)


class Loop:
    def __init__(self, control):
        self.control = control
        self.send_all = control.sendall
        self.running = False
        self.pid, self.thread = _getpid(), _thread()
        # One frame at a time, each of them whole, though threads show figures and time runs out.
        self.turn, self.sender, self.late = threading.Lock(), None, False
        self.number = 0
        # What a cell defines is found there by name: pickles of other processes do.
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        self.space = main.__dict__
        self.space["__builtins__"] = builtins
        # The pipes again, where a cell that closes its own does not find them at once.
        self.pipes = [os.dup(1), os.dup(2)]
        self.cell, self.largest = None, 0

    def receive(self, count):
        data = bytearray()
        while len(data) < count:
            try:
                piece = self.control.recv(count - len(data))
            except KeyboardInterrupt:
                continue
            if not piece:
                _exit(0)
            data += piece
        return bytes(data)

    def send(self, header, body=b""):
        if _getpid() != self.pid:
            # What a process of the cell's own draws is its own matter.
            return
        header = _dumps({**header, "cell": self.cell, "bytes": len(body)}).encode()
        with self.turn:
            self.sender = _thread()
            try:
                self.send_all(_pack(">I", len(header)) + header + body)
            finally:
                self.sender = None
        if self.late and _thread() == self.thread:
            self.late = False
            raise KeyboardInterrupt

    def send_image(self, png):
        # What was printed before it is to be seen before it.
        self.flush()
        if len(png) <= self.largest:
            self.send({"kind": "image"}, png)
        else:
            print(f"[an image of {len(png):,} bytes is too large to be shown; save it to a file instead]")

    def work(self):
        while True:
            (length,) = _unpack(">I", self.receive(4))
            _builtins.update(_saved_builtins)
            asked = _loads(self.receive(length))
            self.cell, self.largest = asked["cell"], asked["largest_image"]
            error = self.run(asked["code"])
            if _getpid() != self.pid:
                # A child that a cell forked came back.
                _exit(0)
            self.send({"kind": "end", "error": error})

    def run(self, code):
        """Runs a cell; gives its traceback, if it ends with one."""
        self.number += 1
        name = f"<cell {self.number}>"
        self.fresh_streams()
        linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
        told = None
        try:
            try:
                self.running = True
                self.evaluate(code, name)
                shown.send_figures(self.send_image)
            except SystemExit as error:
                # The cell is over, as it wished; the session is not.
                if error.code:
                    raise
                shown.send_figures(self.send_image)
            finally:
                self.running = self.late = False
        except BaseException as error:
            self.running = False
            told = _explain(error)
            # Its next try would be shown beside what is half done.
            shown.forget_figures()
        self.flush()
        return told

    def flush(self):
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except BaseException as error:
                # An interruption is meant for the cell; nothing else of it is worth its end.
                if self.running and isinstance(error, KeyboardInterrupt):
                    raise

    def evaluate(self, code, name):
        tree = notebook.parse(code, name)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        parts = [_compile(tree, name, "exec", AWAITS)]
        if last is not None:
            parts.append(_compile(ast.Expression(last.value), name, "eval", AWAITS))
        value = _execute(parts, self.space)
        if last is not None and value is not None:
            self.space["_"] = value
            shown.show(value, self.send_image)

    def fresh_streams(self):
        _dup2(self.pipes[0], 1)
        _dup2(self.pipes[1], 2)
        null = os.open("/dev/null", os.O_RDONLY)
        if null != 0:
            _dup2(null, 0)
            os.close(null)
        sys.stdin = open(0, "r", encoding="utf-8", closefd=False)
        for number, stream in ((1, "stdout"), (2, "stderr")):
            raw = open(number, "wb", buffering=0, closefd=False)
            fresh = io.TextIOWrapper(io.BufferedWriter(raw), "utf-8", "backslashreplace", line_buffering=True)
            setattr(sys, stream, fresh)

    def interrupted(self, *_):
        if self.running and _getpid() == self.pid:
            if self.sender == self.thread:
                self.late = True
            else:
                raise KeyboardInterrupt


def import_all(packages):
    """Imports what cells are to find there; says of each package that cannot be, why."""
    failures = {}
    for package in packages:
        try:
            importlib.import_module(package)
        except Exception as error:
            failures[package] = f"{type(error).__name__}: {error}"
    return failures


def reseed():
    """What was seeded in the zygote would be the same in every session."""
    random.seed()
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()


def work(control):
    """Never returns."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # As in any Python: who writes too much gets an exception.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_IGN)
    reseed()
    loop = Loop(control)
    # Who forks gives nobody a say in what the server hears.
    os.register_at_fork(after_in_child=control.close)
    # Their names are a cell's to use.
    for module in ("failure", "notebook", "session", "shown", "wall", "worker", "zygote"):
        del sys.modules[module]
    shown.prepare(loop.send_image)
    signal.signal(signal.SIGINT, loop.interrupted)
    sys.argv[:] = [""]
    sys.path[:] = ["/mnt/data", *[path for path in sys.path if path and path != sys.path[0]]]
    sys.dont_write_bytecode = True
    try:
        loop.work()
    finally:
        _exit(1)

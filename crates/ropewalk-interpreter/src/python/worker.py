"""Runs the cells of one session, one after another, in one namespace.

Frames go over the control socket: the length of a header in four bytes, the header as JSON, then as many raw bytes as its
`bytes` says. Whatever a cell breaks here, it breaks for its own session: the server believes nothing that it cannot see
from outside.
"""

import ast
import builtins
import importlib
import inspect
import io
import json
import linecache
import os
import random
import signal
import struct
import sys
import traceback
import types
import warnings

import notebook

AWAITS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
# What the loop needs, under names that a cell cannot reach by assigning to a module.
_dumps, _loads, _pack, _unpack = json.dumps, json.loads, struct.pack, struct.unpack
_dup2, _getpid, _exit, _compile = os.dup2, os.getpid, os._exit, builtins.compile
_eval, _format = builtins.eval, traceback.TracebackException

# Put back before each cell: one that breaks them breaks the next one of its session no more.
_builtins, _saved_builtins = builtins.__dict__, dict(builtins.__dict__)

MOST_FRAMES = 30


class Loop:
    def __init__(self, control):
        self.control = control
        self.send_all = control.sendall
        self.running = False
        self.pid = _getpid()
        self.number = 0
        # What a cell defines is found there by name: pickles of other processes do.
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        self.space = main.__dict__
        self.space["__builtins__"] = builtins
        # The pipes again, where a cell that closes its own does not find them at once.
        self.pipes = [os.dup(1), os.dup(2)]
        self.cell = None

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
        header = _dumps({**header, "cell": self.cell, "bytes": len(body)}).encode()
        self.send_all(_pack(">I", len(header)) + header + body)

    def work(self):
        while True:
            (length,) = _unpack(">I", self.receive(4))
            _builtins.update(_saved_builtins)
            asked = _loads(self.receive(length))
            self.cell = asked["cell"]
            failure = self.run(asked["code"])
            if _getpid() != self.pid:
                # A child that a cell forked came back.
                _exit(0)
            self.send({"kind": "end", "error": failure})

    def run(self, code):
        """Runs a cell; gives its traceback, if it ends with one."""
        self.number += 1
        name = f"<cell {self.number}>"
        self.fresh_streams()
        linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
        failure = None
        try:
            try:
                self.running = True
                self.evaluate(code, name)
            finally:
                self.running = False
            if _getpid() == self.pid:
                self.send_figures()
        except SystemExit as error:
            # The cell is over, as it wished; the session is not.
            failure = self.explain(error) if error.code else None
        except BaseException as error:
            self.running = False
            failure = self.explain(error)
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except BaseException:
                pass
        return failure

    def evaluate(self, code, name):
        tree = notebook.parse(code, name)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        self.execute(_compile(tree, name, "exec", AWAITS))
        if last is not None:
            value = self.execute(_compile(ast.Expression(last.value), name, "eval", AWAITS))
            if value is not None:
                self.space["_"] = value
                self.display(value)

    def execute(self, code):
        """Runs code, in an event loop if it awaits something."""
        result = _eval(code, self.space)
        if not code.co_flags & inspect.CO_COROUTINE:
            return result
        import asyncio
        return asyncio.run(result)

    def display(self, value):
        if type(value).__module__.startswith("PIL.") and hasattr(value, "_repr_png_"):
            self.send({"kind": "image"}, value._repr_png_())
        else:
            print(repr(value))

    def send_figures(self):
        """All open figures, in the order of their making; closes them."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is None:
            return
        for number in pyplot.get_fignums():
            png = io.BytesIO()
            pyplot.figure(number).savefig(png, format="png", bbox_inches="tight")
            self.send({"kind": "image"}, png.getvalue())
        pyplot.close("all")

    def explain(self, error):
        """The traceback, with frames of the user's own code alone."""
        try:
            told = _format(type(error), error, error.__traceback__)
            leave_own_frames(told)
            text = "".join(told.format())
        except BaseException:
            text = type(error).__name__
        return {"name": type(error).__name__, "traceback": text[-16_000:]}

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
            raise KeyboardInterrupt


def leave_own_frames(told):
    """Takes from a traceback, and from those that led to it, the frames of this loop and of libraries."""
    waiting, seen = [told], set()
    while waiting:
        told = waiting.pop()
        if told is None or id(told) in seen:
            continue
        seen.add(id(told))
        own = [frame for frame in told.stack if frame.filename.startswith(("<cell ", "/mnt/data/"))]
        told.stack[:] = own[-MOST_FRAMES:]
        waiting += [told.__cause__, told.__context__, *(getattr(told, "exceptions", None) or [])]


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
    # Their names are a cell's to use.
    for module in ("notebook", "session", "wall", "worker", "zygote"):
        del sys.modules[module]
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].show = lambda *_, **__: loop.send_figures()
    warnings.filterwarnings("ignore", "FigureCanvasAgg is non-interactive")
    signal.signal(signal.SIGINT, loop.interrupted)
    sys.argv[:] = [""]
    sys.path[:] = ["/mnt/data", *[path for path in sys.path if path and path != sys.path[0]]]
    importlib.invalidate_caches()
    sys.dont_write_bytecode = True
    try:
        loop.work()
    finally:
        _exit(1)

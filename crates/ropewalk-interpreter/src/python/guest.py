"""The first process of a session in gVisor: imports the packages, says so, and is the worker from then on.

Standard input is the control socket; it moves to where cells do not find it by chance.
"""

import json
import os
import shutil
import socket
import struct
import sys
import types

import worker

CONTROL = 901


def interruptions():
    """How many were ever asked for; none that is known of if a cell took what it needs to look."""
    try:
        with open("/run/session/interruptions", "rb", buffering=0) as file:
            return file.read(8)
    except OSError:
        return None


class Loop(worker.Loop):
    """An interruption comes a moment after it was asked for: the next cell does not suffer for the one before."""

    def run(self, code):
        self.before = interruptions()
        return super().run(code)

    def interrupted(self, *arguments):
        now = interruptions()
        if now is None or now != self.before:
            super().interrupted(*arguments)


def main(packages):
    os.dup2(0, CONTROL, inheritable=False)
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    control = socket.socket(fileno=CONTROL)
    # The list of fonts that the set-up made: to make it takes seconds, and matplotlib writes beside it.
    fonts = os.path.join(sys.prefix, "share", "matplotlib")
    if os.path.isdir(fonts):
        shutil.copytree(fonts, os.environ["MPLCONFIGDIR"], dirs_exist_ok=True)
    told = json.dumps({"failures": worker.import_all(packages)}).encode()
    control.sendall(struct.pack(">I", len(told)) + told)
    # They have no part here, and the worker gives their names to the cells.
    for name in ("session", "wall", "zygote"):
        sys.modules[name] = types.ModuleType(name)
    del sys.modules["guest"]
    worker.Loop = Loop
    worker.work(control)

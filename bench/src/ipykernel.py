"""An ipykernel session as notebooks start it: prints, as JSON, how long it takes and what it holds.

Arguments: how many sessions to start, how many cells to run in the last one.
"""

import json
import sys
import time

from jupyter_client.manager import start_new_kernel

sessions, cells = int(sys.argv[1]), int(sys.argv[2])
IMPORTS = "import numpy, pandas, matplotlib.pyplot, scipy.optimize, PIL.Image"


def run(client, code):
    begun = time.perf_counter()
    reply = client.execute_interactive(code, output_hook=lambda _: None, timeout=60)
    assert reply["content"]["status"] == "ok", reply["content"]
    return time.perf_counter() - begun


def started(code):
    begun = time.perf_counter()
    manager, client = start_new_kernel(kernel_name="python3")
    run(client, code)
    return time.perf_counter() - begun, manager, client


def pss(pid):
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:"))


bare, imported = [], []
for times, code in ((bare, "1 + 1"), (imported, IMPORTS)):
    for _ in range(sessions):
        seconds, manager, client = started(code)
        times.append(seconds)
        last = [run(client, "1 + 1") for _ in range(cells)]
        memory = pss(manager.provisioner.process.pid)
        client.stop_channels()
        manager.shutdown_kernel(now=True)
print(json.dumps({"bare": bare, "imported": imported, "cells": last, "memory": memory}))

"""The servers that tests in another language speak to, in a process of their own.

The first line that this prints names them: `base_url` of a server with two organisations, and `upstream`, whose models are
the server's (upstream.py says how to speak to it). With the end of standard input both stop; then this prints what the
server did wrong, and ends with 0 if there was nothing: every reply was as the server's document says.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from contract import Contract
from ropewalk import KEYS, Ropewalk
from upstream import Upstream


def main() -> int:
    upstream = Upstream()
    with tempfile.TemporaryDirectory() as folder:
        server = Ropewalk(Path(folder), *upstream.flags, keys=KEYS).start()
        print(json.dumps({"base_url": server.base_url, "upstream": upstream.url}), flush=True)
        sys.stdin.read()
        code = server.stop()
    wrong = Contract.broken
    if code != 0:
        wrong.append(f"the server ended with {code}:\n{''.join(server.log)}")
    print(*wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

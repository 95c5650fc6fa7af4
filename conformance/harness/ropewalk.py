"""Starts the real binary, reads its port from its log, and stops it the gentle or the hard way."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
from pathlib import Path

import contract
from tap import Tap

BINARY = os.environ.get("ROPEWALK_BIN") or Path(__file__).parents[2] / "target/debug/ropewalk"
START_SECONDS = 30
STOP_SECONDS = 30

KEY = "sk-org-a-0123456789abcdef"
OTHER_KEY = "sk-org-b-0123456789abcdef"
KEYS = {KEY: "org-a", OTHER_KEY: "org-b"}


class Ropewalk:
    """One server over one folder; `start` again after `stop` or `kill` to see what it kept."""

    def __init__(self, folder: Path, *flags: str, keys: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.flags = ["--data-dir", str(folder / "data"), *flags]
        if keys:
            entries = [{"key": key, "organization": organization} for key, organization in keys.items()]
            key_file = folder / "keys.json"
            key_file.write_text(json.dumps({"keys": entries}))
            self.flags += ["--api-keys", str(key_file)]

    def start(self) -> Ropewalk:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ROPEWALK_")}
        self.process = subprocess.Popen(
            [os.path.abspath(BINARY), "serve", "--listen", "127.0.0.1:0", *self.flags],
            cwd=self.folder,
            env={**environment, "NO_COLOR": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log: list[str] = []
        self._listening = threading.Event()
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        listening = self._listening.wait(START_SECONDS)
        assert listening and self.port, f"the server did not start:\n{''.join(self.log)}"
        self.tap = Tap(self.port, contract.of(self.origin))
        self.base_url = f"http://127.0.0.1:{self.tap.port}/v1"
        return self

    @property
    def origin(self) -> str:
        """Where the server itself listens; at `base_url` its replies are held against its contract too."""
        return f"http://127.0.0.1:{self.port}"

    def _read_log(self) -> None:
        self.port = 0
        with self.process.stderr as lines:
            for line in lines:
                self.log.append(line)
                found = re.search(r"listening on http://127\.0\.0\.1:(\d+)", line)
                if found:
                    self.port = int(found[1])
                    self._listening.set()
        self._listening.set()

    def stop(self) -> int:
        """Asks the server to stop, and gives its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Takes the power away."""
        self._end(signal.SIGKILL)

    def _end(self, by: signal.Signals) -> int:
        if self.process.poll() is None:
            self.process.send_signal(by)
        try:
            code = self.process.wait(STOP_SECONDS)
        finally:
            self.process.kill()
            self._reader.join(STOP_SECONDS)
            self.tap.stop()
        return code

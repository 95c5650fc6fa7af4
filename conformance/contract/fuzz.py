"""Validates the document that the real server serves, then sends it all kinds of requests made from that document.

    ROPEWALK_BIN=target/debug/ropewalk python3 fuzz.py [SECONDS]

The requests come from schemathesis, from a fixed seed: whole ones must be answered as the document says, broken ones must
be refused, and none may be a fault of the server.
"""

import json
import subprocess
import sys
import sysconfig
import tempfile
import urllib.request
from pathlib import Path

from openapi_spec_validator import validate

sys.path.insert(0, str(Path(__file__).parent.parent / "harness"))
from ropewalk import KEY, KEYS, Ropewalk  # noqa: E402

SECONDS = 75
# Left out is what a document cannot say: whether whole requests succeed (ids that nobody has made are a 404), who may see
# what (the Rust tests hold that, on every route), and what other methods do.
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
]


def main(seconds: str = str(SECONDS)) -> int:
    with tempfile.TemporaryDirectory() as folder:
        server = Ropewalk(Path(folder), keys=KEYS).start()
        try:
            with urllib.request.urlopen(f"{server.origin}/openapi.json", timeout=30) as served:
                validate(json.load(served))
            print("the served document is valid", flush=True)
            program = Path(sysconfig.get_path("scripts"), "schemathesis")
            settings = Path(__file__).with_name("schemathesis.toml").absolute()
            arguments = ["--config-file", settings, "run", f"{server.origin}/openapi.json", "--url", f"{server.origin}/v1"]
            arguments += ["--header", f"Authorization: Bearer {KEY}", "--checks", ",".join(CHECKS)]
            arguments += ["--phases", "examples,coverage,fuzzing", "--max-time", seconds, "--max-examples", "30"]
            arguments += ["--seed", "1", "--generation-deterministic"]
            arguments += ["--request-timeout", "20", "--suppress-health-check", "all", "--no-color", "--warnings", "off"]
            code = subprocess.run([program, *arguments], cwd=folder, check=False).returncode
        finally:
            stopped = server.stop()
        if stopped != 0:
            print(f"the server ended with {stopped}:\n{''.join(server.log)}")
        return code or stopped


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""A Chat Completions server that plays turns.

A test hands its turns to `Upstream.model`, which gives back a model's name: requests for that model play them in order.
So one server serves all tests, and each has its own script.

Tests in other languages speak to it over HTTP: `POST /models` with turns as JSON, the fields of `Turn`, gives a model's
name; `GET /requests/NAME` what that model was asked; `GET /dropped/NAME` waits until the server lets go of its answer that
hangs.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


DROP_SECONDS = 10


@dataclass
class Turn:
    """The answer to one request."""

    deltas: list[dict[str, Any]] = field(default_factory=list)
    finish: str | None = "stop"
    usage: tuple[int, int] | None = (10, 5)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] | None = None
    hangs: bool = False
    # Set when the server lets go of an answer that hangs.
    dropped: threading.Event = field(default_factory=threading.Event)


def says(*pieces: str, finish: str = "stop", usage: tuple[int, int] | None = (10, 5)) -> Turn:
    """A text, a chunk for each piece."""
    return Turn([{"content": piece} for piece in pieces], finish, usage)


def calls(*wanted: tuple[str, ...], before: str = "", usage: tuple[int, int] | None = (10, 5)) -> Turn:
    """Tool calls, each `(id, name, *pieces of its arguments)`, perhaps behind a text."""
    deltas: list[dict[str, Any]] = [{"content": before}] if before else []
    for index, (call, name, *pieces) in enumerate(wanted):
        function = {"name": name, "arguments": ""}
        deltas.append({"tool_calls": [{"index": index, "id": call, "type": "function", "function": function}]})
        for piece in pieces:
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    return Turn(deltas, "tool_calls", usage)


def refuses(status: int, message: str, code: str | None = None, **headers: str) -> Turn:
    """An error in place of an answer."""
    error = {"message": message, "type": "upstream", "param": None, "code": code}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Turn(status=status, headers=named, body={"error": error})


def breaks_off(*pieces: str) -> Turn:
    """A text whose connection is cut before its end."""
    return Turn([{"content": piece} for piece in pieces], finish=None)


def hangs(*pieces: str) -> Turn:
    """A text that never goes on, until the other side hangs up."""
    return Turn([{"content": piece} for piece in pieces], finish=None, hangs=True)


class Upstream:
    """The server, running in threads of this process until `stop`."""

    KEY = "sk-upstream"

    def __init__(self) -> None:
        self.requests: dict[str, list[dict[str, Any]]] = {}
        self._scripts: dict[str, list[Turn | Callable[[dict[str, Any]], Turn]]] = {}
        self._played: dict[str, list[Turn]] = {}
        self._numbers = itertools.count(1)
        upstream = self

        class Handler(_Handler):
            script = upstream

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.flags = ["--upstream", f"{self.url}/v1", "--upstream-key", self.KEY]

    def model(self, *turns: Turn | Callable[[dict[str, Any]], Turn]) -> str:
        """A new model that plays `turns`, and remembers what it was asked in `requests`.

        A turn that depends on what is asked is a function of the request.
        """
        name = f"played-{next(self._numbers)}"
        self._scripts[name] = list(turns)
        self.requests[name], self._played[name] = [], []
        return name

    def models(self) -> list[str]:
        return list(self._scripts)

    def take(self, request: dict[str, Any]) -> Turn:
        name = request["model"]
        if name not in self._scripts:
            return refuses(404, f"no such model: {name}", "model_not_found")
        self.requests[name].append(request)
        script = self._scripts[name]
        turn = script.pop(0) if script else refuses(400, "the script has no turn left")
        turn = turn if isinstance(turn, Turn) else turn(request)
        self._played[name].append(turn)
        return turn

    def dropped(self, name: str) -> bool:
        """Whether the server let go of an answer that hangs; waits for it, but not for ever."""
        end = time.monotonic() + DROP_SECONDS
        while time.monotonic() < end:
            hanging = [turn for turn in self._played[name] if turn.hangs]
            if hanging and hanging[-1].dropped.wait(0.02):
                return True
        return False

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    script: Upstream

    def do_GET(self) -> None:
        _, section, name = (self.path + "/").split("/")[:3]
        if section == "requests":
            return self._json(200, self.script.requests[name])
        if section == "dropped":
            return self._json(200, self.script.dropped(name))
        listed = [{"id": name, "object": "model", "created": 1, "owned_by": "tests"} for name in self.script.models()]
        if self.path == "/v1/models":
            return self._json(200, {"object": "list", "data": listed})
        found = [model for model in listed if self.path == f"/v1/models/{model['id']}"]
        if found:
            return self._json(200, found[0])
        self._json(404, {"error": {"message": "no such model", "type": "x", "param": None, "code": "model_not_found"}})

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/models":
            return self._json(200, self.script.model(*[Turn(**turn) for turn in request]))
        assert self.path == "/v1/chat/completions", self.path
        assert self.headers["authorization"] == f"Bearer {Upstream.KEY}"
        turn = self.script.take(request)
        if turn.body is not None:
            return self._json(turn.status, turn.body, turn.headers)
        if not request.get("stream"):
            return self._json(200, _whole(turn, request, self._id(request)))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        try:
            self._play(turn, request)
        except (BrokenPipeError, ConnectionResetError):
            turn.dropped.set()
            self.close_connection = True

    def _play(self, turn: Turn, request: dict[str, Any]) -> None:
        self._chunk(request, [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])
        for delta in turn.deltas:
            self._chunk(request, [{"index": 0, "delta": delta, "finish_reason": None}])
        if turn.hangs:
            # Nothing is read but the other side's end.
            while self.connection.recv(1024):
                pass
            turn.dropped.set()
        if turn.finish is None:
            self.close_connection = True
            return
        self._chunk(request, [{"index": 0, "delta": {}, "finish_reason": turn.finish}])
        if turn.usage and (request.get("stream_options") or {}).get("include_usage"):
            self._chunk(request, [], _usage(*turn.usage))
        self._write(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, request: dict[str, Any], choices: list[Any], usage: dict[str, int] | None = None) -> None:
        chunk = {"id": self._id(request), "object": "chat.completion.chunk", "created": 1, "model": request["model"]}
        self._write(b"data: " + json.dumps({**chunk, "choices": choices, "usage": usage}).encode() + b"\n\n")

    def _id(self, request: dict[str, Any]) -> str:
        """What the answer to a model's latest request is called."""
        return f"chatcmpl-{request['model']}-{len(self.script.requests[request['model']])}"

    def _write(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _json(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


def _usage(prompt: int, completion: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _whole(turn: Turn, request: dict[str, Any], name: str) -> dict[str, Any]:
    """A turn's text as one answer."""
    text = "".join(delta.get("content", "") for delta in turn.deltas)
    message = {"role": "assistant", "content": text, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": turn.finish}
    completion = {"id": name, "object": "chat.completion", "created": 1, "model": request["model"]}
    return {**completion, "choices": [choice], "usage": _usage(*turn.usage) if turn.usage else None}

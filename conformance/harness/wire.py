"""The API without an SDK: exact bodies, exact frames."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import httpx

BETA = {"OpenAI-Beta": "assistants=v2"}


def connect(base_url: str, key: str) -> httpx.Client:
    """A plain HTTP client that sends the headers an SDK would."""
    headers = {"Authorization": f"Bearer {key}", **BETA}
    return httpx.Client(base_url=base_url, headers=headers, timeout=60)


def error(message: str, param: str | None = None, code: str | None = None, kind: str = "invalid_request_error") -> Any:
    """An error body, whole."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def frames(response: httpx.Response) -> Iterator[tuple[str, Any]]:
    """The events of a stream; every frame is one event line and one line of JSON, the last is `done`."""
    assert response.status_code == 200, response.read()
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    event: str | None = None
    data: str | None = None
    for line in response.iter_lines():
        name, _, value = line.partition(": ")
        if name == "event":
            event = value
        elif name == "data":
            assert data is None, "two data lines in one frame"
            data = value
        elif line == "" and (event or data):
            assert event and data, "a frame lacks its event or its data"
            yield event, data if event == "done" else json.loads(data)
            event = data = None
        else:
            assert line == "" or name in ("", "id"), f"an odd line: {line!r}"
    assert event is None and data is None, "the stream ends within a frame"


def play(http: httpx.Client, path: str, **body: Any) -> list[tuple[str, Any]]:
    """Posts a streamed request and reads its events to the end."""
    with http.stream("POST", path, json={**body, "stream": True}) as response:
        return list(frames(response))


def order(events: list[tuple[str, Any]]) -> list[str]:
    """The names of events in order, a row of deltas as one name with a star."""
    names = (f"{name}*" if name.endswith(".delta") else name for name, _ in events)
    return [name for name, _ in itertools.groupby(names)]

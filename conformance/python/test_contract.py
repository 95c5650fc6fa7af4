"""The check of all the other tests: what a reply or an event gets wrong is told."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator

import httpx
import pytest
from contract import Contract
from tap import Tap

WHOLE = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
DATA = {"anyOf": [{"const": "[DONE]"}, {"contentSchema": WHOLE}]}
EVENT = {"type": "object", "properties": {"data": DATA, "id": {"pattern": "^[0-9]+$"}}}
ERROR = {"application/json": {"schema": {"required": ["error"]}}}
REPLY = {"application/json": {"schema": {"$ref": "#/components/schemas/Run"}}, "text/event-stream": {"schema": EVENT}}
DOCUMENT = {
    "paths": {"/runs/{run_id}": {"get": {"responses": {"200": {"content": REPLY}}}}},
    "components": {"schemas": {"Run": WHOLE}, "responses": {"Error": {"content": ERROR}}},
}


@pytest.fixture
def told() -> Iterator[Callable[..., list[str]]]:
    """Has a server say something, and tells what is wrong with it."""
    server = socket.create_server(("127.0.0.1", 0))
    tap = Tap(server.getsockname()[1], Contract(json.dumps(DOCUMENT)))

    def ask(kind: str, *pieces: str, status: int = 200, path: str = "/v1/runs/run_a?x=y") -> list[str]:
        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n"
                chunks = [f"{len(piece):x}\r\n{piece}\r\n" for piece in (*pieces, "")]
                for part in (head, *chunks):
                    connection.sendall(part.encode())

        answering = threading.Thread(target=answer)
        answering.start()
        assert httpx.get(f"http://127.0.0.1:{tap.port}{path}").text == "".join(pieces)
        answering.join()
        wrong = Contract.broken.copy()
        Contract.broken.clear()
        return wrong

    yield ask
    tap.stop()
    server.close()


def test_a_reply_is_held_against_its_schema(told: Callable[..., list[str]]) -> None:
    wrong = "GET /runs/{run_id} 200: $.id: 1 is not of type 'string'"
    assert told("application/json", '{"id"', ': "run_a"}') == []
    assert told("application/json; charset=utf-8", '{"id"', ": 1}") == [wrong]
    assert told("application/json", '{"id": 1}', path="/openai/deployments/m/runs/run_a?api-version=z") == [wrong]
    assert told("text/plain", "x") == ["GET /runs/{run_id} 200: the document has no such reply of type 'text/plain'"]
    [cut] = told("application/json", '{"id"')
    assert cut.startswith("neither HTTP nor JSON:")


def test_an_error_has_the_form_of_errors_wherever_it_comes_from(told: Callable[..., list[str]]) -> None:
    assert told("application/json", '{"error": {}}', status=404, path="/v1/nowhere") == []
    assert told("application/json", "{}", status=404) == ["GET /runs/{run_id} 404: $: 'error' is a required property"]
    assert len(told("application/json", "{}", path="/v1/nowhere")) == len(told("text/html", "", status=502)) == 1
    assert told("text/plain", "ok", path="/healthz") == []


def test_an_event_is_held_against_the_object_that_it_names(told: Callable[..., list[str]]) -> None:
    def event(name: str, data: str, number: str = "1") -> list[str]:
        return told("text/event-stream", f": hello\n\nevent: {name}\nda", f"ta: {data}\nid: {number}\n", "\n")

    place = "GET /runs/{run_id} 200: thread.run.created"
    assert event("thread.run.created", '{"id": "run_a"}') == event("done", "[DONE]") == []
    assert event("thread.run.created", "{}") == [f"{place}: $: 'id' is a required property"]
    assert event("thread.run.created", '{"id": "run_a"}', "one") == [f"{place}: $.id: 'one' does not match '^[0-9]+$'"]
    assert event("thread.knot.tied", "{}") == [
        "GET /runs/{run_id} 200: thread.knot.tied: the document has no such event"
    ]
    assert told("text/event-stream", 'data: {"id": 1}\n\n') == [
        "GET /runs/{run_id} 200: $.id: 1 is not of type 'string'"
    ]

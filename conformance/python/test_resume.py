"""Streams that somebody comes back to: what is told is the same, byte for byte, whoever asks and however often."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from agents import QUOTE, assistant, finished, settled, started, thread
from openai import OpenAI
from ropewalk import KEY, Ropewalk
from upstream import Turn, Upstream, calls, says
from wire import connect

DONE = b"event: done\ndata: [DONE]\n\n"
WORDS = [f"word-{number} " for number in range(40)]
PATIENCE = 30


def frames(response: httpx.Response) -> Iterator[bytes]:
    """The frames of a stream, as they come."""
    assert response.status_code == 200, response.read()
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    unread = b""
    for data in response.iter_raw():
        *whole, unread = (unread + data).split(b"\n\n")
        yield from (frame + b"\n\n" for frame in whole)
    assert not unread, "the stream ends within a frame"


def number(frame: bytes) -> int:
    """The number of an event, which its second line tells."""
    name, value = frame.split(b"\n")[1].split(b": ")
    assert name == b"id"
    return int(value)


def path(run: Any) -> str:
    return f"threads/{run.thread_id}/runs/{run.id}/events"


def events(http: httpx.Client, run: Any, last: int | None = None, **query: int) -> list[bytes]:
    """All frames of a run from where it is asked for until it is over."""
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    with http.stream("GET", path(run), headers=headers, params=query) as response:
        return list(frames(response))


def posted(http: httpx.Client, client: OpenAI, model: str, most: int | None = None) -> list[bytes]:
    """The frames of a streamed request, or the first of them: then the connection is closed."""
    seen = []
    body = {"assistant_id": assistant(client, model), "stream": True}
    with http.stream("POST", f"threads/{thread(client, 'Begin.')}/runs", json=body) as response:
        for frame in frames(response):
            seen.append(frame)
            if len(seen) == most:
                break
    return seen


def newest(client: OpenAI, frame: bytes) -> Any:
    """The run that a stream's first frame tells of."""
    data: Any = httpx.Response(200, content=frame.split(b"\ndata: ")[1]).json()
    return client.beta.threads.runs.retrieve(data["id"], thread_id=data["thread_id"])


def waiting(gate: threading.Event, turn: Turn) -> Callable[[Any], Turn]:
    """An answer that does not begin before its gate is open."""

    def answer(_: Any) -> Turn:
        assert gate.wait(PATIENCE)
        return turn

    return answer


def test_who_leaves_half_way_reads_the_other_half_later(
    client: OpenAI, http: httpx.Client, upstream: Upstream
) -> None:
    half = posted(http, client, upstream.model(says(*WORDS)), most=20)
    assert [number(frame) for frame in half] == list(range(1, 21))
    run = newest(client, half[0])
    by_header = events(http, run, last=20)
    assert by_header == events(http, run, starting_after=20)
    whole = events(http, run)
    assert half + by_header == whole and whole[-1] == DONE
    assert [number(frame) for frame in whole[:-1]] == list(range(1, len(whole)))
    # The header wins, for an `EventSource` asks the same URL again.
    assert events(http, run, last=30, starting_after=5) == whole[30:]
    assert events(http, run, last=len(whole) - 1) == [DONE]


def test_a_run_that_is_over_is_told_as_it_was(client: OpenAI, http: httpx.Client, upstream: Upstream) -> None:
    whole = posted(http, client, upstream.model(says(*WORDS)))
    run = newest(client, whole[0])
    assert [events(http, run) for _ in range(2)] == [whole, whole]


def test_a_run_that_nobody_watched_is_told_too(client: OpenAI, http: httpx.Client, upstream: Upstream) -> None:
    run = finished(client, started(client, upstream.model(says(*WORDS))))
    whole = events(http, run)
    names = [frame.split(b"\n")[0].removeprefix(b"event: ").decode() for frame in whole]
    assert names[:2] == ["thread.run.created", "thread.run.queued"]
    assert names[-2:] == ["thread.run.completed", "done"]
    assert "thread.message.completed" in names and "thread.message.delta" in names


def test_many_read_one_run_as_it_goes_on(client: OpenAI, http: httpx.Client, upstream: Upstream) -> None:
    gate = threading.Event()
    run = started(client, upstream.model(waiting(gate, says(*WORDS))))
    attached = threading.Barrier(9, timeout=PATIENCE)

    def read(reader: int) -> list[bytes]:
        seen = []
        with http.stream("GET", path(run)) as response:
            for frame in frames(response):
                if not seen:
                    attached.wait()
                seen.append(frame)
        return seen

    with ThreadPoolExecutor(8) as readers:
        reading = readers.map(read, range(8))
        attached.wait()
        gate.set()
        seen = list(reading)
    assert all(frames == seen[0] for frames in seen)
    assert seen[0] == events(http, run) and len(seen[0]) > len(WORDS)


def test_who_attached_reads_on_when_outputs_come(client: OpenAI, http: httpx.Client, upstream: Upstream) -> None:
    model = upstream.model(calls(("call_a", "quote_share", '{"symbol":"AAPL"}')), says("Both", " known."))
    run = settled(client, started(client, model, QUOTE))
    assert run.status == "requires_action"
    seen = []
    outputs: Any = [{"tool_call_id": "call_a", "output": "231.5"}]
    with http.stream("GET", path(run)) as response:
        for frame in frames(response):
            seen.append(frame)
            if frame.startswith(b"event: thread.run.requires_action\n"):
                client.beta.threads.runs.submit_tool_outputs(run.id, thread_id=run.thread_id, tool_outputs=outputs)
    assert seen[-2].startswith(b"event: thread.run.completed\n") and seen[-1] == DONE
    assert seen == events(http, run)


class EventSource:
    """Reads as a browser's does: asks the same URL again and again, and says which event it saw last."""

    def __init__(self, http: httpx.Client, url: str) -> None:
        self._http, self._url, self._last = http, url, ""

    def read(self, most: int) -> list[bytes]:
        """Up to so many frames, over a connection that is closed then."""
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": self._last} if self._last else {})}
        seen = []
        with self._http.stream("GET", self._url, headers=headers) as response:
            for frame in frames(response):
                seen.append(frame)
                if frame != DONE:
                    self._last = str(number(frame))
                if len(seen) == most:
                    break
        return seen


def test_an_event_source_sees_each_event_once(client: OpenAI, http: httpx.Client, upstream: Upstream) -> None:
    run = started(client, upstream.model(says(*WORDS)))
    source = EventSource(http, path(run) + "?starting_after=1")
    seen: list[bytes] = []
    while DONE not in seen:
        seen += source.read(most=7)
    assert seen == events(http, run, starting_after=1)


def test_a_server_that_starts_again_tells_the_same(upstream: Upstream, new_server: Any) -> None:
    server: Ropewalk = new_server()
    with OpenAI(base_url=server.base_url, api_key=KEY, max_retries=0) as client:
        with connect(server.base_url, KEY) as http:
            whole = posted(http, client, upstream.model(says(*WORDS)))
        run = newest(client, whole[0])
    assert server.stop() == 0
    server.start()
    with connect(server.base_url, KEY) as http:
        assert events(http, run) == whole
        assert events(http, run, last=17) == whole[17:]


class Listening(httpx.HTTPTransport):
    """Says when a comment comes, which no SDK shows."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = threading.Event()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        response.stream = _Listened(response.stream, self.heard)
        return response


class _Listened(httpx.SyncByteStream):
    def __init__(self, inner: Any, heard: threading.Event) -> None:
        self._inner, self._heard = inner, heard

    def __iter__(self) -> Iterator[bytes]:
        for data in self._inner:
            if b": keep-alive\n" in data:
                self._heard.set()
            yield data

    def close(self) -> None:
        self._inner.close()


def test_the_sdk_does_not_see_that_a_stream_is_kept_alive(upstream: Upstream, new_server: Any) -> None:
    """The SDK takes a comment with a blank line behind it for an event without data, as soon as events have ids."""
    server: Ropewalk = new_server("--stream-keep-alive", "1")
    transport = Listening()
    http = httpx.Client(transport=transport)
    with OpenAI(base_url=server.base_url, api_key=KEY, max_retries=0, http_client=http) as client:
        model = upstream.model(waiting(transport.heard, says("Still", " here.")))
        with client.beta.threads.runs.stream(
            thread_id=thread(client, "Begin."), assistant_id=assistant(client, model)
        ) as stream:
            assert "".join(stream.text_deltas) == "Still here."
            assert stream.get_final_run().status == "completed"

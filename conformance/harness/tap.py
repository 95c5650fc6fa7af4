"""Stands between clients and a server, and has what the server says held against its contract.

Whatever the client is written in, this sees its replies and its events. Bytes pass as they come, both ways, and an end of
one side is an end for the other, so that no test sees what stands there. What is wrong is noted before the bytes go on: it
is known when the client has its reply.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future

import h11
from contract import Contract, Reply

CHUNK = 65_536
STOP_SECONDS = 5
# More than the server itself takes.
HEAD_BYTES = 1 << 20


class Tap:
    """A port that leads to the server's own, until `stop`."""

    def __init__(self, server_port: int, contract: Contract) -> None:
        self._server_port, self._contract = server_port, contract
        self._open: set[asyncio.Task[None]] = set()
        listening: Future[int] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(listening)), daemon=True)
        self._thread.start()
        self.port = listening.result()

    def stop(self) -> None:
        """Takes no more connections, and waits until those of a server that ended have handed on its last words."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()

    async def _serve(self, listening: Future[int]) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        listener = await asyncio.start_server(self._join, "127.0.0.1", 0)
        listening.set_result(listener.sockets[0].getsockname()[1])
        await self._stopping.wait()
        listener.close()
        if self._open:
            await asyncio.wait(self._open, timeout=STOP_SECONDS)

    async def _join(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        self._open.add(connection)
        connection.add_done_callback(self._open.discard)
        try:
            from_server, server = await asyncio.open_connection("127.0.0.1", self._server_port)
        except OSError:
            return client.transport.abort()
        ear = _Ear(self._contract)
        asking = asyncio.create_task(_pass_on(reader, server, ear.asked))
        try:
            await _pass_on(from_server, client, ear.said)
        finally:
            asking.cancel()
            client.close()
            server.close()


async def _pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter, see: Callable[[bytes], None]) -> None:
    """Hands on what comes, and its end; a connection that breaks on one side is broken on the other."""
    try:
        while data := await source.read(CHUNK):
            see(data)
            sink.write(data)
            await sink.drain()
        see(b"")
        sink.write_eof()
    except OSError:
        sink.transport.abort()


class _Ear:
    """Follows what is said on one connection, request by request."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._begin()

    def _begin(self) -> None:
        self._client = h11.Connection(h11.SERVER, HEAD_BYTES)
        self._server = h11.Connection(h11.CLIENT, HEAD_BYTES)
        self._request: h11.Request | None = None
        self._reply: Reply | None = None

    def asked(self, data: bytes) -> None:
        try:
            for event in _events(self._client, data):
                if isinstance(event, h11.Request):
                    self._request = event
                    # How a reply is framed depends on the method alone.
                    self._server.send(h11.Request(method=event.method, target="/", headers=[("host", "x")]))
                    self._server.send(h11.EndOfMessage())
        except h11.ProtocolError:
            return  # From a test of what is not HTTP.
        self._go_on()

    def said(self, data: bytes) -> None:
        try:
            for event in _events(self._server, data):
                if isinstance(event, h11.Response) and self._request:
                    method, target = self._request.method.decode(), self._request.target.decode()
                    kind = dict(event.headers).get(b"content-type", b"").decode()
                    self._reply = self._contract.reply(method, target, event.status_code, kind)
                elif isinstance(event, h11.Data) and self._reply:
                    self._reply.read(bytes(event.data))
                elif isinstance(event, h11.EndOfMessage) and self._reply:
                    self._reply.end()
        except (h11.RemoteProtocolError, ValueError) as error:
            # A server that is killed may stop in mid-sentence.
            if data:
                self._contract.note(f"neither HTTP nor JSON: {error}")
            return
        self._go_on()

    def _go_on(self) -> None:
        """Waits for the next request once this one and its reply are whole."""
        if (self._client.their_state, self._server.their_state) == (h11.DONE, h11.DONE):
            early, _ = self._client.trailing_data
            self._begin()
            if early:
                self.asked(early)


def _events(connection: h11.Connection, data: bytes) -> Iterator[h11.Event]:
    """What is whole with `data`; no data is the end of the connection."""
    connection.receive_data(data)
    while isinstance(event := connection.next_event(), h11.Event) and not isinstance(event, h11.ConnectionClosed):
        yield event

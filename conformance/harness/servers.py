"""A pytest plugin: the servers that a suite speaks to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from contract import Contract
from ropewalk import KEYS, Ropewalk
from upstream import Upstream


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    upstream = Upstream()
    yield upstream
    upstream.stop()


@pytest.fixture(scope="session")
def server(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ropewalk]:
    """A server with two organisations, whose models are those of `upstream`."""
    server = Ropewalk(tmp_path_factory.mktemp("server"), *upstream.flags, keys=KEYS).start()
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="session")
def plain_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ropewalk]:
    """A server with neither keys nor an upstream: any key will do, and a script answers."""
    server = Ropewalk(tmp_path_factory.mktemp("plain")).start()
    yield server
    assert server.stop() == 0


@pytest.fixture
def new_server(upstream: Upstream, tmp_path: Path) -> Iterator[Callable[..., Ropewalk]]:
    """Makes servers of one test's own."""
    servers: list[Ropewalk] = []

    def start(*flags: str) -> Ropewalk:
        folder = tmp_path / str(len(servers))
        folder.mkdir()
        servers.append(Ropewalk(folder, *upstream.flags, *flags, keys=KEYS).start())
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


@pytest.fixture(autouse=True)
def every_reply_fits_its_schema() -> Iterator[None]:
    """Fails a test whose server said what its document does not allow."""
    Contract.broken.clear()
    yield
    assert not Contract.broken, "\n".join(Contract.broken)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    replies, events = Contract.checked["replies"], Contract.checked["events"]
    terminalreporter.write_line(f"{replies} replies and {events} events were held against their schemas")

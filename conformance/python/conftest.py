from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import wire
from openai import OpenAI
from ropewalk import Ropewalk
from upstream import Upstream

KEY = "sk-org-a-0123456789abcdef"
OTHER_KEY = "sk-org-b-0123456789abcdef"
KEYS = {KEY: "org-a", OTHER_KEY: "org-b"}


def connect(server: Ropewalk, key: str = KEY) -> OpenAI:
    """The SDK, set up as its users do; what fails is not tried again, so that a test sees it."""
    return OpenAI(base_url=server.base_url, api_key=key, max_retries=0)


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
def client(server: Ropewalk) -> Iterator[OpenAI]:
    with connect(server) as client:
        yield client


@pytest.fixture(scope="session")
def other_client(server: Ropewalk) -> Iterator[OpenAI]:
    """The same server, seen by another organisation."""
    with connect(server, OTHER_KEY) as client:
        yield client


@pytest.fixture(scope="session")
def http(server: Ropewalk) -> Iterator[httpx.Client]:
    with wire.connect(server.base_url, KEY) as http:
        yield http


@pytest.fixture(scope="session")
def plain_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAI]:
    """A server with neither keys nor an upstream: any key will do, and a script answers."""
    server = Ropewalk(tmp_path_factory.mktemp("plain")).start()
    with connect(server, "sk-anything") as client:
        yield client
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

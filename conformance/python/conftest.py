from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
import wire
from openai import OpenAI
from ropewalk import KEY, OTHER_KEY, Ropewalk

pytest_plugins = ["servers"]


def connect(server: Ropewalk, key: str = KEY) -> OpenAI:
    """The SDK, set up as its users do; what fails is not tried again, so that a test sees it."""
    return OpenAI(base_url=server.base_url, api_key=key, max_retries=0)


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
def plain_client(plain_server: Ropewalk) -> Iterator[OpenAI]:
    """The server without keys, seen by anybody."""
    with connect(plain_server, "sk-anything") as client:
        yield client

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openai import AsyncOpenAI, OpenAI
from ropewalk import KEY, Ropewalk

pytest_plugins = ["servers"]


@pytest.fixture(scope="session")
def client(server: Ropewalk) -> Iterator[OpenAI]:
    with OpenAI(base_url=server.base_url, api_key=KEY, max_retries=0) as client:
        yield client


@pytest.fixture
def async_client(server: Ropewalk) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=server.base_url, api_key=KEY, max_retries=0)

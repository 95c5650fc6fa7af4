"""The Azure form of the routes, with the SDK's own Azure client."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import openai
import pytest
from agents import assistant
from conftest import KEY, OTHER_KEY
from openai import AzureOpenAI, NotFoundError, OpenAI
from ropewalk import Ropewalk
from upstream import Upstream, says

API_VERSION = "2024-05-01-preview"


def endpoint(server: Ropewalk) -> str:
    return server.base_url.removesuffix("/v1")


def azure(server: Ropewalk, key: str = KEY, **settings: str) -> AzureOpenAI:
    return AzureOpenAI(
        azure_endpoint=endpoint(server), api_key=key, api_version=API_VERSION, max_retries=0, **settings
    )


@pytest.fixture(scope="module", params=["plain", "deployment"])
def client(request: pytest.FixtureRequest, server: Ropewalk) -> Iterator[AzureOpenAI]:
    settings = {"azure_deployment": "my-model"} if request.param == "deployment" else {}
    with azure(server, **settings) as client:
        yield client


def test_a_program_for_azure_runs(client: AzureOpenAI, server: Ropewalk, upstream: Upstream) -> None:
    model = upstream.model(says("Hello."))
    clerk = client.beta.assistants.create(model=model, instructions="Greet.")
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hi"}])
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=clerk.id, poll_interval_ms=20)
    assert run.status == "completed"
    [answer, question] = client.beta.threads.messages.list(thread.id).data
    assert (answer.content[0].text.value, question.content[0].text.value) == ("Hello.", "Hi")
    # It is the same thread, whichever way it is asked for.
    with OpenAI(base_url=server.base_url, api_key=KEY) as plain:
        assert plain.beta.threads.retrieve(thread.id).id == thread.id
    assert client.beta.assistants.delete(clerk.id).deleted


def test_a_run_is_streamed_to_azure_clients(client: AzureOpenAI, upstream: Upstream) -> None:
    clerk = client.beta.assistants.create(model=upstream.model(says("Hello.")))
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hi"}])
    with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=clerk.id) as stream:
        assert "".join(stream.text_deltas) == "Hello."


def test_another_organisations_key_sees_nothing_by_azure(client: AzureOpenAI, server: Ropewalk) -> None:
    thread = client.beta.threads.create()
    with azure(server, OTHER_KEY) as other, pytest.raises(NotFoundError):
        other.beta.threads.retrieve(thread.id)
    with azure(server, "sk-wrong-key-0123456789") as nobody, pytest.raises(openai.AuthenticationError):
        nobody.beta.threads.retrieve(thread.id)


def test_the_dated_form_needs_a_date(server: Ropewalk) -> None:
    headers = {"api-key": KEY}
    for path, status in [
        ("/openai/assistants", 404),
        (f"/openai/assistants?api-version={API_VERSION}", 200),
        ("/openai/v1/assistants", 200),
    ]:
        assert httpx.get(endpoint(server) + path, headers=headers).status_code == status

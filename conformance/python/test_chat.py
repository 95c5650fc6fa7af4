"""Chat Completions on the same base URL: passed through, streamed, kept, and models."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from openai import APIError, BadRequestError, InternalServerError, NotFoundError, OpenAI, PermissionDeniedError
from openai import RateLimitError
from ropewalk import Ropewalk
from upstream import Turn, Upstream, breaks_off, calls, hangs, refuses, says
from wire import error

ASKED: Any = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hi"}]


def test_an_answer_passes_through(client: OpenAI, upstream: Upstream) -> None:
    model = upstream.model(says("Hello ", "there."))
    answer = client.chat.completions.create(
        model=model, messages=ASKED, temperature=0.5, seed=7, user="ann", extra_body={"top_k": 4, "colour": None}
    )
    assert answer.object == "chat.completion" and answer.choices[0].message.content == "Hello there."
    assert answer.usage and answer.usage.total_tokens == 15
    asked = {"messages": ASKED, "model": model, "temperature": 0.5, "seed": 7, "user": "ann", "top_k": 4, "colour": None}
    assert upstream.requests[model] == [asked]


def test_a_stream_passes_through(client: OpenAI, upstream: Upstream) -> None:
    model = upstream.model(says("Hello ", "there."))
    options: Any = {"include_usage": True}
    chunks = list(client.chat.completions.create(model=model, messages=ASKED, stream=True, stream_options=options))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello there."
    assert chunks[-1].choices == [] and chunks[-1].usage and chunks[-1].usage.completion_tokens == 5
    assert {chunk.id for chunk in chunks} == {f"chatcmpl-{model}-1"}


def test_the_stream_helper_gathers_tool_calls(client: OpenAI, upstream: Upstream) -> None:
    model = upstream.model(calls(("call_a", "quote_share", '{"symbol":', '"MSFT"}'), before="Let me see."))
    with client.chat.completions.stream(model=model, messages=ASKED) as stream:
        kinds = {event.type for event in stream}
        [choice] = stream.get_final_completion().choices
    assert {"content.delta", "content.done", "chunk"} <= kinds
    assert choice.finish_reason == "tool_calls" and choice.message.content == "Let me see."
    [call] = choice.message.tool_calls or []
    assert (call.id, call.function.name, call.function.arguments) == ("call_a", "quote_share", '{"symbol":"MSFT"}')


def test_the_scripted_model_answers_too(plain_client: OpenAI) -> None:
    whole = plain_client.chat.completions.create(model="gpt-4o", messages=ASKED)
    chunks = list(plain_client.chat.completions.create(model="gpt-4o", messages=ASKED, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert whole.choices[0].message.content == text and text.endswith("You said: Hi")
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_kept_answers_are_listed_changed_and_deleted(
    client: OpenAI, other_client: OpenAI, upstream: Upstream
) -> None:
    model = upstream.model(*[says(f"Answer {number}.") for number in range(4)])
    kept: list[str] = []
    for number in range(3):
        stream = number == 1
        answer = client.chat.completions.create(
            model=model, messages=ASKED, store=True, metadata={"n": str(number), "all": "yes"}, stream=stream
        )
        kept.append([chunk.id for chunk in answer][-1] if stream else answer.id)
    client.chat.completions.create(model=model, messages=ASKED)
    # What is kept, and how it is called, is no matter of the upstream.
    assert all("store" not in asked and "metadata" not in asked for asked in upstream.requests[model])

    stored = client.chat.completions
    assert [one.id for one in stored.list(model=model, limit=2)] == kept
    assert [one.id for one in stored.list(model=model, order="desc")] == kept[::-1]
    assert [one.id for one in stored.list(metadata={"n": "1", "all": "yes"}, model=model)] == kept[1:2]
    one = stored.retrieve(kept[1])
    assert one.object == "chat.completion" and one.choices[0].message.content == "Answer 1."
    assert one.choices[0].finish_reason == "stop"

    messages = list(stored.messages.list(kept[1], limit=1))
    assert [(message.role, message.content) for message in messages] == [("developer", "Be brief."), ("user", "Hi")]

    changed = stored.update(kept[1], metadata={"n": "one"})
    assert changed.to_dict()["metadata"] == {"n": "one"} and stored.retrieve(kept[1]) == changed

    theirs = other_client.chat.completions
    assert list(theirs.list(model=model)) == []
    for call in (theirs.retrieve, theirs.delete, theirs.messages.list, lambda id: theirs.update(id, metadata={})):
        with pytest.raises(NotFoundError):
            call(kept[1])

    deleted = stored.delete(kept[1])
    assert (deleted.id, deleted.object, deleted.deleted) == (kept[1], "chat.completion.deleted", True)
    with pytest.raises(NotFoundError) as caught:
        stored.retrieve(kept[1])
    assert caught.value.response.json() == error(f"No chat completion found with id '{kept[1]}'.")
    assert [one.id for one in stored.list(model=model)] == [kept[0], kept[2]]


@pytest.mark.parametrize(
    ("turn", "kind", "status", "message", "code"),
    [
        (refuses(400, "Bad `top_k`.", "unknown"), BadRequestError, 400, "Bad `top_k`.", "unknown"),
        (refuses(404, "No such thing.", "model_not_found"), NotFoundError, 404, "No such thing.", "model_not_found"),
        (refuses(401, "sk-upstream is wrong."), InternalServerError, 502, "The model's host did not", None),
        (
            refuses(429, "org-operator is slow.", "rate_limit_exceeded", retry_after="0"),
            RateLimitError,
            429,
            "Rate limit reached for the model.",
            "rate_limit_exceeded",
        ),
    ],
)
def test_errors_pass_on_but_for_those_of_the_operator(
    client: OpenAI, upstream: Upstream, turn: Turn, kind: type[APIError], status: int, message: str, code: str | None
) -> None:
    model = upstream.model(*[turn] * 5)
    with pytest.raises(kind) as caught:
        client.chat.completions.create(model=model, messages=ASKED)
    told: Any = caught.value
    assert (told.status_code, told.code) == (status, code)
    assert told.response.json()["error"]["message"].startswith(message)


def test_a_stream_that_is_cut_is_not_taken_for_whole(client: OpenAI, upstream: Upstream) -> None:
    model = upstream.model(breaks_off("Hel"))
    # The cut may come before the reply's head went out.
    with pytest.raises((APIError, httpx.HTTPError)):
        list(client.chat.completions.create(model=model, messages=ASKED, stream=True, store=True))
    assert list(client.chat.completions.list(model=model)) == []


def test_an_upstream_learns_that_its_reader_has_gone(client: OpenAI, upstream: Upstream) -> None:
    model = upstream.model(hangs("Hel"))
    with client.chat.completions.create(model=model, messages=ASKED, stream=True) as stream:
        assert [next(stream).choices[0].delta.content, next(stream).choices[0].delta.content] == ["", "Hel"]
    assert upstream.dropped(model)


def test_models_are_the_upstreams(client: OpenAI, upstream: Upstream, server: Ropewalk) -> None:
    name = upstream.model()
    assert name in [model.id for model in client.models.list()]
    found = client.models.retrieve(name)
    assert (found.object, found.created, found.owned_by) == ("model", 1, "tests")
    for call in (client.models.retrieve, client.models.delete):
        with pytest.raises(NotFoundError) as missing:
            call("hemp")
        text = "The model `hemp` does not exist or you do not have access to it."
        assert missing.value.response.json() == error(text, code="model_not_found")
    with pytest.raises(PermissionDeniedError):
        client.models.delete(name)

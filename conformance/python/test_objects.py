"""Assistants, threads, messages, models: made, read, listed page by page, changed, deleted."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from agents import QUOTE, assistant, started, thread
from openai import NotFoundError, OpenAI
from upstream import Upstream, says
from wire import error


def test_an_assistant_changes_only_where_it_is_told_to(client: OpenAI, upstream: Upstream) -> None:
    model = upstream.model()
    made = client.beta.assistants.create(
        model=model, name="Clerk", instructions="Be brief.", tools=[QUOTE], metadata={"team": "a"}, temperature=0.3
    )
    changed = client.beta.assistants.update(made.id, name="Chief", metadata={"team": "b"})
    assert changed == made.model_copy(update={"name": "Chief", "metadata": {"team": "b"}})
    cleared = client.beta.assistants.update(made.id, name=None, tools=[{"type": "file_search"}])
    assert cleared.name is None and [tool.type for tool in cleared.tools] == ["file_search"]
    assert cleared.instructions == "Be brief." and client.beta.assistants.retrieve(made.id) == cleared


def test_a_deleted_assistant_is_gone(client: OpenAI, upstream: Upstream) -> None:
    clerk = assistant(client, upstream.model())
    deleted = client.beta.assistants.delete(clerk)
    assert (deleted.id, deleted.object, deleted.deleted) == (clerk, "assistant.deleted", True)
    with pytest.raises(NotFoundError) as caught:
        client.beta.assistants.retrieve(clerk)
    assert caught.value.response.json() == error(f"No assistant found with id '{clerk}'.")
    assert clerk not in [one.id for one in client.beta.assistants.list()]


def test_a_thread_keeps_its_metadata_and_is_gone_when_deleted(client: OpenAI) -> None:
    made = client.beta.threads.create(metadata={"a": "1", "b": "2"})
    assert made.object == "thread" and made.metadata == {"a": "1", "b": "2"}
    changed = client.beta.threads.update(made.id, metadata={"c": "3"})
    assert changed.metadata == {"c": "3"} and client.beta.threads.retrieve(made.id) == changed
    assert client.beta.threads.update(made.id) == changed
    deleted = client.beta.threads.delete(made.id)
    assert (deleted.id, deleted.object, deleted.deleted) == (made.id, "thread.deleted", True)
    with pytest.raises(NotFoundError):
        client.beta.threads.messages.list(made.id)


def test_a_message_keeps_every_part_of_its_content(client: OpenAI) -> None:
    parts: Any = [
        {"type": "text", "text": "What is this? \u00d8\U0001faa2"},
        {"type": "image_url", "image_url": {"url": "https://example.com/knot.png", "detail": "low"}},
    ]
    made = client.beta.threads.messages.create(thread(client), role="user", content=parts, metadata={"n": "1"})
    assert made.object == "thread.message" and made.status == "completed" and made.role == "user"
    assert made.run_id is None and made.assistant_id is None and made.attachments == []
    text, image = made.content
    assert text.text.value == parts[0]["text"] and text.text.annotations == []
    assert (image.type, image.image_url.url, image.image_url.detail) == (
        "image_url",
        "https://example.com/knot.png",
        "low",
    )
    changed = client.beta.threads.messages.update(made.id, thread_id=made.thread_id, metadata={"n": "2"})
    assert changed == made.model_copy(update={"metadata": {"n": "2"}})
    assert client.beta.threads.messages.retrieve(made.id, thread_id=made.thread_id) == changed


def test_a_deleted_message_is_gone_and_the_model_does_not_see_it(client: OpenAI, upstream: Upstream) -> None:
    thread_id = thread(client, "Forget this.", "Keep this.")
    first = client.beta.threads.messages.list(thread_id, order="asc").data[0]
    deleted = client.beta.threads.messages.delete(first.id, thread_id=thread_id)
    assert (deleted.id, deleted.object, deleted.deleted) == (first.id, "thread.message.deleted", True)
    model = upstream.model(says("Kept."))
    client.beta.threads.runs.create_and_poll(thread_id=thread_id, assistant_id=assistant(client, model))
    assert [message["content"] for message in upstream.requests[model][0]["messages"]] == ["Keep this."]


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_join_into_the_whole_list(client: OpenAI, http: httpx.Client, order: Any) -> None:
    said = [f"message {number}" for number in range(7)]
    thread_id = thread(client, *said)
    listed = client.beta.threads.messages.list(thread_id, order=order, limit=3)
    wanted = said if order == "asc" else said[::-1]
    assert [message.content[0].text.value for message in listed.data] == wanted[:3]
    assert listed.has_more and listed.first_id == listed.data[0].id and listed.last_id == listed.data[2].id
    assert [message.content[0].text.value for message in listed] == wanted
    # The page before the last one, read backwards from its end.
    ids = [message.id for message in listed]
    before = http.get(f"threads/{thread_id}/messages", params={"order": order, "limit": 2, "before": ids[6]}).json()
    assert [message["id"] for message in before["data"]] in (ids[4:6], ids[0:2])
    between = http.get(f"threads/{thread_id}/messages", params={"order": order, "after": ids[1], "before": ids[5]})
    assert [message["id"] for message in between.json()["data"]] == ids[2:5]


def test_lists_begin_with_the_newest_and_hold_twenty(client: OpenAI) -> None:
    thread_id = thread(client, *[str(number) for number in range(25)])
    page = client.beta.threads.messages.list(thread_id)
    assert [message.content[0].text.value for message in page.data] == [str(number) for number in range(24, 4, -1)]
    assert page.has_more and len(list(page)) == 25


def test_an_empty_list_has_no_ends(client: OpenAI, http: httpx.Client) -> None:
    page = http.get(f"threads/{thread(client)}/messages").json()
    assert page == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}


def test_messages_are_found_by_their_run(client: OpenAI, upstream: Upstream) -> None:
    model = upstream.model(says("First."), says("Second."))
    clerk, thread_id = assistant(client, model), thread(client, "Begin.")
    runs = [client.beta.threads.runs.create_and_poll(thread_id=thread_id, assistant_id=clerk) for _ in range(2)]
    for run, text in zip(runs, ["First.", "Second."]):
        [message] = client.beta.threads.messages.list(thread_id, run_id=run.id).data
        assert message.content[0].text.value == text
        assert (message.run_id, message.assistant_id, message.role) == (run.id, clerk, "assistant")
    assert [run.id for run in client.beta.threads.runs.list(thread_id)] == [run.id for run in reversed(runs)]


def test_a_run_step_can_be_read_alone(client: OpenAI, upstream: Upstream) -> None:
    run = started(client, upstream.model(says("Done.")))
    run = client.beta.threads.runs.poll(run.id, thread_id=run.thread_id)
    [step] = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id).data
    assert client.beta.threads.runs.steps.retrieve(step.id, thread_id=run.thread_id, run_id=run.id) == step
    assert (step.object, step.run_id, step.assistant_id) == ("thread.run.step", run.id, run.assistant_id)
    with pytest.raises(NotFoundError) as caught:
        client.beta.threads.runs.steps.retrieve("step_1", thread_id=run.thread_id, run_id=run.id)
    assert caught.value.response.json() == error("No run step found with id 'step_1'.")


def test_objects_carry_every_key_that_strict_clients_read(
    client: OpenAI, http: httpx.Client, upstream: Upstream
) -> None:
    clerk = assistant(client, upstream.model(says("Done.")))
    run = client.beta.threads.create_and_run_poll(
        assistant_id=clerk, thread={"messages": [{"role": "user", "content": "Begin."}]}
    )
    whole = f"threads/{run.thread_id}"
    steps = http.get(f"{whole}/runs/{run.id}/steps").json()["data"]
    messages = http.get(f"{whole}/messages").json()["data"]
    common = {"id", "object", "created_at", "metadata"}
    made = common | {"name", "description", "model", "instructions", "tools", "tool_resources", "response_format"}
    assert made <= set(http.get(f"assistants/{clerk}").json())
    assert common | {"tool_resources"} <= set(http.get(whole).json())
    said = {"thread_id", "status", "incomplete_details", "completed_at", "incomplete_at", "role", "content"}
    for message in messages:
        assert common | said | {"assistant_id", "run_id", "attachments"} <= set(message)
    of_run = {"thread_id", "assistant_id", "status", "last_error", "cancelled_at", "failed_at", "completed_at", "usage"}
    done = of_run | {"required_action", "expires_at", "started_at", "incomplete_details", "model", "instructions", "tools"}
    done |= {"max_prompt_tokens", "max_completion_tokens", "truncation_strategy", "tool_choice"}
    done |= {"parallel_tool_calls", "response_format"}
    stored = http.get(f"{whole}/runs/{run.id}").json()
    assert common | done <= set(stored)
    assert stored["truncation_strategy"] == {"type": "auto", "last_messages": None}
    assert (stored["tool_choice"], stored["response_format"]) == ("auto", "auto")
    assert (stored["temperature"], stored["top_p"], stored["instructions"]) == (1.0, 1.0, "")
    for step in steps:
        assert common | of_run | {"run_id", "type", "step_details", "expired_at"} <= set(step)


def test_models_are_those_of_the_upstream(client: OpenAI, upstream: Upstream) -> None:
    model = upstream.model()
    assert model in [one.id for one in client.models.list()]
    assert client.models.retrieve(model).id == model
    with pytest.raises(NotFoundError) as caught:
        client.models.retrieve("gpt-0")
    text = "The model `gpt-0` does not exist or you do not have access to it."
    assert caught.value.response.json() == error(text, code="model_not_found")


def test_a_server_without_an_upstream_lists_its_script_as_one(plain_client: OpenAI) -> None:
    [model] = plain_client.models.list()
    assert "not a language model" in model.owned_by

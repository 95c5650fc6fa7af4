"""Runs that search in files: stores of the assistant and of the thread, attachments, citations, `include[]`."""

from __future__ import annotations

import re
from typing import Any

import pytest
from agents import assistant, steps
from openai import BadRequestError, NotFoundError, OpenAI
from upstream import Turn, Upstream, calls, says

KNOTS = b"The bowline is a knot that makes a fixed loop."
SEARCH: Any = {"type": "file_search"}
LOOK = ("call_s", "file_search", '{"query": "which knot', ' makes a loop"}')
CONTENT: Any = ["step_details.tool_calls[*].file_search.results[*].content"]


def upload(client: OpenAI, data: bytes = KNOTS, name: str = "knots.txt") -> str:
    return client.files.create(file=(name, data), purpose="assistants").id


def stored(client: OpenAI, *files: str) -> str:
    """A vector store with these files, once they are taken in."""
    store = client.vector_stores.create().id
    batch = client.vector_stores.file_batches.create_and_poll(store, file_ids=files, poll_interval_ms=20)
    assert batch.file_counts.completed == len(files)
    return store


def cites(request: dict[str, Any]) -> Turn:
    """Repeats the first marker that the search showed."""
    shown = [message["content"] for message in request["messages"] if message["role"] == "tool"][-1]
    marker = re.findall("【[^】]*】", shown)[0]
    return says("The bowl", "ine 🪢 ", marker[:3], marker[3:], ".")


@pytest.fixture
def searching(client: OpenAI, upstream: Upstream) -> Any:
    """A finished run that searched in its assistant's store and cited what it found."""
    store = stored(client, upload(client))
    resources: Any = {"file_search": {"vector_store_ids": [store]}}
    clerk = assistant(client, upstream.model(calls(LOOK), cites), SEARCH, tool_resources=resources)
    question: Any = {"messages": [{"role": "user", "content": "Which knot?"}]}
    run = client.beta.threads.create_and_run_poll(assistant_id=clerk, thread=question, poll_interval_ms=20)
    assert run.status == "completed", run.last_error
    return run


def test_a_search_is_a_step_with_results(client: OpenAI, searching: Any) -> None:
    searched, told = steps(client, searching)
    assert (searched.type, searched.status, told.type) == ("tool_calls", "completed", "message_creation")
    [call] = searched.step_details.tool_calls
    assert call.type == "file_search" and call.id
    [result] = call.file_search.results
    assert result.file_name == "knots.txt" and 0 <= result.score <= 1 and not result.content
    assert call.file_search.ranking_options.score_threshold == 0


def test_content_of_results_is_included_when_asked_for(client: OpenAI, searching: Any) -> None:
    where = {"run_id": searching.id, "thread_id": searching.thread_id}
    runs = client.beta.threads.runs
    searched = list(runs.steps.list(**where, order="asc", include=CONTENT))[0]
    [result] = searched.step_details.tool_calls[0].file_search.results
    assert result.content[0].text.encode() == KNOTS and result.content[0].type == "text"
    alone = runs.steps.retrieve(searched.id, **where, include=CONTENT)
    assert alone == searched
    wrong: Any = ["step_details.everything"]
    with pytest.raises(BadRequestError):
        runs.steps.list(**where, include=wrong)


def test_a_citation_points_to_the_file(client: OpenAI, searching: Any) -> None:
    [message] = client.beta.threads.messages.list(searching.thread_id, run_id=searching.id).data
    text = message.content[0].text
    [cited] = text.annotations
    assert cited.type == "file_citation" and text.value[cited.start_index : cited.end_index] == cited.text
    [result] = steps(client, searching)[0].step_details.tool_calls[0].file_search.results
    assert cited.file_citation.file_id == result.file_id


def test_a_stream_shows_the_search_and_the_citation(client: OpenAI, upstream: Upstream) -> None:
    resources: Any = {"file_search": {"vector_store_ids": [stored(client, upload(client))]}}
    clerk = assistant(client, upstream.model(calls(LOOK), cites), SEARCH, tool_resources=resources)
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Which knot?"}])
    with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=clerk, include=CONTENT) as stream:
        # The helpers sum steps up from their deltas, which know nothing of results.
        searched, _ = [event.data for event in stream if event.event == "thread.run.step.completed"]
        assert stream.get_final_run().status == "completed"
        [message] = stream.get_final_messages()
    [result] = searched.step_details.tool_calls[0].file_search.results
    assert result.content[0].text.encode() == KNOTS
    assert message == client.beta.threads.messages.retrieve(message.id, thread_id=thread.id)
    assert message.content[0].text.annotations[0].file_citation.file_id == result.file_id


def test_an_attachment_makes_the_threads_own_store(client: OpenAI, upstream: Upstream) -> None:
    file_id = upload(client)
    attached: Any = [{"file_id": file_id, "tools": [SEARCH]}]
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Which knot?", "attachments": attached}])
    [store] = thread.tool_resources.file_search.vector_store_ids
    shelf = client.vector_stores.retrieve(store)
    assert (shelf.expires_after.anchor, shelf.expires_after.days) == ("last_active_at", 7)
    [message] = client.beta.threads.messages.list(thread.id).data
    assert [(one.file_id, [tool.type for tool in one.tools]) for one in message.attachments] == [
        (file_id, ["file_search"])
    ]
    # A run waits until the file is taken in.
    clerk = assistant(client, upstream.model(calls(LOOK), cites), SEARCH)
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=clerk, poll_interval_ms=20)
    assert run.status == "completed", run.last_error
    [result] = steps(client, run)[0].step_details.tool_calls[0].file_search.results
    assert result.file_id == file_id


def test_a_later_attachment_goes_into_the_same_store(client: OpenAI) -> None:
    thread = client.beta.threads.create()
    for name in ("a.txt", "b.txt"):
        attached: Any = [{"file_id": upload(client, name=name), "tools": [SEARCH]}]
        client.beta.threads.messages.create(thread.id, role="user", content="See.", attachments=attached)
    [store] = client.beta.threads.retrieve(thread.id).tool_resources.file_search.vector_store_ids
    assert client.vector_stores.retrieve(store).file_counts.total == 2


def test_a_file_for_the_interpreter_is_listed_on_the_thread(client: OpenAI) -> None:
    file_id = upload(client)
    attached: Any = [{"file_id": file_id, "tools": [{"type": "code_interpreter"}]}]
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Run.", "attachments": attached}])
    assert thread.tool_resources.code_interpreter.file_ids == [file_id]
    assert thread.tool_resources.file_search is None


def test_both_stores_are_searched(client: OpenAI, upstream: Upstream) -> None:
    resources: Any = {"file_search": {"vector_store_ids": [stored(client, upload(client))]}}
    clerk = assistant(client, upstream.model(calls(LOOK), says("Both.")), SEARCH, tool_resources=resources)
    attached: Any = [{"file_id": upload(client, b"A noose is a knot whose loop slips.", "noose.md"), "tools": [SEARCH]}]
    thread: Any = {"messages": [{"role": "user", "content": "Which knots?", "attachments": attached}]}
    run = client.beta.threads.create_and_run_poll(assistant_id=clerk, thread=thread, poll_interval_ms=20)
    results = steps(client, run)[0].step_details.tool_calls[0].file_search.results
    assert {result.file_name for result in results} == {"knots.txt", "noose.md"}


def test_a_store_is_made_with_its_assistant_or_thread(client: OpenAI, upstream: Upstream) -> None:
    resources: Any = {"file_search": {"vector_stores": [{"file_ids": [upload(client)], "metadata": {"of": "it"}}]}}
    made = client.beta.assistants.create(model=upstream.model(), tools=[SEARCH], tool_resources=resources)
    [store] = made.tool_resources.file_search.vector_store_ids
    shelf = client.vector_stores.retrieve(store)
    assert (shelf.metadata, shelf.file_counts.total, shelf.expires_after) == ({"of": "it"}, 1, None)
    thread = client.beta.threads.create(tool_resources=resources)
    [store] = thread.tool_resources.file_search.vector_store_ids
    assert client.vector_stores.retrieve(store).expires_after.days == 7


def test_files_and_stores_that_are_not_there_are_refused(client: OpenAI, upstream: Upstream) -> None:
    wrong: Any = {"file_search": {"vector_store_ids": ["vs_missing"]}}
    with pytest.raises((BadRequestError, NotFoundError)):
        client.beta.threads.create(tool_resources=wrong)
    with pytest.raises((BadRequestError, NotFoundError)):
        client.beta.assistants.create(model=upstream.model(), tools=[SEARCH], tool_resources=wrong)
    attached: Any = [{"file_id": "file-missing", "tools": [SEARCH]}]
    with pytest.raises((BadRequestError, NotFoundError)):
        client.beta.threads.create(messages=[{"role": "user", "content": "See.", "attachments": attached}])


def test_an_image_file_is_shown_to_the_model(client: OpenAI, upstream: Upstream) -> None:
    image = client.files.create(file=("knot.png", b"\x89PNG\r\n\x1a\n\0\0"), purpose="vision").id
    content: Any = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_file", "image_file": {"file_id": image, "detail": "low"}},
    ]
    model = upstream.model(says("A knot."))
    thread: Any = {"messages": [{"role": "user", "content": content}]}
    run = client.beta.threads.create_and_run_poll(
        assistant_id=assistant(client, model), thread=thread, poll_interval_ms=20
    )
    assert run.status == "completed", run.last_error
    shown = upstream.requests[model][0]["messages"][-1]["content"][1]["image_url"]
    assert shown["url"].startswith("data:image/png;base64,iVBOR") and shown["detail"] == "low"

"""Event streams as they cross the wire: which events, in which order, and what their deltas add up to."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import httpx
from agents import QUOTE, assistant, finished, outputs_for, steps, thread
from openai import AsyncOpenAI, OpenAI
from ropewalk import Ropewalk
from upstream import Upstream, breaks_off, calls, hangs, refuses, says
from wire import connect, error, frames, order, play

BEGIN = ["thread.run.created", "thread.run.queued", "thread.run.in_progress"]
STEP = ["thread.run.step.created", "thread.run.step.in_progress"]
MESSAGE = ["thread.message.created", "thread.message.in_progress", "thread.message.delta*"]
TEXT = [*STEP, *MESSAGE, "thread.message.completed", "thread.run.step.completed"]
CALLS = [*STEP, "thread.run.step.delta*"]
COMPLETED = ["thread.run.completed", "done"]
WAITING = ["thread.run.requires_action", "done"]


def run_stream(client: OpenAI, http: httpx.Client, model: str, *tools: Any) -> list[tuple[str, Any]]:
    thread_id = thread(client, "Begin.")
    return play(http, f"threads/{thread_id}/runs", assistant_id=assistant(client, model, *tools))


def submit_stream(http: httpx.Client, run: dict[str, Any], **outputs: str) -> list[tuple[str, Any]]:
    listed = [{"tool_call_id": call, "output": output} for call, output in outputs.items()]
    return play(http, f"threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs", tool_outputs=listed)


def test_a_text_streams_in_the_documented_order(client: OpenAI, http: httpx.Client, upstream: Upstream) -> None:
    events = run_stream(client, http, upstream.model(says("Hel", "lo", " there")))
    assert order(events) == [*BEGIN, *TEXT, *COMPLETED]
    assert events[-1] == ("done", "[DONE]")
    statuses = [data["status"] for name, data in events if name.startswith("thread.run.") and "step" not in name]
    assert statuses == ["queued", "queued", "in_progress", "completed"]


def test_text_deltas_add_up_to_the_stored_message(client: OpenAI, http: httpx.Client, upstream: Upstream) -> None:
    pieces = ["Knots", ": ", "\n- bowline\n", "- ", "Ø½🪢", " \"quoted\" \\ "]
    events = run_stream(client, http, upstream.model(says(*pieces)))
    deltas = [data for name, data in events if name == "thread.message.delta"]
    parts = [part for delta in deltas for part in delta["delta"]["content"]]
    assert "".join(part["text"]["value"] for part in parts) == "".join(pieces)
    assert {(part["index"], part["type"]) for part in parts} == {(0, "text")}
    assert parts[0]["text"]["annotations"] == [] and all("annotations" not in part["text"] for part in parts[1:])
    assert all("id" not in delta["delta"] for delta in deltas)
    [created] = [data for name, data in events if name == "thread.message.created"]
    assert created["content"] == [] and created["status"] == "in_progress"
    [message] = [data for name, data in events if name == "thread.message.completed"]
    assert message["content"] == [{"type": "text", "text": {"value": "".join(pieces), "annotations": []}}]
    assert http.get(f"threads/{message['thread_id']}/messages/{message['id']}").json() == message
    assert {delta["id"] for delta in deltas} == {created["id"]} == {message["id"]}


def test_calls_stream_in_the_documented_order_and_wait(
    client: OpenAI, http: httpx.Client, upstream: Upstream
) -> None:
    wanted = [("call_a", "quote_share", '{"symbol"', ':"AAPL"}'), ("call_b", "quote_share", '{"symbol":', '"MSFT"}')]
    model = upstream.model(calls(*wanted), says("Both", " known."))
    events = run_stream(client, http, model, QUOTE)
    assert order(events) == [*BEGIN, *CALLS, *WAITING]
    run = events[-2][1]
    assert run["status"] == "requires_action" and run["usage"] is None

    added: list[dict[str, Any]] = []
    for name, data in events:
        if name != "thread.run.step.delta":
            continue
        assert data["object"] == name and data["delta"]["step_details"]["type"] == "tool_calls"
        for part in data["delta"]["step_details"]["tool_calls"]:
            if part["index"] == len(added):
                assert part["function"]["output"] is None
                added.append(part)
            else:
                assert "id" not in part and "name" not in part["function"] and part["type"] == "function"
                added[part["index"]]["function"]["arguments"] += part["function"]["arguments"]
    plain = [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in added]
    assert plain == [(call, name, "".join(pieces)) for call, name, *pieces in wanted]
    asked = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in asked] == plain

    events = submit_stream(http, run, call_a="231.5", call_b="418")
    assert order(events) == ["thread.run.step.completed", *BEGIN[1:], *TEXT, *COMPLETED]
    step = events[0][1]
    assert [call["function"]["output"] for call in step["step_details"]["tool_calls"]] == ["231.5", "418"]
    assert step["usage"] and events[1][1]["required_action"] is None


def test_a_text_before_the_calls_is_a_step_of_its_own(
    client: OpenAI, http: httpx.Client, upstream: Upstream
) -> None:
    model = upstream.model(calls(("call_a", "quote_share", "{}"), before="Let me look."), says("Done."))
    events = run_stream(client, http, model, QUOTE)
    assert order(events) == [*BEGIN, *TEXT, *CALLS, *WAITING]
    events = submit_stream(http, events[-2][1], call_a="none")
    assert order(events) == ["thread.run.step.completed", *BEGIN[1:], *TEXT, *COMPLETED]


def test_several_rounds_of_calls_each_stream(client: OpenAI, http: httpx.Client, upstream: Upstream) -> None:
    rounds = [calls((f"call_{number}", "quote_share", "{}")) for number in range(3)]
    events = run_stream(client, http, upstream.model(*rounds, says("Enough.")), QUOTE)
    for number in range(2):
        events = submit_stream(http, events[-2][1], **{f"call_{number}": "again"})
        assert order(events) == ["thread.run.step.completed", *BEGIN[1:], *CALLS, *WAITING]
    events = submit_stream(http, events[-2][1], call_2="last")
    assert order(events) == ["thread.run.step.completed", *BEGIN[1:], *TEXT, *COMPLETED]


def test_a_thread_made_with_its_run_comes_first(client: OpenAI, http: httpx.Client, upstream: Upstream) -> None:
    body = {"messages": [{"role": "user", "content": "Begin."}], "metadata": {"origin": "test"}}
    model = upstream.model(says("Begun."))
    events = play(http, "threads/runs", assistant_id=assistant(client, model), thread=body)
    assert order(events) == ["thread.created", *BEGIN, *TEXT, *COMPLETED]
    made = events[0][1]
    assert made["metadata"] == {"origin": "test"} and events[1][1]["thread_id"] == made["id"]


def test_an_answer_that_grows_too_long_ends_incomplete(
    client: OpenAI, http: httpx.Client, upstream: Upstream
) -> None:
    events = run_stream(client, http, upstream.model(says("On and", " on", finish="length")))
    assert order(events) == [
        *BEGIN,
        *STEP,
        *MESSAGE,
        "thread.message.incomplete",
        "thread.run.step.completed",
        "thread.run.incomplete",
        "done",
    ]
    run = events[-2][1]
    assert run["incomplete_details"] == {"reason": "max_completion_tokens"} and run["usage"]["total_tokens"] == 15


def test_an_upstream_that_breaks_off_fails_message_step_and_run(
    client: OpenAI, http: httpx.Client, upstream: Upstream
) -> None:
    events = run_stream(client, http, upstream.model(breaks_off("Half a", " sen")))
    assert order(events) == [
        *BEGIN,
        *STEP,
        *MESSAGE,
        "thread.message.incomplete",
        "thread.run.step.failed",
        "thread.run.failed",
        "done",
    ]
    message, step, run = (data for _, data in events[-4:-1])
    assert message["incomplete_details"] == {"reason": "run_failed"} and message["incomplete_at"]
    assert message["content"][0]["text"]["value"] == "Half a sen"
    assert step["last_error"] == run["last_error"] and run["last_error"]["code"] == "server_error"


def test_an_upstream_that_refuses_fails_a_run_without_steps(
    client: OpenAI, http: httpx.Client, upstream: Upstream
) -> None:
    events = run_stream(client, http, upstream.model(refuses(400, "This prompt is too long.")))
    assert order(events) == [*BEGIN, "thread.run.failed", "done"]
    assert events[-2][1]["last_error"] == {"code": "invalid_prompt", "message": "This prompt is too long."}


def test_a_cancel_by_another_client_ends_the_stream(
    client: OpenAI, http: httpx.Client, upstream: Upstream
) -> None:
    answer = hangs("Never", " to end")
    body = {"assistant_id": assistant(client, upstream.model(answer)), "stream": True}
    thread_id = thread(client, "Begin.")
    with http.stream("POST", f"threads/{thread_id}/runs", json=body) as response:
        events = []
        for name, data in frames(response):
            events.append((name, data))
            if name == "thread.message.delta" and data["delta"]["content"][0]["text"]["value"] == "Never":
                cancelling = client.beta.threads.runs.cancel(events[0][1]["id"], thread_id=thread_id)
                assert cancelling.status == "cancelling"
    assert order(events) == [
        *BEGIN,
        *STEP,
        *MESSAGE,
        "thread.run.cancelling",
        "thread.message.incomplete",
        "thread.run.step.cancelled",
        "thread.run.cancelled",
        "done",
    ]
    assert events[-4][1]["incomplete_details"] == {"reason": "run_cancelled"}
    assert answer.dropped.wait(10), "the upstream is still being read"


def test_a_run_past_its_deadline_ends_the_stream(upstream: Upstream, new_server: Any) -> None:
    server: Ropewalk = new_server("--run-expiry", "1")
    answer = hangs("Too", " slow")
    with OpenAI(base_url=server.base_url, api_key="sk-org-a-0123456789abcdef", max_retries=0) as client:
        with connect(server.base_url, client.api_key) as http:
            events = run_stream(client, http, upstream.model(answer))
    assert order(events) == [
        *BEGIN,
        *STEP,
        *MESSAGE,
        "thread.message.incomplete",
        "thread.run.step.expired",
        "thread.run.expired",
        "done",
    ]
    message, step, run = (data for _, data in events[-4:-1])
    assert message["incomplete_details"] == {"reason": "run_expired"} and step["expired_at"]
    assert run["expires_at"] is None and events[0][1]["expires_at"] == run["created_at"] + 1
    assert answer.dropped.wait(10), "the upstream is still being read"


def test_what_is_wrong_before_the_first_event_is_a_plain_error(client: OpenAI, http: httpx.Client) -> None:
    body = {"assistant_id": "asst_missing", "stream": True}
    response = http.post(f"threads/{thread(client)}/runs", json=body)
    assert response.status_code == 404 and response.headers["content-type"] == "application/json"
    assert response.json() == error("No assistant found with id 'asst_missing'.")


def test_a_reader_who_leaves_does_not_stop_the_run(client: OpenAI, upstream: Upstream) -> None:
    model = upstream.model(says(*["word "] * 50))
    thread_id = thread(client, "Begin.")
    with client.beta.threads.runs.create(
        thread_id, assistant_id=assistant(client, model), stream=True
    ) as stream:
        run = next(event.data for event in stream if event.event == "thread.run.in_progress")
    run = finished(client, run)
    assert run.status == "completed"
    [message] = client.beta.threads.messages.list(thread_id, run_id=run.id).data
    assert message.content[0].text.value == "word " * 50


def test_the_sdk_reads_raw_events_of_each_kind(client: OpenAI, upstream: Upstream) -> None:
    model = upstream.model(calls(("call_a", "quote_share", '{"symbol":"AAPL"}')), says("Fine", "."))
    thread_id = thread(client, "Begin.")
    clerk = assistant(client, model, QUOTE)
    events = list(client.beta.threads.runs.create(thread_id, assistant_id=clerk, stream=True))
    assert [event.event for event in events[:3]] == BEGIN
    run = events[-1].data
    assert run.status == "requires_action"
    events = list(
        client.beta.threads.runs.submit_tool_outputs(
            run.id, thread_id=thread_id, tool_outputs=outputs_for(run), stream=True
        )
    )
    assert events[0].event == "thread.run.step.completed" and events[-1].data.status == "completed"
    deltas = [event.data.delta.content[0].text.value for event in events if event.event == "thread.message.delta"]
    assert deltas == ["Fine", "."]


def test_stream_helpers_give_the_same_objects_as_the_api(client: OpenAI, upstream: Upstream) -> None:
    model = upstream.model(says("One", " rope", "."))
    with client.beta.threads.create_and_run_stream(
        assistant_id=assistant(client, model), thread={"messages": [{"role": "user", "content": "Begin."}]}
    ) as stream:
        assert "".join(stream.text_deltas) == "One rope."
        run, [message], [step] = stream.get_final_run(), stream.get_final_messages(), stream.get_final_run_steps()
    assert client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id) == run
    assert client.beta.threads.messages.retrieve(message.id, thread_id=run.thread_id) == message
    [stored] = steps(client, run)
    assert (stored.id, stored.type) == (step.id, "message_creation")
    assert stored.step_details.message_creation.message_id == message.id


def test_the_asynchronous_client_streams_too(client: OpenAI, upstream: Upstream) -> None:
    clerk, thread_id = assistant(client, upstream.model(says("One", " rope", "."))), thread(client, "Begin.")

    async def read() -> tuple[str, str]:
        async with AsyncOpenAI(base_url=str(client.base_url), api_key=client.api_key) as slow:
            async with slow.beta.threads.runs.stream(thread_id=thread_id, assistant_id=clerk) as stream:
                text = "".join([delta async for delta in stream.text_deltas])
                return text, (await stream.get_final_run()).status

    assert asyncio.run(read()) == ("One rope.", "completed")


def test_many_streams_at_once_stay_apart(client: OpenAI, http: httpx.Client, upstream: Upstream) -> None:
    streams: dict[int, list[tuple[str, Any]]] = {}

    def one(number: int) -> None:
        streams[number] = run_stream(client, http, upstream.model(says(*[f"{number} "] * 20)))

    readers = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    for number, events in streams.items():
        assert order(events) == [*BEGIN, *TEXT, *COMPLETED]
        [message] = [data for name, data in events if name == "thread.message.completed"]
        assert message["content"][0]["text"]["value"] == f"{number} " * 20
    assert len(streams) == 8

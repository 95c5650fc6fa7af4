"""The life of a run: cancelled, expired, failed, retried, cut short, and what a busy thread refuses meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from agents import QUOTE, assistant, finished, settled, started, steps, texts, thread, writing
from conftest import connect
from openai import BadRequestError, OpenAI
from upstream import Turn, Upstream, calls, hangs, refuses, says
from wire import error


def refusal(call: Any, *arguments: Any, **named: Any) -> Any:
    """The body of the 400 that a call meets."""
    with pytest.raises(BadRequestError) as caught:
        call(*arguments, **named)
    return caught.value.response.json()


@pytest.fixture
def waiting(client: OpenAI, upstream: Upstream) -> Any:
    """A run that waits for an output."""
    model = upstream.model(calls(("call_a", "quote_share", "{}")), says("Done."))
    return settled(client, started(client, model, QUOTE))


@pytest.fixture
def hanging(client: OpenAI, upstream: Upstream) -> Iterator[tuple[Any, Turn]]:
    """A run whose model never comes to an end."""
    answer = hangs("Never")
    run = writing(client, started(client, upstream.model(answer)))
    yield run, answer
    finished(client, run)


def test_a_busy_thread_takes_no_message_and_no_second_run(client: OpenAI, waiting: Any) -> None:
    messages, runs = client.beta.threads.messages, client.beta.threads.runs
    busy = f"Can't add messages to {waiting.thread_id} while a run {waiting.id} is active."
    assert refusal(messages.create, waiting.thread_id, role="user", content="And?") == error(busy)
    active = error(f"Thread {waiting.thread_id} already has an active run {waiting.id}.")
    again = {"assistant_id": waiting.assistant_id}
    assert refusal(runs.create, waiting.thread_id, **again) == active
    more: Any = [{"role": "user", "content": "And?"}]
    assert refusal(runs.create, waiting.thread_id, **again, additional_messages=more) == active
    assert len(list(messages.list(waiting.thread_id))) == 1 and len(list(runs.list(waiting.thread_id))) == 1
    # What says nothing to the model may still change.
    changed = runs.update(waiting.id, thread_id=waiting.thread_id, metadata={"seen": "yes"})
    assert changed.metadata == {"seen": "yes"} and changed.status == "requires_action"
    assert client.beta.threads.update(waiting.thread_id, metadata={"seen": "yes"}).metadata == {"seen": "yes"}


def test_a_waiting_run_is_cancelled_and_its_thread_is_free_again(client: OpenAI, waiting: Any) -> None:
    run = client.beta.threads.runs.cancel(waiting.id, thread_id=waiting.thread_id)
    assert run.status == "cancelling"
    run = finished(client, run)
    assert run.status == "cancelled" and run.cancelled_at and run.required_action is None and run.expires_at is None
    [step] = steps(client, run)
    assert step.status == "cancelled" and step.cancelled_at
    client.beta.threads.messages.create(run.thread_id, role="user", content="Never mind.")
    again = client.beta.threads.runs.create_and_poll(thread_id=run.thread_id, assistant_id=run.assistant_id)
    assert again.status == "completed" and texts(client, run.thread_id) == ["Done."]


def test_a_cancelled_run_takes_neither_outputs_nor_another_cancel(client: OpenAI, waiting: Any) -> None:
    client.beta.threads.runs.cancel(waiting.id, thread_id=waiting.thread_id)
    run = finished(client, waiting)
    where = {"run_id": run.id, "thread_id": run.thread_id}
    outputs: Any = [{"tool_call_id": "call_a", "output": "231.5"}]
    refused = refusal(client.beta.threads.runs.submit_tool_outputs, **where, tool_outputs=outputs)
    assert refused == error('Runs in status "cancelled" do not accept tool outputs.')
    refused = refusal(client.beta.threads.runs.cancel, **where)
    assert refused == error("Cannot cancel run with status 'cancelled'.")


def test_a_cancel_stops_the_model_in_the_middle_of_its_answer(
    client: OpenAI, hanging: tuple[Any, Turn]
) -> None:
    run, answer = hanging
    outputs: Any = [{"tool_call_id": "call_a", "output": "231.5"}]
    where = {"run_id": run.id, "thread_id": run.thread_id}
    refused = refusal(client.beta.threads.runs.submit_tool_outputs, **where, tool_outputs=outputs)
    assert refused == error('Runs in status "in_progress" do not accept tool outputs.')
    client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
    run = finished(client, run)
    assert run.status == "cancelled" and answer.dropped.wait(10)
    [message] = client.beta.threads.messages.list(run.thread_id, run_id=run.id).data
    assert message.status == "incomplete" and message.incomplete_details.reason == "run_cancelled"
    assert message.content[0].text.value == "Never" and message.incomplete_at
    [step] = steps(client, run)
    assert step.status == "cancelled" and step.step_details.message_creation.message_id == message.id


def test_a_finished_run_cannot_be_cancelled(client: OpenAI, upstream: Upstream) -> None:
    run = finished(client, started(client, upstream.model(says("Done."))))
    where = {"run_id": run.id, "thread_id": run.thread_id}
    assert refusal(client.beta.threads.runs.cancel, **where) == error("Cannot cancel run with status 'completed'.")


def test_a_deleted_thread_takes_its_run_with_it(client: OpenAI, upstream: Upstream) -> None:
    answer = hangs("Never")
    run = writing(client, started(client, upstream.model(answer)))
    assert client.beta.threads.delete(run.thread_id).deleted
    assert answer.dropped.wait(10), "the upstream is still being read"


def test_a_run_past_its_deadline_expires_and_refuses_outputs(upstream: Upstream, new_server: Any) -> None:
    with connect(new_server("--run-expiry", "2")) as client:
        model = upstream.model(calls(("call_a", "quote_share", "{}")), says("On time."))
        run = settled(client, started(client, model, QUOTE))
        assert run.status == "requires_action" and run.expires_at == run.created_at + 2
        run = finished(client, run)
        assert run.status == "expired" and run.expires_at is None and run.required_action is None
        [step] = steps(client, run)
        assert step.status == "expired" and step.expired_at
        outputs: Any = [{"tool_call_id": "call_a", "output": "231.5"}]
        where = {"run_id": run.id, "thread_id": run.thread_id}
        refused = refusal(client.beta.threads.runs.submit_tool_outputs, **where, tool_outputs=outputs)
        assert refused == error('Runs in status "expired" do not accept tool outputs.')
        assert refusal(client.beta.threads.runs.cancel, **where) == error("Cannot cancel run with status 'expired'.")
        # The thread is as usable as before.
        client.beta.threads.messages.create(run.thread_id, role="user", content="Again.")
        again = client.beta.threads.runs.create_and_poll(thread_id=run.thread_id, assistant_id=run.assistant_id)
        assert again.status == "completed" and texts(client, run.thread_id) == ["On time."]


def test_an_upstream_that_is_busy_is_asked_again(client: OpenAI, upstream: Upstream) -> None:
    busy = refuses(429, "Slow down.", "rate_limit_exceeded", retry_after_ms="20")
    broken = refuses(503, "Back soon.", retry_after_ms="20")
    model = upstream.model(busy, broken, says("At last."))
    run = finished(client, started(client, model))
    assert run.status == "completed" and texts(client, run.thread_id) == ["At last."]
    assert len(upstream.requests[model]) == 3


def test_an_upstream_that_stays_broken_fails_the_run(client: OpenAI, upstream: Upstream) -> None:
    model = upstream.model(*[refuses(500, "The engine room is on fire.", retry_after_ms="20") for _ in range(9)])
    run = finished(client, started(client, model))
    assert run.status == "failed" and run.failed_at and run.expires_at is None
    assert run.last_error.code == "server_error"
    assert run.last_error.message and "on fire" not in run.last_error.message
    assert 2 <= len(upstream.requests[model]) <= 6
    client.beta.threads.messages.create(run.thread_id, role="user", content="Still there?")


def test_an_upstream_that_stays_busy_fails_the_run_with_its_rate_limit(client: OpenAI, upstream: Upstream) -> None:
    model = upstream.model(*[refuses(429, "Slow down.", retry_after_ms="20") for _ in range(9)])
    run = finished(client, started(client, model))
    assert (run.status, run.last_error.code) == ("failed", "rate_limit_exceeded")


def test_a_spent_quota_fails_the_run_and_stays_the_operators_matter(client: OpenAI, upstream: Upstream) -> None:
    quota = [refuses(429, "Pay first.", "insufficient_quota", retry_after_ms="20") for _ in range(9)]
    model = upstream.model(*quota)
    run = finished(client, started(client, model))
    assert (run.status, run.last_error.code) == ("failed", "rate_limit_exceeded")
    assert run.last_error.message and "Pay first." not in run.last_error.message


def test_a_model_the_upstream_does_not_know_fails_the_run(client: OpenAI) -> None:
    run = finished(client, started(client, "no-such-model"))
    assert run.status == "failed" and "no-such-model" in run.last_error.message


def test_the_upstream_key_never_shows(client: OpenAI, upstream: Upstream) -> None:
    model = upstream.model(refuses(401, f"Incorrect API key provided: {Upstream.KEY}."))
    run = finished(client, started(client, model))
    assert run.status == "failed" and Upstream.KEY not in run.model_dump_json()


def test_a_token_budget_ends_the_run_incomplete(client: OpenAI, upstream: Upstream) -> None:
    spent = calls(("call_a", "quote_share", "{}"), usage=(10, 300))
    model = upstream.model(spent, says("Too late."))
    run = settled(client, started(client, model, QUOTE, max_completion_tokens=256))
    outputs: Any = [{"tool_call_id": "call_a", "output": "231.5"}]
    client.beta.threads.runs.submit_tool_outputs(run.id, thread_id=run.thread_id, tool_outputs=outputs)
    run = finished(client, run)
    assert (run.status, run.incomplete_details.reason) == ("incomplete", "max_completion_tokens")
    assert run.usage.completion_tokens == 300 and len(upstream.requests[model]) == 1
    assert upstream.requests[model][0]["max_completion_tokens"] == 256


def test_a_run_may_change_what_its_assistant_says(client: OpenAI, upstream: Upstream) -> None:
    clerk = assistant(client, upstream.model(), QUOTE, instructions="Be brief.", temperature=0.5)
    model = upstream.model(says("Ho", "."), says("Hi."))
    thread_id = thread(client, "Begin.")
    more: Any = [{"role": "user", "content": "More."}, {"role": "assistant", "content": "And?"}]
    run = client.beta.threads.runs.create_and_poll(
        thread_id=thread_id,
        assistant_id=clerk,
        model=model,
        additional_instructions="In Dutch.",
        additional_messages=more,
        tools=[],
        temperature=0.1,
        truncation_strategy={"type": "last_messages", "last_messages": 2},
        metadata={"try": "1"},
    )
    assert run.status == "completed" and run.model == model and run.metadata == {"try": "1"}
    assert run.instructions == "Be brief.\nIn Dutch." and run.tools == [] and run.temperature == 0.1
    [request] = upstream.requests[model]
    assert [(message["role"], message["content"]) for message in request["messages"]] == [
        ("system", "Be brief.\nIn Dutch."),
        ("user", "More."),
        ("assistant", "And?"),
    ]
    assert request["temperature"] == 0.1 and "tools" not in request
    assert texts(client, thread_id) == ["And?", "Ho."]
    run = client.beta.threads.runs.create_and_poll(
        thread_id=thread_id, assistant_id=clerk, model=model, instructions="Be long."
    )
    assert run.instructions == "Be long." and run.temperature == 0.5 and [tool.type for tool in run.tools] == ["function"]


def test_polling_helpers_reach_the_end_by_themselves(client: OpenAI, upstream: Upstream) -> None:
    model = upstream.model(says("One."), says("Two."))
    clerk = assistant(client, model)
    run = client.beta.threads.create_and_run_poll(
        assistant_id=clerk, thread={"messages": [{"role": "user", "content": "Begin."}]}
    )
    assert run.status == "completed"
    run = client.beta.threads.runs.create_and_poll(thread_id=run.thread_id, assistant_id=clerk)
    assert run.status == "completed" and texts(client, run.thread_id) == ["One.", "Two."]
    assert [one.id for one in client.beta.threads.runs.list(run.thread_id)][0] == run.id

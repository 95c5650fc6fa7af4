"""Function calls and their outputs: several at once, several rounds, and all that can be wrong with them."""

from __future__ import annotations

from typing import Any

import pytest
from agents import QUOTE, assistant, finished, outputs_for, settled, started, steps, texts, thread
from openai import BadRequestError, OpenAI
from upstream import Turn, Upstream, calls, says
from wire import error

TWO = calls(("call_a", "quote_share", '{"symbol":"AAPL"}'), ("call_b", "quote_share", '{"symbol":"MSFT"}'))


def two() -> Turn:
    return Turn(TWO.deltas, TWO.finish)


def waiting(client: OpenAI, upstream: Upstream, *turns: Turn) -> Any:
    """A run that waits for the outputs of its first turn."""
    run = settled(client, started(client, upstream.model(*turns), QUOTE))
    assert run.status == "requires_action"
    return run


def submit(client: OpenAI, run: Any, **outputs: str) -> Any:
    listed: Any = [{"tool_call_id": call, "output": output} for call, output in outputs.items()]
    return client.beta.threads.runs.submit_tool_outputs(run.id, thread_id=run.thread_id, tool_outputs=listed)


def refused(client: OpenAI, run: Any, **outputs: str) -> Any:
    """The body of the error that these outputs meet."""
    with pytest.raises(BadRequestError) as caught:
        submit(client, run, **outputs)
    return caught.value.response.json()


def test_calls_of_one_step_are_answered_together(client: OpenAI, upstream: Upstream) -> None:
    run = waiting(client, upstream, two(), says("Both known."))
    run = client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=run.thread_id, tool_outputs=outputs_for(run)
    )
    assert run.status == "completed" and texts(client, run.thread_id) == ["Both known."]
    asked, answered = steps(client, run)
    assert (asked.type, asked.status, answered.type) == ("tool_calls", "completed", "message_creation")
    prices = [call.function.output for call in asked.step_details.tool_calls]
    assert '"price": 231.5' in prices[0] and '"price": 418.0' in prices[1]
    shown = upstream.requests[run.model][-1]["messages"]
    assert [message["role"] for message in shown] == ["user", "assistant", "tool", "tool"]
    assert [call["id"] for call in shown[1]["tool_calls"]] == ["call_a", "call_b"]
    assert [(message["tool_call_id"], message["content"]) for message in shown[2:]] == [
        ("call_a", prices[0]),
        ("call_b", prices[1]),
    ]


def test_outputs_may_come_in_any_order(client: OpenAI, upstream: Upstream) -> None:
    run = waiting(client, upstream, two(), says("Both known."))
    assert submit(client, run, call_b="418", call_a="231.5").status == "queued"
    run = finished(client, run)
    asked, _ = steps(client, run)
    outputs = {call.id: call.function.output for call in asked.step_details.tool_calls}
    assert outputs == {"call_a": "231.5", "call_b": "418"}


def test_a_model_may_call_round_after_round_and_its_usage_is_summed(client: OpenAI, upstream: Upstream) -> None:
    rounds = [calls((f"call_{number}", "quote_share", "{}"), usage=(100 + number, number + 1)) for number in range(4)]
    run = waiting(client, upstream, *rounds, says("Enough.", usage=(200, 7)))
    for number in range(3):
        assert run.usage is None
        run = client.beta.threads.runs.submit_tool_outputs_and_poll(
            run_id=run.id, thread_id=run.thread_id, tool_outputs=outputs_for(run)
        )
        assert run.status == "requires_action"
    run = client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=run.thread_id, tool_outputs=outputs_for(run)
    )
    assert run.status == "completed"
    usage = (run.usage.prompt_tokens, run.usage.completion_tokens, run.usage.total_tokens)
    assert usage == (606, 17, 623)
    spent = [(step.usage.prompt_tokens, step.usage.completion_tokens) for step in steps(client, run)]
    assert spent == [(100, 1), (101, 2), (102, 3), (103, 4), (200, 7)]


def test_an_unknown_call_id_is_refused_and_nothing_is_lost(client: OpenAI, upstream: Upstream) -> None:
    run = waiting(client, upstream, two(), says("Both known."))
    text = "Expected tool outputs for call_ids ['call_a', 'call_b'], got ['call_a', 'call_z']"
    assert refused(client, run, call_a="231.5", call_z="0") == error(text)
    assert client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id) == run
    assert submit(client, run, call_a="231.5", call_b="418").status == "queued"
    assert finished(client, run).status == "completed"


def test_missing_outputs_are_refused_and_nothing_is_lost(client: OpenAI, upstream: Upstream) -> None:
    run = waiting(client, upstream, two(), says("Both known."))
    text = "Expected tool outputs for call_ids ['call_a', 'call_b'], got ['call_b']"
    assert refused(client, run, call_b="418") == error(text)
    assert refused(client, run) == error("Expected tool outputs for call_ids ['call_a', 'call_b'], got []")
    assert all(call.function.output is None for call in steps(client, run)[0].step_details.tool_calls)
    assert submit(client, run, call_a="231.5", call_b="418").status == "queued"
    assert finished(client, run).status == "completed"


def test_an_output_without_its_call_id_is_refused(client: OpenAI, upstream: Upstream) -> None:
    run = waiting(client, upstream, two())
    bad: Any = [{"output": "231.5"}]
    with pytest.raises(BadRequestError) as caught:
        client.beta.threads.runs.submit_tool_outputs(run.id, thread_id=run.thread_id, tool_outputs=bad)
    path = "tool_outputs[0].tool_call_id"
    assert caught.value.response.json() == error(
        f"Missing required parameter: '{path}'.", path, "missing_required_parameter"
    )


def test_a_finished_run_takes_no_outputs(client: OpenAI, upstream: Upstream) -> None:
    run = finished(client, started(client, upstream.model(says("Done."))))
    text = 'Runs in status "completed" do not accept tool outputs.'
    assert refused(client, run, call_a="231.5") == error(text)


def test_outputs_are_taken_once(client: OpenAI, upstream: Upstream) -> None:
    run = waiting(client, upstream, two(), says("Both known."))
    submit(client, run, call_a="231.5", call_b="418")
    assert "do not accept tool outputs." in refused(client, run, call_a="0", call_b="0")["error"]["message"]
    run = finished(client, run)
    outputs = [call.function.output for call in steps(client, run)[0].step_details.tool_calls]
    assert outputs == ["231.5", "418"]


def test_malformed_arguments_come_through_as_they_are_and_the_run_goes_on(
    client: OpenAI, upstream: Upstream
) -> None:
    broken = '{"symbol": "AAPL", "note": \'single\', '
    run = waiting(client, upstream, calls(("call_a", "quote_share", broken[:9], broken[9:])), says("Sorry."))
    [call] = run.required_action.submit_tool_outputs.tool_calls
    assert call.function.arguments == broken
    [output] = outputs_for(run)
    assert "error" in output["output"]
    run = client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=run.thread_id, tool_outputs=[output]
    )
    assert run.status == "completed" and texts(client, run.thread_id) == ["Sorry."]
    asked, _ = steps(client, run)
    assert asked.step_details.tool_calls[0].function.arguments == broken
    shown = upstream.requests[run.model][-1]["messages"]
    assert shown[1]["tool_calls"][0]["function"]["arguments"] == broken and shown[2]["content"] == output["output"]


def test_a_function_that_was_never_offered_is_the_clients_to_answer(client: OpenAI, upstream: Upstream) -> None:
    run = waiting(client, upstream, calls(("call_a", "launch", "{}")), says("I cannot."))
    run = client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=run.thread_id, tool_outputs=outputs_for(run)
    )
    assert run.status == "completed"
    assert "no such function" in upstream.requests[run.model][-1]["messages"][-1]["content"]


def test_a_forced_choice_reaches_the_model_once(client: OpenAI, upstream: Upstream) -> None:
    choice: Any = {"type": "function", "function": {"name": "quote_share"}}
    model = upstream.model(calls(("call_a", "quote_share", "{}")), says("Done."))
    run = settled(client, started(client, model, QUOTE, tool_choice=choice, parallel_tool_calls=False))
    submit(client, run, call_a="231.5")
    assert finished(client, run).status == "completed"
    first, second = upstream.requests[model]
    assert first["tool_choice"] == choice and "tool_choice" not in second
    assert first["parallel_tool_calls"] is False
    assert first["tools"] == [QUOTE]


def test_a_built_in_tool_that_is_not_there_fails_the_run_in_plain_words(client: OpenAI, upstream: Upstream) -> None:
    model = upstream.model(calls(("call_a", "code_interpreter", '{"input":"1+1"}')))
    thread_id = thread(client, "Begin.")
    clerk = assistant(client, model, {"type": "code_interpreter"})
    run = client.beta.threads.runs.create_and_poll(thread_id=thread_id, assistant_id=clerk)
    assert run.status == "failed" and run.last_error.code == "server_error"
    assert "`code_interpreter`" in run.last_error.message

"""The first programs that everyone writes: an assistant with tools, a thread, a run, a loop around it, a live stream."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from agents import QUOTE, outputs_for, texts
from openai import AssistantEventHandler, OpenAI
from upstream import Upstream, calls, says

QUESTION = "What does AAPL trade at, and what would 1000 shares of it be worth?"
WORTH = "231,500"
LABEL = "[scripted model, not a language model]"


@pytest.fixture(params=["the built-in script", "an upstream"])
def desk(request: pytest.FixtureRequest) -> tuple[OpenAI, str]:
    """A client, and a model that asks for a price and then multiplies it."""
    if request.param == "the built-in script":
        return request.getfixturevalue("plain_client"), "gpt-4o"
    upstream: Upstream = request.getfixturevalue("upstream")
    turns = [
        calls(("call_price", "quote_share", '{"sym', 'bol": "AA', 'PL"}')),
        says("A thousand", " shares are worth", f" {WORTH}", " USD", "."),
    ]
    return request.getfixturevalue("client"), upstream.model(*turns)


def hire(client: OpenAI, model: str) -> Any:
    return client.beta.assistants.create(
        name="Share clerk",
        instructions="You answer questions about shares. Look prices up, never guess them.",
        model=model,
        tools=[{"type": "code_interpreter"}, QUOTE],
    )


def wait_for(client: OpenAI, run: Any, patience: float = 30) -> Any:
    """Asks again and again until there is something to do, and gives up on a run that went wrong."""
    end = time.monotonic() + patience
    while run.status in ("queued", "in_progress"):
        assert time.monotonic() < end, f"still {run.status}"
        time.sleep(0.05)
        run = client.beta.threads.runs.retrieve(run_id=run.id, thread_id=run.thread_id)
    if run.status not in ("completed", "requires_action"):
        raise RuntimeError(f"{run.status}: {run.last_error}")
    return run


def hand_in(client: OpenAI, run: Any) -> Any:
    return client.beta.threads.runs.submit_tool_outputs(
        run_id=run.id, thread_id=run.thread_id, tool_outputs=outputs_for(run)
    )


def converse(client: OpenAI, assistant_id: str, question: str) -> str | None:
    """The whole loop, from a question to the newest answer."""
    thread = client.beta.threads.create()
    client.beta.threads.messages.create(thread_id=thread.id, role="user", content=question)
    run = client.beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant_id)
    while (run := wait_for(client, run)).status == "requires_action":
        run = hand_in(client, run)
    for message in client.beta.threads.messages.list(thread_id=thread.id).data:
        if message.role == "assistant":
            return next(part.text.value for part in message.content if part.type == "text")
    return None


def test_an_assistant_keeps_what_it_was_made_with(desk: tuple[OpenAI, str]) -> None:
    client, model = desk
    made = hire(client, model)
    assert made.id.startswith("asst_") and made.object == "assistant"
    assert (made.name, made.model, made.description) == ("Share clerk", model, None)
    assert [tool.type for tool in made.tools] == ["code_interpreter", "function"]
    assert made.tools[1].function.parameters == QUOTE["function"]["parameters"]
    assert client.beta.assistants.retrieve(made.id) == made


def test_a_run_asks_for_a_tool_and_completes_with_its_output(desk: tuple[OpenAI, str]) -> None:
    client, model = desk
    clerk = hire(client, model)
    thread = client.beta.threads.create()
    message = client.beta.threads.messages.create(thread.id, role="user", content=QUESTION)
    assert message.content[0].text.value == QUESTION
    run = client.beta.threads.runs.create(thread.id, assistant_id=clerk.id)
    assert (run.status, run.assistant_id, run.thread_id) == ("queued", clerk.id, thread.id)
    assert run.expires_at == run.created_at + 600 and run.started_at is None

    waiting = wait_for(client, run)
    assert waiting.status == "requires_action" and waiting.required_action.type == "submit_tool_outputs"
    [call] = waiting.required_action.submit_tool_outputs.tool_calls
    assert (call.type, call.function.name) == ("function", "quote_share")
    assert json.loads(call.function.arguments) == {"symbol": "AAPL"}

    queued = hand_in(client, waiting)
    assert queued.status == "queued" and queued.required_action is None
    assert queued.expires_at == run.expires_at
    done = wait_for(client, queued)
    assert done.status == "completed" and done.completed_at >= done.started_at >= done.created_at
    assert done.expires_at is None and done.last_error is None
    assert done.usage.total_tokens == done.usage.prompt_tokens + done.usage.completion_tokens > 0
    [answer] = texts(client, thread.id)
    assert WORTH in answer


def test_the_whole_loop_ends_with_the_answer(desk: tuple[OpenAI, str]) -> None:
    client, model = desk
    answer = converse(client, hire(client, model).id, QUESTION)
    assert answer and WORTH in answer
    assert answer.startswith(LABEL) == (model == "gpt-4o")


class Console(AssistantEventHandler):
    """Shows a run as it happens; the lines are what a terminal would show."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def on_text_created(self, text: Any) -> None:
        self.lines.append("assistant> ")

    def on_text_delta(self, delta: Any, snapshot: Any) -> None:
        self.lines[-1] += delta.value or ""
        assert self.lines[-1] == f"assistant> {snapshot.value}"

    def on_tool_call_created(self, tool_call: Any) -> None:
        self.lines.append(f"{tool_call.type}> {tool_call.function.name}")

    def on_tool_call_delta(self, delta: Any, snapshot: Any) -> None:
        assert delta.type == snapshot.type == "function"
        self.lines[-1] += delta.function.arguments or ""


def test_a_handler_sees_the_call_and_the_answer_as_they_are_written(desk: tuple[OpenAI, str]) -> None:
    client, model = desk
    clerk = hire(client, model)
    thread = client.beta.threads.create()
    client.beta.threads.messages.create(thread.id, role="user", content=QUESTION)

    asking = Console()
    with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=clerk.id, event_handler=asking) as stream:
        stream.until_done()
        run = stream.get_final_run()
    [line] = asking.lines
    name, _, arguments = line.partition("{")
    assert name == "function> quote_share" and json.loads("{" + arguments) == {"symbol": "AAPL"}
    assert run.status == "requires_action"

    telling = Console()
    with client.beta.threads.runs.submit_tool_outputs_stream(
        thread_id=thread.id, run_id=run.id, tool_outputs=outputs_for(run), event_handler=telling
    ) as stream:
        stream.until_done()
        assert stream.get_final_run().status == "completed"
        [message] = stream.get_final_messages()
    assert telling.lines == [f"assistant> {message.content[0].text.value}"]
    assert WORTH in telling.lines[0]
    assert client.beta.threads.messages.retrieve(message.id, thread_id=thread.id) == message


def test_a_thread_is_remembered_from_run_to_run(client: OpenAI, upstream: Upstream) -> None:
    model = upstream.model(says("Morning."), says("Night."))
    clerk = hire(client, model)
    thread = client.beta.threads.create()
    for greeting in ("Good morning.", "And good night."):
        client.beta.threads.messages.create(thread.id, role="user", content=greeting)
        run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=clerk.id)
        assert run.status == "completed"
    asked = upstream.requests[model][-1]
    assert asked["stream"] and asked["stream_options"] == {"include_usage": True}
    shown = asked["messages"]
    assert [(message["role"], message["content"]) for message in shown] == [
        ("system", clerk.instructions),
        ("user", "Good morning."),
        ("assistant", "Morning."),
        ("user", "And good night."),
    ]
    assert texts(client, thread.id) == ["Morning.", "Night."]

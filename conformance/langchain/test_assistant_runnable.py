"""LangChain's `OpenAIAssistantRunnable`, used as its documentation shows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_classic.agents import AgentExecutor
from langchain_classic.agents.openai_assistant import OpenAIAssistantRunnable
from langchain_core.agents import AgentFinish
from langchain_core.tools import tool
from openai import AsyncOpenAI, OpenAI
from upstream import Turn, Upstream, calls, refuses, says


@tool
def power(base: float, exponent: float) -> float:
    """Raises a number to a power."""
    return base**exponent


@tool
def add(first: float, second: float) -> float:
    """Adds two numbers."""
    return first + second


TOOLS = {one.name: one for one in (power, add)}
CALLS = [("call_a", "power", '{"base": 4,', ' "exponent": 3}'), ("call_b", "add", '{"first": 1, "second": 2}')]


def tutor(client: OpenAI, upstream: Upstream, *turns: Turn, **more: Any) -> OpenAIAssistantRunnable:
    return OpenAIAssistantRunnable.create_assistant(
        name="Tutor",
        instructions="You are a personal tutor of mathematics.",
        tools=list(TOOLS.values()),
        model=upstream.model(*turns),
        client=client,
        check_every_ms=20,
        **more,
    )


def execute(agent: OpenAIAssistantRunnable, question: dict[str, Any]) -> Any:
    """The loop of the documentation: until the agent is finished, its tools are called for it."""
    response = agent.invoke(question)
    while not isinstance(response, AgentFinish):
        outputs = [
            {"output": str(TOOLS[action.tool].invoke(action.tool_input)), "tool_call_id": action.tool_call_id}
            for action in response
        ]
        where = {"run_id": response[0].run_id, "thread_id": response[0].thread_id}
        response = agent.invoke({"tool_outputs": outputs, **where})
    return response


def test_a_question_is_answered_with_messages(client: OpenAI, upstream: Upstream) -> None:
    agent = tutor(client, upstream, says("It is ", "54.2."))
    made = client.beta.assistants.retrieve(agent.assistant_id)
    assert [one.function.name for one in made.tools] == ["power", "add"]
    [message] = agent.invoke({"content": "What is 10 - 4 raised to the 2.7?"})
    assert message.content[0].text.value == "It is 54.2." and message.assistant_id == agent.assistant_id


def test_an_agent_without_its_own_loop_is_handed_the_calls(client: OpenAI, upstream: Upstream) -> None:
    agent = tutor(client, upstream, calls(*CALLS), says("64 and 3."))
    asked = agent.invoke({"content": "4 to the power of 3, and 1 + 2?", "thread_metadata": {"lesson": "1"}})
    assert [(call.id, call.function.name) for call in asked] == [("call_a", "power"), ("call_b", "add")]


def test_the_loop_of_the_documentation_submits_outputs_until_the_end(client: OpenAI, upstream: Upstream) -> None:
    agent = tutor(client, upstream, calls(*CALLS), calls(CALLS[1]), says("Done."), says("Again."), as_agent=True)
    finish = execute(agent, {"content": "4 to the power of 3, and 1 + 2?"})
    assert finish.return_values["output"] == "Done."
    model = client.beta.assistants.retrieve(agent.assistant_id).model
    shown = [message["content"] for message in upstream.requests[model][-1]["messages"] if message["role"] == "tool"]
    assert shown == ["64.0", "3.0", "3.0"]
    # The same thread goes on.
    finish = execute(agent, {"content": "And now?", "thread_id": finish.thread_id, "additional_instructions": "Brief."})
    assert finish.return_values["output"] == "Again."
    assert upstream.requests[model][-1]["messages"][0]["content"].endswith("\nBrief.")
    assert len(list(client.beta.threads.messages.list(finish.thread_id))) == 4


def test_the_executor_drives_the_agent_by_itself(client: OpenAI, upstream: Upstream) -> None:
    agent = tutor(client, upstream, calls(CALLS[0]), calls(CALLS[1]), says("64 and 3."), as_agent=True)
    executor = AgentExecutor(agent=agent, tools=list(TOOLS.values()))
    answer = executor.invoke({"content": "4 to the power of 3, and 1 + 2?"})
    assert answer["output"] == "64 and 3."


def test_a_file_that_is_attached_is_searched(client: OpenAI, upstream: Upstream) -> None:
    model = upstream.model(calls(("call_s", "file_search", '{"query": "which knot"}')), says("The bowline."))
    agent = OpenAIAssistantRunnable.create_assistant(
        name="Sailor", instructions="", tools=[{"type": "file_search"}], model=model, client=client, check_every_ms=20
    )
    file = client.files.create(file=("knots.txt", b"The bowline is a knot with a fixed loop."), purpose="assistants")
    attached = [{"file_id": file.id, "tools": [{"type": "file_search"}]}]
    [message] = agent.invoke({"content": "Which knot makes a loop?", "attachments": attached})
    assert message.content[0].text.value == "The bowline."
    shown = upstream.requests[model][-1]["messages"][-1]
    assert shown["role"] == "tool" and "The bowline is a knot with a fixed loop." in shown["content"]


def test_a_run_that_fails_is_told(client: OpenAI, upstream: Upstream) -> None:
    agent = tutor(client, upstream, refuses(400, "No."))
    with pytest.raises(ValueError, match="Unexpected run status: failed"):
        agent.invoke({"content": "Well?"})


def test_the_asynchronous_way_is_handed_the_calls(
    client: OpenAI, async_client: AsyncOpenAI, upstream: Upstream
) -> None:
    # It goes no further: this release iterates an asynchronous page of messages as if it were not one.
    agent = tutor(client, upstream, calls(CALLS[0]), as_agent=True, async_client=async_client)

    async def ask() -> Any:
        async with async_client:
            return await agent.ainvoke({"content": "4 to the power of 3?"})

    [action] = asyncio.run(ask())
    assert (action.tool, action.tool_input) == ("power", {"base": 4, "exponent": 3})

"""Semantic Kernel's `OpenAIAssistantAgent`, used as its documentation shows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, Any

import pytest
from openai import AsyncOpenAI
from ropewalk import KEY, Ropewalk
from semantic_kernel.agents import AssistantAgentThread, OpenAIAssistantAgent
from semantic_kernel.agents.open_ai.run_polling_options import RunPollingOptions
from semantic_kernel.contents import FunctionCallContent, FunctionResultContent
from semantic_kernel.exceptions import AgentInvokeException
from semantic_kernel.functions import kernel_function
from upstream import Turn, Upstream, calls, refuses, says

SOON = timedelta(milliseconds=20)
POLLING = RunPollingOptions(run_polling_interval=SOON, run_polling_backoff=SOON, message_synchronization_delay=SOON)


class Menu:
    """A plugin."""

    @kernel_function(description="Lists today's specials.")
    def specials(self) -> Annotated[str, "The specials of the day."]:
        return "Soup: clam chowder"

    @kernel_function(description="Says what an item costs.")
    def price(self, item: Annotated[str, "The name of the item."]) -> Annotated[str, "Its price."]:
        return f"{item}: 9.99"


CALLS = [("call_a", "Menu-specials", "{}"), ("call_b", "Menu-price", '{"item":', ' "clam chowder"}')]


@pytest.fixture
def meet(server: Ropewalk, upstream: Upstream) -> Callable[..., None]:
    """Runs a scene with an agent whose model plays `turns`, in an event loop of its own."""

    def run(scene: Callable[[OpenAIAssistantAgent], Awaitable[None]], *turns: Turn, **definition: Any) -> str:
        model = upstream.model(*turns)

        async def play() -> None:
            client = OpenAIAssistantAgent.create_client(
                ai_model_id=model, api_key=KEY, base_url=server.base_url, max_retries=0
            )
            async with client:
                made = await client.beta.assistants.create(model=model, name="Host", instructions="Be kind.", **definition)
                await scene(
                    OpenAIAssistantAgent(client=client, definition=made, plugins=[Menu()], polling_options=POLLING)
                )

        asyncio.run(play())
        return model

    return run


def test_an_agent_answers_on_a_thread_that_goes_on(meet: Any, upstream: Upstream) -> None:
    async def scene(agent: OpenAIAssistantAgent) -> None:
        first = await agent.get_response(messages="Hello")
        assert str(first) == "Welcome." and first.message.name == "Host"
        second = await agent.get_response(messages="Thanks", thread=first.thread)
        assert str(second) == "Any time."
        said = [str(message) async for message in first.thread.get_messages(sort_order="asc")]
        assert said == ["Hello", "Welcome.", "Thanks", "Any time."]
        await first.thread.delete()

    model = meet(scene, says("Welcome", "."), says("Any time."))
    shown = [message["content"] for message in upstream.requests[model][-1]["messages"]]
    assert shown == ["Be kind.", "Hello", "Welcome.", "Thanks"]


def test_a_plugin_is_called_and_its_outputs_are_submitted(meet: Any, upstream: Upstream) -> None:
    async def scene(agent: OpenAIAssistantAgent) -> None:
        between: list[Any] = []

        async def note(message: Any) -> None:
            between.extend(message.items)

        told = [str(one) async for one in agent.invoke(messages="What is the soup?", on_intermediate_message=note)]
        assert told == ["Chowder, for 9.99."]
        asked = [item.function_name for item in between if isinstance(item, FunctionCallContent)]
        assert asked == ["specials", "price"]
        results = [item.result for item in between if isinstance(item, FunctionResultContent)]
        assert results == ["Soup: clam chowder", "clam chowder: 9.99"]

    model = meet(scene, calls(*CALLS), says("Chowder,", " for 9.99."))
    first, second = upstream.requests[model]
    assert [one["function"]["name"] for one in first["tools"]] == ["Menu-price", "Menu-specials"]
    shown = [message["content"] for message in second["messages"] if message["role"] == "tool"]
    assert shown == ["Soup: clam chowder", "clam chowder: 9.99"]


def test_a_stream_tells_the_answer_piece_by_piece(meet: Any) -> None:
    async def scene(agent: OpenAIAssistantAgent) -> None:
        whole: list[Any] = []

        async def note(message: Any) -> None:
            whole.append(message)

        pieces = []
        async for one in agent.invoke_stream(messages="What is the soup?", on_intermediate_message=note):
            pieces.append(str(one))
        assert [piece for piece in pieces if piece] == ["Chowder,", " for", " 9.99."]
        results = [item.result for one in whole for item in one.items if isinstance(item, FunctionResultContent)]
        assert results == ["Soup: clam chowder", "clam chowder: 9.99"]

    meet(scene, calls(*CALLS), says("Chowder,", " for", " 9.99."))


def test_built_in_tools_and_overrides_reach_the_run(meet: Any, upstream: Upstream) -> None:
    tools, _ = OpenAIAssistantAgent.configure_code_interpreter_tool()
    form = OpenAIAssistantAgent.configure_response_format({"type": "json_object"})

    async def scene(agent: OpenAIAssistantAgent) -> None:
        assert [tool.type for tool in agent.definition.tools] == ["code_interpreter", "file_search"]
        thread = AssistantAgentThread(client=agent.client)
        answer = await agent.get_response(
            messages="Hello", thread=thread, additional_instructions="Be brief.", temperature=0.1, max_prompt_tokens=500
        )
        assert str(answer) == "{}"
        [run] = (await agent.client.beta.threads.runs.list(thread.id)).data
        assert run.instructions == "Be kind.\n\nBe brief." and run.temperature == 0.1 and run.max_prompt_tokens == 500
        assert [tool.type for tool in run.tools] == ["code_interpreter", "file_search", "function", "function"]

    model = meet(scene, says("{}"), tools=[*tools, {"type": "file_search"}], response_format=form)
    assert upstream.requests[model][0]["response_format"] == {"type": "json_object"}


def test_a_run_that_fails_is_told(meet: Any) -> None:
    async def scene(agent: OpenAIAssistantAgent) -> None:
        with pytest.raises(AgentInvokeException, match="Run failed with status: `failed`"):
            await agent.get_response(messages="Hello")

    meet(scene, refuses(400, "No."))


def test_an_agent_is_found_again_by_its_id(meet: Any, server: Ropewalk) -> None:
    async def scene(agent: OpenAIAssistantAgent) -> None:
        async with AsyncOpenAI(base_url=server.base_url, api_key=KEY) as client:
            definition = await client.beta.assistants.retrieve(agent.id)
            again = OpenAIAssistantAgent(client=client, definition=definition, polling_options=POLLING)
            assert (again.name, again.instructions) == ("Host", "Be kind.")
            assert str(await again.get_response(messages="Hello")) == "Welcome back."
            assert (await client.beta.assistants.delete(again.id)).deleted

    meet(scene, says("Welcome back."))

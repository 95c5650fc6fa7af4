"""What the programs of these tests have in common: assistants, questions, and the loop around a run."""

from __future__ import annotations

import json
import time
from typing import Any

from openai import OpenAI

TERMINAL = ("completed", "incomplete", "failed", "cancelled", "expired")

PRICES = {"AAPL": 231.5, "MSFT": 418.0}

QUOTE = {
    "type": "function",
    "function": {
        "name": "quote_share",
        "description": "Looks up what one share trades at.",
        "parameters": {
            "type": "object",
            "properties": {"symbol": {"type": "string", "description": "The ticker symbol, for example MSFT."}},
            "required": ["symbol"],
        },
    },
}


def quote_share(arguments: str) -> str:
    """Answers one call. What goes wrong is told to the model, which can do something about it."""
    try:
        symbol = json.loads(arguments)["symbol"]
        return json.dumps({"symbol": symbol, "price": PRICES[symbol], "currency": "USD"})
    except (KeyError, ValueError) as error:
        return json.dumps({"error": f"{type(error).__name__}: {error}"})


def outputs_for(run: Any) -> list[dict[str, str]]:
    """Answers every call that a run waits for."""
    known = {"quote_share": quote_share}
    outputs = []
    for call in run.required_action.submit_tool_outputs.tool_calls:
        answer = known.get(call.function.name)
        output = answer(call.function.arguments) if answer else json.dumps({"error": "there is no such function"})
        outputs.append({"tool_call_id": call.id, "output": output})
    return outputs


def assistant(client: OpenAI, model: str, *tools: Any, **more: Any) -> str:
    """A new assistant's id."""
    return client.beta.assistants.create(model=model, tools=list(tools), **more).id


def thread(client: OpenAI, *texts: str) -> str:
    """The id of a new thread with these user messages."""
    messages: Any = [{"role": "user", "content": text} for text in texts]
    return client.beta.threads.create(messages=messages).id


def started(client: OpenAI, model: str, *tools: Any, **more: Any) -> Any:
    """A run on a thread of its own."""
    return client.beta.threads.runs.create(
        thread(client, "Begin."), assistant_id=assistant(client, model, *tools), **more
    )


def settled(client: OpenAI, run: Any) -> Any:
    """Polls a run until it waits for outputs or is over."""
    while run.status not in (*TERMINAL, "requires_action"):
        time.sleep(0.02)
        run = client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
    return run


def finished(client: OpenAI, run: Any) -> Any:
    """Polls a run until it is over."""
    run = settled(client, run)
    while run.status not in TERMINAL:
        time.sleep(0.02)
        run = client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
    return run


def steps(client: OpenAI, run: Any) -> list[Any]:
    """The steps of a run, oldest first."""
    return list(client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id, order="asc"))


def writing(client: OpenAI, run: Any) -> Any:
    """Polls a run until its first step is there, which begins with the first word of the model."""
    while not steps(client, run):
        time.sleep(0.02)
    return client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)


def texts(client: OpenAI, thread_id: str, role: str = "assistant") -> list[str]:
    """What somebody said in a thread, oldest first."""
    messages = client.beta.threads.messages.list(thread_id, order="asc")
    return [message.content[0].text.value for message in messages if message.role == role and message.content]

"""What outlives the process: everything, whether it is asked to stop or killed."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import httpx
from agents import QUOTE, TERMINAL, assistant, finished, outputs_for, settled, texts, thread
from conftest import connect
from openai import OpenAI
from ropewalk import KEY, Ropewalk
from upstream import Upstream, calls, hangs, says
from wire import connect as connect_wire


def everything(server: Ropewalk, paths: list[str]) -> dict[str, bytes]:
    with connect_wire(server.base_url, KEY) as http:
        return {path: ok(http.get(path)).content for path in paths}


def ok(response: httpx.Response) -> httpx.Response:
    assert response.status_code == 200, response.text
    return response


def assert_sound(folder: Path) -> None:
    """Asks SQLite itself whether its files are whole."""
    databases = [file for file in folder.rglob("*") if file.is_file() and file.read_bytes()[:15] == b"SQLite format 3"]
    assert databases
    for database in databases:
        connection = sqlite3.connect(database)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()


def test_every_object_is_there_byte_for_byte_after_a_restart(upstream: Upstream, new_server: Any) -> None:
    server: Ropewalk = new_server()
    model = upstream.model(calls(("call_a", "quote_share", '{"symbol":"AAPL"}')), says("Then."), says("Now."))
    with connect(server) as client:
        clerk = assistant(client, model, QUOTE, {"type": "code_interpreter"}, metadata={"kept": "yes"})
        thread_id = thread(client, "Begin.", "Ø🪢")
        run = settled(client, client.beta.threads.runs.create(thread_id, assistant_id=clerk))
        run = client.beta.threads.runs.submit_tool_outputs_and_poll(
            run_id=run.id, thread_id=thread_id, tool_outputs=outputs_for(run)
        )
        assert run.status == "completed"
        messages = [message.id for message in client.beta.threads.messages.list(thread_id)]
    whole = f"threads/{thread_id}"
    paths = ["assistants", f"assistants/{clerk}", whole, f"{whole}/messages", f"{whole}/runs", f"{whole}/runs/{run.id}"]
    paths += [f"{whole}/runs/{run.id}/steps", *[f"{whole}/messages/{message}" for message in messages]]
    before = everything(server, paths)
    assert server.stop() == 0
    assert_sound(server.folder)

    assert everything(server.start(), paths) == before
    with connect(server) as client:
        client.beta.threads.messages.create(thread_id, role="user", content="And now?")
        run = client.beta.threads.runs.create_and_poll(thread_id=thread_id, assistant_id=clerk)
        assert run.status == "completed" and texts(client, thread_id) == ["Then.", "Now."]
    roles = [message["role"] for message in upstream.requests[model][-1]["messages"]]
    assert roles == ["user", "user", "assistant", "user"]


def test_a_run_that_waits_for_outputs_waits_through_a_restart(upstream: Upstream, new_server: Any) -> None:
    server: Ropewalk = new_server()
    model = upstream.model(calls(("call_a", "quote_share", '{"symbol":"AAPL"}')), says("Done."))
    with connect(server) as client:
        clerk = assistant(client, model, QUOTE)
        run = settled(client, client.beta.threads.runs.create(thread(client, "Begin."), assistant_id=clerk))
        assert run.status == "requires_action"
    assert server.stop() == 0
    server.start()
    with connect(server) as client:
        assert client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id) == run
        run = client.beta.threads.runs.submit_tool_outputs_and_poll(
            run_id=run.id, thread_id=run.thread_id, tool_outputs=outputs_for(run)
        )
        assert run.status == "completed" and texts(client, run.thread_id) == ["Done."]


def test_a_stop_lets_an_open_stream_finish(upstream: Upstream, new_server: Any) -> None:
    server: Ropewalk = new_server()
    model = upstream.model(says(*["word "] * 2000))
    with connect(server) as client:
        clerk, thread_id = assistant(client, model), thread(client, "Begin.")
        with client.beta.threads.runs.create(thread_id, assistant_id=clerk, stream=True) as stream:
            assert next(iter(stream)).event == "thread.run.created"
            server.process.terminate()
            events = list(stream)
    assert events[-1].event == "thread.run.completed"
    assert sum(event.event == "thread.message.delta" for event in events) == 2000
    assert server.stop() == 0


def test_runs_that_were_killed_go_on_after_the_next_start(upstream: Upstream, new_server: Any) -> None:
    server: Ropewalk = new_server()
    ask = ("call_a", "quote_share", '{"symbol":', '"AAPL"}')
    half_a_call = calls(ask[:3])
    half_a_call.hangs, half_a_call.finish = True, None
    models = {
        "writing": upstream.model(hangs("Half a", " sentence"), says("A whole one."), says("More.")),
        "calling": upstream.model(half_a_call, calls(ask), says("A whole one."), says("More.")),
        "waiting": upstream.model(calls(ask), says("A whole one."), says("More.")),
    }
    runs: dict[str, Any] = {}
    with connect(server) as client:
        for name, model in models.items():
            events = client.beta.threads.runs.create(
                thread(client, "Begin."), assistant_id=assistant(client, model, QUOTE), stream=True
            )
            runs[name] = next(event.data for event in events if event.event == "thread.run.created")
            wanted = "thread.run.requires_action" if name == "waiting" else ".delta"
            next(event for event in events if event.event.endswith(wanted))
        server.kill()
    assert_sound(server.folder)

    server.start()
    with connect(server) as client:
        for name, run in runs.items():
            run = settled(client, run)
            if name != "writing":
                assert run.status == "requires_action", run.last_error
                [call] = run.required_action.submit_tool_outputs.tool_calls
                assert (call.id, call.function.arguments) == ("call_a", '{"symbol":"AAPL"}')
                outputs: Any = outputs_for(run)
                client.beta.threads.runs.submit_tool_outputs(run.id, thread_id=run.thread_id, tool_outputs=outputs)
                run = finished(client, run)
            assert run.status == "completed", run.last_error
            assert_whole(client, run)
            # The thread goes on, and the model is not shown what was never finished.
            client.beta.threads.messages.create(run.thread_id, role="user", content="Go on.")
            client.beta.threads.runs.create_and_poll(thread_id=run.thread_id, assistant_id=run.assistant_id)
            shown = [message["content"] for message in upstream.requests[models[name]][-1]["messages"]]
            assert shown == ["Begin.", "A whole one.", "Go on."]
            assert texts(client, run.thread_id)[-1] == "More."
    assert server.stop() == 0
    assert_sound(server.folder)


def assert_whole(client: OpenAI, run: Any) -> None:
    """Nothing of a finished run is still open, and each object alone is what its list says."""
    messages, steps = client.beta.threads.messages, client.beta.threads.runs.steps
    for message in messages.list(run.thread_id):
        assert message.status in ("completed", "incomplete"), message
        assert messages.retrieve(message.id, thread_id=run.thread_id) == message
    for step in steps.list(run.id, thread_id=run.thread_id):
        assert step.status in TERMINAL, step
        assert steps.retrieve(step.id, thread_id=run.thread_id, run_id=run.id) == step

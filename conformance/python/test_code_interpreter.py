"""Runs that compute: cells, state, files in and out, figures, streams, cancels, and what is left after a restart."""

from __future__ import annotations

import io
import json
import os
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from agents import QUOTE, assistant, finished, outputs_for, settled, steps
from conftest import connect
from openai import AssistantEventHandler, OpenAI
from ropewalk import KEYS, Ropewalk
from upstream import Turn, Upstream, calls, says

CODE: Any = {"type": "code_interpreter"}
FOLDER = os.environ.get("ROPEWALK_INTERPRETER", "target/python/interpreter")
FLAGS = ["--interpreter-folder", os.path.abspath(FOLDER)]
CSV = "day,price\n" + "".join(f"{day},{40 + day}\n" for day in range(1, 101))


def runs(code: str, call: str = "call_c") -> Turn:
    """A turn that runs `code`, its arguments in pieces as models write them."""
    arguments = json.dumps({"code": code})
    return calls((call, "code_interpreter", *[arguments[at : at + 7] for at in range(0, len(arguments), 7)]))


@pytest.fixture(scope="module")
def computer(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ropewalk]:
    server = Ropewalk(tmp_path_factory.mktemp("computer"), *upstream.flags, *FLAGS, keys=KEYS).start()
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="module")
def client(computer: Ropewalk) -> Iterator[OpenAI]:
    with connect(computer) as client:
        yield client


@pytest.fixture
def compute(client: OpenAI, upstream: Upstream) -> Callable[..., Any]:
    """Runs cells in one run, on a new thread or a given one; gives the run once it is over."""

    def compute(*cells: str, answer: str = "Done.", on: str | None = None, **more: Any) -> Any:
        model = upstream.model(*[runs(cell, f"call_{at}") for at, cell in enumerate(cells)], says(answer))
        clerk = assistant(client, model, CODE, **more)
        on = on or client.beta.threads.create().id
        run = client.beta.threads.runs.create_and_poll(thread_id=on, assistant_id=clerk, poll_interval_ms=20)
        assert run.status == "completed", run.last_error
        return run

    return compute


def done(client: OpenAI, run: Any) -> list[Any]:
    """The cells of a run, as its steps have them."""
    called = [step for step in steps(client, run) if step.type == "tool_calls"]
    return [call.code_interpreter for step in called for call in step.step_details.tool_calls]


def logs(cell: Any) -> str:
    return "".join(output.logs for output in cell.outputs if output.type == "logs")


def answer(client: OpenAI, run: Any) -> Any:
    """The last message of a run."""
    return client.beta.threads.messages.list(run.thread_id, run_id=run.id).data[0]


def shown(upstream: Upstream, run: Any) -> str:
    """What the model was shown of the run's last cell."""
    return [message["content"] for message in upstream.requests[run.model][-1]["messages"] if message["role"] == "tool"][-1]


def upload(client: OpenAI, name: str, data: bytes) -> str:
    return client.files.create(file=(name, data), purpose="assistants").id


def test_pandas_reads_an_uploaded_table(client: OpenAI, upstream: Upstream, compute: Any) -> None:
    table = upload(client, "Preise Größe.csv", CSV.encode())
    code = "import pandas as pd\ntable = pd.read_csv('/mnt/data/Preise Größe.csv')\nprint(len(table))\ntable.price.mean()"
    run = compute(code, tool_resources={"code_interpreter": {"file_ids": [table]}})
    [cell] = done(client, run)
    assert cell.input == code
    assert logs(cell).split() == ["100", "np.float64(90.5)"] or logs(cell).split() == ["100", "90.5"]
    [step, told] = steps(client, run)
    assert (step.type, step.status, step.step_details.tool_calls[0].type) == ("tool_calls", "completed", "code_interpreter")
    assert told.type == "message_creation"
    request = upstream.requests[run.model][0]
    [tool] = [tool["function"] for tool in request["tools"]]
    assert tool["name"] == "code_interpreter" and list(tool["parameters"]["properties"]) == ["code"]
    assert "numpy" in tool["description"] and "/mnt/data/Preise Größe.csv" in tool["description"]


def test_a_file_that_a_message_brings_is_there(client: OpenAI, compute: Any) -> None:
    table = upload(client, "prices.csv", CSV.encode())
    message: Any = {"role": "user", "content": "?", "attachments": [{"file_id": table, "tools": [CODE]}]}
    thread = client.beta.threads.create(messages=[message]).id
    [cell] = done(client, compute("print(open('prices.csv').read(9))", on=thread))
    assert logs(cell) == "day,price\n"


def test_scipy_fits_a_curve(client: OpenAI, compute: Any) -> None:
    code = """
import numpy as np
from scipy.optimize import curve_fit
x = np.linspace(0, 4, 50)
y = 2.5 * np.exp(-1.3 * x) + 0.5
found, _ = curve_fit(lambda x, a, b, c: a * np.exp(-b * x) + c, x, y)
print([round(float(value), 3) for value in found])
"""
    assert logs(done(client, compute(code))[0]) == "[2.5, 1.3, 0.5]\n"


def test_a_figure_is_an_output_and_stands_before_the_answer(client: OpenAI, compute: Any) -> None:
    code = "import matplotlib.pyplot as plt\nplt.plot([1, 4, 9])\nplt.title('Größe 価格')\nplt.show()\nprint('drawn')"
    run = compute(code, answer="Here it is.")
    [cell] = done(client, run)
    [image] = [output.image for output in cell.outputs if output.type == "image"]
    picture, text = answer(client, run).content
    assert (picture.type, picture.image_file.file_id, text.text.value) == ("image_file", image.file_id, "Here it is.")
    assert client.files.retrieve(image.file_id).purpose == "assistants_output"
    assert client.files.content(image.file_id).read().startswith(b"\x89PNG")


def test_a_workbook_is_written_and_downloaded(client: OpenAI, upstream: Upstream, compute: Any) -> None:
    code = "import pandas as pd\npd.DataFrame({'Stück': [1, 2]}).to_excel('/mnt/data/Übersicht 1.xlsx', index=False)"
    text = "Hier 🪢: [Übersicht](sandbox:/mnt/data/Übersicht 1.xlsx)."
    run = compute(code, answer=text)
    [part] = answer(client, run).content
    [path] = part.text.annotations
    assert (path.type, path.text) == ("file_path", "sandbox:/mnt/data/Übersicht 1.xlsx")
    assert part.text.value[path.start_index : path.end_index] == path.text
    file = client.files.retrieve(path.file_path.file_id)
    assert (file.filename, file.purpose) == ("Übersicht 1.xlsx", "assistants_output")
    workbook = zipfile.ZipFile(io.BytesIO(client.files.content(file.id).read()))
    assert "xl/worksheets/sheet1.xml" in workbook.namelist()
    assert "sandbox:/mnt/data/Übersicht 1.xlsx" in shown(upstream, run)


def test_a_path_is_annotated_in_a_stream_too(client: OpenAI, upstream: Upstream) -> None:
    model = upstream.model(runs("open('a.txt', 'w').write('a')"), says("At sandbox:/mnt", "/data/a", ".txt"))
    with client.beta.threads.create_and_run_stream(assistant_id=assistant(client, model, CODE)) as stream:
        stream.until_done()
        [message] = stream.get_final_messages()
    [path] = message.content[0].text.annotations
    assert (path.text, path.start_index, path.end_index) == ("sandbox:/mnt/data/a.txt", 3, 26)


def test_a_traceback_shows_the_code_s_own_lines(client: OpenAI, upstream: Upstream, compute: Any) -> None:
    run = compute("def price(symbol):\n    return {'ÄPL': 1}[symbol]\n\nprice('MSFT')")
    [cell] = done(client, run)
    told = logs(cell)
    assert told.rstrip().endswith("KeyError: 'MSFT'")
    assert "return {'ÄPL': 1}[symbol]" in told and told.count("File ") == 2 and "ropewalk" not in told
    assert "KeyError: 'MSFT'" in shown(upstream, run)


def test_processes_and_threads_work_within_limits(client: OpenAI, compute: Any) -> None:
    code = """
import multiprocessing, subprocess, sys, concurrent.futures
def square(x):
    return x * x
with multiprocessing.Pool(4) as pool:
    print(sum(pool.map(square, range(10))))
print(subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True).stdout.strip())
print(subprocess.run("echo $((1 + 1))", shell=True, capture_output=True, text=True).stdout.strip())
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    print(sum(pool.map(square, range(10))))
"""
    assert logs(done(client, compute(code))[0]).split() == ["285", "42", "2", "285"]


def test_variables_and_files_stay_for_the_thread_and_for_it_alone(client: OpenAI, compute: Any) -> None:
    first = compute("secret = 41\nopen('kept.txt', 'w').write('kept')", "secret += 1")
    second = compute("print(secret, open('kept.txt').read())", on=first.thread_id)
    assert logs(done(client, second)[0]) == "42 kept\n"
    other = compute("import os\nprint(os.listdir('.'), 'secret' in globals())")
    assert logs(done(client, other)[0]) == "[] False\n"


def test_calls_of_one_turn_run_in_order(client: OpenAI, upstream: Upstream) -> None:
    cells = [f"seen = [*globals().get('seen', []), {number}]; seen" for number in range(6)]
    turn = calls(*[(f"call_{at}", "code_interpreter", json.dumps({"code": cell})) for at, cell in enumerate(cells)])
    clerk = assistant(client, upstream.model(turn, says("Done.")), CODE)
    run = client.beta.threads.create_and_run_poll(
        assistant_id=clerk, tool_choice={"type": "code_interpreter"}, poll_interval_ms=20
    )
    assert run.status == "completed", run.last_error
    assert [logs(cell) for cell in done(client, run)] == [f"{list(range(number + 1))}\n" for number in range(6)]
    forced = upstream.requests[run.model][0]["tool_choice"]
    assert forced == {"type": "function", "function": {"name": "code_interpreter"}}


def test_code_and_output_are_streamed(client: OpenAI, upstream: Upstream) -> None:
    heard: list[tuple[str, str]] = []

    class Handler(AssistantEventHandler):
        def on_tool_call_created(self, tool_call: Any) -> None:
            heard.append(("created", tool_call.type))

        def on_tool_call_delta(self, delta: Any, snapshot: Any) -> None:
            if delta.code_interpreter.input:
                heard.append(("input", delta.code_interpreter.input))
            for output in delta.code_interpreter.outputs or []:
                heard.append((output.type, output.logs if output.type == "logs" else ""))

        def on_tool_call_done(self, tool_call: Any) -> None:
            heard.append(("done", "".join(output.logs for output in tool_call.code_interpreter.outputs)))

        def on_text_delta(self, delta: Any, snapshot: Any) -> None:
            heard.append(("text", delta.value))

    code = "print('ä\\n' * 3)\nfor number in range(3):\n    print(number)"
    clerk = assistant(client, upstream.model(runs(code), says("So", " it is.")), CODE)
    with client.beta.threads.create_and_run_stream(assistant_id=clerk, event_handler=Handler()) as stream:
        stream.until_done()
    kinds = [kind for kind, _ in heard]
    assert kinds[0] == "created" and kinds.count("text") == 2
    inputs = [text for kind, text in heard if kind == "input"]
    assert "".join(inputs) == code and len(inputs) > 5
    printed = "".join(text for kind, text in heard if kind == "logs")
    assert printed == "ä\nä\nä\n\n0\n1\n2\n"
    assert ("done", printed) in heard
    assert kinds.index("logs") > max(at for at, kind in enumerate(kinds) if kind == "input")


def test_output_comes_while_the_cell_runs_and_a_cancel_ends_it_at_once(client: OpenAI, upstream: Upstream, compute: Any) -> None:
    code = "kept = 7\nprint('first', flush=True)\nwhile True:\n    pass"
    clerk = assistant(client, upstream.model(runs(code)), CODE)
    thread = client.beta.threads.create().id
    cancelled_at = 0.0
    with client.beta.threads.runs.stream(thread_id=thread, assistant_id=clerk) as stream:
        for event in stream:
            if event.event == "thread.run.step.delta":
                [call] = event.data.delta.step_details.tool_calls
                if call.code_interpreter.outputs:
                    assert call.code_interpreter.outputs[0].logs == "first\n"
                    cancelled_at = time.monotonic()
                    client.beta.threads.runs.cancel(stream.current_run.id, thread_id=thread)
        run = stream.current_run
    assert cancelled_at and time.monotonic() - cancelled_at < 2
    run = finished(client, run)
    assert run.status == "cancelled"
    [step] = steps(client, run)
    assert step.status == "cancelled" and logs(step.step_details.tool_calls[0].code_interpreter) == "first\n"
    # The cell was interrupted, the session was not ended.
    assert logs(done(client, compute("print(kept)", on=thread))[0]) == "7\n"


def test_a_price_by_function_and_its_worth_by_code_in_one_run(client: OpenAI, upstream: Upstream) -> None:
    def computes(request: dict[str, Any]) -> Turn:
        price = json.loads(request["messages"][-1]["content"])["price"]
        return runs(f"shares = 1000\nprint(f'{{shares * {price}:,.2f}}')")

    def tells(request: dict[str, Any]) -> Turn:
        return says(f"1000 shares are worth {request['messages'][-1]['content']} dollars.")

    model = upstream.model(calls(("call_q", "quote_share", '{"symbol": "MSFT"}')), computes, tells)
    thread: Any = {"messages": [{"role": "user", "content": "What are 1000 shares of MSFT worth?"}]}
    run = client.beta.threads.create_and_run(assistant_id=assistant(client, model, QUOTE, CODE), thread=thread)
    run = settled(client, run)
    assert run.status == "requires_action"
    run = client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=run.thread_id, tool_outputs=outputs_for(run), poll_interval_ms=20
    )
    assert run.status == "completed", run.last_error
    assert answer(client, run).content[0].text.value == "1000 shares are worth 418,000.00 dollars."
    kinds = [call.type for step in steps(client, run) if step.type == "tool_calls" for call in step.step_details.tool_calls]
    assert kinds == ["function", "code_interpreter"]


def test_what_goes_wrong_is_told_to_the_model_and_the_run_goes_on(client: OpenAI, upstream: Upstream, compute: Any) -> None:
    died = compute("kept = 1\nopen('a.txt', 'w').write('a')\nimport os\nos._exit(3)")
    assert "session ended" in shown(upstream, died) and "/mnt/data are kept" in shown(upstream, died)
    after = compute("print(open('a.txt').read(), 'kept' in globals())", on=died.thread_id)
    assert logs(done(client, after)[0]) == "a False\n"
    assert "new Python session" in shown(upstream, after)
    empty = compute("x = 1")
    assert "printed nothing" in shown(upstream, empty)


@pytest.mark.skipif(not openai.__version__.startswith("3."), reason="once is enough: with the newest SDK")
def test_half_a_minute_of_computing_is_allowed(client: OpenAI, compute: Any) -> None:
    code = "import time\nend = time.monotonic() + 30\nwhile time.monotonic() < end:\n    sum(range(10_000))\nprint('computed')"
    assert logs(done(client, compute(code))[0]) == "computed\n"


def test_a_cell_over_its_time_is_interrupted_and_variables_stay(new_server: Any, upstream: Upstream) -> None:
    server = new_server(*FLAGS, "--interpreter-cell-seconds", "1")
    with connect(server) as client:
        model = upstream.model(runs("x = 5\nwhile True:\n    pass"), runs("print(x)", "call_d"), says("Slow."))
        run = client.beta.threads.create_and_run_poll(assistant_id=assistant(client, model, CODE), poll_interval_ms=20)
        assert run.status == "completed", run.last_error
        slow, quick = done(client, run)
        assert "time limit" in logs(slow) and logs(quick) == "5\n"


def children(of: int) -> set[int]:
    """All processes below `of`."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    below = {of}
    while more := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= more
    return below - {of}


def test_nothing_is_left_of_a_server_that_was_killed_but_files(new_server: Any, upstream: Upstream) -> None:
    server = new_server(*FLAGS)
    with connect(server) as client:
        model = upstream.model(runs("x = 1\nopen('kept.txt', 'w').write('kept')"), says("Kept."))
        clerk = assistant(client, model, CODE)
        run = client.beta.threads.create_and_run_poll(assistant_id=clerk, poll_interval_ms=20)
        assert run.status == "completed", run.last_error
    left = children(server.process.pid)
    assert len(left) >= 3, "a zygote, and a session's two processes"
    server.kill()
    end = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in left) and time.monotonic() < end:
        time.sleep(0.02)
    assert not [pid for pid in left if Path(f"/proc/{pid}").exists()]
    server.start()
    with connect(server) as client:
        model = upstream.model(runs("print(open('kept.txt').read(), 'x' in globals())"), says("Still."))
        again = client.beta.threads.runs.create_and_poll(
            thread_id=run.thread_id, assistant_id=assistant(client, model, CODE), poll_interval_ms=20
        )
        assert again.status == "completed", again.last_error
        assert logs(done(client, again)[0]) == "kept False\n"
        assert "new Python session" in shown(upstream, again)


def test_without_an_environment_a_run_that_needs_the_tool_says_so(new_server: Any, upstream: Upstream) -> None:
    with connect(new_server("--no-interpreter")) as client:
        model = upstream.model(runs("1"))
        run = client.beta.threads.create_and_run_poll(assistant_id=assistant(client, model, CODE), poll_interval_ms=20)
        assert run.status == "failed" and "`code_interpreter`" in run.last_error.message

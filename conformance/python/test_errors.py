"""What the API refuses, word for word."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from agents import assistant, thread
from openai import AuthenticationError, NotFoundError, OpenAI
from ropewalk import KEY, Ropewalk
from upstream import Upstream, says
from wire import BETA, error

LONG = "x" * 257


def too_long(path: str, most: int, length: int) -> Any:
    text = (
        f"Invalid '{path}': string too long. Expected a string with maximum length {most}, "
        f"but got a string with length {length} instead."
    )
    return error(text, path, "string_above_max_length")


def out_of_range(path: str, kind: str, side: str, bound: str, got: str) -> Any:
    words = {"max": "above maximum", "min": "below minimum"}
    text = f"Invalid '{path}': {kind} {words[side]} value. Expected a value {bound}, but got {got} instead."
    return error(text, path, f"{kind}_{'above' if side == 'max' else 'below'}_{side}_value")


def missing(path: str) -> Any:
    return error(f"Missing required parameter: '{path}'.", path, "missing_required_parameter")


def unknown(path: str) -> Any:
    return error(f"Unknown parameter: '{path}'.", path, "unknown_parameter")


def bad_id(name: str, prefix: str) -> Any:
    return error(f"Invalid '{name}': 'undefined'. Expected an ID that begins with '{prefix}'.", name, "invalid_value")


def bad_word(path: str, word: str, supported: str) -> Any:
    return error(f"Invalid value: '{word}'. Supported values are: {supported}.", path, "invalid_value")


METADATA_LIST = error(
    "Invalid type for 'metadata': expected a metadata object, but got an array instead.", "metadata", "invalid_type"
)
METADATA_MANY = error(
    "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, "
    "but got an object with 17 properties instead.",
    "metadata",
    "object_above_max_properties",
)
TOOLS_MANY = error(
    "Invalid 'tools': array too long. Expected an array with maximum length 128, "
    "but got an array with length 129 instead.",
    "tools",
    "array_above_max_length",
)

REFUSED = [
    ("POST assistants", {}, missing("model")),
    ("POST assistants", {"model": "m", "colour": "red"}, unknown("colour")),
    ("POST assistants", {"model": "m", "name": LONG}, too_long("name", 256, 257)),
    ("POST assistants", {"model": "m", "description": LONG * 2}, too_long("description", 512, 514)),
    ("POST assistants", {"model": "m", "instructions": "x" * 256_001}, too_long("instructions", 256_000, 256_001)),
    ("POST assistants", {"model": "m", "temperature": 3}, out_of_range("temperature", "decimal", "max", "<= 2", "3")),
    ("POST assistants", {"model": "m", "temperature": -1}, out_of_range("temperature", "decimal", "min", ">= 0", "-1")),
    ("POST assistants", {"model": "m", "top_p": 1.5}, out_of_range("top_p", "decimal", "max", "<= 1", "1.5")),
    ("POST assistants", {"model": "m", "metadata": []}, METADATA_LIST),
    ("POST assistants", {"model": "m", "metadata": {str(n): "" for n in range(17)}}, METADATA_MANY),
    ("POST assistants", {"model": "m", "metadata": {"k": "x" * 513}}, too_long("metadata.k", 512, 513)),
    ("POST assistants", {"model": "m", "tools": [{"type": "code_interpreter"}] * 129}, TOOLS_MANY),
    (
        "POST assistants",
        {"model": "m", "tools": [{"type": "web"}]},
        bad_word("tools[0].type", "web", "'code_interpreter', 'file_search', and 'function'"),
    ),
    (
        "POST assistants",
        {"model": "m", "tools": [{"type": "function", "function": {}}]},
        missing("tools[0].function.name"),
    ),
    (
        "POST assistants",
        {"model": "m", "tools": [{"type": "function", "function": {"name": "n" * 65}}]},
        too_long("tools[0].function.name", 64, 65),
    ),
    ("GET assistants?limit=101", None, out_of_range("limit", "integer", "max", "<= 100", "101")),
    ("GET assistants?limit=0", None, out_of_range("limit", "integer", "min", ">= 1", "0")),
    ("GET assistants?order=sideways", None, bad_word("order", "sideways", "'asc' and 'desc'")),
    ("GET assistants/undefined", None, bad_id("assistant_id", "asst")),
    ("GET threads/undefined", None, bad_id("thread_id", "thread")),
    ("GET threads/{thread}/runs/undefined", None, bad_id("run_id", "run")),
    ("GET threads/{thread}/messages/undefined", None, bad_id("message_id", "msg")),
    ("GET threads/{thread}/runs/run_1/steps/undefined", None, bad_id("step_id", "step")),
    ("POST threads", {"role": "user"}, unknown("role")),
    ("POST threads", {"messages": [{"content": "Hi"}]}, missing("messages[0].role")),
    ("POST threads", {"messages": [{"role": "user", "content": "Hi", "x": 1}]}, unknown("messages[0].x")),
    ("POST threads/{thread}/messages", {"role": "user"}, missing("content")),
    (
        "POST threads/{thread}/messages",
        {"role": "robot", "content": "Hi"},
        bad_word("role", "robot", "'user' and 'assistant'"),
    ),
    (
        "POST threads/{thread}/messages",
        {"role": "user", "content": "x" * 256_001},
        too_long("content", 256_000, 256_001),
    ),
    ("POST threads/{thread}/runs", {}, missing("assistant_id")),
    (
        "POST threads/{thread}/runs",
        {"assistant_id": "{assistant}", "max_completion_tokens": 255},
        out_of_range("max_completion_tokens", "integer", "min", ">= 256", "255"),
    ),
    ("POST threads/{thread}/runs", {"assistant_id": "{assistant}", "timeout": 9}, unknown("timeout")),
    ("POST threads/runs", {"assistant_id": "{assistant}", "additional_instructions": ""}, unknown("additional_instructions")),
    (
        "POST threads/runs",
        {"assistant_id": "{assistant}", "thread": {"messages": [{"role": "user"}]}},
        missing("thread.messages[0].content"),
    ),
]

UNKNOWN = [
    ("GET assistants/asst_1", None, "No assistant found with id 'asst_1'."),
    ("POST assistants/asst_1", {}, "No assistant found with id 'asst_1'."),
    ("DELETE assistants/asst_1", None, "No assistant found with id 'asst_1'."),
    ("GET threads/thread_1", None, "No thread found with id 'thread_1'."),
    ("POST threads/thread_1", {}, "No thread found with id 'thread_1'."),
    ("DELETE threads/thread_1", None, "No thread found with id 'thread_1'."),
    ("GET threads/thread_1/messages", None, "No thread found with id 'thread_1'."),
    ("GET threads/thread_1/runs", None, "No thread found with id 'thread_1'."),
    ("POST threads/thread_1/messages", {"role": "user", "content": "Hi"}, "No thread found with id 'thread_1'."),
    ("POST threads/thread_1/runs", {"assistant_id": "{assistant}"}, "No thread found with id 'thread_1'."),
    ("POST threads/{thread}/runs", {"assistant_id": "asst_1"}, "No assistant found with id 'asst_1'."),
    ("POST threads/runs", {"assistant_id": "asst_1"}, "No assistant found with id 'asst_1'."),
    ("GET threads/{thread}/messages/msg_1", None, "No message found with id 'msg_1'."),
    ("DELETE threads/{thread}/messages/msg_1", None, "No message found with id 'msg_1'."),
    ("GET threads/{thread}/runs/run_1", None, "No run found with id 'run_1'."),
    ("POST threads/{thread}/runs/run_1/cancel", None, "No run found with id 'run_1'."),
    ("GET threads/{thread}/runs/run_1/steps", None, "No run found with id 'run_1'."),
    ("POST threads/{thread}/runs/run_1/submit_tool_outputs", {"tool_outputs": []}, "No run found with id 'run_1'."),
    ("GET threads/{thread}/strings", None, "Invalid URL (GET /v1/threads/{thread}/strings)"),
]


@pytest.fixture(scope="module")
def known(client: OpenAI, upstream: Upstream) -> dict[str, str]:
    """The ids of a thread and an assistant that are there."""
    return {"{thread}": thread(client), "{assistant}": assistant(client, upstream.model())}


def send(http: httpx.Client, request: str, body: Any, known: dict[str, str]) -> httpx.Response:
    for name, value in known.items():
        request = request.replace(name, value)
        if body and body.get("assistant_id") == name:
            body = {**body, "assistant_id": value}
    method, path = request.split(" ")
    return http.request(method, path, json=body)


@pytest.mark.parametrize(("request_", "body", "expected"), REFUSED, ids=range(len(REFUSED)))
def test_a_bad_request_is_told_what_is_wrong(
    http: httpx.Client, known: dict[str, str], request_: str, body: Any, expected: Any
) -> None:
    response = send(http, request_, body, known)
    assert (response.status_code, response.json()) == (400, expected)


@pytest.mark.parametrize(("request_", "body", "message"), UNKNOWN)
def test_what_is_not_there_is_not_found(
    http: httpx.Client, known: dict[str, str], request_: str, body: Any, message: str
) -> None:
    response = send(http, request_, body, known)
    assert (response.status_code, response.json()) == (404, error(message.replace("{thread}", known["{thread}"])))


def test_a_body_that_is_not_json_is_told_so(http: httpx.Client) -> None:
    response = http.post("threads", content=b'{"metadata": {')
    assert response.status_code == 400
    body = response.json()["error"]
    assert body.pop("message").startswith("We could not parse the JSON body of your request.")
    assert body == {"type": "invalid_request_error", "param": None, "code": None}


def test_a_child_is_not_found_below_another_parent(client: OpenAI, http: httpx.Client) -> None:
    mine, other = thread(client, "Hi"), thread(client)
    [message] = client.beta.threads.messages.list(mine).data
    response = http.get(f"threads/{other}/messages/{message.id}")
    assert (response.status_code, response.json()) == (404, error(f"No message found with id '{message.id}'."))


def test_another_organisation_sees_nothing_of_a_thread(
    client: OpenAI, other_client: OpenAI, upstream: Upstream
) -> None:
    thread_id, clerk = thread(client, "Secret."), assistant(client, upstream.model(says("Kept.")))
    run = client.beta.threads.runs.create_and_poll(thread_id=thread_id, assistant_id=clerk)
    theirs, none = other_client.beta, error(f"No thread found with id '{thread_id}'.")
    for call in (
        lambda: theirs.threads.retrieve(thread_id),
        lambda: theirs.threads.update(thread_id, metadata={"mine": "now"}),
        lambda: theirs.threads.delete(thread_id),
        lambda: theirs.threads.messages.list(thread_id),
        lambda: theirs.threads.messages.create(thread_id, role="user", content="Hello?"),
        lambda: theirs.threads.runs.list(thread_id),
    ):
        with pytest.raises(NotFoundError) as caught:
            call()
        assert caught.value.response.json() == none
    with pytest.raises(NotFoundError) as caught:
        theirs.threads.runs.retrieve(run.id, thread_id=thread_id)
    assert caught.value.response.json() == error(f"No run found with id '{run.id}'.")
    with pytest.raises(NotFoundError) as caught:
        theirs.threads.create_and_run(assistant_id=clerk)
    assert caught.value.response.json() == error(f"No assistant found with id '{clerk}'.")
    assert clerk not in [one.id for one in theirs.assistants.list()]
    # And the owner has lost nothing.
    assert client.beta.threads.retrieve(thread_id).metadata == {}
    assert len(list(client.beta.threads.messages.list(thread_id))) == 2


def test_a_wrong_key_is_refused_and_not_repeated(server: Ropewalk) -> None:
    key = "sk-wrong-key-0123456789"
    with OpenAI(base_url=server.base_url, api_key=key, max_retries=0) as client:
        with pytest.raises(AuthenticationError) as caught:
            client.beta.threads.create()
    assert (caught.value.status_code, caught.value.code) == (401, "invalid_api_key")
    body = caught.value.response.json()["error"]
    stars = "*" * (len(key) - 7)
    assert body["message"].startswith(f"Incorrect API key provided: sk-{stars}6789. You can find your API key ")
    assert {**body, "message": ""} == {
        "message": "",
        "type": "invalid_request_error",
        "param": None,
        "code": "invalid_api_key",
    }


def test_no_key_is_refused(server: Ropewalk) -> None:
    response = httpx.get(f"{server.base_url}/assistants", headers=BETA)
    assert response.status_code == 401
    body = response.json()["error"]
    assert body.pop("message").startswith("You didn't provide an API key.")
    assert body == {"type": "invalid_request_error", "param": None, "code": None}


def test_an_organisation_that_is_not_the_keys_is_refused(server: Ropewalk) -> None:
    with OpenAI(base_url=server.base_url, api_key=KEY, organization="org-b", max_retries=0) as client:
        with pytest.raises(AuthenticationError) as caught:
            client.beta.assistants.list()
    text = "OpenAI-Organization header should match organization for API key"
    assert caught.value.response.json() == error(text, code="mismatched_organization")


@pytest.mark.parametrize("beta", [None, "assistants=v1", "realtime=v1"])
def test_the_beta_header_is_asked_for(server: Ropewalk, beta: str | None) -> None:
    headers = {"Authorization": f"Bearer {KEY}", **({"OpenAI-Beta": beta} if beta else {})}
    response = httpx.get(f"{server.base_url}/assistants", headers=headers)
    text = (
        "You must provide the 'OpenAI-Beta' header to access the Assistants API. Please try again by setting the "
        "header 'OpenAI-Beta: assistants=v2'."
    )
    assert (response.status_code, response.json()) == (400, error(text, code="invalid_beta"))


def test_the_beta_header_may_name_several_and_models_need_none(server: Ropewalk) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    assert httpx.get(f"{server.base_url}/models", headers=headers).status_code == 200
    headers["OpenAI-Beta"] = "realtime=v1, assistants=v2"
    assert httpx.get(f"{server.base_url}/assistants", headers=headers).status_code == 200


def test_every_reply_names_its_request(client: OpenAI, http: httpx.Client) -> None:
    made = client.beta.threads.create()
    assert made._request_id and made._request_id.startswith("req_")
    ids = [http.get(f"threads/{made.id}").headers["x-request-id"], http.get("nowhere").headers["x-request-id"]]
    assert len({made._request_id, *ids}) == 3

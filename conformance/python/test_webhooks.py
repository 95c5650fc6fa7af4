"""Webhooks, checked as the official SDK checks them."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from agents import assistant, settled, thread
from conftest import connect
from openai import InvalidWebhookSignatureError, OpenAI
from ropewalk import BINARY, OTHER_KEY, Ropewalk
from upstream import Upstream, says

SECONDS = 30


class Receiver:
    """Keeps what it is told. Until `open` it answers 500."""

    def __init__(self) -> None:
        self.told: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()
        self.open = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status = 204 if receiver.open.is_set() else 500
                receiver.told.put((dict(self.headers.items()), body))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook"

    def next(self) -> tuple[dict[str, str], bytes]:
        return self.told.get(timeout=SECONDS)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()
    receiver.server.server_close()


def webhook(server: Ropewalk, url: str, *flags: str) -> str:
    """Makes a webhook beside the running server; gives its secret."""
    command = [os.path.abspath(BINARY), "webhooks", "create", "--data-dir", str(server.folder / "data")]
    command += ["--organization", "org-a", "--url", url, *flags]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=SECONDS).stdout.strip()


def run_of(client: OpenAI, model: str) -> Any:
    run = client.beta.threads.runs.create(thread(client, "Begin."), assistant_id=assistant(client, model))
    return settled(client, run)


def first_told(client: OpenAI, upstream: Upstream, receiver: Receiver) -> tuple[dict[str, str], bytes, Any]:
    """Runs until the server has noticed its new webhook."""
    deadline = time.monotonic() + SECONDS
    while receiver.told.empty():
        assert time.monotonic() < deadline
        run = run_of(client, upstream.model(says("Told.")))
    headers, body = receiver.next()
    return headers, body, run


def test_the_sdk_verifies_what_a_webhook_is_told(upstream: Upstream, new_server: Any, receiver: Receiver) -> None:
    server: Ropewalk = new_server("--webhook-allow-private")
    receiver.open.set()
    secret = webhook(server, receiver.url, "--event", "thread.run.completed")
    with connect(server) as client, connect(server, OTHER_KEY) as other:
        headers, body, run = first_told(client, upstream, receiver)
        client.webhooks.verify_signature(body, headers, secret=secret)
        for wrong in (body + b" ", body.replace(b"completed", b"failed")):
            with pytest.raises(InvalidWebhookSignatureError):
                client.webhooks.verify_signature(wrong, headers, secret=secret)

        event = json.loads(body)
        assert event["type"] == "thread.run.completed" and set(event) == {"type", "timestamp", "data"}
        told = type(run).model_validate(event["data"])
        assert told == client.beta.threads.runs.retrieve(told.id, thread_id=told.thread_id)

        foreign = run_of(other, upstream.model(says("Secret.")))
        own = run_of(client, upstream.model(says("Own.")))
        heard = [told.id]
        while own.id not in heard:
            heard.append(json.loads(receiver.next()[1])["data"]["id"])
        assert foreign.id not in heard
    assert secret not in "".join(server.log) and receiver.url not in "".join(server.log)


def test_what_a_receiver_missed_is_told_after_the_server_was_killed(
    upstream: Upstream, new_server: Any, receiver: Receiver
) -> None:
    server: Ropewalk = new_server("--webhook-allow-private")
    secret = webhook(server, receiver.url, "--event", "thread.run.completed")
    with connect(server) as client:
        missed, body, _ = first_told(client, upstream, receiver)
    server.kill()
    receiver.open.set()
    server.start()
    headers, again = receiver.next()
    while headers["webhook-id"] != missed["webhook-id"]:
        headers, again = receiver.next()
    assert again == body
    with connect(server) as client:
        client.webhooks.verify_signature(again, headers, secret=secret)


def test_no_webhook_reaches_a_private_address_unless_it_is_allowed(
    upstream: Upstream, new_server: Any, receiver: Receiver
) -> None:
    server: Ropewalk = new_server()
    receiver.open.set()
    for url in (receiver.url, receiver.url.replace("127.0.0.1", "localhost")):
        webhook(server, url)
    deadline = time.monotonic() + SECONDS
    with connect(server) as client:
        while len([line for line in server.log if "not told yet" in line]) < 2:
            assert time.monotonic() < deadline
            run_of(client, upstream.model(says("Unheard.")))
    assert receiver.told.empty()

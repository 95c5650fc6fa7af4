"""The list of threads, which the hosted API never had: found by metadata, assistant and age; deleted by the same."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest
from agents import assistant, finished, thread
from openai import OpenAI
from upstream import Upstream, says


@pytest.fixture
def made(client: OpenAI) -> tuple[str, list[str]]:
    """A word, and the threads that have it in their metadata, newest first."""
    word = uuid.uuid4().hex
    ids = [client.beta.threads.create(metadata={"word": word, "n": str(number)}).id for number in range(5)]
    return word, ids[::-1]


def ids(page: httpx.Response) -> list[str]:
    assert page.status_code == 200, page.text
    return [one["id"] for one in page.json()["data"]]


def test_threads_are_listed_by_metadata_page_by_page(http: httpx.Client, made: tuple[str, list[str]]) -> None:
    word, threads = made
    only: Any = {"metadata[word]": word}
    assert ids(http.get("threads", params=only)) == threads
    assert ids(http.get("threads", params={**only, "order": "asc"})) == threads[::-1]
    assert ids(http.get("threads", params={**only, "limit": 2, "after": threads[1]})) == threads[2:4]
    assert ids(http.get("threads", params={**only, "metadata[n]": "3"})) == threads[1:2]
    assert ids(http.get("threads", params={"metadata[word]": "none"})) == []
    assert set(threads) <= set(ids(http.get("threads", params={"limit": 100})))


def test_threads_are_found_by_assistant(client: OpenAI, http: httpx.Client, upstream: Upstream) -> None:
    clerk = assistant(client, upstream.model(says("Done.")))
    run = client.beta.threads.runs.create(thread(client, "Begin."), assistant_id=clerk)
    finished(client, run)
    assert ids(http.get("threads", params={"assistant_id": clerk})) == [run.thread_id]


def test_threads_are_deleted_by_filter_after_a_dry_run(http: httpx.Client, made: tuple[str, list[str]]) -> None:
    word, threads = made
    only: Any = {"metadata[word]": word}
    dry = http.delete("threads", params={**only, "dry_run": "true"}).json()
    assert (dry["ids"], dry["dry_run"]) == (threads, True)
    assert ids(http.get("threads", params=only)) == threads
    gone = http.delete("threads", params=only).json()
    assert (gone["ids"], gone["dry_run"]) == (threads, False)
    assert ids(http.get("threads", params=only)) == []
    # Without any filter nothing is deleted at all.
    assert http.delete("threads").status_code == 400


def test_another_organisation_lists_and_deletes_none_of_them(
    http: httpx.Client, other_client: OpenAI, made: tuple[str, list[str]]
) -> None:
    word, threads = made
    headers = {"Authorization": f"Bearer {other_client.api_key}"}
    only: Any = {"metadata[word]": word}
    assert ids(http.get("threads", params=only, headers=headers)) == []
    assert http.delete("threads", params=only, headers=headers).json()["ids"] == []
    assert ids(http.get("threads", params=only)) == threads

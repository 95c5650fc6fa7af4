"""Vector stores, their files, batches of files, and searches in them."""

from __future__ import annotations

import io
from typing import Any

import pytest
from openai import BadRequestError, NotFoundError, OpenAI
from wire import error

KNOTS = b"The bowline is a knot that makes a fixed loop. It does not slip under load."
SAILS = b"A spinnaker is a sail for going downwind. It is large and light."
RULES = "Vessels under sail have the right of way. Über alles: safety.".encode()


def upload(client: OpenAI, data: bytes = KNOTS, name: str = "knots.txt") -> str:
    return client.files.create(file=(name, data), purpose="assistants").id


@pytest.fixture
def library(client: OpenAI) -> str:
    """A store with three files, each with attributes."""
    store = client.vector_stores.create(name="Library").id
    for data, name, year, draft in (
        (KNOTS, "knots.txt", 2001, False),
        (SAILS, "sails.md", 2010, False),
        (RULES, "rules.txt", 2020, True),
    ):
        attributes: Any = {"year": year, "draft": draft, "name": name}
        done = client.vector_stores.files.create_and_poll(
            upload(client, data, name), vector_store_id=store, attributes=attributes, poll_interval_ms=20
        )
        assert done.status == "completed", done.last_error
    return store


def test_a_store_is_kept_changed_and_deleted(client: OpenAI) -> None:
    made = client.vector_stores.create(
        name="Shelf", expires_after={"anchor": "last_active_at", "days": 7}, metadata={"room": "1"}
    )
    assert made.id.startswith("vs_") and (made.object, made.status) == ("vector_store", "completed")
    assert made.file_counts.total == 0 and made.usage_bytes == 0
    assert made.expires_at == made.last_active_at + 7 * 86_400
    assert client.vector_stores.retrieve(made.id) == made
    changed = client.vector_stores.update(made.id, name="Other", metadata={"room": "2"}, expires_after=None)
    assert (changed.name, changed.metadata) == ("Other", {"room": "2"})
    assert changed.expires_after is None and changed.expires_at is None
    assert made.id in [one.id for one in client.vector_stores.list(limit=1)]
    deleted = client.vector_stores.delete(made.id)
    assert (deleted.id, deleted.object, deleted.deleted) == (made.id, "vector_store.deleted", True)
    with pytest.raises(NotFoundError) as caught:
        client.vector_stores.retrieve(made.id)
    assert caught.value.response.json() == error(f"No vector store found with id '{made.id}'.")


def test_a_store_is_made_with_its_files(client: OpenAI) -> None:
    chunks: Any = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 50}}
    ids = [upload(client), upload(client, SAILS, "sails.md")]
    store = client.vector_stores.create(file_ids=ids, chunking_strategy=chunks)
    assert store.file_counts.total == 2
    for file_id in ids:
        done = client.vector_stores.files.poll(file_id, vector_store_id=store.id, poll_interval_ms=20)
        assert done.status == "completed" and done.chunking_strategy.static.max_chunk_size_tokens == 100
    store = client.vector_stores.retrieve(store.id)
    assert (store.status, store.file_counts.completed) == ("completed", 2) and store.usage_bytes > 0


def test_a_file_is_put_in_read_changed_and_taken_out(client: OpenAI) -> None:
    store = client.vector_stores.create().id
    file_id = upload(client)
    files = client.vector_stores.files
    begun = files.create(store, file_id=file_id, attributes={"year": 2001})
    assert (begun.id, begun.object, begun.vector_store_id) == (file_id, "vector_store.file", store)
    done = files.poll(file_id, vector_store_id=store, poll_interval_ms=20)
    assert done.status == "completed" and done.usage_bytes > 0 and done.last_error is None
    assert done.chunking_strategy.type == "static" and done.chunking_strategy.static.chunk_overlap_tokens == 400
    changed = files.update(file_id, vector_store_id=store, attributes={"year": 2002, "draft": True})
    assert changed.attributes == {"year": 2002, "draft": True}
    assert files.retrieve(file_id, vector_store_id=store) == changed
    [page] = files.content(file_id, vector_store_id=store)
    assert page.type == "text" and page.text and page.text.encode() == KNOTS
    deleted = files.delete(file_id, vector_store_id=store)
    assert (deleted.id, deleted.object, deleted.deleted) == (file_id, "vector_store.file.deleted", True)
    assert list(files.list(store)) == []
    # The file itself stays.
    assert client.files.retrieve(file_id).id == file_id


def test_a_deleted_file_leaves_its_stores(client: OpenAI) -> None:
    store = client.vector_stores.create().id
    done = client.vector_stores.files.upload_and_poll(
        vector_store_id=store, file=("knots.txt", KNOTS), poll_interval_ms=20
    )
    assert done.status == "completed"
    client.files.delete(done.id)
    assert list(client.vector_stores.files.list(store)) == []
    assert client.vector_stores.retrieve(store).file_counts.total == 0


def test_a_file_of_a_wrong_type_fails_alone(client: OpenAI) -> None:
    store = client.vector_stores.create().id
    image = client.files.create(file=("knot.png", b"\x89PNG\r\n\x1a\n\0\0"), purpose="vision").id
    try:
        done = client.vector_stores.files.create_and_poll(image, vector_store_id=store, poll_interval_ms=20)
        assert (done.status, done.last_error.code) == ("failed", "unsupported_file")
        assert client.vector_stores.retrieve(store).file_counts.failed == 1
    except BadRequestError as refused:
        assert (refused.param, refused.code) == ("file_ids", "unsupported_file")


def test_files_of_a_store_are_listed_by_status_and_page(client: OpenAI, library: str) -> None:
    files = client.vector_stores.files
    listed = [one.id for one in files.list(library, order="asc", limit=1)]
    assert len(listed) == 3 and [one.id for one in files.list(library)] == listed[::-1]
    assert [one.id for one in files.list(library, filter="completed", order="asc")] == listed
    assert list(files.list(library, filter="failed")) == []


def test_a_batch_takes_many_files_in(client: OpenAI) -> None:
    store = client.vector_stores.create().id
    ids = [upload(client, f"Text number {number}.".encode(), f"{number}.txt") for number in range(7)]
    batches = client.vector_stores.file_batches
    begun = batches.create(store, file_ids=ids, attributes={"of": "a batch"})
    batch = batches.poll(begun.id, vector_store_id=store, poll_interval_ms=20)
    assert batch.id.startswith("vsfb_") and (batch.status, batch.vector_store_id) == ("completed", store)
    assert (batch.file_counts.completed, batch.file_counts.total, batch.file_counts.in_progress) == (7, 7, 0)
    assert batches.retrieve(batch.id, vector_store_id=store) == batch
    listed = list(batches.list_files(batch.id, vector_store_id=store, limit=3, order="asc"))
    assert {one.id for one in listed} == set(ids) and len(listed) == 7
    assert all(one.attributes == {"of": "a batch"} for one in listed)


def test_the_helpers_wait_for_a_batch(client: OpenAI) -> None:
    store = client.vector_stores.create().id
    by_id = client.vector_stores.file_batches.create_and_poll(store, file_ids=[upload(client)], poll_interval_ms=20)
    assert (by_id.status, by_id.file_counts.completed) == ("completed", 1)
    files = [("knots.txt", KNOTS), ("sails.md", io.BytesIO(SAILS))]
    batch = client.vector_stores.file_batches.upload_and_poll(store, files=files, poll_interval_ms=20)
    assert batch.status == "completed" and batch.file_counts.completed == 2


def test_a_batch_may_say_something_of_each_file(client: OpenAI) -> None:
    store = client.vector_stores.create().id
    wanted = {upload(client): {"year": 2001}, upload(client, SAILS, "sails.md"): {"year": 2010}}
    files: Any = [{"file_id": file_id, "attributes": attributes} for file_id, attributes in wanted.items()]
    begun = client.post(f"/vector_stores/{store}/file_batches", body={"files": files}, cast_to=object)
    batch = client.vector_stores.file_batches.poll(begun["id"], vector_store_id=store, poll_interval_ms=20)
    assert batch.file_counts.completed == 2
    assert {one.id: one.attributes for one in client.vector_stores.files.list(store)} == wanted


def test_a_finished_batch_is_not_cancelled(client: OpenAI) -> None:
    store = client.vector_stores.create().id
    batches = client.vector_stores.file_batches
    batch = batches.create(store, file_ids=[upload(client)])
    try:
        cancelled = batches.cancel(batch.id, vector_store_id=store)
    except BadRequestError:
        cancelled = batches.poll(batch.id, vector_store_id=store, poll_interval_ms=20)
        assert cancelled.status == "completed"
    done = batches.poll(batch.id, vector_store_id=store, poll_interval_ms=20)
    assert done.status in ("cancelled", "completed") and done.file_counts.in_progress == 0
    assert done.file_counts.total == 1
    with pytest.raises(BadRequestError):
        batches.cancel(batch.id, vector_store_id=store)


def found(page: Any) -> list[str]:
    return [one.filename for one in page]


def test_a_search_finds_what_was_said_best_first(client: OpenAI, library: str) -> None:
    page = client.vector_stores.search(library, query="a knot that makes a fixed loop")
    best = page.data[0]
    assert best.filename == "knots.txt" and best.content[0].text.encode() == KNOTS
    assert best.attributes == {"year": 2001, "draft": False, "name": "knots.txt"} and best.file_id.startswith("file-")
    scores = [one.score for one in page.data]
    assert scores == sorted(scores, reverse=True) and all(0 <= score <= 1 for score in scores)
    assert (page.object, page.has_more) == ("vector_store.search_results.page", False)
    assert page.search_query == ["a knot that makes a fixed loop"]
    several = client.vector_stores.search(library, query=["fixed loop knot", "downwind sail"], max_num_results=2)
    assert set(found(several)) == {"knots.txt", "sails.md"}


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"type": "eq", "key": "year", "value": 2001}, {"knots.txt"}),
        ({"type": "ne", "key": "draft", "value": True}, {"knots.txt", "sails.md"}),
        ({"type": "gt", "key": "year", "value": 2001}, {"sails.md", "rules.txt"}),
        ({"type": "lte", "key": "year", "value": 2010}, {"knots.txt", "sails.md"}),
        ({"type": "in", "key": "name", "value": ["knots.txt", "rules.txt"]}, {"knots.txt", "rules.txt"}),
        ({"type": "nin", "key": "name", "value": ["knots.txt"]}, {"sails.md", "rules.txt"}),
        (
            {
                "type": "or",
                "filters": [
                    {"type": "eq", "key": "draft", "value": True},
                    {
                        "type": "and",
                        "filters": [
                            {"type": "gte", "key": "year", "value": 2000},
                            {"type": "lt", "key": "year", "value": 2005},
                        ],
                    },
                ],
            },
            {"knots.txt", "rules.txt"},
        ),
    ],
)
def test_a_search_keeps_to_its_filters(client: OpenAI, library: str, filters: Any, names: set[str]) -> None:
    page = client.vector_stores.search(library, query="knot sail vessels", filters=filters, max_num_results=50)
    assert set(found(page)) == names


def test_a_search_keeps_to_its_threshold_and_number(client: OpenAI, library: str) -> None:
    page = client.vector_stores.search(library, query="sail", max_num_results=1, rewrite_query=False)
    assert len(page.data) == 1
    none = client.vector_stores.search(
        library, query="quantum", ranking_options={"ranker": "auto", "score_threshold": 1.0}
    )
    assert none.data == []
    for wrong in ({"max_num_results": 51}, {"max_num_results": 0}, {"filters": {"type": "like", "key": "a", "value": 1}}):
        with pytest.raises(BadRequestError):
            client.vector_stores.search(library, query="sail", **wrong)


def test_what_is_not_there_is_not_found(client: OpenAI, library: str) -> None:
    store = client.vector_stores.create().id
    file_id = upload(client)
    with pytest.raises(NotFoundError) as caught:
        client.vector_stores.files.retrieve(file_id, vector_store_id=store)
    text = f"No file found with id '{file_id}' in vector store '{store}'."
    assert caught.value.response.json() == error(text)
    with pytest.raises(NotFoundError):
        client.vector_stores.file_batches.retrieve("vsfb_missing", vector_store_id=store)
    with pytest.raises((BadRequestError, NotFoundError)):
        client.vector_stores.files.create(store, file_id="file-missing")
    with pytest.raises((BadRequestError, NotFoundError)):
        client.vector_stores.create(file_ids=["file-missing"])


def test_another_organisation_sees_nothing_of_a_store(client: OpenAI, other_client: OpenAI, library: str) -> None:
    theirs = other_client.vector_stores
    none = error(f"No vector store found with id '{library}'.")
    for call in (
        lambda: theirs.retrieve(library),
        lambda: theirs.delete(library),
        lambda: theirs.search(library, query="knot"),
        lambda: theirs.files.list(library),
        lambda: theirs.files.create(library, file_id="file-1"),
    ):
        with pytest.raises(NotFoundError) as caught:
            call()
        assert caught.value.response.json() == none
    mine = client.vector_stores.files.list(library).data[0].id
    own = theirs.create().id
    with pytest.raises((BadRequestError, NotFoundError)):
        theirs.files.create(own, file_id=mine)
    assert library not in [one.id for one in theirs.list()]

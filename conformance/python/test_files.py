"""Files and uploads: sent in one piece or in parts, listed, read back, deleted."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import BadRequestError, NotFoundError, OpenAI
from wire import error

TEXT = "Ropes are laid from strands.\n".encode()


def test_a_file_is_kept_and_deleted(client: OpenAI) -> None:
    made = client.files.create(file=("ropes.txt", TEXT), purpose="assistants")
    assert made.id.startswith("file-") and made.object == "file"
    assert (made.filename, made.bytes, made.purpose, made.status) == ("ropes.txt", len(TEXT), "assistants", "processed")
    assert client.files.retrieve(made.id) == made
    deleted = client.files.delete(made.id)
    assert (deleted.id, deleted.object, deleted.deleted) == (made.id, "file", True)
    with pytest.raises(NotFoundError) as caught:
        client.files.retrieve(made.id)
    assert caught.value.response.json() == error(f"No such File object: {made.id}", "id")


@pytest.mark.parametrize("kind", ["tuple", "typed tuple", "bytes in memory", "open file", "path"])
def test_a_file_may_come_in_each_form_that_the_sdk_takes(client: OpenAI, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "ropes.md"
    path.write_bytes(TEXT)
    memory = io.BytesIO(TEXT)
    memory.name = "ropes.md"
    with path.open("rb") as opened:
        forms: dict[str, Any] = {
            "tuple": ("ropes.md", TEXT),
            "typed tuple": ("ropes.md", io.BytesIO(TEXT), "text/markdown"),
            "bytes in memory": memory,
            "open file": opened,
            "path": path,
        }
        made = client.files.create(file=forms[kind], purpose="vision")
    assert (made.filename, made.bytes) == ("ropes.md", len(TEXT))
    assert client.files.content(made.id).read() == TEXT


def test_a_file_without_a_name_still_has_one(client: OpenAI) -> None:
    made = client.files.create(file=TEXT, purpose="user_data")
    assert made.filename and made.bytes == len(TEXT)


def test_a_large_file_comes_back_byte_for_byte(client: OpenAI) -> None:
    data = hashlib.sha256(b"rope").digest() * (5 << 15)
    made = client.files.create(file=("data.jsonl", data), purpose="batch")
    assert made.bytes == len(data)
    with client.files.with_streaming_response.content(made.id) as response:
        assert hashlib.sha256(b"".join(response.iter_bytes())).digest() == hashlib.sha256(data).digest()


def test_an_empty_file_is_a_file(client: OpenAI) -> None:
    made = client.files.create(file=("empty.txt", b""), purpose="vision")
    assert made.bytes == 0 and client.files.content(made.id).read() == b""


def test_files_for_assistants_are_not_downloaded(client: OpenAI) -> None:
    made = client.files.create(file=("ropes.txt", TEXT), purpose="assistants")
    with pytest.raises(BadRequestError) as caught:
        client.files.content(made.id)
    assert caught.value.response.json() == error("Not allowed to download files of purpose: assistants")


def test_a_file_may_expire(client: OpenAI) -> None:
    expiry: Any = {"anchor": "created_at", "seconds": 3600}
    made = client.files.create(file=("ropes.txt", TEXT), purpose="user_data", expires_after=expiry)
    assert made.expires_at == made.created_at + 3600
    for seconds in (3599, 2_592_001):
        with pytest.raises(BadRequestError) as caught:
            client.files.create(file=("r.txt", TEXT), purpose="vision", expires_after={**expiry, "seconds": seconds})
        assert caught.value.param == "expires_after.seconds"


def test_files_are_listed_by_purpose_and_page_by_page(client: OpenAI, other_client: OpenAI) -> None:
    before = len(list(client.files.list(purpose="evals")))
    made = [client.files.create(file=(f"{number}.txt", TEXT), purpose="evals").id for number in range(5)]
    assert [one.id for one in client.files.list(purpose="evals", order="asc", limit=2)][before:] == made
    newest = client.files.list(purpose="evals", limit=2)
    assert [one.id for one in newest.data] == made[:2:-1] and newest.has_more
    after = client.files.list(purpose="evals", after=made[2], limit=2)
    assert [one.id for one in after.data] == made[1::-1]
    assert not {one.id for one in other_client.files.list()} & set(made)
    assert not {one.id for one in client.files.list(purpose="assistants")} & set(made)


def test_waiting_for_a_file_ends_at_once(client: OpenAI) -> None:
    made = client.files.create(file=("ropes.txt", TEXT), purpose="assistants")
    assert client.files.wait_for_processing(made.id, poll_interval=0.05).status == "processed"


def test_another_organisation_sees_no_file(client: OpenAI, other_client: OpenAI) -> None:
    made = client.files.create(file=("ropes.txt", TEXT), purpose="vision")
    for call in (other_client.files.retrieve, other_client.files.content, other_client.files.delete):
        with pytest.raises(NotFoundError) as caught:
            call(made.id)
        assert caught.value.response.json() == error(f"No such File object: {made.id}", "id")
    assert client.files.content(made.id).read() == TEXT


@pytest.mark.parametrize(
    ("fields", "param"), [({}, "purpose"), ({"purpose": "fun"}, "purpose"), ({"purpose": "vision", "x": "1"}, "x")]
)
def test_a_wrong_form_is_told_what_is_wrong(http: httpx.Client, fields: dict[str, str], param: str) -> None:
    response = http.post("files", data=fields, files={"file": ("ropes.txt", TEXT)})
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)


def test_a_form_without_a_file_is_told_so(http: httpx.Client) -> None:
    response = http.post("files", files={"purpose": (None, "vision")})
    text = "Missing required parameter: 'file'."
    assert (response.status_code, response.json()) == (400, error(text, "file", "missing_required_parameter"))


def test_fields_may_come_before_or_behind_the_file(http: httpx.Client) -> None:
    parts = [("purpose", (None, "vision")), ("file", ("ropes.txt", TEXT, "text/plain"))]
    for form in (parts, parts[::-1]):
        made = http.post("files", files=form)
        assert made.status_code == 200 and made.json()["bytes"] == len(TEXT)


def begin(client: OpenAI, data: bytes, **more: Any) -> Any:
    return client.uploads.create(
        filename="ropes.txt", purpose=more.pop("purpose", "vision"), bytes=len(data), mime_type="text/plain", **more
    )


def test_an_upload_in_parts_becomes_a_file(client: OpenAI) -> None:
    upload = begin(client, TEXT * 3)
    assert upload.id.startswith("upload_") and upload.object == "upload" and upload.status == "pending"
    assert upload.expires_at == upload.created_at + 3600 and upload.file is None
    # Sent in another order than they are joined in.
    parts = [client.uploads.parts.create(upload.id, data=piece) for piece in (TEXT * 2, TEXT[:9], TEXT[9:])]
    assert parts[0].id.startswith("part_") and (parts[0].object, parts[0].upload_id) == ("upload.part", upload.id)
    joined = TEXT + TEXT * 2
    part_ids = [parts[1].id, parts[2].id, parts[0].id]
    done = client.uploads.complete(upload.id, part_ids=part_ids, md5=hashlib.md5(joined).hexdigest())
    assert done.status == "completed" and done.file
    assert (done.file.filename, done.file.bytes, done.file.purpose) == ("ropes.txt", len(joined), "vision")
    assert client.files.content(done.file.id).read() == joined
    assert client.files.retrieve(done.file.id) == done.file


def test_an_upload_that_does_not_add_up_is_refused(client: OpenAI) -> None:
    upload = begin(client, TEXT)
    half = client.uploads.parts.create(upload.id, data=TEXT[:9])
    rest = client.uploads.parts.create(upload.id, data=TEXT[9:])
    for wrong in (
        {"part_ids": [half.id]},
        {"part_ids": [half.id, rest.id], "md5": hashlib.md5(b"else").hexdigest()},
        {"part_ids": [half.id, "part_missing"]},
    ):
        with pytest.raises(BadRequestError):
            client.uploads.complete(upload.id, **wrong)
    assert client.uploads.complete(upload.id, part_ids=[half.id, rest.id]).status == "completed"


def test_a_cancelled_upload_takes_nothing_more(client: OpenAI) -> None:
    upload = begin(client, TEXT)
    part = client.uploads.parts.create(upload.id, data=TEXT)
    assert client.uploads.cancel(upload.id).status == "cancelled"
    with pytest.raises(BadRequestError):
        client.uploads.parts.create(upload.id, data=TEXT)
    with pytest.raises(BadRequestError):
        client.uploads.complete(upload.id, part_ids=[part.id])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_helper_uploads_in_parts(client: OpenAI, tmp_path: Path) -> None:
    data = TEXT * 1000
    path = tmp_path / "ropes.jsonl"
    path.write_bytes(data)
    # Releases of 1.x and 2.x leave the file at a path open, which is for the garbage collector to find.
    done = client.uploads.upload_file_chunked(
        file=path, mime_type="application/jsonl", purpose="batch", part_size=8192, md5=hashlib.md5(data).hexdigest()
    )
    assert done.status == "completed" and done.file and done.file.bytes == len(data)
    assert client.files.content(done.file.id).read() == data
    memory = client.uploads.upload_file_chunked(
        file=data, filename="r.jsonl", bytes=len(data), mime_type="application/jsonl", purpose="batch"
    )
    assert memory.file and memory.file.filename == "r.jsonl"


def test_another_organisation_sees_no_upload(client: OpenAI, other_client: OpenAI) -> None:
    upload = begin(client, TEXT)
    with pytest.raises(NotFoundError):
        other_client.uploads.parts.create(upload.id, data=TEXT)
    with pytest.raises(NotFoundError):
        other_client.uploads.cancel(upload.id)

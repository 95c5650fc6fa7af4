"""Holds every reply, and every event of a stream, against the document that the server itself serves."""

from __future__ import annotations

import functools
import json
import os
import re
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

DOCUMENT = "urn:openapi"
JSON, STREAM = "application/json", "text/event-stream"

# Where the paths of the document begin.
BASE = re.compile(r"/(v1|openai/v1|openai/deployments/[^/]+|openai)(?=/)")

# The objects behind the names of events, by all but the last word of the name.
OBJECTS = {"thread": "Thread", "thread.run": "Run", "thread.run.step": "RunStep", "thread.message": "Message"}


class Contract:
    """The schemas of one server's replies."""

    # What replies got wrong, for the test that is running.
    broken: ClassVar[list[str]] = []
    # How many replies and events were held against a schema.
    checked: ClassVar[Counter[str]] = Counter()

    def __init__(self, document: str) -> None:
        # References mean the whole document, also from within a part of it.
        whole = json.loads(re.sub(r'("\$ref":\s*")#', rf"\1{DOCUMENT}#", document))
        self._registry: Registry[Any] = Registry().with_resource(
            DOCUMENT, Resource(contents=whole, specification=DRAFT202012)
        )
        self._components = whole["components"]
        self._operations: list[tuple[str, re.Pattern[str], str, dict[str, Any]]] = []
        # A path of plain words is meant before one with ids.
        for path in sorted(whole["paths"], key=lambda path: path.count("{")):
            pattern = re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)))
            for method, operation in whole["paths"][path].items():
                self._operations.append((method.upper(), pattern, path, operation["responses"]))
        self._validators: dict[int, Draft202012Validator] = {}

    def reply(self, method: str, target: str, status: int, kind: str) -> Reply | None:
        """What reads along with a reply, if it is one that a document can describe."""
        path, kind = target.partition("?")[0], kind.partition(";")[0]
        base = BASE.match(path)
        if method == "HEAD" or not base:
            return None
        path = path[base.end() :]
        fits = (operation for operation in self._operations if operation[0] == method and operation[1].fullmatch(path))
        _, _, path, replies = next(fits, ("", None, path, {}))
        reply = replies.get(str(status))
        if not reply and status >= 400:
            reply = self._components["responses"]["Error"]
        schema = reply and reply["content"].get(kind, {}).get("schema")
        what = f"{method} {path} {status}"
        if not schema:
            self.note(f"{what}: the document has no such reply of type {kind!r}")
            return None
        return Reply(self, what, kind, schema)

    def event(self, what: str, schema: dict[str, Any], fields: dict[str, str]) -> None:
        """Notes what is wrong with an event, by its fields: with them, or with the object that it carries."""
        name, data = fields.get("event"), fields.get("data")
        of, _, happened = (name or "").rpartition(".")
        named = OBJECTS.get(of, "") + ("Delta" if happened == "delta" else "")
        forms = schema["properties"]["data"]["anyOf"]
        carried = next(form["contentSchema"] for form in forms if "contentSchema" in form)
        if name and name != "done":
            carried = self._components["schemas"].get("ErrorObject" if name == "error" else named)
        what = f"{what}: {name}" if name else what
        if not carried:
            self.note(f"{what}: the document has no such event")
            return
        self.check("events", what, schema, fields)
        if data and data != "[DONE]":
            self.check("objects of events", what, carried, json.loads(data))

    def note(self, wrong: str) -> None:
        if wrong not in self.broken:
            self.broken.append(wrong)

    def check(self, kind: str, what: str, schema: dict[str, Any], data: Any) -> None:
        self.checked[kind] += 1
        validator = self._validators.get(id(schema))
        if not validator:
            validator = self._validators[id(schema)] = Draft202012Validator(schema, registry=self._registry)
        wrong = best_match(validator.iter_errors(data))
        if wrong:
            self.note(f"{what}: {wrong.json_path}: {wrong.message[:300]}")


class Reply:
    """Reads along with a reply, and notes what is wrong with it."""

    def __init__(self, contract: Contract, what: str, kind: str, schema: dict[str, Any]) -> None:
        self._contract, self._what, self._kind, self._schema = contract, what, kind, schema
        self._unread = b""

    def read(self, data: bytes) -> None:
        if self._kind == JSON:
            self._unread += data
        elif self._kind == STREAM:
            *frames, self._unread = (self._unread + data).split(b"\n\n")
            for frame in frames:
                self._read_event(frame)

    def _read_event(self, frame: bytes) -> None:
        lines = (line.partition(": ")[::2] for line in frame.decode().splitlines())
        # A line without a name is a comment, which keeps the connection open.
        fields = {name: value for name, value in lines if name}
        if fields:
            self._contract.event(self._what, self._schema, fields)

    def end(self) -> None:
        if self._kind == JSON:
            self._contract.check("replies", self._what, self._schema, json.loads(self._unread))


@functools.cache
def parsed(document: str) -> Contract:
    """The contract of a document; a suite starts many servers, which serve the same."""
    return Contract(document)


def of(server: str) -> Contract:
    """What the server at this address is held to: its own document, or the one that `ROPEWALK_OPENAPI` names."""
    name = os.environ.get("ROPEWALK_OPENAPI")
    if name:
        return parsed(Path(name).read_text())
    with urllib.request.urlopen(f"{server}/openapi.json", timeout=30) as document:
        return parsed(document.read().decode())

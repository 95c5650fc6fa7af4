"""Holds every reply against the document that the server itself serves."""

from __future__ import annotations

import functools
import json
import os
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, ClassVar

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

DOCUMENT = "urn:openapi"


class Contract:
    """The schemas of one server's replies."""

    # What replies got wrong, for the test that is running.
    broken: ClassVar[list[str]] = []

    def __init__(self, document: dict[str, Any]) -> None:
        resource = Resource(contents=document, specification=DRAFT202012)
        self._registry: Registry[Any] = Registry().with_resource(DOCUMENT, resource)
        self._replies: list[tuple[str, re.Pattern[str], str, dict[str, Any]]] = []
        for path, operations in document["paths"].items():
            pattern = re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)))
            for method, operation in operations.items():
                if method in ("get", "post", "delete"):
                    self._replies.append((method.upper(), pattern, path, operation["responses"]))
        # A path of plain words is meant before one with ids.
        self._replies.sort(key=lambda reply: reply[2].count("{"))

    def check(self, response: Any) -> None:
        """Notes what is wrong with a reply; an event hook of httpx, which streams pass untouched."""
        kind = response.headers.get("content-type", "").partition(";")[0]
        if kind == "application/json":
            response.read()
            request = response.request
            self.check_json(request.method, request.url.path, response.status_code, json.loads(response.content))

    def check_json(self, method: str, path: str, status: int, body: Any) -> None:
        path = path.removeprefix("/v1")
        for its_method, pattern, template, replies in self._replies:
            if its_method == method and pattern.fullmatch(path):
                reply = replies.get(str(status)) or replies.get("default")
                content = reply and reply.get("content", {}).get("application/json")
                if content:
                    return self._note(f"{method} {template} {status}", _pointer(template, its_method, replies, reply), body)
                if status < 300:
                    self.broken.append(f"{method} {template}: no schema for {status}")
                return
        if status < 300:
            self.broken.append(f"{method} {path}: not in the document")

    def check_event(self, name: str, data: Any) -> None:
        """Notes what is wrong with the data of an event, where the document knows its object."""
        schema = EVENTS.get(name.removesuffix(".delta") if name.endswith(".delta") else re.sub(r"\.\w+$", "", name))
        if schema:
            self._note(name, f"/components/schemas/{schema[name.endswith('.delta')]}", data)

    def _note(self, what: str, pointer: str, body: Any) -> None:
        for wrong in list(self._validator(pointer).iter_errors(body))[:3]:
            self.broken.append(f"{what}: {wrong.json_path}: {wrong.message[:300]}")

    @functools.lru_cache  # noqa: B019 - a contract lives as long as the session
    def _validator(self, pointer: str) -> Draft202012Validator:
        return Draft202012Validator({"$ref": f"{DOCUMENT}#{pointer}"}, registry=self._registry)


# The objects behind the names of events: whole, and as a delta.
EVENTS = {
    "thread": ("Thread", ""),
    "thread.run": ("Run", ""),
    "thread.run.step": ("RunStep", "RunStepDelta"),
    "thread.message": ("Message", "MessageDelta"),
}


def _pointer(template: str, method: str, replies: dict[str, Any], reply: Any) -> str:
    status = next(status for status, one in replies.items() if one is reply)
    path = template.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")
    return f"/paths/{path}/{method.lower()}/responses/{status}/content/application~1json/schema"


@functools.cache
def named() -> Contract | None:
    """The contract in the file that `ROPEWALK_OPENAPI` names, to hold the server against in place of its own."""
    name = os.environ.get("ROPEWALK_OPENAPI")
    return Contract(json.loads(Path(name).read_text())) if name else None


@functools.cache
def served(document: bytes) -> Contract:
    """The contract of a document; a suite starts many servers, which serve the same."""
    return Contract(json.loads(document))


@functools.cache
def of(base_url: str) -> Contract | None:
    """What the server at `base_url` is held to."""
    try:
        with urllib.request.urlopen(base_url.removesuffix("/v1") + "/openapi.json", timeout=30) as document:
            return named() or served(document.read())
    except urllib.error.HTTPError:
        return named()


def hooks(base_url: str) -> dict[str, Any]:
    """The event hooks of an HTTP client of httpx that has each reply checked."""
    contract = of(base_url)
    return {"response": [contract.check]} if contract else {}

"""Compares the served OpenAPI document with the contract's: every core path, parameter, field, word, bound and default.

    python3 compare.py SERVED CONTRACT COMPATIBILITY

A difference must stand in the table of COMPATIBILITY (docs/compatibility.md) with a reason, under the name that this
program prints; `*` stands for anything. A row without a difference is out of date, and fails too.
"""

import fnmatch
import json
import re
import sys

BOUNDS = {
    "string": ("minLength", "maxLength", "pattern"),
    "integer": ("minimum", "maximum"),
    "number": ("minimum", "maximum"),
    "boolean": (),
    "array": ("minItems", "maxItems"),
    "object": ("maxProperties",),
}
KINDS = tuple(BOUNDS)


class Document:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.root = json.load(file)

    def resolve(self, node):
        """The node behind references, and the name of the last component on the way."""
        name = None
        while isinstance(node, dict) and "$ref" in node:
            name = node["$ref"].rsplit("/", 1)[1]
            beside = {key: value for key, value in node.items() if key != "$ref"}
            target = self.root
            for step in node["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            node = {**target, **beside}
        return (node if isinstance(node, dict) else {}), name

    def forms(self, node):
        """The schema's alternatives, each without alternatives of its own."""
        node, _ = self.resolve(node)
        for union in ("anyOf", "oneOf"):
            # Alternatives that only say which fields go together are no forms.
            if union in node and not all(set(form) <= {"required"} for form in node[union]):
                beside = {key: value for key, value in node.items() if key not in (union, "description")}
                for form in node[union]:
                    for inner in self.forms(form):
                        yield {**beside, **inner}
                return
        yield node


def kinds(form):
    """What kinds of JSON the form takes; all of them if it does not say."""
    named = form.get("type")
    if named is None:
        words = words_of(form)
        return {"string"} if words else set(KINDS)
    return {named} if isinstance(named, str) else set(named)


def words_of(form):
    words = form.get("enum", [form["const"]] if "const" in form else [])
    return [word for word in words if isinstance(word, str)]


def fits(kind, forms):
    return [form for form in forms if kind in kinds(form) or (kind == "integer" and "number" in kinds(form))]


class Comparison:
    def __init__(self, contract, served):
        self.contract, self.served = contract, served
        self.differences = {}
        self.seen = set()

    def differ(self, place, what):
        self.differences.setdefault(f"{place} {what}")

    def operation(self, path, method, contract, served):
        place = contract["operationId"]
        if served is None:
            return self.differ(place, "missing")
        if served.get("operationId") != place:
            self.differ(place, "operationId")
        parameters = [self.served.resolve(one)[0] for one in served.get("parameters", [])]
        for parameter in contract.get("parameters", []):
            self.parameter(place, self.contract.resolve(parameter)[0], parameters)
        bodies = contract.get("requestBody", {}).get("content", {})
        given = served.get("requestBody", {}).get("content", {})
        self.contents(f"{place} body", bodies, given, is_reply=False)
        replies = self.reply(self.contract, contract)
        self.contents(f"{place} reply", replies, self.reply(self.served, served), is_reply=True)

    @staticmethod
    def reply(document, operation):
        response, _ = document.resolve(operation.get("responses", {}).get("200", {}))
        return response.get("content", {})

    def parameter(self, place, contract, served):
        name = contract["name"]
        found = [one for one in served if (one["name"], one["in"]) == (name, contract["in"])]
        if not found:
            return self.differ(f"{place} {contract['in']}.{name}", "missing")
        if contract["in"] == "query":
            self.schema(f"{place} query.{name}", contract["schema"], found[0]["schema"], is_reply=False)

    def contents(self, place, contract, served, is_reply):
        for media, content in contract.items():
            if media not in served:
                self.differ(place, f"lacks {media}")
            elif media == "application/json" or media.startswith("multipart/"):
                self.schema(place, content.get("schema", {}), served[media].get("schema", {}), is_reply)

    def schema(self, place, contract, served, is_reply):
        _, name = self.contract.resolve(contract)
        place = place if " query." in place else name or place
        # Some schemas stand below themselves.
        mark = (name or id(contract), json.dumps(served, sort_keys=True), is_reply)
        if mark in self.seen:
            return
        self.seen.add(mark)
        wanted, given = list(self.contract.forms(contract)), list(self.served.forms(served))
        if any(not form.get("type") and not words_of(form) and "properties" not in form for form in given):
            return  # Anything at all.
        for kind in KINDS:
            ours, theirs = fits(kind, given), fits(kind, wanted)
            if not theirs or all(form.get("type") is None and not words_of(form) for form in theirs):
                continue
            if not ours:
                self.differ(place, f"is no {kind}")
                continue
            if kind == "object":
                for form in theirs:
                    self.object(place, form, ours, is_reply)
            elif kind == "array":
                self.bounds(place, kind, theirs, ours)
                self.schema(f"{place}[]", theirs[0].get("items", {}), ours[0].get("items", {}), is_reply)
            else:
                self.words(place, theirs, ours, is_reply)
                self.bounds(place, kind, theirs, ours)
        # A query has no word for null.
        if not is_reply and " query." not in place and any("null" in kinds(form) for form in wanted):
            if not any("null" in kinds(form) for form in given):
                self.differ(place, "is never null")
        self.default(place, [self.contract.resolve(contract)[0], *wanted], [self.served.resolve(served)[0], *given])

    def words(self, place, theirs, ours, is_reply):
        wanted = [word for form in theirs for word in words_of(form)]
        given = [word for form in ours for word in words_of(form)]
        open_there, open_here = (any(not words_of(form) for form in forms) for forms in (theirs, ours))
        if open_there and not open_here and not is_reply:
            self.differ(place, "is only certain words")
        if not open_there and not open_here:
            for word in wanted:
                if word not in given:
                    self.differ(place, f"lacks {word}")

    def bounds(self, place, kind, theirs, ours):
        for bound in BOUNDS[kind]:
            wanted = {form[bound] for form in theirs if bound in form}
            given = {form[bound] for form in ours if bound in form}
            # Where one form has a bound and another has none, there is none.
            if len(theirs) == 1 and wanted and wanted != given and not self.same_name(wanted, ours):
                shown = ", ".join(str(value) for value in sorted(given)) or "nothing"
                self.differ(place, f"{bound} {wanted.pop()} is {shown}")

    @staticmethod
    def same_name(wanted, ours):
        """Whether a pattern with a length is said as a pattern and a length."""
        for pattern in wanted:
            match = re.fullmatch(r"(.*)\{1,(\d+)\}\$", str(pattern))
            if match:
                same = (match[1] + "+$", int(match[2]))
                return any((form.get("pattern"), form.get("maxLength")) == same for form in ours)
        return False

    def default(self, place, theirs, ours):
        wanted = [form["default"] for form in theirs if "default" in form]
        given = [form["default"] for form in ours if "default" in form]
        if wanted and wanted[0] is not None and wanted[0] not in given:
            shown = json.dumps(given[0]) if given else "unsaid"
            self.differ(place, f"default {json.dumps(wanted[0])} is {shown}")

    def object(self, place, contract, served, is_reply):
        self.bounds(place, "object", [contract], served[:1])
        same = self.same_form(contract, served)
        properties = {}
        for form in same:
            for name, schema in form.get("properties", {}).items():
                properties.setdefault(name, schema)
        for name, schema in contract.get("properties", {}).items():
            below = f"{place}.{name}"
            if name in properties:
                self.schema(below, schema, properties[name], is_reply)
            elif not any(form.get("additionalProperties") for form in same):
                self.differ(below, "missing")
        wanted = set(contract.get("required", []))
        given = set.intersection(*(set(form.get("required", [])) for form in same)) if same else set()
        if is_reply:
            # Without a list of required fields the contract leaves all open.
            for name in sorted((wanted - given) & properties.keys()):
                self.differ(f"{place}.{name}", "may be absent")
        else:
            for name in sorted(given - wanted):
                self.differ(f"{place}.{name}", "is required")

    def same_form(self, contract, served):
        """The served forms with the same word in a field of words (`type`, `role`); all, if none tells them apart."""
        for tag, schema in contract.get("properties", {}).items():
            words = words_of(self.contract.resolve(schema)[0])
            if len(served) > 1 and tag in ("type", "role") and words:
                mine = [(form, words_of(self.served.resolve(form.get("properties", {}).get(tag, {}))[0])) for form in served]
                same = [form for form, given in mine if set(words) & set(given)]
                if same:
                    return same
        return served


def listed(path):
    """The rows of the table of differences: pattern by pattern, whether it has been met."""
    with open(path, encoding="utf-8") as file:
        rows = re.findall(r"^\| `([^`]+)` \| (\S.*\S) \|$", file.read(), re.MULTILINE)
    return {pattern: False for pattern, _reason in rows}


def main(served_path, contract_path, compatibility_path):
    contract, served = Document(contract_path), Document(served_path)
    comparison = Comparison(contract, served)
    count = 0
    for path, methods in contract.root["paths"].items():
        for method, operation in methods.items():
            if isinstance(operation, dict) and any(tag.startswith("core.") for tag in operation.get("tags", [])):
                count += 1
                comparison.operation(path, method, operation, served.root["paths"].get(path, {}).get(method))
    known = listed(compatibility_path)
    unlisted = []
    for difference in comparison.differences:
        met = [pattern for pattern in known if fnmatch.fnmatchcase(difference, pattern.replace("[", "[[]"))]
        known.update(dict.fromkeys(met, True))
        if not met:
            unlisted.append(difference)
    for difference in unlisted:
        print(f"unlisted: {difference}")
    for pattern in (pattern for pattern, met in known.items() if not met):
        print(f"out of date: {pattern}")
    print(f"{count} operations compared, {len(comparison.differences)} differences, {len(unlisted)} unlisted")
    return 1 if unlisted or not all(known.values()) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

#!/usr/bin/python3
"""check.py FILE [some]: compares exchanges that tests made (one JSON object a line) with the OpenAPI description
of the server that was asked, which is among them: servers under another `compatibility` have another one.
Prints what does not fit; ends with 1 if anything did.

Each reply must be described: its status, media type, headers and body. Requests that the server accepted must be
described too: path, query, headers and body. Each operation must have succeeded once, unless only `some` are asked
for. Of a list of records the first three are looked at: they
are all made by the same code.
"""

import json
import re
import sys
from functools import reduce
from urllib.parse import parse_qsl, unquote

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import best_match

LOOKED_AT = 3
# The headers that any reply may have.
COMMON_HEADERS = {
    "access-control-allow-headers", "access-control-allow-methods", "access-control-allow-origin",
    "access-control-expose-headers", "access-control-max-age", "cache-control", "connection", "content-length",
    "content-security-policy", "content-type", "date", "keep-alive", "pragma", "transfer-encoding", "vary",
    "x-content-type-options", "x-request-id",
}  # fmt: skip
# Replies where there is no operation: an unknown path, or an unknown method of one; a preflight;
# a path for people.
ELSEWHERE = {
    204: {},
    302: {"headers": {"Location": {"required": True, "schema": {"type": "string"}}}},
    308: {"headers": {"Location": {"required": True, "schema": {"type": "string"}}}},
    400: {"$ref": "#/components/responses/BadRequest"},
    404: {"$ref": "#/components/responses/NotFound"},
    405: {
        "headers": {"Allow": {"required": True, "schema": {"type": "string"}}},
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}},
    },
    413: {"$ref": "#/components/responses/ContentTooLarge"},
    500: {"$ref": "#/components/responses/InternalError"},
    503: {"$ref": "#/components/responses/Unavailable"},
}

# The admin UI, which is no part of the API.
PAGES = re.compile(r"/admin(?=[/?]|$)", re.IGNORECASE)

FORMATS = FormatChecker(formats=())
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
FORMATS.checks("date-time")(lambda value: not isinstance(value, str) or DATE.fullmatch(value))
FORMATS.checks("uuid")(lambda value: not isinstance(value, str) or GUID.fullmatch(value))


def read(path):
    """({compatibility: description}, exchanges)."""
    documents, exchanges = {}, []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            exchange = json.loads(line)
            if exchange["path"] == "/api/openapi.json" and exchange["method"] == "GET" and exchange["status"] == 200:
                documents[exchange["compatibility"]] = exchange["reply"]
            exchanges.append(exchange)
    return documents, exchanges


def matchers(document):
    """[(regular expression, path)], those without {id} first."""
    paths = sorted(document["paths"], key=lambda path: "{" in path)
    return [(re.compile(re.escape(path).replace(r"\{id\}", r"[1-9]\d*") + "/?", re.IGNORECASE), path) for path in paths]


def plain_path(path):
    """As RFC 3986 section 6.2.2.2 has it, with one slash where there were several."""
    return re.sub(r"%[0-9A-Fa-f]{2}", lambda one: unquote(one[0]) if re.fullmatch(r"[\w.~-]", unquote(one[0]), re.ASCII) else one[0],
                  re.sub("/+", "/", path))  # fmt: skip


def shorten(value):
    if isinstance(value, list):
        return value[:LOOKED_AT]
    if isinstance(value, dict) and isinstance(value.get("Records"), list):
        return {**value, "Records": value["Records"][:LOOKED_AT]}
    return value


def typed(value, schema):
    """What a text of a query or a header stands for, by its schema."""
    kinds, text = schema.get("type", []), value.strip()
    alternatives = schema.get("oneOf") or schema.get("anyOf")
    if alternatives:
        others = [typed(value, one) for one in alternatives]
        return next((one for one in others if one != value), value)
    if "integer" in kinds and re.fullmatch(r"-?\d+", text):
        return int(text)
    words = [word for word in schema.get("enum", []) if isinstance(word, str) and word.lower() == text.lower()]
    return words[0] if words else as_said(value, schema) if "boolean" in kinds else value


def as_said(value, schema):
    """A value as the description has it, where it came in another spelling that is tolerated."""
    kinds = schema.get("type", [])
    if "boolean" in kinds and str(value).strip().lower() in ("true", "false", "1", "0"):
        return str(value).strip().lower() in ("true", "1")
    if "array" in kinds and isinstance(value, list):
        return [as_said(one, schema.get("items", {})) for one in value]
    if not isinstance(value, str):
        return value
    if value == "" and "null" in kinds and "boolean" not in kinds and ("integer" in kinds or set(schema) & {"format", "items", "pattern"}):
        return None
    if "integer" in kinds and re.fullmatch(r"0|[1-9][0-9]*", value):
        return int(value)
    names = dict(pair.split(": ")[::-1] for pair in schema.get("description", "").split(", ") if "enum" in schema and ": " in pair)
    numbers = {name.lower(): int(number) for name, number in names.items()}
    return numbers.get(value.lower(), value)


def form_of(text, properties):
    """A form as the object that it stands for."""
    members = {}
    for name, value in parse_qsl(text.replace("+", "%2B") if "@" in text else text, keep_blank_values=True):
        plain = re.sub(r"(?<=.)\[\d*\]$", "", name)
        is_list = plain != name or "array" in properties.get(plain.lower(), (plain, {}))[1].get("type", [])
        if plain in members or (is_list and value):
            before = members.get(plain, [])
            value = (before if isinstance(before, list) else [before]) + [value]
        members[plain] = value
    return members


class Checker:
    def __init__(self, document):
        self.document = document
        self.paths = matchers(document)
        self.root = Draft202012Validator(document)
        self.validators = {}
        # Secrets are no parameters; a search by one is taken, and finds nothing.
        self.listed = {
            name.lower()
            for schema, one in document["components"]["schemas"].items()
            for name in one.get("properties", {})
            if schema.endswith("Listed")
        }
        # A filter takes what a field calls its numbers, too.
        self.named = {
            name.lower(): field
            for one in document["components"]["schemas"].values()
            for name, field in one.get("properties", {}).items()
            if "enum" in field and "integer" in field.get("type", [])
        }
        self.done = set()
        self.commandless = set()

    def resolve(self, node):
        while isinstance(node, dict) and "$ref" in node:
            node = reduce(lambda at, name: at[name], node["$ref"].removeprefix("#/").split("/"), self.document)
        return node

    def problem(self, schema, value, formats=None):
        key = json.dumps(schema, sort_keys=True), formats is None
        if key not in self.validators:
            # References in the schema lead on into the whole document.
            self.validators[key] = self.root.evolve(schema=schema, format_checker=formats)
        error = best_match(self.validators[key].iter_errors(value))
        return error and f"{list(error.absolute_path)}: {error.message[:300]}"

    def find(self, exchange):
        """(path, method, operation); operation None where there is none."""
        asked = plain_path(exchange["path"].split("?")[0])
        method = {"HEAD": "get"}.get(exchange["method"], exchange["method"].lower())
        for pattern, path in self.paths:
            if pattern.fullmatch(asked) and method in self.document["paths"][path]:
                return path, method, self.document["paths"][path][method]
        return None, method, None

    def reply(self, exchange, described):
        headers = exchange["replyHeaders"]
        expected = {name.lower(): self.resolve(header) for name, header in described.get("headers", {}).items()}
        for name, header in expected.items():
            if name in headers:
                problem = self.problem(header["schema"], typed(headers[name], header["schema"]))
                if problem:
                    yield f"header {name} {problem}"
            elif header.get("required"):
                yield f"header {name} is missing"
        yield from (f"header {name} is not described" for name in headers.keys() - expected.keys() - COMMON_HEADERS)
        content = described.get("content", {})
        kind = headers.get("content-type", "").split(";")[0]
        if exchange["method"] == "HEAD" or not content:
            if exchange["size"]:
                yield "a body is not described"
        elif kind not in content:
            yield f"media type {kind!r} is not described"
        elif kind == "application/json":
            if "reply" not in exchange:
                yield "the body is no JSON"
                return
            problem = self.problem(content[kind]["schema"], shorten(exchange["reply"]), FORMATS)
            if problem:
                yield f"reply {problem}"

    def is_other_name(self, name, known):
        """Is it a name that a search takes besides those that are described?"""
        others = (re.sub(r"_?id(?=_|$)", "", name), f"{name}file", re.sub("name$", "_name", name))
        return any(("query", one) in known for one in others) or name.rpartition("_")[2] in self.listed

    def parameters(self, exchange, operation, described):
        parameters = [self.resolve(one) for one in operation.get("parameters", [])]
        query = exchange["path"].partition("?")[2]
        given = {"query": parse_qsl(query, keep_blank_values=True), "header": list(exchange["headers"].items())}
        known = {(one["in"], one["name"].lower()): one for one in parameters}
        given["query"] = [(re.sub(r"(?<=.)\[\d*\]$", "", name), value) for name, value in given["query"]]
        for place, pairs in given.items():
            for name, value in pairs:
                one = known.get((place, name.lower()))
                is_integer = one and "integer" in one["schema"].get("type", [])
                field = self.named.get(name.lower().partition("_")[2]) if is_integer else None
                value = as_said(value.strip(), field) if field else value
                problem = one and self.problem(one["schema"], typed(str(value), one["schema"]))
                if problem:
                    yield f"{place} {name} {problem}"
        names = {name.lower() for name, _ in given["query"]}
        yield from (f"query {name} is missing" for (place, name), one in known.items()
                    if place == "query" and one.get("required") and name not in names)  # fmt: skip
        # A search says which names it does not know.
        ignored = exchange["replyHeaders"].get("x-ignored-parameters", "").lower().split(", ")
        if exchange["method"] == "GET" and "X-Ignored-Parameters" in described.get("headers", {}) and "..." not in ignored:
            unknown = (re.sub(r"[^a-z0-9_.-]", "?", name) for name in names
                       if ("query", name) not in known and not self.is_other_name(name, known))
            yield from (f"query {name} is neither described nor said to be ignored" for name in unknown if name not in ignored)

    def said(self, exchange, text, schema):
        properties = {name.lower(): (name, self.resolve(one)) for name, one in schema.get("properties", {}).items()}
        headers = {name.lower(): value for name, value in exchange["headers"].items()}
        if "form-urlencoded" in headers.get("content-type", "").lower() and text.lstrip("\ufeff ")[:1] not in ("{", "["):
            members = form_of(text, properties)
        else:
            members = json.loads(text.lstrip("\ufeff"))
        known = {name: properties.get(name.lower(), (name, {})) for name in members}
        return {known[name][0]: as_said(value, known[name][1]) for name, value in members.items()}

    def body(self, exchange, operation):
        if "requestBody" not in operation or exchange.get("isLong"):
            return
        if "text/csv" in operation["requestBody"]["content"]:
            return  # a file
        [(kind, content)] = operation["requestBody"]["content"].items()
        value = exchange.get("body")
        if value is None:
            yield "there was no body, yet it was accepted"
            return
        if kind.endswith("form-urlencoded"):
            value = dict(parse_qsl(value.lstrip("\ufeff"), keep_blank_values=True))
        else:
            value = self.said(exchange, value, self.resolve(content["schema"]))
        problem = self.problem(content["schema"], value)
        if problem:
            yield f"body {problem}"

    def check(self, exchange):
        path, method, operation = self.find(exchange)
        status = exchange["status"]
        described = (operation["responses"] if operation else ELSEWHERE).get(str(status) if operation else status)
        if described is None:
            yield f"status {status} is not described"
            return
        described = self.resolve(described)
        yield from self.reply(exchange, described)
        if operation and status < 300:
            self.done.add((path, method))
            if path.endswith("/commands") and exchange.get("reply") == []:
                self.commandless.add(path.replace("/commands", "/runcommand"))
            yield from self.parameters(exchange, operation, described)
            yield from self.body(exchange, operation)

    def never_done(self):
        """Of resources without commands none can be run."""
        return [
            f"{method.upper()} {path} was never seen to succeed"
            for path, item in self.document["paths"].items()
            for method in item
            if (path, method) not in self.done and path not in self.commandless
        ]


def main():
    documents, exchanges = read(sys.argv[1])
    missing = {exchange["compatibility"] for exchange in exchanges} - documents.keys()
    if missing or "roster" not in documents:
        print("check: the exchanges have no description of", *(missing or ["roster"]), file=sys.stderr)
        return 1
    checkers, wrong, said = {name: Checker(document) for name, document in documents.items()}, 0, set()
    for exchange in exchanges:
        if PAGES.match(exchange["path"]):
            continue
        problems = list(checkers[exchange["compatibility"]].check(exchange))
        wrong += bool(problems)
        said.update(f"{exchange['method']} {exchange['path'].split('?')[0]} {exchange['status']}: {one}" for one in problems)
    never_done = [] if "some" in sys.argv[2:] else checkers["roster"].never_done()
    for what in sorted(said)[:30] + sorted(never_done):
        print(what, file=sys.stderr)
    print(f"{len(exchanges)} exchanges, {wrong} not as described")
    return 1 if wrong or never_done else 0


sys.exit(main())

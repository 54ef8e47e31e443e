#!/usr/bin/python3
"""check.py FILE: compares exchanges that tests made (one JSON object a line) with the server's own
OpenAPI description, which is among them. Prints what does not fit; ends with 1 if anything did.

Of a list of records the first three are looked at: they are all made by the same code.
"""

import json
import re
import sys

from jsonschema import Draft202012Validator, RefResolver

LOOKED_AT = 3


def read(path):
    document, exchanges = None, []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            exchange = json.loads(line)
            if exchange["path"] == "/api/openapi.json":
                document = exchange["reply"]
            exchanges.append(exchange)
    return document, exchanges


def matchers(document):
    """[(regular expression, path item)], those without {id} first."""
    paths = sorted(document["paths"], key=lambda path: "{" in path)
    return [
        (re.compile(re.sub(r"\\\{id\\\}", r"\\d+", re.escape(path)) + "/?$", re.IGNORECASE), document["paths"][path])
        for path in paths
    ]


def shorten(value):
    if isinstance(value, list):
        return value[:LOOKED_AT]
    if isinstance(value, dict) and isinstance(value.get("Records"), list):
        return {**value, "Records": value["Records"][:LOOKED_AT]}
    return value


class Checker:
    def __init__(self, document):
        self.document = document
        self.paths = matchers(document)
        self.resolver = RefResolver("", document)
        self.validators = {}

    def resolve(self, node):
        while isinstance(node, dict) and "$ref" in node:
            node = self.resolver.resolve(node["$ref"])[1]
        return node

    def problem(self, schema, value):
        key = json.dumps(schema, sort_keys=True)
        if key not in self.validators:
            self.validators[key] = Draft202012Validator(schema, resolver=self.resolver)
        for error in self.validators[key].iter_errors(shorten(value)):
            return f"{list(error.absolute_path)}: {error.message[:300]}"
        return None

    def schema_of(self, node):
        content = self.resolve(node).get("content", {})
        for kind in ("application/json", "application/merge-patch+json"):
            if kind in content:
                return content[kind]["schema"]
        return None

    def check(self, exchange):
        path = exchange["path"].split("?")[0]
        item = next((item for pattern, item in self.paths if pattern.match(path)), None)
        operation = item and item.get(exchange["method"].lower())
        if not operation:
            return None if exchange["status"] in (404, 405) else "no such operation, yet it was answered"
        reply = operation["responses"].get(str(exchange["status"]))
        if not reply:
            return f"status {exchange['status']} is not described"
        schema = self.schema_of(reply)
        if schema is not None:
            problem = self.problem(schema, exchange["reply"])
            if problem:
                return "reply " + problem
        body = self.schema_of(operation["requestBody"]) if "requestBody" in operation else None
        if body is not None and exchange["status"] == 200 and isinstance(exchange.get("request"), dict):
            problem = self.problem(body, exchange.get("request"))
            # Clients send digit strings and "true": tolerated, but not described.
            if problem and "is not of type" not in problem and "is not one of" not in problem:
                return "request " + problem
        return None


def main():
    document, exchanges = read(sys.argv[1])
    if not document:
        print("check: the exchanges have no description", file=sys.stderr)
        return 1
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    checker, wrong, seen = Checker(document), 0, set()
    for exchange in exchanges:
        problem = checker.check(exchange)
        if problem:
            wrong += 1
            what = f"{exchange['method']} {exchange['path'].split('?')[0]} {exchange['status']}: {problem}"
            if what not in seen and len(seen) < 30:
                seen.add(what)
                print(what, file=sys.stderr)
    print(f"{len(exchanges)} exchanges, {wrong} not as described")
    return 1 if wrong or not exchanges else 0


sys.exit(main())

#!/usr/bin/python3
"""valid.py FILE: is it OpenAPI 3.1? Judged by the OpenAPI Initiative's own schema, and each schema in
it by JSON Schema's. Prints what is not; ends with 1 if anything is."""

import json
import pathlib
import sys

import yaml
from jsonschema import Draft202012Validator

OPENAPI = pathlib.Path("/usr/share/openapi-specification/schemas/v3.1/schema.yaml")


def schemas(node, path=()):
    """(path, schema) of each Schema Object: they stand under `schema`, or under /components/schemas."""
    if not isinstance(node, (dict, list)):
        return
    for name, value in node.items() if isinstance(node, dict) else enumerate(node):
        if name == "schema" or path == ("components", "schemas"):
            yield path + (name,), value
        else:
            yield from schemas(value, path + (name,))


def main():
    document = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    official = Draft202012Validator(yaml.safe_load(OPENAPI.read_text(encoding="utf-8")))
    wrong = [(error.absolute_path, error.message) for error in official.iter_errors(document)]
    dialect = Draft202012Validator(Draft202012Validator.META_SCHEMA)
    # Many are alike, filters above all.
    for path, schema in {json.dumps(schema): (path, schema) for path, schema in schemas(document)}.values():
        wrong += [(path + tuple(error.absolute_path), error.message) for error in dialect.iter_errors(schema)]
    for path, message in wrong:
        print("/".join(map(str, path)), message[:300])
    return 1 if wrong else 0


sys.exit(main())

"""JSON Schemas that authors write: found, read, and checked before anything trusts them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from manifests.bundle import Defined, json_beside
from manifests.problems import Problem, did_you_mean, nearest
from manifests.source import Place

KEYWORDS = frozenset(
    """
    $schema $id $ref $defs $comment definitions title description default examples deprecated readOnly writeOnly type
    enum const properties required additionalProperties patternProperties propertyNames minProperties maxProperties
    dependentRequired dependentSchemas unevaluatedProperties items prefixItems additionalItems minItems maxItems
    uniqueItems contains minContains maxContains unevaluatedItems minLength maxLength pattern format contentEncoding
    contentMediaType minimum maximum exclusiveMinimum exclusiveMaximum multipleOf allOf anyOf oneOf not if then else
    """.split()  # noqa: SIM905
)
TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
DRAFTS = ("draft/2020-12/schema", "draft/2019-09/schema", "draft-07/schema", "draft-06/schema", "draft-04/schema")
_DRAFT = re.compile(rf"https?://json-schema\.org/({'|'.join(DRAFTS)})#?")
_ONE = (
    *("additionalProperties", "items", "contains", "not", "if", "then", "else", "propertyNames", "additionalItems"),
    *("unevaluatedProperties", "unevaluatedItems"),
)
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")


@dataclass(frozen=True)
class Schema:
    """A JSON Schema and where it stands."""

    value: dict[str, Any] = field(hash=False)
    at: Place


def found(definition: Defined[Any], written: dict[str, Any] | str, at: Place, problems: list[Problem]) -> Schema | None:
    """The schema that is written here or in the file that is named here."""
    if isinstance(written, dict):
        schema = Schema(written, at)
    else:
        source = json_beside(definition, at, written, problems)
        if source is None:
            return None
        if not isinstance(source.data, dict):
            wanted = 'an object, such as {"type": "object"}'
            problems.append(Problem("HL320", source.place, f"{source.name} is not a JSON Schema", wanted, "write one"))
            return None
        schema = Schema(source.data, source.place)
    mistakes = list(_mistakes(schema.value, schema.at, schema.value)) or _invalid(schema)
    problems += mistakes
    return None if mistakes else schema


def _mistakes(schema: Any, at: Place, root: dict[str, Any]) -> Iterator[Problem]:
    """What JSON Schema itself allows and nobody means: misspelt keywords, references that lead nowhere."""
    if not isinstance(schema, dict):
        return
    for keyword in schema:
        if keyword not in KEYWORDS and not keyword.startswith("x-"):
            near = nearest(keyword, KEYWORDS)
            fix = f"did you mean {near!r}?" if near else f"remove it, or call it 'x-{keyword}'"
            message = f"{keyword!r} is not a keyword of JSON Schema"
            yield Problem("HL321", (at / keyword).key, message, "a keyword of JSON Schema", fix)
    yield from _drafts(schema, at)
    yield from _references(schema, at, root)
    yield from _requirements(schema, at)
    for keyword in _ONE:
        yield from _mistakes(schema.get(keyword), at / keyword, root)
    for keyword in _LISTS:
        listed = schema.get(keyword)
        for index, part in enumerate(listed if isinstance(listed, list) else ()):
            yield from _mistakes(part, at / keyword / index, root)
    for keyword in _MAPS:
        parts = schema.get(keyword)
        for name, part in parts.items() if isinstance(parts, dict) else ():
            yield from _mistakes(part, at / keyword / name, root)


def _drafts(schema: dict[str, Any], at: Place) -> Iterator[Problem]:
    """Another language than these would have to be fetched."""
    draft = schema.get("$schema")
    if isinstance(draft, str) and not _DRAFT.fullmatch(draft):
        wanted = f"https://json-schema.org/{DRAFTS[0]}, or an earlier draft"
        yield Problem("HL320", at / "$schema", f"there is no draft {draft!r} of JSON Schema", wanted, "leave it out")


def _references(schema: dict[str, Any], at: Place, root: dict[str, Any]) -> Iterator[Problem]:
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return
    wanted = "a reference inside the schema, such as #/$defs/name"
    if not reference.startswith("#"):
        message, fix = f"{reference!r} leads out of the schema", "copy what it names into $defs"
        yield Problem("HL322", at / "$ref", message, wanted, fix)
    elif not _leads_somewhere(reference, root):
        parts = root.get("$defs")
        names = [f"#/$defs/{name}" for name in parts] if isinstance(parts, dict) else []
        near = nearest(reference, names)
        fix = f"did you mean {near!r}?" if near else "define it under $defs"
        yield Problem("HL322", at / "$ref", f"{reference!r} leads nowhere", wanted, fix)


def _leads_somewhere(reference: str, root: Any) -> bool:
    for step in reference.removeprefix("#").split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(root, dict) and step in root:
            root = root[step]
        else:
            return False
    return isinstance(root, dict | bool)


def _requirements(schema: dict[str, Any], at: Place) -> Iterator[Problem]:
    properties, required = schema.get("properties"), schema.get("required")
    if schema.get("additionalProperties") is not False or schema.get("patternProperties"):
        return
    if not isinstance(properties, dict) or not isinstance(required, list):
        return
    for index, name in enumerate(required):
        if isinstance(name, str) and name not in properties:
            near = nearest(name, properties)
            fix = f"did you mean {near!r}?" if near else "add it to properties"
            message = f"{name!r} is required, yet no property may have that name"
            yield Problem("HL323", at / "required" / index, message, "the name of a property", fix)


def _invalid(schema: Schema) -> list[Problem]:
    if schema.value in ({}, {"type": "object"}):
        return []
    import jsonschema_rs

    try:
        jsonschema_rs.meta.validate(schema.value)
        jsonschema_rs.validator_for(schema.value, offline=True)
    except jsonschema_rs.ValidationError as error:
        at = schema.at
        value: Any = schema.value
        for step in error.instance_path:
            at, value = at / step, value[step]
        return [_not_a_schema(at, value, error.message)]
    return []


def _not_a_schema(at: Place, value: Any, message: str) -> Problem:
    if at.path[-1:] == ("type",) and isinstance(value, str):
        fix = did_you_mean({"str": "string", "int": "integer", "bool": "boolean"}.get(value, value), TYPES, "type")
        return Problem("HL320", at, f"JSON Schema has no type {value!r}", f"one of: {', '.join(TYPES)}", fix)
    message = f"this is not a JSON Schema: {message}"
    return Problem("HL320", at, message, "a schema that JSON Schema 2020-12 allows", "correct the keyword")

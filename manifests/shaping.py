"""From a file's values to a shape: what pydantic finds wrong, said as problems with a place and a way out."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import Tag, ValidationError
from pydantic_core import ErrorDetails

from manifests.problems import Problem, did_you_mean, nearest
from manifests.shape.base import API_VERSION, Shape
from manifests.shape.workflow import NODE_KINDS
from manifests.source import Place, Source, Span

S = TypeVar("S", bound=Shape)


def shaped(model: type[S], source: Source, problems: list[Problem]) -> S | None:
    """The file as its model; what is wrong is added to `problems`, and left out if the rest has a shape without it."""
    try:
        return model.model_validate(source.data)
    except ValidationError as error:
        details = error.errors(include_url=False)
        found = [_problem(model, source, detail) for detail in details if not _is_misspelt(detail, details)]
        problems += found
        return _rest(model, source, found)


def _rest(model: type[S], source: Source, found: list[Problem]) -> S | None:
    """What remains with misspelt keys put right and wrong ones left out, so that one slip does not hide others."""
    data = deepcopy(source.data)
    for problem in found:
        path = problem.at.path if isinstance(problem.at, Place) else ()
        below = _at(data, path[:-1])
        # Without a definition everything that uses its name would be wrong, too.
        if (
            not path
            or (len(path) == 2 and path[0] in _DEFINING)
            or not isinstance(below, dict)
            or path[-1] not in below
        ):
            return None
        value = below.pop(path[-1])
        meant = _MEANT.fullmatch(problem.fix) if problem.code == "HL101" else None
        if meant:
            below.setdefault(meant[1], value)
        elif _is_only_condition(source.data, path):
            # Without any condition the edge would be wrong once more, and without an else perhaps its decision.
            below |= {"when": "run.id != ''"} if _has_else(source.data, below["from"]) else {"else": True}
    try:
        return model.model_validate(data)
    except ValidationError:
        return None


def _is_only_condition(data: Any, path: tuple[str | int, ...]) -> bool:
    """Whether an edge of a decision says nothing else about when it is taken."""
    if path[-1] not in ("when", "else") or path[-3:-2] != ("edges",):
        return False
    edge = _at(data, path[:-1])
    source = _at(data, (*path[:-3], "nodes", str(edge.get("from"))))
    decides = isinstance(source, dict) and "decision" in source
    return decides and edge.keys() & {"when", "else", "on"} == {path[-1]}


def _has_else(data: Any, decision: str) -> bool:
    edges = [edge for edge in data["edges"] if isinstance(edge, dict)]
    return any(edge.get("from") == decision and edge.get("else") is True for edge in edges)


_MEANT = re.compile(r"did you mean '(\w+)'\?")
_DEFINING = ("nodes", "agents", "tools", "models", "routes", "pipelines", "stores", "profiles", "plugins", "triggers")


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        known = isinstance(value, dict) and step in value
        value = value[step] if known or (isinstance(value, list) and isinstance(step, int)) else None
    return value


def _is_misspelt(detail: ErrorDetails, details: list[ErrorDetails]) -> bool:
    """Whether a missing key stands there after all, with another spelling that is said to be unknown."""
    *above, key = detail["loc"] or ("",)
    if detail["type"] != "missing":
        return False
    unknown = [
        str(other["loc"][-1])
        for other in details
        if other["type"] == "extra_forbidden" and [*other["loc"][:-1]] == above
    ]
    return any(nearest(name, [str(key)]) for name in unknown)


def _problem(model: type[Shape], source: Source, detail: ErrorDetails) -> Problem:
    tagged = detail["loc"]
    place = Place(source, tuple(step for step in tagged if not _is_tag(step)))
    if place.path and place.path[-1] == "[key]":
        place = Place(source, place.path[:-1]).key
    say = _SAYINGS.get(detail["type"], _wrong_value)
    return say(place, detail, _Home(model, tagged))


class _Home:
    """The model that an error happened in, looked up only when its keys are needed."""

    def __init__(self, model: type[Shape], path: tuple[str | int, ...]) -> None:
        self._model = model
        self._path = path

    def keys(self) -> list[str]:
        annotation: Any = self._model
        for step in self._path[:-1]:
            annotation = _below(annotation, step)
        return _keys(annotation)

    def holder(self) -> list[str]:
        annotation: Any = self._model
        for step in self._path:
            annotation = _below(annotation, step)
        return _keys(annotation)


def _is_tag(step: str | int) -> bool:
    return isinstance(step, str) and step.startswith("kind:")


def _keys(annotation: Any) -> list[str]:
    if isinstance(annotation, type) and issubclass(annotation, Shape):
        return [field.alias or name for name, field in annotation.model_fields.items()]
    return []


def _below(annotation: Any, step: str | int) -> Any:
    """The type of what stands under one step of an error's path."""
    if isinstance(annotation, type) and issubclass(annotation, Shape):
        annotation.model_rebuild()
        fields = {field.alias or name: field for name, field in annotation.model_fields.items()}
        return _members(fields[str(step)].rebuild_annotation()) if step in fields else None
    for member in annotation if isinstance(annotation, list) else [annotation]:
        tag, inner = _tag_of(member)
        if _is_tag(step):
            if tag == step:
                return _only(inner)
        elif get_origin(inner) in (list, dict):
            return _members(get_args(inner)[-1])
        elif isinstance(inner, type) and issubclass(inner, Shape):
            return _below(inner, step)
    return None


def _members(annotation: Any) -> Any:
    """The members of a union, or the one type there is, without None."""
    if get_origin(annotation) is Annotated:
        inner = get_args(annotation)[0]
        tags = [extra for extra in get_args(annotation)[1:] if isinstance(extra, Tag)]
        return [annotation] if tags else _members(inner)
    arguments = [member for member in get_args(annotation) if member is not type(None)]
    if get_origin(annotation) in (list, dict) or not arguments:
        return _only(annotation)
    if len(arguments) == 1:
        return _members(arguments[0])
    return [part for member in arguments for part in _flat(_members(member))]


def _flat(members: Any) -> list[Any]:
    return members if isinstance(members, list) else [members]


def _only(annotation: Any) -> Any:
    return [annotation] if get_origin(annotation) in (list, dict) else annotation


def _tag_of(member: Any) -> tuple[str | None, Any]:
    if get_origin(member) is Annotated:
        inner, *extras = get_args(member)
        return next((extra.tag for extra in extras if isinstance(extra, Tag)), None), inner
    return None, member


def _unknown_key(place: Place, detail: ErrorDetails, home: _Home) -> Problem:
    key = str(place.path[-1])
    known = home.keys()
    expected = f"one of: {', '.join(known)}" if known else ""
    return Problem("HL101", place.key, f"unknown key {key!r}", expected, did_you_mean(key, known, "key"))


def _missing_key(place: Place, detail: ErrorDetails, home: _Home) -> Problem:
    key = str(place.path[-1])
    above = Place(place.source, place.path[:-1])
    if key == "apiVersion":
        fix = f"begin the file with `apiVersion: {API_VERSION}`, or run `haul migrate`"
        return Problem("HL109", _start(place.source), "the file does not say its apiVersion", API_VERSION, fix)
    at = above.key if above.path else _start(place.source)
    return Problem("HL102", at, f"{_called(above)} lacks {key!r}", f"a key {key!r}", f"add `{key}:`")


def _start(source: Source) -> Span:
    return Span(source.name, 1, 1, 1, 1)


def _called(place: Place) -> str:
    if not place.path:
        return "the file"
    return repr(place.path[-1]) if isinstance(place.path[-1], str) else "this"


def _no_kind(place: Place, detail: ErrorDetails, home: _Home) -> Problem:
    value = detail["input"]
    kinds = ", ".join(NODE_KINDS)
    if not isinstance(value, dict):
        return _wrong_type(place, detail, home)
    name = _called(place)
    said = [key for key in value if key in NODE_KINDS]
    if len(said) > 1:
        both = " and ".join(repr(key) for key in said)
        return Problem("HL107", place / said[1], f"node {name} is of {len(said)} kinds: {both}", "one kind", "split it")
    common = {"with", "timeout", "retry", "description", "undo", "join", "queue", "priority"}
    odd = [key for key in value if key not in common]
    fix = did_you_mean(odd[0], NODE_KINDS, "kind") if odd else "say what it runs, as in `agent: NAME`"
    at = (place / odd[0]).key if odd else place.key
    return Problem("HL107", at, f"node {name} does not say what it runs", f"one of: {kinds}", fix)


def _not_an_option(place: Place, detail: ErrorDetails, home: _Home) -> Problem:
    if place.path == ("apiVersion",):
        fix = f"write {API_VERSION}"
        return Problem("HL109", place, f"apiVersion {detail['input']!r} is not known here", API_VERSION, fix)
    value, expected = detail["input"], str(detail.get("ctx", {}).get("expected", ""))
    if expected == "True":
        alone = _is_only_condition(place.source.data, place.path)
        fix = "write `else: true`, or `when: …` in its place" if alone else "remove the key"
        return Problem("HL103", place, f"{_quoted(value)} is not allowed here", "true", fix)
    options = expected.replace(" or ", ", ").replace("'", "").split(", ")
    said = did_you_mean(value, options, "value") if isinstance(value, str) else f"use one of: {', '.join(options)}"
    return Problem("HL103", place, f"{_quoted(value)} is not allowed here", f"one of: {', '.join(options)}", said)


def _custom(code: str) -> Callable[[Place, ErrorDetails, _Home], Problem]:
    def say(place: Place, detail: ErrorDetails, home: _Home) -> Problem:
        expected = {"duration": "a duration", "size": "a size", "money": "an amount"}[detail["type"]]
        return Problem(code, place, detail["msg"], expected, str(detail.get("ctx", {}).get("fix", "")))

    return say


def _one_of(place: Place, detail: ErrorDetails, home: _Home) -> Problem:
    """Keys that exclude or need each other; the second one that is there is the one too many."""
    named, value = re.findall(r"'(\w+)'", detail["msg"]), _at(place.source.data, place.path)
    said = [key for key in named if isinstance(value, dict) and key in value]
    at = (place / said[1]).key if len(said) > 1 else place
    fix = str(detail.get("ctx", {}).get("fix", ""))
    if not said and fix == "keep one":
        fix = f"add {' or '.join(repr(key) for key in named)}"
    return Problem("HL106", at, detail["msg"], "one of them", fix)


def _bad_name(place: Place, detail: ErrorDetails, home: _Home) -> Problem:
    value = str(detail["input"])
    if place.path[-1] == "workflow" and ("/" in value or not value.strip(".")):
        names = [part for part in value.split("/") if part.strip(".") and part != "workflow.yaml"]
        fix = f"write {names[-1]}" if names else "name the folder of another bundle"
        wanted = "the name of a bundle beside this one, without a path"
        return Problem("HL104", place, f"{_quoted(value)} is a path, not the name of a workflow", wanted, fix)
    if detail.get("ctx", {}).get("pattern", "").startswith("^(\\S+ )"):
        message, wanted = f"{value!r} is not a cron line", "five fields: minute hour day month weekday"
        return Problem("HL104", place, message, wanted, 'write it like "0 6 * * 1-5"')
    if value.startswith("/") or detail.get("ctx", {}).get("pattern", "").startswith("^/"):
        wanted = "a / first, then letters, digits, /, - and _"
        return Problem("HL104", place, f"{value!r} is not the path of a URL", wanted, "write it like /hooks/news")
    underscore = "_-]" not in detail.get("ctx", {}).get("pattern", "") and ".-]" not in detail["ctx"]["pattern"]
    wanted = "letters, digits and _, not a digit first" if underscore else "letters, digits, - and _, a letter first"
    clean = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in value).lstrip("0123456789")[:60]
    fix = f"call it {clean!r}" if clean.strip("_") else "choose another name"
    return Problem("HL104", place, f"{_quoted(value)} is not a name", wanted, fix)


def _out_of_range(place: Place, detail: ErrorDetails, home: _Home) -> Problem:
    said = detail["msg"].removeprefix("Input should be ").removeprefix("Value should have ")
    said = said.replace("greater than or equal to", "at least").replace("less than or equal to", "at most")
    return Problem("HL108", place, f"{_quoted(detail['input'])} is out of range", said, f"choose one that is {said}")


def _too_short(place: Place, detail: ErrorDetails, home: _Home) -> Problem:
    return Problem("HL108", place, f"{_called(place)} is empty", "at least one", "add one, or remove the key")


def _wrong_type(place: Place, detail: ErrorDetails, home: _Home) -> Problem:
    value = detail["input"]
    expected = _EXPECTED.get(detail["type"], "")
    keys = home.holder()
    if keys == ["secret"]:
        # The value may be a real secret, so the message does not repeat it.
        fix = "write `{secret: NAME}`; if this was a real one, replace it where it came from"
        return Problem("HL420", place, f"{_called(place)} is written as a value", "the name of a secret", fix)
    if not expected and keys:
        expected = f"keys and values: {', '.join(keys[:6])}"
    expected = expected or "something else"
    if not place.path:
        said = "is empty" if value is None else f"is {_quoted(value)}, not keys and values"
        fix = f"begin it with `apiVersion: {API_VERSION}`"
        return Problem("HL103", _start(place.source), f"the file {said}", "keys and values", fix)
    fix = _retyped(value, expected)
    if place.path[-3:-2] == ("edges",) and place.path[-1] in ("from", "to") and isinstance(value, list):
        fix = "write an edge for each; it leads from one node to one"
    return Problem("HL103", place, f"{_quoted(value)} is not {expected}", expected, fix)


def _retyped(value: object, expected: str) -> str:
    """How the same thing is written in the type that is expected."""
    match expected, value:
        case "text", int() | float():
            return f"put it in quotes: {str(value).lower()!r}"
        case "text", [str(only)]:
            return f"write {only}, without brackets"
        case "a list", str() | int() | float():
            return f"write [{value}]"
        case "a whole number" | "a number", str() if value.isdecimal():
            return f"write {value} without quotes"
        case "true or false", str() if value.lower() in ("yes", "on", "y", "true"):
            return "write true"
        case "true or false", str() if value.lower() in ("no", "off", "n", "false"):
            return "write false"
        case _, list() if expected.startswith("keys and values"):
            return "write `name: …` in place of `- …`"
    return f"write {expected}"


def _wrong_value(place: Place, detail: ErrorDetails, home: _Home) -> Problem:
    return Problem("HL103", place, f"{_quoted(detail['input'])}: {detail['msg']}", detail["msg"], "correct the value")


def _quoted(value: object) -> str:
    match value:
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str() if len(value) > 60:
            return repr(value[:57] + "...")
        case _:
            return repr(value)


_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
    "union_tag_not_found": "keys and values",
    "int_from_float": "a whole number",
}
_SAYINGS: dict[str, Callable[[Place, ErrorDetails, _Home], Problem]] = {
    **dict.fromkeys(_EXPECTED, _wrong_type),
    "extra_forbidden": _unknown_key,
    "missing": _missing_key,
    "union_tag_not_found": _no_kind,
    "union_tag_invalid": _no_kind,
    "literal_error": _not_an_option,
    "string_pattern_mismatch": _bad_name,
    "duration": _custom("HL105"),
    "size": _custom("HL105"),
    "money": _custom("HL105"),
    "one_of": _one_of,
    "greater_than_equal": _out_of_range,
    "less_than_equal": _out_of_range,
    "too_short": _too_short,
    "string_too_short": _too_short,
}

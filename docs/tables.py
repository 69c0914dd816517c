"""The tables of docs/ and README.md, made from the code: `make docs` writes them between their markers."""

from __future__ import annotations

import json
import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from activities.models.counting import tokens
from activities.models.metrics import METRICS
from gateway.cli.main import COMMANDS
from manifests import draft, failures, outputs, text, yaml_tree
from manifests.builtins import PLUGINS, TOOLS
from manifests.codes import CODES
from manifests.expressions import engine, functions, syntax
from manifests.expressions.types import Type
from manifests.published import ABOUT, file_name
from manifests.shape import agents, base, memory, models, pipelines, plugins, policies, scenario, tools, triggers
from manifests.shape import workflow as shapes
from workers.settings import Settings
from workflows.options import Options
from workflows.orders import ORDERS, Order, Override

PROJECT = Path(__file__).resolve().parent.parent
_MARKED = re.compile(r"(?P<start><!-- table: (?P<name>[\w.-]+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL)
# Types that have a word of their own, the more special one first where two are equal.
_WORDS: tuple[tuple[Any, str], ...] = (
    (base.Duration, "duration"),
    (base.Size, "size"),
    (base.Money, "money"),
    (base.NodeId, "node name"),
    (base.Name, "name"),
    (base.Text, "text"),
    (base.EnvironmentName, "name"),
    (base.Expression, "expression"),
    (base.Value, "value"),
    (base.Literals, "literal"),
    (base.JsonSchema, "schema"),
    (base.Category, "[category](#failures)"),
    (base.EnvRef, "`{env: …}`"),
    (base.SecretRef, "`{secret: …}`"),
    (shapes.Node, "[node](#nodes)"),
    (shapes.Edge, "[edge](#edges)"),
    (shapes.WorkflowName, "workflow name"),
    (shapes.Body, "body"),
    (shapes.Run, "`{workflow: …}`"),
    (memory.Share, "0 to 1"),
    (triggers.Cron, "text"),
    (pipelines.KIND_NAMES, "kind"),
    (base.Budget, "[budget](#budgets-and-limits)"),
    (base.Retry, "[retry](#time-and-retries)"),
    (base.ManifestFile, "file"),
    (tools.Permissions, "[permissions](#permissions)"),
    (str, "text"),
    (int, "number"),
    (float, "number"),
    (bool, "`true` or `false`"),
    (Any, "value"),
    (dict[str, Any], "map"),
)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _code(text: str) -> str:
    return f"`{text}`"


# --- keys of models


def keys(model: type[BaseModel], leave_out: Iterable[str] = ()) -> str:
    """The keys of a model, those of the models inside it behind a dot."""
    return table(("key", "type", "default", "meaning"), _keys(model, "", set(leave_out)))


def _keys(model: type[BaseModel], before: str, leave_out: set[str]) -> Iterator[tuple[str, str, str, str]]:
    hints = typing.get_type_hints(model, include_extras=True)
    for name, field in model.model_fields.items():
        key = f"{before}{field.alias or name}"
        if key in leave_out:
            continue
        hint = hints[name]
        yield _code(key), word_of(hint), _default(field), field.description or _described(hint)
        for below, step in _inside(hint):
            yield from _keys(below, f"{key}{step}", leave_out)


def _described(hint: Any) -> str:
    """The description that stands in the type, where the field has none of its own."""
    found = [each.description for each in get_args(hint)[1:] if isinstance(each, FieldInfo) and each.description]
    return found[0] if found else ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "compulsory"
    if field.default is PydanticUndefined or field.default is None or isinstance(field.default, BaseModel):
        return ""
    value = field.default
    if any(_same(field, alias) for alias in (base.Duration, base.Size)):
        shown = base.shown_size(value).replace(" ", "") if _same(field, base.Size) else base.shown_duration(value)
        return _code(shown)
    if isinstance(value, list):
        return _code(f"[{', '.join(map(str, value))}]")
    return _code(str(value).lower() if isinstance(value, bool) else str(value))


def _same(field: FieldInfo, alias: Any) -> bool:
    return any(each in field.metadata for each in get_args(alias)[1:2])


def _known(hint: Any) -> str | None:
    """The word of a type; what is only added to it, such as a tag, does not count."""
    found, most = None, 0
    for known, word in _WORDS:
        if hint is known or hint == known:
            return word
        wanted = get_args(known) if get_origin(known) is typing.Annotated else ()
        if len(wanted) > most and get_args(hint)[: len(wanted)] == wanted:
            found, most = word, len(wanted)
    return found


def word_of(hint: Any) -> str:
    """A type in a word or two."""
    origin, args = get_origin(hint), get_args(hint)
    word = _known(hint)
    if word is not None:
        return word
    if origin is typing.Annotated:
        return word_of(args[0])
    if origin in (typing.Union, types.UnionType):
        kept = [arg for arg in args if arg is not type(None)]
        return " or ".join(dict.fromkeys(word_of(arg) for arg in kept))
    if origin is Literal:
        return _choice(args)
    if origin is list:
        return f"list of {word_of(args[0])}"
    if origin is dict and word_of(args[1]) not in ("map", "value"):
        return f"map of {word_of(args[1])}"
    return "map"


def _choice(words: tuple[Any, ...]) -> str:
    named = [str(word).lower() if isinstance(word, bool) else str(word) for word in words]
    if set(failures.CATEGORIES) <= set(named):
        rest = [_code(word) for word in named if word not in failures.CATEGORIES]
        return ", ".join(["[category](#failures)", *rest])
    return ", ".join(map(_code, named))


def _inside(hint: Any) -> Iterator[tuple[type[BaseModel], str]]:
    """The models whose keys stand below this one, and the step that leads to them."""
    origin, args = get_origin(hint), get_args(hint)
    if _known(hint):
        return
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        yield hint, "."
    elif origin is list:
        yield from ((model, f"[]{step}") for model, step in _inside(args[0]))
    elif origin is dict:
        yield from ((model, f".NAME{step}") for model, step in _inside(args[1]))
    elif origin is typing.Annotated:
        yield from _inside(args[0])
    elif origin in (typing.Union, types.UnionType):
        for arg in args:
            yield from _inside(arg)


def own_keys(kind: str) -> str:
    """The keys of a kind of node, besides those that all have."""
    return keys(shapes.NODE_KINDS[kind], [field.alias or name for name, field in shapes.Common.model_fields.items()])


# --- the other tables


def kinds() -> str:
    rows = [(f"`{kind}`", _first_line(model)) for kind, model in shapes.NODE_KINDS.items()]
    return table(("key", "runs"), rows)


def _first_line(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().partition("\n")[0]


def files() -> str:
    about = {kind: said for kind, said in ABOUT.items() if kind != "plan"}
    rows = [(_code(file_name(kind)), said.removeprefix("tests/*.yaml: ")) for kind, said in about.items()]
    return table(("file", "holds"), rows)


def categories() -> str:
    """Which kinds of nodes fail in which categories."""
    rows = []
    for category in failures.CATEGORIES:
        kinds_ = [kind for kind, can in failures.FAILS_IN.items() if category in can]
        named = "every kind" if len(kinds_) == len(failures.FAILS_IN) else ", ".join(map(_code, kinds_))
        rows.append((_code(category), named, "yes" if category in failures.RETRYABLE else "no"))
    return table(("category", "kinds that fail in it", "tried again"), rows)


def builtin_tools() -> str:
    rows = [
        (
            _code(name),
            _fields(tool.settings),
            _fields(tool.input),
            _fields(tool.output),
            ", ".join(tool.effects) if len(tool.effects) < 4 else "any",
            "yes" if tool.open_contract else "no",
        )
        for name, tool in TOOLS.items()
    ]
    return table(("`uses`", "settings (`with`)", "takes", "gives", "effects", "own schemas"), rows)


def _fields(schema: dict[str, Any]) -> str:
    """The properties of a schema; one that may be left out has a question mark."""
    required = schema.get("required", ())
    if "properties" not in schema:
        return "any object"
    return ", ".join(_code(name if name in required else f"{name}?") for name in schema["properties"]) or "nothing"


def shipped_plugins() -> str:
    return table(("`uses`", "settings (`with`)"), [(_code(name), _fields(schema)) for name, schema in PLUGINS.items()])


def codes() -> str:
    return table(("code", "meaning"), [(_code(code), meaning) for code, meaning in sorted(CODES.items())])


def commands() -> str:
    return table(("command", "does"), [(f"`haul {command.name}`", command.help) for command in COMMANDS])


def function_names() -> str:
    """Functions by what they are called on."""
    groups: dict[str, list[str]] = {}
    for name in functions.OVERLOADS:
        groups.setdefault(_group(name), []).append(name)
    groups["math"] = [*groups["math"], *functions.EXTREMES.values()]
    groups["macros"] = ["has", *functions.MACROS]
    return table(("group", "functions"), [(group, ", ".join(map(_code, names))) for group, names in groups.items()])


def _group(name: str) -> str:
    first = functions.OVERLOADS[name][0]
    if not first.member:
        return name.partition(".")[0] if "." in name else "conversion and size"
    return f"on {' or '.join(sorted(first.target or ()))}"


def fields_of(type_: Type) -> str:
    return table(("field", "type"), [(_code(name), _kind(field.type)) for name, field in type_.fields.items()])


def _kind(type_: Type) -> str:
    if type_.enum is not None and len(type_.enum) < 5:
        return ", ".join(_code(str(value)) for value in type_.enum)
    return str(type_)


def limits() -> str:
    rows = [
        ("bytes of a file", f"{text.MAX_BYTES:,}"),
        ("depth of a file", f"{text.MAX_DEPTH}"),
        ("values in a file, aliases expanded", f"{text.MAX_NODES:,}"),
        ("aliases in a file", f"{yaml_tree.MAX_ALIASES}"),
        ("characters of an expression", f"{syntax.LONGEST:,}"),
        ("loops (`map`, `filter`, `all`, …) inside each other in an expression", f"{syntax.NESTED_LOOPS}"),
        ("iterations of all loops of an expression; long values in a loop's body count too", f"{engine.ITERATIONS:,}"),
        (
            "items of a list in a loop that may go unevaluated, as in `orValue(…)` and `optMap(…)`",
            f"{engine.LONGEST:,}",
        ),
    ]
    return table(("what", "at most"), rows)


def reserved() -> str:
    return ", ".join(map(_code, sorted(draft.RESERVED))) + "\n"


def orders() -> str:
    """What each order takes, besides `actor` and `reason`."""
    rows = [
        (
            _code(name),
            _code(field),
            word_of(typing.get_type_hints(model)[field]),
            _default(about),
            about.description or "",
        )
        for name, model in ORDERS.items()
        for field, about in model.model_fields.items()
        if field not in Order.model_fields
    ]
    return table(("order", "key", "type", "default", "meaning"), rows)


def run_options() -> str:
    """What people say of a run; the rest is for runs that start runs."""
    return keys(Options, ("part", "is_child", "origin", *(f"overrides[].{key}" for key in Override.model_fields)))


def counted() -> str:
    """Estimates beside the counts of tokenizers, over the texts that a test has."""
    data = json.loads((PROJECT / "tests/activities/models/token_counts.json").read_text(encoding="utf-8"))
    rows = [(each["kind"], tokens(each["text"]), each["counts"].values()) for each in data["samples"]]
    told = [(kind, f"{about / max(counts):.2f}", f"{about / min(counts):.2f}") for kind, about, counts in rows]
    return table(("text", "of the most", "of the fewest"), told)


def settings() -> str:
    fields = Settings.model_fields.items()
    rows = [(_code(f"HAULAGE_{name.upper()}"), _default(each), each.description or "") for name, each in fields]
    return table(("setting", "default", "meaning"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "files": files,
    "kinds": kinds,
    "workflow": lambda: keys(
        shapes.WorkflowFile, [*base.ManifestFile.model_fields, *(f"budget.{key}" for key in base.Budget.model_fields)]
    ),
    "node": lambda: keys(shapes.Common),
    **{f"kind.{kind}": lambda kind=kind: own_keys(kind) for kind in shapes.NODE_KINDS},  # type: ignore[misc]
    "edge": lambda: keys(shapes.Arrow),
    "retry": lambda: keys(base.Retry),
    "budget": lambda: keys(base.Budget),
    "agents": lambda: keys(agents.Agent),
    "tools": lambda: keys(tools.Tool),
    "permissions": lambda: keys(tools.Permissions),
    "models": lambda: keys(models.Model),
    "routes": lambda: keys(models.Route),
    "pipelines": lambda: keys(pipelines.Pipeline),
    "fallbacks": lambda: keys(pipelines.Fallback),
    "stores": lambda: keys(memory.Store),
    "profiles": lambda: keys(memory.Profile),
    "policies": lambda: keys(policies.PoliciesFile, base.ManifestFile.model_fields),
    "plugins": lambda: keys(plugins.Plugin),
    "triggers": lambda: keys(triggers.Trigger),
    "scenario": lambda: keys(scenario.ScenarioFile),
    "head": lambda: keys(base.ManifestFile),
    "categories": categories,
    "builtin-tools": builtin_tools,
    "shipped-plugins": shipped_plugins,
    "functions": function_names,
    "run": lambda: fields_of(outputs.RUN),
    "error": lambda: fields_of(outputs.ERROR),
    "limits": limits,
    "reserved": reserved,
    "codes": codes,
    "commands": commands,
    "orders": orders,
    "options": run_options,
    "counted": counted,
    "metrics": lambda: table(("metric", "labels", "meaning"), [(_code(name), *each) for name, each in METRICS.items()]),
    "settings": settings,
}


def pages() -> list[Path]:
    return [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]


def filled(page: str) -> str:
    """A page with all of its tables as the code has them."""
    return _MARKED.sub(lambda found: f"{found['start']}{TABLES[found['name']]()}{found['end']}", page)


def main() -> None:
    for path in pages():
        before = path.read_text(encoding="utf-8")
        if (after := filled(before)) != before:
            path.write_text(after, encoding="utf-8")
            print(path.relative_to(PROJECT))


if __name__ == "__main__":
    main()

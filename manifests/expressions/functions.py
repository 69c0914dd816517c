"""Every function CEL gives us, its ways to be called, and what other languages call it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from manifests.expressions.types import DYN, STRING, Type, join, kind, list_of, optional_of


@dataclass(frozen=True, slots=True)
class Overload:
    """One way to call a function: kinds of the target and of each argument (none: any), and the kind it gives."""

    target: frozenset[str] | None
    args: tuple[frozenset[str], ...]
    result: str
    member: bool


_TABLE = """
size(string|bytes|list|object) int
string|bytes|list|object.size() int
int(int|uint|double|string|bool|timestamp|duration) int
uint(int|uint|double|string) uint
double(int|uint|double|string) double
string(int|uint|double|string|bool|bytes|timestamp|duration) string
bool(bool|string) bool
bytes(bytes|string) bytes
dyn(any) any
type(any) type
timestamp(int|string|timestamp) timestamp
duration(string|duration) duration
string.contains(string) bool
string.startsWith(string) bool
string.endsWith(string) bool
string.matches(string) bool
matches(string,string) bool
string.charAt(int) string
string.indexOf(string) int
string.indexOf(string,int) int
string.lastIndexOf(string) int
string.lastIndexOf(string,int) int
list.join() string
list.join(string) string
string.lowerAscii() string
string.upperAscii() string
string.replace(string,string) string
string.replace(string,string,int) string
string.split(string) strings
string.split(string,int) strings
string.substring(int) string
string.substring(int,int) string
string.trim() string
string.format(list) string
string.reverse() string
strings.quote(string) string
math.ceil(double) double
math.floor(double) double
math.round(double) double
math.trunc(double) double
math.sqrt(int|uint|double) double
math.abs(int|uint|double) same
math.sign(int|uint|double) same
math.isNaN(double) bool
math.isInf(double) bool
math.isFinite(double) bool
math.bitAnd(int|uint,int|uint) same
math.bitOr(int|uint,int|uint) same
math.bitXor(int|uint,int|uint) same
math.bitNot(int|uint) same
math.bitShiftLeft(int|uint,int) same
math.bitShiftRight(int|uint,int) same
optional.of(any) optional
optional.ofNonZeroValue(any) optional
optional.none() none
optional.or(optional) either
optional.orValue(any) held
optional.value() value
optional.hasValue() bool
timestamp.getFullYear() int
timestamp.getMonth() int
timestamp.getDate() int
timestamp.getDayOfMonth() int
timestamp.getDayOfWeek() int
timestamp.getDayOfYear() int
timestamp|duration.getHours() int
timestamp|duration.getMinutes() int
timestamp|duration.getSeconds() int
timestamp|duration.getMilliseconds() int
timestamp.getFullYear(string) int
timestamp.getMonth(string) int
timestamp.getDate(string) int
timestamp.getDayOfMonth(string) int
timestamp.getDayOfWeek(string) int
timestamp.getDayOfYear(string) int
timestamp.getHours(string) int
timestamp.getMinutes(string) int
timestamp.getSeconds(string) int
timestamp.getMilliseconds(string) int
"""
_LINE = re.compile(r"(?:([\w|]+)\.)?(\w+)\((.*?)\) (\w+)")
_GLOBAL = {"math", "strings", "optional.of", "optional.ofNonZeroValue", "optional.none"}
EXTREMES = {"math.@max": "math.greatest", "math.@min": "math.least"}
MACROS = {"all": "x", "exists": "x", "exists_one": "x", "map": "x", "filter": "x", "optMap": "x", "optFlatMap": "x"}
FOREIGN = {
    "len": "size(x)",
    "length": "size(x)",
    "count": "size(x)",
    "str": "string(x)",
    "toString": "string(x)",
    "float": "double(x)",
    "number": "double(x)",
    "includes": "'a' in xs, or text.contains('a')",
    "lower": "x.lowerAscii()",
    "toLowerCase": "x.lowerAscii()",
    "upper": "x.upperAscii()",
    "toUpperCase": "x.upperAscii()",
    "startswith": "x.startsWith('a')",
    "endswith": "x.endsWith('a')",
    "strip": "x.trim()",
    "max": "math.greatest(x, y)",
    "min": "math.least(x, y)",
    "abs": "math.abs(x)",
    "round": "math.round(x)",
    "ceil": "math.ceil(x)",
    "floor": "math.floor(x)",
    "any": "xs.exists(x, …)",
    "some": "xs.exists(x, …)",
    "every": "xs.all(x, …)",
    "get": "a.?b.orValue(x)",
    "default": "a.?b.orValue(x)",
    "coalesce": "a.?b.orValue(x)",
    "isinstance": "type(x) == string",
    "now": "run.started_at; expressions have no clock",
    "date": "timestamp(run.started_at); expressions have no clock",
}


def _alternatives(text: str) -> frozenset[str]:
    return frozenset() if text == "any" else frozenset(text.split("|"))


def _read(table: str) -> dict[str, list[Overload]]:
    known: dict[str, list[Overload]] = {}
    for target, name, args, result in _LINE.findall(table):
        spelt = f"{target}.{name}"
        is_global = not target or target in _GLOBAL or spelt in _GLOBAL
        kinds = tuple(_alternatives(arg) for arg in args.split(",")) if args else ()
        overload = Overload(None if is_global else _alternatives(target), kinds, result, not is_global)
        known.setdefault(spelt if is_global and target else name, []).append(overload)
    return known


OVERLOADS = _read(_TABLE)
RESULTS: dict[str, Callable[[list[Type]], Type]] = {
    "any": lambda _: DYN,
    "same": lambda given: given[0].without_null().widened(),
    "strings": lambda _: list_of(STRING),
    "optional": lambda given: optional_of(given[0]),
    "none": lambda _: optional_of(join(())),
    "either": lambda given: optional_of(join(one.items for one in given)),
    "held": lambda given: join((given[0].items, given[1])),
    "value": lambda given: given[0].items,
}


def result_of(overload: Overload, given: list[Type]) -> Type:
    """The type of a call, from the types of its target and arguments."""
    known = RESULTS.get(overload.result)
    if known is None:
        return kind(overload.result)
    return known(given)


def usage(name: str) -> str:
    """How a function is called, in the words of the author's own language."""
    shown = []
    for overload in OVERLOADS[name]:
        args = ", ".join("|".join(sorted(arg)) or "x" for arg in overload.args)
        before = f"{'|'.join(sorted(overload.target))}." if overload.target else ""
        shown.append(f"{before}{name}({args})")
    return " or ".join(shown)

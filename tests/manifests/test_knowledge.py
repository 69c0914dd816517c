"""What the edges of decisions guard: facts hold wherever they were surely asked for, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.manifests.broken.cases import found

HEAD = """apiVersion: haulage/v1
name: guarded
input:
  type: object
  required: [n, xs]
  properties:
    n: {type: integer}
    x: {type: string}
    y: {type: [string, "null"]}
    xs: {type: array, items: {type: object, properties: {x: {type: string}}}}
"""
UPPER = "{transform: '${input.x.upperAscii()}'}"
CHOICE = """output: 1
nodes:
  ask: {decision: {}}
  known: {transform: '${input.x.upperAscii()}'}
  unknown: {transform: none}
edges:
  - {from: ask, to: known, when: CONDITION}
  - {from: ask, to: unknown, else: true}
"""


def codes(tmp_path: Path, text: str, **files: str) -> list[str]:
    folder = tmp_path.resolve() / "bundle"
    folder.mkdir(parents=True)
    (folder / "workflow.yaml").write_text(HEAD + text)
    for name, more in files.items():
        (folder / f"{name}.yaml").write_text(more)
    return [line.split(" ")[0] for line in found(folder)]


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("has(input.x)", []),
        ("'has(input.x) && input.n > 3'", []),
        ("'input.n > 3 && has(input.x)'", []),
        ("'\"x\" in input'", []),
        ("'has(input.x) || input.n > 3'", ["HL303"]),
        ("'!has(input.x)'", ["HL303"]),
        ("input.n > 3", ["HL303"]),
    ],
)
def test_a_condition_guards_the_node_that_it_leads_to(tmp_path: Path, condition: str, said: list[str]) -> None:
    assert codes(tmp_path, CHOICE.replace("CONDITION", condition)) == said


def test_an_else_guards_with_the_opposite_of_all_conditions(tmp_path: Path) -> None:
    text = """output: 1
nodes:
  ask: {decision: {}}
  none: {transform: none}
  few: {transform: few}
  known: {transform: '${input.x + input.y}'}
edges:
  - {from: ask, to: none, when: '!has(input.x)'}
  - {from: ask, to: few, when: '!has(input.y) || input.y == null'}
  - {from: ask, to: known, else: true}
"""
    assert codes(tmp_path, text) == []


def test_a_fact_holds_for_all_that_follows_and_in_its_bodies(tmp_path: Path) -> None:
    text = """output: 1
nodes:
  ask: {decision: {}}
  no: {transform: none}
  first: {transform: 1}
  each:
    map:
      over: input.xs
      do:
        nodes:
          one: {transform: '${input.x + string(index)}'}
  again: {decision: {}}
  small: {transform: '${input.x}'}
  big: {transform: '${input.x}'}
  both: {join: any, transform: '${input.x}'}
  sorry: {transform: '${input.x + error.message}'}
edges:
  - {from: ask, to: first, when: has(input.x)}
  - {from: ask, to: no, else: true}
  - first -> each -> again
  - {from: again, to: small, when: size(input.x) < 3}
  - {from: again, to: big, else: true}
  - small -> both
  - big -> both
  - {from: each, to: sorry, on: error}
"""
    assert codes(tmp_path, text) == []


@pytest.mark.parametrize("join", ["{join: any, transform: '${input.x}'}", "{merge: '${input.x}'}"])
def test_where_ways_meet_only_what_all_of_them_prove_is_known(tmp_path: Path, join: str) -> None:
    text = f"""output: 1
nodes:
  ask: {{decision: {{}}}}
  known: {{transform: 1}}
  unknown: {{transform: 2}}
  both: {join}
edges:
  - {{from: ask, to: known, when: has(input.x)}}
  - {{from: ask, to: unknown, else: true}}
  - known -> both
  - unknown -> both
"""
    assert codes(tmp_path, text) == ["HL303"]


def test_a_failure_brings_what_was_known_before_it_only(tmp_path: Path) -> None:
    text = """output: 1
nodes:
  start: {transform: '${input.n}'}
  ask: {decision: {}}
  known: {transform: 1}
  no: {transform: 1}
  sorry: {join: any, transform: '${input.x}'}
edges:
  - start -> ask
  - {from: ask, to: known, when: has(input.x)}
  - {from: ask, to: no, else: true}
  - {from: start, to: sorry, on: error}
  - {from: known, to: sorry, on: error}
"""
    assert codes(tmp_path, text) == ["HL303"]


def test_a_pipeline_that_steps_over_the_question_knows_nothing(tmp_path: Path) -> None:
    text = """output: 1
nodes:
  start: {transform: 1}
  ask: {decision: {}}
  known: {transform: '${input.x}'}
edges:
  - start -> ask
  - {from: ask, to: known, when: has(input.x)}
  - {from: ask, to: other, else: true}
"""
    text = text.replace("edges:", "  other: {transform: 1}\nedges:")
    pipelines = "apiVersion: haulage/v1\npipelines:\n  all: {score: 1}\n  short: {skip: [SKIP]}\n"
    assert codes(tmp_path, text, pipelines=pipelines.replace("SKIP", "ask")) == ["HL303"]
    assert codes(tmp_path / "other", text, pipelines=pipelines.replace("SKIP", "start")) == []


ITEMS = """output: 1
nodes:
  each:
    map:
      over: input.xs
      do:
        nodes:
          ask: {decision: {}}
          known: KNOWN
          unknown: {transform: 1}
        edges:
          - {from: ask, to: known, when: has(item.x)}
          - {from: ask, to: unknown, else: true}
        output: 1
"""
INNER = "{map: {over: input.xs, as: AS, do: {nodes: {deep: {transform: '${item.x}'}}}}}"


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ("{transform: '${item.x}'}", []),
        (INNER.replace("AS", "other"), []),
        (INNER.replace("AS", "item"), ["HL303"]),
    ],
)
def test_an_item_of_another_map_is_another_item(tmp_path: Path, known: str, said: list[str]) -> None:
    assert codes(tmp_path, ITEMS.replace("KNOWN", known)) == said


LOOP = """output: 1
nodes:
  turn:
    loop:
      max: 3
      until: index > 1
      carry:
        last: {first: null, next: '${done.text}'}
      do:
        nodes:
          done: {transform: {text: TEXT}}
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("'${loop.last.upperAscii()}'", ["HL303"]),
        ("'${loop.last != null ? loop.last.upperAscii() : \"\"}'", []),
        ("'${loop.last == null ? \"\" : string(size(loop.last))}'", []),
        ('\'${loop.last == 3 ? "" : "a"}\'', ["HL304"]),
    ],
)
def test_what_begins_as_null_is_read_behind_a_guard(tmp_path: Path, text: str, said: list[str]) -> None:
    assert codes(tmp_path, LOOP.replace("TEXT", text)) == said


def test_an_edge_guards_what_a_loop_carries_in_the_same_iteration(tmp_path: Path) -> None:
    text = """output: 1
nodes:
  turn:
    loop:
      max: 3
      until: index > 1
      carry:
        last: {first: null, next: '${string(index)}'}
      do:
        output: 1
        nodes:
          ask: {decision: {}}
          again: {transform: '${loop.last.upperAscii()}'}
          inner:
            loop:
              max: 2
              until: loop.last == null
              carry: {last: {first: null, next: '${string(index)}'}}
              do: {nodes: {deep: {transform: '${loop.last.upperAscii()}'}}}
          first: {transform: 1}
        edges:
          - {from: ask, to: again, when: loop.last != null}
          - {from: ask, to: first, else: true}
          - again -> inner
"""
    assert codes(tmp_path, text) == ["HL303"]


def test_finally_is_guarded_by_its_own_edges(tmp_path: Path) -> None:
    text = """nodes:
  work: {transform: {text: a}}
finally:
  nodes:
    ask: {decision: {}}
    failed: {transform: '${error.message}'}
    worked: {transform: '${work.text}'}
    neither: {transform: 1}
  edges:
    - {from: ask, to: failed, when: has(error.message)}
    - {from: ask, to: worked, when: has(work.text)}
    - {from: ask, to: neither, else: true}
"""
    assert codes(tmp_path, text) == []


def test_what_stands_in_for_a_skipped_node_is_not_guarded_by_the_way_to_it(tmp_path: Path) -> None:
    text = CHOICE.replace("CONDITION", "has(input.x)").replace(
        "upperAscii()}'}", "upperAscii()}', when_skipped: '${input.x}'}"
    )
    assert codes(tmp_path, text) == ["HL303"]


def test_a_name_that_is_taken_does_no_harm(tmp_path: Path) -> None:
    text = """nodes:
  each: {map: {over: input.xs, as: inputs, do: {nodes: {one: {transform: '${inputs[3]}'}}}}}
"""
    assert "HL202" in codes(tmp_path, text)


def test_a_stand_in_for_a_skipped_gate_is_no_answer(tmp_path: Path) -> None:
    text = """output: 1
nodes:
  ask: {decision: {}}
  gate: {human: {ask: Pay?, within: 1h}, when_skipped: {choice: approve, by: nobody, reason: none}}
  other: {transform: 1}
  met: {join: any, decision: {}}
  pay: {tool: pay}
  no: {transform: 1}
edges:
  - {from: ask, to: gate, when: input.n > 3}
  - {from: ask, to: other, else: true}
  - gate -> met
  - other -> met
  - {from: met, to: pay, when: has(gate.choice)}
  - {from: met, to: no, else: true}
"""
    tools = """apiVersion: haulage/v1
tools:
  pay:
    uses: http.request
    with: {url: "https://example.org"}
    effect: irreversible
    permissions: {network: [example.org]}
"""
    assert codes(tmp_path, text, tools=tools) == ["HL403"]


def test_behind_a_condition_that_does_not_parse_nothing_more_is_said(tmp_path: Path) -> None:
    assert codes(tmp_path, CHOICE.replace("CONDITION", "has(input.x")) == ["HL300"]


JOINED = """output: 1
nodes:
  ask: {decision: {}}
  one: {transform: 1}
  two: {transform: 2}
  third: {transform: 3}
  start: {transform: 1}
  all: {merge: "${MERGE}"}
edges:
  - start -> ask
  - start -> third -> all
  - {from: ask, to: one, when: input.n > 3}
  - {from: ask, to: two, else: true}
  - one -> all
  - two -> all
"""


@pytest.mark.parametrize(
    ("merge", "said"),
    [
        ("inputs[0]", []),
        ("inputs[1]", ["HL223"]),
        ("inputs[-1]", ["HL223"]),
        ("inputs[?1].orValue(0)", []),
        ("size(inputs) > 1 ? inputs[1] : 0", []),
        ("inputs.map(i, i + 1)", []),
    ],
)
def test_a_merge_reads_by_number_what_surely_arrives(tmp_path: Path, merge: str, said: list[str]) -> None:
    assert codes(tmp_path, JOINED.replace("MERGE", merge)) == said


MANY = """output: 1
nodes:
  ask: {decision: CHOOSING}
  one: {transform: 1}
  two: {transform: 2}
edges:
  - {from: ask, to: one, when: FIRST}
  - {from: ask, to: two, when: SECOND}
"""


@pytest.mark.parametrize(
    ("choosing", "first", "second", "said"),
    [
        ("{}", "input.n > 3", "input.n <= 3", []),
        ("{}", "'true'", "input.n > 3", ["HL313"]),
        ("{}", "input.n > 3", "'true'", ["HL313"]),
        ("{many: true}", "'true'", "input.n > 3", []),
        ("{many: true}", "'true'", "'true'", []),
        ("{many: true}", "'true'", "'false'", ["HL313"]),
        ("{}", "input.n > 3", "input.n>3", ["HL213", "HL222"]),
    ],
)
def test_conditions_ask_something(tmp_path: Path, choosing: str, first: str, second: str, said: list[str]) -> None:
    text = MANY.replace("CHOOSING", choosing).replace("FIRST", first).replace("SECOND", second)
    assert codes(tmp_path, text) == said

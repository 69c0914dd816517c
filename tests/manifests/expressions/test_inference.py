import pytest

from manifests.expressions.inference import examine
from manifests.expressions.schemas import of_schema
from manifests.expressions.types import DYN, INT, Type, list_of


def an_object(required: str = "", /, **properties: object) -> dict[str, object]:
    return {"type": "object", "properties": properties, "required": required.split()}


TEXT, WHOLE, FRACTION, YES = {"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": "boolean"}
TEXTS = {"type": "array", "items": TEXT}
MODES = {"enum": ["normal", "analysis_only", "dry_run"]}
SCHEMAS: dict[str, object] = {
    "check": an_object(
        "passed failures left", passed=YES, failures=WHOLE, note=TEXT, left={"type": ["integer", "null"]}
    ),
    "plan": an_object("steps", steps=TEXTS, confidence=FRACTION, meta=an_object("a", a=WHOLE, b=WHOLE)),
    "run": an_object("id mode tags", id=TEXT, mode=MODES, tags=TEXTS),
    "prices": {"type": "object", "additionalProperties": FRACTION},
    "files": {"type": "array", "items": an_object("path", path=TEXT, size=WHOLE)},
    "vague": {"type": "object"},
    "any": True,
    "loop": an_object("index", index=WHOLE),
    "two-words": True,
}
SCOPE: dict[str, Type] = {name: of_schema(schema) for name, schema in SCHEMAS.items()}  # type: ignore[arg-type]

QUIET = [
    ("check.passed && check.failures == 0", "bool"),
    ('has(check.passed) && check.passed ? "done" : "needs a person"', "string"),
    ("has(plan.confidence) ? plan.confidence : 0.0", "number"),
    ("[plan.steps[0]]", "list of string"),
    ('run.mode == "analysis_only" || "plan-only" in run.tags', "bool"),
    ("plan.?confidence.orValue(0.5) > 0.2", "bool"),
    ("double(plan.?confidence.orValue(0.5)) * 2.0", "double"),
    ("plan.?confidence", "number or null"),
    ("plan.?meta.a.orValue(3)", "int"),
    ("plan.?meta.?b.orValue(3)", "int"),
    ("plan.?meta.optMap(m, m.a)", "int or null"),
    ("has(plan.meta) && plan.meta.a > 1", "bool"),
    ("!has(plan.meta) || plan.meta.a > 1", "bool"),
    ("has(plan.meta) ? plan.meta.a : 0", "int"),
    ("!has(plan.meta) ? 0 : plan.meta.a", "int"),
    ("has(plan.meta) && has(plan.meta.b) && plan.meta.b > 1", "bool"),
    ("check.left != null && check.left + 1 > 2", "bool"),
    ("check.left == null ? 0 : check.left + 1", "int"),
    ("'a' in prices && prices.a > 1.0", "bool"),
    ("prices[?'a'].orValue(0.0)", "number"),
    ("prices.map(name, name + '!')", "list of string"),
    ("files.filter(f, has(f.size) && f.size > 3).map(f, f.path)", "list of string"),
    ("files.all(f, f.path.endsWith('.py'))", "bool"),
    ("size(plan.steps) + run.id.size()", "int"),
    ("run.id.split(',').join('-').lowerAscii()", "string"),
    ("string(check.failures) + ' failures'", "string"),
    ("'%s is %d'.format([run.id, check.failures])", "string"),
    ("math.greatest(check.failures, 3)", "int"),
    ("math.round(1.5)", "double"),
    ("{'a': 1, ?'b': plan.?confidence}", "object"),
    ("vague.a.b", "anything"),
    ("any.a.b + 1", "anything"),
    ("dyn(check.failures) + 'x'", "string"),
    ("type(any) == string", "bool"),
    ("loop.index + 1", "int"),
    ("[] == plan.steps", "bool"),
    ("check.failures < 1.5", "bool"),
    ("timestamp('2020-01-01T00:00:00Z') < timestamp(run.id)", "bool"),
]


@pytest.mark.parametrize(("text", "gives"), QUIET, ids=[text for text, _ in QUIET])
def test_a_sound_expression_has_a_type_and_no_findings(text: str, gives: str) -> None:
    inferred = examine(text, SCOPE)
    assert (str(inferred.type), inferred.findings) == (gives, ())


# The marks «…» show where the finding stands; then its code, and what its message or its way out says.
FOUND = [
    ("«chek».passed", "HL301", "did you mean 'check'?"),
    ("check.passed && «nope»", "HL301", "no 'nope' here"),
    ("«None» == any", "HL301", "write null"),
    ("«True»", "HL301", "write true"),
    ("check.«pased»", "HL302", "did you mean 'passed'?"),
    ("check.«`pased`»", "HL302", "did you mean 'passed'?"),
    ("check['«»pased']", "HL302", "did you mean 'passed'?"),
    ("has(check.«nope»)", "HL302", "check has no field 'nope'"),
    ("check.?«nope».orValue(1)", "HL302", "check has no field 'nope'"),
    ("files.map(f, f.«pth»)", "HL302", "did you mean 'path'?"),
    ("plan.«confidence» > 0.5", "HL303", "plan.?confidence.orValue(…)"),
    ("has(plan.«meta».b)", "HL303", "may be absent"),
    ("has(plan.meta) || plan.«meta».a > 1", "HL303", "may be absent"),
    ("has(plan.meta) && plan.meta.«b» > 1", "HL303", "may be absent"),
    ("prices.«a»", "HL303", "may be absent"),
    ("prices['«»a']", "HL303", "prices[?'a'].orValue(…)"),
    ("files.map(f, f.«size»)", "HL303", "may be absent"),
    ("has(plan.meta) ? files.map(plan, plan.«meta») : []", "HL302", "has no field"),
    ("«check.left» + 1", "HL303", "check.left may be null here"),
    ("size(«check.left»)", "HL304", "size() does not take int or null"),
    ("plan.?confidence.«»value()", "HL303", ".orValue(…)"),
    ("check.failures «+» 'x'", "HL304", "write string(check.failures)"),
    ("'x' «+» check.failures", "HL304", "write string(check.failures)"),
    ("check.failures «+» 1.5", "HL304", "write double(check.failures)"),
    ("plan.?confidence.orValue(0.0) «*» 2.0", "HL304", "write double(plan.?confidence.orValue(0.0))"),
    ("1 «+» 1.5", "HL304", "write double(1)"),
    ("check.passed «<» 3", "HL304", "'<' does not take bool and int"),
    ("«check.failures» && true", "HL304", "write check.failures != 0"),
    ("!«run.id»", "HL304", 'write run.id != ""'),
    ("«plan.steps» ? 1 : 2", "HL304", "write size(plan.steps) > 0"),
    ("size(«check.failures»)", "HL304", "size() does not take int"),
    ("'%s' «%» run.id", "HL304", "write '%s'.format([run.id])"),
    ("plan.steps.«length»", "HL304", "write size(plan.steps)"),
    ("files.«path»", "HL304", "files.map(x, x.path)"),
    ("run.id.«nope»", "HL304", "run.id is string, which has no fields"),
    ("plan.steps[«'a'»]", "HL304", "a list is indexed by a number"),
    ("«run.id»[0]", "HL304", ".charAt(…)"),
    ("run.mode == «'analysis-only'»", "HL304", "did you mean 'analysis_only'?"),
    ("check.failures «==» '3'", "HL304", "always false"),
    ("check.passed «!=» null", "HL304", "check.passed is never null"),
    ("run.tags.exists(t, t «==» 3)", "HL304", "always false"),
    ("3 «in» run.tags", "HL304", "always false"),
    ("'a' «in» run.id", "HL304", "write run.id.contains('a')"),
    ("{'a': «plan.?confidence»}", "HL304", "write plan.?confidence.orValue(…)"),
    ("{«1»: 2}", "HL304", "the keys of an object are strings"),
    ("{'a': 1, «'a'»: 2}", "HL304", "is there twice"),
    ("«run.id».map(x, x)", "HL304", "map() goes through lists"),
    ("«timestamp(run.id)»", "HL304", "write string(timestamp(run.id))"),
    ("math.ceil(«check.failures»)", "HL304", "write double(check.failures)"),
    ("«nosuch»(1)", "HL305", "no function 'nosuch'"),
    ("run.id.«lowerAsci»()", "HL305", "did you mean 'lowerAscii'?"),
    ("«len»(plan.steps)", "HL305", "write size(x)"),
    ("«size»(1, 2)", "HL305", "size() does not take 2 arguments"),
    ("«contains»(run.id, 'a')", "HL305", "string.contains(string)"),
    ("plan.steps.«map»(x)", "HL305", "write xs.map(x, …)"),
    ("1 +«»", "HL300", "the expression ends too early"),
    ("check.passed «and» true", "HL300", "write '&&'"),
]


@pytest.mark.parametrize(("marked", "code", "says"), FOUND, ids=[marked for marked, _, _ in FOUND])
def test_a_mistake_is_found_where_it_stands(marked: str, code: str, says: str) -> None:
    start, end = marked.index("«"), marked.index("»") - 1
    findings = examine(marked.replace("«", "").replace("»", ""), SCOPE).findings
    assert [finding.code for finding in findings] == [code]
    assert says in f"{findings[0].message} {findings[0].fix}"
    if end > start or code == "HL300":
        assert (findings[0].start, findings[0].end) == (start, end)


def test_all_mistakes_come_at_once_in_the_order_of_the_text() -> None:
    findings = examine("chek.x && check.pased && len(run.id) > 'a'", SCOPE).findings
    assert [finding.code for finding in findings] == ["HL301", "HL302", "HL305"]


def test_columns_hold_behind_characters_of_two_units_and_line_breaks() -> None:
    text = "'né 😀' == run.id\n  && check.pased"
    (finding,) = examine(text, SCOPE).findings
    assert text[finding.start : finding.end] == "pased"


READS = [
    ("check.passed", [("check", ("passed",), False)]),
    ("check", [("check", (), False)]),
    ("has(check.passed)", [("check", ("passed",), True)]),
    ("has(plan.meta.a)", [("plan", ("meta", "a"), False)]),
    ("check.?passed.orValue(true)", [("check", ("passed",), True)]),
    ("check[?'passed'].orValue(true)", [("check", ("passed",), True)]),
    ("plan.meta.?b", [("plan", ("meta", "b"), False)]),
    ("plan.?meta.a", [("plan", ("meta", "a"), True)]),
    ("has(check.note) && check.failures > 1", [("check", ("note",), True), ("check", ("failures",), True)]),
    ("has(check.note) || check.passed", [("check", ("note",), True), ("check", ("passed",), False)]),
    ("plan.steps[0]", [("plan", ("steps", 0), False)]),
    ("plan.steps[loop.index]", [("loop", ("index",), False), ("plan", ("steps",), False)]),
    ("plan.steps.map(check, check.size())", [("plan", ("steps",), False)]),
    ("files.map(f, f.path + run.id)", [("files", (), False), ("run", ("id",), False)]),
]


@pytest.mark.parametrize(("text", "reads"), READS, ids=[text for text, _ in READS])
def test_reads_say_which_fields_and_whether_an_absent_root_matters(text: str, reads: list[object]) -> None:
    found = examine(text, SCOPE).reads
    assert [(read.root, read.path, read.guarded) for read in dict.fromkeys(found)] == reads


def test_a_read_spans_the_path_as_it_is_written() -> None:
    text = "1 < plan . steps[0].size()"
    (read,) = examine(text, SCOPE).reads
    assert text[read.offset : read.end] == "plan . steps[0]"


def test_only_lists_of_strings_are_joined() -> None:
    numbers = {"xs": list_of(INT), "any": DYN}
    [finding] = examine("xs.join(', ')", numbers).findings
    assert (finding.code, finding.fix) == ("HL304", "write xs.map(x, string(x))")
    assert not examine("xs.map(x, string(x)).join(', ') + any.join('')", numbers).findings

"""A migrated file is the old one with what is new, and not one byte besides."""

from __future__ import annotations

from pathlib import Path

import pytest

from manifests.migration import STEPS, Migrated, Step, files, migrated, migrations
from manifests.problems import Refused
from manifests.published import FOLDER
from manifests.reading import Unreadable, parse_yaml
from manifests.rewriting import Edit

CATALOGUE = FOLDER.parent.parent / "catalog"
NEW = "apiVersion: haulage/v1"
WORKFLOWS = sorted(CATALOGUE.glob("*/*.yaml"))


def after(folder: Path, text: str, steps: tuple[Step, ...] = STEPS) -> Migrated:
    path = folder / "workflow.yaml"
    path.write_bytes(text.encode())
    return migrated(path, steps)


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("# one\n# two\n\nname: x  # three\n", f"# one\n# two\n\n{NEW}\nname: x  # three\n"),
        ("---\n# c\nname: 'x'\n...\n", f"---\n# c\n{NEW}\nname: 'x'\n...\n"),
        ("\ufeff# c\r\nname: x\r\nb: 1", f"\ufeff# c\r\n{NEW}\r\nname: x\r\nb: 1"),
        ("  name: x\n  b: 1\n", f"  {NEW}\n  name: x\n  b: 1\n"),
        ("{name: x}", f"{{{NEW}, name: x}}"),
        ("--- {}\n", f"--- {{{NEW}}}\n"),
        ("&r\nname: x\n", f"&r\n{NEW}\nname: x\n"),
        ("# 名前 é\nname: 名前\n", f"# 名前 é\n{NEW}\nname: 名前\n"),
    ],
)
def test_the_version_goes_before_the_first_key(tmp_path: Path, before: str, expected: str) -> None:
    done = after(tmp_path, before)
    assert done.data.decode() == expected
    assert done.changes == (NEW,)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: str(path.relative_to(CATALOGUE)))
def test_comments_order_and_quoting_are_kept(tmp_path: Path, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    old = text.replace(f"{NEW}\n", "", 1)
    assert after(tmp_path, old).data.decode().replace(f"{NEW}\n", "", 1) == old
    assert parse_yaml(after(tmp_path, old).data.decode(), "x").data == parse_yaml(text, "x").data


def test_a_current_file_stays_as_it_is(tmp_path: Path) -> None:
    text = f"name: x\n\n{NEW}   # here\n"
    assert after(tmp_path, text) == Migrated(tmp_path / "workflow.yaml", (), text.encode())


@pytest.mark.parametrize("version", ["haulage/v2", "1", "[1]", ""])
def test_an_unknown_version_is_refused_where_it_stands(tmp_path: Path, version: str) -> None:
    with pytest.raises(Unreadable) as refused:
        after(tmp_path, f"name: x\napiVersion: {version}\n")
    assert refused.value.problem.span.line == 2
    assert "is not one that this haul knows" in refused.value.problem.message


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n", "a: [\n"])
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(Unreadable):
        after(tmp_path, text)


def test_steps_follow_each_other(tmp_path: Path) -> None:
    rename = Step("haulage/v1", "haulage/v2", "v2", lambda source, root: [Edit((0, 12), (0, 22), "haulage/v2")])
    done = after(tmp_path, "name: x\n", (*STEPS, rename))
    assert done.data == b"apiVersion: haulage/v2\nname: x\n"
    assert done.changes == (NEW, "v2")


def test_one_refused_file_refuses_the_bundle_and_all_are_told(tmp_path: Path) -> None:
    (tmp_path / "workflow.yaml").write_text("name: x\n")
    for name in ("tools", "agents"):
        (tmp_path / f"{name}.yaml").write_text("apiVersion: v9\n")
    with pytest.raises(Refused) as refused:
        migrations(tmp_path)
    assert len(refused.value.problems) == 2


def test_a_link_out_of_the_bundle_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "other.yaml").write_text("name: x\n")
    (tmp_path / "b" / "workflow.yaml").symlink_to(tmp_path / "other.yaml")
    with pytest.raises(Refused, match="leads out of the bundle"):
        migrations(tmp_path / "b")


def test_scenarios_are_files_of_a_bundle_too() -> None:
    assert {path.name for path in files(CATALOGUE / "hello")} == {"workflow.yaml", "tools.yaml", "greeting.yaml"}

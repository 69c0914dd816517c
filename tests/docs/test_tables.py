"""The tables in the documentation are those of the code."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

PROJECT = Path(__file__).resolve().parents[2]


def loaded_tables() -> ModuleType:
    """docs/ is no package, so the module comes from its file."""
    spec = importlib.util.spec_from_file_location("docs_tables", PROJECT / "docs" / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TABLES = loaded_tables()
PAGES = TABLES.pages()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tables_of_a_page_are_current(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert TABLES.filled(text) == text, "run `make docs`"


def test_every_table_stands_on_a_page() -> None:
    written = {name for page in PAGES for name in re.findall(r"<!-- table: (\S+) -->", page.read_text("utf-8"))}
    assert written == set(TABLES.TABLES)


def test_a_stale_table_is_replaced() -> None:
    stale = "before\n<!-- table: reserved -->\n| old |\n<!-- end -->\nafter\n"
    filled = TABLES.filled(stale)
    assert "old" not in filled
    assert filled.startswith("before\n<!-- table: reserved -->\n`LOOP`")
    assert filled.endswith("<!-- end -->\nafter\n")
    assert TABLES.filled(filled) == filled

"""Writes what the compiler says now into the case files: `python tests/manifests/broken/regenerate.py`; then review."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.manifests.broken.cases import Case, cases, found, groups, lay_out


def regenerated(case: Case) -> str:
    with tempfile.TemporaryDirectory() as above:
        folder = Path(above).resolve() / "bundle"
        try:
            lay_out(case, folder)
        except ValueError as error:
            raise SystemExit(f"{case.name}: {error}") from None
        try:
            problems = "\n".join(found(folder))
        except Exception as error:
            problems = f"CRASH {type(error).__name__}: {error}"
    return f"##### {case.text.rstrip()}\n!!! problems\n{problems}\n"


def main(names: list[str]) -> None:
    for group in groups():
        if not names or group.stem in names:
            preface = group.read_text("utf-8").partition("##### ")[0]
            texts = [regenerated(case) for case in cases(group)]
            group.write_text(preface + "\n".join(texts), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])

"""A scenario as the script of a run."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from gateway.cli.diagnostics import refuse
from gateway.cli.misuse import Misuse
from manifests.problems import Refused
from manifests.reading import read_yaml
from manifests.shape.scenario import ScenarioFile


def scenario_of(path: Path, color: str) -> ScenarioFile | None:
    """The scenario in a file; None when it is not YAML, which is told."""
    if not path.is_file():
        raise Misuse(f"there is no file {str(path)!r}")
    try:
        return ScenarioFile.model_validate(read_yaml(path, str(path)).data)
    except Refused as refused:
        refuse(refused.problems, color)
        return None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise Misuse(f"{str(path)!r} is not a scenario: {where or 'it'}: {first['msg']}") from None

"""Secrets by name, and where their values come from; no message holds one."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from activities.failing import Failing


@dataclass(frozen=True)
class Secrets:
    """The environment first, then a file that only its owner may read: a JSON object, or lines of `NAME=VALUE`."""

    environment: Mapping[str, str] = field(repr=False)
    file: Path | None = None

    def named(self, name: str, whose: str) -> str:
        """Raises `Failing` for one that is missing, or that no header could carry."""
        value = self.environment.get(name) or self._kept().get(name)
        if not value:
            file = "the secrets file (HAULAGE_SECRETS)" if self.file is None else str(self.file)
            said = f"{whose} wants the secret {name}: set it in the environment of this worker, or in {file}"
            raise Failing("engine", said)
        if not re.fullmatch(r"[!-~]{1,4096}", value):
            raise Failing("engine", f"the secret {name} holds a space, a line break or no ASCII, or is too long")
        return value

    def _kept(self) -> dict[str, str]:
        if self.file is None:
            return {}
        try:
            mode = self.file.stat().st_mode
            if stat.S_IMODE(mode) & 0o077:
                raise Failing("engine", f"{self.file} can be read by others than its owner: chmod 600 {self.file}")
            return _read(self.file.read_text(encoding="utf-8"))
        except OSError as error:
            raise Failing("engine", f"the secrets file {self.file} cannot be read: {error.strerror}") from None
        except ValueError:
            said = f"the secrets file {self.file} is neither a JSON object of texts nor lines of NAME=VALUE"
            raise Failing("engine", said) from None


def _read(text: str) -> dict[str, str]:
    if text.lstrip().startswith("{"):
        found = json.loads(text)
        if not all(isinstance(value, str) for value in found.values()):
            raise ValueError
        return dict(found)
    secrets = {}
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            name, equals, value = line.partition("=")
            if not equals:
                raise ValueError
            secrets[name.strip()] = _unquoted(value.strip())
    return secrets


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value

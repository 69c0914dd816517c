"""Reading the files of a bundle: YAML, JSON and prose, each with the places of its values."""

from __future__ import annotations

from pathlib import Path

from manifests import text as texts
from manifests.json_tree import parse_json
from manifests.source import Scalar, Source
from manifests.text import MAX_BYTES, MAX_DEPTH, MAX_NODES, Unreadable
from manifests.yaml_tree import MAX_ALIASES, parse_yaml

__all__ = [
    "MAX_ALIASES", "MAX_BYTES", "MAX_DEPTH", "MAX_NODES", "Unreadable",
    "parse_json", "parse_yaml", "read_json", "read_text", "read_yaml",
]  # fmt: skip


def read_yaml(path: Path, name: str) -> Source:
    return parse_yaml(texts.decoded(path, name), name)


def read_json(path: Path, name: str) -> Source:
    return parse_json(texts.decoded(path, name), name)


def read_text(path: Path, name: str) -> Source:
    """A file of prose, such as a prompt: its one value is the whole text."""
    text = texts.allowed(texts.decoded(path, name), name, texts.PROSE)
    return Source(name, text, Scalar(text, text, "text", (0, 0), texts.position(text, len(text))))

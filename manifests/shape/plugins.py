"""`plugins.yaml`: event sinks, channels and connectors."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from manifests.shape.base import ManifestFile, Name, Shape, Text


class Plugin(Shape):
    uses: Text = Field(description="A shipped one (`haulage.jsonl`), or yours as `package.module:Name`.")
    with_: dict[str, Any] = Field(default_factory=dict, alias="with", description="Its settings.")


class PluginsFile(ManifestFile):
    """`plugins.yaml`"""

    plugins: dict[Name, Plugin] = Field(default_factory=dict, description="The plugins, by name.")

"""`triggers.yaml`: what starts a run."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from manifests.shape.base import Duration, Literals, ManifestFile, Mode, Name, SecretRef, Shape, Text

Cron: TypeAlias = Annotated[str, StringConstraints(pattern=r"^(\S+ ){4}\S+$")]


class Schedule(Shape):
    cron: Cron | None = Field(None, description="Five fields: minute, hour, day, month, weekday.")
    every: Duration | None = Field(None, description="A fixed interval.")
    timezone: Text = Field("UTC", description="Where the clock of `cron` stands.")

    @model_validator(mode="after")
    def _says_when(self) -> Schedule:
        if (self.cron is None) == (self.every is None):
            raise PydanticCustomError("one_of", "a schedule needs one of 'cron' and 'every'", {"fix": "keep one"})
        return self


class Webhook(Shape):
    path: Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9/_-]*$")] = Field(description="Path of the URL.")
    secret: SecretRef = Field(description="Secret that signs the calls.")


class Sensor(Shape):
    tool: Name = Field(description="A pure tool; each element of the list it gives starts a run.")
    every: Duration = Field(description="How often it is asked.")


class Trigger(Shape):
    """What starts a run, and with what input."""

    schedule: Schedule | None = Field(None, description="At set times.")
    webhook: Webhook | None = Field(None, description="When it is called.")
    sensor: Sensor | None = Field(None, description="When there is something new.")
    input: Literals = Field(None, description="Input of the run; absent means what the webhook or sensor brings.")
    mode: Mode = Field("normal", description="Mode of the run.")

    @model_validator(mode="after")
    def _is_one_thing(self) -> Trigger:
        said = [key for key in ("schedule", "webhook", "sensor") if getattr(self, key) is not None]
        if len(said) != 1:
            raise PydanticCustomError(
                "one_of", "a trigger needs one of 'schedule', 'webhook' and 'sensor'", {"fix": "keep one"}
            )
        return self


class TriggersFile(ManifestFile):
    """`triggers.yaml`"""

    triggers: dict[Name, Trigger] = Field(default_factory=dict, description="The triggers, by name.")

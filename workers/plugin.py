"""Haulage as a Temporal plugin: runs of manifests on a worker, and with a client, of somebody's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import DataConverter
from temporalio.plugin import SimplePlugin

from activities.store.recording import Recording
from activities.watching import Watching
from workers.building import ROLES, Role, activities_of, run_activities, world
from workers.settings import Settings
from workflows.run import ManifestRun


class HaulagePlugin(SimplePlugin):
    """Adds the runs of some bundles, and the activities of the given roles, to any worker.

    A run's activities go to the queues of their roles (`haulage.tools` and so on), so those want workers, too: `haul
    worker`, or a worker with this plugin on such a queue. `search_attributes` says that they are registered.
    """

    def __init__(
        self,
        *bundles: Path | str,
        settings: Settings | None = None,
        roles: tuple[Role, ...] = ROLES,
        search_attributes: bool = False,
    ) -> None:
        own = settings or Settings()
        if bundles:
            own = own.model_copy(update={"bundles": [Path(each) for each in bundles]})
        shared = world(own)
        activities = run_activities(shared, search_attributes) if "run" in roles else []
        for role in roles:
            activities += activities_of(role, shared)
        super().__init__(
            "haulage",
            data_converter=_pydantic,
            activities=activities,
            workflows=[ManifestRun] if "run" in roles else [],
            interceptors=[Recording(shared.recorder), Watching()],
            run_context=shared.opened,
        )


def _pydantic(converter: DataConverter | None) -> DataConverter:
    """Somebody's own converter with its codec, but for the way in which values become payloads."""
    return replace(converter or DataConverter.default, payload_converter_class=PydanticPayloadConverter)

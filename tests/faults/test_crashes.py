"""Workers that die at any step: the same result by the same path, and every effect once."""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio.client import Client

from tests.faults.campaign import CASES, Campaign, Trial, shared_out
from tests.faults.processes import Nest

FEW = 5


def spread(points: list[str], number: int) -> list[str]:
    """So many of them, from the first to the last."""
    number = min(number, len(points))
    return [points[round(place * (len(points) - 1) / max(1, number - 1))] for place in range(number)]


def assert_same(trials: list[Trial], undisturbed: Trial) -> None:
    told = {trial.point: trial.story for trial in trials}
    assert told == dict.fromkeys(told, undisturbed.story)


@pytest.mark.parametrize("name", ["hello", "rich-with-undone"])
async def test_a_run_comes_to_the_same_wherever_its_worker_dies(
    name: str, ways: list[Client], nest: Nest, tmp_path: Path
) -> None:
    campaign = Campaign(ways[0], nest, CASES[name], tmp_path)
    undisturbed = await campaign.undisturbed()
    events = [f"event:{number + 1}" for number in range(undisturbed.events)]
    points = [*spread(undisturbed.points, FEW), *spread(events, FEW)]
    trials = await shared_out([(campaign, (point,)) for point in points], ways)
    assert_same(trials, undisturbed)
    # What is new to a run may come in one step or in two, so the last steps are not in every run.
    assert sum(trial.reached for trial in trials) >= FEW


async def test_a_run_outlives_workers_that_all_die_at_their_second_activity(
    ways: list[Client], nest: Nest, tmp_path: Path
) -> None:
    campaign = Campaign(ways[0], nest, CASES["support-triage"], tmp_path)
    undisturbed = await campaign.undisturbed()
    trial = await campaign.trial(*["activity:2:after"] * 4)
    assert_same([trial], undisturbed)
    assert trial.reached
    assert len(trial.repeated) >= 4, trial.steps


@pytest.mark.long
@pytest.mark.parametrize("cached", ["1000", "0"])
@pytest.mark.parametrize("name", CASES)
async def test_every_step_and_event_of_every_bundle_survives_the_death_of_its_worker(
    name: str, cached: str, ways: list[Client], nest: Nest, tmp_path: Path
) -> None:
    """With a cache of runs, and without one, when every step begins with a replay."""
    campaign = Campaign(ways[0], nest, CASES[name], tmp_path, cached_runs=cached)
    undisturbed = await campaign.undisturbed()
    ends = undisturbed.points
    soon = [point.replace(":after", ":soon") for point in ends if point.endswith(":after")]
    events = [f"event:{number + 1}" for number in range(undisturbed.events)]
    trials = await shared_out([(campaign, (point,)) for point in [*ends, *soon, *events]], ways)
    assert_same(trials, undisturbed)
    reached = sum(trial.reached for trial in trials)
    repeated = sum(len(trial.repeated) for trial in trials)
    print(f"{name}, cache {cached}: {len(trials)} deaths wanted, {reached} died, {repeated} activities begun again")

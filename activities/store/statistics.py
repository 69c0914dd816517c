"""What calls of models come to, hour by hour, so that nobody has to read them one by one."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal, localcontext
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.database import Database
from activities.store.tables import Statistic

# Latencies are counted in steps, each so much longer than the one before.
STEP = 1.1
_LOG = math.log(STEP)


class Key(NamedTuple):
    model: str
    provider: str
    pool: str


@dataclass
class Tally:
    """Of what was asked; `hits`, which the cache answered, count nowhere else."""

    calls: int = 0
    hits: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    rungs: Counter[str] = field(default_factory=Counter)
    tokens_in: int = 0
    tokens_out: int = 0
    cached: int = 0
    reasoning: int = 0
    usd: Decimal = Decimal(0)
    took_ms: int = 0
    latencies: Counter[str] = field(default_factory=Counter)

    def add(self, call: Mapping[str, Any]) -> None:
        """A row of `model_calls`."""
        if call["hit"]:
            self.hits += 1
            return
        one = Tally(calls=1, latencies=Counter([str(step(call["took_ms"]))]))
        one.failures.update([call["category"]] if call["category"] else ())
        one.rungs.update([call["rung"]] if call["rung"] else ())
        for name in ("tokens_in", "tokens_out", "cached", "reasoning", "usd", "took_ms"):
            setattr(one, name, call[name])
        self.merge(one)

    def merge(self, other: Tally) -> None:
        # More digits than any sum of costs has: nothing is rounded.
        with localcontext(prec=200):
            for each in fields(self):
                setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    def percentile(self, share: float) -> float | None:
        """The latency in milliseconds that this share of calls did not exceed, to within five in a hundred."""
        wanted, seen = share * self.calls, 0
        for found in sorted(map(int, self.latencies)):
            seen += self.latencies[str(found)]
            if seen >= wanted:
                return 0.0 if found == 0 else STEP ** (found - 0.5)
        return None

    @property
    def failed(self) -> int:
        return sum(self.failures.values())

    @classmethod
    def of(cls, row: sa.RowMapping) -> Tally:
        counted = {name: Counter(row[name]) for name in ("failures", "rungs", "latencies")}
        return cls(**{each.name: row[each.name] for each in fields(cls)} | counted)

    def as_row(self) -> dict[str, Any]:
        facts = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: dict(value) if isinstance(value, Counter) else value for name, value in facts.items()}


def step(took_ms: int) -> int:
    return 0 if took_ms < 1 else math.floor(math.log(took_ms) / _LOG + 1e-9) + 1


def hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def tallied(calls: Iterable[Mapping[str, Any]]) -> dict[tuple[datetime, Key], Tally]:
    """By the hours in which they began."""
    found: dict[tuple[datetime, Key], Tally] = {}
    for call in calls:
        key = Key(call["model"], call["provider"], call["pool"])
        found.setdefault((hour_of(call["began"]), key), Tally()).add(call)
    return found


async def add(connection: AsyncConnection, database: Database, calls: Iterable[Mapping[str, Any]]) -> None:
    """Counts these calls, in a transaction; always in the same order, so that no two workers wait for each other."""
    table: sa.Table = Statistic.__table__  # type: ignore[attr-defined]
    for (hour, key), tally in sorted(tallied(calls).items(), key=lambda item: item[0]):
        names = {"hour": hour, **key._asdict()}
        fresh = database.insert(table).on_conflict_do_nothing()
        await connection.execute(fresh, [names | Tally().as_row()])
        its = sa.and_(*(table.c[name] == value for name, value in names.items()))
        row = (await connection.execute(sa.select(table).where(its).with_for_update())).mappings().one()
        tally.merge(Tally.of(row))
        await connection.execute(sa.update(table).where(its).values(tally.as_row()))


async def since(database: Database, moment: datetime) -> dict[Key, Tally]:
    """Of every model since the hour of this moment, the most asked first."""
    table: sa.Table = Statistic.__table__  # type: ignore[attr-defined]
    asked = sa.select(table).where(table.c.hour >= hour_of(moment))
    async with database.reading() as connection:
        rows = (await connection.execute(asked)).mappings().all()
    found: dict[Key, Tally] = {}
    for row in rows:
        found.setdefault(Key(row["model"], row["provider"], row["pool"]), Tally()).merge(Tally.of(row))
    return dict(sorted(found.items(), key=lambda item: (-item[1].calls, item[0])))

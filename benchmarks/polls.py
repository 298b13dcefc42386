"""What polls bring: how late a finished take is seen, and how often it was asked for. Simulated time, no network.

Takes are made one after the other, a few seconds apart, and asked for by a policy: the API document's loop (at once,
then each 15 s), even spacing (±20 %), or the forecast that a run uses (`veopipe.run.polling.forecast`). Latencies are
the document's and its users' (lognormal, median 51 s, 11 to 356 s), those of a gateway that tells results in ticks of
15 s only, and laws that are nothing like that. The last column is delay times polls against the document's loop, or,
for other laws, against even spacing.

Limits (issue 11, P2): 0.72 without ticks; with ticks 0.8 s at 0.8 times the polls; a single shot no worse than before.
For other laws: 1.1 times even spacing, and 1.1 times its polls. Where all latencies change at once, 1.2 (takes that are
under way meet the new law by the old one), and polls 1.5 times where a law has two peaks far from each other.

    python -m benchmarks.polls [--seeds 40]
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import mean

from benchmarks.measuring import Table
from veopipe.run.polling.forecast import Forecast
from veopipe.run.polling.latency import Bounds

INTERVAL = 15.0
Draw = Callable[[random.Random, int], float]


def usual(chance: random.Random, number: int) -> float:
    """The document's examples: 63 s on average."""
    return chance.lognormvariate(math.log(51), 0.65)


def _two_peaks(short: float, long: float) -> Draw:
    return lambda chance, number: chance.choice([short, long]) * chance.lognormvariate(0, 0.1)


HOSTILE: dict[str, Draw] = {
    "all take 51 s": lambda chance, number: 51.0,
    "all are there at once": lambda chance, number: 0.01,
    "narrow": lambda chance, number: chance.lognormvariate(math.log(51), 0.1),
    "wide": lambda chance, number: chance.lognormvariate(math.log(51), 1.2),
    "shorter than the interval": lambda chance, number: usual(chance, number) / 10,
    "a quarter of an hour": lambda chance, number: usual(chance, number) * 20,
    "30 or 300 s": _two_peaks(30, 300),
    "5 or 120 s": _two_peaks(5, 120),
    "uniform, 11 to 356 s": lambda chance, number: chance.uniform(11, 356),
    "without memory, 60 s": lambda chance, number: chance.expovariate(1 / 60),
    "without memory, 300 s": lambda chance, number: chance.expovariate(1 / 300),
    "heavy tail": lambda chance, number: 20 * chance.paretovariate(1.2),
    "ten times as long from the 50th on": lambda chance, number: usual(chance, number) * (10 if number >= 50 else 1),
    "a tenth from the 50th on": lambda chance, number: usual(chance, number) * (1 if number >= 50 else 10),
    "51 s, then 510 s": lambda chance, number: 510.0 if number >= 50 else 51.0,
    "510 s, then 51 s": lambda chance, number: 51.0 if number >= 50 else 510.0,
    "longer and longer": lambda chance, number: usual(chance, number) * (1 + number / 50),
}


@dataclass(frozen=True)
class World:
    """What is simulated.

    Attributes:
        policy: `loop`, `even` or `forecast`.
        draw: latencies.
        takes: of the list.
        in_flight: at a time.
        step: seconds from one tick of the server to the next; 0: no ticks.
        work: seconds that a step may be longer, by chance.
        stamp: what the gateway says as `completed_at`: `true`, or the time of the `poll` that asked.
        earlier: what an earlier run saw.
        seed: of all chance.
    """

    policy: str
    draw: Draw = usual
    takes: int = 100
    in_flight: int = 25
    step: float = 0.0
    work: float = 0.0
    stamp: str = "true"
    earlier: Sequence[Bounds] = ()
    seed: int = 0


@dataclass
class Batch:
    """A list under way in simulated time."""

    world: World
    chance: random.Random = field(init=False)
    forecast: Forecast = field(init=False)
    there: dict[int, float] = field(default_factory=dict)
    began: dict[int, float] = field(default_factory=dict)
    polls: dict[int, int] = field(default_factory=dict)
    delays: dict[int, float] = field(default_factory=dict)
    cpu: float = 0.0
    _events: list[tuple[float, int, int, int]] = field(default_factory=list)
    _plans: dict[int, int] = field(default_factory=dict)
    _ticks: list[float] = field(default_factory=lambda: [0.0])

    def __post_init__(self) -> None:
        self.chance = random.Random(self.world.seed)
        self.forecast = Forecast.of(INTERVAL, self.world.earlier)
        self._ticks = [-self.chance.uniform(0, self.world.step)]

    def run(self) -> Batch:
        """All of it."""
        made = min(self.world.takes, self.world.in_flight)
        for number in range(made):
            self._plan(number, number * 6.0)
        while self._events:
            at, _, number, plan = heapq.heappop(self._events)
            if number not in self.began:
                self._create(number, at)
            elif plan == self._plans[number] and self._poll(number, at) and made < self.world.takes:
                self._plan(made, at + 0.05)
                made += 1
        return self

    def _plan(self, number: int, at: float) -> None:
        self._plans[number] = self._plans.get(number, 0) + 1
        heapq.heappush(self._events, (at, len(self._events), number, self._plans[number]))

    def _create(self, number: int, at: float) -> None:
        latency = self.world.draw(random.Random(self.world.seed * 100_003 + number), number)
        self.began[number], self.there[number], self.polls[number] = at, self._shown(at + latency), 0
        if self.world.policy == "forecast":
            self.forecast.begin(number, at, self.chance.random())
        self._plan(number, at if self.world.policy == "loop" else self._next(number, at))

    def _shown(self, at: float) -> float:
        """When the gateway shows what is done."""
        while self.world.step and self._ticks[-1] < at:
            self._ticks.append(self._ticks[-1] + self.world.step + self.chance.uniform(0, self.world.work))
        return next(tick for tick in reversed(self._ticks) if tick < at + self.world.step) if self.world.step else at

    def _poll(self, number: int, at: float) -> bool:
        self.polls[number] += 1
        done, news = self.there[number] <= at, False
        begin = time.process_time()
        if self.world.policy == "forecast":
            stamp = int(1e9 + (at if self.world.stamp == "poll" else self.there[number]))
            if done:
                news = self.forecast.ended(number, at, stamp)
            else:
                news = self.forecast.renders(number, at, self.chance.random())
        if not done:
            self._plan(number, self._next(number, at))
        for other in self.forecast.waiting if news else ():
            self._plan(other, self._next(other, at))
        self.cpu += time.process_time() - begin
        if done:
            self.delays[number] = at - self.there[number]
        return done

    def _next(self, number: int, at: float) -> float:
        if self.world.policy == "forecast":
            return max(self.forecast.due(number), at)
        return at + INTERVAL * (1.0 if self.world.policy == "loop" else self.chance.uniform(0.8, 1.2))


def measure(world: World, seeds: int) -> tuple[float, float, float]:
    """Polls of a take, seconds of delay, and microseconds of CPU of a poll; over that many seeds."""
    batches = [Batch(replace(world, seed=seed)).run() for seed in range(seeds)]
    polls = [number for batch in batches for number in batch.polls.values()]
    delay = mean(seconds for batch in batches for seconds in batch.delays.values())
    return mean(polls), delay, 1e6 * sum(batch.cpu for batch in batches) / sum(polls)


def seen_before(number: int, draw: Draw = usual) -> list[Bounds]:
    """What an earlier run of so many takes recorded."""
    batch = Batch(World("even", draw, takes=number, seed=4711)).run()
    spans = [(batch.there[take] - batch.began[take], batch.delays[take]) for take in range(number)]
    return [Bounds(max(latency - 10, 0), latency + delay) for latency, delay in spans]


def _usual_laws(table: Table, seeds: int) -> None:
    loop = World("loop")
    base = measure(loop, seeds)
    many = replace(loop, policy="forecast")
    worlds = {
        "the document's loop": loop,
        "even, ±20 %": replace(loop, policy="even"),
        "forecast, 100 takes": many,
        "forecast, 20 takes, 4 in flight": replace(many, takes=20, in_flight=4),
        "forecast, 300 takes": replace(many, takes=300),
        "forecast, knows an earlier run": replace(many, earlier=seen_before(50)),
        "forecast, completed_at is the poll's": replace(many, stamp="poll"),
    }
    found = {name: _row(table, name, world, seeds, base) for name, world in worlds.items()}
    table.require("forecast, 100 takes", found["forecast, 100 takes"], 0.72)
    table.require("forecast, knows an earlier run", found["forecast, knows an earlier run"], 0.72)
    one = World("loop", takes=1)
    alone = measure(one, seeds * 50)
    _row(table, "one take, the document's loop", one, seeds * 50, alone)
    table.require(
        "one take", _row(table, "one take, forecast", replace(one, policy="forecast"), seeds * 50, alone), 1.0
    )


def _ticking(table: Table, seeds: int) -> None:
    loop = World("loop", step=15.0)
    base = measure(loop, seeds)
    _row(table, "ticks of 15 s, the document's loop", loop, seeds, base)
    for takes in (100, 300):
        _row(table, f"ticks of 15 s, {takes} takes", World("forecast", takes=takes, step=15.0), seeds, base)
    polls, delay, _ = measure(World("forecast", takes=300, step=15.0), seeds)
    table.require("ticks, 300 takes: seconds of delay", delay, 0.8)
    table.require("ticks, 300 takes: polls of the document's loop", polls / base[0], 0.8)
    for name, world in {
        "ticks of 15.05 s": World("forecast", takes=300, step=15.05),
        "ticks of 15.5 s": World("forecast", takes=300, step=15.5),
        "ticks of 15 to 17 s, by chance": World("forecast", takes=300, step=15.0, work=2.0),
    }.items():
        even = measure(replace(world, policy="even"), seeds)
        table.require(f"{name}: times even spacing", _row(table, name, world, seeds, even), 1.1)


def _other_laws(table: Table, seeds: int) -> None:
    for name, draw in HOSTILE.items():
        world = World("forecast", draw)
        even = measure(replace(world, policy="even"), seeds)
        worst = 1.2 if {"then", "50th"} & {*name.split()} else 1.1
        table.require(f"{name}: times even spacing", _row(table, name, world, seeds, even), worst)
        most = 1.5 if "or" in name.split() else 1.1
        table.require(f"{name}: times its polls", measure(world, seeds)[0] / even[0], most)


def _row(table: Table, name: str, world: World, seeds: int, base: tuple[float, float, float]) -> float:
    polls, delay, cpu = measure(world, seeds)
    product = polls * delay / base[0] / base[1]
    table.add(name, f"{polls:.2f}", f"{delay:.2f}", f"{product:.2f}", round(cpu) if world.policy == "forecast" else "")
    return product


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seeds", type=int, default=40, metavar="N")
    seeds = options.parse_args().seeds
    table = Table(("what", "polls", "delay s", "product", "CPU us per poll"))
    _usual_laws(table, seeds)
    _ticking(table, seeds)
    _other_laws(table, max(seeds // 2, 1))
    table.close()


if __name__ == "__main__":
    main()

"""Sweeps: every point of a run, every disk that a stop there may leave, and the run that goes on from it."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.harness.disks import LOST, WORST, Disk, Point, copy, cuts, seeded
from tests.harness.sold import SOLD
from tests.harness.trials import Count, Ended, Trial, Yard, gateway, judge, judge_all, look, may_doubt, states
from veopipe.simulator.server import Simulator
from veopipe.takes.status import Status

if TYPE_CHECKING:
    from tests.harness.film import Film

Make = Callable[[Yard, Simulator], "Film"]
Kinds = tuple[str, ...]
NOTHING = Count(0, 0)
WHOLE = slice(None)
AT_ONCE = 2
PROMPTS = {"a": "the first", "b": "the second", "c": "the third"}


def text(yard: Yard, simulator: Simulator) -> Film:
    """A shot of text alone."""
    return yard.film(simulator)


def picture(yard: Yard, simulator: Simulator) -> Film:
    """A shot with a picture."""
    film = yard.film(simulator, input_reference="first.png")
    film.picture("first.png", (320, 180))
    return film


def google(yard: Yard, simulator: Simulator) -> Film:
    """A shot with a picture, at Google's API."""
    film = yard.film(simulator, dialect="interactions", input_reference="first.png")
    film.picture("first.png", (320, 180))
    return film


def gateway_of(make: Make) -> Simulator:
    """A gateway for what it makes."""
    return gateway("interactions" if make is google else "videos")


@dataclass(frozen=True)
class Stopped:
    """A run that was stopped, and all that it needs to be gone on with."""

    film: Film
    before: Disk
    ended: Ended
    spent: Count


@dataclass(frozen=True)
class World:
    """What happened before a sweep, and what is swept.

    Attributes:
        sent: creates of the shot.
        doubt_is_fair: whether it was in doubt before.
        shot: its id.
        command: the words that are stopped, instead of a run.
        first: what is done again before the run that goes on.
    """

    sent: Count = NOTHING
    doubt_is_fair: bool = False
    shot: str = "shot"
    command: list[str] | None = None
    first: list[str] | None = None


def stop(yard: Yard, film: Film, simulator: Simulator, at: int | list[str], words: list[str] | None = None) -> Stopped:
    """Kill a run just before a point: its number, or kinds that it meets one after the other."""
    before, count = Disk.of(film.folder), Count.of(simulator)
    ended = yard.run(film, "kill", at=at, arguments=words)
    return Stopped(film, before, ended, Count.of(simulator) - count)


def go_on(yard: Yard, simulator: Simulator, stopped: Stopped, kinds: Kinds, world: World) -> list[Trial]:
    """From every disk that the stop may leave."""
    if stopped.ended.code != -9:  # it had fewer points this time
        return []
    points, trials = stopped.ended.points, []
    for kind, folder in cuts(stopped.before, points, stopped.film.folder, yard.folder(), kinds):
        film, count = yard.at(stopped.film, folder), Count.of(simulator)
        wrong = look(film)
        if world.first is not None:
            wrong += yard.run(film, arguments=world.first).blemishes()
        again = yard.run(film)
        sent = world.sent + stopped.spent + (Count.of(simulator) - count)
        fair = world.doubt_is_fair or may_doubt(points, kind)
        wrong += judge(film, again, sent, doubt_is_fair=fair, shot=world.shot)
        if kind == LOST:
            wrong += idle(yard, film, simulator, again)
        trials.append(Trial(points[-1], kind, again.status(world.shot), wrong))
        shutil.rmtree(folder)
    return trials


def idle(yard: Yard, film: Film, simulator: Simulator, before: Ended) -> list[str]:
    """Once more: nothing is sent, nothing changes."""
    count = Count.of(simulator)
    again = yard.run(film)
    sent = Count.of(simulator) - count
    same = (again.code, again.document.get("shots")) == (before.code, before.document.get("shots"))
    return [] if same and sent == NOTHING else [f"once more gives {again.code}, {again.out}, {sent}"]


def several(yard: Yard, simulator: Simulator, dialect: str = "videos") -> Film:
    """Some shots, `AT_ONCE` creates at once."""
    film = yard.film(simulator, dialect=dialect)
    film.pipeline(limits__creates_in_flight=AT_ONCE)
    film.list(PROMPTS)
    return film


def chained(yard: Yard, simulator: Simulator, dialect: str = "videos") -> Film:
    """A shot, and one that continues from it."""
    film = yard.film(simulator, dialect=dialect)
    film.list({"a": PROMPTS["a"], "b": {"prompt": PROMPTS["b"], "input_reference": {"shot": "a", "frame": "last"}}})
    return film


def points_of(yard: Yard, make: Make) -> list[Point]:
    """All points of an undisturbed run."""
    with gateway_of(make) as simulator:
        ended = yard.run(make(yard, simulator), "watch")
    assert (ended.code, {row["status"] for row in ended.document["shots"].values()}) == (0, {"verified"}), ended
    return ended.points


def some_of(points: list[Point]) -> list[int]:
    """The places around a create, all of them; before and after it the first one of each kind."""
    begin, end = (next(point.n for point in points if point.kind == kind) for kind in ("connect", "poll"))
    firsts = {(point.n > begin, point.kind): point.n for point in reversed(points) if not begin <= point.n <= end}
    return sorted({*range(begin, end + 1), *firsts.values()})


def sweep_new(yard: Yard, make: Make, places: Iterable[int], kinds: Kinds, *, once_more: bool = False) -> list[Trial]:
    """A shot of which nothing was taken, stopped at each place; `once_more`: only the run after the next sends it."""

    def one(at: int) -> list[Trial]:
        with gateway_of(make) as simulator:
            film = make(yard, simulator)
            stopped = stop(yard, film, simulator, at)
            return go_on(yard, simulator, stopped, kinds, World(first=film.arguments() if once_more else None))

    return yard.each(one, places)


def sweep_resumed(
    yard: Yard,
    ready: Film,
    simulator: Simulator,
    world: World,
    kinds: Kinds,
    until: str = "exit",
    part: slice = WHOLE,
) -> list[Trial]:
    """A shot that was ordered before, stopped at each place of the run that goes on. Nothing more may be sent.

    Args:
        yard: where.
        ready: the film before that run.
        simulator: its gateway.
        world: what happened before.
        kinds: of disks.
        until: the last place is the first of that kind.
        part: which of the places.
    """

    def one(at: int) -> list[Trial]:
        folder = yard.folder()
        copy(ready.folder, folder)
        stopped = stop(yard, yard.at(ready, folder), simulator, at, world.command)
        return go_on(yard, simulator, stopped, kinds, world)

    last = next(point.n for point in watched(yard, ready, world.command).points if point.kind == until)
    return yard.each(one, range(1, last + 1)[part])


def sweep_several(yard: Yard, places: Iterable[int], kinds: Kinds, make: Callable[..., Film] = several) -> list[Trial]:
    """Several new shots, stopped at each place; each of them is judged by what its own record says.

    The places are shared between the dialects.
    """

    def one(at: int) -> list[Trial]:
        dialect = sorted(SOLD)[at % 2]
        with gateway(dialect) as simulator:
            stopped = stop(yard, make(yard, simulator, dialect), simulator, at)
            return go_on_with_all(yard, simulator, stopped, kinds)

    return yard.each(one, places)


def sweep_several_resumed(
    yard: Yard, ready: Film, simulator: Simulator, kinds: Kinds, part: slice = WHOLE
) -> list[Trial]:
    """Several shots that were paid before, stopped at each place of the run that goes on."""

    def one(at: int) -> list[Trial]:
        folder = yard.folder()
        copy(ready.folder, folder)
        stopped = stop(yard, yard.at(ready, folder), simulator, at)
        return go_on_with_all(yard, simulator, stopped, kinds)

    return yard.each(one, range(1, len(watched(yard, ready).points) + 1)[part])


def watched(yard: Yard, ready: Film, words: list[str] | None = None) -> Ended:
    """An undisturbed run of a copy, or another command."""
    folder = yard.folder()
    copy(ready.folder, folder)
    ended = yard.run(yard.at(ready, folder), "watch", arguments=words)
    assert ended.points, ended
    return ended


def paid_by_prompt(simulator: Simulator) -> Counter[str]:
    """Prompt → paid creates. Google's API names pictures within the prompt, so it is known by its end."""
    said = [create["prompt"] for create in simulator.charged]
    return Counter(next((prompt for prompt in PROMPTS.values() if one.endswith(prompt)), one) for one in said)


def go_on_with_all(
    yard: Yard,
    simulator: Simulator,
    stopped: Stopped,
    kinds: Kinds,
) -> list[Trial]:
    """As `go_on`, for all shots of the list."""
    if stopped.ended.code != -9:
        return []
    points, trials, spent = stopped.ended.points, [], paid_by_prompt(simulator)
    manifest = json.loads((stopped.film.folder / "shots.yaml").read_text("utf-8"))
    prompts = {shot: keys["prompt"] for shot, keys in manifest["shots"].items()}
    for kind, folder in cuts(stopped.before, points, stopped.film.folder, yard.folder(), kinds):
        film, count = yard.at(stopped.film, folder), paid_by_prompt(simulator)
        wrong, doubtful = look(film), died_asking(film)
        if len(doubtful) > AT_ONCE:
            wrong.append(f"{sorted(doubtful)} are in doubt, and only {AT_ONCE} could be asked for at once")
        again = yard.run(film)
        sent = spent + (paid_by_prompt(simulator) - count)
        wrong += judge_all(film, again, sent, doubtful, prompts)
        if kind == LOST:
            wrong += idle(yard, film, simulator, again)
        status = ",".join(again.status(shot) for shot in prompts)
        trials.append(Trial(points[-1], kind, status, wrong))
        shutil.rmtree(folder)
    return trials


def died_asking(film: Film) -> set[str]:
    """The shots whose record says that somebody was asking."""
    unknown = {Status.SUBMITTING, Status.IN_DOUBT}
    return {
        shot
        for shot, state in states(film).items()
        if not isinstance(state, str) and any(take.status in unknown for take in state.takes)
    }


def sweep_command(
    yard: Yard, ready: Film, words: list[str], judge_disk: Callable[[Film], list[str]], kinds: Kinds
) -> list[Trial]:
    """A command that sends nothing, stopped at each place of it; `judge_disk` says what is wrong with what is left."""

    def one(at: int) -> list[Trial]:
        folder, trials = yard.folder(), []
        copy(ready.folder, folder)
        before = Disk.of(folder)
        ended = yard.run(yard.at(ready, folder), "kill", at=at, arguments=words)
        for kind, left in cuts(before, ended.points, folder, yard.folder(), kinds):
            film = yard.at(ready, left)
            trials.append(Trial(ended.points[-1], kind, str(ended.code), [*look(film), *judge_disk(film)]))
            shutil.rmtree(left)
        return trials

    return yard.each(one, range(1, len(watched(yard, ready, words).points) + 1))


def again_and_again(yard: Yard, longest: int, seeds: Iterable[int]) -> list[Trial]:
    """Histories, in each dialect in turn: some stops, each with a disk of its own, then a run to the end."""

    def one(seed: int) -> list[Trial]:
        chance, fair, make = random.Random(seed), False, (text, google)[seed % 2]
        with gateway_of(make) as simulator:
            film = make(yard, simulator)
            for number in range(chance.randint(2, 4)):
                at = chance.randint(1, longest if number == 0 else longest // 2)
                film, stopped = struck(yard, film, simulator, at, chance)
                fair = fair or (stopped.ended.code == -9 and may_doubt(stopped.ended.points, "power"))
            last = yard.run(film)
            wrong = judge(film, last, Count.of(simulator), doubt_is_fair=fair)
        return [Trial(Point(seed, "history", ()), "again and again", last.status(), wrong)]

    return yard.each(one, seeds)


def struck(yard: Yard, film: Film, simulator: Simulator, at: int, chance: random.Random) -> tuple[Film, Stopped]:
    """Stop a run and choose one of the disks that it may leave."""
    stopped = stop(yard, film, simulator, at)
    if stopped.ended.code != -9:
        return film, stopped
    disks = list(cuts(stopped.before, stopped.ended.points, film.folder, yard.folder(), (*WORST, *seeded(2))))
    return yard.at(film, chance.choice(disks)[1]), stopped


def is_closed(film: Film) -> bool:
    """Whether the last run closed its ledger, though it was killed in the instant between that and its exit."""
    path = film.folder / ".veopipe/shots/ledger.json"
    return path.exists() and json.loads(path.read_text("utf-8"))["open_runs"] == []


def crash_loop(yard: Yard, seeds: Iterable[int]) -> list[Trial]:
    """Four shots under a budget for two, in a service that dies ten times and starts again; each dialect in turn."""

    def one(seed: int) -> list[Trial]:
        chance, make = random.Random(seed), (text, google)[seed % 2]
        with gateway_of(make) as simulator:
            film = make(yard, simulator)
            film.pipeline(limits__creates_in_flight=1 + seed % 3)
            film.list({f"s{number}": f"shot {number}" for number in range(4)}, budget_usd=0.60)
            for _ in range(10):
                film, stopped = struck(yard, film, simulator, chance.randint(20, 120), chance)
                if stopped.ended.code != -9 or is_closed(film):
                    break  # that run is over; the next one has a budget of its own
            else:
                stopped = Stopped(film, stopped.before, yard.run(film), NOTHING)
            wrong = stopped.ended.blemishes()
            prompts = Counter(create["prompt"] for create in simulator.charged)
            if len(simulator.charged) > 2 or max(prompts.values(), default=0) > 1:
                wrong.append(f"paid {dict(prompts)} with a budget for two")
            if stopped.ended.code not in {3, 5} and not is_closed(film):
                wrong.append(f"exit {stopped.ended.code}: {stopped.ended.out} {stopped.ended.err}")
        return [Trial(Point(seed, "crash loop", ()), "budget", str(stopped.ended.code), wrong + look(film))]

    return yard.each(one, seeds)

"""A run whose disk failed at a point, and the run that goes on with a good disk; what is wrong with either."""

from __future__ import annotations

import errno
import os

from tests.harness.disks import Point
from tests.harness.film import Film
from tests.harness.trials import Count, Ended, Yard, judge
from veopipe.simulator.server import Simulator


def failed_well(film: Film, ended: Ended, simulator: Simulator, trial: tuple[Point, str, int]) -> list[str]:
    """What is wrong with a run whose disk failed."""
    point, how, number = trial
    wrong, count = ended.blemishes(), Count.of(simulator)
    body = next((seen.n for seen in ended.points if seen.kind == "body"), None)
    if ended.code not in {0, 6} or (ended.code == 0 and how == "ever"):
        wrong.append(f"exit {ended.code}: {ended.out} {ended.err}")
    if ended.code and (body is None or point.n < body) and count.posted:
        wrong.append("something was sent, though the intent wasn't on disk")
    if ended.code == 0 and (ended.status() != "verified" or not harmless(point, number)):
        wrong.append(f"ended well, though {point} failed")
    said = (errno.EFBIG if how == "short" else number), ended.out + ended.err
    if ended.code == 6 and os.strerror(said[0]) not in said[1]:
        wrong.append(f"it doesn't say what was wrong: {said[1]}")
    if count.paid and not where(film, ended, simulator.charged[0]["task_id"]):
        wrong.append("the task id of a paid create is nowhere")
    return wrong


def harmless(point: Point, number: int) -> bool:
    """What a run may do without: the lock's text for people, the event log, modes, the removal of temporary names.

    Links, too, where they aren't permitted: that is how a disk says that it has none.
    """
    courtesy = point.kind == "chmod" or (point.kind == "link" and number == errno.EACCES)
    once_more = point.kind == "mkdir" and point.subject == ".veopipe/shots"  # the lock's library makes sure
    return courtesy or point.kind == "remove" or "/lock" in point.subject or "/runs" in point.subject or once_more


def where(film: Film, ended: Ended, task: str) -> str:
    """Where the task id of a paid create stands: on disk, on stderr, or nowhere."""
    kept = film.folder.glob(".veopipe/shots/state/*.json"), film.folder.glob(".veopipe/shots/rescue/*.json")
    beside = film.folder.glob("renders/shots/.rescue-*.json")
    if any(task in path.read_text("utf-8") for found in (*kept, beside) for path in found):
        return "disk"
    rescued = [line for line in ended.err.splitlines() if line.startswith("VEOPIPE-RESCUE ")]
    return "stderr" if any(task in line for line in rescued) else ""


def recovers(yard: Yard, film: Film, ended: Ended, simulator: Simulator, trial: tuple[Point, str, int]) -> list[str]:
    """What is wrong with the same command on a good disk, and with a line from stderr put where it says."""
    point, _, number = trial
    has_links = not (point.kind == "link" and number == errno.EACCES)
    only_said = bool(simulator.charged) and where(film, ended, simulator.charged[0]["task_id"]) == "stderr"
    body = next((seen.n for seen in ended.points if seen.kind == "body"), None)
    # The folder's fsync failed after the rename: the intent may be on disk, and nobody can take it back.
    intent_stays = body is None and point.is_state and point.kind == "fsync-folder"
    again = yard.run(film)
    doubt_is_fair = only_said or intent_stays
    wrong = judge(film, again, Count.of(simulator), doubt_is_fair=doubt_is_fair, has_links=has_links)
    if only_said:
        line = next(line for line in ended.err.splitlines() if line.startswith("VEOPIPE-RESCUE "))
        rescue = film.folder / ".veopipe/shots/rescue"
        rescue.mkdir(exist_ok=True)
        (rescue / "from-stderr.json").write_text(line.removeprefix("VEOPIPE-RESCUE "), "utf-8")
        last = yard.run(film)
        wrong += judge(film, last, Count.of(simulator), doubt_is_fair=False)
    return wrong

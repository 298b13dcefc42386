"""Two reviewers on two branches, merged by git: no conflict unless both judged one take, and nobody's word is lost."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.harness import builders
from tests.harness.figures import LONG
from veopipe.film import review
from veopipe.film.decisions import Decision, decide, decision_of
from veopipe.ledger.paths import Places
from veopipe.takes.status import Status
from veopipe.takes.take import Delivered, ShotState, Take
from veopipe.takes.verdict import Review, Reviews, Verdict

MERGES = 200 if LONG else 10
SHOTS = tuple(f"SC{number:02d}" for number in range(1, 7))
NOTES = (None, None, "too dark", "the gull at 5 s", "späť", "no: again, and slower")


def take(shot: str, number: int) -> Take:
    digits = f"{SHOTS.index(shot) * 10 + number:02x}" * 32
    file = Delivered("renders", f"{shot}.{number:03d}.mp4", digits, 5)
    return replace(builders.take(builders.attempt(Status.VERIFIED), number=number), file=file)


STATES: Mapping[str, ShotState] = {shot: ShotState(shot, tuple(take(shot, n) for n in (1, 2, 3))) for shot in SHOTS}


class Desk:
    """A git work tree with a list's reviews, and a clock that goes on by itself."""

    def __init__(self, folder: Path) -> None:
        self.places, self._folder, self._seconds = Places(folder / "shots.yaml", ".veopipe", "renders"), folder, 0
        self.git("init", "-q", "-b", "main")
        (folder / "shots.yaml").write_text("version: 1\n")
        self.commit("the list")

    def git(self, *words: str) -> int:
        """One command of git's, as a person has it: without settings of this machine."""
        who = {f"GIT_{role}_{what}": "ana" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        nowhere = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "PATH": os.environ["PATH"]}
        done = subprocess.run(
            ["git", *words], cwd=self._folder, env={**who, **nowhere}, capture_output=True, check=False, timeout=60
        )
        return done.returncode

    def commit(self, message: str) -> None:
        assert self.git("add", "-A") == 0
        assert self.git("commit", "-q", "--allow-empty", "-m", message) == 0

    def said(self) -> dict[str, Review]:
        return dict(review.read(self.places).by_take)

    def judge(self, by: str, chance: random.Random) -> set[str]:
        """Say something of a few takes, one after the other; the names of the takes of which something new is said."""
        new = set[str]()
        for _ in range(chance.randrange(1, 5)):
            before = self.said()
            self._seconds += 1
            for changed in decide(Reviews(before, "renders"), STATES, [word(by, chance)]):
                old = before.get(changed.take)
                at = f"2026-11-26T{self._seconds // 3600:02}:{self._seconds // 60 % 60:02}:{self._seconds % 60:02}Z"
                is_new = old is None or old.at != changed.at
                review.write(self.places, [replace(changed, at=at) if is_new else changed])
                new.add(changed.take)
        return new


def word(by: str, chance: random.Random) -> Decision:
    """Something that a reviewer says."""
    about = STATES[chance.choice(SHOTS)].take(chance.choice((1, 2, 3)))
    kinds: list[dict[str, Any]] = [{"verdict": verdict} for verdict in (*Verdict, Verdict.PICK)]
    said = chance.choice([*kinds, {"clears": True}, {"again": True}])
    return decision_of(about, **said, note=chance.choice(NOTES), by=by)


def test_two_branches_merge_unless_both_judged_one_take(tmp_path: Path) -> None:
    chance, merged, refused = random.Random(MERGES), 0, 0
    desk = Desk(tmp_path)
    for _ in range(MERGES):
        desk.judge("ana", chance)
        desk.commit("before")
        base, said, judged = desk.said(), [], []
        for name in ("ana", "ben"):
            assert desk.git("checkout", "-q", "-B", name, "main") == 0
            judged.append(desk.judge(name, chance))
            said.append(desk.said())
            desk.commit(name)
        both = {take for take in judged[0] & judged[1] if said[0].get(take) != said[1].get(take)}
        is_clean = desk.git("merge", "-q", "--no-edit", "ana") == 0

        assert is_clean or both, "a conflict though they judged different takes"
        if is_clean:
            merged += 1
            ours = {name: (said[0] if name in judged[0] else said[1]).get(name) for name in judged[0] | judged[1]}
            everything = {name: each for name, each in {**base, **ours}.items() if each is not None}
            found = desk.said()
            assert {
                name for name in found.keys() | everything.keys() if found.get(name) != everything.get(name)
            } <= both
            assert desk.git("checkout", "-q", "-B", "main") == 0
        else:
            refused += 1
            assert desk.git("merge", "--abort") == 0
            assert desk.git("checkout", "-q", "main") == 0
    assert merged >= MERGES // 4
    assert refused, "so few conflicts prove nothing"


def test_two_picks_of_one_shot_merge_and_neither_counts(tmp_path: Path) -> None:
    """The earlier pick becomes `alt` on both branches, in the same words."""
    desk = Desk(tmp_path)

    def pick(number: int) -> None:
        desk.commit("before")
        said = decision_of(STATES["SC01"].take(number), verdict=Verdict.PICK, by=f"number {number}")
        review.write(desk.places, decide(Reviews(desk.said(), "renders"), STATES, [said]))
        path = desk.places.reviews / f"SC01.{number:03d}.yaml"
        path.write_text(path.read_text("utf-8").replace("at: '2", f"at: '{number}"), "utf-8")  # at another time
        desk.commit(f"pick {number}")

    pick(1)
    said_at = desk.said()["SC01.001"].at
    desk.git("checkout", "-q", "-b", "ben")
    pick(2)
    desk.git("checkout", "-q", "main")
    pick(3)

    assert desk.git("merge", "-q", "--no-edit", "ben") == 0
    reviews = review.read(desk.places)
    assert [(name, said.verdict) for name, said in sorted(reviews.by_take.items())] == [
        ("SC01.001", Verdict.ALT),
        ("SC01.002", Verdict.PICK),
        ("SC01.003", Verdict.PICK),
    ]
    assert reviews.by_take["SC01.001"].at == said_at, "its time changed, so that two branches would meet in it"
    assert [pick.number for pick in reviews.picks(STATES["SC01"].takes)] == [2, 3]

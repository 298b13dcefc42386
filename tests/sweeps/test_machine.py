"""Whatever a night brings, in whatever order: nothing is paid twice, nothing that was paid is lost.

Hypothesis makes up nights out of the rules below: runs that end and runs that die, faults of the gateway, edits
of the list, files that vanish, decisions of a person, clocks that jump. `tests.harness.nights` says what must be
true after each step. The clock jumps by what the records say of the time: a clock that is a day ahead and a record
that is a day old are the same to a program that starts.

About half of the nights are spent at a gateway of each dialect. Per push there are 24, always the same;
`VEOPIPE_LONG=1` tries 400 longer ones, others each time.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.harness.figures import Figures
from tests.harness.fork import Mishap, Zygote
from tests.harness.nights import QUICK, Shot, World
from tests.harness.sold import SOLD
from veopipe.simulator.server import Options, start

LONG = os.environ.get("VEOPIPE_LONG") == "1"
NIGHTS, STEPS = (int(os.environ.get("VEOPIPE_NIGHTS", "100")), 20) if LONG else (24, 8)
PARTS = 4 if LONG else 1
"""So often the test is made, so that several processes can share the nights."""
CENTS = 30
"""What a create costs, or a little less."""

# Dialect → stage → faults of its simulator.
FAULTS = {
    "videos": {
        "create": (
            *("lost_response", "cut_json", "html_502", "html_504", "429_busy", "429_empty", "401_bad_key", "403_quota"),
            *("503_no_channel", "400_google", "404_retired", "500_do_request_failed", "413_html", "redirect_307"),
            *("no_ids", "bad_id", "duplicate_id", "empty_status", "cut_upload", "401_exhausted_midrun", "ghost_id"),
        ),
        "poll": (
            *("unknown_first", "stuck_in_progress", "flap_failed", "failed_no_error", "back_to_in_progress"),
            *("poll_401", "poll_429", "poll_502_html", "poll_html_200", "poll_cut", "task_not_exist_first", "nulls"),
            *("upper_case_status", "failed_http_500_with_job_body", "task_not_exist_after_restart", "wrong_id"),
        ),
        "content": (
            *("truncated_length", "truncated_chunked", "content_cut", "corrupt_mp4", "html_200", "json_200"),
            *("empty_200", "expired_410", "expired_502", "safety_completed_502"),
        ),
        "file": ("wrong_resolution", "wrong_duration", "no_audio"),
    },
    "interactions": {
        "create": (
            *("lost_response", "cut_json", "html_502", "500_internal", "503_overloaded", "429_quota", "400_safety"),
            *("400_value", "400_key", "400_billing", "403_denied", "404_retired", "413_html", "redirect_307"),
            *("ghost_id", "no_id", "bad_id", "duplicate_id", "blocked"),
        ),
        "poll": (
            *("credentials_400", "blobstore_400", "unknown_id_first", "unknown_id", "denied_403", "poll_key_400"),
            *("poll_403_list", "poll_429", "poll_502_html", "poll_503", "poll_html_200", "poll_cut", "unknown_word"),
            *("stuck", "flap_failed", "ended", "wrong_id", "no_address", "no_usage", "inline", "other_host"),
            "long_echo",
        ),
        "content": (
            *("processing", "expired_403", "expired_404", "truncated_length", "truncated_chunked", "content_cut"),
            *("content_429", "html_200", "metadata_200", "empty_200", "corrupt_mp4"),
        ),
        "file": ("wrong_resolution", "wrong_duration", "no_audio"),
    },
}
GATE = ("well again", "wallet empty", "wallet low", "wallet full")
# A stage, and which of its faults; how many it has depends on the night's dialect.
MISCHIEF = st.tuples(st.sampled_from(["create", "poll", "content", "file", "gate"]), st.integers(0, 99))
# What may be left of a take in the morning, and which faults excuse it.
EXCUSES = {
    "failed": {"failed_no_error", "failed_http_500_with_job_body", "flap_failed", "ended", "blocked"},
    "mismatched": {"wrong_resolution", "wrong_duration"},
    "abandoned": {
        *("expired_410", "expired_502", "safety_completed_502", "html_200", "json_200", "written off"),
        *("expired_403", "expired_404", "processing", "metadata_200", "no_address", "no_usage", "inline", "other_host"),
    },
    "refused": {"400_google", "404_retired", "413_html", "redirect_307", "503_no_channel", "400_safety", "400_value"},
    "parked": {"ghost_id", "bad_id"},
    "rendering": {"ghost_id"},
}
CHANGES = ["edit", "edit", "take", "spell", "rename", "remove", "add"]
FILES = ["video", "video", "video", "state", "state", "ledger.json", ".ledger", "my own", "my own", "bring back"]
DAMAGE = ["delete", "delete", "cut", "zeros", "flip"]
COMMANDS = ["status", "plan", "report", "verify", "resolve"]
CAPS = st.sampled_from([None, None, CENTS, 2 * CENTS, 3 * CENTS + 10])
PICKS = st.integers(0, 5)
# What follows on something that happened: nothing yet, a run, or a run that goes wrong at a step.
THEN = st.tuples(st.sampled_from(["", "run", "run", "run", "kill", "kill", "full"]), st.integers(5, 65), CAPS)


def _event(name: str, /, **drawn: Any) -> Any:
    return st.tuples(st.just(name), st.fixed_dictionaries(drawn))


# One choice, and not a rule for each: Hypothesis would switch rules off for whole nights, and a night has few steps.
DAMAGED = {"what": st.sampled_from(FILES), "pick": PICKS, "how": st.sampled_from(DAMAGE)}
CHANGED = {"change": st.sampled_from(CHANGES), "pick": PICKS, "number": st.integers(0, 11)}
WRONG = {"how": st.sampled_from(["kill", "kill", "full", "interrupt", "terminate"]), "at": st.integers(1, 75)}
EVENTS = st.one_of(
    _event("damage", **DAMAGED, then=THEN),
    _event("change_the_list", **CHANGED, then=THEN),
    _event("change_the_list", **CHANGED, then=THEN),
    _event("misbehave", fault=MISCHIEF, times=st.integers(1, 3), after=st.integers(0, 1), then=THEN),
    _event("misbehave", fault=MISCHIEF, times=st.integers(1, 2), after=st.just(0), then=THEN),
    _event("run_that_goes_wrong", **WRONG, cap=CAPS),
    _event("damage", what=st.just("my own"), pick=PICKS, how=st.just(""), then=st.just(("run", 0, None))),
    _event("run", cap=CAPS),
    _event("run_with_retries"),
    _event("two_at_once_and_one_dies", at=st.integers(1, 150)),
    _event("resolve", pick=PICKS, how=st.sampled_from(["truth", "truth", "write off", "not charged"]), then=THEN),
    _event("clock_jumps", days=st.sampled_from([-1, 1, 3]), then=THEN),
    _event("look", name=st.sampled_from(COMMANDS)),
)


class Night(RuleBasedStateMachine):
    """One night; `zygote` is set before it begins."""

    zygote: Zygote
    nights = 0
    seen: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.has_begun = False
        self.lines = 0
        self.names = 0

    @initialize(
        dialect=st.sampled_from(sorted(SOLD)),
        shots=st.integers(1, 3),
        creates_in_flight=st.sampled_from([1, 1, 3]),
        then=THEN,
    )
    def begin(self, dialect: str, shots: int, creates_in_flight: int, then: Any) -> None:
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))) / "film"
        folder.mkdir()
        gateway = self.stack.enter_context(start(Options(task_time=0, dialect=dialect)))
        self.dialect, self.world = dialect, World(folder, gateway, self.zygote, SOLD[dialect])
        Night.seen[dialect] += 1
        limits = {**QUICK["limits"], "creates_in_flight": creates_in_flight}
        pipeline = {**QUICK, "limits": limits, "provider": SOLD[dialect].provider}
        (folder / "quick.yaml").write_text(json.dumps(pipeline))
        self.has_begun = True
        for _ in range(shots):
            self._new_shot()
        self.world.write()
        self._then(then)

    def _new_shot(self) -> None:
        self.lines += 1
        self.world.wanted[f"S{self.lines}"] = Shot(self.lines)

    def _pick(self, pick: int, among: Iterator[str] | None = None) -> str:
        names = list(among if among is not None else self.world.wanted)
        return names[pick % len(names)]

    # --- runs --------------------------------------------------------------------------------------

    def _tell(self, ended: Any) -> None:
        for one in ended:
            Night.seen[f"exit {one.code}"] += 1
            note(f"-> {one.code}")

    def _then(self, then: tuple[str, int, int | None]) -> None:
        how, at, cap = then
        if how:
            self._tell(self.world.run(cap=cap, mishap=None if how == "run" else Mishap(how, at)))

    @rule(event=EVENTS)
    def something_happens(self, event: tuple[str, dict[str, Any]]) -> None:
        name, drawn = event
        Night.seen[name] += 1
        getattr(self, name)(**drawn)

    def run(self, cap: int | None) -> None:
        self._tell(self.world.run(cap=cap))

    def run_that_goes_wrong(self, how: str, at: int, cap: int | None) -> None:
        self._tell(self.world.run(cap=cap, mishap=Mishap(how, at)))

    def two_at_once_and_one_dies(self, at: int) -> None:
        self._tell(self.world.run(mishap=Mishap("kill", at), at_once=2))

    def run_with_retries(self) -> None:
        self._tell(self.world.run("--retry-failed"))

    def look(self, name: str) -> None:
        before = self.world.accepted()
        self.world.command(name, "shots.yaml", *(["-p", "quick.yaml"] if name != "resolve" else []))
        assert self.world.accepted() == before

    # --- the gateway -------------------------------------------------------------------------------

    def misbehave(self, fault: tuple[str, int], times: int, after: int, then: Any) -> None:
        stage, number = fault
        among = GATE if stage == "gate" else FAULTS[self.dialect][stage]
        name = among[number % len(among)]
        if name == "well again":
            self.world.gateway.clear_faults()
        elif name.startswith("wallet"):
            creates = {"wallet empty": 0, "wallet low": 1}.get(name)
            self.world.gateway.fill_wallet(None if creates is None else Decimal(creates * CENTS) / 100)
        else:
            self.world.faults.add(name)
            self.world.gateway.order_fault(name, times=times, after=after)
        self._then(then)

    # --- the list ----------------------------------------------------------------------------------

    def _may_change(self, shot: str) -> bool:
        """Two changes of name and text at once are a new order; that isn't tried here."""
        return self.world.owners(self.world.wanted[shot].line) <= {shot}

    def change_the_list(self, change: str, pick: int, number: int, then: Any) -> None:
        self._change_the_list(change, pick, number)
        self._then(then)

    def _change_the_list(self, change: str, pick: int, number: int) -> None:
        shot, world = self._pick(pick), self.world
        wants = world.wanted[shot]
        if change == "spell":
            world.spelling = number
        elif change == "add":
            self._add(pick, number)
        elif not self._may_change(shot):
            return
        elif change == "edit":
            world.wanted[shot] = Shot(wants.line, number % 3, wants.take)
        elif change == "take":
            world.wanted[shot] = Shot(wants.line, wants.version, 1 + number % 2)
        elif change == "remove" and len(world.wanted) > 1:
            world.departed[shot] = world.wanted.pop(shot)
        elif change == "rename" and self._is_begun(shot):
            self.names += 1
            world.wanted = {f"R{self.names}" if old == shot else old: wants for old, wants in world.wanted.items()}
        world.write()

    def _add(self, pick: int, number: int) -> None:
        if number % 2 and self.world.departed:
            shot = self._pick(pick, iter(self.world.departed))
            self.world.wanted[shot] = self.world.departed.pop(shot)
        elif len(self.world.wanted) < 4:
            self._new_shot()

    def _is_begun(self, shot: str) -> bool:
        """Whether the ledger has the very order of a shot, and its state file is whole."""
        wants, takes = self.world.wanted[shot], self.world.states().get(shot, [])
        orders = [(take["order"]["prompt"], take["order"].get("take", 1)) for take in takes]
        return (wants.prompt, wants.take) in orders

    # --- files -------------------------------------------------------------------------------------

    def _damage(self, path: Path, how: str) -> None:
        content = path.read_bytes()
        self.world.copies.setdefault(path, content)
        if how == "delete":
            path.unlink()
        elif how == "flip":  # one bit of a prompt, or of an id
            at = max(content.find(b"line "), 20)
            path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        else:
            path.write_bytes({"cut": content[: len(content) // 2], "zeros": bytes(len(content))}[how])

    def damage(self, what: str, pick: int, how: str, then: Any) -> None:
        if what == "bring back":
            self._bring_back()
        elif what == "video":
            self._damage_a_video(pick, how)
        elif what == "state":
            self._damage_a_state_file(pick, how)
        elif what == "my own":
            self._put_a_file_of_my_own(pick)
        else:
            self._damage_a_ledger(what, how)
        self._then(then)

    def _damage_a_state_file(self, pick: int, how: str) -> None:
        paths = [path for path in sorted((self.world.ledger / "state").glob("*.json")) if path not in self.world.copies]
        if paths:
            self._damage(paths[pick % len(paths)], how)

    def _damage_a_ledger(self, name: str, how: str) -> None:
        path = self.world.ledger / name if name == "ledger.json" else self.world.output / name
        if path.exists() and path not in self.world.copies:
            self._damage(path, how)
            if name == "ledger.json":
                self.world.debt = Decimal(0)  # which run was killed stood there

    def _damage_a_video(self, pick: int, how: str) -> None:
        paths = [*sorted(self.world.output.glob("*.mp4")), *sorted((self.world.output / "takes").glob("*.*"))]
        paths = [path for path in paths if path not in self.world.own]
        if not paths:
            return
        path = paths[pick % len(paths)]
        if how == "delete":
            path.unlink()
            self.world.touched(path, gone=True)
            return
        path.chmod(0o644)
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size // 2 if how == "cut" else path.stat().st_size + 7)
        self.world.touched(path)

    def _put_a_file_of_my_own(self, pick: int) -> None:
        path = self.world.output / f"{self._pick(pick)}.mp4"
        if path.parent.is_dir():
            path.unlink(missing_ok=True)
            path.write_bytes(b"a cut of my own")
            self.world.own[path] = b"a cut of my own"

    def _bring_back(self) -> None:
        for path, content in self.world.copies.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        self.world.copies.clear()

    # --- a person and the clock --------------------------------------------------------------------

    def resolve(self, pick: int, how: str, then: Any) -> None:
        doubts = self.world.command("resolve", "shots.yaml").get("takes", [])
        if doubts:
            self._resolve(doubts[pick % len(doubts)], how)
            self._then(then)

    def _resolve(self, doubt: dict[str, Any], how: str) -> None:
        shot, status = doubt["shot"], doubt["status"]
        prompts = [take["order"]["prompt"] for take in self.world.states()[shot] if take["take"] == doubt["take"]]
        tasks = self.world.unclaimed(prompts[0])
        unknown = list(tasks)
        # an id made to break paths, or one that the gateway gave to another shot
        useless = bool(unknown) and ("/" in unknown[0] or unknown[0] in self.world.task_ids())
        if how == "write off" or status == "parked" or (how == "truth" and useless):
            self.world.faults.add("written off")
            words = ["--write-off"]
        elif how == "truth" and unknown:
            words = ["--task-id", unknown[0]]
        else:
            words = ["--not-charged"]
            if unknown:  # a person who is wrong orders another
                self.world.forgiven[prompts[0]] += 1
                self.world.allowed[prompts[0]] += 1
                self.world.debt = max(Decimal(0), self.world.debt - tasks[unknown[0]])
        document = self.world.command("resolve", "shots.yaml", shot, *words)
        assert document["exit_code"] in ({0, 2, 6} if self.world.copies else {0}), document

    def clock_jumps(self, days: int, then: Any) -> None:
        for path in sorted((self.world.ledger / "state").glob("*.json")):
            if path in self.world.copies:
                continue
            document = json.loads(path.read_text("utf-8"))
            for attempt in (attempt for take in document["takes"] for attempt in take["attempts"]):
                for name in ("submitted_at", "settled_at"):
                    if name in attempt:
                        earlier = datetime.fromisoformat(attempt[name]) - timedelta(days=days)
                        attempt[name] = earlier.strftime("%Y-%m-%dT%H:%M:%SZ")
                if "created_at" in attempt:
                    attempt["created_at"] -= days * 86400
            path.write_text(json.dumps(document), "utf-8")
        self._then(then)

    # --- what must be true -------------------------------------------------------------------------

    @invariant()
    def nothing_is_paid_twice_and_nothing_is_lost(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        Night.nights += 1
        try:
            if self.has_begun:
                self._morning()
                Night.seen["runs"] += self.world.runs
        finally:
            self.stack.close()

    def _morning(self) -> None:
        """All is well again, a person decides what is in doubt, and the same command brings the rest home."""
        self._bring_back()
        self.world.gateway.clear_faults()
        self.world.gateway.fill_wallet(None)
        for _ in range(4):
            ended = self.world.run()[0]
            self.world.check()
            doubts = [d for d in self.world.command("resolve", "shots.yaml")["takes"] if d["status"] == "in_doubt"]
            for doubt in doubts:
                self._resolve(doubt, "truth")
            if not doubts and ended.code in {0, 1}:
                break
        report = json.loads(ended.out)
        left = {shot: row for shot, row in report["shots"].items() if row["status"] != "verified"}
        for shot, row in left.items():
            assert EXCUSES.get(row["status"], set()) & self.world.faults, (shot, row)
            Night.seen[f"left {row['status']}"] += 1
        Night.seen["verified"] += len(report["shots"]) - len(left)
        assert ended.code in ({0} if not left else {1, 4, 6}), ended


@pytest.mark.slow
@pytest.mark.timeout(3600 if LONG else 900)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.shows("a stateful property test")
def test_whatever_a_night_brings_nothing_is_paid_twice_and_nothing_is_lost(
    tmp_path: Path, figures: Figures, zygote: Zygote, part: int
) -> None:
    Night.nights, Night.seen = 0, Counter()
    quiet = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)
    nights = settings(
        max_examples=NIGHTS,
        stateful_step_count=STEPS,
        derandomize=not LONG,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink) if LONG else (Phase.generate,),  # eight steps are short enough to read
        suppress_health_check=quiet,
    )
    Night.zygote = zygote
    run_state_machine_as_test(Night, settings=nights)
    print(f"{Night.nights} nights: {dict(sorted(Night.seen.items()))}")
    mishaps = ("exit -9", "exit 130", "exit 143", "misbehave", "damage", "clock_jumps", "two_at_once_and_one_dies")
    figures(nights=Night.nights, runs=Night.seen["runs"], faults=sum(Night.seen[name] for name in mishaps))
    figures(paid_twice=0, lost=0)  # after each step the gateway's books were compared
    assert min(Night.seen[dialect] for dialect in SOLD) > NIGHTS // 4
    assert Night.seen["exit -9"] > NIGHTS // 4
    assert Night.seen["verified"] > NIGHTS // 2
    shutil.rmtree(tmp_path, ignore_errors=True)

"""The guards around a ledger: whose it is, whose the videos are, and who may write. Real files and processes."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from veopipe.errors import EnvironmentFault, ExitCode, LedgerLocked, LedgerRefused
from veopipe.ledger import owner
from veopipe.ledger.ledgerfile import Ledger
from veopipe.ledger.paths import Places


@pytest.fixture
def places(tmp_path: Path) -> Places:
    (tmp_path / "shots.yaml").write_text("version: 1\n")
    return Places(tmp_path / "shots.yaml", ".veopipe", "renders")


def started(places: Places) -> Ledger:
    """A ledger as a run leaves it."""
    with owner.locked(places):
        written = owner.write(places, owner.look_up(places))
        owner.claim_output(places, written)
        return written


def shell(folder: Path, hint: str) -> None:
    """Do what the hint of a refusal says."""
    command = hint.splitlines()[0].partition(": ")[2]
    for part in command.split(" && "):
        subprocess.run(shlex.split(part), cwd=folder, check=True)


# --- places ----------------------------------------------------------------------------------------


def test_everything_lies_where_the_design_says(places: Places) -> None:
    root = places.manifest.parent

    assert places.folder == root / ".veopipe/shots"
    assert places.state == root / ".veopipe/shots/state"
    assert (places.rescue, places.runs) == (places.folder / "rescue", places.folder / "runs")
    assert places.output == root / "renders/shots"
    assert places.takes_of("renders/draft") == root / "renders/draft/shots/takes"


def test_a_rehearsal_has_folders_of_its_own(places: Places) -> None:
    simulated = replace(places, simulated=True)

    assert simulated.folder.name == simulated.output.name == "shots.simulated"


def test_a_started_ledger_is_what_the_design_says(places: Places) -> None:
    written = started(places)

    assert json.loads((places.folder / "ledger.json").read_text()) == {
        "format": 1,
        "id": written.id,
        "manifest": "shots.yaml",
        "open_runs": [],
    }
    assert (places.output / ".ledger").read_text() == f"{written.id}\n"
    assert places.folder.stat().st_mode & 0o777 == 0o700
    ignored = (places.folder.parent / ".gitignore").read_text().splitlines()
    assert {"/*/lock", "/*/runs/", "/*/rescue/", "/*.simulated/"} <= set(ignored)


def test_the_gitignore_is_made_once(places: Places) -> None:
    started(places)
    (places.folder.parent / ".gitignore").write_text("mine\n")

    started(places)

    assert (places.folder.parent / ".gitignore").read_text() == "mine\n"


def test_two_ledgers_have_different_ids(places: Places) -> None:
    assert started(places).id != started(replace(places, simulated=True)).id


def test_looking_makes_nothing(places: Places) -> None:
    assert owner.look_up(places).is_new
    assert [path.name for path in places.manifest.parent.iterdir()] == ["shots.yaml"]


def test_what_a_run_wrote_is_found_again(places: Places) -> None:
    written = started(places)
    with owner.locked(places):
        owner.write(places, replace(written, open_runs=("20261122T060000Z",)))

    found = owner.look_up(places)

    assert (found.id, found.open_runs, found.is_new) == (written.id, ("20261122T060000Z",), False)


# --- whose ledger ----------------------------------------------------------------------------------


def test_another_list_of_the_same_stem_is_refused_while_both_are_there(places: Places) -> None:
    started(places)
    other = places.manifest.with_suffix(".yml")
    other.write_text("version: 1\n")

    with pytest.raises(LedgerRefused, match=r"is the ledger of shots\.yaml, not of shots\.yml") as caught:
        owner.look_up(replace(places, manifest=other))

    assert caught.value.exit_code is ExitCode.INVALID
    shell(other.parent, str(caught.value.hint))
    assert owner.look_up(replace(places, manifest=other.with_name("shots-2.yml"))).is_new


def test_a_list_whose_ending_changed_is_refused_and_told_how_to_go_back(places: Places) -> None:
    written = started(places)
    other = places.manifest.rename(places.manifest.with_suffix(".yml"))

    with pytest.raises(LedgerRefused) as caught:
        owner.look_up(replace(places, manifest=other))

    shell(other.parent, str(caught.value.hint))
    assert owner.look_up(places).id == written.id


@pytest.mark.parametrize("name", ["shots.simulated.yaml", "a.simulated.yml"])
def test_a_list_named_like_a_rehearsal_is_refused(places: Places, name: str) -> None:
    with pytest.raises(LedgerRefused, match="that is the ledger of a rehearsal"):
        owner.look_up(replace(places, manifest=places.manifest.with_name(name)))


def test_a_copied_ledger_is_refused_while_its_owner_is_there(places: Places) -> None:
    started(places)
    other = replace(places, manifest=places.manifest.with_name("other.yaml"))
    subprocess.run(["cp", "-r", str(places.folder), str(other.folder)], check=True)

    with pytest.raises(LedgerRefused, match=r"is still there, and not the ledger of other\.yaml") as caught:
        owner.look_up(other)

    shell(other.manifest.parent, str(caught.value.hint).partition("; ")[2])
    assert json.loads((other.folder.with_name("other-2") / "ledger.json").read_text())["id"] == owner.look_up(places).id
    assert owner.look_up(other).is_new


def test_a_moved_ledger_takes_its_lists_new_name(places: Places) -> None:
    written = started(places)
    other = replace(places, manifest=places.manifest.rename(places.manifest.with_name("film.yaml")))
    places.folder.rename(other.folder)
    places.output.rename(other.output)

    assert started(other).id == written.id
    assert json.loads((other.folder / "ledger.json").read_text())["manifest"] == "film.yaml"


@pytest.mark.parametrize("name", ["film.yaml", "film cut 2.yaml", "$(touch x).yaml", "it's.yaml"])
def test_a_renamed_list_is_told_the_commands_that_move_its_ledger(places: Places, name: str) -> None:
    written = started(places)
    other = replace(places, manifest=places.manifest.rename(places.manifest.with_name(name)))

    with pytest.raises(LedgerRefused, match=r"which is gone\. Was it renamed") as caught:
        owner.refuse_if_renamed(other)

    assert "--new-ledger" in str(caught.value.hint)
    shell(other.manifest.parent, str(caught.value.hint))
    owner.refuse_if_renamed(other)
    assert owner.look_up(other).id == written.id


def test_a_new_list_beside_a_living_one_starts_a_ledger(places: Places) -> None:
    started(places)
    owner.refuse_if_renamed(replace(places, manifest=places.manifest.with_name("other.yaml")))


def test_rehearsals_and_other_files_beside_it_say_nothing_about_a_rename(places: Places) -> None:
    started(replace(places, simulated=True))
    (places.folder.parent / "notes.txt").write_text("x")
    (places.folder.parent / "empty").mkdir()
    other = replace(places, manifest=places.manifest.rename(places.manifest.with_name("film.yaml")))

    owner.refuse_if_renamed(other)
    owner.refuse_if_renamed(replace(other, ledger_base="nowhere"))


# --- whose videos ----------------------------------------------------------------------------------


def test_an_output_folder_of_another_ledger_is_refused(places: Places) -> None:
    started(places)
    (places.output / ".ledger").write_text("0123456789abcdef0123456789abcdef\n")

    with pytest.raises(LedgerRefused, match=r"renders/shots belongs to another ledger .*0123456789ab…"):
        owner.look_up(places)


def test_videos_whose_ledger_is_gone_are_not_bought_again(places: Places) -> None:
    started(places)
    subprocess.run(["rm", "-r", str(places.folder)], check=True)

    with pytest.raises(LedgerRefused, match="belongs to another ledger"):
        owner.look_up(places)


def test_a_lost_ledger_json_beside_state_files_is_made_again_with_its_id(places: Places) -> None:
    written = started(places)
    (places.state / "hero.json").write_text("{}")
    (places.folder / "ledger.json").unlink()

    found = owner.look_up(places)

    assert (found.id, found.is_new) == (written.id, False)


def test_an_output_folder_that_names_nobody_is_claimed(places: Places) -> None:
    places.output.mkdir(parents=True)
    (places.output / "holiday.mp4").write_text("mine")

    written = started(places)

    assert (places.output / ".ledger").read_text().strip() == written.id
    assert (places.output / "holiday.mp4").read_text() == "mine"


# --- damage ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "document",
    [
        "",
        "{",
        "[]",
        '"x"',
        "null",
        "{}",
        '{"format": 1, "manifest": "b"}',
        '{"format": 1, "id": "", "manifest": "b"}',
        '{"format": 1, "id": 7, "manifest": "b"}',
        '{"format": 1, "id": "a", "manifest": "b", "open_runs": "abc"}',
        '{"format": 1, "id": "a", "manifest": "b", "open_runs": [1]}',
        "[" * 100_000,
    ],
    ids=lambda text: text[:60],
)
def test_a_damaged_ledger_json_is_an_environment_fault_with_a_way_out(places: Places, document: str) -> None:
    started(places)
    (places.folder / "ledger.json").write_text(document)

    with pytest.raises(EnvironmentFault, match=r"ledger\.json can't be read: ") as caught:
        owner.look_up(places)

    assert str(caught.value.hint) == f"bring it back: git -C {places.folder} checkout -- ledger.json"


def test_the_ledger_of_a_newer_veopipe_is_not_to_be_replaced_by_an_older_one(places: Places) -> None:
    started(places)
    (places.folder / "ledger.json").write_text('{"format": 2, "id": "a", "manifest": "b"}')

    with pytest.raises(EnvironmentFault, match="its format is 2; this veopipe knows 1") as caught:
        owner.look_up(places)

    assert caught.value.hint == "update veopipe: a newer one wrote it"


def test_a_ledger_folder_that_is_a_file_is_an_environment_fault(places: Places) -> None:
    (places.manifest.parent / ".veopipe").write_text("in the way")

    with pytest.raises(EnvironmentFault, match="can't be locked"), owner.locked(places):
        pass


def test_an_output_folder_that_is_a_file_is_an_environment_fault(places: Places) -> None:
    (places.manifest.parent / "renders").write_text("in the way")

    with pytest.raises(EnvironmentFault, match="can't be used"):
        started(places)


# --- the lock --------------------------------------------------------------------------------------

HOLDER = """
import sys, time
from pathlib import Path
from veopipe.ledger import owner as ledger
from veopipe.ledger.paths import Places
with ledger.locked(Places(Path(sys.argv[1]), ".veopipe", "renders")):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(places: Places) -> Any:
    started(places)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(places.manifest)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_process_is_told_who_holds_the_lock(places: Places, holder: Any) -> None:
    with pytest.raises(LedgerLocked, match=f"another run of shots.yaml is on .pid {holder.pid} since") as caught:
        started(places)

    assert caught.value.exit_code is ExitCode.LOCKED
    assert caught.value.hint == f"wait for it, or look at it: veopipe status {places.manifest}"
    assert owner.is_locked(places)


def test_who_meets_a_rehearsal_is_told_how_to_look_at_it_from_the_folder_that_it_is_typed_in(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    rehearsal = replace(places, simulated=True)
    monkeypatch.chdir(places.manifest.parent)
    with owner.locked(rehearsal), pytest.raises(LedgerLocked) as caught:
        started(rehearsal)

    assert caught.value.hint == "wait for it, or look at it: veopipe status shots.yaml --simulate"


def test_a_rehearsal_runs_beside_a_real_run(places: Places, holder: Any) -> None:
    started(replace(places, simulated=True))


def test_the_lock_dies_with_its_process(places: Places, holder: Any) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()

    assert not owner.is_locked(places)
    started(places)


def test_a_look_at_the_lock_takes_it_from_nobody(places: Places) -> None:
    assert not owner.is_locked(places)
    with owner.locked(places):
        assert owner.is_locked(places)
    assert not owner.is_locked(places)


def test_a_lock_file_that_lies_about_its_holder_locks_nothing(places: Places) -> None:
    started(places)
    (places.folder / "lock").write_text("pid 1 since 2020-01-01T00:00:00Z\n")

    assert not owner.is_locked(places)
    started(places)


def test_a_run_that_failed_before_its_ledger_leaves_no_empty_one(places: Places) -> None:
    with pytest.raises(LedgerRefused), owner.locked(places):
        raise LedgerRefused("no")

    assert not places.folder.exists()


def test_a_run_that_failed_lets_the_lock_go(places: Places) -> None:
    started(places)
    with pytest.raises(RuntimeError), owner.locked(places):
        raise RuntimeError
    with owner.locked(places):
        pass

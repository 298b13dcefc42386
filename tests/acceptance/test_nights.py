"""Nights of the shipped GitHub workflow: its own steps, fresh clones, and a remote that may refuse a push."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from tests.harness.film import Film
    from veopipe.simulator.server import Simulator

pytestmark = pytest.mark.slow  # many situations of one kind; each promise has faster tests

ROOT = Path(__file__).parents[2]
WORKFLOW = yaml.safe_load((ROOT / "examples/nightly/github-actions.yml").read_text("utf-8"))
STEPS = WORKFLOW["jobs"]["render"]["steps"]
NOTE = ".veopipe/night-under-way"
SAVING = "See that the ledger can be saved"
Posts = Callable[[], int]

RECORD = 'case "$(git log -1 --format=%s "$to")" in Record*) exit 1 ;; esac'
HOOKS = {
    "nothing": "exit 1",
    "nothing of a bot": '[ "$(git log -1 --format=%an "$to")" != veopipe ] || exit 1',
    "nothing unsigned": 'git cat-file commit "$to" | grep -q ^gpgsig || exit 1',
    "no file of the ledger": 'git diff --name-only "$from" "$to" | grep -q ^.veopipe/ && exit 1',
    "no record on main": f'[ "$name" != refs/heads/main ] || {RECORD}',
    "no record": RECORD,
}


@dataclass
class Night:
    """One job: what each step did, what it kept, what it said."""

    number: int
    folder: Path
    codes: dict[str, int] = field(default_factory=dict)
    said: str = ""
    summary: str = ""
    artifacts: dict[str, list[str]] = field(default_factory=dict)
    kept: Path = Path()

    @property
    def is_good(self) -> bool:
        return not any(self.codes.values())


@dataclass
class Studio:
    """A remote, a person's clone of it, and nights, each on a machine of its own."""

    film: Film
    home: Path
    nights: int = 0

    @property
    def remote(self) -> Path:
        return self.home / "remote.git"

    def shell(self, script: str, folder: Path | None = None, code: int = 0, **environment: str) -> str:
        """As GitHub runs a step: bash, -e, pipefail."""
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=folder or self.film.folder,
            env={**self.film.environment, **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert code in (done.returncode, -1), done.stdout + done.stderr
        return f"{done.stdout}{done.stderr}\n{done.returncode}"

    def save(self, words: str = "A day's work") -> None:
        """A person commits and pushes."""
        self.shell(f"git pull -q --rebase --autostash && git add -A && git commit -qm {words!r} && git push -q")

    def refuse(self, what: str | None) -> None:
        """From now on the remote's pre-receive hook takes `what` no more."""
        hook = self.remote / "hooks" / "pre-receive"
        hook.write_text(f"#!/bin/sh\nwhile read -r from to name; do\n{HOOKS[what] if what else ':'}\ndone\n")
        hook.chmod(0o755)

    def machine(self, commit: str = "main") -> Night:
        """A hosted runner after `actions/checkout`: one commit, no history."""
        self.nights += 1
        folder = self.home / f"night-{self.nights}"
        self.shell(f"git init -q {folder} && cd {folder} && git remote add origin file://{self.remote}")
        asked = self.shell(f"git --git-dir {self.remote} rev-parse {commit}").split()[0]
        self.shell(f"git fetch -q --no-tags --depth=1 origin +{asked}:refs/remotes/origin/main", folder)
        self.shell("git checkout -q -B main refs/remotes/origin/main", folder)
        return Night(self.nights, folder)

    def step(self, night: Night, name: str, **environment: str) -> None:
        """One step with the file's own words."""
        entry = next(step for step in STEPS if step.get("name") == name)
        summary = night.folder.parent / f"summary-{night.number}.md"
        of_github = {
            "GITHUB_STEP_SUMMARY": str(summary),
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_REPOSITORY": "studio/film",
            "GITHUB_RUN_ID": str(1000 + night.number),
            "GITHUB_RUN_ATTEMPT": "1",
        }
        key = {} if "VEOPIPE_API_KEY" in entry.get("env", {}) else {"VEOPIPE_API_KEY": ""}
        script = entry["run"].replace("0 2 10 30", "0 0")
        said, _, code = self.shell(script, night.folder, -1, **of_github, **key, **environment).rpartition("\n")
        night.codes[name] = int(code)
        night.said += said
        night.summary = summary.read_text("utf-8") if summary.exists() else ""

    def job(self, night: Night, before: dict[str, Callable[[], None]] | None = None, **environment: str) -> Night:
        """All steps after the installation, each under its condition; `before`: what happens meanwhile elsewhere."""
        for entry in STEPS[3:]:
            name = entry.get("name", "renders")
            happening = (before or {}).get(name)
            if happening is not None:
                happening()
            if not self._may_run(entry.get("if"), night):
                continue
            if "run" in entry:
                self.step(night, name, **environment)
            else:
                self._upload(night, entry["with"])
        return night

    @staticmethod
    def _may_run(condition: str | None, night: Night) -> bool:
        if condition is None:
            return night.is_good
        parts = condition.split(" && ")
        assert parts[0] == "always()"
        assert parts[1:] in ([], ["steps.begin.outcome == 'success'"])
        assert next(step for step in STEPS if step.get("id") == "begin")["name"] == SAVING
        return not parts[1:] or night.codes[SAVING] == 0

    def _upload(self, night: Night, settings: dict[str, Any]) -> None:
        """What `actions/upload-artifact@v4` takes: no hidden file unless told, and one path's own content."""
        wanted = settings["path"].split()
        night.kept = self.home / f"kept-{night.number}" / settings["name"].split("-")[0]
        found = []
        for path in sorted(night.folder.rglob("*")):
            name = path.relative_to(night.folder)
            hidden = any(part.startswith(".") for part in name.parts)
            is_meant = any(str(name).startswith(want.rstrip("/")) for want in wanted)
            if path.is_file() and is_meant and (settings.get("include-hidden-files") or not hidden):
                inside = name.relative_to(wanted[0]) if len(wanted) == 1 else name
                (night.kept / inside).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, night.kept / inside)
                found.append(str(inside))
        night.artifacts[settings["name"].split("-")[0]] = found

    def run(self, **environment: str) -> Night:
        """A whole night on a new machine."""
        return self.job(self.machine(), **environment)

    def state(self, shot: str) -> dict[str, Any]:
        """A shot's record on the remote's main branch."""
        text = self.shell(f"git --git-dir {self.remote} show main:.veopipe/shots/state/{shot}.json").rpartition("\n")[0]
        found: dict[str, Any] = json.loads(text)
        return found

    def statuses(self, shot: str) -> list[str]:
        return [take["status"] for take in self.state(shot)["takes"]]

    def branches(self) -> list[str]:
        text = self.shell(f"git --git-dir {self.remote} branch --format='%(refname:short)'")
        return text.split()[:-1]

    def files(self, branch: str = "main") -> list[str]:
        return self.shell(f"git --git-dir {self.remote} ls-tree -r --name-only {branch}").split()


@pytest.fixture
def studio(film: Film, tmp_path: Path) -> Studio:
    """A list with one shot that is bought, its ledger on the remote, and another shot to buy."""
    text = (ROOT / "pipelines" / "nightly.yaml").read_text("utf-8")
    quick = "poll: {interval: 50ms, timeout: 2s}\ndownload: {not_ready_interval: 50ms}\n"
    (film.folder / "pipelines").mkdir()
    (film.folder / "pipelines" / "nightly.yaml").write_text(
        text.replace("provider:\n", f"provider:\n  base_url: {film.base_url}\n") + quick
    )
    (film.folder / ".gitignore").write_text("renders/\nreport.json\n")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, module in {"veopipe": "-m veopipe", "python": ""}.items():
        (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} {module} "$@"\n')
        (programs / name).chmod(0o755)
    (tmp_path / "gitconfig").write_text("[user]\nname = a\nemail = a@b.c\n[init]\ndefaultBranch = main\n")
    film.environment |= {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig"),
        "HOME": str(tmp_path),
    }
    made = Studio(film, tmp_path)
    film.list({"SC01": "a lighthouse"})
    made.shell("veopipe run shots.yaml -p nightly --new-ledger")
    made.shell(f"git init -q --bare {made.remote} && git init -q && git add -A && git commit -qm list")
    made.shell(f"git remote add origin {made.remote} && git push -qu origin main")
    film.list({"SC01": "a lighthouse", "SC02": "a harbor"})
    made.save()
    return made


# --- a night that can be saved ------------------------------------------------------------------------


def test_a_night_is_saved_and_the_next_has_nothing_to_do(studio: Studio, posts: Posts) -> None:
    night = studio.run()
    assert (night.is_good, posts(), studio.statuses("SC02")) == (True, 2, ["verified"]), night.said
    assert NOTE not in studio.files()
    assert not any("/runs/" in name or name.endswith("/lock") or "reserve" in name for name in studio.files())
    assert "shots/state/SC02.json" in night.artifacts["ledger"]
    tip = studio.shell(f"git --git-dir {studio.remote} rev-parse main")
    again = studio.run()
    assert (again.is_good, posts()) == (True, 2)
    assert studio.shell(f"git --git-dir {studio.remote} rev-parse main") == tip


IGNORING = {
    "the repository ignores the folder": ".veopipe/\n",
    "the repository ignores what begins with a dot": ".*\n",
    "the repository ignores states": "state/\n",
    "the repository ignores JSON": "*.json\n",
}


@pytest.mark.parametrize("words", IGNORING.values(), ids=IGNORING.keys())
def test_what_the_repository_ignores_is_saved_all_the_same(studio: Studio, posts: Posts, words: str) -> None:
    with (studio.film.folder / ".gitignore").open("a") as file:
        file.write(words)
    studio.shell("git add -f .gitignore")
    studio.save()
    assert studio.run().is_good
    assert studio.run().is_good
    assert (posts(), studio.statuses("SC02")) == (2, ["verified"])


def test_neither_a_hook_nor_a_machine_without_a_name_keeps_it_from_being_saved(studio: Studio, posts: Posts) -> None:
    hooks = studio.home / "hooks"
    hooks.mkdir()
    for name in ("pre-commit", "commit-msg"):
        (hooks / name).write_text("#!/bin/sh\nexit 1\n")
        (hooks / name).chmod(0o755)
    config = studio.home / "bare"
    config.write_text(f"[core]\nhooksPath = {hooks}\n[user]\nuseConfigOnly = true\n")
    night = studio.run(GIT_CONFIG_GLOBAL=str(config))
    assert (night.is_good, posts(), studio.statuses("SC02")) == (True, 2, ["verified"]), night.said


def test_a_night_that_fails_is_saved_too(studio: Studio, posts: Posts) -> None:
    studio.film.list({"SC01": "a lighthouse", "SC02": "x [simulate: lost_response]"})
    studio.save()
    night = studio.run()
    assert (night.codes["Run the list"], night.codes["Commit the ledger"], posts()) == (3, 0, 2)
    assert studio.statuses("SC02") == ["in_doubt"]
    assert studio.run().codes["Run the list"] == 3
    assert posts() == 2


def test_what_found_no_place_among_the_states_is_saved_too(studio: Studio) -> None:
    night = studio.machine()
    rescue = night.folder / ".veopipe/shots/rescue"
    rescue.mkdir(exist_ok=True)
    (rescue / "SC02.0000.json").write_text("{}")
    studio.job(night)
    kept = night.artifacts["ledger"]
    assert "shots/ledger.json" in kept
    (rescue / "SC03.0000.json").write_text("{}")
    studio.step(night, "Commit the ledger")
    assert ".veopipe/shots/rescue/SC03.0000.json" in studio.files()


# --- a night that can't be saved ----------------------------------------------------------------------


@pytest.mark.parametrize("what", ["nothing", "nothing of a bot", "nothing unsigned", "no file of the ledger"])
def test_a_branch_that_refuses_the_push_costs_nothing_in_any_night(studio: Studio, posts: Posts, what: str) -> None:
    studio.refuse(what)
    for _ in range(2):
        night = studio.run()
        assert (night.is_good, posts()) == (False, 1)
        assert "Run the list" not in night.codes
        assert "::error::Nothing was bought: main didn't take the push" in night.said
    studio.refuse(None)
    assert (studio.run().is_good, posts(), studio.statuses("SC02")) == (True, 2, ["verified"])


def test_a_tag_cannot_keep_a_ledger_and_buys_nothing(studio: Studio, posts: Posts) -> None:
    night = studio.machine()
    studio.shell("git checkout -q --detach", night.folder)
    studio.job(night)
    assert (night.is_good, posts()) == (False, 1)
    assert "start the workflow on one" in night.said


def test_a_push_that_is_refused_after_the_run_is_loud_and_the_next_night_buys_nothing(
    studio: Studio, posts: Posts
) -> None:
    studio.refuse("no record on main")
    night = studio.run()
    assert (night.codes["Run the list"], night.codes["Commit the ledger"], posts()) == (0, 1, 2)
    assert "::error::THE LEDGER OF THIS NIGHT ISN'T SAVED" in night.said
    assert "branch `veopipe-night-1001-1`" in night.summary
    assert "shots/state/SC02.json" in night.artifacts["ledger"]
    later = studio.run()
    assert (later.is_good, posts()) == (False, 2)
    assert "https://github.example/studio/film/actions/runs/1001" in later.summary
    assert "veopipe-night-1001-1" in studio.branches()

    studio.refuse(None)  # what the summary says: merge that branch
    studio.shell("git pull -q && git fetch -q && git merge -q -m back origin/veopipe-night-1001-1 && git push -q")
    assert studio.run().is_good
    assert (posts(), studio.statuses("SC02")) == (2, ["verified"])


def test_where_no_branch_may_be_pushed_the_artifact_brings_the_ledger_back(studio: Studio, posts: Posts) -> None:
    studio.refuse("no record")
    night = studio.run()
    assert (night.is_good, posts()) == (False, 2)
    assert studio.branches() == ["main"]
    assert "is in no branch and in the artifact `ledger-1`" in night.summary
    assert not studio.run().is_good
    assert posts() == 2

    studio.refuse(None)  # what the summary says: unpack it over .veopipe/, delete the note
    studio.shell(f"git pull -q && cp -R {studio.home}/kept-1/ledger/. .veopipe/ && rm {NOTE}")
    studio.save()
    assert studio.run().is_good
    assert (posts(), studio.statuses("SC02")) == (2, ["verified"])


def test_after_a_lost_machine_nothing_is_bought_until_a_person_says_so(studio: Studio, posts: Posts) -> None:
    lost = studio.machine()
    studio.step(lost, SAVING)
    studio.step(lost, "Run the list")
    assert posts() == 2
    night = studio.run()
    assert (night.is_good, posts()) == (False, 2)
    assert "It has neither (the machine was lost)" in night.summary
    assert NOTE in studio.files()
    studio.shell(f"git pull -q && rm {NOTE}")
    studio.save("Buy it again")
    assert studio.run().is_good
    assert posts() == 3


def test_of_two_nights_at_once_one_buys(studio: Studio, posts: Posts) -> None:
    one, two = studio.machine(), studio.machine()
    studio.step(one, SAVING)
    studio.job(two)
    assert (two.is_good, posts()) == (False, 1)
    assert "A night wasn't saved" in two.said
    studio.step(one, "Run the list")
    studio.step(one, "Commit the ledger")
    assert (one.is_good, posts(), studio.statuses("SC02")) == (True, 2, ["verified"])


def test_a_job_that_waited_or_is_run_again_has_the_newest_ledger(studio: Studio, posts: Posts) -> None:
    """GitHub checks out the commit of the time when the job was asked for."""
    old = studio.shell(f"git --git-dir {studio.remote} rev-parse main").split()[0]
    assert studio.run().is_good
    waited = studio.job(studio.machine(old))
    assert (waited.is_good, posts()) == (True, 2), waited.said


# --- people at work meanwhile ---------------------------------------------------------------------------


def test_what_people_push_during_the_night_is_kept(studio: Studio, posts: Posts) -> None:
    def edit() -> None:
        studio.film.list({"SC01": "a lighthouse", "SC02": "a harbor", "SC03": "a pier"})
        studio.save("One more shot")

    night = studio.job(studio.machine(), {"Commit the ledger": edit})
    assert (night.is_good, posts(), studio.statuses("SC02")) == (True, 2, ["verified"])
    assert studio.run().is_good
    assert (posts(), studio.statuses("SC03")) == (3, ["verified"])


@pytest.fixture
def doubtful(studio: Studio, gateway: Simulator) -> Studio:
    """SC02 has a take that the gateway never finishes, and one in doubt."""
    studio.film.list({"SC01": "a lighthouse", "SC02": "x [simulate: stuck_in_progress times=all]"})
    studio.save()
    studio.run()
    studio.film.list({"SC01": "a lighthouse", "SC02": "y [simulate: lost_response]"})
    studio.save()
    studio.run()
    assert studio.statuses("SC02") == ["parked", "in_doubt"]
    return studio


def test_a_take_that_a_person_resolved_while_the_night_touched_its_shot_ends_well(
    doubtful: Studio, gateway: Simulator, posts: Posts
) -> None:
    task = gateway.ledger[-1]["task_id"]
    before = posts()

    def resolve() -> None:
        doubtful.shell(f"git pull -q && veopipe resolve shots.yaml SC02 --task-id {task}")
        doubtful.save("Looked it up")

    night = doubtful.job(doubtful.machine(), {"Commit the ledger": resolve})
    assert night.codes["Commit the ledger"] == 0, night.said
    assert doubtful.statuses("SC02") == ["parked", "rendering"]
    doubtful.run()
    assert (doubtful.statuses("SC02"), posts()) == (["parked", "verified"], before)


@pytest.mark.parametrize(
    ("found", "then"), [("--task-id {}", "verified"), ("--write-off", "abandoned")], ids=["found", "given-up"]
)
def test_a_create_that_was_killed_and_a_person_resolved_while_the_night_doubted_it_ends_well(
    studio: Studio, gateway: Simulator, posts: Posts, until: Callable[..., None], found: str, then: str
) -> None:
    """Both change the same lines of the same record: for a merge by lines a conflict."""
    gateway.order_fault("slow_create", seconds=30)
    run = studio.film.start("run", "shots.yaml", "-p", "nightly")
    until(lambda: len(gateway.ledger) == 2)
    run.process.kill()
    run.process.communicate()
    studio.save("As it was left")
    assert studio.statuses("SC02") == ["submitting"]

    def resolve() -> None:
        task = gateway.ledger[-1]["task_id"]
        studio.shell(f"git pull -q && veopipe resolve shots.yaml SC02 {found.format(task)}")
        studio.save("Looked it up")

    night = studio.job(studio.machine(), {"Commit the ledger": resolve})
    assert (night.codes["Run the list"], night.codes["Commit the ledger"]) == (3, 0), night.said
    studio.run()
    assert (studio.statuses("SC02"), posts()) == ([then], 2)


def test_a_take_that_a_person_wrote_off_stays_so(doubtful: Studio, posts: Posts) -> None:
    before = posts()

    def write_off() -> None:
        doubtful.shell("git pull -q && veopipe resolve shots.yaml SC02 --write-off")
        doubtful.save("Given up")

    night = doubtful.job(doubtful.machine(), {"Commit the ledger": write_off})
    assert night.codes["Commit the ledger"] == 0, night.said
    assert doubtful.statuses("SC02") == ["parked", "abandoned"]
    doubtful.run()
    assert posts() == before


def test_a_shot_that_was_bought_on_both_sides_is_left_to_a_person_and_not_bought_again(
    studio: Studio, gateway: Simulator, posts: Posts
) -> None:
    def buy_it_too() -> None:
        studio.shell("git pull -q && veopipe run shots.yaml -p nightly")
        studio.save("Bought it, too")

    night = studio.job(studio.machine(), {"Commit the ledger": buy_it_too})
    assert (night.codes["Commit the ledger"], posts()) == (1, 3)
    assert "veopipe-night-1001-1" in studio.branches()
    assert (studio.run().is_good, posts()) == (False, 3)

    # what the summary says: keep both
    state = ".veopipe/shots/state/SC02"
    assert re.search(r'further file in `state/`: `SHOT-day.json`, with `"shot": "SHOT-day"`', night.summary)
    studio.shell("git pull -q && git fetch -q && git merge -q origin/veopipe-night-1001-1 || true")
    own = "sed 's/SC02/SC02-day/'"
    studio.shell(f"git show HEAD:{state}.json | {own} > {state}-day.json && git checkout -q --theirs {state}.json")
    studio.shell("git add -A && git commit -qm 'Both were bought' && git push -q")
    kept = {studio.state(shot)["takes"][0]["attempts"][0]["task_id"] for shot in ("SC02", "SC02-day")}
    assert kept == {entry["task_id"] for entry in gateway.ledger[1:]}
    assert (studio.run().is_good, posts()) == (True, 3)


def test_a_history_that_was_rewritten_meanwhile_loses_no_record(studio: Studio, posts: Posts) -> None:
    def rewrite() -> None:
        studio.shell("git checkout -q --orphan new && git add -A && git commit -qm 'From the start'")
        studio.shell("git push -qf origin new:main")

    night = studio.job(studio.machine(), {"Commit the ledger": rewrite})
    assert (night.codes["Commit the ledger"], posts()) == (1, 2)
    assert "shots/state/SC02.json" in night.artifacts["ledger"]


# --- the file itself --------------------------------------------------------------------------------------


def test_the_workflow_says_only_what_github_knows() -> None:
    assert set(WORKFLOW) == {"name", True, "concurrency", "permissions", "jobs"}  # YAML 1.1 reads `on` as true
    assert WORKFLOW["permissions"] == {"contents": "write"}
    job = WORKFLOW["jobs"]["render"]
    assert set(job) == {"runs-on", "timeout-minutes", "steps"}
    for step in STEPS:
        assert set(step) <= {"name", "id", "if", "env", "run", "uses", "with"}
        assert ("run" in step) != ("uses" in step)
        if "run" in step:
            subprocess.run(["bash", "-n"], input=step["run"], text=True, check=True)
            assert "${{" not in step["run"]  # what an expression holds would be run as shell
    uploads = [step["with"] for step in STEPS if step.get("uses") == "actions/upload-artifact@v4"]
    assert all(set(entry) <= {"name", "path", "include-hidden-files", "if-no-files-found"} for entry in uploads)
    assert [entry["include-hidden-files"] for entry in uploads] == [True, True]
    assert all(entry["name"].endswith("-${{ github.run_attempt }}") for entry in uploads)  # a second may not replace it
    names = [step.get("name") for step in STEPS]
    assert names.index(SAVING) + 1 == names.index("Run the list")

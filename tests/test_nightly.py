"""The nightly set-ups of examples/nightly/, carried out with the very words of their files."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from veopipe.gateway.reads import Timeouts
from veopipe.pipeline.reading import load_pipeline

pytestmark = pytest.mark.slow  # many situations of one kind; each promise has faster tests

ROOT = Path(__file__).parents[1]
NIGHTLY = ROOT / "examples" / "nightly"
README = (NIGHTLY / "README.md").read_text("utf-8")
UNIT = (NIGHTLY / "veopipe.service").read_text("utf-8")


def workflow():
    return yaml.safe_load((NIGHTLY / "github-actions.yml").read_text("utf-8"))


def steps():
    """The workflow's steps by name, as far as they have one."""
    return {step["name"]: step for step in workflow()["jobs"]["render"]["steps"] if "name" in step}


def readme_block(number):
    return re.findall(r"```bash\n(.*?)```", README, re.DOTALL)[number]


@pytest.fixture
def checkout(film, tmp_path):
    """A repository with a list, its remote, and the built-in pipeline led to the test's gateway."""
    film.list({"SC01": "a lighthouse", "SC02": "a harbor"})
    text = (ROOT / "pipelines" / "nightly.yaml").read_text("utf-8")
    assert "provider:\n" in text
    quick = "poll: {interval: 50ms}\ndownload: {not_ready_interval: 50ms}\n"
    (film.folder / "pipelines").mkdir()
    (film.folder / "pipelines" / "nightly.yaml").write_text(
        text.replace("provider:\n", f"provider:\n  base_url: {film.base_url}\n") + quick
    )
    (film.folder / ".gitignore").write_text("renders/\nreport.json\n")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "veopipe").write_text(f'#!/bin/sh\nexec {sys.executable} -m veopipe "$@"\n')
    (programs / "veopipe").chmod(0o755)
    film.environment |= {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "HOME": str(tmp_path),
    }
    (tmp_path / "gitconfig").write_text("[user]\nname = a\nemail = a@b.c\n[init]\ndefaultBranch = main\n")
    shell(film, f"git init -q --bare {tmp_path}/remote.git && git init -q && git add . && git commit -qm list")
    shell(film, f"git remote add origin {tmp_path}/remote.git && git push -qu origin main")
    return film


def shell(film, script, code=0):
    """As GitHub runs a step: bash, -e, pipefail."""
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=film.folder,
        env=film.environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_without_its_ledger_a_night_buys_nothing_and_says_how_to_start_one(checkout, posts):
    done = shell(checkout, steps()["Run the list"]["run"], code=6)
    assert posts() == 0
    assert "--new-ledger" in done.stderr + (checkout.folder / "report.json").read_text()


def test_the_first_time_and_the_nights_after_it_as_the_files_say(checkout, posts, tmp_path):
    shell(checkout, readme_block(0))
    shell(checkout, "git push -q")
    assert posts() == 2
    clone = tmp_path / "clone"
    shell(checkout, f"git clone -q {tmp_path}/remote.git {clone}")
    checkout.folder = clone
    checkout.list({"SC01": "a lighthouse", "SC02": "a harbor", "SC03": "a pier"})
    shell(checkout, "git add . && git commit -qm 'One more shot'")
    for name in ("Run the list", "Commit the ledger", "Write the job summary"):
        shell(checkout, steps()[name]["run"])
    assert posts() == 3
    log = shell(checkout, "git fetch -q && git log --format=%s -1 origin/main").stdout
    assert log == "Record last night's takes\n"
    kept = shell(checkout, "git ls-tree -r --name-only origin/main .veopipe").stdout.split()
    assert ".veopipe/shots/state/SC03.json" in kept
    assert not any("/runs/" in name or name.endswith("lock") for name in kept)
    summary = (tmp_path / "summary.md").read_text("utf-8")
    assert summary.startswith("#")
    assert "SC03" in summary
    shell(checkout, steps()["Run the list"]["run"])
    shell(checkout, steps()["Commit the ledger"]["run"])
    assert posts() == 3


def test_the_ledger_is_committed_after_a_night_that_failed_too(checkout, posts):
    checkout.list({"SC01": "x [simulate: failed_with_error times=all]"})
    shell(checkout, "veopipe run shots.yaml -p nightly --new-ledger", code=1)
    shell(checkout, steps()["Commit the ledger"]["run"])
    assert "state/SC01.json" in shell(checkout, "git ls-tree -r --name-only origin/main .veopipe").stdout
    assert posts() == 2  # nightly orders one further attempt


def test_a_second_run_while_one_is_on_ends_with_7_and_a_sentence(checkout, until, posts):
    checkout.list({"SC01": "x [simulate: stuck_in_progress]"})
    first = checkout.start("run", "shots.yaml", "-p", "nightly", "--new-ledger")
    until(posts)
    second = checkout.command("run", "shots.yaml", "-p", "nightly")
    assert second.code == 7
    assert re.match(r"Error: another run of shots\.yaml is on \(pid \d+ since [^)]*\)\n→ wait for it", second.err)
    assert posts() == 1
    first.signal(2)
    assert first.result().code == 130


def test_the_workflow_ends_the_run_before_the_job_and_leaves_a_create_its_time():
    job = workflow()["jobs"]["render"]
    step = steps()["Run the list"]["run"]
    hours = int(re.search(r" (\d+)h ", step)[1])
    kill_after = int(re.search(r"--kill-after=(\d+)", step)[1])
    assert kill_after > Timeouts().create_read
    assert hours * 60 + kill_after / 60 < job["timeout-minutes"] < 360
    assert workflow()["concurrency"]["cancel-in-progress"] is False
    names = [entry.get("name") for entry in job["steps"]]
    assert names.index("Commit the ledger") == names.index("Run the list") + 1
    after = job["steps"][names.index("Run the list") + 1 :]
    assert all(entry["if"].partition(" && ")[0] == "always()" for entry in after)


def test_the_end_of_a_nights_time_lets_the_create_under_way_be_answered(checkout, posts):
    checkout.list({"SC01": "x [simulate: slow_create seconds=12]"})
    step = steps()["Run the list"]["run"]
    assert "timeout --foreground " in step  # which sends the signal once; two of them mean "leave now"
    shell(checkout, step.replace(" 5h ", " 6s ").replace("nightly", "nightly --new-ledger"), code=124)
    document = json.loads((checkout.folder / "report.json").read_text("utf-8"))
    assert (document["exit_code"], document["shots"]["SC01"]["status"], posts()) == (130, "rendering", 1)


def test_nothing_is_installed_under_a_name_that_anybody_may_register():
    text = (NIGHTLY / "github-actions.yml").read_text("utf-8")
    assert [line for line in text.splitlines() if "pip install" in line and " @ git+https://" not in line] == []


def test_the_key_is_a_secret_of_one_step_and_in_no_file():
    text = (NIGHTLY / "github-actions.yml").read_text("utf-8")
    assert text.count("secrets.") == 1
    assert steps()["Run the list"]["env"] == {"VEOPIPE_API_KEY": "${{ secrets.VEOPIPE_API_KEY }}"}


def test_the_unit_waits_longer_than_a_create_may_take():
    value = int(re.search(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)[1])
    waits = Timeouts()
    assert value > 300
    assert value > waits.connect + waits.create_read
    assert "\nKillSignal=SIGINT\n" in UNIT
    assert "\nRestart=" not in UNIT


def test_the_units_are_right_by_systemds_own_judgement(tmp_path):
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze isn't installed")
    for name in ("veopipe.service", "veopipe.timer"):
        text = (NIGHTLY / name).read_text("utf-8").replace("%h/.local/bin/veopipe", "/bin/true")
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [program, "verify", "./veopipe.service", "./veopipe.timer"], cwd=tmp_path, capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_crontab_line_runs(checkout, tmp_path):
    """Its command after the five fields of time, in `sh` with cron's small environment."""
    line = (NIGHTLY / "crontab").read_text("utf-8").splitlines()[-1]
    fields, command = line.split(None, 5)[:5], line.split(None, 5)[5]
    assert all(re.fullmatch(r"[\d*]+", entry) for entry in fields)
    assert "%" not in command  # which cron takes for a line end
    shell(checkout, "veopipe run shots.yaml -p nightly --new-ledger")
    (tmp_path / ".config").mkdir()
    (tmp_path / ".config" / "veopipe.env").write_text("VEOPIPE_API_KEY=sk-a-key-of-the-night\n")
    installed = tmp_path / ".local" / "bin"
    installed.mkdir(parents=True)
    shutil.copy(tmp_path / "bin" / "veopipe", installed)
    small = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path)}
    done = subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, env=small, capture_output=True, text=True)
    log = (tmp_path / "film" / "nightly.log").read_text("utf-8")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), log
    assert "2 verified" in log


def test_it_is_said_what_becomes_of_the_ledger_where_nothing_is_pushed():
    for name in ("crontab", "veopipe.service"):
        assert "Nothing is pushed: the ledger is on this disk alone." in (NIGHTLY / name).read_text("utf-8")
    assert "cron and systemd push nothing" in README


def test_the_commented_notice_of_the_pipelines_is_right_when_the_signs_are_taken_away(tmp_path):
    for name in ("default", "nightly"):
        text = (ROOT / "pipelines" / f"{name}.yaml").read_text("utf-8")
        section = re.search(r"^# notify:\n(?:#  .*\n)+", text, re.MULTILINE)[0]
        (tmp_path / f"{name}.yaml").write_text(re.sub(r"^# ", "", section, flags=re.MULTILINE))
        loaded, problems = load_pipeline(str(tmp_path / f"{name}.yaml"), tmp_path)
        assert problems == ()
        assert loaded.notify.on == {"failed", "in_doubt"}
        assert loaded.notify.webhook_env == "SLACK_WEBHOOK_URL"
        assert loaded.notify.command

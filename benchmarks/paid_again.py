"""What a batch pays that is killed after 16 paid calls and started again: veopipe, and what people write without it.

Sixteen shots. Each program is killed (SIGKILL) as soon as the gateway, `veopipe simulate` in a process of its own,
has charged the sixteenth create, and then run again to its end. The gateway's ledger counts.

* the document's script: the API document's own Python example, in a loop over the prompts.
* the official SDK: `openai`'s `videos.create_and_poll` and `download_content`, in the same loop; only if it is
  installed (it isn't a dependency of anything here).
* Google's SDK: the library `google-genai`, in the same loop at a simulated Google; the same.
* veopipe, as it is: one create at a time, so at most one can be in doubt.
* veopipe, at Google: the same as it is, with `profile: google`.
* veopipe, all at once: sixteen creates under way, the worst moment to be killed; what wasn't answered is in doubt.

Limit: veopipe pays nothing again, and every shot is verified or in doubt (its create was being answered).

    python -m benchmarks.paid_again
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.measuring import ROOT, VEOPIPE, Table, scratch, server

SHOTS = 16
PATIENCE_S = 120.0
PROMPTS = [f"shot {number:02d} of a batch: a lighthouse at sunset" for number in range(SHOTS)]

_SCRIPT = """

# The batch: the example's own functions, shot by shot.
from concurrent.futures import ThreadPoolExecutor

def make(number, prompt):
    task = create_text_video(prompt)
    wait_for_video(task.get("id") or task.get("task_id"), interval=1)
    download_video(task.get("id") or task.get("task_id"), f"{number:02d}.mp4", interval=1)

with ThreadPoolExecutor(16) as pool:
    list(pool.map(make, range(len(PROMPTS)), PROMPTS))
"""
_SDK = """
from concurrent.futures import ThreadPoolExecutor

from openai import OpenAI

client = OpenAI(base_url=BASE_URL + "/v1", api_key=API_KEY)

def make(number, prompt):
    video = client.videos.create_and_poll(
        model="veo-3.1-fast-generate-preview", prompt=prompt, seconds="8", size="1280x720", poll_interval_ms=1000
    )
    client.videos.download_content(video.id).write_to_file(f"{number:02d}.mp4")

with ThreadPoolExecutor(16) as pool:
    list(pool.map(make, range(len(PROMPTS)), PROMPTS))
"""

_GOOGLE = """
import time
from concurrent.futures import ThreadPoolExecutor

from google import genai
from google.genai import types

client = genai.Client(api_key=API_KEY, http_options=types.HttpOptions(base_url=BASE_URL))
FORMAT = {"type": "video", "delivery": "uri", "duration": "4s"}

def make(number, prompt):
    made = client.interactions.create(
        model="gemini-omni-1.2-flash", input=prompt, background=True, response_format=FORMAT
    )
    while made.status == "in_progress":
        time.sleep(1)
        made = client.interactions.get(made.id)
    parts = [part for step in made.steps if step.type == "model_output" for part in step.content]
    name = parts[0].uri.rpartition("/")[2].partition(":")[0]
    client.files.download(file=f"files/{name}", destination=f"{number:02d}.mp4")

with ThreadPoolExecutor(16) as pool:
    list(pool.map(make, range(len(PROMPTS)), PROMPTS))
"""


def _document_script(folder: Path, base_url: str) -> list[str]:
    """The document's example without its own ending, and a loop behind it."""
    document = (ROOT / "docs/api-document.txt").read_text("utf-8")
    example = document.partition("\nPython Complete Example\n")[2].partition("\nFAQ\n")[0]
    functions = example.partition('if __name__ == "__main__":')[0]
    functions = functions.replace("https://api.laozhang.ai", base_url).replace("YOUR_API_KEY", "sk-benchmark")
    if base_url not in functions or "def download_video" not in functions:
        raise SystemExit("docs/api-document.txt has another form than this benchmark expects")
    return _script(folder, f"{functions}\nPROMPTS = {PROMPTS!r}\n{_SCRIPT}")


def _sdk_script(folder: Path, base_url: str) -> list[str]:
    return _script(folder, f"BASE_URL, API_KEY, PROMPTS = {base_url!r}, 'sk-benchmark', {PROMPTS!r}\n{_SDK}")


def _google_script(folder: Path, base_url: str) -> list[str]:
    return _script(folder, f"BASE_URL, API_KEY, PROMPTS = {base_url!r}, 'AIza-benchmark', {PROMPTS!r}\n{_GOOGLE}")


def _script(folder: Path, text: str) -> list[str]:
    (folder / "batch.py").write_text(text, "utf-8")
    return [sys.executable, "batch.py"]


def _one_at_a_time(folder: Path, base_url: str) -> list[str]:
    return _veopipe(folder, base_url, creates_in_flight=1)


def _at_google(folder: Path, base_url: str) -> list[str]:
    return _veopipe(folder, base_url, creates_in_flight=1, profile="google")


def _all_at_once(folder: Path, base_url: str) -> list[str]:
    return _veopipe(folder, base_url, creates_in_flight=SHOTS)


def _veopipe(folder: Path, base_url: str, creates_in_flight: int, profile: str = "laozhang") -> list[str]:
    shots = {f"S{number:02d}": {"prompt": prompt} for number, prompt in enumerate(PROMPTS)}
    model = "gemini-omni-1.2-flash" if profile == "google" else "veo-3.1-fast-generate-preview"
    manifest = {"version": 1, "defaults": {"model": model, "seconds": 4}, "shots": shots}
    provider = {"profile": profile, "api_key_env": "VEOPIPE_API_KEY"}
    limits = {"in_flight": SHOTS, "creates_in_flight": creates_in_flight, "creates_per_minute": 60_000}
    pipeline = {"version": 1, "provider": provider, "limits": limits, "poll": {"interval": "1s"}}
    (folder / "shots.yaml").write_text(json.dumps(manifest), "utf-8")  # JSON is YAML, too
    (folder / "batch.yaml").write_text(json.dumps(pipeline), "utf-8")
    return [*VEOPIPE, "run", "shots.yaml", "-p", "batch.yaml", "--base-url", base_url, "--yes"]


def _paid(base_url: str) -> int:
    with urllib.request.urlopen(f"{base_url}/_simulator/ledger") as answer:
        return len(json.load(answer)["creates"])


def _start(words: Sequence[str], folder: Path) -> subprocess.Popen[bytes]:
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    kept |= {"VEOPIPE_API_KEY": "sk-benchmark", "PYTHONPATH": str(ROOT)}
    with (folder / "output").open("ab") as output:
        return subprocess.Popen(words, cwd=folder, env=kept, stdin=subprocess.DEVNULL, stdout=output, stderr=output)


def _kill_after(paid: int, process: subprocess.Popen[bytes], base_url: str) -> None:
    """Kill the process once the gateway has charged so many creates.

    Raises:
        SystemExit: it ended before, or never came so far.
    """
    end, pause = time.monotonic() + PATIENCE_S, threading.Event()
    while _paid(base_url) < paid:
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            raise SystemExit(f"it charged {_paid(base_url)} creates and didn't go on (exit code {process.poll()})")
        pause.wait(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()


def _statuses(folder: Path) -> list[str]:
    """How the takes of a ledger stand; nothing for the others, which keep none."""
    states = [json.loads(path.read_text("utf-8")) for path in (folder / ".veopipe/shots/state").glob("*.json")]
    return [take["status"] for state in states for take in state["takes"]]


CONTENDERS: dict[str, Callable[[Path, str], list[str]]] = {
    "the document's script": _document_script,
    "the official SDK": _sdk_script,
    "Google's SDK": _google_script,
    "veopipe, as it is": _one_at_a_time,
    "veopipe, at Google": _at_google,
    "veopipe, all at once": _all_at_once,
}
NEEDED = {"the official SDK": "openai", "Google's SDK": "google.genai"}
"""Libraries that may not be here."""


def _compete(name: str, folder: Path, base_url: str, table: Table) -> None:
    """Kill one of them and run it again; one row."""
    words = CONTENDERS[name](folder, base_url)
    _kill_after(SHOTS, _start(words, folder), base_url)
    before = _paid(base_url)
    code = _start(words, folder).wait(PATIENCE_S)
    again, is_ours = _paid(base_url) - before, name.startswith("veopipe")
    doubts = _statuses(folder).count("in_doubt")
    videos = len(list((folder / "renders/shots" if is_ours else folder).glob("*.mp4")))
    table.add(name, before, again, code, videos, doubts if is_ours else "")
    if is_ours:
        table.require(f"{name}: paid again", again, 0)
        table.require(f"{name}: neither verified nor in doubt", SHOTS - videos - doubts, 0)


def _is_installed(library: str) -> bool:
    try:
        return importlib.util.find_spec(library) is not None
    except ImportError:  # not even the package that it is in
        return False


def main() -> None:
    """Kill and run again; print what each paid."""
    table = Table(("program", "paid when killed", "paid again", "exit code", "videos", "in doubt"))
    for name in CONTENDERS:
        if name in NEEDED and not _is_installed(NEEDED[name]):
            continue
        profile = "google" if "Google" in name else "laozhang"
        gateway = [*VEOPIPE, "simulate", "--port", "0", "--task-time", "3s", "--profile", profile]
        with scratch() as folder, server(gateway, folder) as base_url:
            _compete(name, folder, base_url, table)
    table.close()


if __name__ == "__main__":
    main()

"""Workers on several hosts, and what one machine does without any: 64 files of 10 MB, over lines of 10 MB/s a host.

A host is a network namespace with its own line to a bridge (veth, `tc tbf` of 10 MB/s each way); all see one folder,
the output. The gateway is `benchmarks.vault` over HTTPS, on the bridge, as quick as it can, and done with a video at
once. The run and the scheduler are on one host, each worker on one of its own. Wall time is from the start of the run
to its end; workers are there before. `MB over its line` is what the kernel counted meanwhile, both ways, on the line
of the host that the run is on.

Beside it the case for which a cluster is often bought, and no use: a gateway that gives each connection 1 MB/s, and a
run on a host with a line without a limit, `downloads` 4, 8 and 32 at once without workers, and 32 with four.

Needs root, Linux with `unshare`, `ip` and `tc`, `openssl`, and the extras `simulator` and `dask`. All of it lives in
namespaces for network, mounts and processes of this program's own, which nobody else sees, and which the kernel takes
away with their last process, however it ends.

Limits: four workers are 3 times as quick as one, with less than 1 MB over the run's own line (issue 12).

    python -m benchmarks.hosts [--files 64] [--mb 10] [--only lines,connections]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from benchmarks.cluster import Cluster
from benchmarks.measuring import ROOT, VEOPIPE, Table, own_environment, scratch, server
from benchmarks.scales import Ran, ran

LINE_MB_S, CONNECTION_MB_S = 10, 1
LEAST_GAIN, MOST_MB = 3.0, 1.0
THREADS = 8  # of a worker: errands at once
AT_ONCE = 32
_GATEWAY = "10.99.0.1"
_TOOLS = ("unshare", "mount", "ip", "tc", "openssl")
_OWN = ("--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


@dataclass(frozen=True)
class Host:
    """A network namespace with a line to the bridge.

    Attributes:
        name: of the namespace.
        address: of its end of the line.
    """

    name: str
    address: str

    @property
    def before(self) -> tuple[str, ...]:
        """Words that let a command run on it."""
        return ("ip", "netns", "exec", self.name)

    def line_mb(self) -> float:
        """MB that went over its line so far, both ways."""
        words = ["ip", "-j", "-s", "-n", self.name, "link", "show", "dev", "line"]
        counted = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)[0]["stats64"]
        return float(counted["rx"]["bytes"] + counted["tx"]["bytes"]) / 1e6


@dataclass(frozen=True)
class Case:
    """Files that are brought: how many, of so many MB."""

    files: int
    megabytes: int


def _do(command: str) -> None:
    subprocess.run(command.split(), check=True)


def build_bridge() -> None:
    """A bridge in this process's own network, and a place for the names of namespaces that only it sees."""
    for command in (
        "mount -t tmpfs none /run",
        "ip link set lo up",
        "ip link add bridge type bridge",
        f"ip address add {_GATEWAY}/24 dev bridge",
        "ip link set bridge up",
    ):
        _do(command)


def build(number: int, name: str, megabytes_a_second: int | None) -> Host:
    """A host on the bridge, whose line has a rate or none."""
    host = Host(name, f"10.99.0.{10 + number}")
    for command in (
        f"ip netns add {name}",
        f"ip link add to-{name} type veth peer name line netns {name}",
        f"ip link set to-{name} master bridge up",
        f"ip -n {name} address add {host.address}/24 dev line",
        f"ip -n {name} link set line up",
        f"ip -n {name} link set lo up",
    ):
        _do(command)
    if megabytes_a_second is not None:
        held = f"root tbf rate {megabytes_a_second * 8}mbit burst 256kb latency 100ms"
        _do(f"tc qdisc add dev to-{name} {held}")
        _do(f"tc -n {name} qdisc add dev line {held}")
    return host


def certify(folder: Path) -> dict[str, str]:
    """A certificate of the gateway's, signed by itself, and the variables that let it be believed."""
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=vault"]
    words += ["-addext", f"subjectAltName=IP:{_GATEWAY}", "-keyout", "key.pem", "-out", "certificate.pem"]
    subprocess.run(words, cwd=folder, check=True, capture_output=True)
    return {"SSL_CERT_FILE": str(folder / "certificate.pem")}


def run(
    folder: Path, base_url: str, case: Case, downloads: int, host: Host, scheduler: str | None
) -> tuple[Ran, float]:
    """A run on a host, which brings all files; what it took, and the MB over its line."""
    defaults = {"model": "veo-3.1-fast-generate-preview", "resolution": "720p", "seconds": 4}
    shots = {f"SC{number:03d}": {"prompt": f"{case.megabytes} MB, file {number}"} for number in range(case.files)}
    limits = {"in_flight": case.files, "creates_per_minute": 60_000, "downloads": downloads}
    pipeline = {"version": 1, "limits": limits, "poll": {"interval": "500ms"}}
    (folder / "shots.yaml").write_text(json.dumps({"version": 1, "defaults": defaults, "shots": shots}))
    (folder / "hosts.yaml").write_text(json.dumps(pipeline))
    words = [*host.before, *VEOPIPE, "run", "shots.yaml", "-p", "hosts.yaml", "--base-url", base_url, "--yes"]
    words += ["--executor", f"dask+{scheduler}" if scheduler else "local"]
    before = host.line_mb()
    took = ran(words, folder, environment={"SSL_CERT_FILE": os.environ["SSL_CERT_FILE"]})
    moved = host.line_mb() - before
    sizes = [path.stat().st_size for path in (folder / "renders" / "shots").glob("*.mp4")]
    if sizes != [case.megabytes * 1_000_000] * case.files:
        raise SystemExit(f"{sizes}\n{(folder / 'output').read_text()[-2000:]}")
    return took, moved


@dataclass(frozen=True)
class Network:
    """What is there to measure on: the host of the run and those of workers, and the files."""

    folder: Path
    case: Case
    near: Host
    far: Sequence[Host]

    def measure(self, workers: int, downloads: int, rate: float = 0.0) -> tuple[Ran, float]:
        """One run with so many workers, at a gateway of its own.

        Args:
            workers: each on a host of its own; 0: the run downloads itself.
            downloads: at once.
            rate: MB/s that a connection to the gateway gets; 0: all there are.
        """
        vault = [sys.executable, "-m", "benchmarks.vault", "--listen", _GATEWAY]
        vault += ["--tls", str(self.folder / "certificate.pem"), str(self.folder / "key.pem"), "--rate", f"{rate:g}"]
        with scratch() as folder, scratch() as elsewhere, ExitStack() as stack:
            base_url = stack.enter_context(server(vault, elsewhere))
            address = None
            if workers:
                cluster = stack.enter_context(Cluster(elsewhere, self.near.address, before=self.near.before))
                trust = {"SSL_CERT_FILE": os.environ["SSL_CERT_FILE"]}
                cluster.wait([cluster.worker(THREADS, host.before, trust) for host in self.far[:workers]])
                address = cluster.address
            return run(folder, base_url, self.case, downloads, self.near, address)


def measure_lines(folder: Path, case: Case, table: Table) -> None:
    """0, 1, 2 and 4 workers, where the line of each host is the limit."""
    near = build(0, "run", LINE_MB_S)
    network = Network(folder, case, near, [build(number, f"worker{number}", LINE_MB_S) for number in range(1, 5)])
    walls: dict[int, float] = {}
    for workers in (0, 1, 2, 4):
        took, moved = network.measure(workers, AT_ONCE)
        walls[workers] = took.wall_s
        table.add(f"{LINE_MB_S} MB/s a host", workers, AT_ONCE, took.wall_s, moved, took.cpu_s)
        if workers:
            table.require(f"MB over the run's line with {workers} workers", moved, MOST_MB)
    table.require(f"{LEAST_GAIN:g} by the gain of four workers over one", LEAST_GAIN * walls[4] / walls[1], 1.0)


def measure_connections(folder: Path, case: Case, table: Table) -> None:
    """More downloads at once, where each connection is the limit; the same with four workers."""
    near = build(20, "wide", None)
    network = Network(folder, case, near, [build(20 + number, f"wide{number}", None) for number in range(1, 5)])
    for workers, downloads in ((0, 4), (0, 8), (0, AT_ONCE), (4, AT_ONCE)):
        took, moved = network.measure(workers, downloads, CONNECTION_MB_S)
        table.add(f"{CONNECTION_MB_S} MB/s a connection", workers, downloads, took.wall_s, moved, took.cpu_s)


def inside(folder: Path, case: Case, only: Sequence[str]) -> None:
    """Measure, in namespaces of this process's own."""
    build_bridge()
    os.environ.update(certify(folder))
    table = Table(("limit", "workers", "downloads", "wall s", "MB over its line", "CPU s of the run"))
    if "lines" in only:
        measure_lines(folder, case, table)
    if "connections" in only:
        measure_connections(folder, case, table)
    table.close()


def main() -> None:
    """Measure in a process apart, with which all that it made ends."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--files", type=int, default=64)
    options.add_argument("--mb", type=int, default=10)
    options.add_argument("--only", default="lines,connections")
    options.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.inside:
        inside(chosen.inside, Case(chosen.files, chosen.mb), chosen.only.split(","))
    lacking = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if sys.platform != "linux" or os.geteuid() != 0 or lacking:
        needed = f"it needs {', '.join(lacking)}" if lacking else "it needs root, to make network namespaces"
        sys.exit(f"benchmarks.hosts runs on Linux, and {needed}")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    with scratch() as folder:
        words = ["unshare", *_OWN, sys.executable, "-m", "benchmarks.hosts", "--inside", str(folder), *sys.argv[1:]]
        environment = {**own_environment(), "TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(words, env=environment, start_new_session=True)
        try:
            code = process.wait()
        finally:
            _end(process)
    sys.exit(code)


def _leave(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the first process in the namespaces: the kernel ends all others there, and `unshare` waits for that."""
    try:
        first = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    except OSError:
        first = []
    for pid in first:
        os.kill(int(pid), signal.SIGKILL)
    process.wait()


if __name__ == "__main__":
    main()

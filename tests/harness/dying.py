"""Loaded by a worker of Dask's (`--preload`): it dies at the step that its environment names, `DIES_AT="link .mp4"`."""

import os

from tests.harness import mishaps

mishaps.at("kill", *os.environ["DIES_AT"].split())

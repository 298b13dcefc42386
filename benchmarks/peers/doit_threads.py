"""doit with threads: a task per shot."""

import sys

from doit.cmd_base import ModuleTaskLoader
from doit.doit_cmd import DoitMain
from shot import PLACES, SHOTS, make


def task_make():
    for number in range(SHOTS):
        yield {"name": f"{number:04d}", "actions": [(make, [number])], "targets": [f"{number:04d}.mp4"]}


if __name__ == "__main__":
    commands = ["run", "-n", str(PLACES), "-P", "thread", "--verbosity", "0"]
    sys.exit(DoitMain(ModuleTaskLoader({"task_make": task_make})).run(commands))

"""doit with a task per shot and nothing to do: each task looks at its own settings and whether its file is there.

Called as `python doit_list.py SHOTS` in an empty folder: the first call makes what there is to make, further ones find
nothing. There is no schema, no ledger and no size to compare.
"""

import sys
from pathlib import Path

from doit.cmd_base import ModuleTaskLoader
from doit.doit_cmd import DoitMain
from doit.tools import config_changed


def make(path):
    Path(path).write_bytes(b"x" * 2000)


def task_shot():
    for number in range(int(sys.argv[1])):
        order = {"prompt": f"A cinematic shot {number} of a lighthouse", "resolution": "720p", "seconds": 8}
        path = f"SC{number:06d}.mp4"
        yield {"name": path, "actions": [(make, [path])], "targets": [path], "uptodate": [config_changed(order)]}


if __name__ == "__main__":
    sys.exit(DoitMain(ModuleTaskLoader({"task_shot": task_shot})).run(["run", "--verbosity", "0"]))

"""Luigi with its own scheduler inside: a task per shot, a process per place."""

import sys

import luigi
from shot import PLACES, SHOTS, make


class Shot(luigi.Task):
    """A video."""

    number = luigi.IntParameter()

    def output(self):
        """The file that says that it is done."""
        return luigi.LocalTarget(f"{self.number:04d}.mp4")

    def run(self):
        """Make it."""
        make(self.number)


if __name__ == "__main__":
    tasks = [Shot(number=number) for number in range(SHOTS)]
    sys.exit(not luigi.build(tasks, workers=PLACES, local_scheduler=True, log_level="WARNING"))

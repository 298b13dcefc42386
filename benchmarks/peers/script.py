"""The API document's own Python example in threads; its functions are put above the loop by `benchmarks.race`."""

import sys
from concurrent.futures import ThreadPoolExecutor

SHOTS, PLACES, MEGABYTES, INTERVAL = *map(int, sys.argv[2:5]), float(sys.argv[5])


def make(number):
    task = create_text_video(f"{MEGABYTES} MB, shot {number}")  # noqa: F821
    wait_for_video(task["id"], interval=INTERVAL)  # noqa: F821
    download_video(task["id"], f"{number:04d}.mp4", interval=INTERVAL)  # noqa: F821


with ThreadPoolExecutor(PLACES) as pool:
    list(pool.map(make, range(SHOTS)))

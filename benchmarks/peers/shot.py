"""One shot by hand: a create, polls, a download. What doit, Luigi and Snakemake call; by itself it makes one.

python shot.py BASE_URL SHOTS PLACES MEGABYTES INTERVAL NUMBER
"""

import json
import sys
import time
from http.client import HTTPConnection
from urllib.parse import urlsplit

HOST = urlsplit(sys.argv[1])
SHOTS, PLACES, MEGABYTES, INTERVAL = *map(int, sys.argv[2:5]), float(sys.argv[5])
KEY = {"Authorization": "Bearer sk-benchmark"}
FIELDS = {"model": "veo-3.1-fast-generate-preview", "seconds": "4", "size": "1280x720", "resolution": "720p"}


def make(number):
    line = HTTPConnection(HOST.hostname, HOST.port)
    parts = {**FIELDS, "prompt": f"{MEGABYTES} MB, shot {number}"}
    body = "".join(f'--b\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in parts.items())
    head = {**KEY, "Content-Type": "multipart/form-data; boundary=b"}
    line.request("POST", "/v1/videos", f"{body}--b--\r\n", head)
    task = json.load(line.getresponse())["id"]
    while True:
        line.request("GET", f"/v1/videos/{task}", headers=KEY)
        if json.load(line.getresponse())["status"] == "completed":
            break
        time.sleep(INTERVAL)
    line.request("GET", f"/v1/videos/{task}/content", headers=KEY)
    found = line.getresponse()
    with open(f"{number:04d}.mp4", "wb") as out:
        while piece := found.read(1 << 18):
            out.write(piece)
    line.close()


if __name__ == "__main__":
    make(int(sys.argv[6]))

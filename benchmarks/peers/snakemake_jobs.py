"""Snakemake: a rule, a job per shot, a process per job."""

import sys
from pathlib import Path

from snakemake.cli import main

SHOTS, PLACES = map(int, sys.argv[2:4])
PROGRAM = Path(__file__).with_name("shot.py")

RULES = f"""
rule all:
    input: expand("{{number}}.mp4", number=["%04d" % number for number in range({SHOTS})])

rule make:
    output: "{{number}}.mp4"
    shell: "{sys.executable} {PROGRAM} {" ".join(sys.argv[1:6])} {{wildcards.number}}"
"""

Path("Snakefile").write_text(RULES)
sys.exit(main(["--cores", str(PLACES), "--quiet", "all"]))

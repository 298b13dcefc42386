"""veopipe: a declarative batch pipeline runner for AI video.

A shot list in YAML goes in, measured MP4 files come out, and no crash makes anybody pay twice.
Read from left to right the package is the life of a shot:
manifest → order → plan → state → gateway → verification → report.
"""

__version__ = "0.1.0"

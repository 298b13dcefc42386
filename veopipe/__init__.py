"""veopipe: a declarative batch pipeline runner for AI video.

A shot list in YAML goes in, measured MP4 files come out, and no crash makes anybody pay twice. The package is read
best in the order of a shot's life: manifest, takes, plan, ledger, dialects, gateway, delivery, run, report.

For programs: `veopipe.open(manifest)` and what it gives; see docs/api.md.
"""

import importlib

TYPE_CHECKING = False
if TYPE_CHECKING:  # what is asked for is loaded when it is asked for: `veopipe --version` needs none of it
    from veopipe.api import Project, Verification, editing, open
    from veopipe.errors import VeopipeError
    from veopipe.plan.permission import Permission
    from veopipe.plan.plan import Plan
    from veopipe.report.rows import Report
    from veopipe.run.events import Happening, Note

__version__ = "0.1.0"
__all__ = [
    "Happening",
    "Note",
    "Permission",
    "Plan",
    "Project",
    "Report",
    "VeopipeError",
    "Verification",
    "editing",
    "open",
]

_HOMES = {
    "Happening": "run.events",
    "Note": "run.events",
    "Permission": "plan.permission",
    "Plan": "plan.plan",
    "Project": "api",
    "Report": "report.rows",
    "Verification": "api",
    "VeopipeError": "errors",
    "editing": "api",
    "open": "api",
}


def __getattr__(name: str) -> object:
    """The names of `__all__`, each from its own module."""
    if name not in _HOMES:
        raise AttributeError(f"module 'veopipe' has no attribute {name!r}")
    return getattr(importlib.import_module(f"veopipe.{_HOMES[name]}"), name)

"""The one door to torchvision and to pytorch_grad_cam, which needs it: single modules without their packages.

A package's own `__init__` imports all that it has: torch's compiler, twice the memory that Grad-CAM takes, and, beside
a CPU-only torch, operators that the torchvision of the Python index lacks, so that `import torchvision` fails there.
"""

import importlib
import importlib.util
import sys
import threading
from functools import lru_cache
from types import ModuleType

__all__ = ["import_parts"]

PACKAGES = ("torchvision", "pytorch_grad_cam")
LOCK = threading.Lock()  # what is imported in between sees packages without content


def import_parts(*names: str) -> tuple[ModuleType, ...]:
    """Import modules, as `torchvision.models.resnet`, and what these need; a package that is imported already is used.

    Nothing of it stays in `sys.modules`: whoever imports such a package later gets all of it.

    Raises:
        ImportError: It is not installed, or has no such module.
    """
    with LOCK:
        return imported(names)


@lru_cache(maxsize=8)
def imported(names: tuple[str, ...]) -> tuple[ModuleType, ...]:
    """Import modules once."""
    before = set(sys.modules)
    parents = {name.rsplit(".", depth)[0] for name in names for depth in range(1, name.count(".") + 1)}
    try:
        for parent in sorted({*PACKAGES, *parents} - before):  # outer packages first
            sys.modules[parent] = hollow(parent)
        return tuple(importlib.import_module(name) for name in names)
    finally:
        for name in sys.modules.keys() - before:
            if name.partition(".")[0] in PACKAGES:
                del sys.modules[name]


def hollow(name: str) -> ModuleType:
    """Make a package that knows where its modules are, and has run nothing.

    Raises:
        ImportError: It is not installed.
    """
    spec = importlib.util.find_spec(name)
    if spec is None or spec.submodule_search_locations is None:
        raise ImportError(f"expected the package {name}, which is not installed", name=name)
    return importlib.util.module_from_spec(spec)  # its path is set, its code is not run

"""Import single modules of torchvision and of pytorch_grad_cam, which needs it, without running their packages.

A package's `__init__` imports everything: torch's compiler, twice the memory that Grad-CAM needs, and, beside a
CPU-only torch, operators that the torchvision of the Python index lacks, so that `import torchvision` fails there.
"""

import importlib
import importlib.util
import sys
import threading
from functools import lru_cache
from types import ModuleType

__all__ = ["import_parts"]

PACKAGES = ("torchvision", "pytorch_grad_cam")
LOCK = threading.Lock()  # another import meanwhile would see empty packages


def import_parts(*names: str) -> tuple[ModuleType, ...]:
    """Import modules such as `torchvision.models.resnet`, and what they need; an imported package is used as it is.

    They do not stay in `sys.modules`: a later import of such a package gets the whole package.

    Raises:
        ImportError: A package is not installed, or has no such module.
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
            sys.modules[parent] = empty_module(parent)
        return tuple(importlib.import_module(name) for name in names)
    finally:
        for name in sys.modules.keys() - before:
            if name.partition(".")[0] in PACKAGES:
                del sys.modules[name]


def empty_module(name: str) -> ModuleType:
    """Make a package object that finds its modules, without running the package's code.

    Raises:
        ImportError: The package is not installed.
    """
    spec = importlib.util.find_spec(name)
    if spec is None or spec.submodule_search_locations is None:
        raise ImportError(f"expected the package {name}, which is not installed", name=name)
    return importlib.util.module_from_spec(spec)  # its path is set, its code is not run

"""The one door to torchvision and to pytorch_grad_cam, which needs it.

Beside a CPU-only torch the torchvision of the Python index does not import: its compiled part wants CUDA libraries, so
the operators `nms` and `qnms` are missing and its registrations fail with a RuntimeError. Their schemas are all that
they need; the operators themselves then raise when they are called, which nothing here does.
"""

from __future__ import annotations

import importlib
import sys
import threading
from functools import lru_cache
from types import ModuleType

import torch

__all__ = ["import_grad_cam", "import_torchvision"]

SCHEMAS = tuple(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor" for name in ("nms", "qnms"))
LOCK = threading.Lock()  # two threads that repair one half-imported package would undo one another's work


def import_torchvision() -> ModuleType:
    """Import torchvision; where only its operators' schemas are missing, define them and import it again.

    Raises:
        ImportError: It is not installed.
        RuntimeError: It fails for another reason.
    """
    with LOCK:
        try:
            return importlib.import_module("torchvision")
        except RuntimeError as error:
            if "torchvision::nms does not exist" not in str(error):
                raise
        for name in [name for name in list(sys.modules) if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        define_operators()
        return importlib.import_module("torchvision")


@lru_cache(maxsize=1)
def define_operators() -> torch.library.Library:
    """Define the missing schemas; they last as long as the value, which the cache keeps."""
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for schema in SCHEMAS:
        library.define(schema)  # type: ignore[no-untyped-call]
    return library


def import_grad_cam() -> ModuleType:
    """Import pytorch_grad_cam, torchvision first.

    Raises:
        ImportError: One of them is not installed.
        RuntimeError: torchvision fails for a reason that is not repaired here.
    """
    import_torchvision()
    with LOCK:
        return importlib.import_module("pytorch_grad_cam")

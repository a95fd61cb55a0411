"""The door to torchvision: a healthy one is left alone, a half-working one is repaired, other failures come through."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mun.torchvision_compat import import_grad_cam, import_torchvision

ROOT = Path(__file__).parents[1]
HEALTHY = "version = 'healthy'\n"
# Fails as torchvision does while its operators have no schema: after a submodule has been imported.
BROKEN = """
import torch
from . import part
torch.library.register_fake("torchvision::nms")(lambda dets, scores, iou_threshold: None)
torch.library.register_fake("torchvision::qnms")(lambda dets, scores, iou_threshold: None)
version = 'repaired'
"""
SCRIPT = """
import sys, torch
sys.path.insert(0, {folder!r})
from mun import torchvision_compat as compat
print(compat.import_torchvision().version, compat.import_torchvision() is compat.import_torchvision())
print(compat.define_operators.cache_info().currsize, hasattr(torch.ops.torchvision, 'nms'))
"""


def run(tmp_path: Path, source: str, *, part: str = "") -> subprocess.CompletedProcess[str]:
    """Import a torchvision of our own in a fresh process."""
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text(source)
    (package / "part.py").write_text(part)
    command = [sys.executable, "-c", SCRIPT.format(folder=str(tmp_path))]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_healthy_torchvision_is_left_alone(tmp_path: Path) -> None:
    done = run(tmp_path, HEALTHY)
    assert done.stdout.splitlines() == ["healthy True", "0 False"], done.stderr


def test_missing_operators_are_defined(tmp_path: Path) -> None:
    done = run(tmp_path, BROKEN)
    assert done.stdout.splitlines() == ["repaired True", "1 True"], done.stderr


def test_another_failure_comes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise RuntimeError("something else")

    monkeypatch.setattr("mun.torchvision_compat.importlib.import_module", fail)
    with pytest.raises(RuntimeError, match="something else"):
        import_torchvision()


def test_a_missing_torchvision_is_an_import_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(ImportError):
        import_torchvision()


def test_the_installed_packages_come_through_the_door() -> None:
    assert import_torchvision().models.resnet18 is not None
    assert import_grad_cam().LayerCAM is not None

"""The door to torchvision and grad-cam: single modules come through, the packages around them are not run."""

import subprocess
import sys
from pathlib import Path

import pytest

from mun.torchvision_compat import import_parts

ROOT = Path(__file__).parents[1]
SCRIPT = """
import sys
sys.path.insert(0, {folder!r})
from mun.torchvision_compat import import_parts
part, = import_parts("torchvision.models.part")
print(part.answer, import_parts("torchvision.models.part")[0] is part, "torchvision" in sys.modules)
try:
    import torchvision
except RuntimeError as error:
    print(error)
"""


@pytest.mark.parametrize("healthy", [True, False])
def test_a_module_comes_without_its_packages(healthy: bool, tmp_path: Path) -> None:
    """In a fresh process, with a torchvision of our own; what comes later gets the package itself, and its faults."""
    (tmp_path / "torchvision" / "models").mkdir(parents=True)
    package = tmp_path / "torchvision"
    (package / "__init__.py").write_text("" if healthy else "raise RuntimeError('operator nms does not exist')")
    (package / "models" / "__init__.py").write_text("raise RuntimeError('all models')")
    (package / "models" / "part.py").write_text("from ..other import answer")
    (package / "other.py").write_text("answer = 42")
    command = [sys.executable, "-c", SCRIPT.format(folder=str(tmp_path))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    expected = ["42 True False"] + ["operator nms does not exist"] * (not healthy)
    assert done.stdout.splitlines() == expected, done.stderr


def test_what_is_imported_already_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    package = type(sys)("torchvision")
    package.__path__ = []
    monkeypatch.setitem(sys.modules, "torchvision", package)
    monkeypatch.setitem(sys.modules, "torchvision.of_my_own", package)
    assert import_parts("torchvision.of_my_own") == (package,)
    assert sys.modules["torchvision"] is package


@pytest.mark.parametrize("name", ["torchvision.no_such_module", "torchvision.nothing.below"])
def test_a_missing_module_is_an_import_error(name: str) -> None:
    with pytest.raises(ImportError):
        import_parts(name)
    assert name not in sys.modules


def test_a_missing_package_is_an_import_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mun.torchvision_compat.importlib.util.find_spec", lambda _: None)
    with pytest.raises(ImportError, match="expected the package"):
        import_parts("torchvision.of_nobody")


def test_the_installed_packages_come_through_the_door() -> None:
    before = {"torchvision", "pytorch_grad_cam"} & set(sys.modules)
    resnet, grad_cam = import_parts("torchvision.models.resnet", "pytorch_grad_cam.grad_cam")
    assert resnet.resnet18 is not None
    assert grad_cam.GradCAM is not None
    assert {"torchvision", "pytorch_grad_cam"} & set(sys.modules) == before

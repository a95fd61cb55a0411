from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mun.auxiliary.generator import AuxiliaryGenerator
from mun.checkpoint import SNAPSHOTS, read_snapshots, save_tensors, write_snapshots
from mun.config import GeneratorConfig


def test_states_come_back_by_their_steps_in_order(tmp_path: Path) -> None:
    generator = AuxiliaryGenerator(GeneratorConfig(channels=2, kernels=(3,), bins=((1, 1),)))
    states = {2000: generator.state_dict(), 0: {name: 2 * value for name, value in generator.state_dict().items()}}
    write_snapshots(tmp_path, states)
    read = read_snapshots(tmp_path)
    assert list(read) == [0, 2000]
    for step, state in states.items():
        assert set(read[step]) == set(state)
        assert all(torch.equal(read[step][name], value) for name, value in state.items())
    assert [path.name for path in tmp_path.iterdir()] == [SNAPSHOTS]


def test_tensors_may_be_shared_between_steps(tmp_path: Path) -> None:
    counter = torch.tensor(3)
    write_snapshots(tmp_path, {0: {"norm.count": counter}, 1: {"norm.count": counter}})
    assert read_snapshots(tmp_path)[1]["norm.count"] == 3


def test_without_a_file_there_are_none(tmp_path: Path) -> None:
    assert read_snapshots(tmp_path) == {}


@pytest.mark.parametrize("states", [{}, {5: {}}, {-1: {"a": torch.zeros(1)}}])
def test_nothing_and_negative_steps_are_not_written(tmp_path: Path, states: dict[int, dict[str, torch.Tensor]]) -> None:
    with pytest.raises(ValueError, match="expected states by steps from 0"):
        write_snapshots(tmp_path, states)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["weight", "first/weight", "-1/weight", "7/", "/weight", "9999999999/weight"])
def test_other_names_are_refused(tmp_path: Path, name: str) -> None:
    save_tensors(tmp_path / SNAPSHOTS, {name: torch.zeros(2)})
    with pytest.raises(ValueError, match="expected tensors named <step>/<name>"):
        read_snapshots(tmp_path)


def test_links_and_pickles_are_refused(tmp_path: Path) -> None:
    torch.save({"0/weight": torch.zeros(2)}, tmp_path / "pickle")
    (tmp_path / SNAPSHOTS).write_bytes((tmp_path / "pickle").read_bytes())
    with pytest.raises(ValueError, match="never opened"):
        read_snapshots(tmp_path)
    (tmp_path / SNAPSHOTS).unlink()
    (tmp_path / SNAPSHOTS).symlink_to(tmp_path / "pickle")
    with pytest.raises(ValueError, match="got a link"):
        read_snapshots(tmp_path)

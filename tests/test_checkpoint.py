"""Checkpoints and snapshots: what is kept, and one sentence for every broken one."""

import json
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from mun.auxiliary.generator import AuxiliaryGenerator
from mun.checkpoint import (
    CARD,
    SNAPSHOTS,
    WEIGHTS,
    build_network,
    load_checkpoint,
    load_tensors,
    read_card,
    read_snapshots,
    save_checkpoint,
    save_tensors,
    write_snapshots,
)
from mun.config import GeneratorConfig
from mun.structures import Modality


@pytest.fixture
def folder(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_checkpoint / "mun-tiny", tmp_path / "copy"))


def test_round_trip_in_half_precision(tiny_checkpoint, tmp_path) -> None:
    network, card = load_checkpoint(tiny_checkpoint / "mun-tiny")
    original = build_network(card.config, num_classes=3, seed=0).eval()
    images = torch.rand(2, 3, 64, 32)
    assert torch.allclose(network.embed(images, Modality.VISIBLE), original.embed(images, Modality.VISIBLE), atol=1e-2)
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    save_checkpoint(tmp_path / "again", network, card)
    assert (tmp_path / "again" / WEIGHTS).read_bytes() == (tiny_checkpoint / "mun-tiny" / WEIGHTS).read_bytes()
    assert read_card(tmp_path / "again") == card


def test_first_weights_depend_on_the_seed_alone_also_in_many_threads(tiny_checkpoint) -> None:
    """The app builds networks with random weights, as controls, for several visitors at once."""
    config, state = read_card(tiny_checkpoint / "mun-tiny").config, torch.get_rng_state()
    expected = [build_network(config, num_classes=3, seed=seed).state_dict() for seed in range(4)]
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(*(one[NAME] for one in expected[:2]))
    with ThreadPoolExecutor(4) as pool:
        states = list(pool.map(lambda seed: build_network(config, 3, seed % 4).state_dict(), range(24)))
    for number, state in enumerate(states):
        assert all(torch.equal(state[name], tensor) for name, tensor in expected[number % 4].items()), number


def test_ships_no_classifier_and_half_precision(folder) -> None:
    state = load_file(folder / WEIGHTS)
    assert not any("classifier" in name for name in state)
    assert state["trunk.layer1.0.conv1.weight"].dtype == torch.float16
    assert state["trunk.layer1.0.bn1.running_var"].dtype == torch.float32


def break_weights(change):
    def apply(folder: Path) -> None:
        state = load_file(folder / WEIGHTS)
        change(state)
        save_file(state, folder / WEIGHTS)

    return apply


def edit_card(*keys: str, **changes: object):
    """Change fields of the card, or of an object in it; what becomes None is taken out."""

    def apply(folder: Path) -> None:
        card = part = json.loads((folder / CARD).read_text())
        for key in keys:
            part = part[key]
        part.update(changes)
        for name in [name for name, value in changes.items() if value is None]:
            del part[name]
        (folder / CARD).write_text(json.dumps(card))

    return apply


def write_weights(content: bytes):
    return lambda folder: (folder / WEIGHTS).write_bytes(content)


def cut(folder: Path) -> None:
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data[: len(data) // 2])


def one_tensor(dtype: str, shape: list[int], offsets: list[int], data: bytes = b"") -> bytes:
    """A safetensors file with one entry, which need not be true."""
    header = json.dumps({NAME: {"dtype": dtype, "shape": shape, "data_offsets": offsets}}).encode()
    return len(header).to_bytes(8, "little") + header + data


def header_bomb() -> bytes:
    """A whole safetensors file of 100,000 empty tensors, whose header is nearly all of it."""
    entry = {"dtype": "F16", "shape": [0], "data_offsets": [0, 0]}
    header = json.dumps({f"tensor{number}": entry for number in range(100_000)}).encode()
    return len(header).to_bytes(8, "little") + header


def link(path: Path) -> None:
    """Put a link in the place of a file."""
    path.rename(path.with_suffix(".real"))
    path.symlink_to(path.with_suffix(".real"))


NAME = "trunk.layer1.0.conv1.weight"

MODEL, GENERATOR, HUGE = ("config", "model"), ("config", "model", "generator"), 10**400

# What is broken in the weights, in the card, and what is no file: the change, and words of the sentence about it.
BROKEN = {
    "half-written": (cut, "broken or half-written"),
    "empty": (write_weights(b""), "broken or half-written"),
    "pickle": (write_weights(pickle.dumps({"a": 1})), "pickle, which is never opened"),
    "torch.save": (lambda f: torch.save({"a": torch.zeros(2)}, f / WEIGHTS), "pickle, which is never opened"),
    "missing tensor": (break_weights(lambda s: s.pop(NAME)), f"lacks {NAME}"),
    "extra tensor": (break_weights(lambda s: s.update(x=torch.zeros(1))), "unknown tensor x"),
    "other shape": (break_weights(lambda s: s.update({NAME: torch.zeros(3)})), r"of shape \(8, 8, 3, 3\)"),
    "other type": (break_weights(lambda s: s.update({NAME: s[NAME].long()})), "got I64"),
    "double precision": (break_weights(lambda s: s.update({NAME: s[NAME].double()})), "got F64"),
    "NaN": (break_weights(lambda s: s[NAME].fill_(float("nan"))), "finite weights"),
    "infinite": (break_weights(lambda s: s[NAME].fill_(float("inf"))), "finite weights"),
    "header bomb": (write_weights(header_bomb()), "header of at most 4 MB"),
    "header beyond the file": (write_weights((2**62).to_bytes(8, "little") + b"{}"), "broken or half-written"),
    "tensor beyond the file": (
        write_weights(one_tensor("F16", [10**6, 10**6], [0, 2 * 10**12])),
        "broken or half-written",
    ),
    "tensors that overlap": (write_weights(one_tensor("F16", [2], [2, 6], b"123456")), "broken or half-written"),
    "card of another format": (edit_card(format=9), "of format 1, got 9"),
    "config of another version": (edit_card(*MODEL, x=1), "unknown field 'x'"),
    "card without a field": (edit_card(seed=None), "'seed' is missing"),
    "unknown auxiliary": (edit_card(*MODEL, auxiliary="z"), "none, copy"),
    "wider than its weights": (edit_card(*MODEL, width=4.0), "of shape"),
    "a format of many words": (edit_card(format="x" * 10**6), "of format 1, got 'xxx"),
    "a name beyond all bounds": (edit_card(seed="y" * 10**6), "card.seed to be of type"),
    "a width beyond all bounds": (edit_card(*MODEL, width=1e9), r"width between 0.0625 and 4, got 1e\+09"),
    "a width that is no number": (edit_card(*MODEL, width=float("nan")), "width between"),
    "channels of 400 digits": (edit_card(*GENERATOR, channels=HUGE), "between 1 and 512, got 100000000000000…"),
    "a real number of 400 digits": (edit_card(*MODEL, gem_power=HUGE), "range of a float, got 100000000000000…"),
    "a million kernels": (edit_card(*GENERATOR, kernels=[1] * 10**5), "at most 64 kernels and bins, got 100000"),
    "a pyramid of 32 GB": (edit_card(*GENERATOR, bins=[[300, 300]]), "at most 1024 cells together, got 90000"),
    "a score of another form": (edit_card(scores=[7]), r"card.scores\[0\] to be an"),
    "a mean in words": (edit_card(scores=[{"mean": {"rank1": "high"}}]), r"card.scores\[0\] to have mean and sd"),
    "corrupted in words": (edit_card(scores=[{"corrupted": "much"}]), r"card.scores\[0\] to have mean and sd"),
    "commands in one text": (edit_card(scores=[{"commands": "ls"}]), r"card.scores\[0\] to have a list of commands"),
    "a selection in words": (edit_card(selection={"scores": "good"}), "card.selection.scores to be numbers by name"),
    "a score of NaN": (edit_card(scores=[{"mean": {"rank1": float("nan")}}]), "finite numbers in card"),
    "splits that are no object": (edit_card(data={"splits": [1]}), "data.splits to"),
    "a data set without a name": (edit_card(data={"name": 3}), "data.name to be text"),
    "a version that is a number": (edit_card("versions", mun=1), "of type str, got 1"),
    "a card of 17 MB": (lambda f: (f / CARD).write_text(" " * 17_000_000), "at most 16 MB"),
    "brackets without end": (lambda f: (f / CARD).write_text("[" * 10**6), "brackets within brackets"),
    "a number of 10,000 digits": (lambda f: (f / CARD).write_text("9" * 10_000), "expected JSON"),
    "not JSON": (lambda f: (f / CARD).write_text("{"), "expected JSON"),
    "linked card": (lambda f: link(f / CARD), "got a link"),
    "linked weights": (lambda f: link(f / WEIGHTS), "got a link"),
}

MISSING = {
    "no folder": (shutil.rmtree, "expected a checkpoint folder"),
    "no card": (lambda f: (f / CARD).unlink(), "expected a file at"),
    "no weights": (lambda f: (f / WEIGHTS).unlink(), "expected weights at"),
    "a folder for a card": (lambda f: [(f / CARD).unlink(), (f / CARD).mkdir()], "expected a file"),
}


@pytest.mark.parametrize("case", [*BROKEN, *MISSING])
def test_broken_checkpoints_get_one_sentence(case, folder) -> None:
    change, message = {**BROKEN, **MISSING}[case]
    kind = FileNotFoundError if case in MISSING else ValueError
    change(folder)
    with pytest.raises(kind, match=message) as caught:
        load_checkpoint(folder)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value).replace(str(folder), "")) < 400


def test_a_lying_card_costs_no_memory(folder) -> None:
    """The widest network that a card may name is refused by the weights' header, before anything is built."""
    edit_card(*MODEL, width=4.0, backbone="resnet50")(folder)
    script = (
        "import resource, sys; from pathlib import Path; from mun.checkpoint import load_checkpoint\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: load_checkpoint(Path(sys.argv[1]))\n"
        "except ValueError as error: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    words = [sys.executable, "-c", script, str(folder)]
    shown = subprocess.run(words, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True).stdout
    assert int(shown) < 100_000, "kilobytes; the network itself would take 1.5 GB"


@pytest.mark.parametrize("length", [0x4B50, 0x80, 0x0180])
def test_a_header_whose_length_begins_like_a_pickle_is_read(length, tmp_path) -> None:
    """The file begins with the header's length, whose bytes can be those that a zip file or a pickle begins with."""
    header = json.dumps({"a": {"dtype": "F16", "shape": [1], "data_offsets": [0, 2]}}).encode()
    path = tmp_path / WEIGHTS
    path.write_bytes(length.to_bytes(8, "little") + header.ljust(length) + b"\0\0")
    assert load_tensors(path)["a"].shape == (1,)


def test_weights_that_overflow_half_precision_are_refused(folder, tmp_path) -> None:
    network, card = load_checkpoint(folder)
    with torch.no_grad():
        network.trunk.layer1[0].conv1.weight[0, 0, 0, 0] = 1e6
    with pytest.raises(ValueError, match="half precision"):
        save_checkpoint(tmp_path / "new", network, card)
    assert not (tmp_path / "new").exists()


def test_states_come_back_by_their_steps_in_order(tmp_path: Path) -> None:
    generator = AuxiliaryGenerator(GeneratorConfig(channels=2, kernels=(3,), bins=((1, 1),)))
    whole = generator.state_dict()
    states = {2000: whole, 0: {name: 2 * value for name, value in whole.items()}, 3000: whole}  # tensors may be shared
    write_snapshots(tmp_path, states)
    read = read_snapshots(tmp_path)
    assert list(read) == [0, 2000, 3000]
    for step, state in states.items():
        assert set(read[step]) == set(state)
        assert all(torch.equal(read[step][name], value) for name, value in state.items())
    assert [path.name for path in tmp_path.iterdir()] == [SNAPSHOTS]


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

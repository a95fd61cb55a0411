"""Models of your own: embedded, scored, shown in every tab with their maps; what is wrong with one is a sentence."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from app.about.cards import model_card
from app.about.status import describe
from app.auxiliary.compare import Compare
from app.embeddings.request import Project
from app.explain.checks import check
from app.explain.explain import explained
from app.explain.subject import Explain, subject_of
from app.library import Library, open_library
from app.library.maps import similarity_map
from app.retrieval.rank import Retrieve, retrieve
from app.start import parser
from docs.agw import model as agw
from mun.__main__ import main
from mun.data.augment import to_images
from mun.data.cache import decode_samples
from mun.data.sources import read_source
from mun.embedding import embed_samples
from mun.explain.cams import Look, Method, activation_maps
from mun.explain.targets import Similarity
from mun.own import OwnModel, load_own, load_weights
from mun.structures import Modality

SPEC = "small=test_own_models:small"


class Small(nn.Module):
    """Two stems and a convolution, of embeddings that are not of unit length."""

    def __init__(self) -> None:
        super().__init__()
        self.stems = nn.ModuleDict({name: nn.Conv2d(3, 8, 5, stride=4) for name in ("visible", "infrared")})
        self.top = nn.Conv2d(8, 12, 3)

    def forward(self, images: Tensor, modality: Modality) -> Tensor:
        return 3 * self.top(self.stems[modality](images).relu()).relu().mean(dim=(2, 3)) + 0.1


def made(**changes: Any) -> OwnModel:
    torch.manual_seed(4)
    return OwnModel(
        Small(), 64, 32, **{"mean": (0.5,) * 3, "std": (0.25,) * 3, "layers": ("stems.visible", "top")} | changes
    )


def small() -> OwnModel:
    return made()


def blind() -> OwnModel:
    return made(layers=())


@pytest.fixture(scope="module")
def own(tiny_synvi: Path, tiny_checkpoint: Path) -> Library:
    return open_library(tiny_synvi, tiny_checkpoint, None, [SPEC, "blind=test_own_models:blind"])


def test_an_own_model_is_embedded_as_its_module_says(tiny_synvi) -> None:
    samples = read_source("synvi", tiny_synvi).test[:6]
    network = small()
    rows = embed_samples(network, samples)
    for row, sample in zip(rows, samples, strict=True):
        image = (to_images(torch.from_numpy(decode_samples([sample], 64, 32))) - 0.5) / 0.25
        expected = network.module(image, sample.modality)[0].numpy()
        np.testing.assert_allclose(row, expected / np.linalg.norm(expected), atol=1e-6)
    assert network.digest() == small().digest() != network.randomised(1).digest() != made(std=(1,) * 3).digest()


def test_the_commands_take_it(tiny_synvi, tiny_checkpoint, tmp_path, capsys) -> None:
    words = ["--data", str(tiny_synvi), "--trials", "2", "--quiet"]
    assert main(["evaluate", "--model", SPEC, *words, "--json", str(tmp_path / "own.json")]) == 0
    assert 0 < json.loads((tmp_path / "own.json").read_text())["mean"]["mean_ap"] < 1
    places = [str(tiny_synvi / "cam1" / f"{pid:04d}") for pid in (13, 14)]
    out = tmp_path / "own.npz"
    assert main(["embed", "--model", SPEC, *places, "--modality", "visible", "--out", str(out), "--quiet"]) == 0
    with np.load(out) as arrays:
        assert arrays["embeddings"].shape == (4, 12)
        assert (str(arrays["checkpoint"]), str(arrays["weights_sha256"])) == ("small", small().digest())
    capsys.readouterr()
    both = ["evaluate", str(tiny_checkpoint / "mun-tiny"), "--model", SPEC, *words]
    for command, message in (
        (both, "expected a checkpoint folder, or --model NAME=package.module:function, and not both"),
        (["evaluate", *words], "expected a checkpoint folder, or --model"),
        (["evaluate", "--model", SPEC, "--card", *words], "expected --card with a checkpoint"),
    ):
        assert main(command) == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("small", "expected --model NAME=package.module:function, got 'small'"),
        ("a/b=test_own_models:small", "expected --model NAME=package.module:function"),
        ("a=test_own_models:nothing", "expected test_own_models:nothing to make a model, got AttributeError"),
        ("a=no.such.package:model", "to make a model, got ModuleNotFoundError: No module named 'no'"),
        ("a=test_own_models:Small", "expected test_own_models:Small to return a mun.own.OwnModel, got Small"),
    ],
)
def test_what_is_no_model_is_one_sentence(text, message, capsys, tiny_synvi) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        load_own(text)
    assert main(["evaluate", "--model", text, "--data", str(tiny_synvi)]) == 2
    assert capsys.readouterr().err.startswith("mun: error: expected ")


def test_a_module_must_give_embeddings() -> None:
    class Wrong(Small):
        def __init__(self, change) -> None:
            super().__init__()
            self.change = change

        def forward(self, images: Tensor, modality: Modality) -> Tensor:
            return self.change(super().forward(images, modality), modality)

    for change, message in (
        (lambda rows, _: rows[:, :, None], r"of shape \(2, D\) of two visible images, got shape \(2, 12, 1\)"),
        (lambda rows, _: (rows, rows), r"of two visible images, got a tuple"),
        (lambda rows, m: rows if m == "visible" else rows[:, :5], "of one size for both modalities, got 12 and 5"),
    ):
        with pytest.raises(ValueError, match=message):
            OwnModel(Wrong(change), 64, 32)
    with pytest.raises(ValueError, match="expected layers among stems, stems.visible, .*; got 'layer4'"):
        made(layers=("layer4",))
    with pytest.raises(ValueError, match="expected height between 32 and 1024, got 5"):
        OwnModel(Small(), 5, 32)


def test_weights_that_do_not_fit_are_named(tmp_path) -> None:
    module = nn.Sequential()
    module.add_module("base", nn.Linear(4, 3))
    module.add_module("classifier", nn.Linear(3, 9))
    state, path = {name: tensor + 1 for name, tensor in module.state_dict().items()}, tmp_path / "mine.safetensors"

    parallel = {f"module.{name}": tensor for name, tensor in state.items()}
    others = {**state, "classifier.weight": torch.ones(5, 3), "classifier.bias": torch.ones(5)}
    skipped = ("classifier.",)
    a_classifier = r"classifier\.bias of shape \(9,\) in .*, got shape \(5,\): a classifier, "
    for tensors, ignore, message in (
        (
            parallel,
            (),
            r'all begin with "module\.", as DataParallel writes them; load_weights\(\.\.\., prefix="module\."\)',
        ),
        (others, (), rf'{a_classifier}.* ignore=\("classifier\.",\)\)'),
        ({"base.weight": state["base.weight"]}, skipped, r"expected base\.bias of shape \(3,\) in .*, got none"),
        ({**state, "base.more": torch.ones(1)}, (), r"expected base\.more not to be in .*, got shape \(1,\)"),
    ):
        save_file(tensors, path)
        with pytest.raises(ValueError, match=message):
            load_weights(module, path, ignore=ignore)
    save_file({f"module.{name}": tensor for name, tensor in others.items()}, path)
    load_weights(module, path, ignore=skipped, prefix="module.")
    assert torch.equal(module.base.weight, state["base.weight"])
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9\n")
    with pytest.raises(ValueError, match="got a pointer of Git LFS; `git lfs pull` fetches the file"):
        load_weights(module, path)


def test_the_line_that_a_pickle_is_refused_with_converts_it(tmp_path) -> None:
    module = nn.Linear(4, 3)
    torch.save({"net": module.state_dict(), "epoch": 3}, tmp_path / "mine.pth")
    with pytest.raises(ValueError, match="got a pickle, which is never opened; if you trust it, convert it: ") as error:
        load_weights(module, tmp_path / "mine.pth")
    words = shlex.split(str(error.value).partition("convert it: ")[2])
    assert words[0] == "python"
    subprocess.run([sys.executable, *words[1:]], check=True)
    fresh = nn.Linear(4, 3)
    load_weights(fresh, tmp_path / "mine.safetensors")
    assert torch.equal(fresh.weight, module.weight)


def test_the_app_shows_it_beside_the_checkpoints(own: Library, tiny_synvi, tiny_checkpoint) -> None:
    assert list(own.checkpoints.usable) == ["mun-tiny", "small", "blind"]
    assert parser().parse_args(["--model", SPEC, "--model", "b=c:d"]).model == [SPEC, "b=c:d"]
    entry = own.checkpoints["small"]
    assert (entry.label, entry.title) == ("small", "small (a model of your own)")
    assert entry.against(own.checkpoints["mun-tiny"]) == " · not comparable: trained elsewhere"
    assert describe(entry)["parameters"] == sum(parameter.numel() for parameter in Small().parameters())
    card = model_card(own, "small")
    assert ("Maps", "of stems.visible, top") in card.facts
    assert not card.settings
    assert "is not known here" in card.limits[0]
    found = retrieve(own, Retrieve.read({"checkpoint": "small", "top_k": 3}, own))
    assert len(found.results) == 3
    assert not Project.read({"checkpoint": "small", "identities": 6, "perplexity": 9}, own).auxiliary
    with pytest.raises(ValueError, match="expected checkpoint to be one of mun-tiny; got 'small'"):
        Compare.read({"checkpoint": "small"}, own)
    with pytest.raises(ValueError, match="expected models of different names, got mun-tiny twice"):
        open_library(tiny_synvi, tiny_checkpoint, None, ["mun-tiny=test_own_models:small"])


def test_the_app_explains_it_by_its_own_layers(own: Library) -> None:
    request = Explain.read({"checkpoint": "small", "image": "cam3/0013/0001.jpg", "layers": "top"}, own)
    result = explained(own, subject_of(own, request))
    assert [(one.layer, one.source) for one in result.maps] == [("top", "image"), ("top", "target")]
    data = own.collections["synvi"]
    sample = data.samples[data.rows[result.image.image]]
    look = Look(to_images(torch.from_numpy(decode_samples([sample], 64, 32))), Modality.INFRARED)
    rows = own.embeddings("small", "synvi")[data.rows[result.target.image]]
    expected = activation_maps(small(), look, [Similarity(torch.from_numpy(rows.copy()))], [("top", Method.GRAD_CAM)])
    np.testing.assert_allclose(result.maps[0].values, expected["top", Method.GRAD_CAM][0], rtol=1e-4, atol=1e-7)
    every = Explain.read({"checkpoint": "small", "image": "cam1/0013/0001.jpg"}, own)
    subject = subject_of(own, every)
    result = explained(own, subject)
    assert [one.layer for one in result.maps if one.source == "image"] == ["stems.visible", "top"]
    assert any("no auxiliary modality" in note for note in result.notes)
    last = list(check(own, subject, result.find("image/visible/top")))[-1]
    assert [step.part for step in last.steps] == ["top", "stems.visible"]
    assert list(last.curves) == ["map", "centre prior", "random weights"]
    pair = "cam3/0013/0001.jpg", "cam1/0013/0001.jpg"
    assert similarity_map(own, "small", "synvi", *pair).layer == "top"
    with pytest.raises(ValueError, match="expected a model that names layers for maps, got blind without any"):
        similarity_map(own, "blind", "synvi", *pair)
    with pytest.raises(ValueError, match="got blind without any"):
        explained(own, subject_of(own, Explain.read({"checkpoint": "blind", "image": pair[0]}, own)))


@pytest.mark.slow
def test_the_documented_example_runs_maps_included(tiny_synvi) -> None:
    """AGW's form with random weights, as docs/own-models.md says it."""
    network, samples = agw(), read_source("synvi", tiny_synvi).test[:2]
    rows = embed_samples(network, samples)
    assert rows.shape == (2, 2048)
    look = Look(to_images(torch.from_numpy(decode_samples(samples[:1], 288, 144))), samples[0].modality)
    wanted = [(layer, Method.GRAD_CAM) for layer in network.stages]
    maps = activation_maps(network, look, [Similarity(torch.from_numpy(rows[1]))], wanted)
    assert [values.shape for values in maps.values()] == [(1, 18, 9)] * 2
    assert all(np.isfinite(values).all() for values in maps.values())

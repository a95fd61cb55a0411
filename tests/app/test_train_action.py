"""Start, watch, stop, resume, delete and download runs: bounds, caps, owners; the model joins the checkpoints."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from training_runs import jobs_in, recipe_for, until

from app.actions.retrieval.retrieve import Request as RetrieveRequest
from app.actions.training import status as train_status
from app.actions.training import train
from app.actions.training.export import curves
from app.actions.training.request import PRESETS, Request, has_gpu, preset, preset_problem
from app.jobs.chunk import settings_of
from app.jobs.limits import read_limits
from app.jobs.queue import Jobs
from app.jobs.record import read_record
from app.jobs.worker import work
from app.library import Library, open_library
from app.tabs.training import model_file
from app.tabs.training_events import TrainHandlers, View
from app.tabs.training_form import values_of
from mun.config import ModelConfig, to_json
from mun.files import write_json
from mun.models.network import Network

ON, TINY = read_limits({}), read_limits({"SPACE_ID": "a/b"})
SMALL = {
    "data": "synvi", "width": 0.125, "height": 32, "image_width": 32, "epochs": 2, "ids_per_batch": 4,
    "instances_per_id": 2, "device": "cpu",
}  # fmt: skip


@pytest.fixture
def training(tiny_synvi: Path, tiny_checkpoint: Path, tmp_path: Path, monkeypatch) -> Iterator[Library]:
    """A library whose runs are trained in this process, because starting others takes seconds."""
    monkeypatch.setenv("MUN_RUNS", str(tmp_path / "runs"))

    def spawn(self: Jobs, run: str) -> int:
        work(self.root / run)
        return 0

    monkeypatch.setattr(Jobs, "_spawn", spawn)
    library = open_library(tiny_synvi, tiny_checkpoint)
    yield library
    library.jobs.close()


def test_a_run_from_start_over_a_restart_to_deletion(training: Library, tiny_synvi, tiny_checkpoint) -> None:
    started = train.start(training, Request.of(SMALL))
    assert started.to_json()["state"] == "queued"
    until(training.jobs, started.run, lambda record: record.state == "finished")
    status = train_status.status(training, started.run)
    answer = json.loads(json.dumps(status.to_json(), allow_nan=False))
    assert answer["state"] == "finished"
    assert answer["steps"] == 16
    assert answer["metrics"]
    assert len(answer["validations"]) == 2
    assert [line.split()[3] for line in answer["command"]] == ["train"]
    assert str(training.jobs.root) not in json.dumps(answer)
    assert training.usable == ["mun-tiny", started.run]
    assert RetrieveRequest(checkpoint=started.run).checked(training).checkpoint == started.run
    assert training.embeddings(started.run, "synvi").shape[1] > 0
    listed = train_status.overview(training).to_json()
    assert [run["run"] for run in listed["runs"]] == [started.run]
    assert 0 <= listed["runs"][0]["mean_ap"] <= 1

    name, data = train.archive(training, started.run, started.token)
    assert (name, data) == train.archive(training, started.run, started.token)
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        names = {entry.rpartition("/")[2] for entry in packed.namelist()}
        assert (
            {"model.safetensors", "card.json"} <= names <= {"model.safetensors", "card.json", "snapshots.safetensors"}
        )
    for kind, start in (("png", b"\x89PNG"), ("pdf", b"%PDF"), ("csv", b"run,quantity,step,value")):
        name, data = curves([status], kind)
        assert data.startswith(start), kind
        assert name == f"{started.run}-curves.{kind}"
    assert b"python -m mun train" in data
    with pytest.raises(ValueError, match="expected the token"):
        train.delete(training, started.run, "other")
    again = open_library(tiny_synvi, tiny_checkpoint)
    again.jobs.open()  # beside the other app it has a folder of its own
    assert again.usable == ["mun-tiny"]
    again.jobs.close()
    training.jobs.close()
    training = open_library(tiny_synvi, tiny_checkpoint)
    training.jobs.open()
    assert training.usable == ["mun-tiny", started.run]
    assert training.default_checkpoint == "mun-tiny"
    train.delete(training, started.run, started.token)
    assert training.usable == ["mun-tiny"]
    with pytest.raises(ValueError, match="not there any more"):
        training.network(started.run)
    with pytest.raises(ValueError, match="it may have been deleted"):
        train_status.status(training, started.run)
    training.jobs.close()


def test_the_page_tells_the_browser_which_token_comes_or_goes(training: Library) -> None:
    """What is kept besides is not sent back: another page may have changed it meanwhile."""
    handlers, others = TrainHandlers(training), {"run-other": "token", "run-gone": None}
    answer = handlers.start(View(), others, *values_of(Request.of(SMALL)))
    ((run, token),) = answer.tokens.items()
    assert (answer.view.run, answer.mine) == (run, True)
    assert training.jobs.owned(run, token)
    until(training.jobs, run, lambda record: record.state == "finished")
    sure = handlers.delete(answer.view, {**others, run: token})
    assert sure.tokens is None
    assert handlers.delete(sure.view, {**others, run: token}).tokens == {run: None}


def test_the_largest_model_that_can_be_trained_can_be_downloaded(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    with torch.device("meta"):
        network = Network(ModelConfig("mun", "resnet50", ON.width), 1)
    num_bytes = 2 * sum(tensor.numel() for tensor in network.state_dict().values())  # in half precision

    class Handlers:
        def archive(self, *_: object) -> tuple[str, bytes]:
            return "run.zip", bytes(num_bytes)

    assert Path(model_file(Handlers(), View(), {})).stat().st_size == num_bytes > 100_000_000


def test_rendered_data_are_part_of_the_command(library: Library, tmp_path: Path) -> None:
    recipe = Request.of({}).checked(library, ON).recipe(library, ON)
    assert train_status.command_of(recipe, tmp_path) == ()
    write_json(tmp_path / "config.json", to_json(settings_of(tmp_path / "run", recipe, recipe.config)))
    rendered, trained = train_status.command_of(recipe, tmp_path)
    assert rendered.startswith("python -m mun synth OUT --level easy --train-ids 24 --val-ids 10 --test-ids 0")
    assert "--size 64x32" in rendered
    assert trained.startswith("python -m mun train --data OUT --dataset synvi --seed 0 ")
    assert train_status.settings_of(recipe)["level"] == "easy"


def test_a_waiting_run_has_no_progress_and_nothing_to_take_home(training: Library, monkeypatch) -> None:
    monkeypatch.setattr(Jobs, "_wake", lambda self: None)
    started = train.start(training, Request.of(SMALL))
    status = train_status.status(training, started.run)
    assert (status.state, status.place, status.seconds_left, status.steps) == ("queued", 1, None, None)
    with pytest.raises(ValueError, match="expected a finished run to download, this one is queued"):
        train.archive(training, started.run, started.token)
    with pytest.raises(ValueError, match="nothing has been measured yet"):
        curves([status], "png")
    with pytest.raises(ValueError, match="expected a run whose curves"):
        curves([], "png")
    with pytest.raises(ValueError, match="expected kind to be one of png, pdf, csv"):
        curves([status], "exe")
    assert train.stop(training, started.run, started.token).state == "stopped"
    assert train.resume(training, started.run, started.token).state == "queued"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "expected the run as an object"),
        ({"prset": "taste"}, "expected the names preset, "),
        ({"preset": "no"}, "expected preset to be one of taste, ten, gpu"),
        ({"data": "/etc"}, "expected data to be one of render, synvi"),
        ({"level": "x"}, "expected level to be one of "),
        ({"auxiliary": "none at all"}, "expected auxiliary to be one of "),
        ({"backbone": "vit"}, "expected backbone to be one of "),
        ({"width": float("nan")}, "expected width to be a number"),
        ({"width": "1"}, "expected width to be a number"),
        ({"width": True}, "expected width to be a number"),
        ({"height": 31}, "expected height to be a whole number"),
        ({"image_width": 10**30}, "expected image_width to be a whole number"),
        ({"epochs": 1.5}, "expected epochs to be a whole number"),
        ({"epochs": 3, "minutes": 1}, "expected either a time budget in minutes or a number of epochs"),
        ({"minutes": 0}, "expected either a time budget"),
        ({"lr": -1}, "expected lr to be a number"),
        ({"ids_per_batch": 32}, "expected at most 24 people per batch"),
        (
            {"ids_per_batch": 64, "instances_per_id": 16, "train_ids": 64, "images": 50, "val_ids": 1000},
            "at most 60000",
        ),
        ({"seed": -1}, "expected seed to be a whole number"),
        ({"device": "tpu"}, "expected device to be one of auto, cpu, cuda"),
    ],
)
def test_what_cannot_be_is_refused(library: Library, values, words) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        Request.of(values).checked(library, ON)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        {"minutes": 10},
        {"train_ids": 500},
        {"width": 1.0},
        {"height": 256, "image_width": 128},
        {"ids_per_batch": 16, "instances_per_id": 8},
    ],
)
def test_a_shared_space_says_duplicate(library: Library, values) -> None:
    assert Request.of(values).checked(library, ON)
    with pytest.raises(ValueError, match="duplicate this Space"):
        Request.of(values).checked(library, TINY)


def test_training_that_is_off_is_refused(library: Library) -> None:
    with pytest.raises(ValueError, match="training is switched off here"):
        train.start(library, Request())
    assert train_status.overview(library).to_json()["runs"] == []


def test_presets_are_valid_where_they_are_offered(library: Library) -> None:
    for name in PRESETS:
        request = preset(name)
        if request.device != "cuda" or has_gpu():
            assert request.checked(library, ON).recipe(library, ON).config.model.auxiliary == "mun"
            assert preset_problem(name, ON) == ""
        else:
            assert preset_problem(name, ON).endswith("this machine has no GPU")
    assert "duplicate this Space" in preset_problem("ten", TINY)
    assert preset_problem("taste", TINY) == ""


def test_a_record_survives_json(training: Library, tiny_synvi: Path, monkeypatch) -> None:
    monkeypatch.setattr(Jobs, "_wake", lambda self: None)
    recipe = recipe_for(tiny_synvi)
    run, _ = training.jobs.start(recipe)
    assert read_record(training.jobs.root / run).recipe == recipe
    path = training.jobs.root / run / "job.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 2', 1))
    with pytest.raises(ValueError, match="expected a job of format 1"):
        read_record(path.parent)


def test_jobs_of_tests_are_off(library: Library) -> None:
    """The library that is fuzzed never trains."""
    assert library.jobs.limits.off
    assert jobs_in(Path("nowhere"), MUN_TRAIN="off").limits.off

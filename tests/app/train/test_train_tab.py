"""Start, watch, stop, resume, delete and download runs, on the page and over HTTP; the model joins the checkpoints."""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pages import shown as html
from serving import serve
from training_runs import recipe_for, until

from app.library import Library, open_library
from app.retrieval.rank import Retrieve
from app.shared.html import form
from app.shared.tab import Answer, Press
from app.train import request, tab
from app.train.chunk import settings_of, write_png
from app.train.host import read_limits
from app.train.queue import Queue
from app.train.record import read_record
from app.train.request import Look, Start, Train, Watch, presets
from app.train.status import command_of, overview, score_words, status
from app.train.status import settings_of as asked
from app.train.worker import work
from mun.config import ModelConfig, to_json
from mun.files import write_json
from mun.models.network import Network

ON, TINY = read_limits({}), read_limits({"SPACE_ID": "a/b"})

SMALL = {
    "data": "synvi", "width": 0.125, "height": 32, "image_width": 32, "epochs": 2, "ids_per_batch": 4,
    "instances_per_id": 2, "device": "cpu",
}  # fmt: skip


@dataclass
class Training:
    """A library, its queue, and the tokens that one browser keeps."""

    library: Library
    queue: Queue
    tokens: dict[str, str]

    def start(self, values: dict[str, Any]) -> dict[str, Any]:
        return tab.start(self.queue, self.library, Start.read({"config": values}, self.library))

    def press(self, do: str = "", tokens: Any = None, changed: tuple[str, ...] = (), **values: Any) -> Answer:
        """Send a press, and keep the tokens that a browser would keep."""
        press = Press(do=do, tokens=self.tokens if tokens is None else tokens, changed=changed)
        answer = tab.answer(self.queue, self.library, Watch.read(values, self.library), press)
        merged = {**self.tokens, **answer.tokens}
        self.tokens = {run: token for run, token in merged.items() if token is not None}
        return answer

    def export(self, asked: Watch, what: str, kind: str, tokens: Any = None) -> Any:
        press = Press(tokens=self.tokens if tokens is None else tokens, url="https://a.b/")
        options = tab.Options.read({}, self.library)
        return tab.write(self.queue, self.library, asked, options, what, kind, press)

    def compare(self, asked: Watch, run: str) -> Watch:
        return tab.answer(self.queue, self.library, asked, Press(do="compare", detail={"run": run})).request


@pytest.fixture
def training(tiny_synvi: Path, tiny_checkpoint: Path, tmp_path: Path, monkeypatch) -> Iterator[Training]:
    """Train runs in this process, because starting another one takes seconds."""

    def spawn(self: Queue, run: str) -> int:
        work(self.root / run)
        return 0

    monkeypatch.setattr(Queue, "_spawn", spawn)
    made = Training(open_library(tiny_synvi, tiny_checkpoint), Queue(tmp_path / "runs", ON), {})
    tab.offer_models(made.queue, made.library)
    yield made
    made.queue.close()


@pytest.fixture
def waiting(training: Training, monkeypatch: pytest.MonkeyPatch) -> Training:
    """Let runs wait for ever."""
    monkeypatch.setattr(Queue, "_wake", lambda self: None)
    return training


def test_a_run_from_start_over_a_restart_to_deletion(training: Training, tiny_synvi, tiny_checkpoint, tmp_path) -> None:
    library, queue = training.library, training.queue
    answer = training.press("start", **SMALL)
    ((run, token),) = training.tokens.items()
    assert (answer.request.run, dict(answer.tokens)) == (run, {run: token})
    assert answer.again > 0
    until(queue, run, lambda record: record.state == "finished")
    told = json.loads(json.dumps(tab.look(queue, library, Look(run=run)), allow_nan=False))
    assert list(told) == [
        "run", "state", "stopping", "place", "phase", "done", "total", "seconds_left", "steps", "epochs", "error",
        "suggestion", "resumable", "settings", "timing", "metrics", "validations", "command",
    ]  # fmt: skip
    assert (told["state"], told["steps"], len(told["validations"])) == ("finished", 16, 2)
    assert told["metrics"]
    assert [line.split()[3] for line in told["command"]] == ["train"]
    assert str(queue.root) not in json.dumps(told)
    assert library.checkpoints.usable == ["mun-tiny", run]
    assert Retrieve.read({"checkpoint": run}, library).checkpoint == run
    assert library.embeddings(run, "synvi").shape[1] > 0
    assert 0 <= tab.look(queue, library, Look())["runs"][0]["mean_ap"] <= 1
    shown = training.press(run=run)
    assert shown.again == 0
    assert f'href="?tab=retrieval&checkpoint={run}"' in html(shown, "train-run")
    assert "so its score differs" in html(shown, "train-run")
    asked = Watch.read({"run": run}, library)
    packed = training.export(asked, "model", "zip")
    assert packed == training.export(asked, "model", "zip")
    assert (packed.name, packed.address[:21]) == (f"{run}.zip", "data:application/zip;")
    with zipfile.ZipFile(io.BytesIO(packed.data)) as opened:
        names = {entry.rpartition("/")[2] for entry in opened.namelist()}
    needed = {"model.safetensors", "card.json"}
    assert needed <= names <= {*needed, "README.md", "snapshots.safetensors"}
    for kind, start in (("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml"), ("csv", f"# {run}".encode())):
        file = training.export(asked, "curves", kind)
        assert file.data.startswith(start), kind
        assert file.name == f"{run}-curves.{kind}"
    assert b"python -m mun train" in file.data
    assert f"https://a.b/?tab=train&run={run}".encode() in file.data
    assert b"run,quantity,step,value" in file.data
    with pytest.raises(ValueError, match="expected the token"):
        training.export(asked, "model", "zip", {run: "other"})

    assert "expected the token" in training.press("delete", run=run, tokens={run: "other"}).notice.lower()
    queue.close()
    again = Training(open_library(tiny_synvi, tiny_checkpoint), Queue(tmp_path / "runs", ON), training.tokens)
    tab.offer_models(again.queue, again.library)
    assert again.library.checkpoints.usable == ["mun-tiny", run]
    assert again.library.default_checkpoint == "mun-tiny"
    gone = again.press("delete", run=run)
    assert (dict(gone.tokens), again.tokens, gone.request.run) == ({run: None}, {}, "")
    assert again.library.checkpoints.usable == ["mun-tiny"]
    with pytest.raises(ValueError, match="no longer exists"):
        again.library.network(run)
    with pytest.raises(ValueError, match="it may have been deleted"):
        status(again.queue, run)
    assert "is not kept here any more" in again.press(run=run).notice
    again.queue.close()


def test_everybody_watches_and_only_the_owner_acts(waiting: Training) -> None:
    run = waiting.press("start", **SMALL).request.run
    assert 'data-mine="true"' in html(waiting.press(run=run), "train-run")
    stranger = waiting.press("stop", run=run, tokens={})
    assert stranger.notice.startswith("Expected the token of this run's owner")
    assert stranger.again > 0, "what is watched goes on after a refusal"
    drawn = html(stranger, "train-run")
    assert re.search(r'data-do="stop" data-detail="[^"]+" disabled title="Only the browser that started', drawn)
    assert html(waiting.press("stop", run=run), "train-run").count('data-state="stopped"') == 1
    assert html(waiting.press("resume", run=run), "train-run").count('data-state="queued"') == 1
    with pytest.raises(ValueError, match="expected a finished run to download, this one is queued"):
        waiting.queue.archive(run, waiting.tokens[run])
    with pytest.raises(ValueError, match="expected a run whose curves"):
        waiting.export(Watch.read({}, waiting.library), "curves", "png")


def test_the_old_pictures_stay_until_a_new_run_has_some(waiting: Training) -> None:
    first = waiting.press("start", **SMALL).request.run
    waiting.press("stop", run=first)
    folder = waiting.queue.root / first
    (folder / "metrics.jsonl").write_text('{"step": 1, "total": 2.0}\n')
    for name in ("visible", "infrared", "step-0000001-00000"):
        write_png(folder / "frames" / f"{name}.png", np.zeros((32, 32, 3), np.uint8))
    second = waiting.press("start", **SMALL).request.run
    shown = waiting.press(run=second)
    assert f'data-run="{second}"' in html(shown, "train-run")
    assert f'data-run="{first}"' in html(shown, "train-curves")
    assert f'data-run="{first}"' in html(shown, "train-film")
    assert "until this run has its own" in html(shown, "train-curves")
    assert waiting.press().request.run == second, "one's own newest run is shown where none is named"
    stranger = waiting.press(tokens={first: "x"})
    assert stranger.request.run == first
    digests = [{name: one.digest for name, one in each.pieces.items()} for each in (shown, waiting.press(run=second))]
    assert digests[0] == digests[1], "what has not changed is not sent again"


def test_up_to_four_runs_are_compared(waiting: Training) -> None:
    runs = [waiting.start(SMALL)["run"] for _ in range(5)]
    asked = Watch.read({}, waiting.library)
    for number, run in enumerate(runs):
        asked = waiting.compare(asked, run)
        assert len(asked.beside) == min(number + 1, 4)
    assert waiting.compare(asked, runs[0]).beside == tuple(runs[1:4])
    assert waiting.press(beside=(*runs[:2], "run-gone")).request.beside == tuple(runs[:2])
    with pytest.raises(ValueError, match="expected beside to have at most 4 parts"):
        Watch.read({"beside": tuple("abcde")}, waiting.library)


def test_epochs_and_a_time_budget_take_turns(training: Training) -> None:
    assert (training.press(epochs=3, minutes=1.0).request.minutes) == 0
    shown = training.press(epochs=3, minutes=1.0, changed=("minutes",)).request
    assert (shown.epochs, shown.minutes) == (0, 1.0)


@pytest.mark.parametrize(
    ("values", "idle"),
    [
        ({}, []),
        ({"data": "synvi"}, ["level", "train_ids", "val_ids", "images", "data_seed"]),
        ({"auxiliary": "none"}, ["modality_alignment"]),
    ],
)
def test_settings_without_effect_are_off_and_methods_have_names(library: Library, values, idle) -> None:
    drawn = form("train", Watch.read(values, library), library, tab.SETTINGS)
    off = re.findall(r'<(?:select|input)(?=[^>]* disabled)[^>]* name="(\w+)"', drawn)
    assert list(dict.fromkeys(off)) == idle
    assert "two modalities (baseline)</option>" in drawn


def test_the_form_says_why_a_run_cannot_be_started(library: Library, tmp_path: Path) -> None:
    def form(limits: Any, **values: Any) -> str:
        return tab.draw_start(library, Queue(tmp_path, limits), Watch.read(values, library))

    assert 'data-do="start">Start' in form(ON)
    wide = form(ON, ids_per_batch=32)
    assert "Expected at most 24 people per batch" in wide
    assert 'data-do="start" disabled' in wide
    off = form(read_limits({"MUN_TRAIN": "off", "SPACE_ID": "some-one/demo_1.0"}))
    assert "switched off" in off
    assert '<a href="https://huggingface.co/spaces/some-one/demo_1.0?duplicate=true"' in off
    assert len(re.findall(r"<button[^>]* disabled", off)) == 4
    shared = " ".join(form(TINY).split())
    assert "a run trains for about 3 minutes, on at most 2,000 rendered images;" in shared
    for name in ("a", "a/b/c", 'a/b" onclick="', "../b", "a/b\n"):
        assert "<a " not in form(read_limits({"SPACE_ID": name}))
    assert "duplicate this Space" not in form(ON)


def test_the_largest_model_that_can_be_trained_can_be_downloaded() -> None:
    """The file comes in parts, and the page accepts as much as a browser can hold."""
    with torch.device("meta"):
        network = Network(ModelConfig("mun", "resnet50", ON.width), 1)
    num_bytes = 2 * sum(tensor.numel() for tensor in network.state_dict().values())  # in half precision
    assert 100_000_000 < num_bytes < 256_000_000


def test_rendered_data_are_part_of_the_command(library: Library, tmp_path: Path) -> None:
    train = Train.read({}, library)
    recipe = train.recipe(library, ON)
    assert command_of(recipe, tmp_path) == ()
    write_json(tmp_path / "config.json", to_json(settings_of(tmp_path / "run", recipe, recipe.config)))
    rendered, trained = command_of(recipe, tmp_path)
    assert rendered.startswith("python -m mun synth OUT --level easy --train-ids 24 --val-ids 10 --test-ids 0")
    assert "--size 64x32" in rendered
    assert trained.startswith("python -m mun train --data OUT --dataset synvi --seed 0 ")
    assert asked(recipe)["level"] == "easy"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "the run as an object"),
        ({"prset": "taste"}, "the names preset, "),
        ({"epochs": 3, "minutes": 1}, "either a time budget in minutes or a number of epochs"),
        ({"minutes": 0}, "either a time budget"),
        ({"minutes": 1441}, "minutes to be a number from 0 to 1440, got 1441"),
        ({"ids_per_batch": 32}, "at most 24 people per batch"),
        ({"ids_per_batch": 64, "instances_per_id": 16, "train_ids": 64, "images": 50, "val_ids": 1000}, "at most 6000"),
    ],
)
def test_what_cannot_be_is_refused(training: Training, values, words) -> None:
    with pytest.raises(ValueError, match=f"expected {words}") as caught:
        training.start(values)
    assert "\n" not in str(caught.value)
    assert training.queue.records() == []


@pytest.mark.parametrize(
    "values",
    [{"minutes": 10}, {"train_ids": 500}, {"width": 1.0}, {"height": 256, "image_width": 128},
     {"ids_per_batch": 16, "instances_per_id": 8}],
)  # fmt: skip
def test_a_shared_space_says_duplicate(library: Library, values) -> None:
    Train.read(values, library).check(ON)
    with pytest.raises(ValueError, match="duplicate this Space"):
        Train.read(values, library).check(TINY)


def test_training_that_is_off_is_refused(library: Library, tmp_path: Path) -> None:
    queue = Queue(tmp_path / "off", read_limits({"MUN_TRAIN": "off"}))
    with pytest.raises(ValueError, match="training is switched off here; duplicate this Space"):
        tab.start(queue, library, Start.read({}, library))
    assert overview(queue)["runs"] == []
    shown = tab.answer(queue, library, Watch.read({}, library), Press(do="start"))
    assert "switched off" in html(shown, "train-run")
    assert shown.notice.startswith("Training is switched off here")
    elsewhere, options = Watch.read({"run": "../another"}, library), tab.Options.read({}, library)
    with pytest.raises(ValueError, match="expected a run whose curves to export, there is none yet"):
        tab.write(queue, library, elsewhere, options, "curves", "csv", Press())
    assert not (tmp_path / "off").exists()


def test_presets_are_valid_where_they_are_offered(library: Library, monkeypatch) -> None:
    for gpu in (False, True):
        monkeypatch.setattr(request, "has_gpu", lambda gpu=gpu: gpu)
        for one in presets(library, ON):
            name = one["name"]
            train = Train.read({"preset": name}, library)
            assert train == Train.read(one["values"], library)
            assert Train.of_address(train.link(library, "train")).keys() <= {"preset"}
            if name != "gpu" or gpu:
                train.check(ON)
                assert train.recipe(library, ON).config.model.auxiliary == "mun"
            assert one["why"] == ("" if name != "gpu" or gpu else "this machine has no GPU")
    assert ["duplicate this Space" in one["why"] for one in presets(library, TINY)] == [False, True, True]


def test_the_score_says_on_which_data_it_was_measured(waiting: Training) -> None:
    run = waiting.start({})["run"]
    now = replace(status(waiting.queue, run), validations=({"step": 8, "mean_ap": 0.5},))
    words = score_words(waiting.library, now)
    assert words.startswith("Best mAP 50.0 % on the 10 validation people of SynVI easy, rendered for this run.")
    assert f"the {waiting.library.collections['synvi'].num_identities} of the test split of SynVI" in words
    loaded = replace(now, settings={**now.settings, "data": "synvi"})
    del loaded.settings["level"]
    assert "on the validation people of SynVI." in score_words(waiting.library, loaded)


def test_a_record_survives_json(waiting: Training, tiny_synvi: Path) -> None:
    recipe = recipe_for(tiny_synvi)
    run, _ = waiting.queue.start(recipe)
    assert read_record(waiting.queue.root / run).recipe == recipe
    path = waiting.queue.root / run / "job.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 2', 1))
    with pytest.raises(ValueError, match="expected a job of format 1"):
        read_record(path.parent)


def test_runs_and_the_limit_on_starts_over_http(waiting: Training, tmp_path: Path) -> None:
    waiting.queue.limits = replace(ON, starts=3)
    with serve(waiting.library, tmp_path / "gradio", waiting.queue) as served:
        (started,) = served.call("train_start", [{"preset": "taste", "epochs": 2}]).value
        assert list(started) == ["run", "token", "state", "place"]
        assert (started["state"], started["place"]) == ("queued", 1)
        (listed,) = served.call("train_status", [""]).value
        assert (listed["mode"], listed["minutes"], listed["images"]) == ("on", 1440.0, 60000)
        run = {"run": started["run"], "state": "queued", "place": 1, "auxiliary": "mun", "mean_ap": None}
        assert listed["runs"] == [run]
        (status,) = served.call("train_status", [started["run"]]).value
        assert (status["settings"]["epochs"], status["settings"]["minutes"], status["command"]) == (2, 0, [])
        assert "expected the token" in served.call("train_stop", [started["run"], "other"]).words
        (stopped,) = served.call("train_stop", [started["run"], started["token"]]).value
        assert stopped == {**status, "state": "stopped", "place": 0, "resumable": True}
        assert "it may have been deleted" in served.call("train_status", ["run-gone"]).words
        for _ in range(2):  # all calls from one address count together
            (started,) = served.call("train_start", [None]).value
            served.call("train_stop", [started["run"], started["token"]])
        refused = served.call("train_start", [{}])
    assert refused.event == "error"
    assert refused.words.startswith("you have started 3 runs within ten minutes")

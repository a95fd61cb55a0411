"""A checkpoint folder is a model repository: its README is read by the Hub's own reader, and it is fetched from one."""

import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from app.library import open_library
from app.library.checkpoints import list_checkpoints
from app.start import main as app
from mun.checkpoint import load_checkpoint, read_card, write_card
from mun.hub import README, fetch, readme_of, write_readme

ROOT = Path(__file__).parents[1]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(http.server.BaseHTTPRequestHandler):
    """As much of the Hub as a download asks for: a repository `lab/nets` with the files of a folder."""

    folder: Path
    asked: list[str]

    def do_GET(self) -> None:
        self.answer(body=True)

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def answer(self, body: bool) -> None:
        self.asked.append(self.path)
        files = {path.relative_to(self.folder).as_posix(): path for path in self.folder.rglob("*") if path.is_file()}
        listing, resolve = "/api/models/lab/nets/revision/", "/lab/nets/resolve/"
        if self.path.startswith(listing) and self.path.removeprefix(listing) in ("main", "v1"):
            siblings = [{"rfilename": name} for name in files]
            return self.send(json.dumps({"id": "lab/nets", "sha": COMMIT, "siblings": siblings}).encode(), body)
        if self.path.startswith(f"/api/models/lab/nets/tree/{COMMIT}"):
            tree = [
                {"type": "file", "path": name, "size": path.stat().st_size, "oid": f"{place:040x}"}
                for place, (name, path) in enumerate(files.items())
            ]
            return self.send(json.dumps(tree).encode(), body)
        if self.path.startswith("/api/models/lab/nets/"):
            return self.send(b"{}", body, 404, "RevisionNotFound")
        name = self.path.removeprefix(f"{resolve}{COMMIT}/")
        if name in files:
            return self.send(files[name].read_bytes(), body)
        return self.send(b"{}", body, 404, "RepoNotFound")

    def send(self, content: bytes, body: bool, code: int = 200, error: str = "") -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hash(content):x}"')
        self.send_header("X-Repo-Commit", COMMIT)
        if error:
            self.send_header("X-Error-Code", error)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    folder = Path(shutil.copytree(tiny_checkpoint / "mun-tiny", tmp_path / "repository"))
    write_readme(folder)
    (folder / "training.py").write_text("raise SystemExit")
    kind = type("One", (Hub,), {"folder": folder, "asked": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield kind
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("revision", ["", "@v1"])
def test_a_checkpoint_is_fetched_when_it_is_asked_for(hub, tmp_path, tiny_checkpoint, tiny_synvi, revision) -> None:
    place = fetch(f"hf://lab/nets{revision}", tmp_path / "kept")
    assert not [path for path in hub.asked if path.endswith("training.py")], "nothing but a checkpoint's own files"
    assert {path.name for path in place.iterdir() if not path.name.startswith(".")} == {
        "model.safetensors", "card.json", "README.md",
    }  # fmt: skip
    assert load_checkpoint(place)[1] == read_card(tiny_checkpoint / "mun-tiny")
    (entry,) = list_checkpoints(place)
    assert (entry.name, entry.reason) == ("lab--nets", "")
    assert open_library(tiny_synvi, place).default_checkpoint == "lab--nets"


def test_what_the_hub_has_not_is_one_sentence(hub, tmp_path, capsys, monkeypatch) -> None:
    (hub.folder / "card.json").rename(hub.folder / "other.json")
    for place, message in (
        ("hf://lab", "expected hf://USER/REPO or hf://USER/REPO@REVISION, got 'hf://lab'"),
        ("hf://lab/../nets", "expected hf://USER/REPO or"),
        ("hf://lab/nothing", "expected a model repository lab/nothing with the revision main, found none"),
        ("hf://lab/nets@v9", "expected a model repository lab/nets with the revision v9, found none"),
        ("hf://lab/nets", "expected model.safetensors and card.json in lab/nets, found none"),
    ):
        monkeypatch.setenv("MUN_CACHE", str(tmp_path / "cache"))
        assert app(["--checkpoints", place]) == 2
        assert f"app: error: {message}" in capsys.readouterr().err


def test_offline_it_says_so(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(
        ConnectionError, match="expected the Hugging Face Hub to answer for lab/nets, it did not .*offline"
    ):
        fetch("hf://lab/nets", tmp_path)


def test_the_readme_is_a_model_card(tiny_checkpoint, tmp_path) -> None:
    folder = Path(shutil.copytree(tiny_checkpoint / "mun-tiny", tmp_path / "one"))
    how = {"data": "synvi", "protocol": "synvi-all", "shots": 1, "trials": 10, "sampler": "seeded"}
    mean = {"rank1": 0.5, "rank10": 0.75, "mean_ap": 0.25, "mean_inp": 0.125}
    record = {**how, "commands": ["made"], "mean": mean, "sd": {"rank1": 0.01}}
    write_card(folder, replace(read_card(folder), scores=[record]))
    write_readme(folder)
    card = ModelCard.load(folder / README)
    assert (card.data.license, card.data.library_name) == ("mit", "mun")
    assert {one.metric_type: one.metric_value for one in card.data.eval_results or []} == {
        "rank1": 50.0, "rank10": 75.0, "mean_ap": 25.0, "mean_inp": 12.5,
    }  # fmt: skip
    assert "| synvi-all, 1-shot, 10 trials (seeded) | 50.0 ± 1.0 | 75.0 ± 0.0 | 25.0 ± 0.0 | 12.5 ± 0.0 |" in card.text
    whole = record | {"protocol": "cross-i2v", "shots": 0, "trials": 1, "sampler": "every image"}
    assert "| cross-i2v, against every image | 50.0" in readme_of(replace(read_card(folder), scores=[whole]))
    other = ModelCard(readme_of(replace(read_card(folder), data={"name": "sysu"}, scores=[])))
    assert other.data.license is None
    assert "Trained on sysu." in other.text


@pytest.mark.parametrize("folder", sorted((ROOT / "checkpoints").iterdir()), ids=lambda folder: folder.name)
def test_bundled_checkpoints_are_model_repositories(folder) -> None:
    assert (folder / README).read_text(encoding="utf-8") == readme_of(read_card(folder))
    assert ModelCard.load(folder / README).data.eval_results

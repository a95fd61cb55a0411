from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from serving import no_training

from app import build_demo
from app.embeddings import project
from app.embeddings.request import Project
from app.library import Library
from app.start import launch_options


@pytest.fixture(scope="module")
def url(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the page on a free port of this machine."""
    library.embeddings("mun-tiny", "synvi")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("gradio")))
        demo = build_demo(library, no_training())
        _, address, _ = demo.launch(prevent_thread_lock=True, quiet=True, **launch_options(library))
        yield address
        demo.close(verbose=False)


def call(url: str, name: str, data: list[Any]) -> tuple[str, Any]:
    """Call a function as the documentation of Gradio says: post, then read the events; (event, data)."""
    body = json.dumps({"data": data})  # by hand, because httpx refuses NaN
    headers = {"content-type": "application/json"}
    posted = httpx.post(f"{url}gradio_api/call/{name}", content=body, headers=headers, timeout=30)
    if posted.status_code != 200:
        return "refused", posted.text
    text = httpx.get(f"{url}gradio_api/call/{name}/{posted.json()['event_id']}", timeout=30).text
    lines = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    return lines["event"], json.loads(lines["data"])


def test_status(url: str) -> None:
    event, data = call(url, "status", [])
    assert event == "complete"
    assert set(data[0]) == {"version", "device", "checkpoints", "data"}
    assert data[0]["checkpoints"][0]["name"] == "mun-tiny"


def test_retrieve_with_defaults(url: str) -> None:
    event, data = call(url, "retrieve", ["", "", "", 10, "", 0])
    assert event == "complete"
    answer = data[0]
    assert set(answer) >= {
        "checkpoint", "data", "protocol", "trial", "query", "results", "average_precision", "first_hit", "gallery_size"
    }  # fmt: skip
    assert set(answer["query"]) == {"image", "pid", "camid"}
    assert [set(result) for result in answer["results"]] == [
        {"rank", "image", "pid", "camid", "distance", "match"}
    ] * 10
    distances = [result["distance"] for result in answer["results"]]
    assert distances == sorted(distances)


def test_retrieve_by_name_from_the_client(url: str, library: Library) -> None:
    from gradio_client import Client

    client = Client(url, verbose=False)
    query = library.collections["synvi"].queries[7].key
    answer = client.predict(query=query, top_k=2, trial=1, api_name="/retrieve")
    assert answer["query"]["image"] == query
    assert len(answer["results"]) == 2
    assert client.predict(api_name="/retrieve")["query"]["image"] == library.collections["synvi"].queries[0].key


def test_retrieve_among_corrupted_images(url: str) -> None:
    data = ["", "", "", 3, "", 0, "i2v", 1, False]
    event, (answer,) = call(url, "retrieve", [*data, "gaussian_noise", 5])
    assert event == "complete"
    assert (answer["corruption"], answer["severity"]) == ("gaussian_noise", 5)
    _, (clean,) = call(url, "retrieve", data)
    assert (clean["corruption"], clean["severity"]) == ("", None)
    assert [one["distance"] for one in answer["results"]] != [one["distance"] for one in clean["results"]]
    assert call(url, "retrieve", [*data, "hail", 3])[0] == "error"
    assert call(url, "retrieve", [*data, "fog", 9])[0] == "error"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (["nobody", "", "", 10, "", 0], "checkpoint"),
        (["", "", "../../../etc/passwd", 10, "", 0], "query"),
        (["", "", "", float("nan"), "", 0], "top_k"),
        (["", "", "", 1e300, "", 0], "top_k"),
        (["", "", "", True, "", 0], "top_k"),
        (["", "", "", {"a": 1}, "", 0], "top_k"),
        (["", "", "", 10, "regdb-v2i", 0], "protocol"),
        (["", "", "", 10, "", 10], "trial"),
        ([None, "", "", 10, "", 0], "checkpoint"),
        (["", "", "<b>" * 100, 10, "", 0], "query"),
    ],
)
def test_bad_requests_get_one_plain_sentence(url: str, library: Library, data: list[Any], words: str) -> None:
    event, answer = call(url, "retrieve", data)
    assert event == "error"
    message = answer["error"] if isinstance(answer, dict) else str(answer)
    assert words in message
    assert "expected" in message
    assert "Traceback" not in message
    assert str(library.collections["synvi"].samples[0].path.parent) not in message


def test_project_answers_what_the_computation_does(url: str, library: Library) -> None:
    said = ["mun-tiny", "synvi", "pca", "features", 3, "", 2, True, "mismatched", False, 5]
    event, data = call(url, "project", said)
    assert event == "complete"
    asked = {
        "method": "pca",
        "space": "features",
        "identities": 3,
        "images": 2,
        "pairing": "mismatched",
        "perplexity": 5,
    }
    assert data[0] == json.loads(json.dumps(project.answer(library, Project.read(asked, library))))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (["", "", "tsne", "embedding", 1, "", 1], "expected at least 91 points for a perplexity of 30"),
        (["", "", "pca", "embedding", 1, "", 1, True, "mismatched"], "at least two people for mismatched pairs"),
        (["", "", "pca", "embedding", 3, "../../etc/passwd"], "expected people to be numbers"),
    ],
)
def test_points_that_cannot_be_shown_are_one_plain_sentence(url: str, data: list[Any], words: str) -> None:
    event, error = call(url, "project", data)
    assert event == "error"
    assert words in error["error"]
    assert "Traceback" not in str(error)


def test_no_image_file_leaves_through_the_file_route(url: str, library: Library) -> None:
    path = library.collections["synvi"].samples[0].path
    assert httpx.get(f"{url}gradio_api/file={path}", timeout=30).status_code in (403, 404)


def test_only_the_public_functions_are_documented(url: str) -> None:
    info = httpx.get(f"{url}gradio_api/info", timeout=30).json()
    views = {"/retrieve", "/evaluate", "/retrieve_image", "/project", "/auxiliary", "/explain", "/analyse"}
    assert set(info["named_endpoints"]) == {"/status", *views, "/train_start", "/train_status", "/train_stop"}


def test_the_page_is_sent_packed_and_its_events_are_not(url: str) -> None:
    """A packed stream of events would wait for more of them."""
    with httpx.stream("GET", url, headers={"accept-encoding": "gzip"}) as answer:
        packed = sum(map(len, answer.iter_raw()))
    assert answer.headers["content-encoding"] == "gzip"
    plain = httpx.get(url, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert packed < len(plain.content) / 4
    headers = {"content-type": "application/json"}
    posted = httpx.post(f"{url}gradio_api/call/retrieve", content='{"data": []}', headers=headers, timeout=30)
    address = f"{url}gradio_api/call/retrieve/{posted.json()['event_id']}"
    events = httpx.get(address, headers={"accept-encoding": "gzip"}, timeout=30)
    assert events.headers["content-type"].startswith("text/event-stream")
    assert "content-encoding" not in events.headers

import ast
import csv
import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from serving import serve

import app.library.collection as collection_module
from app.library import Library
from app.retrieval import export as figure
from app.retrieval.browse import Browse, Options
from app.retrieval.export import caption, draw_lists, write
from app.retrieval.export import facts_of as facts_about
from app.retrieval.rank import retrieve
from app.retrieval.tab import MENUS
from app.shared.export import LOCAL, pixels_of, safe_stem
from app.shared.tab import File, Press
from mun.evaluation.corrupted import Corruption

ASKED = {"top_k": 5, "trial": 2, "protocol": "synvi-indoor", "query": "cam6/0013/0001.jpg"}


def exported(library: Library, what: str, kind: str, values: dict[str, Any] = ASKED, **options: Any) -> File:
    request = Browse.read(values, library)
    library.embeddings(request.checkpoint, request.data, request.terms.corruption)
    return write(library, request, Options.read(options, library), what, kind, Press(url="http://here:1234/"))


def facts_of(file: File) -> tuple[dict[str, list[str]], list[list[str]]]:
    """Split a CSV file into its facts and its table."""
    rows = list(csv.reader(io.StringIO(file.data.decode())))
    facts: dict[str, list[str]] = {}
    for row in rows:
        if row[0].startswith("# "):
            facts.setdefault(row[0][2:], []).append(row[1])
    return facts, [row for row in rows if not row[0].startswith("# ")]


@pytest.mark.parametrize("menu", MENUS, ids=lambda menu: menu.name)
def test_every_format_is_what_it_says_and_the_same_again(library: Library, menu: Any) -> None:
    heads = {"png": b"\x89PNG", "pdf": b"%PDF-", "svg": b"<?xml", "csv": b"# checkpoint", "latex": b"% checkpoint"}
    for kind in menu.kinds:
        file = exported(library, menu.name, kind)
        assert file.data.startswith(heads[kind])
        assert file == exported(library, menu.name, kind)
        assert file.name.endswith(".tex" if kind == "latex" else f".{kind}")


def test_width_ranks_and_distances_are_the_visitors_choice(library: Library) -> None:
    sizes = {}
    for width in ("two-column", "one-column"):
        with Image.open(io.BytesIO(exported(library, "list", "png", width=width).data)) as image:
            sizes[width] = image.width
    assert sizes == {"two-column": 2062, "one-column": 975}
    assert len(facts_of(exported(library, "list", "csv", ranks=3))[1]) == 4
    assert "d 0." not in exported(library, "list", "svg", distances=False).data.decode()
    assert "d 0." in exported(library, "list", "svg").data.decode()
    with pytest.raises(ValueError, match="expected width to be one of two-column, one-column"):
        exported(library, "list", "png", width="poster")


def test_the_table_holds_the_ranking_below_its_provenance(library: Library) -> None:
    result = retrieve(library, Browse.read(ASKED, library))
    file = exported(library, "list", "csv")
    assert file.name == "ranked-cam6-0013-0001-synvi-indoor-trial2-mun-tiny.csv"
    facts, (header, *table) = facts_of(file)
    assert facts["checkpoint"][0].startswith(f"mun-tiny ({library.checkpoints['mun-tiny'].content[:12]}): AP ")
    assert "seed 7" in facts["data"][0]
    assert "synthetic" in facts["data"][0]
    assert "synvi-indoor, single-shot, trial 2" in facts["protocol"]
    assert "Client('http://here:1234/')" in facts["reproduced by"][0]
    assert header == ["checkpoint", "rank", "image", "pid", "camid", "distance", "match"]
    assert [row[2] for row in table] == [one.image for one in result.results]
    assert [float(row[5]) for row in table] == pytest.approx([one.distance for one in result.results], abs=1e-6)
    assert [row[6] for row in table] == [str(int(one.match)) for one in result.results]
    tex = exported(library, "list", "latex").data.decode()
    assert tex.count(r"\\") == 6
    assert r"synvi-indoor" in tex


def test_odd_names_are_neutralised() -> None:
    stem = safe_stem("../../etc/\u00e9 <b>" + "x" * 300)
    assert set(stem) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")
    assert ".." not in stem
    assert len(stem) <= 80


def test_the_caption_says_everything_that_a_reader_needs(library: Library) -> None:
    result = retrieve(library, Browse.read(ASKED, library))
    facts = dict(facts_about(library, [result], "http://here:1234/"))
    words = caption(library, result, facts, f"Query {facts['query']}", facts["checkpoint"], "")
    for part in (
        f"Query {result.query.image} (person {result.query.pid}, camera {result.query.camid})",
        "infrared → visible",
        f"mun-tiny ({library.checkpoints['mun-tiny'].content[:12]})",
        f"AP {100 * result.average_precision:.1f} %, first match at rank {result.first_hit}",
        "SynVI is synthetic",
        "synvi-indoor, single-shot, trial 2",
    ):
        assert part in words, part


def test_the_line_in_the_file_remakes_the_ranking(library: Library, tmp_path: Path) -> None:
    """Run the exported line in another Python process, against a running app."""
    with serve(library, tmp_path) as served:
        for values in (ASKED, {"top_k": 3, "direction": "v2i", "rerank": True}):
            request = Browse.read(values, library)
            line, ranking = request.retrieve_call(library, served.url), retrieve(library, request)
            ran = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True, timeout=120)
            answer = ast.literal_eval(ran.stdout[ran.stdout.index("{") :])
            assert [one["image"] for one in answer["results"]] == [one.image for one in ranking.results]
            assert answer["average_precision"] == pytest.approx(ranking.average_precision, abs=1e-12)
            assert answer["query"]["image"] == ranking.query.image


def test_a_file_that_is_gone_is_shown_as_such(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    exported(library, "list", "csv")

    def gone(sample: object) -> None:
        raise FileNotFoundError(sample)

    monkeypatch.setattr(collection_module, "read_sample", gone)
    assert pixels_of(library, "synvi", "cam6/0013/0001.jpg") is None
    assert exported(library, "list", "png").data.startswith(b"\x89PNG")


def test_before_the_images_are_embedded_there_is_a_sentence(fresh: Library) -> None:
    with pytest.raises(ValueError, match="expected every image to be embedded before an export"):
        write(fresh, Browse.read({}, fresh), Options.read({}, fresh), "list", "png", Press())


def test_a_corrupted_list_shows_and_names_what_was_ranked(library: Library) -> None:
    values = {"top_k": 3, "corruption": "fog", "severity": 4}
    file = exported(library, "list", "csv", values)
    facts, _ = facts_of(file)
    assert facts["corruption"] == ["Visible images corrupted: fog, severity 4, seed 0; not the clean protocol."]
    assert "trial0-fog4-mun-tiny" in file.name
    assert "corruption='fog', severity=4, " in facts["reproduced by"][0]
    result = retrieve(library, Browse.read(values, library))
    visible, infrared = result.results[0].image, result.query.image
    shown, clean = (pixels_of(library, "synvi", visible, one) for one in (Corruption("fog", 4), None))
    assert shown.mean() != clean.mean()
    same = [pixels_of(library, "synvi", infrared, one) for one in (Corruption("fog", 4), None)]
    assert (same[0] == same[1]).all()
    mixed = Browse.read({"corruption": "mixed"}, library)
    assert "severity" not in mixed.retrieve_call(library, LOCAL)
    assert "corruption" not in exported(library, "list", "csv", {"top_k": 1}).data.decode()


def test_several_checkpoints_are_a_row_each_and_one_table(library: Library) -> None:
    entry = library.checkpoints["mun-tiny"]
    longer = replace(entry, name="longer", card=replace(entry.card, steps=9000))
    both = Library({"mun-tiny": entry, "longer": longer}, library.collections, library.device)
    values = {**ASKED, "compare": ("longer",)}
    sizes = [Image.open(io.BytesIO(exported(both, "list", "png", one).data)).size for one in (ASKED, values)]
    assert sizes[0][0] == sizes[1][0]
    assert sizes[1][1] > 1.3 * sizes[0][1]
    file = exported(both, "list", "csv", values)
    assert file.name.endswith("-trial2-2-checkpoints.csv")
    facts, (_, *table) = facts_of(file)
    assert len(facts["reproduced by"]) == len(facts["checkpoint"]) == 2
    assert facts["budgets"] == ["These checkpoints have different budgets, so they do not compare methods."]
    assert [row[0] for row in table] == ["mun-tiny"] * 5 + ["longer"] * 5


def test_a_sheet_holds_the_queries_of_the_list_from_the_one_that_is_shown(library, monkeypatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr(figure, "draw_lists", lambda *said, **more: made.append(said) or draw_lists(*said, **more))
    values = {**ASKED, "order": "camera", "camid": 6, "query": "cam6/0018/0001.jpg"}
    file = exported(library, "sheet", "pdf", values, queries=4, ranks=30)
    assert file.name == "sheet-4-queries-synvi-indoor-trial2-mun-tiny.pdf"
    (rows, words, link) = made[0]
    asked = [query.lines[0] for query, _ in rows]
    assert asked == ["id 18 · c6", "id 18 · c6", "id 13 · c6", "id 13 · c6"]  # the list starts again
    request = Browse.read({**values, "top_k": 10}, library)
    for query, (ranked,) in rows[:1]:
        shown = retrieve(library, request)
        assert query.lines == (f"id {shown.query.pid} · c{shown.query.camid}",)
        assert [(one.title, one.lines[0], one.match) for one in ranked.ranked] == [
            (f"{one.rank}", f"id {one.pid} · c{one.camid}", one.match) for one in shown.results
        ]
        assert f"AP {100 * shown.average_precision:.1f} %" in ranked.name
    for part in ("4 queries in the order of the list (by camera, camera 6)", "cam6/0018/0001.jpg", "synvi-indoor",
                 "mun-tiny (", "synthetic", "✓", "✗"):  # fmt: skip
        assert part in words
    assert link.startswith("http://here:1234/?tab=retrieval&")


def test_the_curves_are_the_scores_and_say_where_they_come_from(library: Library) -> None:
    request = Browse.read(ASKED, library)
    scores = library.scores("mun-tiny", "synvi", request.terms)
    svg = exported(library, "cmc", "svg").data.decode()
    assert f"mun-tiny: rank-1 {100 * scores.mean()['rank1']:.1f} ± {100 * scores.sd()['rank1']:.1f} %" in svg
    facts, (header, row) = facts_of(exported(library, "cmc", "csv"))
    assert facts["protocol"] == ["synvi-indoor, single-shot, infrared → visible, mean ± sd over 10 galleries"]
    assert facts["shown at"][0].startswith("http://here:1234/?tab=retrieval&")
    assert float(row[header.index("mean_ap")]) == pytest.approx(scores.mean()["mean_ap"], abs=1e-4)
    once = {"rerank": True, "trial": 3, "corruption": "fog", "severity": 4}
    facts, _ = facts_of(exported(library, "cmc", "csv", once))
    assert facts["protocol"][0].endswith("gallery 3 alone")
    assert "fog, severity 4" in facts["corruption"][0]
    assert "±" not in exported(library, "cmc", "svg", once).data.decode()
    assert exported(library, "cmc", "png").name == "cmc-synvi-indoor-mun-tiny.png"

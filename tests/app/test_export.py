from __future__ import annotations

import ast
import csv
import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from serving import serve

import app.library.collection as collection_module
from app.actions.provenance import provenance
from app.actions.retrieval import evaluate, export, export_scores, retrieve
from app.library import Library, open_library
from mun.evaluation.corrupted import Corruption


@pytest.fixture(scope="module")
def result(library: Library) -> retrieve.Result:
    key = library.collections["synvi"].queries[3].key
    return retrieve.run(library, retrieve.Request(query=key, top_k=5, trial=2, protocol="synvi-indoor"))


def test_png_pdf_and_csv_are_what_they_say(library: Library, result: retrieve.Result) -> None:
    taken = export.run(library, result)
    with Image.open(io.BytesIO(taken.png)) as image:
        assert image.format == "PNG"
        assert image.width == pytest.approx(2062, abs=1)
    assert taken.pdf.startswith(b"%PDF-")
    assert export.run(library, result) == taken
    assert Image.open(io.BytesIO(export.run(library, result, width="one-column").png)).width == 975
    query = result.query.image.removesuffix(".jpg").replace("/", "-")
    assert taken.stem == f"ranked-{query}-synvi-indoor-trial2-mun-tiny"


def test_the_table_holds_the_ranking_below_its_provenance(library: Library, result: retrieve.Result) -> None:
    rows = list(csv.reader(io.StringIO(export.run(library, result).csv)))
    said = {row[0]: row[1] for row in rows if row[0].startswith("# ")}
    assert said["# checkpoint"].startswith("mun-tiny (")
    assert library.checkpoints["mun-tiny"].content[:12] in said["# checkpoint"]
    assert "seed 7" in said["# data"]
    assert "synthetic" in said["# data"]
    assert "synvi-indoor, single-shot, trial 2" in said["# protocol"]
    assert said["# remade by"].startswith("from gradio_client import Client")
    header, *table = rows[len(said) :]
    assert header == ["rank", "image", "pid", "camid", "distance", "match"]
    assert [row[1] for row in table] == [one.image for one in result.results]
    assert [float(row[4]) for row in table] == pytest.approx([one.distance for one in result.results], abs=1e-6)
    assert [row[5] for row in table] == [str(int(one.match)) for one in result.results]


def test_odd_names_are_neutralised(library: Library, result: retrieve.Result) -> None:
    name = "=cmd()|' /C calc'!A0\n../x"
    facts = replace(provenance(library, result), checkpoint=name)
    text = export.ranked_csv(result, facts)
    (row,) = [row for row in csv.reader(io.StringIO(text)) if row[0] == "# checkpoint"]
    assert row[1].startswith("'=")
    assert "\n" not in row[1]
    stem = export.file_stem(replace(result, checkpoint="../../etc/\u00e9 <b>" + "x" * 300))
    assert set(stem) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")
    assert ".." not in stem
    assert len(stem) <= 80


def test_the_caption_says_everything_that_a_reader_needs(library: Library, result: retrieve.Result) -> None:
    facts = provenance(library, result)
    words = export.caption(result, facts)
    assert result.query.image in words
    assert "infrared \u2192 visible" in words
    assert f"AP {100 * result.average_precision:.1f} %, first match at rank {result.first_hit}" in words
    assert "synthetic" in words
    assert "trial 2" in words
    unscored = provenance(library, replace(result, average_precision=None, first_hit=None))
    assert unscored.score.startswith("not scored")
    turned = provenance(library, replace(result, direction="v2i", shots=2, rerank=True))
    assert "no published protocol" in turned.direction
    assert "2-shot" in turned.protocol
    assert "re-ranked" in turned.distance
    assert {"direction='v2i', ", "shots=2, ", "rerank=True, "} <= set(turned.call)


def test_the_line_in_the_caption_remakes_the_ranking(library: Library, result: retrieve.Result, tmp_path: Path) -> None:
    """The very line, run by another Python on a running app."""
    turned = retrieve.run(library, retrieve.Request(top_k=3, direction="v2i", rerank=True))
    with serve(library, tmp_path) as served:
        for ranking in (result, turned):
            line = "".join(provenance(library, ranking, served.url).call)
            ran = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True, timeout=120)
            answer = ast.literal_eval(ran.stdout[ran.stdout.index("{") :])
            assert [one["image"] for one in answer["results"]] == [one.image for one in ranking.results]
            assert answer["average_precision"] == pytest.approx(ranking.average_precision, abs=1e-12)
            assert answer["query"]["image"] == ranking.query.image


def test_the_call_stays_python_wherever_it_is_broken(library: Library, result: retrieve.Result) -> None:
    odd = replace(result, checkpoint='it\'s "odd", (really)\\')
    pieces = provenance(library, result).call
    assert compile("\n".join(pieces), "caption", "exec")
    assert compile("\n".join(export.provenance(library, result).call), "caption", "exec")
    from app.actions.provenance import call_pieces

    assert compile("\n".join(call_pieces(odd)), "caption", "exec")


def test_a_file_that_is_gone_is_shown_as_such(
    library: Library, result: retrieve.Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(path: Path) -> None:
        raise FileNotFoundError(path)

    monkeypatch.setattr(collection_module, "read_image", gone)
    assert export.pixels_of(library, "synvi", result.query.image) is None
    assert export.run(library, result).png.startswith(b"\x89PNG")


def test_nothing_is_written_to_the_disk(
    library: Library, result: retrieve.Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    export.run(library, result)
    assert not list(tmp_path.iterdir())


def test_another_width_is_refused(library: Library, result: retrieve.Result) -> None:
    with pytest.raises(ValueError, match="expected width to be one of two-column, one-column"):
        export.run(library, result, width="poster")


def test_a_corrupted_list_shows_and_names_what_was_ranked(library: Library) -> None:
    result = retrieve.run(library, retrieve.Request(top_k=3, corruption="fog", severity=4))
    taken, facts = export.run(library, result), provenance(library, result)
    said = {row[0]: row[1] for row in csv.reader(io.StringIO(taken.csv)) if row[0].startswith("# ")}
    assert said["# corruption"] == "Visible images corrupted: fog, severity 4, seed 0; not the clean protocol."
    assert said["# corruption"] in export.caption(result, facts)
    assert "trial0-fog4-mun-tiny" in taken.stem.replace("_", "-")
    assert {"corruption='fog', ", "severity=4, "} <= set(facts.call)
    shown = export.pixels_of(library, "synvi", result.results[0].image, Corruption("fog", 4))
    clean = export.pixels_of(library, "synvi", result.results[0].image)
    assert shown.mean() != clean.mean()
    assert (export.pixels_of(library, "synvi", result.query.image, Corruption("fog", 4)) == export.pixels_of(
        library, "synvi", result.query.image
    )).all()  # fmt: skip
    mixed = retrieve.run(library, retrieve.Request(top_k=1, corruption="mixed"))
    assert not any(piece.startswith("severity") for piece in provenance(library, mixed).call)
    plain = export.run(library, retrieve.run(library, retrieve.Request(top_k=1)))
    assert "corruption" not in plain.csv


def test_several_checkpoints_are_a_row_each_and_one_table(library: Library, result: retrieve.Result) -> None:
    entry = library.checkpoints["mun-tiny"]
    longer = replace(entry, name="longer", card=replace(entry.card, steps=9000))
    both = Library({"mun-tiny": entry, "longer": longer}, library.collections, library.device)
    other = replace(result, checkpoint="longer", results=result.results[::-1])
    one, two = export.run(both, result), export.run(both, result, [other])
    sizes = [Image.open(io.BytesIO(taken.png)).size for taken in (one, two)]
    assert sizes[0][0] == sizes[1][0]
    assert sizes[1][1] > 1.3 * sizes[0][1]
    assert two.stem.endswith("-trial2-2-checkpoints")
    rows = list(csv.reader(io.StringIO(two.csv)))
    said = [row for row in rows if row[0].startswith("# ")]
    assert [row[0] for row in said].count("# remade by") == 2
    assert ["# budgets", "These checkpoints have different budgets and are no comparison of methods."] in said
    header, *table = rows[len(said) :]
    assert header == ["checkpoint", "rank", "image", "pid", "camid", "distance", "match"]
    assert [row[0] for row in table] == ["mun-tiny"] * 5 + ["longer"] * 5
    assert [row[2] for row in table] == [ranked.image for each in (result, other) for ranked in each.results]
    words = export.compared_caption(both, [result, other], provenance(both, result))
    assert "by 2 checkpoints, from the top: mun-tiny (" in words
    assert "different budgets" in words
    with pytest.raises(ValueError, match="expected 1 to 4 lists, got 5"):
        export.run(both, result, [other] * 4)


def test_the_curves_are_the_scores_and_say_where_they_come_from(tiny_synvi: Path, two_checkpoints: Path) -> None:
    library = open_library(tiny_synvi, two_checkpoints)
    one, other = (evaluate.run(library, evaluate.Request(name)) for name in ("mun-tiny", "other-tiny"))
    words = export_scores.caption(library, [one], "?query=cam3/0001/0001.jpg")
    for part in (
        f"CMC of {one.num_valid} queries",
        "infrared → visible: synvi-all, single-shot, mean ± sd over 10 galleries.",
        f"Checkpoint: mun-tiny ({library.checkpoints['mun-tiny'].content[:12]}).",
        "seed 7",
        "synthetic",
        "/?query=cam3/0001/0001.jpg",
    ):
        assert part in words, part
    svg = export_scores.cmc_figure(library, [one, other], "svg").decode()
    for score in (one, other):
        assert f"{score.checkpoint}: rank-1 {100 * score.mean['rank1']:.1f} ± {100 * score.sd['rank1']:.1f} %" in svg
    assert svg == export_scores.cmc_figure(library, [one, other], "svg").decode()
    assert export_scores.file_stem([one, other]) == "cmc-synvi-all-2-checkpoints"
    once = evaluate.run(library, evaluate.Request("mun-tiny", rerank=True, trial=3, corruption="fog", severity=4))
    words = export_scores.caption(library, [once])
    assert "k-reciprocal re-ranked, gallery 3 alone" in words
    assert "Visible images corrupted: fog" in words
    assert "±" not in export_scores.cmc_figure(library, [once], "svg").decode()

import json
import os
import shutil

import pytest
from made import write_list

from mun.data.sources import read_source
from mun.structures import Modality, Split


def read(root, **more):
    return read_source("sysu", root, needs=tuple(Split), **more)


@pytest.fixture
def root(tmp_path):
    """Training ids 3 and 12, val id 7, no test ids; id 12 was seen by cameras 3 and 5 only, id 400 is in no list."""
    for name, text in (("train", "12, 3\n"), ("val", "7"), ("test", "")):
        write_list(tmp_path / "exp" / f"{name}_id.txt", text)
    seen = [(pid, camid) for pid in (3, 7) for camid in range(1, 7)]
    for pid, camid in [*seen, (12, 3), (12, 5), (400, 1)]:
        for name in ("0001.jpg", "0002.jpg"):
            write_list(tmp_path / f"cam{camid}" / f"{pid:04d}" / name, "")
    return tmp_path


def test_splits_are_read_in_order(root):
    source = read(root)
    assert (source.name, source.root, source.manifest) == ("sysu", root, {})
    expected = [(3, camid) for camid in range(1, 7)] + [(12, 3), (12, 5)]
    assert [(sample.pid, sample.camid) for sample in source.train[::2]] == expected
    assert [sample.key for sample in source.train[:2]] == ["cam1/0003/0001.jpg", "cam1/0003/0002.jpg"]
    assert all(sample.path.is_file() for sample in source.train)
    for sample in source.train:
        assert sample.modality is (Modality.INFRARED if sample.camid in (3, 6) else Modality.VISIBLE)
    assert {sample.pid for sample in source.val} == {7}
    assert source.test == ()


def test_identities_come_from_folders_not_from_character_offsets(root):
    nested = root / "cam9 0042" / "data"
    nested.parent.mkdir()
    for name in ("exp", *(f"cam{camid}" for camid in range(1, 7))):
        nested.mkdir(exist_ok=True)
        os.rename(root / name, nested / name)
    assert {sample.pid for sample in read(nested).train} == {3, 12}


def test_the_manifest_names_synvi(root):
    (root / "manifest.json").write_text(json.dumps({"data": "synvi", "level": "easy"}))
    for dataset in ("sysu", "synvi"):
        source = read_source(dataset, root)
        assert source.name == "synvi"
        assert source.manifest == {"data": "synvi", "level": "easy"}


def test_a_foreign_manifest_says_its_own_name(root):
    (root / "manifest.json").write_text('{"data": "other", "title": "Other <people>"}')
    source = read_source("sysu", root)
    assert (source.name, source.title, source.layout) == ("other", "Other <people>", "sysu")
    with pytest.raises(ValueError, match=r"expected .data.: .synvi. in .*manifest.json, got 'other'"):
        read_source("synvi", root)


def test_an_unknown_data_set_is_answered_with_the_names(root):
    with pytest.raises(
        ValueError, match="expected one of the layouts synvi, sysu, regdb, llcm, folders, csv; got 'market'"
    ):
        read_source("market", root)


def test_a_missing_list_is_named(root):
    (root / "exp" / "train_id.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"expected a list of identities at .*train_id.txt"):
        read(root)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3,twelve", "expected positive integers with commas or line breaks .*train_id.txt, got 'twelve'"),
        ("3,-12", "got '-12'"),
        ("3,0", "got '0'"),
        ("3,1_2", "got '1_2'"),
        ("3,٣", "got"),
        ("9" * 5000, "got"),
        ("3,12,3", r"expected every identity once in .*train_id.txt, got 3 more than once"),
        ("3,12,7", "expected disjoint splits in .*, got identity 7 in both train and val"),
        (
            "3,12,13,99",
            r"expected images of every identity of exp/train_id.txt .* none of 2 of them, the first is 0013",
        ),
    ],
)
def test_mislabelled_splits_are_refused(root, text, message):
    (root / "exp" / "train_id.txt").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read(root)


@pytest.mark.parametrize("text", ["3,12,", "3\n12\n", "\ufeff12,\r\n3,\r\n", " 3 ;12", "3, 12\n\n"])
def test_a_list_has_any_shape(root, text):
    (root / "exp" / "train_id.txt").write_text(text, encoding="utf-8")
    assert read(root).listed[Split.TRAIN] == tuple(
        int(word) for word in text.strip("\ufeff").replace(";", ",").replace(",", " ").split()
    )


@pytest.mark.parametrize("needs", [(), (Split.TEST,), (Split.TRAIN,), (Split.VAL,)])
def test_what_a_command_does_not_need_may_be_absent(root, needs):
    """No list to validate by, no training images: nothing that evaluation asks for."""
    (root / "exp" / "test_id.txt").write_text("400")
    (root / "exp" / "val_id.txt").unlink()
    for camid in range(1, 7):
        shutil.rmtree(root / f"cam{camid}" / "0003")
    if Split.TRAIN in needs:
        with pytest.raises(ValueError, match="none of 1 of them, the first is 0003"):
            read_source("sysu", root, needs=needs)
    else:
        assert [sample.pid for sample in read_source("", root, needs=needs).test] == [400, 400]


def test_a_list_that_is_not_text_is_refused(root):
    (root / "exp" / "test_id.txt").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(ValueError, match=r"positive integers .*test_id.txt"):
        read(root)


def test_an_identity_whose_folders_are_empty_has_no_image(root):
    (root / "cam1" / "0020").mkdir()
    (root / "exp" / "test_id.txt").write_text("20")
    with pytest.raises(ValueError, match="the first is 0020"):
        read(root)

"""The layout of SYSU-MM01."""

from pathlib import Path

from mun.data.listing import check_seen, read_ids
from mun.data.source import Folder, Source
from mun.structures import Modality, Sample, Split

__all__ = ["CAMERAS", "GENUINE", "SITES", "list_file", "read_sysu"]

CAMERAS = {camid: Modality.INFRARED if camid in (3, 6) else Modality.VISIBLE for camid in range(1, 7)}
SITES = ((2, 3),)  # groups of cameras that watch one site, as in the official evaluation code
GENUINE = {Split.TRAIN: 296, Split.VAL: 99, Split.TEST: 96}  # identities of SYSU-MM01
OURS = {"exp", "truth", "manifest.json"}


def list_file(root: Path, split: Split) -> Path:
    """Return where the identities of a split are listed."""
    return root / "exp" / f"{split}_id.txt"


def read_sysu(folder: Folder) -> Source:
    """Read the layout of SYSU-MM01: `cam1 … cam6/<id:04d>/<nnnn:04d>.jpg` and `exp/{train,val,test}_id.txt`.

    An identity list has numbers with commas or line breaks between them; an empty file is an empty split. Cameras 3 and
    6 are infrared. Passed over and counted: other cameras, identities in no list, files that are no images. The list of
    validation identities is optional.

    Raises:
        FileNotFoundError: `root`, its camera folders or a list that is needed is missing.
        ValueError: A list is broken, or an identity that is needed has no image.

    Source: Wu et al., ICCV 2017, "RGB-Infrared Cross-Modality Person Re-Identification".
    """
    root, needs, listing = folder.root, folder.needs, folder.listing
    files, folders = listing.look(root)
    there = {camid: f"cam{camid}" for camid in CAMERAS if f"cam{camid}" in folders}
    if not there and (needs or "exp" not in folders):
        raise FileNotFoundError(f"expected folders cam1 … cam6 in {root}, found none of them")
    for name in [name for name in (*files, *folders) if name not in OURS and name not in there.values()]:
        camera = name in folders and name.lower().startswith("cam")
        listing.pass_over("cameras" if camera else "other files and folders", root / name)
    pids = {
        split: read_ids(path) if path.is_file() or (split in needs and split is not Split.VAL) else []
        for split in Split
        for path in [list_file(root, split)]
    }
    known = {f"{pid:04d}" for listed in pids.values() for pid in listed}
    seen = {camid: set(listing.folders(root / there[camid], known, "people in no list")) for camid in there}
    samples = {
        split: [
            Sample(place / name, pid, camid, modality, levels=folder.reading.levels(modality))
            for pid in sorted(pids[split])
            for camid, modality in CAMERAS.items()
            if f"{pid:04d}" in seen.get(camid, ())
            for place in (root / f"cam{camid}" / f"{pid:04d}",)
            for name in listing.images(place)
        ]
        for split in Split
    }
    for split in needs:
        check_seen(pids[split], samples[split], f"exp/{split}_id.txt", f"{root}/cam*/<id>")
    genuine = any(pids.values()) and all(len(pids[split]) in (0, count) for split, count in GENUINE.items())
    return Source("sysu" if genuine else "", root, samples, sites=SITES, listed=pids)

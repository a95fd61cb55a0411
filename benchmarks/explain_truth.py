"""Compare maps with the truth of SynVI: `python -m benchmarks.explain_truth --checkpoint DIR --data DIR`.

For pairs of a visible and an infrared image of one SynVI person, the person's bag is removed, or a pattern changed, and
the image rendered again. The share of a map's energy inside the changed region is compared with that of a centre prior
and of the same map from random weights. Prints a Markdown table; intervals are 95 % by bootstrap over identities.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from mun.checkpoint import load_checkpoint
from mun.data.augment import to_images
from mun.data.sources import read_source
from mun.embedding import embed_pixels, embed_samples
from mun.explain.cams import GENERATOR_LAYERS, STAGES, Look, Method, activation_maps, upsampled
from mun.explain.faithfulness import center_prior, energy_share, randomised, rank_correlation
from mun.explain.targets import Similarity, center
from mun.explain.truth import Evidence, find_evidence
from mun.files import read_json
from mun.models.network import Network
from mun.structures import Modality, Sample, Split
from mun.synvi.plan import Plan

ROOT = Path(__file__).resolve().parent.parent
V, I, A = Modality.VISIBLE, Modality.INFRARED, Modality.AUXILIARY  # noqa: E741
METHODS = (Method.GRAD_CAM, Method.GRAD_CAM_PLUS_PLUS, Method.LAYER_CAM, Method.EIGEN_CAM)
GENERATOR_METHODS = (Method.LAYER_CAM, Method.GRAD_CAM)
BATCH, RESAMPLES = 20, 2000
Targets = dict[Modality, list[Similarity]]
HEAD = (
    "layer",
    "method",
    "images",
    "map",
    "centre prior",
    "random weights",
    "even map",
    "above centre",
    "above random",
    "above centre where similarity fell",
    "rank correlation with the fall",
)


@dataclass(frozen=True, eq=False)
class Pair:
    """Two images of one person, each with a visible change, and the person's other images."""

    pid: int
    evidence: dict[Modality, Evidence]
    others: list[int]


@dataclass
class Row:
    """Shares of energy inside the mask, one entry per image."""

    layer: str
    method: Method
    pids: list[int]
    drops: list[float]
    shares: list[tuple[float, float, float, float]]  # the map, the centre prior, random weights, an even map


def draw_pairs(plan: Plan, samples: Sequence[Sample], size: tuple[int, int], count: int, seed: int) -> list[Pair]:
    """Draw pairs of images that both show the change, as evenly over the identities as possible."""
    draws, pairs = np.random.default_rng(seed), []
    rows = {pid: [row for row, one in enumerate(samples) if one.pid == pid] for pid in {one.pid for one in samples}}
    candidates = []
    for pid in sorted(rows):
        pool = [(v, i) for v in rows[pid] for i in rows[pid] if (samples[v].modality, samples[i].modality) == (V, I)]
        candidates.append([(pid, *pool[place]) for place in draws.permutation(len(pool))])
    with tqdm(total=count, desc="rendering", unit="pair", leave=False) as bar:
        for turn in range(max(map(len, candidates))):
            for pid, *chosen in (pool[turn] for pool in candidates if turn < len(pool)):
                if len(pairs) == count:
                    return pairs
                found = {samples[row].modality: find_evidence(plan.recipe_of(samples[row].key), size) for row in chosen}
                evidence = {modality: one for modality, one in found.items() if one is not None}
                if len(evidence) == 2:
                    pairs.append(Pair(pid, evidence, [row for row in rows[pid] if row not in chosen]))
                    bar.update()
    return pairs


def images_of(pairs: Sequence[Pair], modality: Modality, *, after: bool = False) -> NDArray[np.uint8]:
    """Stack the images of one modality, `(N, H, W, 3)`."""
    return np.stack([getattr(pair.evidence[modality], "after" if after else "before") for pair in pairs])


def looks(pairs: Sequence[Pair]) -> dict[Modality, Look]:
    """Make the `Look` of the visible images, of the infrared images, and of the pairs."""
    single = {m: to_images(torch.from_numpy(images_of(pairs, m))) for m in (V, I)}
    return {**{m: Look(images, m) for m, images in single.items()}, A: Look(torch.cat([single[V], single[I]], 1), A)}


def references(network: Network, pairs: Sequence[Pair], rows: NDArray[np.float32] | None) -> Targets:
    """Choose the targets: the other image of the pair, and for the auxiliary image the center of the person's others.

    `rows` are the embeddings of all samples; without them, as for random weights, the center is of the pair's images.
    """
    embedded = {m: embed_pixels(network, images_of(pairs, m), m) for m in (V, I)}
    centers = [
        center(np.stack([embedded[V][k], embedded[I][k]]) if rows is None else rows[pair.others])
        for k, pair in enumerate(pairs)
    ]
    chosen = {V: embedded[I], I: embedded[V], A: centers}
    return {m: [Similarity(torch.from_numpy(np.asarray(row))) for row in values] for m, values in chosen.items()}


def drops(network: Network, pairs: Sequence[Pair], targets: Targets, modality: Modality) -> list[float]:
    """Measure by how much the change of one modality's image lowers the similarity to its target."""
    before, after = (embed_pixels(network, images_of(pairs, modality, after=k), modality) for k in (False, True))
    reference = np.stack([target.reference.numpy() for target in targets[modality]])
    lost: list[float] = ((before - after) * reference).sum(1).tolist()
    return lost


def wanted(network: Network) -> Iterator[tuple[Modality, str, Method]]:
    """Yield the modality, the layer and the method of every map."""
    for modality in (V, I):
        yield from ((modality, layer, method) for layer in STAGES for method in METHODS)
    for layer in GENERATOR_LAYERS:
        if layer in network.explainable_layers():
            yield from ((A, layer, method) for method in GENERATOR_METHODS)


def masks_of(pairs: Sequence[Pair], modality: Modality, layer: str) -> list[NDArray[np.bool_]]:
    """Choose the changed region: of the image under the map, or of both images where both make the auxiliary image."""
    if modality is A and layer in ("cml", "fused"):
        return [pair.evidence[V].mask | pair.evidence[I].mask for pair in pairs]
    own = {"iml_visible": V, "iml_infrared": I}.get(layer, modality)
    return [pair.evidence[own].mask for pair in pairs]


def measure(network: Network, pairs: Sequence[Pair], embeddings: NDArray[np.float32], seed: int) -> list[Row]:
    """Compute every row of the table; each batch of pairs gets other random weights."""
    size = (network.config.height, network.config.image_width)
    prior = center_prior(size)
    table = {
        (modality, layer, method): Row(f"{modality}: {layer}", method, [], [], [])
        for modality, layer, method in wanted(network)
    }
    for start in tqdm(range(0, len(pairs), BATCH), desc="maps", unit="batch", leave=False):
        part = pairs[start : start + BATCH]
        look, random = looks(part), randomised(network, seed + start)
        targets, random_targets = references(network, part, embeddings), references(random, part, None)
        lost = {m: drops(network, part, targets, m) for m in (V, I)}
        for modality in dict.fromkeys(key[0] for key in table):
            layers = [key[1:] for key in table if key[0] is modality]
            maps = activation_maps(network, look[modality], targets[modality], layers)
            chance = activation_maps(random, look[modality], random_targets[modality], layers)
            for layer, method in layers:
                row = table[modality, layer, method]
                trained, control = (upsampled(one[layer, method], size) for one in (maps, chance))
                for k, mask in enumerate(masks_of(part, modality, layer)):
                    inside = tuple(energy_share(values, mask) for values in (trained[k], prior, control[k]))
                    row.shares.append((*inside, float(mask.mean())))
                row.pids += [pair.pid for pair in part]
                row.drops += lost[I if modality is I or layer == "iml_infrared" else V]
    return list(table.values())


def interval(values: NDArray[np.float64], pids: NDArray[np.int64], seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of a mean, by drawing identities with replacement."""
    draws, people = np.random.default_rng(seed), np.unique(pids)
    sums = np.array([values[pids == pid].sum() for pid in people])
    counts = np.array([(pids == pid).sum() for pid in people])
    chosen = draws.integers(0, len(people), (RESAMPLES, len(people)))
    low, high = np.percentile(sums[chosen].sum(1) / counts[chosen].sum(1), [2.5, 97.5])
    return float(low), float(high)


def line(row: Row) -> str:
    """Write one row of the table; images whose map is empty are left out, also of the count."""
    shares, pids, lost = np.array(row.shares), np.array(row.pids), np.array(row.drops)
    whole = np.isfinite(shares).all(1)
    shares, pids, lost = shares[whole], pids[whole], lost[whole]

    def gap(control: int, chosen: NDArray[np.bool_]) -> str:
        values = shares[chosen, 0] - shares[chosen, control]
        low, high = interval(values, pids[chosen])
        return f"{100 * values.mean():+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"

    every, supportive = np.ones(len(shares), bool), lost > 0
    means = " | ".join(f"{100 * mean:.1f}" for mean in shares.mean(0))
    follows = rank_correlation(shares[:, 0] / shares[:, 3], lost)
    return (
        f"| {row.layer} | {row.method} | {len(shares)} | {means} | {gap(1, every)} | {gap(2, every)} "
        f"| {gap(1, supportive)} | {follows:+.2f} |"
    )


def report(folder: Path, data: Path, count: int, seed: int) -> None:
    """Print the table of one checkpoint."""
    network, card = load_checkpoint(folder)
    samples = read_source("synvi", data).require(Split.TEST)
    plan = Plan.from_manifest(read_json(data / "manifest.json"))
    pairs = draw_pairs(plan, samples, (network.config.height, network.config.image_width), count, seed)
    rows = measure(network, pairs, embed_samples(network, samples), seed)
    people = len({pair.pid for pair in pairs})
    supportive = np.mean([drop > 0 for drop in rows[0].drops])
    things = sorted({one.thing.value for pair in pairs for one in pair.evidence.values()})
    print(f"\n`{card.name}`, {len(pairs)} pairs of {people} people, seed {seed}; changed: {', '.join(things)}.")
    print(f"Data: {plan.command}")
    print(
        f"The change lowers the similarity of a visible image to its partner in {100 * supportive:.0f} % of the pairs."
    )
    print("Percent of a map's energy inside the changed region; differences with their 95 % interval.\n")
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    for row in rows:
        print(line(row))


def main() -> int:
    """Print a table per checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, action="append", required=True, metavar="DIR")
    parser.add_argument("--data", type=Path, default=ROOT / "assets" / "synvi", metavar="DIR")
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for folder in options.checkpoint:
        report(folder, options.data, options.pairs, options.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())

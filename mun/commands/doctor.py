"""Check what a data set has on disk against the published counts or its own manifest."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mun.data.inventory import DATASETS, Finding, broken_images, inventory
from mun.progress import tracked

__all__ = ["add_arguments", "report", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    parser.add_argument("data", type=Path, metavar="DATA", help="folder of the data set")
    parser.add_argument(
        "--dataset", choices=DATASETS, required=True, help="sysu: published counts; synvi: those of its manifest"
    )
    parser.add_argument("--decode", action="store_true", help="also decode every image; minutes for SYSU-MM01")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(options: argparse.Namespace) -> None:
    """Print what was looked for and what was found; exit code 0 where all is there, 1 where something is not.

    Raises:
        FileNotFoundError: There is no data set in this folder at all.
        ValueError: What is there contradicts itself.
        SystemExit: With code 1: something is missing or broken.
    """
    findings, samples = inventory(options.data, options.dataset)
    if options.decode:
        broken = broken_images(tracked(samples, "decoding", "image", not options.quiet))
        findings.append(Finding("images that cannot be read", len(broken), 0, ", ".join(broken[:3])))
    print(report(options.dataset, findings))
    if not all(finding.fine for finding in findings):
        raise SystemExit(1)


def report(dataset: str, findings: Sequence[Finding]) -> str:
    """Format the findings as a table; its last line is the verdict."""
    width = max(len(finding.what) for finding in findings)
    lines = [f"{dataset:<{width}}  expected     found"]
    for finding in findings:
        expected = "" if finding.expected is None else f"{finding.expected:,}"
        words = [] if finding.fine else ["DIFFERS"]
        words += [finding.note] if finding.note else []
        lines.append(f"{finding.what:<{width}}  {expected:>8}  {finding.found:>8,}  {'; '.join(words)}".rstrip())
    wrong = [finding.what for finding in findings if not finding.fine]
    lines.append(f"not as expected: {', '.join(wrong)}" if wrong else "fine: everything expected is there")
    return "\n".join(lines)

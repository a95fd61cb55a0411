"""Check what a data set has on disk against the published counts or its own manifest."""

import argparse
from collections.abc import Sequence

from mun.data.inventory import Finding, inventory
from mun.data.source import Source, is_whole
from mun.data.sources import add_data_flags, named_folder, read_source, reading_of
from mun.evaluation.protocols import protocols_of
from mun.progress import tracked

__all__ = ["add_arguments", "report", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    text = "folder of the data set, or a CSV, and a name for it"
    parser.add_argument("data", type=named_folder, metavar="[NAME=]DATA", help=text)
    add_data_flags(parser)
    parser.add_argument("--decode", action="store_true", help="also decode every image; minutes for SYSU-MM01")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(options: argparse.Namespace) -> None:
    """Print the expected and the actual counts; the exit code is 0 if nothing is missing, else 1.

    Raises:
        FileNotFoundError: There is no data set in this folder at all.
        ValueError: The data set contradicts itself.
        SystemExit: With code 1: something is missing or broken.
    """
    name, root = options.data
    source = read_source(options.layout or "", root, reading_of(options, name))
    findings = inventory(source)
    if not findings:
        raise ValueError(f"expected images in {root}, found none")
    if options.decode:
        shown = tracked(source.samples, "decoding", "image", not options.quiet)
        broken = [sample.key for sample in shown if not is_whole(sample)]
        findings.append(Finding("images that cannot be read", len(broken), 0, ", ".join(broken[:3])))
    print(report(source, findings))
    if not all(finding.fine for finding in findings):
        raise SystemExit(1)


def report(source: Source, findings: Sequence[Finding]) -> str:
    """Format the findings as a table, what was passed over and the protocols; the last line is the verdict."""
    passed = [(f"passed over: {one.what}", one) for one in source.passed]
    width = max(len(words) for words in (*(finding.what for finding in findings), *(what for what, _ in passed)))
    lines = [f"{source.name:<{width}}  expected     found"]
    for finding in findings:
        expected = "" if finding.expected is None else f"{finding.expected:,}"
        words = [] if finding.fine else ["DIFFERS"]
        words += [finding.note] if finding.note else []
        lines.append(f"{finding.what:<{width}}  {expected:>8}  {finding.found:>8,}  {'; '.join(words)}".rstrip())
    for what, one in passed:
        first = f"the first is {one.first}" if one.count > 1 else one.first
        lines.append(f"{what:<{width}}  {'':>8}  {one.count:>8,}  {first}")
    protocols = protocols_of(source)
    usual = [protocol for protocol in protocols if protocol.published] or protocols
    lines += [f"{protocol.name}: {protocol.rule}" for protocol in usual]
    if others := [protocol.name for protocol in protocols if protocol not in usual]:
        lines.append(f"as for any data: {', '.join(others)}")
    wrong = [finding.what for finding in findings if not finding.fine]
    lines.append(f"not as expected: {', '.join(wrong)}" if wrong else "fine: everything expected is there")
    return "\n".join(lines)

"""Make every run of a named table, choose on validation, read test once, and write the table."""

import argparse
import sys
from functools import partial
from pathlib import Path

from mun.distributed import choose_device
from mun.experiments.pipeline import conduct
from mun.experiments.runs import keep_records
from mun.experiments.study import Study
from mun.experiments.tables import EXPERIMENTS
from mun.parser import add_config_flags, config_from

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command, and one flag for every field of the config."""
    parser.add_argument("name", choices=list(EXPERIMENTS), help="name of the table")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="SynVI with train and val identities")
    parser.add_argument("--test", type=Path, metavar="DIR", help="SynVI with test identities (default: that of --data)")
    parser.add_argument("--out", type=Path, required=True, metavar="OUT", help="folder of runs, ledger and tables")
    parser.add_argument("--rows", metavar="A,B", help="rows to run; the others are shown as not run (default: all)")
    parser.add_argument("--settings", metavar="A,B", help="settings to run, if a table has several (default: all)")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="seeds 0 to N-1 of each row (default: 5)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="runs side by side (default: 1)")
    parser.add_argument("--records", action="store_true", help="keep only records of finished runs, not weights")
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto (default: auto)")
    add_config_flags(parser)


def run(options: argparse.Namespace) -> None:
    """Search, freeze the choice, train, test, write the tables; existing results are used as they are.

    Raises:
        FileNotFoundError: The data are not there.
        ValueError: A flag, the data or what is in `--out` cannot be used, or a run has failed.
    """
    rows, settings = (None if given is None else tuple(given.split(",")) for given in (options.rows, options.settings))
    base = config_from(options)
    study = Study(options.name, rows, settings, base, options.seeds, options.data, options.test, options.out)
    report = partial(print, file=sys.stderr, flush=True)
    for table in conduct(study, choose_device(options.device), options.jobs, report):
        print(table)
    if options.records:
        for folder in sorted((options.out / "runs").iterdir()):
            keep_records(folder)

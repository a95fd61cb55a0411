"""The commands of `python -m mun`: each module offers `add_arguments(parser)` and `run(options)`."""

__all__ = ["SUMMARIES"]

SUMMARIES = {
    "synth": "write SynVI, the synthetic data set, in the layout of SYSU-MM01",
    "train": "train a network on a data set, or resume a run",
    "evaluate": "score a checkpoint by a published protocol",
    "score": "score features from an .npz file by a published protocol",
}

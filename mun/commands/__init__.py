"""The commands of `python -m mun`: each module offers `add_arguments(parser)` and `run(options)`."""

__all__ = ["SUMMARIES"]

SUMMARIES = {
    "synth": "write SynVI, the synthetic data set, in the layout of SYSU-MM01",
    "sheet": "draw a contact sheet of SynVI",
    "counterfactual": "render an image of SynVI again with one thing changed",
    "train": "train a network on a data set, or resume a run",
    "evaluate": "score a checkpoint by a published protocol",
    "analyse": "show where a model fails, and why: slices, distances, probes, curves, as JSON, CSV and figures",
    "experiment": "make every run of a named table (rivals, ablation, forms, people and others) and write the table",
    "bounds": "measure what a SynVI data set gives away without learning: chance, pixels, silhouettes, attributes",
    "score": "score features from an .npz file by a published protocol",
    "embed": "embed images by a checkpoint, into an .npz file",
    "doctor": "list the parts of a data set that are on disk, and those that are missing",
}

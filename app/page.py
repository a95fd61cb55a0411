"""The page: header, settings drawer, tabs, HTTP functions."""

from functools import partial

import gradio as gr

from app.about import status
from app.about.tab import build as build_about
from app.analysis import compute as analysis
from app.analysis.tab import build as build_analysis
from app.auxiliary import compare
from app.auxiliary.tab import build as build_auxiliary
from app.embeddings import project
from app.embeddings.request import Project
from app.embeddings.tab import build as build_embeddings
from app.explain import explain
from app.explain.subject import Explain
from app.explain.tab import build as build_explain
from app.library import Library
from app.retrieval import own, rank, scores
from app.retrieval.tab import build as build_retrieval
from app.server.connections import bound_connections
from app.server.sessions import keep_answers_bounded, keep_sessions_light
from app.shared.api import LIGHT, expose
from app.shared.tab import Page
from app.train import tab as train
from app.train.queue import Queue
from app.train.request import Look, Start, Stop

__all__ = ["build"]

MAX_CALLS = 200  # that wait in Gradio's queue; after it, calls wait in turn by visitor


def build(library: Library, queue: Queue) -> gr.Blocks:
    """Build the page over a library and a queue of training runs."""
    keep_sessions_light()
    bound_connections()
    demo: gr.Blocks = gr.Blocks(title="MUN: visible-infrared person re-identification", fill_width=True)
    with demo:
        page = Page(library)
        build_retrieval(page)
        build_embeddings(page)
        build_auxiliary(page)
        build_explain(page)
        build_analysis(page)
        train.build(page, queue)
        build_about(page)
        expose("status", status.Nothing, status.answer, library, concurrency_limit=4, each=LIGHT)
        expose("retrieve", rank.Retrieve, rank.answer, library, concurrency_limit=4, each=LIGHT)
        expose("evaluate", scores.Evaluate, scores.answer, library, concurrency_limit=2)
        expose("retrieve_image", own.RetrieveImage, own.answer, library, concurrency_limit=2)
        expose("project", Project, project.answer, library, concurrency_limit=1)
        expose("auxiliary", compare.Compare, compare.answer, library, concurrency_limit=2)
        expose("train_start", Start, partial(train.start, queue), library, concurrency_limit=1)
        expose("train_status", Look, partial(train.look, queue), library, concurrency_limit=4, each=LIGHT)
        expose("train_stop", Stop, partial(train.stop, queue), library, concurrency_limit=4, each=LIGHT)
        expose("explain", Explain, explain.answer, library, concurrency_limit=1)
        expose("analyse", analysis.Analyse, analysis.answer, library, concurrency_limit=1)
    demo.queue(max_size=MAX_CALLS)
    keep_answers_bounded(demo._queue)
    return demo

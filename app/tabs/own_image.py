"""The tab "Your own image": bring an image, or a small gallery, and see it ranked. Wiring only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import gradio as gr

from app.actions.retrieval import own_gallery, retrieve_image
from app.actions.retrieval.own_images import OwnImage, look_at, other_modality, own_modality
from app.actions.retrieval.retrieve import MAX_TOP_K
from app.cards import sentence
from app.library import Library
from app.library.checkpoints import by_budget
from app.library.thumbnails import CARD_HEIGHT
from app.server.uploads import Allowance, take_uploads, uploaded_names
from app.tabs.events import erase
from app.views import own_images as own_views

__all__ = ["Held", "OwnHandlers", "build_own_image"]

MAX_HELD_BYTES = 256_000_000  # of all visitors' images in memory; one full gallery has about 10 MB
HELD_SECONDS = 3600  # as long as Gradio holds what a closed page has left behind
MODALITIES = [("infrared", "infrared"), ("visible light", "visible")]
MY_IMAGE, BUNDLED = "my image above", "an image of the data set"
EVENT: dict[str, Any] = {
    "concurrency_limit": 2,
    "concurrency_id": "own",
    "api_visibility": "private",
    "show_progress": "minimal",
}
HINT = """
<h2>Try it on an image of your own</h2>
<p>Drop in a photo of one person, cropped to the person, and say what it was made of. It is ranked against the images of
the other modality. Bring only images that you may use.</p>
<p><strong>Nothing is kept:</strong> the file is deleted as soon as it is read. The small picture that the network looks
at stays in memory until an hour after the last answer, or until you press “Forget”.</p>
"""
GALLERY_HINT = f"""
<p>Up to {own_gallery.MAX_IMAGES} images of one modality, ranked for one query of the other: your image above, or an
image of the data set. Files that are no readable image are listed with the reason, and the rest is ranked.</p>
"""


@dataclass(frozen=True, eq=False, repr=False)  # Gradio hashes the text of a state, which would hold every picture
class Held:
    """What one visitor has brought; `turn` grows with every answer, so that the browser draws each anew."""

    image: OwnImage | None = None
    gallery: own_gallery.Gallery | None = None
    turn: int = 0

    def next(self, **changes: Any) -> Held:
        """Return what is held after one more answer."""
        return replace(self, turn=self.turn + 1, **changes)


@dataclass(frozen=True)
class OwnHandlers:
    """What the tab's events do: from what is held and what came from the browser to what is held next, and HTML."""

    library: Library
    allowance: Allowance = field(default_factory=lambda: Allowance(MAX_HELD_BYTES))

    def take_image(self, held: Held, payload: object) -> tuple[Held, None, str, str]:
        """Read an uploaded image; the file is deleted, and the drop zone is empty again."""
        held, shown = held.next(image=None), ""
        for name, data in take_uploads(payload):
            try:
                image = look_at(self.library, data, name, "the image")
                self.allowance.claim(image, image.num_bytes)
            except ValueError as error:
                shown = own_views.message_html(sentence(error), held.turn)
            else:
                held, shown = held.next(image=image), own_views.image_html(image, "Your image", held.turn)
        return held, None, shown, ""

    def take_gallery(self, held: Held, payload: object) -> tuple[Held, None, str, str]:
        """Read an uploaded gallery; the files are deleted, and the drop zone is empty again."""
        held = held.next(gallery=None)
        files = take_uploads(payload)
        try:
            if (count := len(uploaded_names(payload))) > own_gallery.MAX_IMAGES:
                raise ValueError(f"expected at most {own_gallery.MAX_IMAGES} images in a gallery, got {count}")
            gallery = own_gallery.look_at_all(self.library, files)
            self.allowance.claim(gallery, sum(image.num_bytes for image in gallery.images))
        except ValueError as error:
            return held, None, own_views.message_html(sentence(error), held.turn), ""
        finally:
            for _ in files:  # deletes what was not read
                pass
        held = held.next(gallery=gallery)
        return held, None, own_views.broken_html(gallery, held.turn), ""

    def rank_image(self, held: Held, modality: object, checkpoint: Any, top_k: Any) -> tuple[Held, str]:
        """Rank the data set's images for the visitor's image."""

        def answer() -> str:
            if held.image is None:
                raise ValueError("drop in an image first")
            if modality is None:
                raise ValueError("say first whether your image is infrared or visible")
            request = retrieve_image.Request(checkpoint, modality=str(modality), top_k=top_k).checked(self.library)
            if waiting := self.not_ready(request.checkpoint, request.data):
                return own_views.message_html(waiting, held.turn, error=False)
            result = retrieve_image.rank(self.library, request, held.image)
            return own_views.own_html(self.library, result, held.image, held.turn)

        return self.answered(held, answer)

    def rank_gallery(
        self, held: Held, modality: object, source: object, key: Any, own: object, checkpoint: Any, top_k: Any
    ) -> tuple[Held, str]:
        """Rank the visitor's gallery for their image, or for an image of the data set."""

        def answer() -> str:
            if held.gallery is None:
                raise ValueError("drop in the images of your gallery first")
            if modality is None:
                raise ValueError("say first whether your gallery is infrared or visible")
            request = own_gallery.Request(
                checkpoint, modality=str(modality), query_key=key if source == BUNDLED else "", top_k=top_k
            ).checked(self.library)
            query = self.chosen_query(held, source, own, request.modality)
            if query is None and (waiting := self.not_ready(request.checkpoint, request.data)):
                return own_views.message_html(waiting, held.turn, error=False)
            result = own_gallery.rank(self.library, request, held.gallery, query)
            return own_views.gallery_html(
                self.library, result, held.gallery, *self.query_picture(request, query), held.turn
            )

        return self.answered(held, answer)

    def forget(self, held: Held) -> tuple[Held, str, str, str, str]:
        """Drop everything that the visitor has brought."""
        return held.next(image=None, gallery=None), "", "", "", ""

    def answered(self, held: Held, answer: Callable[[], str]) -> tuple[Held, str]:
        """Return an answer, or what was wrong in a plain sentence."""
        try:
            html = answer()
        except ValueError as error:
            html = own_views.message_html(sentence(error), held.turn)
        return held.next(), html

    def chosen_query(self, held: Held, source: object, own: object, modality: str) -> OwnImage | None:
        """Return the visitor's image where it is the query, `None` where one of the data set is.

        Raises:
            ValueError: There is no image, or it was not said to be of the other modality.
        """
        if source != MY_IMAGE:
            return None
        wanted = other_modality(own_modality("modality", modality))
        if held.image is None:
            raise ValueError("drop in an image above first, or choose a query of the data set")
        if own != wanted:
            raise ValueError(f"expected your image above to be {wanted}, because your gallery is {modality}")
        return held.image

    def query_picture(self, request: own_gallery.Request, query: OwnImage | None) -> tuple[str, str]:
        """Return the query's picture and what it is."""
        if query is not None:
            return query.preview, "your image"
        collection = self.library.collections[request.data]
        sample = collection.samples[collection.rows[request.query_key]]
        words = f"query {sample.key}: person {sample.pid}, {sample.modality} camera {sample.camid}"
        return self.library.thumbnail(request.data, sample, CARD_HEIGHT), words

    def not_ready(self, checkpoint: str, data: str) -> str:
        """Say why the data set cannot be ranked at once; nothing where it can.

        Raises:
            ValueError: It cannot be embedded at all.
        """
        preparation = self.library.prepare(checkpoint, data, retry=True)
        if preparation.problem:
            raise ValueError(preparation.problem)
        if preparation.ready:
            return ""
        return (
            f"The network is still looking at the gallery: {preparation.done:,} of {preparation.total:,} images so far."
            " Press the button again in a moment."
        )


def build_own_image(library: Library) -> None:
    """Build the tab and its events."""
    handlers = OwnHandlers(library)
    state = gr.State(Held(), time_to_live=HELD_SECONDS)
    with gr.Row(elem_classes="mun-columns"):
        with gr.Column(scale=3, min_width=300, elem_classes="mun-side"):
            gr.HTML(HINT, elem_classes="mun-hint", apply_default_css=False)
            file = gr.File(label="Your image", file_types=["image"], height=132, elem_id="own-file")
            shown = gr.HTML(elem_id="own-shown", apply_default_css=False)
            modality = gr.Radio(MODALITIES, label="It was made of", elem_id="own-modality")
            checkpoint = gr.Dropdown(
                [(e.title, e.name) for e in by_budget(library.checkpoints[name] for name in library.usable)],
                value=library.default_checkpoint,
                label="Checkpoint",
            )
            top_k = gr.Slider(1, MAX_TOP_K, 10, step=1, label="Ranked images shown for your image")
            with gr.Row():
                rank = gr.Button("Rank", variant="primary", elem_id="own-rank", min_width=120)
                forget = gr.Button("Forget", elem_id="own-forget", min_width=90)
        with gr.Column(scale=9, min_width=300, elem_classes="mun-main"):
            ranking = gr.HTML(elem_id="own-ranking", apply_default_css=False)
    gallery_shown, gallery_ranking = build_gallery(handlers, state, modality, checkpoint)
    took = file.upload(handlers.take_image, [state, file], [state, file, shown, ranking], preprocess=False, **EVENT)
    ranked = rank.click(handlers.rank_image, [state, modality, checkpoint, top_k], [state, ranking], **EVENT)
    erase(took, [shown])
    erase(ranked, [ranking])
    forget.click(handlers.forget, [state], [state, shown, ranking, gallery_shown, gallery_ranking], **EVENT)


def build_gallery(
    handlers: OwnHandlers, state: gr.State, own: gr.Radio, checkpoint: gr.Dropdown
) -> tuple[gr.HTML, gr.HTML]:
    """Build the visitor's own gallery, and return the two places where it is shown."""
    with (
        gr.Accordion("Your own small gallery", open=False, elem_id="own-gallery"),
        gr.Row(elem_classes="mun-columns"),
    ):
        with gr.Column(scale=3, min_width=300, elem_classes="mun-side"):
            gr.HTML(GALLERY_HINT, elem_classes="mun-hint", apply_default_css=False)
            files = gr.File(
                label="Your gallery", file_types=["image"], file_count="multiple", height=132, elem_id="own-files"
            )
            shown = gr.HTML(elem_id="own-gallery-shown", apply_default_css=False)
            modality = gr.Radio(MODALITIES, label="The gallery was made of", elem_id="own-gallery-modality")
            source = gr.Radio([MY_IMAGE, BUNDLED], value=MY_IMAGE, label="Query", elem_id="own-query-source")
            key = gr.Textbox(
                label="Key of the image of the data set",
                placeholder="as cam3/0001/0001.jpg; empty: the first",
                max_length=200,
            )
            top_k = gr.Slider(1, own_gallery.MAX_IMAGES, 20, step=1, label="Ranked images shown of your gallery")
            rank = gr.Button("Rank the gallery", variant="primary", elem_id="own-gallery-rank")
        with gr.Column(scale=9, min_width=300, elem_classes="mun-main"):
            ranking = gr.HTML(elem_id="own-gallery-ranking", apply_default_css=False)
    inputs: list[Any] = [state, modality, source, key, own, checkpoint, top_k]
    took = files.upload(
        handlers.take_gallery, [state, files], [state, files, shown, ranking], preprocess=False, **EVENT
    )
    erase(took, [shown])
    erase(rank.click(handlers.rank_gallery, inputs, [state, ranking], **EVENT), [ranking])
    return shown, ranking

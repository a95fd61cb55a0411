"""What is loaded, ranked lists and scores, over HTTP: typed, checked, plain dictionaries out."""

from __future__ import annotations

from typing import Any

from gradio.events import api

from app.actions import status as status_action
from app.actions.retrieval import evaluate as evaluate_action
from app.actions.retrieval import retrieve as retrieve_action
from app.actions.retrieval import retrieve_image as retrieve_image_action
from app.actions.retrieval.own_images import from_base64
from app.errors import plain_errors
from app.library import Library

__all__ = ["add_search"]


def add_search(library: Library) -> None:
    """Add the public functions about what is loaded, ranked lists and scores."""

    def status() -> dict[str, Any]:
        """Say which version runs on what device, and which checkpoints and data sets are loaded."""
        return status_action.run(library).to_json()

    def retrieve(
        checkpoint: str = "",
        data: str = "",
        query: str = "",
        top_k: int = 10,
        protocol: str = "",
        trial: int = 0,
        direction: str = "i2v",
        shots: int = 1,
        rerank: bool = False,
        corruption: str = "",
        severity: int = 3,
    ) -> dict[str, Any]:
        """Rank the gallery for one query: visible images for an infrared one, or the other way round.

        Args:
            checkpoint: Name of a usable checkpoint of `/status`; empty for the first.
            data: Name of a data set of `/status`; empty for the first.
            query: Key of an infrared image, as cam3/0007/0001.jpg; empty for the first.
            top_k: How many ranked images to return, 1 to 100.
            protocol: Name of one of the data set's protocols; empty for the first.
            trial: Number of the gallery, 0 to 9.
            direction: i2v, infrared queries in a visible gallery, or v2i, which is no published protocol.
            shots: Gallery images per identity and camera: 1, 2, 5 or 10, as many as the data allow.
            rerank: Mix the distance with that of k-reciprocal neighbourhoods.
            corruption: What is done to the visible images, seed 0: gaussian_noise, shot_noise, impulse_noise,
                speckle_noise, defocus_blur, glass_blur, motion_blur, zoom_blur, gaussian_blur, snow, frost, fog, rain,
                brightness, contrast, saturate, elastic_transform, pixelate, jpeg_compression, spatter, or mixed, which
                draws one of them and a severity for each image; empty for nothing.
            severity: Of the corruption, 1 to 5; of no meaning without one and for mixed.

        Returns:
            The names used, the query, the ranked images with their cosine distance 1 - cos (or the re-ranked one), the
            average precision and the rank of the first match over the whole ranked gallery (null where nobody matches),
            and its size.
        """
        with plain_errors():
            values = (checkpoint, data, query, top_k, protocol, trial, direction, shots, rerank)
            request = retrieve_action.Request(*values, corruption=corruption, severity=severity)
            return retrieve_action.run(library, request).to_json()

    def evaluate(checkpoint: str = "", data: str = "", protocol: str = "") -> dict[str, Any]:
        """Score a checkpoint over ten galleries with one image per identity and camera.

        Args:
            checkpoint: Name of a usable checkpoint of `/status`; empty for the first.
            data: Name of a data set of `/status`; empty for the first.
            protocol: Name of one of the data set's protocols; empty for the first.

        Returns:
            The checkpoint's name, what `python -m mun evaluate` writes (fractions), the number of queries, and the size
            of the first gallery.
        """
        with plain_errors():
            request = evaluate_action.Request(checkpoint, data, protocol)
            return evaluate_action.run(library, request).to_json()

    def retrieve_image(
        checkpoint: str = "",
        data: str = "",
        image: str = "",
        modality: str = "",
        top_k: int = 10,
        protocol: str = "",
        trial: int = 0,
    ) -> dict[str, Any]:
        """Rank the images of the other modality for an image of your own; nothing of it is kept.

        Args:
            checkpoint: Name of a usable checkpoint of `/status`; empty for the first.
            data: Name of a data set of `/status`; empty for the first.
            image: The image file in base64, or as a data URI, at most 16 MB.
            modality: What the image was made of, infrared or visible.
            top_k: How many ranked images to return, 1 to 100.
            protocol: For an infrared image, whose visible gallery is ranked; empty for the first.
            trial: Number of that gallery, 0 to 9.

        Returns:
            The names used, the ranked images with their cosine distance 1 - cos, the gallery's size, what the gallery
            is, and a warning about what such a ranking is worth. A visible image is ranked against all infrared ones.
        """
        with plain_errors():
            file = from_base64("image", image)
            request = retrieve_image_action.Request(checkpoint, data, file, modality, top_k, protocol, trial)
            return retrieve_image_action.run(library, request).to_json()

    api(status, api_name="status", concurrency_limit=4)
    api(retrieve, api_name="retrieve", concurrency_limit=4, concurrency_id="retrieve")
    api(evaluate, api_name="evaluate", concurrency_limit=2, concurrency_id="evaluate")
    api(retrieve_image, api_name="retrieve_image", concurrency_limit=2, concurrency_id="retrieve_image")

"""What the Explain tab shows, over HTTP."""

from __future__ import annotations

from typing import Any

from gradio.events import api

from app.actions.explain import explain as explain_action
from app.errors import plain_errors
from app.library import Library

__all__ = ["add_explain"]


def add_explain(library: Library) -> None:
    """Add the public function about maps."""

    def explain(
        checkpoint: str = "",
        data: str = "",
        image: str = "",
        against: str = "image",
        target: str = "",
        layers: str = "everything",
        method: str = "by layer",
        change: str = "automatic",
        seed: int = 0,
    ) -> dict[str, Any]:
        """Show where a network finds an image alike to another one, or to the center of an identity.

        Args:
            checkpoint: Name of a usable checkpoint of `/status`; empty for the first.
            data: Name of a data set of `/status`; empty for the first.
            image: Key of the image to explain, as cam3/0007/0001.jpg; empty to have one chosen.
            against: image, or center: the mean embedding of a person's images of the other modality.
            target: Key of the image to compare with, or number of the person; empty for the image that is ranked
                first, or for the person in the image. Two images of one modality are allowed, and said to be.
            layers: everything, image (the backbone's stages), auxiliary (MUN's generator and the stages, on the
                auxiliary image of this image and a partner, which uses labels), or one of iml_visible, iml_infrared,
                cml, fused, layer1, layer2, layer3, layer4.
            method: by layer (LayerCAM in the generator, Grad-CAM in the stages), grad-cam, grad-cam++, layer-cam,
                eigen-cam, which looks at no target, or score-cam, which is slow and takes one layer at a time.
            change: What is changed on SynVI to have the truth: automatic, nothing, bag, upper pattern, lower pattern
                or hat.
            seed: Of the partner and of the random weights, 0 to 9999.

        Returns:
            What was used, the cosine similarities, the maps with their raw values at the layer's resolution, and the
            truth: the similarity before and after the change and the share of each map's energy in the changed region,
            beside those of a centre prior and of random weights.
        """
        with plain_errors():
            request = explain_action.Request(checkpoint, data, image, against, target, layers, method, change, seed)
            return explain_action.run(library, request).to_json()

    api(explain, api_name="explain", concurrency_limit=2, concurrency_id="explain")

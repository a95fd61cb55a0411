"""What the visual tabs show, over HTTP: auxiliary images, features in the plane, maps."""

from __future__ import annotations

from typing import Any

from gradio.events import api

from app.actions.auxiliary import auxiliary as auxiliary_action
from app.actions.auxiliary.request import OWN
from app.actions.explain import explain as explain_action
from app.errors import plain_errors
from app.library import Library
from app.library.own_images import from_base64, look_at
from app.shared.api import takes_images

__all__ = ["add_auxiliary", "add_explain"]


def add_auxiliary(library: Library) -> None:
    """Add the public function about auxiliary images."""

    @takes_images(2)
    def auxiliary(
        checkpoint: str = "",
        data: str = "",
        source: str = "collection",
        visible: str = "",
        infrared: str = "",
        person: int = 0,
        misalignment: float = 0.0,
        mixup: float = 0.5,
        seed: int = 0,
        share: float = -1.0,
        step: int = -1,
        visible_image: str = "",
        infrared_image: str = "",
    ) -> dict[str, Any]:
        """Compare auxiliary modalities on one pair of a visible and an infrared image.

        Args:
            checkpoint: Name of a usable checkpoint with MUN's generator; empty for the first.
            data: Name of a data set of `/status`; empty for the first.
            source: collection, or rendered: SynVI, rendered for this request from cameras 2 and 3; two images of your
                own make it own.
            visible: Key of a visible image, as cam1/0007/0001.jpg; empty to have one chosen.
            infrared: Key of an infrared image of the same person; likewise.
            person: Whose images are meant where no key says it; 0 for a first choice.
            misalignment: Of a rendered pair, 0 (one instant, pixel by pixel) to 1.
            mixup: Share of the visible image in Mixup, 0 to 1.
            seed: Of the rectangle of CutMix and the channel of channel exchange, 0 to 9999.
            share: Share of the intra-modality learners in MUN's layer scale, 0 to 1; -1 as learned.
            step: A step whose generator the checkpoint keeps; -1 for the last.
            visible_image: An image file of your own in base64, or as a data URI, at most 16 MB; nothing of it is kept.
            infrared_image: The infrared one to it.

        Returns:
            The request with its defaults, the pair, and each modality with its image as a PNG data URI, its Euclidean
            distances to both sources (also over d(V, I)), the ranks at which it finds the person in both galleries
            without the sources' sites, and how it is shown; which modalities are missing and why; MUN's generator taken
            apart: branches, ratio, share of the visible input in what the image depends on, kept steps.
        """
        with plain_errors():
            own = tuple(
                look_at(library, from_base64(name, image), what=f"the {name.replace('_', ' ')}")
                if image != ""
                else None
                for name, image in (("visible_image", visible_image), ("infrared_image", infrared_image))
            )
            source = OWN if any(own) else source
            request = auxiliary_action.Request(
                checkpoint, data, source, visible, infrared, person, misalignment, mixup, seed, share, step
            )
            return auxiliary_action.run(library, request, (own[0], own[1])).to_json()

    api(auxiliary, api_name="auxiliary", concurrency_limit=2, concurrency_id="auxiliary")


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

"""What Gradio keeps of each visit: the values of its states, and no copy of the page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gradio import state_holder
from gradio.state_holder import SessionState

__all__ = ["LightSession", "keep_sessions_light"]


@dataclass(frozen=True)
class PageWithoutBlocks:
    """What a session is made from, without anything to copy."""

    default_config: Any
    blocks: dict[int, Any] = field(default_factory=dict)


class LightSession(SessionState):
    """A session that does not remember how the page looks.

    Gradio copies the configuration of every component for each session, and each value that is shown later, so that a
    deep link could restore them: 0.7 MB and 22 ms a session here, and more with every answer. This page's links are
    its own, and that route is closed.
    """

    def __init__(self, blocks: Any) -> None:
        super().__init__(PageWithoutBlocks(blocks.default_config))  # type: ignore[arg-type]

    def __setitem__(self, key: int, value: Any) -> None:
        """Keep the value of a state, or a component with new properties."""
        super().__setitem__(key, value)
        self.config_values.clear()

    def _update_config(self, key: int) -> None:
        pass

    def _update_value_in_config(self, key: int, value: Any) -> None:
        pass


def keep_sessions_light() -> None:
    """Let Gradio make light sessions from now on, in this process."""
    state_holder.SessionState = LightSession  # type: ignore[misc]

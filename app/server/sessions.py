"""Limits on what Gradio keeps per session: the values of states, no copy of the page, and unread answers."""

from asyncio import Queue as AsyncQueue
from collections import OrderedDict
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

from gradio import state_holder
from gradio.queueing import Queue
from gradio.state_holder import SessionState

__all__ = ["ADDRESS", "Answers", "LightSession", "keep_answers_bounded", "keep_sessions_light"]

ADDRESS: ContextVar[str] = ContextVar("address", default="")  # network address of the current request
EACH, MOST = 100, 2000  # answers that are kept for one address, and for all


class LightSession(SessionState):
    """A session that does not store the content of the page.

    Gradio copies the configuration of every component for each session, and each value that is shown later, so that a
    deep link could restore them: 0.7 MB and 22 ms a session here, and more with every answer. This page has its own
    links, and Gradio's route for deep links is closed.
    """

    def __init__(self, blocks: Any) -> None:
        nothing_to_copy: Any = SimpleNamespace(default_config=blocks.default_config, blocks={})
        super().__init__(nothing_to_copy)

    def __setitem__(self, key: int, value: Any) -> None:
        """Keep the value of a state, or a component with new properties."""
        super().__setitem__(key, value)
        self.config_values.clear()

    def _update_config(self, key: int) -> None:
        pass

    def _update_value_in_config(self, key: int, value: Any) -> None:
        pass


def keep_sessions_light() -> None:
    """Make Gradio use `LightSession` from now on, in this process."""
    state_holder.SessionState = LightSession  # type: ignore[misc]


class Answers(OrderedDict[str, Any]):
    """The answers of calls that are unread or unfinished, by session.

    Gradio keeps the last 2,000 of all visitors, so that a visitor who calls in a loop pushes out the answers of others,
    and it keeps all names forever. Here an address pushes out its own answers: first those read, then the oldest.

    Args:
        pending: Events by session whose answers have not been read, as Gradio keeps them.
    """

    def __init__(self, pending: dict[str, set[str]]) -> None:
        super().__init__()
        self.pending = pending
        self._whose: dict[str, str] = {}

    def __setitem__(self, session: str, answers: Any) -> None:
        """Make room, then keep a session's answers."""
        who = ADDRESS.get()
        own = [one for one, other in self._whose.items() if other == who]
        if session not in self and (len(own) >= EACH or len(self) >= MOST):
            some = own if len(own) >= EACH else list(self)
            del self[next((one for one in some if not self.pending.get(one)), some[0])]
        super().__setitem__(session, answers)
        self._whose[session] = who

    def __missing__(self, session: str) -> AsyncQueue[Any]:
        """Return a queue for answers that no visitor will read."""
        return AsyncQueue()

    def __delitem__(self, session: str) -> None:
        """Forget a session."""
        if session in self:
            super().__delitem__(session)
        self.pending.pop(session, None)
        self._whose.pop(session, None)


def keep_answers_bounded(queue: Queue) -> None:
    """Make a queue of Gradio keep its answers in `Answers`."""
    queue.pending_messages_per_session = Answers(queue.pending_event_ids_session)  # type: ignore[assignment]

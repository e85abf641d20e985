"""What layers of the exact network give, kept: every walk through the network compares its changed layers with the same."""

from __future__ import annotations

from collections.abc import Sequence

from edgeopt.forms.moments import Response

MOST = 256 << 20  # bytes of all layers; where there are more, the exact network runs again beside each changed one


class Responses:
    """The Response of each layer, batch by batch, as far as there is room."""

    def __init__(self) -> None:
        self._known: dict[str, list[Response]] = {}
        self._waiting: dict[str, list[Response]] = {}
        self._refused: set[str] = set()
        self._bytes = 0

    def of(self, layer: str) -> Sequence[Response] | None:
        """Those of a layer; None where they are not kept."""
        return self._known.get(layer)

    def add(self, layer: str, response: Response) -> None:
        """Take in the next batch of a layer."""
        if layer in self._known or layer in self._refused:
            return
        self._waiting.setdefault(layer, []).append(response)
        self._bytes += _size(response)
        if self._bytes > MOST:
            self._bytes -= sum(map(_size, self._waiting.pop(layer)))
            self._refused.add(layer)

    def complete(self, layer: str) -> None:
        """That was the last batch of a layer."""
        if layer in self._waiting:
            self._known[layer] = self._waiting.pop(layer)


def _size(response: Response) -> int:
    return sum(array.nbytes for array in response)

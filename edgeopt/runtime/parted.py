"""A model in parts, each compiled for its own target, with wires between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array
from edgeopt.runtime.model import CompiledModel
from edgeopt.runtime.ports import Port


@dataclass(frozen=True)
class Wire:
    """Output ``output`` of part ``source`` is input ``input`` of part ``sink``."""

    source: str
    output: str
    sink: str
    input: str


class PartedModel:
    """Compiled parts in the order they run. ``run`` runs those that run here, one after the other.

    Raises EdgeoptError for a wire that leads nowhere, backwards, or between tensors of different types.
    """

    def __init__(self, models: Mapping[str, CompiledModel], wires: Sequence[Wire] = ()) -> None:
        self.models, self.wires = dict(models), tuple(wires)
        order = list(self.models)
        for wire in self.wires:
            source = self._port(wire.source, wire.output, "outputs", lambda m: m.outputs)
            sink = self._port(wire.sink, wire.input, "inputs", lambda m: m.inputs)
            if order.index(wire.source) >= order.index(wire.sink):
                raise EdgeoptError(f"part '{wire.sink}' needs '{wire.input}' of part '{wire.source}', which runs later")
            if (source.dtype, source.shape) != (sink.dtype, sink.shape):
                kinds = f"{source.dtype}{list(source.shape)} and {sink.dtype}{list(sink.shape)}"
                raise EdgeoptError(
                    f"'{wire.output}' of part '{wire.source}' and '{wire.input}' of part '{wire.sink}' are {kinds}"
                )

    def _port(self, part: str, name: str, kind: str, ports: Callable[[CompiledModel], Sequence[Port]]) -> Port:
        if part not in self.models:
            raise EdgeoptError(f"a wire names part '{part}'; there are {', '.join(self.models)}")
        found = next((p for p in ports(self.models[part]) if p.name == name), None)
        if found is None:
            raise EdgeoptError(f"part '{part}' has no '{name}' among its {kind}")
        return found

    def run(self, inputs: Mapping[str, Mapping[str, Array]], threads: int = 1) -> dict[str, dict[str, Array]]:
        """The outputs of each part by name, from the inputs by part and name that no wire brings.

        Raises EdgeoptError as ``CompiledModel.run`` does, for a part that is compiled for another processor too.
        """
        results: dict[str, dict[str, Array]] = {}
        for name, model in self.models.items():
            wired = {w.input: results[w.source][w.output] for w in self.wires if w.sink == name}
            results[name] = model.run({**inputs.get(name, {}), **wired}, threads)
        return results

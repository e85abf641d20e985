"""Choosing where tiles end, what they cost, and the split on disk: a compiled model for each tile, and one for all that follows.

The front ends where the largest memory of maps on any machine is least: that of a tile, which grows with its layers, or that of
the rest, which runs on one machine and shrinks with them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from onnx import ModelProto

from edgeopt import arguments
from edgeopt.assembly import assemble
from edgeopt.codegen.backends import NUMBA, Backend
from edgeopt.errors import EdgeoptError
from edgeopt.files import replacing
from edgeopt.frontend import load
from edgeopt.ir import Graph, Node, Value
from edgeopt.lower.lowering import lower
from edgeopt.lower.table import kernels_for
from edgeopt.ops.macs import macs
from edgeopt.partition.grid.shipped import FILE, FORMAT
from edgeopt.partition.grid.tiles import Boxes, Front, boxes, fronts, grid, merged, tile_graph
from edgeopt.partition.grid.windows import plane
from edgeopt.partition.identity import identity
from edgeopt.partition.parts import parts
from edgeopt.pipeline import finished, optimize
from edgeopt.target import Target

REST = "rest"
LEVEL = 1  # kernels whose sums do not depend on the size of a map


@dataclass(frozen=True)
class Memory:
    """Bytes of RAM of one machine: intermediate maps, and weights."""

    maps: int
    weights: int

    @property
    def total(self) -> int:
        """Both."""
        return self.maps + self.weights


@dataclass(frozen=True)
class Split:
    """``graphs`` of the tiles by name and of the rest, and the boxes of each tile.

    ``memory`` is that of each graph; ``whole`` that of the front on one machine; ``redundant`` the work of all tiles beyond that
    of the front, as a share of it; ``share`` the front's of the whole network.
    """

    front: Front
    shape: tuple[int, int]
    tiles: Mapping[str, Boxes]
    graphs: Mapping[str, Graph]
    memory: Mapping[str, Memory]
    whole: Memory
    redundant: float
    share: float


def split(
    model: str | Path | ModelProto | Graph,
    rows: int,
    columns: int,
    target: Target,
    until: str = "",
    shapes: Mapping[str, Sequence[int]] | None = None,
) -> Split:
    """The first layers of ``model`` as ``rows`` x ``columns`` tiles, up to the map called ``until`` or where it is best.

    The model is optimised exactly first. Raises EdgeoptError for a model that does not begin with layers that can be tiled, and
    for a map that is unknown or too small.
    """
    arguments.instance("model", model, (str, Path, ModelProto, Graph))
    graph = model if isinstance(model, Graph) else load(model, shapes)
    optimize(graph)
    front = _chosen(graph, rows, columns, until)
    tiles = {f"tile-{i}": boxes(front, box) for i, box in enumerate(grid(front, rows, columns))}
    made = {name: tile_graph(graph, front, parts_, name) for name, parts_ in tiles.items()}
    inside = {id(node) for node in front.nodes}
    cut = parts(graph, [int(id(node) not in inside) for node in graph.nodes], ("front", REST)).graphs
    ends = {name: found[front.end] for name, found in tiles.items()}
    graphs = {**made, REST: merged(cut[REST], front.end.name, ends, columns)}
    memory = {name: _memory(part, target) for name, part in graphs.items()}
    work, whole = max(_work(front.nodes), 1), _memory(cut["front"], target)
    redundant = sum(_work(part.nodes) for part in made.values()) / work - 1
    share = work / max(_work(graph.nodes), 1)
    return Split(front, (rows, columns), tiles, graphs, memory, whole, redundant, share)


def save_split(found: Split, folder: Path, target: Target, backend: Backend = NUMBA) -> None:
    """Compile all parts and write ``folder``. Raises EdgeoptError as ``assemble`` and ``CompiledModel.save`` do."""
    for name, graph in found.graphs.items():
        assemble(finished(graph, LEVEL), target, LEVEL, backend=backend).save(folder / f"{name}.edgeopt")
    record = {
        "format": FORMAT,
        "grid": list(found.shape),
        "rest": REST,
        "tiles": {
            name: {value.name: [list(span) for span in parts_[value].spans] for value in found.front.inputs}
            for name, parts_ in found.tiles.items()
        },
        "memory": {name: asdict(memory) for name, memory in found.memory.items()},
        "redundant": found.redundant,
        "identity": identity(folder, [f"{name}.edgeopt" for name in found.graphs]),
    }
    with replacing(folder / FILE) as stream:
        stream.write(json.dumps(record, indent=1).encode())


def _chosen(graph: Graph, rows: int, columns: int, until: str) -> Front:
    known = fronts(graph)
    if not known:
        raise EdgeoptError(
            "the network does not begin with convolutions, pooling or layers that work by pixel on maps of known size"
        )
    if until:
        found = next((front for front in known if front.end.name == until), None)
        if found is None:
            names = ", ".join(front.end.name for front in known)
            raise EdgeoptError(f"tiles cannot end at '{until}'; they can at {names}")
        return found
    fitting = [front for front in known if plane(front.end)[0] >= rows and plane(front.end)[1] >= columns]
    return min(fitting or known[:1], key=lambda front: _largest(graph, front, rows, columns))


def _largest(graph: Graph, front: Front, rows: int, columns: int) -> float:
    """Bytes of the most maps that lie in memory at once on any machine; infinite where tiles are too small."""
    inside = {id(node) for node in front.nodes}
    rest = peak([node for node in graph.nodes if id(node) not in inside], _bytes)
    try:
        tiles = [boxes(front, box) for box in grid(front, rows, columns)]
    except EdgeoptError:
        return float("inf")
    return max(rest, *(peak(front.nodes, _tile_bytes(found)) for found in tiles))


def peak(nodes: Sequence[Node], size: Callable[[Value], int]) -> int:
    """Bytes of computed values that are alive at once while ``nodes`` run in order."""
    last = {value: place for place, node in enumerate(nodes) for value in _read(node)}
    alive, most = {value: size(value) for value in last if value.producer not in nodes}, 0
    for place, node in enumerate(nodes):
        alive |= {out: size(out) for out in node.outputs}
        most = max(most, sum(alive.values()))
        alive = {value: bytes_ for value, bytes_ in alive.items() if last.get(value, len(nodes)) > place}
    return most


def _read(node: Node) -> Iterable[Value]:
    return (value for value in node.inputs if value is not None and not value.is_constant)


def _bytes(value: Value) -> int:
    return value.type.nbytes if value.type is not None else 0


def _tile_bytes(found: Boxes) -> Callable[[Value], int]:
    def size(value: Value) -> int:
        height, width = plane(value)
        rows, columns = found[value].size
        return _bytes(value) * rows * columns // (height * width)

    return size


def _work(nodes: Iterable[Node]) -> int:
    return sum(macs(node) or 0 for node in nodes)


def _memory(graph: Graph, target: Target) -> Memory:
    """What the compiled ``graph`` takes: maps with what goes in and out, scratch of one thread, weights as kernels read them."""
    program = lower(graph, target, "memory", kernels_for(LEVEL))
    outside = sum(_bytes(value) for value in (*graph.inputs, *graph.outputs))
    return Memory(program.arena_bytes + program.scratch_bytes + outside, program.weights_bytes)

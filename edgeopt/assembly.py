"""From optimised graphs to compiled models: lowering, code, manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial

from edgeopt.codegen.backends import NUMBA, Backend
from edgeopt.codegen.identifiers import is_identifier, library_name
from edgeopt.codegen.library import library_files
from edgeopt.errors import EdgeoptError
from edgeopt.ir import Graph
from edgeopt.lower.lowering import Selection, by_rule, lower
from edgeopt.lower.ports import CALLERS, Interface
from edgeopt.lower.streamed import lower_streamed
from edgeopt.lower.table import kernels_for
from edgeopt.memory_limit import give_back
from edgeopt.report.islands import islands
from edgeopt.rewrite import Context
from edgeopt.runtime.budget import budget, require_memory
from edgeopt.runtime.manifest import Manifest, describe
from edgeopt.runtime.model import CompiledModel
from edgeopt.runtime.object_code import CODE, with_packed_code
from edgeopt.runtime.parted import PartedModel, Wire
from edgeopt.runtime.reading import WEIGHTS, Files
from edgeopt.runtime.writing import SMALLEST, FileForm, store_files
from edgeopt.target import Target

SYMBOL = "edgeopt_model"


def assemble(
    graph: Graph,
    target: Target,
    level: int = 1,
    context: Context | None = None,
    symbol: str = SYMBOL,
    library: bool = False,
    select: Selection = by_rule,
    form: FileForm = SMALLEST,
    backend: Backend = NUMBA,
    interface: Interface = CALLERS,
) -> CompiledModel:
    """Compile ``graph`` as it is, without rewriting it.

    With ``library`` the model gets a C library whose functions begin with ``symbol``; code for this process only when ``target``
    is the host. ``form`` says how weights lie in the artifact, ``backend`` who makes the code, ``interface`` where a library
    has its inputs and outputs. Raises EdgeoptError when the graph cannot be lowered, ``symbol`` is no C identifier, or the model
    needs what the ``form`` leaves out.
    """
    if not is_identifier(symbol):
        raise EdgeoptError(f"{symbol!r} cannot begin the names of C functions; give letters, digits and underscores")
    lowered = lower_streamed if interface.rows else lower
    program = lowered(graph, target, symbol, kernels_for(level), select, interface)
    give_back(program.weights_bytes)
    form.check(program)
    files: Files = {}
    notes: list[str] = []
    memory: Manifest | None = None
    stored = partial(store_files, program, graph, form)
    if library:
        storage: Manifest = {}
        files.update(stored(storage))
        program.file = files[WEIGHTS] if form.coded else None
        made, notes = library_files(program, target, backend)
        files.update(made)
        if target.bare:
            found = budget(program, files, target)
            if level > 1 and not found.fits(target):  # Winograd's transformed weights and tiles give way
                return assemble(graph, target, 1, context, symbol, library, select, form, backend, interface)
            require_memory(found, program, target)
            notes.append(str(found))
            memory = {"flash": found.flash, "ram": found.ram}
    if target.runs_here and program.stream is None:
        files[CODE] = backend.build(program, target)
        give_back(program.weights_bytes)  # what LLVM worked in
    manifest = describe(graph, program, target, level, context.fired if context is not None else {})
    manifest["backend"] = backend.record(program, target)
    manifest["notes"] += notes
    manifest |= {} if memory is None else {"memory": memory}
    manifest["islands"] = [asdict(island) for island in islands(graph, context.declined if context is not None else [])]
    weights = partial(getattr, program, "weights")  # which take memory only once they are run
    if library:
        return CompiledModel({**manifest, **storage}, with_packed_code(files) if form.coded else files, graph, weights)
    return CompiledModel(manifest, files, graph, weights, stored)


def assemble_parts(
    parts: Mapping[str, tuple[Graph, Target]],
    wires: Sequence[Wire] = (),
    level: int = 1,
    library: bool = False,
    backend: Backend = NUMBA,
) -> PartedModel:
    """Compile several graphs, each as it is for its own target, into parts with ``wires`` between them, in the order given.

    A part for a processor other than this one is a C library. Raises EdgeoptError as ``assemble`` and ``PartedModel`` do.
    """
    names = {name: f"{SYMBOL}_{library_name(name)}" for name in parts}
    return PartedModel(
        {
            name: assemble(graph, target, level, None, names[name], library or not target.runs_here, backend=backend)
            for name, (graph, target) in parts.items()
        },
        wires,
    )

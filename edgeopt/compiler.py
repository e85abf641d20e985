"""From a model to a CompiledModel: frontend, passes, lowering, code generation, in that order."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from onnx import ModelProto

from edgeopt import arguments
from edgeopt.assembly import SYMBOL, assemble
from edgeopt.codegen.backends import find_backend
from edgeopt.codegen.identifiers import library_name
from edgeopt.codegen.tuned import Tuner
from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.self_test import add_self_test, first_sample
from edgeopt.frontend import load
from edgeopt.frontend.bounds import file_bytes, source_bytes
from edgeopt.frontend.model_file import file_digest
from edgeopt.frontend.preparation import prepare_inputs
from edgeopt.ir import Graph
from edgeopt.ir.clone import clone
from edgeopt.lower.lowering import by_rule
from edgeopt.lower.ports import Interface
from edgeopt.lower.table import kernels_for
from edgeopt.memory_limit import give_back
from edgeopt.ops.finite import refuse_nan
from edgeopt.options import C_LIBRARY, Options
from edgeopt.pipeline import finish, optimize
from edgeopt.progress import listening, stage
from edgeopt.report.layers import work
from edgeopt.rewrite import Context
from edgeopt.runtime.budget import TooLarge
from edgeopt.runtime.model import CompiledModel
from edgeopt.runtime.reading import CODED, RAW
from edgeopt.runtime.writing import FileForm
from edgeopt.search.allowed import Budget
from edgeopt.search.corrected import comparison
from edgeopt.search.limits import Limits
from edgeopt.search.output_codes import code_outputs
from edgeopt.search.recipe import joint_recipe, read_recipe
from edgeopt.search.result import Decision, record
from edgeopt.search.run import approximate
from edgeopt.search.samples import Data
from edgeopt.search.sparsity import sparsify
from edgeopt.search.stored import constants_size
from edgeopt.search.stored import record as stored_record
from edgeopt.search.timing import layer_name
from edgeopt.search.unused import note_unused
from edgeopt.target import Target
from edgeopt.target import target as find_target
from edgeopt.target_check import check as check_target
from edgeopt.training.extra import require_extra
from edgeopt.within_limits import within_limits


@arguments.known_keywords(Options)
def compile(
    model: str | Path | ModelProto | Graph,
    level: int = 1,
    target: str | Target = "host",
    *,
    shapes: Mapping[str, Sequence[int]] | None = None,
    data: Data | None = None,
    calibration: Data | None = None,
    max_drop: float = 1.0,
    options: Options | None = None,
) -> CompiledModel:
    """Compile ``model`` at optimisation ``level`` (0 to 3) for ``target``.

    ``shapes`` binds symbolic dimensions of inputs. A Graph is changed in place. Another target than the host gets a C library
    (``libmodel.a``, ``model.h``, ``example.c``, and ``libmodel.so`` where a linker is installed) instead of code to run in this
    process. Level 3, or a scheme named in the ``options``, approximates within ``max_drop`` percentage points, measured on
    ``data``; ``calibration`` gives the ranges (a part of ``data`` when left out). Both are npz files or DataSets.
    Raises EdgeoptError for an argument of the wrong kind and a model that cannot be read, quantised or lowered.
    """
    options = options if options is not None else Options()
    _check(model, level, target, shapes, options)
    _check_budget(data, calibration, max_drop)
    find_backend(options.backend)  # before the work, not after it
    facts = _facts(target, options, level)
    budget = _budget(options, level, facts, data, calibration, max_drop)
    with listening(options.progress):
        if budget.limits is None:
            return _compiled(model, level, facts, shapes, budget, options)

        def make(asked: Budget, way: Target, limits: Limits) -> CompiledModel:
            source = clone(model) if isinstance(model, Graph) else model
            counted = replace(options, objective=asked.objective, prefer=None)
            return _compiled(source, level, way, shapes, replace(asked, limits=limits), counted)

        budgets = [budget, *budget.smaller()]
        ways = [partial(make, asked, facts) for asked in budgets]
        if _saves(budget.limits, facts) and not facts.bare and not facts.small:
            ways.append(partial(make, budgets[-1], replace(facts, small=True)))
        return within_limits(budget.limits, max_drop, facts, ways, budget.end, budget.blind)


def _saves(limits: Limits, facts: Target) -> bool:
    """Whether a bound may be kept by kernels that take less: code, or memory where words are multiplied (``quant_winograd``)."""
    return limits.size is not None or (limits.memory is not None and facts.multiplies_words)


def _budget(options: Options, level: int, facts: Target, data: Data | None, calibration: Data | None, max_drop: float) -> Budget:
    """What is allowed; the forms of a joint search with data are those of a recipe, unless they are named."""
    limits = options.limits(facts) if options.approximates(level) else None
    wanted, recipe = (options.wanted, options.preferred, options.method), options.recipe
    if limits is not None and recipe is None and options.wanted is None and (data is not None or calibration is not None):
        recipe = joint_recipe(limits, options.preferred, facts)
    return Budget(
        data,
        calibration,
        max_drop,
        *wanted,
        accept_chance=options.accept_chance,
        recipe=None if recipe is None else read_recipe(recipe),
        pins=options.pins(level),
        limits=limits,
        end=None if options.search_time is None else time.monotonic() + options.search_time,
        seed=options.seed,
    )


def _compiled(
    model: str | Path | ModelProto | Graph,
    level: int,
    facts: Target,
    shapes: Mapping[str, Sequence[int]] | None,
    budget: Budget,
    options: Options,
) -> CompiledModel:
    """``compile`` with arguments that are right."""
    digest, source, recipe = source_digest_of(model), source_bytes_of(model), budget.recipe
    stage("reading and optimising")
    graph = _graph(model, shapes, options)
    preparation = _preparation(graph, options)
    refuse_nan(graph)
    before = work(graph)
    context = options.debug.context or Context(level=level)
    size = 0 if recipe is None else constants_size(graph)
    graph, found = _rewritten(graph, level, facts, context, budget, options)
    give_back(source or 0)
    if "codes" in options.interface:
        code_outputs(graph, budget.data or budget.calibration)
    sample = first_sample(graph, budget.data or budget.calibration) if options.self_test else {}
    made = finished(graph, found, facts, level, context, options, symbol_of(model))
    if options.self_test:
        add_self_test(made, sample)
    made.manifest |= {"source_bytes": source, "source_digest": digest, "preparation": preparation}
    made.manifest["work"]["before"] = before
    made.manifest["source_file"] = Path(model).name if isinstance(model, (str, Path)) else None
    if recipe is not None and found is not None:
        about = {"corrected": comparison(found, graph)}
        made.manifest["compression"] = {**stored_record(found.stored, graph, recipe.name, size), **about}
    return made


def finished(
    graph: Graph, found: Decision | None, facts: Target, level: int, context: Context, options: Options, symbol: str
) -> CompiledModel:
    """The rest of a compilation, after ``graph`` was optimised, and approximated as ``found`` says."""
    if level >= 2 and options.debug.only is None:
        sparsify(graph, facts, context, options.preferred, _coded(options, facts))
    finish(graph, context, options.debug.only, options.debug.print_after)
    stage("generating code")
    try:
        made = _assembled(graph, facts, level, context, options, symbol)
    except TooLarge as error:
        error.record = None if found is None else record(found)
        raise
    if found is not None:
        _describe(made, found)
    return made


def _facts(target: str | Target, options: Options, level: int) -> Target:
    if isinstance(target, Target):
        check_target(target)  # one by its name, or a file of the user's, was checked when it was read
    return _bounded(target if isinstance(target, Target) else find_target(target), options, level)


def _bounded(facts: Target, options: Options, level: int) -> Target:
    """``facts`` with the flash and the RAM that the options allow. Raises EdgeoptError for what is for microcontrollers alone."""
    flash, ram = options.max_flash, options.max_ram
    if (flash or (ram and not options.approximates(level))) and not facts.bare:
        name, others = ("max_flash", "max_size does that for any target") if flash else ("max_ram", "from -O3 on for any target")
        raise EdgeoptError(f"{name} is a bound for microcontrollers; '{facts.name}' runs an operating system: {others}")
    asked = [name for name in ("interface", "stream_input", "self_test") if getattr(options, name)]
    if asked and not facts.bare:
        name = asked[0]
        raise EdgeoptError(f"{name} is for microcontrollers; '{facts.name}' runs an operating system")
    bounds = (flash or facts.flash, options.max_size)
    saved = options.approximates(level) and options.prefer in ("size", "memory")
    facts = replace(facts, small=facts.small or saved or options.objective == "memory")
    return replace(facts, ram=ram or facts.ram, flash=min(filter(None, bounds), default=0)) if facts.bare else facts


def _rewritten(
    graph: Graph, level: int, facts: Target, context: Context, budget: Budget, options: Options
) -> tuple[Graph, Decision | None]:
    """The optimised graph, and what was decided where it may be approximated."""
    debug = options.debug
    if options.approximates(level) and options.train is not None:
        return _with_training(graph, facts, context, budget, options.train)
    if options.approximates(level):
        return approximate(graph, budget, context, facts, "integer", debug.print_after)
    if level > 0:
        optimize(graph, level, context, debug.only, debug.print_after)
    asked = options.limits(facts)
    hard = ("size", "memory") if facts.bare else ()  # those that the linker script holds
    bounds = () if asked is None else [name for name in asked.given if name not in hard]
    note_unused(graph, budget, level, bounds, options.prefer is not None)
    return graph, None


def _with_training(graph: Graph, facts: Target, context: Context, budget: Budget, train: Data) -> tuple[Graph, Decision | None]:
    """What a search finds, or what training does where that misses the form that was wanted, or few bytes."""
    require_extra()
    if budget.limits is not None:
        return _with_training_jointly(graph, facts, context, budget, train)
    from edgeopt.training.instead import recipe_of, trained_instead

    recipe_of(budget.names, [])  # before the work, not after it
    original = clone(graph)
    result = approximate(graph, budget, context, facts)
    return trained_instead(original, result, budget, train, context, facts)


def _with_training_jointly(
    graph: Graph, facts: Target, context: Context, budget: Budget, train: Data
) -> tuple[Graph, Decision | None]:
    from edgeopt.training.jointly import Given, check, trained_jointly

    check(budget)
    original = clone(graph)
    return trained_jointly(approximate(graph, budget, context, facts), Given(original, budget, train, context, facts))


def _graph(model: str | Path | ModelProto | Graph, shapes: Mapping[str, Sequence[int]] | None, options: Options) -> Graph:
    limit = options.max_memory
    graph = model if isinstance(model, Graph) else load(model, shapes, limit, options.bind)
    graph.memory_limit = graph.memory_limit if limit is None else limit
    return graph


def _preparation(graph: Graph, options: Options) -> dict[str, dict[str, Any]]:
    """Put what the options ask for in front of the inputs; the same for the manifest, with the shapes that the network takes."""
    wanted = options.preparations()
    shapes = {value.name: list(value.type.dims) for value in graph.inputs if value.name in wanted and value.type is not None}
    prepare_inputs(graph, wanted)
    return {name: {**asdict(preparation), "shape": shapes[name]} for name, preparation in wanted.items()}


def _check(model: object, level: object, target: object, shapes: object, options: object) -> None:
    arguments.instance("model", model, (str, Path, ModelProto, Graph))
    arguments.whole("level", level, 0, 3)
    arguments.instance("target", target, (str, Target))
    arguments.shapes(shapes)
    arguments.instance("options", options, (Options,))


def _check_budget(data: object, calibration: object, max_drop: object) -> None:
    for name, source in (("data", data), ("calibration", calibration)):
        arguments.instance(name, source, (str, Path, DataSet, type(None)))
        if isinstance(source, (str, Path)):
            arguments.file(name, source)
    arguments.share("max_drop", max_drop)


def _assembled(graph: Graph, facts: Target, level: int, context: Context, options: Options, symbol: str) -> CompiledModel:
    library = options.emit == C_LIBRARY or not facts.runs_here
    tuner = Tuner(facts, kernels_for(level)) if options.tune else None
    interface = Interface("codes" in options.interface, "arena" in options.interface, options.stream_input)
    form, backend = FileForm(_coded(options, facts), options.onnx), find_backend(options.backend)
    made = assemble(
        graph, facts, level, context, symbol if library else SYMBOL, library, tuner or by_rule, form, backend, interface
    )
    if tuner is not None:
        made.manifest["tuning"] = {"calls": tuner.calls, "measured": tuner.measured}
    return made


def _coded(options: Options, facts: Target) -> bool:
    """Whether the file of weights is coded."""
    return (options.weights or (RAW if facts.bare else CODED)) == CODED


def _describe(made: CompiledModel, found: Decision) -> None:
    """Put what was decided about each layer into the manifest; a layer named there is no island, nor is the head of an exit."""
    made.manifest["quantization"] = record(found)
    known = {layer["layer"] for layer in made.manifest["quantization"]["layers"]}
    if found.leaving is not None:
        made.manifest["exits"] = dict(found.leaving.record)
        known |= found.leaving.heads
    made.manifest["islands"] = [i for i in made.manifest["islands"] if layer_name(i["node"]) not in known]


def source_bytes_of(model: str | Path | ModelProto | Graph) -> int | None:
    """Bytes of the model, with the tensors that lie beside it; None for a Graph."""
    if isinstance(model, Graph):
        return None
    if isinstance(model, ModelProto):
        return source_bytes(model, None)
    return file_bytes(Path(model))


def source_digest_of(model: str | Path | ModelProto | Graph) -> str | None:
    """What the file is known by; None for a model that is none."""
    return file_digest(Path(model)) if isinstance(model, (str, Path)) else None


def symbol_of(model: str | Path | ModelProto | Graph) -> str:
    """The prefix of the C functions, from the model's file name."""
    stem = Path(model).stem if isinstance(model, (str, Path)) else model.name if isinstance(model, Graph) else model.graph.name
    return library_name(stem)

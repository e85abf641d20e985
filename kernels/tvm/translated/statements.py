"""From the statements of a kernel's function to those of TIR: loops, conditions, and calls written in place.

What is known while the kernel is written (all that its factory baked into it) decides conditions at once.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from tvm.tirx.script.builder import ir as build

from edgeopt.kernels.call import Declined
from edgeopt.kernels.tvm.translated import scalars
from edgeopt.kernels.tvm.translated.expressions import OPERATORS, truth, value
from edgeopt.kernels.tvm.translated.frame import Frame, Variable, Writing, settled, stored
from edgeopt.kernels.tvm.translated.memory import Pointer, local_memory, plus
from edgeopt.kernels.tvm.translated.source import assignments, names_of, tree_of
from edgeopt.kernels.tvm.writer import index

RESULT = "return"  # the name of the variable that holds what a function returns


def run(writing: Writing, function: Callable[..., Any], arguments: Sequence[Any], path: str) -> Any:
    """Write the statements of ``function``; what it returns. Raises Declined for what has no TIR, and Wider."""
    frame, tree = Frame(writing, function, path, names_of(function)), tree_of(function)
    counts = assignments(tree)
    for parameter, argument in zip(tree.args.args, arguments, strict=True):
        frame.give(parameter.arg, argument, counts[parameter.arg] > 1)
    if isinstance(tree, ast.Lambda):
        return settled(value(frame, tree.body))
    _block(frame, tree.body)
    return frame.name(RESULT) if RESULT in frame.values else None


def _block(frame: Frame, statements: Sequence[ast.stmt]) -> bool:
    """Write statements; True when what comes behind them is not reached."""
    for number, statement in enumerate(statements):
        if isinstance(statement, ast.If):
            return _if(frame, statement, statements[number + 1 :])
        if isinstance(statement, ast.Continue):
            return True
        if isinstance(statement, ast.Return):
            _return(frame, statement)
            return True
        write = _WRITERS.get(type(statement))
        if write is None:
            raise Declined(f"it has the statement '{type(statement).__name__}'")
        write(frame, statement)
    return False


def _assign(frame: Frame, statement: ast.Assign) -> None:
    given = value(frame, statement.value)
    for target in statement.targets:
        _give(frame, target, given)


def _give(frame: Frame, target: ast.expr, given: Any) -> None:
    """Give names, or an element of memory, a value."""
    if isinstance(target, ast.Tuple):
        for part, one in zip(target.elts, given, strict=True):
            _give(frame, part, one)
    elif isinstance(target, ast.Subscript):
        _store(value(frame, target.value), value(frame, target.slice), given)
    elif isinstance(target, ast.Name):
        frame.give(target.id, given, assignments(tree_of(frame.function))[target.id] > 1)
    else:
        raise Declined(f"it assigns to '{ast.unparse(target)}'")


def _store(pointer: Pointer, place: Any, given: Any) -> None:
    kind = stored(pointer.dtype)
    made = scalars.cast(scalars.cast(given, pointer.dtype), kind)
    pointer.memory.put(kind, scalars.expression(made), plus(pointer.offset, scalars.cast(place, "int64")))


def _augment(frame: Frame, statement: ast.AugAssign) -> None:
    target = statement.target
    reading = ast.Name(target.id, ast.Load()) if isinstance(target, ast.Name) else target
    before, by = value(frame, reading), value(frame, statement.value)
    _give(frame, target, scalars.binary(OPERATORS[type(statement.op)], before, by))


def _return(frame: Frame, statement: ast.Return) -> None:
    returns = sum(isinstance(node, ast.Return) for node in ast.walk(tree_of(frame.function)))
    if statement.value is not None:
        frame.give(RESULT, value(frame, statement.value), returns > 1)


def _if(frame: Frame, statement: ast.If, rest: Sequence[ast.stmt]) -> bool:
    """A condition, with what follows it: where one way ends early, the rest belongs to the other."""
    condition, body, other = truth(frame, statement.test), statement.body, statement.orelse
    if scalars.is_known(condition):
        return _block(frame, [*(body if condition else other), *rest])
    leaves = any(isinstance(node, ast.Return | ast.Continue) for part in (*body, *other) for node in ast.walk(part))
    if leaves:
        ends = isinstance(body[-1], ast.Return | ast.Continue)
        body, other, rest = body if ends else [*body, *rest], [*other, *rest], []
    frame.either(condition, lambda: _block(frame, body), (lambda: _block(frame, other)) if other else None)
    return leaves or _block(frame, rest)


def _for(frame: Frame, statement: ast.For) -> None:
    call = statement.iter
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "range"):
        for each in value(frame, call):  # of a tuple that is known
            _give(frame, statement.target, each)
            _block(frame, statement.body)
        return
    first, count, step = _range(*(value(frame, argument) for argument in call.args))
    with build.serial(index(0), index(scalars.cast(count, "int64"))) as i:
        place = i if scalars.is_known(step) and step == 1 else scalars.binary("mul", i, step)
        _give(frame, statement.target, scalars.binary("add", place, first))
        _block(frame, statement.body)
        build.evaluate(0)


def _range(first: Any, last: Any = None, step: Any = 1) -> tuple[Any, Any, Any]:
    """Where a range begins, how many numbers it has, and their distance, which is positive."""
    if last is None:
        first, last = 0, first
    count = scalars.binary("sub", last, first)
    if not scalars.is_known(step) or step != 1:
        count = scalars.binary("floordiv", scalars.binary("add", count, scalars.binary("sub", step, 1)), step)
    return first, count, step


def _while(frame: Frame, statement: ast.While) -> None:
    flag = Variable("", "bool", local_memory("int8", 1))
    frame.put(flag, truth(frame, statement.test))
    with build.While(flag.memory.element("int8", 0).equal(1)):
        _block(frame, statement.body)
        frame.put(flag, truth(frame, statement.test))


_WRITERS: dict[type[ast.stmt], Callable[..., None]] = {
    ast.Assign: _assign,
    ast.AugAssign: _augment,
    ast.Expr: lambda frame, statement: value(frame, statement.value),
    ast.For: _for,
    ast.While: _while,
    ast.Pass: lambda frame, statement: None,
}

"""The syntax trees of the functions of Python that kernels are made of."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from edgeopt.kernels.call import Declined

Function = ast.FunctionDef | ast.Lambda


@cache
def _functions(file: str) -> list[Function]:
    tree = ast.parse(Path(file).read_text())
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def tree_of(function: Callable[..., Any]) -> Function:
    """The definition of ``function``. Raises Declined where its file does not tell."""
    code = function.__code__
    places = [(line, column) for line, _, column, _ in code.co_positions() if line is not None and column is not None]
    found = [node for node in _functions(code.co_filename) if _place(node) == (code.co_name, code.co_firstlineno)]
    found = [node for node in found if isinstance(node, ast.FunctionDef) or any(_inside(node, place) for place in places)]
    if len(found) != 1:
        raise Declined(f"the source of '{code.co_name}' is not found")
    return found[0]


def _place(node: Function) -> tuple[str, int]:
    """The name and the first line of a function, as its code has them."""
    if isinstance(node, ast.Lambda):
        return "<lambda>", node.lineno
    return node.name, min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def _inside(node: Function, place: tuple[int, int]) -> bool:
    body = node.body
    assert isinstance(body, ast.expr) and body.end_lineno is not None and body.end_col_offset is not None
    return (body.lineno, body.col_offset) <= place < (body.end_lineno, body.end_col_offset)


@cache
def assignments(node: Function) -> dict[str, int]:
    """How often each name of a function is given a value, its parameters once."""
    counts = {argument.arg: 1 for argument in node.args.args}
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            counts[inner.id] = counts.get(inner.id, 0) + 1
        if isinstance(inner, ast.AugAssign) and isinstance(inner.target, ast.Name):
            counts[inner.target.id] = counts.get(inner.target.id, 0) + 1
    return counts


def names_of(function: Callable[..., Any]) -> dict[str, Any]:
    """What the names mean that ``function`` takes from around it."""
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    built_in = __builtins__ if isinstance(__builtins__, dict) else vars(__builtins__)
    return {**built_in, **function.__globals__, **dict(zip(function.__code__.co_freevars, cells, strict=True))}

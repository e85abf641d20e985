"""Checks of what a caller hands to the library: one message that says what was found and what is expected."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from functools import wraps
from inspect import signature
from math import isfinite
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from edgeopt.errors import EdgeoptError

P = ParamSpec("P")
R = TypeVar("R")


def whole(name: str, value: object, low: int, high: int | None = None) -> None:
    """Raise EdgeoptError unless ``value`` is an integer from ``low`` to ``high`` (without end when None); bools are none."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < low or (high is not None and int(value) > high):
        bounds = f"an integer from {low} to {high}" if high is not None else f"an integer of at least {low}"
        raise EdgeoptError(f"{name}={value!r}: expected is {bounds}")


def share(name: str, value: object) -> None:
    """Raise EdgeoptError unless ``value`` is a finite number that is not negative."""
    if isinstance(value, bool) or not isinstance(value, Real) or not isfinite(value) or value < 0:
        raise EdgeoptError(f"{name}={value!r}: expected is a finite number of at least 0")


def positive(name: str, value: object) -> None:
    """Raise EdgeoptError unless ``value`` is a finite number above 0."""
    if isinstance(value, bool) or not isinstance(value, Real) or not isfinite(value) or value <= 0:
        raise EdgeoptError(f"{name}={value!r}: expected is a finite number above 0")


def choice(name: str, value: object, known: Collection[str], default: str | None = None) -> None:
    """Raise EdgeoptError unless ``value`` is one of ``known``. None is allowed where ``default`` says what it means."""
    if value is None and default is not None:
        return
    if not isinstance(value, str) or value not in known:
        nothing = f", or None ({default})" if default is not None else ""
        raise EdgeoptError(f"{name}={value!r}: known are {', '.join(known)}{nothing}")


def instance(name: str, value: object, types: tuple[type, ...]) -> None:
    """Raise EdgeoptError unless ``value`` is of one of ``types``."""
    if not isinstance(value, types):
        wanted = " or ".join("None" if t is type(None) else t.__name__ for t in types)
        raise EdgeoptError(f"{name} is of type {type(value).__name__}: expected is {wanted}")


def file(name: str, value: str | Path | None) -> None:
    """Raise EdgeoptError unless there is something at the path ``value``, or none is given; what it is, its reader says."""
    if value is None:
        return
    if "\0" in str(value) or not Path(value).exists():
        raise EdgeoptError(f"{name}: there is no file {str(value)!r}")


def shapes(value: object) -> None:
    """Raise EdgeoptError unless ``value`` maps names of inputs to sequences of sizes, or is None."""
    if value is None:
        return
    instance("shapes", value, (Mapping, type(None)))
    assert isinstance(value, Mapping)
    for name, sizes in value.items():
        if not isinstance(name, str) or not _are_sizes(sizes):
            raise EdgeoptError(
                f"shapes[{name!r}]={sizes!r}: expected is an input's name and its sizes, as in {{'x': (1, 3, 224, 224)}}"
            )


def _are_sizes(sizes: Any) -> bool:
    if isinstance(sizes, (str, bytes)) or not hasattr(sizes, "__iter__"):
        return False
    return all(isinstance(s, Integral) and not isinstance(s, bool) and int(s) >= 0 for s in sizes)


def known_keywords(options: type | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorates a function of the library: an unknown keyword is an EdgeoptError, which says where ``options`` go."""

    def decorated(function: Callable[P, R]) -> Callable[P, R]:
        known = list(signature(function).parameters)

        @wraps(function)
        def called(*positional: P.args, **named: P.kwargs) -> R:
            for name in named:
                if name not in known:
                    raise EdgeoptError(_unknown(function.__name__, name, known, options))
            return function(*positional, **named)

        return called

    return decorated


def _unknown(function: str, name: str, known: list[str], options: type | None) -> str:
    """What to write in place of a keyword that is none."""
    fields = list(getattr(options, "__dataclass_fields__", ()))
    if name in fields:
        return f"{function} takes no {name}=; it is an option: {function}(..., options=edgeopt.Options({name}=...))"
    option = [f"options=edgeopt.Options({field}=...)" for field in get_close_matches(name, fields, 1)]
    near = [*get_close_matches(name, known, 1), *option]
    meant = f"did you mean {' or '.join(near)}? Known" if near else "known"
    return f"{function} takes no {name}=; {meant} are {', '.join(known)}"

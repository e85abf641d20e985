"""Entry point of the ``edgeopt`` command: exit code 0 on success, 1 on failure with one message, 2 on wrong usage.

``eval`` and ``verify``, whose 1 is the answer no, end with 3 on failure.
"""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from edgeopt import __version__
from edgeopt.cli import options
from edgeopt.cli.answer import FAILURE, INTERNAL, USAGE, finish
from edgeopt.cli.bench import bench
from edgeopt.cli.bisect import bisect
from edgeopt.cli.calibrate import calibrate
from edgeopt.cli.compile import compile_
from edgeopt.cli.compress import compress
from edgeopt.cli.console import complain, visible, warn
from edgeopt.cli.eval import eval_
from edgeopt.cli.exits import exits
from edgeopt.cli.explore import explore
from edgeopt.cli.forms import forms
from edgeopt.cli.inspect import inspect
from edgeopt.cli.mode import mode
from edgeopt.cli.ops import ops
from edgeopt.cli.option_names import as_typed
from edgeopt.cli.partition import partition
from edgeopt.cli.passes import passes
from edgeopt.cli.profile import profile
from edgeopt.cli.run import run
from edgeopt.cli.schema import schema
from edgeopt.cli.seldom import collecting_seldom
from edgeopt.cli.select import select
from edgeopt.cli.serve import serve
from edgeopt.cli.sign import sign
from edgeopt.cli.targets import targets
from edgeopt.cli.tune import tune
from edgeopt.cli.verify import verify
from edgeopt.cli.why import why
from edgeopt.errors import EdgeoptError, UnknownName

EXIT_CODES = {"eval": 3, "verify": 3}  # of commands that could not do their work, where 1 is an answer


class Commands(click.Group):
    """A group that turns a failure into one message on stderr, and with --json one object on stdout, and an exit code."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        mode().json = "--json" in (args[: args.index("--")] if "--" in args else args)
        with _reported(ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        with _reported(ctx), warnings.catch_warnings(), collecting_seldom():
            warnings.showwarning = _show_warning
            result = super().invoke(ctx)
            finish(0)
            return result


@contextmanager
def _reported(ctx: click.Context) -> Iterator[None]:
    """Whatever ends the block is said, and raised again as something that click ends with."""
    try:
        yield
    except click.exceptions.Exit as end:
        if end.exit_code:
            finish(end.exit_code)
        raise
    except click.ClickException as error:
        vars(error)["message"] = visible(_with_place(error))  # the attribute is declared final
        finish(error.exit_code, USAGE, error.format_message())
        raise
    except KeyboardInterrupt:
        said = "stopped"
        if ctx.invoked_subcommand == "compile":
            said += ": nothing was written; at -O3 the same command goes on from what was tried"
        complain(said)
        finish(1, FAILURE, said)
        raise click.exceptions.Exit(1) from None
    except (click.Abort, BrokenPipeError):
        raise
    except Exception as error:
        raise _failure(error, ctx) from error


def _with_place(error: click.ClickException) -> str:
    """The message, and of an option that a command does not have which others do."""
    if not isinstance(error, click.NoSuchOption):
        return error.message
    names = sorted(one.name or "" for one in COMMANDS if any(error.option_name in param.opts for param in one.params))
    return f"{error.message.rstrip('.')}; it belongs to {', '.join(names)}." if names else error.message


def _failure(error: Exception, ctx: click.Context) -> click.ClickException:
    """What the user reads of ``error``; with --debug the traceback goes before it."""
    if ctx.params.get("debug"):
        complain("".join(traceback.format_exception(error)))
    known = isinstance(error, EdgeoptError)
    said = as_typed(str(error), main.commands.get(ctx.invoked_subcommand or ""))
    text = said if known else f"internal error, {type(error).__name__}: {error} ('edgeopt --debug ...' shows the traceback)"
    made = click.ClickException(visible(text))
    odd = isinstance(error, UnknownName)
    code = click.UsageError.exit_code if odd else EXIT_CODES.get(ctx.invoked_subcommand or "", 1)
    vars(made)["exit_code"] = code  # declared as one of the class
    finish(made.exit_code, USAGE if odd else FAILURE if known else INTERNAL, made.message)
    return made


def _show_warning(message: Warning | str, category: type[Warning], *place: object, **more: object) -> None:
    warn(str(message))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the traceback of a failure.")
@options.quiet_and_verbose
@click.version_option(__version__)
def main(debug: bool) -> None:
    """Compile ONNX neural networks to verified native code for the edge."""


COMMANDS: tuple[click.Command, ...] = (
    compile_,
    compress,
    tune,
    run,
    eval_,
    bench,
    inspect,
    calibrate,
    sign,
    verify,
    bisect,
    targets,
    passes,
    forms,
    ops,
    schema,
    why,
    partition,
    profile,
    serve,
    exits,
    explore,
    select,
)
for command in COMMANDS:
    main.add_command(options.quiet_and_verbose(command))


if __name__ == "__main__":
    main()

"""Entry point of the ``edgeopt`` command: exit code 0 on success, 1 on failure with one message, 2 on wrong usage."""

from __future__ import annotations

import traceback
import warnings
from typing import Any

import click

from edgeopt import __version__
from edgeopt.cli.bench import bench
from edgeopt.cli.bisect import bisect
from edgeopt.cli.calibrate import calibrate
from edgeopt.cli.compile import compile_
from edgeopt.cli.compress import compress
from edgeopt.cli.console import note, visible
from edgeopt.cli.exits import exits
from edgeopt.cli.forms import forms
from edgeopt.cli.inspect import inspect
from edgeopt.cli.partition import partition
from edgeopt.cli.passes import passes
from edgeopt.cli.profile import profile
from edgeopt.cli.run import run
from edgeopt.cli.serve import serve
from edgeopt.cli.sign import sign
from edgeopt.cli.targets import targets
from edgeopt.cli.tune import tune
from edgeopt.cli.verify import verify
from edgeopt.cli.why import why
from edgeopt.errors import EdgeoptError


class Commands(click.Group):
    """A group that turns a failure into one message on stderr and exit code 1; ``--debug`` shows the traceback too."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _show_warning
                return super().invoke(ctx)
        except click.ClickException as error:
            vars(error)["message"] = visible(error.message)  # the attribute is declared final
            raise
        except (click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            raise _failure(error, bool(ctx.params.get("debug"))) from error


def _failure(error: Exception, debug: bool) -> click.ClickException:
    """What the user reads of ``error``; with ``debug`` the traceback goes before it."""
    if debug:
        note("".join(traceback.format_exception(error)))
    if isinstance(error, EdgeoptError):
        return click.ClickException(visible(str(error)))
    text = f"internal error, {type(error).__name__}: {error} ('edgeopt --debug ...' shows the traceback)"
    return click.ClickException(visible(text))


def _show_warning(message: Warning | str, category: type[Warning], *place: object, **more: object) -> None:
    note(f"warning: {message}")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the traceback of a failure.")
@click.version_option(__version__)
def main(debug: bool) -> None:
    """Compile ONNX neural networks to verified native code for the edge."""


for command in (
    compile_,
    compress,
    tune,
    run,
    bench,
    inspect,
    calibrate,
    sign,
    verify,
    bisect,
    targets,
    passes,
    forms,
    why,
    partition,
    profile,
    serve,
    exits,
):
    main.add_command(command)


if __name__ == "__main__":
    main()

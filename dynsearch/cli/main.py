"""The ``dynsearch`` command: finds the subcommand, and turns errors into one message and an exit code."""

import atexit
import contextlib
import importlib
import os
import sys
from collections.abc import Sequence

import click

from dynsearch import __version__
from dynsearch.errors import DynsearchError, Stopped, did_you_mean

_COMMANDS = (
    "init", "study", "frontier", "calibrate", "export", "train", "evaluate", "score", "predict", "cost", "data",
    "dashboard", "report",
)  # fmt: skip


class _LazyGroup(click.Group):
    """Finds a subcommand in ``dynsearch.cli.<name>`` when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand, or name the nearest one."""
        if args[0] not in _COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"No such command {args[0]!r}. {did_you_mean(args[0], _COMMANDS)}See dynsearch --help.")
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"dynsearch.cli.{cmd_name}"), cmd_name)
        return command


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="GFLOPs are 10^9 multiply-accumulates per video. Start with: dynsearch study --dataset motions",
)
@click.version_option(__version__, prog_name="dynsearch")
def cli() -> None:
    """Budget search and calibration for multi-exit video action networks."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 bad usage, 130 interrupted.

    A study or training ended by SIGTERM is no failure: it exits with 0 and says that it can go on.
    """
    try:
        code = cli.main(args=argv, prog_name="dynsearch", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except DynsearchError as error:
        click.echo(f"dynsearch: {error}", err=True)
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt) as error:
        click.echo("\ndynsearch: interrupted; run the same command again to go on", err=True)
        code = 130
        if isinstance(error.__cause__ or error, KeyboardInterrupt):
            _end(code)
    except Stopped:
        click.echo("dynsearch: stopped on request, resumable; run the same command again to go on", err=True)
        code = 0
    except BrokenPipeError:
        # The reader of our output went away (`| head`); what is left to flush has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _end(code: int) -> None:
    """End with ``code`` after Ctrl-C: where that came while a library was loaded, Python would end by the signal."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)

"""Run one command: `python -m mun <command>`; every command is a module of `mun.commands`."""

import importlib
import os
import sys
from collections.abc import Sequence

from mun import commands
from mun.parser import OneLineParser

__all__ = ["main"]

TOGETHER = ("train", "evaluate", "embed")  # commands that torchrun can run in several processes


def overview() -> str:
    """List the commands, one line each."""
    lines = ["usage: python -m mun <command> [options]", "", "commands:"]
    lines += [f"  {name:<10} {summary}" for name, summary in commands.SUMMARIES.items()]
    return "\n".join([*lines, "", "python -m mun <command> --help explains one of them."])


def report_error(error: Exception, message: str) -> int:
    """Print in one line why a command failed, and return its exit code; with `MUN_DEBUG=1` raise the error again."""
    if os.environ.get("MUN_DEBUG") == "1":
        raise error
    print(f"mun: error: {' '.join(message.split())}", file=sys.stderr)
    return 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, or 2 after one line on stderr for bad input or full memory.

    With the environment variable `MUN_DEBUG=1` the traceback of such an error is shown too.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in {"-h", "--help"}:
        print(overview())
        return 0 if words else 2
    name = words[0]
    if name not in commands.SUMMARIES:
        known = ", ".join(commands.SUMMARIES)
        print(f"mun: error: expected one of the commands {known}; got {name!r}", file=sys.stderr)
        return 2
    if name not in TOGETHER and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        print(f"mun: error: expected one of {', '.join(TOGETHER)} under torchrun, got {name}", file=sys.stderr)
        return 2
    command = importlib.import_module(f"mun.commands.{name}")
    parser = OneLineParser(prog=f"python -m mun {name}", description=command.__doc__)
    command.add_arguments(parser)
    try:
        options = parser.parse_intermixed_args(words[1:])  # `parse_args` misses an optional positional after an option
        command.run(options)
    except (ValueError, OSError) as error:
        return report_error(error, str(error))
    except (MemoryError, RuntimeError) as error:
        kind = type(error)  # compared by name, because torch is not imported here
        on_gpu = f"{kind.__module__}.{kind.__name__}" == "torch.OutOfMemoryError"
        if not (on_gpu or isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error)):
            raise
        full = "the GPU's memory is full" if on_gpu else "the memory is full"
        return report_error(error, f"{full}; in training a smaller batch may help, e.g. --ids-per-batch 4")
    except KeyboardInterrupt:
        print("mun: stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

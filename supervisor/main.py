"""The supervisor's process."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial

import structlog

from kronk.shared import exits, settings, stacks
from kronk.shared import log as logging
from kronk.shared.errors import KronkError
from kronk.shared.libraries import selection
from kronk.shared.model_config import ModelConfig
from kronk.shared.models import index
from kronk.shared.models.configured import recommended
from kronk.shared.models.resolve import resolve
from kronk.shared.paths import BasePath
from kronk.shared.settings import Settings
from kronk.shared.wire.loading import LoadSpec

from .activation import passed
from .births import Listening
from .boot import CannotStart, Lock, cannot_write, clear_away, debug_listener, listen
from .commands import Commands
from .configuration import Configuration
from .log_sink import RotatedFile, Sink, Stdout, output
from .memory import Memory
from .server import Supervisor
from .sizes import Sizes

log = structlog.get_logger()


def main() -> None:
    """Run a server with the settings of the environment; exits with a code of `exits`."""
    try:
        serve(settings.from_environment(), Commands())
        code = exits.OK
    except CannotStart as error:
        print(f"error: {error.message}", file=sys.stderr)
        code = error.code
    except KronkError as error:
        print(f"error: {error.message}", file=sys.stderr)
        code = exits.USAGE
    except KeyboardInterrupt:
        # Before there was a loop to hear it: nothing was started yet.
        code = exits.INTERRUPTED
    raise SystemExit(code)


def serve(config: Settings, commands: Commands) -> None:
    """From the checks to the last process; raises what a person has to put right."""
    base = config.base
    base.prepare()
    moved = [path for folder in {base.run, base.sockets} for path in clear_away(folder)]
    lock = Lock(base.pid_file)
    try:
        stacks.offer(base.run, os.getpid())
        stacks.answer()
        memory = Memory(config, base)
        look_up = partial(resolve_model, base, config, memory.sizes)
        check = partial(index.check_names, base.models)
        unused = partial(unused_names, base)
        configuration = Configuration(
            config.model_config_file,
            base.configuration,
            look_up,
            check,
            unused,
            partial(recommended, base),
            own=base.model_config,
        )
        configuration.take()
        with ExitStack() as listening:
            ours = passed(os.environ, os.getpid())
            listeners = ours or [listen(config.api_host)]
            for listener in listeners:
                listening.enter_context(listener)
            debug, why = debug_listener(config)
            if debug is not None:
                listening.enter_context(debug)
            sink = _open_sink(base)
            logging.configure("supervisor", config.log_level, sink.write)
            if why is not None:
                log.warning("no debug server", reason=why)
            _warn_of_unknown_variables(os.environ)
            for path in moved:
                log.warning("a folder was in the place of a file, and is put aside", path=str(path))
            supervisor = Supervisor(
                config,
                Listening(
                    tuple(listeners),
                    are_passed=bool(ours),
                    debug=() if debug is None else (debug,),
                ),
                sink,
                configuration,
                memory,
                os.environ,
                commands,
            )
            try:
                asyncio.run(supervisor.run())
            finally:
                sink.close()
    finally:
        stacks.forget(base.run, os.getpid())
        lock.release()


def _open_sink(base: BasePath) -> Sink:
    try:
        file = RotatedFile(base.log_file)
    except OSError as error:
        raise cannot_write(base.log_file, error) from error
    return Sink(output("file", file.write), output("stdout", Stdout().write))


def resolve_model(
    base: BasePath,
    config: Settings,
    sizes: Sizes,
    models: Mapping[str, ModelConfig],
    name: str,
) -> LoadSpec:
    """What a worker is told to load for a request that names a model so; afterwards `sizes` knows
    how large that is."""
    spec = resolve(
        base,
        models,
        name,
        llama_log=config.llama_log,
        library=partial(selection.spec_for, config),
    )
    sizes.look(spec)
    return spec


def unused_names(base: BasePath, models: Mapping[str, ModelConfig]) -> list[str]:
    """Those under which a configuration has settings for no model."""
    return index.unused(index.scan(base.models, models), models) if models else []


def _warn_of_unknown_variables(environment: Mapping[str, str]) -> None:
    for name, close in settings.unknown_variables(environment):
        hint = f"did you mean {close}?" if close else None
        log.warning("an environment variable that Kronk does not know", name=name, hint=hint)

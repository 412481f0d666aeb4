"""From a resolved configuration to an engine that has decoded once."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from kronk.shared import gguf
from kronk.shared.errors import InvalidArgument, ModelFailed
from kronk.shared.models.projectors import is_projector
from kronk.shared.sizing.shape import default_threads
from kronk.shared.wire.loading import Fitted, LoadSpec
from kronk.shared.wire.to_supervisor import LoadProgress
from kronk.shared.wire.values import Sampling

from . import adapters, backends, chat_template, gguf_file, library, rope, template
from .assembly import build_engine, cache_policy, memory_kind, open_disk
from .cache.disk import DiskStore
from .cache.policy import CachePolicy
from .constraint.compile import Compiler
from .context import Batch, Context, ContextShape, DecodeResult
from .engine import sampling
from .engine.crowding import Crowding
from .engine.engine import Engine
from .library import LlamaLog, Measured
from .media.projector import Projector, ProjectorShape
from .model import Model
from .parsers.base import Family
from .parsers.choose import choose as choose_family
from .parsers.reasoning import Tags, supports_thinking
from .placement import Layers
from .pooled import loader as pooled
from .pooled.kind import pooling_of, trained_positions
from .pooled.loader import PooledLoaded
from .report import Serving
from .report import fitted as fit
from .shape import shape_context
from .speculation.build import build_drafter

log = structlog.get_logger()

# Seconds that an ending process may go on writing states to disk.
_WRITE_WITHIN = 1.5

# Rows of the first decode: enough to reach the matrix kernels that single rows never use, which
# are the ones a miscompiled build dies in.
_CANARY_ROWS = 32
# A token that fits every vocabulary; what it means does not matter.
_CANARY_TOKEN = 1


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that is ready to serve."""

    model: Model
    engine: Engine
    template: template.Choice
    # Of the model's configuration and of its GGUF, in that order.
    # What the configuration, the catalog and the GGUF say.
    sampling: tuple[Sampling, Sampling, Sampling]
    fitted: Fitted
    # How it writes tool calls, and what stands around its thinking.
    family: Family
    tags: Tags | None
    compiler: Compiler
    cache: CachePolicy
    # Of its memory only whole saved states can be used again.
    is_rigid: bool
    disk: DiskStore | None
    # None where the model takes text only.
    projector: Projector | None

    def close(self) -> None:
        """The process is about to end: keep what is still to be kept."""
        if self.disk is not None:
            left = self.disk.close(_WRITE_WITHIN)
            if left:
                log.warning("prefix cache: states were not written in time", count=left)


def load(
    spec: LoadSpec,
    *,
    log_lines: LlamaLog,
    report: Callable[[LoadProgress], None],
    emit: Callable[[list[Any]], None],
) -> Loaded | PooledLoaded:
    """Blocks for as long as the load takes; the calling thread then runs the engine.

    Raises `ModelFailed` for a file that is broken or that llama.cpp refuses, and `InvalidArgument`
    for a model that cannot do what this version serves.
    """
    # Here and not at the start: drivers start threads, which the sandbox of the load is for too.
    backends.load_all()
    header = _check_file(Path(spec.path))
    pooling = pooling_of(header)
    log_lines.measured = Measured()
    model = _open(spec, header, log_lines, report)
    if pooling is not None:
        return pooled.load(
            spec,
            pooling,
            header,
            model,
            n_threads=spec.context.n_threads or default_threads(cores()),
            log_lines=log_lines,
            report=report,
            emit=emit,
        )
    model.require_generation()
    _check_biases(spec, model)
    rotation = rope.derive(
        spec.context.rope, spec.context.window, model.trained(trained_positions(header))
    )
    shaped = shape_context(spec, rotation, cores())
    shape = shaped.shape
    context = _make_context(spec, model, shape, log_lines, report)
    measured, log_lines.measured = log_lines.measured, Measured()
    projector = _open_projector(spec, model, shape, log_lines, report)
    chosen = chat_template.choose(model, spec.template)
    if chosen.reason is not None:
        log.warning("chat template: falling back to ChatML", model=spec.model, reason=chosen.reason)
    queue = spec.queue_depth * shape.n_seq_max
    disk = open_disk(spec, shape, chosen.source)
    engine = build_engine(
        spec,
        model,
        context,
        slots=shape.n_seq_max,
        queue=queue,
        n_ubatch=shape.n_ubatch,
        drafter=build_drafter(spec, model, memory_kind(model, spec), shape, log_lines),
        crowding=None if library.has_gpu() else Crowding(shape.n_threads),
        disk=disk,
        emit=emit,
    )
    family = choose_family(spec.tool_parser, chosen.source, model.architecture)
    serving = Serving(rotation.window, shape.n_seq_max, queue, chosen.origin, family.name)
    notes = (*rotation.notes, *shaped.notes)
    fitted = fit(spec, model, shape, measured, serving, rotation.fitted, notes)
    if projector is not None:
        fitted = dataclasses.replace(fitted, modalities=projector.modalities)
    for note in fitted.notes:
        log.warning("not as configured", model=spec.model, reason=note)
    return Loaded(
        model,
        engine,
        chosen,
        (spec.sampling, spec.recommended, sampling.recommended(model.metadata)),
        fitted,
        family,
        supports_thinking(chosen.source),
        Compiler(model),
        cache_policy(spec.cache),
        memory_kind(model, spec).is_rigid,
        disk,
        projector,
    )


def _check_biases(spec: LoadSpec, model: Model) -> None:
    """`ModelFailed` where the configuration biases a token that the vocabulary does not have."""
    try:
        sampling.require_known_tokens(sampling.resolve(spec.sampling), model.n_vocab)
    except InvalidArgument as error:
        raise ModelFailed(f"sampling_parameters: {error.message}", param="model") from error


def _open(
    spec: LoadSpec,
    header: gguf.Header,
    log_lines: LlamaLog,
    report: Callable[[LoadProgress], None],
) -> Model:
    return Model(
        Path(spec.path),
        placement=spec.placement,
        layers=_layers(header),
        extra_buffers=spec.extra_buffers,
        log=log_lines,
        on_progress=lambda fraction: report(LoadProgress("weights", fraction)),
    )


def _layers(header: gguf.Header) -> Layers:
    architecture = header.metadata["general.architecture"]
    count, experts = (
        value if type(value := header.metadata.get(f"{architecture}.{key}")) is int else 0
        for key in ("block_count", "expert_count")
    )
    return Layers(count, experts)


def _make_context(
    spec: LoadSpec,
    model: Model,
    shape: ContextShape,
    log_lines: LlamaLog,
    report: Callable[[LoadProgress], None],
) -> Context:
    """A context with its adapters that has decoded."""
    report(LoadProgress("context", 0.0))
    context = Context(model, shape, log_lines)
    adapters.apply(model, context, spec.adapters, log_lines)
    report(LoadProgress("first_decode", 0.0))
    first_decode(context, min(_CANARY_ROWS, shape.n_ubatch))
    return context


def _open_projector(
    spec: LoadSpec,
    model: Model,
    shape: ContextShape,
    log_lines: LlamaLog,
    report: Callable[[LoadProgress], None],
) -> Projector | None:
    if spec.projector is None:
        return None
    path = Path(spec.projector)
    header = _read_header(gguf_file.read, path)
    if not is_projector(header):
        raise ModelFailed(f"projector {path.name}: it is a model, not a projector", param="model")
    projector = Projector(
        ProjectorShape(
            path,
            n_threads=shape.n_threads,
            use_gpu=library.has_gpu() and spec.placement.n_gpu_layers != 0,
            n_ubatch=shape.n_ubatch,
        ),
        model,
        log_lines,
        lambda fraction: report(LoadProgress("projector", fraction)),
    )
    log.info("projector", file=path.name, takes=projector.modalities)
    return projector


def _check_file(path: Path) -> gguf.Header:
    header = _read_header(gguf_file.check, path)
    if is_projector(header):
        raise ModelFailed(
            f"{path.name} is a projector, not a model: put it beside its model under a name with"
            " `mmproj` in it",
            param="model",
        )
    return header


def _read_header(read: Callable[[Path], gguf.Header], path: Path) -> gguf.Header:
    try:
        return read(path)
    except InvalidArgument as error:
        # A broken file on our disk is not the caller's fault.
        raise ModelFailed(error.message, param="model") from error


def cores() -> int:
    """Those this process may use."""
    return len(os.sched_getaffinity(0))


def first_decode(context: Context, rows: int) -> None:
    """Decode a few rows and forget them: a build that does not fit this CPU dies here."""
    batch = Batch(rows)
    for count in (rows, 1):
        batch.clear()
        batch.add(0, 0, [_CANARY_TOKEN] * count, output_last=True)
        result = context.decode(batch)
        if result is not DecodeResult.OK:
            raise ModelFailed(f"the first decode of {count} tokens failed: {result.name}")
        context.outputs(1)
        context.forget(0)

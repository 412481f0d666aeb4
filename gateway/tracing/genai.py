"""What is asked of a model and what came of it, by the semantic conventions for generative AI.

<https://opentelemetry.io/docs/specs/semconv/gen-ai/>. Numbers and names only: stop sequences,
schemas and the like are a client's text.
"""

from __future__ import annotations

from kronk.gateway.job import Job
from kronk.gateway.telemetry.report import RunReport
from kronk.shared.wire.to_worker import Embed, Rank, Submit

from .spans import Value

# A name that was asked for may be anything.
_LONGEST_NAME = 200
_JSON = frozenset({"json_object", "json_schema"})


def operation(job: Job) -> str:
    """`gen_ai.operation.name`; where the conventions have none, ours."""
    match job.ask:
        case Submit(prompt=prompt):
            return "text_completion" if prompt.messages is None else "chat"
        case Embed():
            return "embeddings"
        case Rank():
            return "rerank"
        case None:
            return "load"
        case _:
            return "inspect"


def asked(job: Job) -> dict[str, Value]:
    """Attributes of the request. What its client did not say is left out."""
    found: dict[str, Value | None] = {
        "gen_ai.operation.name": operation(job),
        "gen_ai.provider.name": "kronk",
        "gen_ai.request.model": job.model[:_LONGEST_NAME],
    }
    match job.ask:
        case Submit():
            found |= _generation(job.ask)
        case Embed():
            found["gen_ai.embeddings.dimension.count"] = job.ask.dimensions
            found["kronk.inputs"] = len(job.ask.inputs)
        case Rank():
            found["kronk.documents"] = len(job.ask.documents)
    return _known(found)


def answered(report: RunReport) -> dict[str, Value]:
    """Attributes of what came of it."""
    usage = report.usage
    found: dict[str, Value | None] = {
        "gen_ai.response.model": report.model,
        "gen_ai.response.finish_reasons": report.finish_reasons or None,
        "gen_ai.usage.input_tokens": report.prompt_tokens or None,
        "gen_ai.usage.output_tokens": report.completion_tokens or None,
    }
    if report.kind == "generate":
        found["gen_ai.response.time_to_first_chunk"] = report.ttft
        found["gen_ai.server.time_to_first_token"] = report.ttft
    if usage is not None:
        found |= {
            "gen_ai.usage.input_tokens": usage.prompt_tokens,
            "gen_ai.usage.output_tokens": usage.completion_tokens,
            "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
            "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
        }
    return _known(found)


def _generation(ask: Submit) -> dict[str, Value | None]:
    sampling, answer = ask.sampling, ask.answer
    is_json = answer.constraint is not None and answer.constraint.kind in _JSON
    return {
        "gen_ai.request.max_tokens": ask.max_tokens,
        "gen_ai.request.temperature": sampling.temperature,
        "gen_ai.request.top_p": sampling.top_p,
        "gen_ai.request.top_k": sampling.top_k,
        "gen_ai.request.frequency_penalty": sampling.frequency_penalty,
        "gen_ai.request.presence_penalty": sampling.presence_penalty,
        "gen_ai.request.seed": sampling.seed,
        "gen_ai.request.choice.count": answer.choices if answer.choices > 1 else None,
        "gen_ai.output.type": "json" if is_json else "text",
        "kronk.tools": len(ask.prompt.tools) or None,
        "kronk.media": len(ask.prompt.media) or None,
        "kronk.session": True if ask.prompt.session is not None else None,
    }


def _known(found: dict[str, Value | None]) -> dict[str, Value]:
    return {name: value for name, value in found.items() if value is not None}

"""One scrape while it is written: samples under the names of the catalog, and no others."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric
from prometheus_client.utils import floatToGoString

from kronk.shared.telemetry.histogram import Histogram
from kronk.shared.telemetry.spread import Spread

from .catalog import ALL


class Sheet:
    """Families without a sample are there too, so that who looks finds what there is."""

    def __init__(self) -> None:
        self._families = {
            name: Metric(name.removesuffix("_total"), one.meaning, one.kind)
            for name, one in ALL.items()
        }

    def add(self, name: str, value: float | None, **labels: str) -> None:
        """A sample; None is no value."""
        assert ALL[name].labels == tuple(labels), f"the labels of {name} are {ALL[name].labels}"
        if value is not None:
            self._families[name].add_sample(name, labels, float(value))

    def histogram(self, name: str, histogram: Histogram, **labels: str) -> None:
        """All samples of one."""
        assert ALL[name].labels == tuple(labels), f"the labels of {name} are {ALL[name].labels}"
        family, counts = self._families[name], histogram.cumulative()
        bounds = [*map(floatToGoString, histogram.bounds), "+Inf"]
        for bound, count in zip(bounds, counts, strict=True):
            family.add_sample(f"{name}_bucket", {**labels, "le": bound}, float(count))
        family.add_sample(f"{name}_count", labels, float(counts[-1]))
        family.add_sample(f"{name}_sum", labels, histogram.sum)

    def spread(self, name: str, spread: Spread, model: str) -> None:
        """The manual's three gauges; nothing before there was a value."""
        if spread.count:
            self.add(f"{name}_avg", spread.mean, model=model)
            self.add(f"{name}_min", spread.low, model=model)
            self.add(f"{name}_max", spread.high, model=model)

    def families(self) -> Iterator[Metric]:
        """All of them, in the catalog's order."""
        yield from self._families.values()

"""Machines that models are compared with: this one, or one that somebody imagines."""

from __future__ import annotations

from collections.abc import Iterable

from kronk.shared.settings import Settings

from . import budget
from .budget import Device
from .machine import machine, uses_gpus
from .placing import HOST, Gpu
from .predict import Machine
from .room import Ground, Room
from .shape import Host


def this_machine(settings: Settings) -> Ground:
    """As the server of these settings sees it, empty."""
    return _ground(budget.devices(settings.memory_budget, uses_gpus=uses_gpus()))


def imagined(settings: Settings, memory: int | None, gpus: Iterable[int] | None) -> Ground:
    """This machine with so many bytes of main memory and such GPUs instead of its own; None leaves
    what there is. The share that models may take stays."""
    here = budget.devices(settings.memory_budget, uses_gpus=gpus is None and uses_gpus())
    main = here[0] if memory is None else budget.host(settings.memory_budget, memory)
    cards = here[1:] if gpus is None else _cards(gpus)
    return _ground((main, *cards), memory, is_imagined=True)


def _cards(sizes: Iterable[int]) -> tuple[Device, ...]:
    return tuple(budget.gpu_of(f"gpu{at}", size) for at, size in enumerate(sizes))


def _ground(
    devices: tuple[Device, ...], memory: int | None = None, *, is_imagined: bool = False
) -> Ground:
    found = machine(devices)
    if is_imagined:
        cards = tuple(Gpu(one.name, one.budget_bytes) for one in devices if one.name != HOST)
        host = Host(found.host.threads, memory or found.host.memory_bytes, has_gpu=bool(cards))
        found = Machine(host, cards, found.repacked)
    rooms = tuple(Room(one.name, one.total_bytes, one.budget_bytes) for one in devices)
    return Ground(found, rooms, is_imagined)

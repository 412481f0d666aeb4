"""What /proc says of a process: CPU by thread, memory with and without the model's pages."""

from __future__ import annotations

from pathlib import Path


def cpu_by_thread(pid: int) -> dict[str, float]:
    """Seconds of CPU by thread name; threads of one name are added up."""
    seconds: dict[str, float] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        name = (task / "comm").read_text().strip()
        nanoseconds = int((task / "schedstat").read_text().split()[0])
        seconds[name] = seconds.get(name, 0.0) + nanoseconds / 1e9
    return seconds


def memory(pid: int) -> tuple[int, int]:
    """Resident bytes of all mappings, and of those that map a GGUF file."""
    total = model = 0
    is_model = False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if "-" in line.split(" ", 1)[0]:
            is_model = line.endswith(".gguf")
        elif line.startswith("Rss:"):
            size = int(line.split()[1]) * 1024
            total += size
            model += size if is_model else 0
    return total, model

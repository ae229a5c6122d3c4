"""The table of results, and what machine they are from, in Markdown."""

import os
import platform
import subprocess
from typing import NamedTuple

MIB = 1 << 20
GIB = 1 << 30


class Row(NamedTuple):
    """One line of the table. A value above its limit is missed; without a limit it only informs."""

    what: str
    measured: str
    against: str
    value: float
    limit: float | None = None
    unit: str = "×"

    @property
    def cells(self):
        target = "" if self.limit is None else f"≤ {self.limit:g} {self.unit}".rstrip()
        met = "" if self.limit is None else "yes" if self.value <= self.limit else "**no**"
        digits = 2 if self.unit == "×" else 1
        value = f"{self.value:.{digits}f} {self.unit}".rstrip()
        return [self.what, self.measured, self.against, value, target, met]


HEAD = ["what", "measured", "against", "value", "target", "met"]


def size(byte_count):
    """A size for a person, in powers of 1024."""
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (1024, "KiB")):
        if byte_count >= unit:
            return f"{byte_count / unit:.4g} {name}"
    return f"{byte_count} bytes"


def rate(usage, byte_count):
    """A time, and how fast that is."""
    return f"{usage.seconds:.2f} s, {byte_count / usage.seconds / 1e9:.2f} GB/s"


def markdown(cells):
    """One line of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


def table_head():
    return markdown(HEAD) + "\n" + markdown(["---"] * len(HEAD))


def machine(directory, program):
    """What the numbers depend on, as a Markdown list."""
    facts = {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": size(_memory("MemTotal")),
        "kernel": f"{platform.system()} {platform.release()}",
        "file system": _file_system(directory),
        "libzstd": _libzstd(program),
        "commit": _commit(),
        "load before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }
    return "\n".join(f"- {name}: {fact}" for name, fact in facts.items())


def available_memory():
    """The bytes that a warm file may take in the page cache."""
    return _memory("MemAvailable")


def _processor():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory(field):
    with open("/proc/meminfo", encoding="utf-8") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":"))


def _file_system(directory):
    device = os.stat(directory).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    with open("/proc/self/mountinfo", encoding="utf-8") as lines:
        for fields in map(str.split, lines):
            if fields[2] == number:
                return f"{fields[fields.index('-') + 1]} ({fields[5]})"
    return "unknown"


def _libzstd(program):
    """The library that the dynamic linker gives the program, by its real name."""
    lines = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    paths = [line.split()[2] for line in lines.splitlines() if "libzstd" in line and "=>" in line]
    return os.path.basename(os.path.realpath(paths[0])) if paths else "unknown"


def _commit():
    command = ["git", "-C", os.path.dirname(__file__) or ".", "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

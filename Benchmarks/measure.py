"""Runs programs and measures them: wall time and peak resident memory."""

import os
import signal
import statistics
import subprocess
import time
from typing import NamedTuple


class Usage(NamedTuple):
    """What a program took: seconds, and bytes of memory at its peak.

    A peak below that of this program, some 20 MiB, is not seen: Linux hands it down to children.
    """

    seconds: float
    peak_bytes: int


class Failure(Exception):
    """A program that was to be measured failed."""


class Input:
    """What a program reads: a file, or the output of another program through a pipe."""

    def __init__(self, path=None, generator=None):
        self.path = path
        self.generator = generator

    @property
    def argument(self):
        return self.path or "-"


def run(command, source=None, output=subprocess.DEVNULL):
    """Runs a command once, with the source's generator before it, and gives back its usage.

    What earlier runs left for the disk is written out first. The time ends with the command's end,
    and begins before the generator's start.
    """
    os.sync()
    children = []
    try:
        started = time.monotonic()
        reads = subprocess.DEVNULL
        if source is not None and source.generator is not None:
            children.append(subprocess.Popen(source.generator, stdout=subprocess.PIPE))
            reads = children[0].stdout
        children.append(
            subprocess.Popen(command, stdin=reads, stdout=output, stderr=subprocess.PIPE)
        )
        measured = children[-1]
        if len(children) == 2:
            reads.close()
        # Read to its end before the wait, so that the command never waits for its reader.
        messages = measured.stderr.read()
        _, status, usage = os.wait4(measured.pid, 0)
        seconds = time.monotonic() - started
        measured.returncode = os.waitstatus_to_exitcode(status)
        if measured.returncode != 0:
            text = messages.decode(errors="replace")
            raise Failure(f"{' '.join(command)}: exit code {measured.returncode}\n{text}")
        if len(children) == 2 and children[0].wait() != 0:
            raise Failure(f"{' '.join(source.generator)}: exit code {children[0].returncode}")
        return Usage(seconds, usage.ru_maxrss * 1024)
    finally:
        for child in children:
            if child.returncode is None:
                child.send_signal(signal.SIGTERM)
                child.wait()


def median(usages):
    """The median of the times; the highest peak."""
    return Usage(
        statistics.median(usage.seconds for usage in usages),
        max(usage.peak_bytes for usage in usages),
    )


def compare(count, first, second):
    """Runs two functions that give a `Usage` in turn, `count` times each, and gives both medians.

    Which of them begins changes every time, so that a machine that slows down or speeds up, or a
    disk that still writes what the other left, burdens both.
    """
    usages = ([], [])
    for turn in range(count):
        for index in (0, 1) if turn % 2 == 0 else (1, 0):
            usages[index].append((first, second)[index]())
    return median(usages[0]), median(usages[1])

"""Measures imports of a running cluster's backup, which a real Postgres 15 makes and recovers."""

import json
import os
import re
import shutil
import statistics
import subprocess
import tarfile
import threading
import time
from typing import NamedTuple

from measure import Failure
from report import MIB, Row, size

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = "/usr/lib/postgresql/15/bin"
SCALE_BYTES = 17_000_000


class Run(NamedTuple):
    """An import: seconds, those of which Postgres replayed, and what it took at its peak and wrote."""

    seconds: float
    replaying: float
    peak_bytes: int
    scratch_bytes: int
    written_bytes: int

    @property
    def own(self):
        return self.seconds - self.replaying


def held(directory):
    """The bytes that files of a scratch directory take, without the WAL."""
    total = 0
    for path, _, names in os.walk(directory):
        if path.endswith("/pg_wal"):
            continue
        for name in names:
            try:
                total += os.lstat(os.path.join(path, name)).st_blocks * 512
            except FileNotFoundError:
                pass
    return total


class Contents(NamedTuple):
    """Bytes that a recovery of a backup cannot do without: WAL, other files than tables, pages in WAL records."""

    wal: int
    small: int
    touched: int


def contents(tar, directory):
    """Looks into the tar of a running cluster's backup; its WAL is unpacked there."""
    wal = small = 0
    main_fork = re.compile(r"base/\d+/\d+(\.\d+)?$")
    with tarfile.open(tar) as archive:
        for member in archive:
            if not member.isfile():
                continue
            if member.name.startswith("pg_wal/"):
                wal += member.size
            elif not main_fork.match(member.name):
                small += (member.size + 4095) // 4096 * 4096
    subprocess.run(
        ["tar", "-C", directory, "-xf", tar, "--wildcards", "pg_wal/0*"], check=True)
    names = sorted(os.listdir(os.path.join(directory, "pg_wal")))
    first, last = (os.path.join(directory, "pg_wal", names[place]) for place in (0, -1))
    # It ends with an error where the WAL ends.
    dump = subprocess.run(
        [PROGRAMS + "/pg_waldump", first, last], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    blocks = set(re.findall(rb"rel (\d+/\d+/\d+) blk (\d+)", dump.stdout))
    return Contents(wal, small, len(blocks) * 8192)


def measure(bench, tar, *options):
    """Imports a tar with these options."""
    storage, scratch = bench.path("storage"), bench.path("scratch")
    os.makedirs(scratch)
    os.chmod(scratch, 0o755)
    command = [bench.program, tar, "--output", storage, "--progress", "json", *options]
    if options:
        command += ["--scratch", scratch]
    os.sync()
    peak = 0
    started = time.monotonic()
    program = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        messages = []
        reader = threading.Thread(target=lambda: messages.append(program.stderr.read()))
        reader.start()
        while reader.is_alive():
            peak = max(peak, held(scratch))
            reader.join(0.05)
        _, status, usage = os.wait4(program.pid, 0)
        seconds = time.monotonic() - started
        program.returncode = os.waitstatus_to_exitcode(status)
        text = messages[0].decode(errors="replace")
        if program.returncode != 0:
            raise Failure(f"{' '.join(command)}: exit code {program.returncode}\n{text}")
    finally:
        shutil.rmtree(storage, ignore_errors=True)
        shutil.rmtree(scratch, ignore_errors=True)
    events = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    replaying = sum(
        event["phaseSeconds"] for event in events
        if event["event"] == "phaseEnd" and event["phase"] == "replaying")
    return Run(seconds, replaying, usage.ru_maxrss * 1024, peak, usage.ru_oublock * 512)


def median(runs):
    """The medians of the times; the highest of all else."""
    return Run(
        statistics.median(run.seconds for run in runs),
        statistics.median(run.replaying for run in runs),
        *(max(getattr(run, name) for run in runs) for name in Run._fields[2:]),
    )


def recovery(bench):
    """In one pass and with a full copy, against the same cluster after a shutdown."""
    if not os.path.exists(PROGRAMS + "/postgres"):
        return
    directory = bench.path("running")
    os.makedirs(directory)
    for place in (bench.directory, directory):
        os.chmod(place, 0o755)
    scale = max(1, bench.options.small // SCALE_BYTES)
    subprocess.run(
        [os.path.join(HERE, "running.sh"), PROGRAMS, str(scale)], cwd=directory, check=True)
    online, clean = (os.path.join(directory, name) for name in ("online.tar", "clean.tar"))
    needs = contents(online, directory)
    recover = ("--recover-with", PROGRAMS)
    runs = {"clean": [], "one pass": [], "full copy": []}
    for turn in range(bench.runs):
        for name in sorted(runs, reverse=turn % 2 == 1):
            if name == "clean":
                run = measure(bench, clean)
            else:
                run = measure(bench, online, *recover, *["--full-copy"] * (name == "full copy"))
            runs[name].append(run)
    shutil.rmtree(directory)
    shut, one, full = (median(runs[name]) for name in ("clean", "one pass", "full copy"))
    what = f"running cluster, {size(scale * SCALE_BYTES)}"
    yield Row(
        f"{what}, without replay", f"{one.own:.2f} s", f"shut down {shut.seconds:.2f} s",
        one.own / shut.seconds, 1.15)
    yield Row(
        f"{what}, without replay", f"{one.own:.2f} s", f"full copy {full.own:.2f} s",
        one.own / full.own, 0.5)
    yield Row(
        f"{what}, with replay", f"{one.seconds:.2f} s", f"full copy {full.seconds:.2f} s",
        one.seconds / full.seconds, 0.6)
    allowed = needs.touched + needs.small
    yield Row(
        f"{what}, scratch without WAL", size(one.scratch_bytes),
        f"{size(needs.touched)} of touched pages + {size(needs.small)} of small files "
        f"(full copy {size(full.scratch_bytes)})",
        one.scratch_bytes / allowed, 1.05)
    # In memory nothing counts as written.
    if shut.written_bytes > 0:
        allowed = needs.wal + 2 * needs.touched + needs.small + 32 * MIB
        written = one.written_bytes - shut.written_bytes
        yield Row(
            f"{what}, written beyond the clean one's", size(max(0, written)),
            f"WAL + 2 × touched pages + small files + 32 MiB = {size(allowed)} "
            f"(full copy {size(max(0, full.written_bytes - shut.written_bytes))})",
            written / allowed, 1)
    yield Row(
        f"{what}, peak memory", size(one.peak_bytes), f"shut down {size(shut.peak_bytes)}",
        one.peak_bytes / MIB, 96, "MiB")

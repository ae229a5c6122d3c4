"""What is measured: each function here yields rows of the table."""

import glob
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import tempfile
import time

from measure import Input, compare, median, run
from recovery import recovery
from report import GIB, MIB, Row, available_memory, rate, size
from senders import is_installed, senders, shell

KINDS = ["accounts", "btree", "text", "random", "zero", "mixed"]

# Whose processor time is not our own code's.
NOT_OURS = re.compile(r"libzstd|libarchive|liblzma|liblz4|libisal|\[kernel|\[k\]")

# What compresses a backup: programs that write to their standard output.
COMPRESSORS = [
    "lz4 -1 -c", "zstd -1 -c", "gzip -1 -c", "gzip -6 -c", "xz -1 -c",
    "xz -1 -T2 --block-size=4MiB -c",
]


class Bench:
    """The programs, the sizes, and the directory for what they write, which is on one disk."""

    def __init__(self, program, tools, directory, options):
        self.program = program
        self.tools = tools
        self.directory = directory
        self.options = options
        self.runs = options.runs
        self.peaks = {}

    def path(self, name):
        return os.path.join(self.directory, name)

    def generator(self, byte_count, **settings):
        command = [os.path.join(self.tools, "generate"), "--size", str(byte_count)]
        for name, value in settings.items():
            command += ["--" + name.replace("_", "-"), str(value)]
        return command

    def piped(self, byte_count, **settings):
        return Input(generator=self.generator(byte_count, **settings))

    def file(self, byte_count, **settings):
        """A tar on the disk and in the page cache. There is one at a time."""
        path = self.path("backup.tar")
        with open(path, "wb") as target:
            subprocess.run(self.generator(byte_count, **settings), stdout=target, check=True)
        os.sync()
        with open(path, "rb") as source:
            while source.read(1 << 20):
                pass
        return Input(path=path)

    def measure_import(self, source, *options, prefix=(), keep=False):
        command = [*prefix, self.program, source.argument, "--output", self.path("storage")]
        try:
            return run([*command, "--quiet", *options], source)
        finally:
            if not keep:
                shutil.rmtree(self.path("storage"), ignore_errors=True)

    def measure_floor(self, source, *options, prefix=()):
        output = self.path("floor")
        command = [*prefix, os.path.join(self.tools, "floor"), "--output", output]
        try:
            return run([*command, *options, source.argument], source)
        finally:
            if os.path.exists(output):
                os.unlink(output)

    def against_floor(self, source, count=None):
        return compare(
            count or self.runs,
            lambda: self.measure_import(source),
            lambda: self.measure_floor(source),
        )

    def floor_row(self, what, byte_count, source):
        ours, floor = self.against_floor(source)
        self.note_peak(what, ours)
        return Row(
            what, rate(ours, byte_count), "floor " + rate(floor, byte_count),
            ours.seconds / floor.seconds, 1.05,
        )

    def note_peak(self, what, usage):
        self.peaks[what] = usage.peak_bytes

    def has_command(self, name):
        text = subprocess.run([self.program, "--help"], capture_output=True, text=True, check=True)
        return re.search(rf"^  {name}\b", text.stdout, re.MULTILINE) is not None


def files(bench):
    """Wall time from warm files, and one of each kind of pages."""
    small, large = bench.options.small, bench.options.large
    for kind in KINDS:
        yield bench.floor_row(f"{size(small)} of {kind}, file", small, bench.file(small, pages=kind))
    if large and available_memory() > large * 1.2:
        yield bench.floor_row(f"{size(large)} of accounts, file", large, bench.file(large))


def pipes(bench):
    """Wall time and memory from pipes, and how both grow."""
    ratios = {}
    for byte_count in filter(None, (GIB, bench.options.small, bench.options.large)):
        if byte_count in ratios:
            continue
        row = bench.floor_row(
            f"{size(byte_count)} of accounts, pipe", byte_count, bench.piped(byte_count)
        )
        ratios[byte_count] = row.value
        yield row
    huge = bench.options.huge
    if huge:
        ours, floor = bench.against_floor(bench.piped(huge), count=1)
        what = f"{size(huge)} of accounts, pipe, once"
        bench.note_peak(what, ours)
        ratio = ours.seconds / floor.seconds
        yield Row(what, rate(ours, huge), "floor " + rate(floor, huge), ratio)
        yield Row(
            f"that ratio against the one of {size(GIB)}", f"{ratio:.3f}", f"{ratios[GIB]:.3f}",
            max(ratio / ratios[GIB], ratios[GIB] / ratio), 1.10,
        )


def inputs(bench):
    """Compressed tars against the plain one: the import, and `inspect`, which only decodes."""
    byte_count = min(bench.options.small, GIB)
    plain = bench.file(byte_count)
    for command in filter(is_installed, COMPRESSORS):
        packed = Input(path=bench.path("backup.packed"))
        shell(f"{command} < {plain.path} > {packed.path}")
        ours, theirs = compare(
            bench.runs, lambda: bench.measure_import(packed), lambda: bench.measure_import(plain)
        )
        yield Row(
            f"{size(byte_count)} of accounts, {command.removesuffix(' -c')}",
            rate(ours, byte_count), "plain " + rate(theirs, byte_count),
            ours.seconds / theirs.seconds,
        )
        read = median([run([bench.program, "inspect", packed.path]) for _ in range(bench.runs)])
        yield Row(
            f"the same, inspect; {size(os.path.getsize(packed.path))}", rate(read, byte_count),
            "import " + rate(ours, byte_count), read.seconds / ours.seconds,
        )
        yield Row("the same, memory", size(ours.peak_bytes), "", ours.peak_bytes / MIB, 128, "MiB")
        os.unlink(packed.path)


def levels(bench):
    """The levels `fast` and 0 against level 1."""
    byte_count = bench.options.small
    for kind in ("accounts", "btree"):
        source = bench.file(byte_count, pages=kind)
        for level in ("fast", "0"):
            ours, theirs = compare(
                bench.runs,
                lambda: bench.measure_import(source, "--compression-level", level),
                lambda: bench.measure_import(source),
            )
            limit = 0.72 if (kind, level) == ("accounts", "fast") else None
            yield Row(
                f"{size(byte_count)} of {kind}, level {level}", rate(ours, byte_count),
                "level 1 " + rate(theirs, byte_count), ours.seconds / theirs.seconds, limit,
            )


def memory(bench):
    """The peaks of all imports before, by default options."""
    if not bench.peaks:
        return
    most = max(bench.peaks, key=bench.peaks.get)
    yield Row("peak memory", size(bench.peaks[most]), most, bench.peaks[most] / MIB, 96, "MiB")
    piped = [peak for what, peak in bench.peaks.items() if "pipe" in what]
    if len(piped) > 1:
        yield Row(
            "peak memory from pipes of all sizes", f"most {size(max(piped))}",
            f"least {size(min(piped))}", max(piped) / min(piped), 1.10,
        )


def relations(bench):
    """Very many relations against few of the same bytes, and all small against all big."""
    count = bench.options.relations
    byte_count = count * 8192
    few_count = max(1, count // 1000)
    many, few = compare(
        bench.runs,
        lambda: bench.measure_import(bench.piped(byte_count, relation_size=8192)),
        lambda: bench.measure_import(bench.piped(byte_count, relation_size=8192 * 1000)),
    )
    yield Row(
        f"{count:,} relations of one page", rate(many, byte_count),
        f"{few_count:,} of 1,000 pages: {rate(few, byte_count)}", many.seconds / few.seconds, 1.3,
    )
    yield Row(
        "memory a relation", size(many.peak_bytes), size(few.peak_bytes),
        (many.peak_bytes - few.peak_bytes) / (count - few_count), 64, "bytes",
    )
    byte_count = bench.options.small
    small, big = compare(
        bench.runs,
        lambda: bench.measure_import(bench.piped(byte_count, relation_size=MIB, pages="mixed")),
        lambda: bench.measure_import(bench.piped(byte_count, pages="mixed")),
    )
    yield Row(
        f"{size(byte_count)} of mixed in relations of 1 MiB", rate(small, byte_count),
        f"of 1 GiB: {rate(big, byte_count)}", small.seconds / big.seconds, 1.5,
    )


def shards(bench):
    """Several shards against none, and one of them alone."""
    byte_count = bench.options.small
    cases = [("8 shards", bench.file(byte_count), ("--shards", "8"), 1.10, 96)]
    ids = ("--tenant-id", "1" * 32, "--timeline-id", "2" * 32)
    alone = (*ids, "--shards", "8", "--only-shards", "3")
    cases.append(("one of 8 shards", bench.file(byte_count), alone, 0.40, 96))
    large = bench.options.large
    if large:
        source = bench.piped(large, relation_size=large)
        cases.append(("64 shards, pipe", source, ("--shards", "64"), 1.25, 128))
    for what, source, options, limit, memory_limit in cases:
        size_of_all = large if "pipe" in what else byte_count
        ours, theirs = compare(
            bench.runs,
            lambda: bench.measure_import(source, *options),
            lambda: bench.measure_import(source),
        )
        yield Row(
            f"{size(size_of_all)} of accounts, {what}", rate(ours, size_of_all),
            "not sharded " + rate(theirs, size_of_all), ours.seconds / theirs.seconds, limit,
        )
        yield Row(
            f"peak memory, {what}", size(ours.peak_bytes), size(theirs.peak_bytes),
            ours.peak_bytes / MIB, memory_limit, "MiB",
        )


def layouts(bench):
    """Small relations that are sorted against the same in L0s."""
    byte_count = bench.options.small
    for kind in ("accounts", "btree"):
        source = bench.file(byte_count, relation_size=MIB, pages=kind)
        ours, theirs = compare(
            bench.runs,
            lambda: bench.measure_import(source, "--layout", "sorted"),
            lambda: bench.measure_import(source, "--layout", "fake-l0"),
        )
        yield Row(
            f"{size(byte_count)} of {kind} in relations of 1 MiB, sorted", rate(ours, byte_count),
            "in L0s " + rate(theirs, byte_count), ours.seconds / theirs.seconds, 1.15,
        )


def threads(bench):
    """The busiest single thread besides those that compress, which bounds what more cores can do."""
    byte_count = bench.options.small
    source = bench.file(byte_count)
    output = bench.path("storage")
    command = [bench.program, source.argument, "--output", output, "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        ticks = {}
        while process.poll() is None:
            for path in glob.glob(f"/proc/{process.pid}/task/*/stat"):
                try:
                    name, fields = re.match(r"\d+ \((.*)\) (.*)", pathlib.Path(path).read_text()).groups()
                except (OSError, AttributeError):
                    continue  # the thread has ended
                ticks[path, name] = sum(map(int, fields.split()[11:13]))
            time.sleep(0.005)
    shutil.rmtree(output, ignore_errors=True)
    total = sum(ticks.values())
    single = {name: count for (_, name), count in ticks.items() if not name.startswith("compress-")}
    busiest = max(single, key=single.get)
    share = single[busiest] / total
    seconds = total / os.sysconf("SC_CLK_TCK")
    allowed = ", ".join(
        f"{cores} cores {byte_count / GIB / max(seconds / cores, seconds * share):.1f} GiB/s"
        for cores in (8, 16, 32)
    )
    yield Row(f"busiest thread, {busiest}: its share", allowed, "at most", 100 * share, 6, "%")


def one_core(bench):
    """Both programs pinned to one core, one job and one thread."""
    byte_count = bench.options.small
    pin = ("taskset", "--cpu-list", str(min(os.sched_getaffinity(0))))
    for kind in ("accounts", "mixed"):
        source = bench.file(byte_count, pages=kind)
        ours, floor = compare(
            bench.runs,
            lambda: bench.measure_import(source, "--jobs", "1", prefix=pin),
            lambda: bench.measure_floor(source, "--threads", "1", prefix=pin),
        )
        yield Row(
            f"{size(byte_count)} of {kind}, one core", rate(ours, byte_count),
            "floor " + rate(floor, byte_count), ours.seconds / floor.seconds, 1.10,
        )


def copying(bench):
    """Without compression, against `cp` as it is, and against `cp` that makes its copy durable.

    `cp` leaves its copy in the page cache, an import does not: on a disk that compares the disk with
    memory. In a file system in memory it compares what both do besides; with little, so that it is
    not the machine's getting of that memory that is measured.
    """
    byte_count = bench.options.small
    copy = 'cp --reflink=never "$1" "$2"'
    yield copy_row(bench, byte_count, "on disk", "cp", copy, 1.3)
    yield copy_row(bench, byte_count, "on disk", "cp and sync", copy + ' && sync "$2"')
    byte_count = min(byte_count, 512 << 20)
    if os.path.ismount("/dev/shm") and shutil.disk_usage("/dev/shm").free > byte_count * 3:
        with tempfile.TemporaryDirectory(prefix="bench-", dir="/dev/shm") as directory:
            in_memory = Bench(bench.program, bench.tools, directory, bench.options)
            yield copy_row(in_memory, byte_count, "in memory", "cp", copy, 1.3)


def copy_row(bench, byte_count, where, name, script, limit=None):
    source = bench.file(byte_count)
    copy = bench.path("copy")

    def copied():
        try:
            return run(["sh", "-c", script, "sh", source.path, copy])
        finally:
            os.unlink(copy)

    ours, theirs = compare(
        bench.runs, lambda: bench.measure_import(source, "--compression-level", "0"), copied
    )
    return Row(
        f"{size(byte_count)} at level 0, {where}",
        rate(ours, byte_count), f"{name} {rate(theirs, byte_count)}",
        ours.seconds / theirs.seconds, limit,
    )


def wal(bench):
    """Decoding of WAL that fills the memory of one program, on one core."""
    tool = os.path.join(bench.tools, "decode")
    pin = ("taskset", "--cpu-list", str(min(os.sched_getaffinity(0))))
    for kind, what, wanted in (
        ("images", "WAL of pages' images, decoding", 1.0),
        ("records", "WAL of records of 80 bytes, decoding", 0.4),
    ):
        speeds = [
            float(subprocess.run(
                [*pin, tool, kind, "256"], capture_output=True, text=True, check=True
            ).stdout)
            for _ in range(bench.runs)
        ]
        speed = statistics.median(speeds)
        yield Row(what, f"{speed:.2f} GB/s", f"wanted {wanted:g} GB/s", wanted / speed, 1.0)


def reading_back(bench):
    """Verify, and export to nowhere, against import."""
    commands = [name for name in ("verify", "export") if bench.has_command(name)]
    if not commands:
        return
    byte_count = bench.options.small
    for kind in ("accounts", "mixed"):
        source = bench.file(byte_count, pages=kind)
        imported = median([bench.measure_import(source) for _ in range(bench.runs)])
        ids = ("--tenant-id", "1" * 32, "--timeline-id", "2" * 32)
        bench.measure_import(source, *ids, keep=True)
        timeline = bench.path(f"storage/tenants/{'1' * 32}/timelines/{'2' * 32}")
        for name in commands:
            read = median([run([bench.program, name, timeline]) for _ in range(bench.runs)])
            yield Row(
                f"{name}, {size(byte_count)} of {kind}", rate(read, byte_count),
                f"import {rate(imported, byte_count)}", read.seconds / imported.seconds, 1.0,
            )
        shutil.rmtree(bench.path("storage"))


def profile(bench):
    """The share of processor time outside zstd, libarchive, the decompressors and the kernel."""
    if shutil.which("perf") is None:
        return
    byte_count = bench.options.small
    samples = bench.path("perf.data")
    record = ("perf", "record", "--quiet", "-e", "cpu-clock", "-F", "999", "-o", samples, "--")
    for kind in ("accounts", "mixed"):
        bench.measure_import(bench.file(byte_count, pages=kind), prefix=record)
        report = subprocess.run(
            ["perf", "report", "-i", samples, "--stdio", "--sort", "dso"],
            capture_output=True, text=True, check=True,
        )
        shares = re.findall(r"^\s+([\d.]+)%\s+(\S+)", report.stdout, re.MULTILINE)
        parts = ", ".join(f"{name} {share} %" for share, name in shares[:4])
        ours = sum(float(share) for share, name in shares if not NOT_OURS.search(name))
        yield Row(f"samples in our own code, {kind}", parts, "all samples", ours, 5, "%")


GROUPS = [
    files, pipes, memory, inputs, senders, levels, relations, shards, layouts, threads, one_core,
    copying, recovery, wal, reading_back, profile,
]

"""Measures imports through pipes, against the slowest program of each pipe alone.

The senders have one processor and the import the others, as if they were on two machines: programs that
share full processors take as long as their work together, however well they are connected.
"""

import contextlib
import os
import shutil
import subprocess

from measure import Input, compare, median, run
from recovery import PROGRAMS, SCALE_BYTES
from report import GIB, Row, rate, size

# A cipher stands in for the one of ssh.
CIPHER = f"openssl enc -aes-128-ctr -K {'0' * 32} -iv {'0' * 32}"
PIPES = [["zstd -1 -c"], [CIPHER, CIPHER + " -d"]]
SETTINGS = "autovacuum = off\nfsync = off\nlisten_addresses = ''\nmax_wal_size = 16GB\n"


def is_installed(command):
    return shutil.which(command.split()[0]) is not None


def shell(command):
    subprocess.run(["bash", "-o", "pipefail", "-c", command], check=True)


def senders(bench):
    """A backup through a compressor, through a cipher, and from a server."""
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) < 2:
        return
    theirs, ours = (
        ("taskset", "--cpu-list", ",".join(map(str, some))) for some in (processors[:1], processors[1:]))
    byte_count = min(bench.options.small, GIB)
    plain = bench.file(byte_count)
    for stages in PIPES:
        if all(map(is_installed, stages)):
            yield piped(
                bench, f"{size(byte_count)} of accounts", byte_count, stages, plain.path, theirs, ours)
    if os.path.exists(PROGRAMS + "/postgres"):
        with server(bench, byte_count // SCALE_BYTES, theirs) as (directory, kept):
            command = f"{PROGRAMS}/pg_basebackup -h {directory} -U postgres -c fast -D - -Ft -X fetch"
            yield piped(
                bench, f"{size(kept)} of a running cluster", kept, [command], os.devnull, theirs, ours,
                "--recover-with", PROGRAMS)


def piped(bench, what, byte_count, stages, path, theirs, ours, *options):
    """The row of one pipe, whose first program reads `path`."""
    sender = Input(generator=[*theirs, "sh", "-c", f"< {path} {' | '.join(stages)}"])
    alone = {}
    outputs = []
    for stage in stages:
        command = [*theirs, "sh", "-c", f"exec {stage} < {path}"]
        alone[stage] = median([run(command) for _ in range(bench.runs)])
        output = bench.path(f"backup.stage{len(outputs)}")
        shell(f"{stage} < {path} > {output}")
        outputs.append(output)
        path = output
    sent = Input(path=path)
    alone["import"], together = compare(
        bench.runs,
        lambda: bench.measure_import(sent, *options, prefix=ours),
        lambda: bench.measure_import(sender, *options, prefix=ours),
    )
    for output in outputs:
        os.unlink(output)
    slowest = max(alone, key=lambda name: alone[name].seconds)
    names = [os.path.basename(stage.split()[0]) for stage in (*stages, slowest)]
    return Row(
        f"{what} through {' and '.join(names[:-1])}", rate(together, byte_count),
        f"{names[-1]} {rate(alone[slowest], byte_count)}",
        together.seconds / alone[slowest].seconds, 1.10,
    )


@contextlib.contextmanager
def server(bench, scale, prefix):
    """A running server of a pgbench cluster: the directory of its socket, and the bytes it keeps in tables."""
    directory = bench.path("server")
    os.makedirs(directory)
    user = []
    if os.getuid() == 0:
        user = ["setpriv", "--reuid", "nobody", "--clear-groups"]
        shutil.chown(directory, "nobody")
        os.chmod(bench.directory, 0o755)
    data = directory + "/data"

    def postgres(program, *arguments):
        subprocess.run(
            [*prefix, *user, f"{PROGRAMS}/{program}", *arguments], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, cwd=directory, check=True)

    postgres("initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync")
    with open(data + "/postgresql.conf", "a", encoding="utf-8") as file:
        file.write(f"{SETTINGS}unix_socket_directories = '{directory}'\n")
    postgres("pg_ctl", "-D", data, "-w", "-l", directory + "/log", "start")
    try:
        postgres(
            "pgbench", "-h", directory, "-U", "postgres", "-i", "-q", "-s", str(max(1, scale)), "postgres")
        # The first backup should not wait for what the load has left to write.
        postgres("psql", "-h", directory, "-U", "postgres", "-c", "checkpoint")
        kept = sum(
            os.path.getsize(os.path.join(path, name))
            for path, _, names in os.walk(data + "/base") for name in names)
        yield directory, kept
    finally:
        postgres("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
        shutil.rmtree(directory)

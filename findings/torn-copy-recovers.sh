#!/bin/bash
# Postgres starts from a tar of a running server's files, says that recovery is done, and rows are
# missing: also rows that were committed long before the tar was complete.
#
# Versions: Postgres 15.20 (Debian 12).
#
# That such a copy needs pg_backup_start() is well known. One would guess that without it crash
# recovery repairs most of it, or fails. But where a table is read before a checkpoint, and pg_control
# after it, replay begins after the changes of the table, and nothing notices: data checksums are
# right, the log has no warning, and pg_amcheck finds nothing wrong with the table itself. The proof is in the
# copy all the same: the WAL before the checkpoint has records that end at LSNs above those of the
# pages. It is often there under a wrong name: a server renames old segments to later ones, and their
# first page says which one they still are.
source "$(dirname "$0")/common.bash"

install_postgres_15
create_cluster cluster --data-checksums --wal-segsize=1
start_cluster "$work/shared/cluster"
sql 'CREATE TABLE t (a int)'
sql 'INSERT INTO t SELECT generate_series(1, 10)'
sql CHECKPOINT

# The tar is slow: it has just read base/ when rows come and a checkpoint happens.
"${as_user[@]}" tar -C cluster -cf copy.tar base
sql 'INSERT INTO t SELECT generate_series(11, 50000)'
sql CHECKPOINT
"${as_user[@]}" tar -C cluster -rf copy.tar --exclude ./base --exclude './postmaster.*' .
expect 'rows in the cluster' 50000 "$(sql 'SELECT count(*) FROM t')"
stop_cluster "$work/shared/cluster"

"${as_user[@]}" mkdir --mode 700 copy
"${as_user[@]}" tar -C copy -xf copy.tar
redo=$("$postgres/pg_controldata" copy | sed -n "s/.*REDO WAL file: *//p")
old=0
for segment in copy/pg_wal/0*; do
  # The address in the header of the first page, in units of a segment.
  number=$(($(od -A n -t u8 -j 8 -N 8 "$segment") >> 20))
  if ((number < 16#${redo:16})) && ((number != 16#${segment: -8})); then old=$((old + 1)); fi
done
expect 'older segments are there under later names' yes "$(answer test "$old" -gt 0)"

rm -f log
clusters+=("$work/shared/copy")
start_cluster "$work/shared/copy"
expect 'the server that starts from the copy says' yes "$(has 'database system is ready' log)"
expect 'a warning or an error in its log' no "$(answer grep -qE 'WARNING|ERROR|FATAL|PANIC' log)"
expect 'rows in it' 10 "$(sql 'SELECT count(*) FROM t')"
sql 'CREATE EXTENSION amcheck' >output 2>&1 || true
expect 'problems that verify_heapam finds' 0 "$(sql "SELECT count(*) FROM verify_heapam('t')")"
stop_cluster "$work/shared/copy"
expect 'its page checksums are right' 0 "$(code "${as_user[@]}" "$postgres/pg_checksums" --check copy)"

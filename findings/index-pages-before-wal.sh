#!/bin/bash
# Postgres writes the pages of a new index to its file before their WAL.
#
# Versions: Postgres 15.20 (Debian 12).
#
# "Write-ahead" suggests that no page of a file is newer than the WAL on disk, so that a snapshot in which
# one is must be torn. That holds for what goes through shared buffers. But what builds a B-tree or rewrites a
# table (CLUSTER, VACUUM FULL) puts a page's record into the WAL buffers and the page itself straight into the
# file, and waits for neither: the transaction's commit writes the WAL out. So a sound snapshot of one moment
# has pages with LSNs after the end of its WAL, and so has the data directory after a crash. A server recovers
# both without a warning. The file stays; no row of pg_class names it, and nothing removes it.
source "$(dirname "$0")/common.bash"

install_postgres_15
create_cluster cluster
"${as_user[@]}" tee -a cluster/postgresql.conf >/dev/null <<<$'fsync = on\nwal_buffers = 32MB\nautovacuum = off'
start_cluster "$work/shared/cluster"
sql 'CREATE TABLE t AS SELECT g, md5(g::text) FROM generate_series(1, 20000) g'
sql 'CREATE TABLE u (LIKE t)'
sql CHECKPOINT

# Only the session works: nothing else writes WAL out meanwhile.
server=$(head -n 1 cluster/postmaster.pid)
children=$(pgrep -P "$server")
kill -STOP $children
mkfifo commands
"$postgres/psql" --host "$work/shared" --username postgres --dbname postgres --no-psqlrc --quiet \
  --tuples-only --no-align <commands >answers &
exec {session}>commands
cat >&$session <<'SQL'
BEGIN;
CREATE INDEX i ON t (md5);
INSERT INTO u SELECT * FROM t;
SELECT pg_relation_filepath('i');
SELECT pg_relation_filepath('u');
SQL
until [[ $(wc -l <answers) == 2 ]]; do sleep 0.1; done
{ read -r index && read -r table; } <answers
flushed=$(sql 'SELECT pg_current_wal_flush_lsn()')
"${as_user[@]}" cp -a cluster copy
exec {session}>&-
kill -CONT $children

# newer FILE: prints whether pages of a file are newer than the WAL.
newer() {
  python3 - "$1" "$flushed" <<'PYTHON'
import struct, sys
high, low = (int(half, 16) for half in sys.argv[2].split("/"))
data = open(sys.argv[1], "rb").read()
lsns = [struct.unpack_from("<II", data, start) for start in range(0, len(data), 8192)]
print("yes" if max(lsns, default=(0, 0)) > (high, low) else "no")
PYTHON
}
expect 'pages of the new index are after the end of the WAL' yes "$(newer "copy/$index")"
expect 'pages of a table that rows were put into are' no "$(newer "copy/$table")"

stop_cluster "$work/shared/cluster"
rm -f copy/postmaster.pid log
clusters+=("$work/shared/copy")
start_cluster "$work/shared/copy"
expect 'the server that starts from the copy says' yes "$(has 'database system is ready' log)"
expect 'a warning or an error in its log' no "$(answer grep -qE 'WARNING|ERROR|FATAL|PANIC' log)"
expect 'rows of pg_class that name the file' 0 \
  "$(sql "SELECT count(*) FROM pg_class WHERE pg_relation_filepath(oid) = '$index'")"
sql CHECKPOINT
expect 'the file is there, and its pages are as new' yes "$(newer "copy/$index")"

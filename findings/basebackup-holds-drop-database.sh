#!/bin/bash
# While the reader of a base backup waits, DROP DATABASE waits as well, and if it is given up, the
# database is lost.
#
# Versions: Postgres 15.20 (Debian 12).
#
# A base backup only reads, and it takes no lock on a database. One would guess that how fast its
# output is read, such as from 'pg_basebackup --pgdata -' in a pipeline, matters to nobody else. But
# since 15 DROP DATABASE (also CREATE DATABASE with STRATEGY file_copy, and moves between
# tablespaces) asks every process of the server to close its files, and goes on only when all have
# answered. The process that sends a backup does not answer while it waits for its reader. So a
# pipeline that stands still, for a full disk or a slow upload, stops these statements on the primary.
# A statement timeout, or Control-C, ends the wait; the database then is already marked as dropped, so
# that nobody can enter it again. CREATE DATABASE with STRATEGY wal_log does not wait.
source "$(dirname "$0")/common.bash"

install_postgres_15
create_cluster cluster
start_cluster "$work/shared/cluster"
for name in early late other; do sql "CREATE DATABASE $name"; done
sql "CREATE TABLE t AS SELECT g, repeat('x', 500) FROM generate_series(1, 100000) g"

drop() { PGOPTIONS='--client-min-messages=error -c statement_timeout=5s' sql "DROP DATABASE $1"; }
enter() { "$postgres/psql" --host "$work/shared" --username postgres --no-psqlrc --dbname "$1" -c ''; }

expect 'without a backup: DROP DATABASE' 0 "$(code drop early)"
mkfifo backup
base_backup --format tar --pgdata - >backup 2>log-of-backup &
background+=($!)
exec {reader}<backup
head --bytes 100000 <&"$reader" >/dev/null
sleep 2
expect 'the reader waits: SELECT' 0 "$(code sql 'SELECT count(*) FROM t')"
expect 'the reader waits: CREATE DATABASE, STRATEGY wal_log' 0 \
  "$(code sql 'CREATE DATABASE made STRATEGY wal_log')"
expect 'the reader waits: DROP DATABASE' 1 "$(code drop late)"
expect 'it is ended by the timeout' yes "$(has 'canceling statement due to statement timeout' output)"
expect 'the database can be entered after that' 2 "$(code enter late)"
expect 'why not' yes "$(has 'cannot connect to invalid database' output)"
cat <&"$reader" >/dev/null
expect 'the backup has ended: DROP DATABASE' 0 "$(code drop other)"
stop_cluster "$work/shared/cluster"

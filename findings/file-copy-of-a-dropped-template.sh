#!/bin/bash
# A database that is made during a base backup is empty after the recovery, if it was copied by files
# and its template was dropped before the backup ended.
#
# Versions: Postgres 15.20 (Debian 12).
#
# The documentation warns of a template that is changed while a backup runs. One would guess that
# dropping it does no harm: the new database is complete, it is in the backup, and its files were
# copied. But replaying the record of CREATE DATABASE with STRATEGY file_copy removes the new database's
# directory and copies the template's again. That one is gone, so there is nothing to copy, and the new
# database stays without files. The recovery succeeds and the server starts; only a connection to the
# database fails. Before 15 every CREATE DATABASE works by files.
source "$(dirname "$0")/common.bash"

install_postgres_15
create_cluster cluster
start_cluster "$work/shared/cluster"
sql 'CREATE DATABASE template'

"${as_user[@]}" "$postgres/psql" --host "$work/shared" --username postgres --dbname postgres \
  --no-psqlrc --quiet --tuples-only --no-align >/dev/null 2>&1 <<'EOF'
SELECT pg_backup_start('b', true);
CREATE DATABASE made_by_files TEMPLATE template STRATEGY file_copy;
CREATE DATABASE made_by_wal TEMPLATE template STRATEGY wal_log;
DROP DATABASE template;
\! cp -a cluster copy
\o copy/backup_label
SELECT labelfile FROM pg_backup_stop();
\o
\! rm -r copy/pg_wal copy/postmaster.pid; cp -a cluster/pg_wal copy; touch copy/recovery.signal
EOF
enter() { "$postgres/psql" --host "$work/shared" --username postgres --no-psqlrc --dbname "$1" -c ''; }
made=$(sql "SELECT oid FROM pg_database WHERE datname = 'made_by_files'")
expect 'in the cluster the database can be entered' 0 "$(code enter made_by_files)"
expect 'it is in the backup' yes "$(answer test -e "copy/base/$made/PG_VERSION")"
stop_cluster "$work/shared/cluster"

"${as_user[@]}" tee -a copy/postgresql.conf >/dev/null <<<"restore_command = 'false'"
clusters+=("$work/shared/copy")
start_cluster "$work/shared/copy"
expect 'the recovered server starts' 1 "$(sql 'SELECT 1')"
expect 'it knows the database' made_by_files \
  "$(sql "SELECT datname FROM pg_database WHERE oid = $made")"
expect 'files of the database' 0 "$(find "copy/base/$made" -type f 2>/dev/null | wc -l)"
expect 'it can be entered' 2 "$(code enter made_by_files)"
expect 'the one that was made by WAL' 0 "$(code enter made_by_wal)"
stop_cluster "$work/shared/copy"

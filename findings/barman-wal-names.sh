#!/bin/bash
# Barman's compressed WAL files have the names of plain ones.
#
# Versions: Barman 3.4.0, Postgres 15.20 (Debian 12).
#
# With 'compression = gzip' Barman compresses each WAL file when it moves it from incoming/ to
# wals/. pg_receivewal and pgBackRest add a suffix to the name of a compressed file, so one would
# guess that Barman does too. It keeps the name, also of backup history files, which are text.
# Such a directory looks like an archive for 'restore_command = cp', but each file is a gzip
# stream, far shorter than a segment. pg_waldump does not find the file's header, and says that
# its WAL segment size is invalid. Files that were archived before the setting was changed stay as
# they are, so one directory may have both kinds, which only their first bytes tell apart.
# Who reads WAL from Barman's directory must look at those, or let 'barman get-wal' decompress.
source "$(dirname "$0")/common.bash"

install_postgres_15
debian barman=3.4.0-1 python3-barman=3.4.0-1
pypi psycopg2-binary==2.9.9 python-dateutil==2.9.0 argcomplete==3.5.0
export PYTHONPATH=$PYTHONPATH:$root/usr/lib/python3/dist-packages

create_cluster cluster
start_cluster cluster

# set_up COMPRESSION: writes Barman's configuration.
set_up() {
  cat >barman.conf <<EOF
[barman]
barman_user = $(id -un)
barman_home = $work/shared/barman
barman_lock_directory = $work/shared/barman
configuration_files_directory = $work/shared/barman/servers
path_prefix = $postgres
[main]
description = main
conninfo = host=$work/shared user=postgres dbname=postgres
streaming_conninfo = host=$work/shared user=postgres
backup_method = postgres
archiver = on
compression = $1
EOF
}

barman() {
  python3 "$root/usr/bin/barman" --config barman.conf "$@"
}

# archive: gives the segment in use to Barman, and sets 'segment' to its name.
archive() {
  segment=$(sql "SELECT pg_walfile_name(pg_current_wal_insert_lsn())")
  sql "SELECT pg_switch_wal()" >/dev/null
  "${as_user[@]}" cat "cluster/pg_wal/$segment" >"barman/main/incoming/$segment"
  barman archive-wal main >/dev/null 2>&1
  sql "SELECT txid_current()" >/dev/null
}

mkdir -p barman/servers barman/main/{incoming,wals,streaming,errors,base}
set_up none
archive
plain=barman/main/wals/${segment:0:16}/$segment
set_up gzip
archive
compressed=barman/main/wals/${segment:0:16}/$segment

expect 'files that have a suffix' 0 "$(find barman/main/wals -name '*.gz' | wc -c)"
expect 'length of the file archived without compression' 16777216 "$(stat -c %s "$plain")"
expect 'first bytes of the other' '1f 8b' \
  "$(od --address-radix n --format x1 --read-bytes 2 "$compressed" | sed 's/^ //')"
expect 'its contents are the segment' yes \
  "$(answer cmp -s <(gzip -dc <"$compressed") <("${as_user[@]}" cat "cluster/pg_wal/$segment"))"
expect 'exit code of pg_waldump for the plain file' 0 \
  "$(code "$postgres/pg_waldump" --quiet --limit 1 "$plain")"
expect 'exit code of pg_waldump for the compressed file' 1 \
  "$(code "$postgres/pg_waldump" "$compressed")"
expect 'message' yes "$(has 'WAL segment size must be a power of two' output)"
barman get-wal main "$segment" >segment 2>/dev/null
expect 'length of what barman get-wal writes' 16777216 "$(stat -c %s segment)"

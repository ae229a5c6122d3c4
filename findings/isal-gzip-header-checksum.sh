#!/bin/bash
# ISA-L refuses a gzip header that has a checksum if the header comes in two pieces.
#
# Versions: libisal2 2.30.0 (Debian 12), with gzip of the system to make the member.
#
# isal_inflate() reads gzip headers too (crc_flag ISAL_GZIP), and takes input in pieces of any size.
# One would guess that a header may be split between two calls, as with zlib's inflate(). If the
# header has its own checksum (FHCRC, RFC 1952), a split at any byte ends with -6, a wrong checksum:
# each call starts the checksum again. isal_read_gzip_header() with one struct that is kept over the
# calls reads every split. Also, the return value does not say whether the member is complete: it
# is 0 if the input ends too early. Only block_state tells.
# A backup tool that reads gzip from a pipe would refuse sound backups, and accept some cut off.
source "$(dirname "$0")/common.bash"

debian libisal2=2.30.0-5 libisal-dev=2.30.0-5
cat >probe.c <<'C'
#include <isa-l/igzip_lib.h>
#include <stdio.h>
#include <stdlib.h>

static uint8_t member[4096], text[4096];
static struct inflate_state state;

static void begin(unsigned int kind) {
  isal_inflate_init(&state);
  state.crc_flag = kind;
  state.next_out = text;
  state.avail_out = sizeof text;
}

static void lend(size_t from, size_t to) {
  state.next_in = member + from;
  state.avail_in = to - from;
}

static void print(const char *what, int result) {
  int is_finished = state.block_state == ISAL_BLOCK_FINISH;
  printf("%s returned %d, %s\n", what, result, is_finished ? "finished" : "not finished");
}

int main(int count, char **arguments) {
  size_t header = strtoul(arguments[count - 1], NULL, 10);
  size_t size = fread(member, 1, sizeof member, stdin);
  int refused = 0, read = 0;
  for (size_t split = 1; split < header; split++) {
    begin(ISAL_GZIP);
    lend(0, split);
    int result = isal_inflate(&state);
    lend(split, size);
    if (result == 0) result = isal_inflate(&state);
    refused += result == ISAL_INCORRECT_CHECKSUM;

    begin(ISAL_GZIP_NO_HDR_VER);
    struct isal_gzip_header kept;
    isal_gzip_header_init(&kept);
    lend(0, split);
    isal_read_gzip_header(&state, &kept);
    lend(split, size);
    result = isal_read_gzip_header(&state, &kept);
    if (result == 0) result = isal_inflate(&state);
    read += result == 0 && state.block_state == ISAL_BLOCK_FINISH;
  }
  printf("%d of %zu splits refused\n", refused, header - 1);
  printf("%d of %zu splits read\n", read, header - 1);
  begin(ISAL_GZIP);
  lend(0, size);
  print("whole", isal_inflate(&state));
  begin(ISAL_GZIP);
  lend(0, size - 4);
  print("cut off", isal_inflate(&state));
}
C
cc -I "$root/usr/include" -o probe probe.c -L "$LD_LIBRARY_PATH" -lisal

# A header with a name (flag 8) and its checksum (flag 2): the low half of the header's CRC-32.
printf '\x1f\x8b\x08\x0a\0\0\0\0\0\x03ab\0' >header
{
  cat header
  gzip -c header | tail -c 8 | head -c 2
  echo 'some text' | gzip -n -c | tail -c +11
} >member.gz
expect 'exit code of gzip -t' 0 "$(code gzip -t member.gz)"

./probe 15 <member.gz >seen
mapfile -t lines <seen
expect 'isal_inflate alone' '14 of 14 splits refused' "${lines[0]}"
expect 'with a header that is kept' '14 of 14 splits read' "${lines[1]}"
expect 'in one piece' 'whole returned 0, finished' "${lines[2]}"
expect 'without the last 4 bytes' 'cut off returned 0, not finished' "${lines[3]}"

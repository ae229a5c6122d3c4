#!/bin/bash
# With LZMA_FAIL_FAST, liblzma calls an xz file damaged that is only cut off.
#
# Versions: liblzma5 5.4.1 (Debian 12), with the xz of the system to make the file.
#
# One would guess that the flag makes lzma_stream_decoder_mt() stop sooner at an error, and changes
# nothing else. But a file that is cut off within a block then ends with LZMA_DATA_ERROR (9), where
# the decoder otherwise gives LZMA_BUF_ERROR (10): more input is needed. And sound bytes are kept
# back: without the flag the whole blocks come out, and some of the next; with it only some of them.
# A backup tool that sets it sends its user to look for damage where a copy is incomplete, and
# cannot save what is sound.
source "$(dirname "$0")/common.bash"

debian liblzma5=5.4.1-1+deb12u2 liblzma-dev=5.4.1-1+deb12u2
export LD_LIBRARY_PATH=$root/lib/x86_64-linux-gnu:$LD_LIBRARY_PATH
cat >probe.c <<'C'
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>

static uint8_t in[64 << 10], out[64 << 10];

int main(int count, char **arguments) {
  lzma_stream stream = LZMA_STREAM_INIT;
  lzma_mt options = {.threads = 2, .memlimit_threading = UINT64_MAX, .memlimit_stop = UINT64_MAX};
  if (count == 2) options.flags = LZMA_FAIL_FAST;
  if (lzma_stream_decoder_mt(&stream, &options) != LZMA_OK) exit(2);
  unsigned long long written = 0;
  lzma_ret result = LZMA_OK;
  lzma_action action = LZMA_RUN;
  while (result == LZMA_OK) {
    if (stream.avail_in == 0 && action == LZMA_RUN) {
      stream.next_in = in;
      stream.avail_in = fread(in, 1, sizeof in, stdin);
      if (feof(stdin)) action = LZMA_FINISH;
    }
    stream.next_out = out;
    stream.avail_out = sizeof out;
    result = lzma_code(&stream, action);
    written += sizeof out - stream.avail_out;
  }
  printf("%s returned %d after %s\n", lzma_version_string(), result,
         written > 3 << 20 ? "more than three blocks" : "three blocks or less");
  lzma_end(&stream);
}
C
cc -I "$root/usr/include" -o probe probe.c -L "${LD_LIBRARY_PATH%%:*}" -l:liblzma.so.5

# Four blocks of 1 MiB, larger than the pieces of input; the cut is in the last one.
python3 - >plain <<'PYTHON'
import random
random.seed(1)
print("".join(random.choices("0123456789", k=2**22 - 1)))
PYTHON
xz -1 --threads 2 --block-size 1MiB --keep plain
expect 'exit code of xz -t' 0 "$(code xz -t plain.xz)"
head -c $(($(stat -c %s plain.xz) * 7 / 8)) plain.xz >cut.xz

expect 'without the flag' '5.4.1 returned 10 after more than three blocks' "$(./probe <cut.xz)"
expect 'with the flag' '5.4.1 returned 9 after three blocks or less' "$(./probe fast <cut.xz)"

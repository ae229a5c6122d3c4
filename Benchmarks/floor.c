// The least work that an import can do: reads a plain tar, compresses each page of `base/` and
// `global/` with zstd by itself, appends the results to one file in order, and syncs it once.
//
//     reader ──► block of 1 MiB ──► batches of 64 pages ──► compressors ──► writer, in order
//                (pages stay where they were read)     (a context each)    (many batches a call)
//
// Memory is bounded: the reader waits for a free block and for a free place in the ring.
#define _GNU_SOURCE
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#include "options.h"

enum {
  page_size = 8192,
  tar_block_size = 512,
  read_size = 1 << 20,
  // A page or header that a read cuts is put before the next one's bytes.
  headroom = page_size,
  pages_in_batch = 64,
  most_threads = 64,
  most_written_at_once = 16,
  header_size = 4,
};

struct block {
  unsigned char bytes[headroom + read_size];
  int users;  // the reader and the batches that point into it
};

struct page {
  const unsigned char *bytes;
  uint32_t size;
};

struct batch {
  struct block *block;
  struct page pages[pages_in_batch];
  int page_count;
  bool is_compressed;
  unsigned char *output;
  size_t output_size;
};

static struct {
  pthread_mutex_t mutex;
  pthread_cond_t block_freed, place_freed, batch_filled, batch_compressed;
  struct block *blocks;
  int block_count;
  // Batch n is at n % place_count; written <= taken <= filled <= written + place_count.
  struct batch *ring;
  uint64_t place_count, filled, taken, written;
  bool at_end;
} shared = {
  .mutex = PTHREAD_MUTEX_INITIALIZER,
  .block_freed = PTHREAD_COND_INITIALIZER,
  .place_freed = PTHREAD_COND_INITIALIZER,
  .batch_filled = PTHREAD_COND_INITIALIZER,
  .batch_compressed = PTHREAD_COND_INITIALIZER,
};

static int input = STDIN_FILENO, output = -1, level = 1;
static uint64_t pages_read, bytes_read, bytes_written;

static void lock(void) { pthread_mutex_lock(&shared.mutex); }
static void unlock(void) { pthread_mutex_unlock(&shared.mutex); }
static void wait_for(pthread_cond_t *condition) { pthread_cond_wait(condition, &shared.mutex); }

// MARK: Compressors

static void compress_batch(ZSTD_CCtx *context, struct batch *batch) {
  unsigned char *target = batch->output;
  for (int index = 0; index < batch->page_count; index++) {
    const struct page *page = &batch->pages[index];
    size_t size = ZSTD_compressCCtx(context, target + header_size, ZSTD_compressBound(page_size),
                                    page->bytes, page->size, level);
    if (ZSTD_isError(size)) fail("cannot compress a page");
    uint32_t flags = 0x90u << 24;
    if (size >= page->size) {
      size = page->size;
      flags = 0x80u << 24;
      memcpy(target + header_size, page->bytes, size);
    }
    uint32_t header = __builtin_bswap32(flags | (uint32_t)size);
    memcpy(target, &header, header_size);
    target += header_size + size;
  }
  batch->output_size = (size_t)(target - batch->output);
}

static void release(struct block *block) {
  if (--block->users == 0) pthread_cond_signal(&shared.block_freed);
}

static void *run_compressor(void *argument) {
  ZSTD_CCtx *context = ZSTD_createCCtx();
  if (context == NULL) fail("cannot make a compression context");
  lock();
  for (;;) {
    while (shared.taken == shared.filled && !shared.at_end) wait_for(&shared.batch_filled);
    if (shared.taken == shared.filled) break;
    struct batch *batch = &shared.ring[shared.taken++ % shared.place_count];
    unlock();
    compress_batch(context, batch);
    lock();
    batch->is_compressed = true;
    release(batch->block);
    pthread_cond_signal(&shared.batch_compressed);
  }
  unlock();
  ZSTD_freeCCtx(context);
  return argument;
}

// MARK: Writer

static void write_all(struct iovec *parts, int count) {
  while (count > 0) {
    ssize_t written = writev(output, parts, count);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("cannot write the output");
    for (bytes_written += (uint64_t)written; count > 0 && (size_t)written >= parts->iov_len;) {
      written -= (ssize_t)parts->iov_len;
      parts++, count--;
    }
    if (count > 0) {
      parts->iov_base = (char *)parts->iov_base + written;
      parts->iov_len -= (size_t)written;
    }
  }
}

static void *run_writer(void *argument) {
  lock();
  for (;;) {
    struct iovec parts[most_written_at_once];
    int count = 0;
    while (count < most_written_at_once && shared.written + (uint64_t)count < shared.taken) {
      struct batch *batch = &shared.ring[(shared.written + (uint64_t)count) % shared.place_count];
      if (!batch->is_compressed) break;
      parts[count++] = (struct iovec){batch->output, batch->output_size};
    }
    if (count == 0) {
      if (shared.at_end && shared.written == shared.filled) break;
      wait_for(&shared.batch_compressed);
      continue;
    }
    unlock();
    write_all(parts, count);
    lock();
    shared.written += (uint64_t)count;
    pthread_cond_signal(&shared.place_freed);
  }
  unlock();
  if (fsync(output) != 0 || close(output) != 0) fail("cannot make the output durable");
  return argument;
}

// MARK: Reader

static struct block *free_block(void) {
  lock();
  for (;;) {
    for (int index = 0; index < shared.block_count; index++) {
      if (shared.blocks[index].users != 0) continue;
      shared.blocks[index].users = 1;
      unlock();
      return &shared.blocks[index];
    }
    wait_for(&shared.block_freed);
  }
}

static size_t read_full(unsigned char *target) {
  size_t size = 0;
  while (size < read_size) {
    ssize_t count = read(input, target + size, read_size - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("cannot read the tar");
    if (count == 0) break;
    size += (size_t)count;
  }
  bytes_read += size;
  return size;
}

static struct batch *free_place(void) {
  lock();
  while (shared.filled - shared.written == shared.place_count) wait_for(&shared.place_freed);
  struct batch *batch = &shared.ring[shared.filled % shared.place_count];
  unlock();
  batch->page_count = 0;
  batch->is_compressed = false;
  return batch;
}

static void hand_over(struct batch *batch) {
  lock();
  batch->block->users++;
  shared.filled++;
  pthread_cond_signal(&shared.batch_filled);
  unlock();
}

static uint64_t octal(const unsigned char *field, int size) {
  uint64_t value = 0;
  for (; size > 0 && *field >= '0' && *field <= '7'; size--) value = value * 8 + *field++ - '0';
  if (size > 0 && *field != 0 && *field != ' ') fail("a member of the tar has no size");
  return value;
}

static bool holds_pages(const unsigned char *header) {
  const char *name = (const char *)header;
  if (strncmp(name, "./", 2) == 0) name += 2;
  bool is_file = header[156] == '0' || header[156] == 0;
  return is_file && (strncmp(name, "base/", 5) == 0 || strncmp(name, "global/", 7) == 0);
}

// Where in the tar the reader is, from one block to the next.
struct position {
  uint64_t member_left, padding_left;
  bool is_wanted, is_at_end;
};

// Finds the pages among the bytes and hands them over; gives back where it could not go on.
static const unsigned char *find_pages(struct position *at, struct block *block,
                                       const unsigned char *bytes, const unsigned char *end) {
  struct batch *batch = NULL;
  while (bytes < end && !at->is_at_end) {
    size_t size = (size_t)(end - bytes);
    if (at->member_left > 0 && at->is_wanted) {
      size_t wanted = at->member_left < page_size ? (size_t)at->member_left : page_size;
      if (size < wanted) break;
      size = wanted;
      if (batch == NULL) batch = free_place();
      batch->block = block;
      batch->pages[batch->page_count++] = (struct page){bytes, (uint32_t)size};
      pages_read++;
      at->member_left -= size;
      if (batch->page_count == pages_in_batch) {
        hand_over(batch);
        batch = NULL;
      }
    } else if (at->member_left > 0 || at->padding_left > 0) {
      uint64_t *left = at->member_left > 0 ? &at->member_left : &at->padding_left;
      if (size > *left) size = *left;
      *left -= size;
    } else {
      if (size < tar_block_size) break;
      size = tar_block_size;
      at->is_at_end = bytes[0] == 0;
      at->member_left = octal(bytes + 124, 12);
      at->padding_left = -at->member_left % tar_block_size;
      at->is_wanted = holds_pages(bytes);
    }
    bytes += size;
  }
  if (batch != NULL) hand_over(batch);
  return at->is_at_end ? end : bytes;
}

static void read_tar(void) {
  struct position at = {0};
  struct block *block = free_block();
  unsigned char *start = block->bytes + headroom;
  size_t size;
  while ((size = read_full(block->bytes + headroom)) > 0) {
    const unsigned char *end = block->bytes + headroom + size;
    const unsigned char *rest = find_pages(&at, block, start, end);
    size_t rest_size = (size_t)(end - rest);
    struct block *next = free_block();
    start = next->bytes + headroom - rest_size;
    memcpy(start, rest, rest_size);
    lock();
    release(block);
    unlock();
    block = next;
  }
  errno = 0;
  if (!at.is_at_end) fail("the tar is cut off");
  lock();
  shared.at_end = true;
  pthread_cond_broadcast(&shared.batch_filled);
  pthread_cond_signal(&shared.batch_compressed);
  unlock();
}

// MARK: The program

static const char usage[] = "usage: floor [--threads N] [--level N] --output FILE BACKUP.tar|-\n";

static int run_options(int count, char **arguments) {
  static const struct option options[] = {
    {"threads", required_argument, NULL, 't'},
    {"level", required_argument, NULL, 'l'},
    {"output", required_argument, NULL, 'o'},
    {NULL, 0, NULL, 0},
  };
  int threads = (int)sysconf(_SC_NPROCESSORS_ONLN);
  for (int option; (option = getopt_long(count, arguments, "", options, NULL)) != -1;) {
    switch (option) {
    case 't': threads = (int)number(optarg, 1, most_threads); break;
    case 'l': level = (int)number(optarg, 1, 19); break;
    case 'o':
      output = open(optarg, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
      if (output < 0) fail("cannot create the output");
      break;
    default: fputs(usage, stderr); exit(64);
    }
  }
  if (output < 0 || optind != count - 1) {
    fputs(usage, stderr);
    exit(64);
  }
  if (strcmp(arguments[optind], "-") != 0) {
    input = open(arguments[optind], O_RDONLY | O_CLOEXEC);
    if (input < 0) fail("cannot open the tar");
  }
  (void)fcntl(input, F_SETPIPE_SZ, 1 << 20);  // what is no pipe needs none
  return threads < most_threads ? threads : most_threads;
}

int main(int count, char **arguments) {
  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  int threads = run_options(count, arguments);
  shared.block_count = threads + 3;
  shared.place_count = (uint64_t)(2 * threads + 4);
  shared.blocks = calloc((size_t)shared.block_count, sizeof *shared.blocks);
  shared.ring = calloc(shared.place_count, sizeof *shared.ring);
  if (shared.blocks == NULL || shared.ring == NULL) fail("cannot get memory");
  for (uint64_t place = 0; place < shared.place_count; place++) {
    size_t slot = header_size + ZSTD_compressBound(page_size);
    shared.ring[place].output = malloc(pages_in_batch * slot);
    if (shared.ring[place].output == NULL) fail("cannot get memory");
  }

  pthread_t compressors[most_threads], writer;
  for (int index = 0; index < threads; index++) {
    errno = pthread_create(&compressors[index], NULL, run_compressor, NULL);
    if (errno != 0) fail("cannot start a thread");
  }
  errno = pthread_create(&writer, NULL, run_writer, NULL);
  if (errno != 0) fail("cannot start a thread");
  read_tar();
  for (int index = 0; index < threads; index++) pthread_join(compressors[index], NULL);
  pthread_join(writer, NULL);

  clock_gettime(CLOCK_MONOTONIC, &end);
  printf("%llu pages, %llu bytes in, %llu bytes out, %.3f s\n", (unsigned long long)pages_read,
         (unsigned long long)bytes_read, (unsigned long long)bytes_written,
         (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec));
  return 0;
}

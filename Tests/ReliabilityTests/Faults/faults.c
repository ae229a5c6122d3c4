// Makes a program's calls of the system fail, or the program die at one of them.
//
// Preloaded (LD_PRELOAD) into the program as it is built for its users: the calls of its Swift code
// go through glibc's symbols, also where the Swift runtime is linked into it. Environment:
//
//   FAULT        KIND:N:ACTION;…     at the Nth counted call of the kind, counted from 1
//   FAULT_UNDER  PATH                count only calls on paths, or open files, that begin with it
//   FAULT_LOG    PATH                append a line for each counted call: kind, path, result, errno
//   FAULT_PEAK   PATH                at the end, write the most memory that was resident, in KiB
//
// KIND    open opendir readdir read pread write pwrite fsync rename mkdir rmdir unlink close flock
//         fstat statvfs readlink, or any; openat, fdopendir, fstatat, readlinkat, renameat,
//         mkdirat and unlinkat count as the calls that do the same by a path; with an empty PATH
//         also thread (pthread_create), memory (what libarchive allocates) and window (libzstd)
// N       a number; N+ for this call and all behind it; 0 for every other call, the first included
// ACTION  kill-before, kill-after   SIGKILL, before or after the real call
//         errno=E                   fail with it; nothing is done, but that a file is closed
//         short                     do the first half of what was asked, at least a byte
//         flip                      read something else (pread)
//         signal=S                  raise the signal, then do the real call
//         delay=MS                  wait first
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

enum action { NONE, KILL_BEFORE, KILL_AFTER, FAIL, SHORT, FLIP, SIGNAL, DELAY };

struct fault {
  char kind[16];
  long number;  // of the call; 0 for every other one
  int and_all_behind;
  enum action action;
  int argument;
  atomic_long count;
};

static struct fault faults[4];
static int fault_count;
static const char *under;
static int log_descriptor = -1;
static const char *peak_path;

static const char *const action_words[] = {
    [KILL_BEFORE] = "kill-before", [KILL_AFTER] = "kill-after", [FAIL] = "errno=%d",
    [SHORT] = "short", [FLIP] = "flip", [SIGNAL] = "signal=%d", [DELAY] = "delay=%d"};

static void parse(const char *text) {
  for (; text && *text; text = strchr(text, ';') ? strchr(text, ';') + 1 : NULL) {
    char number[16], action[32];
    if (fault_count == 4) abort();
    struct fault *fault = &faults[fault_count++];
    if (sscanf(text, "%15[^:]:%15[^:]:%31[^;]", fault->kind, number, action) != 3) abort();
    fault->number = atol(number);
    fault->and_all_behind = strchr(number, '+') != NULL;
    for (int i = KILL_BEFORE; i <= DELAY; i++) {
      const char *word = action_words[i];
      if (strchr(word, '%') ? sscanf(action, word, &fault->argument) == 1 : !strcmp(action, word))
        fault->action = i;
    }
    if (fault->action == NONE) abort();
  }
}

__attribute__((constructor)) static void begin(void) {
  const char *fault = getenv("FAULT"), *log = getenv("FAULT_LOG");
  under = getenv("FAULT_UNDER");
  peak_path = getenv("FAULT_PEAK");
  if (fault) parse(fault);
  if (log) {
    int low = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    // Out of the way of the numbers that the program's own files get.
    log_descriptor = syscall(SYS_fcntl, low, F_DUPFD_CLOEXEC, 900);
    syscall(SYS_close, low);
  }
}

__attribute__((destructor)) static void end(void) {
  char text[8192], *line;
  if (!peak_path) return;
  int status = syscall(SYS_openat, AT_FDCWD, "/proc/self/status", O_RDONLY);
  long count = syscall(SYS_read, status, text, sizeof text - 1);
  text[count > 0 ? count : 0] = 0;
  if (!(line = strstr(text, "VmHWM:"))) return;
  line += 6 + strspn(line + 6, " \t");
  int peak = syscall(SYS_openat, AT_FDCWD, peak_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  syscall(SYS_write, peak, line, strspn(line, "0123456789"));
}

static void die(void) {
  syscall(SYS_kill, getpid(), SIGKILL);
  for (;;) pause();
}

// One call on its way: what to do about it, and what to log.
struct call {
  const char *kind;
  char path[PATH_MAX];
  int is_counted;
  enum action action;
  int argument;
};

// Says in `call` what is to be done, and does what comes before the real call. Keeps errno.
static void enter(struct call *call, const char *kind, const char *path, int descriptor) {
  int saved = errno;
  call->kind = kind;
  call->action = NONE;
  call->is_counted = 0;
  call->path[0] = 0;
  ssize_t length = 0;
  if (descriptor >= 0) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    length = readlink(link, call->path, sizeof call->path - 1);
    if (length < 0) length = 0;
    call->path[length] = 0;
  }
  if (path) {
    snprintf(call->path + length, sizeof call->path - length, "%s%s", length ? "/" : "", path);
  }
  errno = saved;
  if (under && strncmp(call->path, under, strlen(under))) return;
  call->is_counted = 1;
  for (int i = 0; i < fault_count; i++) {
    struct fault *fault = &faults[i];
    if (strcmp(fault->kind, "any") && strcmp(fault->kind, kind)) continue;
    long count = atomic_fetch_add(&fault->count, 1) + 1;
    int is_meant = fault->number == 0      ? count % 2 == 1
                   : fault->and_all_behind ? count >= fault->number
                                           : count == fault->number;
    if (!is_meant) continue;
    call->action = fault->action;
    call->argument = fault->argument;
  }
  if (call->action == KILL_BEFORE) die();
  if (call->action == SIGNAL) {
    // To this thread, which may have signals blocked: the handler has run when this is over.
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, call->argument);
    pthread_sigmask(SIG_UNBLOCK, &set, &before);
    pthread_kill(pthread_self(), call->argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
  }
  if (call->action == DELAY) poll(NULL, 0, call->argument);
  errno = saved;
}

static void leave(const struct call *call, long result) {
  int saved = errno;
  if (call->is_counted && log_descriptor >= 0) {
    char line[PATH_MAX + 64];
    int count = snprintf(line, sizeof line, "%s\t%s\t%ld\t%d\n", call->kind, call->path, result,
                         result < 0 ? saved : 0);
    syscall(SYS_write, log_descriptor, line, count);
  }
  if (call->action == KILL_AFTER) die();
  errno = saved;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

// A call that fails as a whole: `failing` is what runs in its place.
#define CALL(result_type, kind, path, descriptor, real, failing, failure)            \
  struct call call;                                                                  \
  enter(&call, kind, path, descriptor);                                              \
  result_type result;                                                                \
  if (call.action == FAIL) {                                                         \
    failing;                                                                         \
    result = failure;                                                                \
    errno = call.argument;                                                           \
  } else {                                                                           \
    result = real;                                                                   \
  }                                                                                  \
  leave(&call, (long)result == (long)(failure) ? -1 : (long)result);                 \
  return result

static size_t part(const struct call *call, size_t count) {
  return call->action == SHORT && count > 1 ? count / 2 : count;
}

int open(const char *path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
  va_end(list);
  CALL(int, "open", path, -1, syscall(SYS_openat, AT_FDCWD, path, flags, mode), , -1);
}

int open64(const char *path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
  va_end(list);
  CALL(int, "open", path, -1, syscall(SYS_openat, AT_FDCWD, path, flags, mode), , -1);
}

int openat(int directory, const char *path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
  va_end(list);
  CALL(int, "open", path, directory, syscall(SYS_openat, directory, path, flags, mode), , -1);
}

int openat64(int directory, const char *path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
  va_end(list);
  CALL(int, "open", path, directory, syscall(SYS_openat, directory, path, flags, mode), , -1);
}

int close(int descriptor) {
  CALL(int, "close", NULL, descriptor, REAL(close)(descriptor), REAL(close)(descriptor), -1);
}

ssize_t read(int descriptor, void *buffer, size_t count) {
  CALL(ssize_t, "read", NULL, descriptor, REAL(read)(descriptor, buffer, part(&call, count)), , -1);
}

static ssize_t changed(const struct call *call, void *buffer, ssize_t count) {
  for (ssize_t i = 0; call->action == FLIP && i < count; i++) ((char *)buffer)[i] ^= 0x55;
  return count;
}

ssize_t pread(int descriptor, void *buffer, size_t count, off_t offset) {
  CALL(ssize_t, "pread", NULL, descriptor,
       changed(&call, buffer, REAL(pread)(descriptor, buffer, part(&call, count), offset)), , -1);
}

ssize_t write(int descriptor, const void *buffer, size_t count) {
  CALL(ssize_t, "write", NULL, descriptor,
       REAL(write)(descriptor, buffer, part(&call, count)), , -1);
}

ssize_t pwrite(int descriptor, const void *buffer, size_t count, off_t offset) {
  CALL(ssize_t, "pwrite", NULL, descriptor,
       REAL(pwrite)(descriptor, buffer, part(&call, count), offset), , -1);
}

int fsync(int descriptor) {
  CALL(int, "fsync", NULL, descriptor, REAL(fsync)(descriptor), , -1);
}

int rename(const char *old, const char *new) {
  CALL(int, "rename", old, -1, REAL(rename)(old, new), , -1);
}

int mkdir(const char *path, mode_t mode) {
  CALL(int, "mkdir", path, -1, REAL(mkdir)(path, mode), , -1);
}

int rmdir(const char *path) {
  CALL(int, "rmdir", path, -1, REAL(rmdir)(path), , -1);
}

int unlink(const char *path) {
  CALL(int, "unlink", path, -1, REAL(unlink)(path), , -1);
}

int renameat(int directory, const char *old, int target, const char *new) {
  CALL(int, "rename", old, directory, REAL(renameat)(directory, old, target, new), , -1);
}

int mkdirat(int directory, const char *path, mode_t mode) {
  CALL(int, "mkdir", path, directory, REAL(mkdirat)(directory, path, mode), , -1);
}

int unlinkat(int directory, const char *path, int flags) {
  CALL(int, flags & AT_REMOVEDIR ? "rmdir" : "unlink", path, directory,
       REAL(unlinkat)(directory, path, flags), , -1);
}

int flock(int descriptor, int operation) {
  CALL(int, "flock", NULL, descriptor, REAL(flock)(descriptor, operation), , -1);
}

int fstat(int descriptor, struct stat *status) {
  CALL(int, "fstat", NULL, descriptor, REAL(fstat)(descriptor, status), , -1);
}

int fstatat(int directory, const char *path, struct stat *status, int flags) {
  CALL(int, "fstat", path, directory, REAL(fstatat)(directory, path, status, flags), , -1);
}

ssize_t readlinkat(int directory, const char *path, char *target, size_t count) {
  CALL(ssize_t, "readlink", path, directory, REAL(readlinkat)(directory, path, target, count), ,
       -1);
}

int statvfs(const char *path, struct statvfs *status) {
  CALL(int, "statvfs", path, -1, REAL(statvfs)(path, status), , -1);
}

DIR *opendir(const char *path) {
  CALL(DIR *, "opendir", path, -1, REAL(opendir)(path), , NULL);
}

DIR *fdopendir(int descriptor) {
  CALL(DIR *, "opendir", NULL, descriptor, REAL(fdopendir)(descriptor), , NULL);
}

struct dirent *readdir(DIR *directory) {
  CALL(struct dirent *, "readdir", NULL, dirfd(directory), REAL(readdir)(directory), , NULL);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *),
                   void *argument) {
  CALL(int, "thread", NULL, -1, REAL(pthread_create)(thread, attributes, body, argument), ,
       EAGAIN);
}

void *archive_read_new(void) {
  CALL(void *, "memory", NULL, -1, REAL(archive_read_new)(), , NULL);
}

// Returns ZSTD_error_memory_allocation, which libzstd calls 64, if it has no memory for a window.
size_t ZSTD_decompressStream(void *context, void *output, void *input) {
  CALL(size_t, "window", NULL, -1, REAL(ZSTD_decompressStream)(context, output, input), ,
       (size_t)-64);
}

#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <sys/types.h>

// glibc declares these for programs that ask for GNU's extensions; Swift's module of glibc does not.
int sched_getaffinity(pid_t process, size_t byte_count, cpu_set_t *mask);
int pthread_setname_np(pthread_t thread, const char *name);
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int first);
int renameat2(int old_directory, const char *old_name, int new_directory, const char *new_name,
              unsigned flags);
int memfd_create(const char *name, unsigned flags);

#include <fcntl.h>

// The flag O_TMPFILE of open(2), which glibc shows to the same programs only; it differs by processor.
static const int open_without_name = __O_TMPFILE | __O_DIRECTORY;

// Tells the thread sanitizer what comes before what in Swift's runtime, where it does not see it.
//
// Linked into every program of a thread sanitizer build, where these definitions come before those
// of the runtime's libraries, which are not built for the sanitizer. A suppression would hide the
// races in what is guarded, and handed on, as well.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>

void __tsan_acquire(void *address);
void __tsan_release(void *address);

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *self

// Synchronization.Mutex, where two threads want it at once.
//
// The fast path is compiled into the program, and the sanitizer sees its atomics. The slow path is
// in libswiftSynchronization, and takes and leaves the lock in the kernel (FUTEX_LOCK_PI). Without
// this every contended lock would be reported as a race. The names and the way of calling are those
// of Swift's ABI (`Mutex/LinuxImpl.swift` of Synchronization): methods of _MutexHandle, whose
// address is the lock's own.
#define LOCK_SLOW "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK_SLOW "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

SWIFT void lock_slow(uint32_t thread, SELF) __asm__(LOCK_SLOW);
SWIFT void unlock_slow(SELF) __asm__(UNLOCK_SLOW);

SWIFT void lock_slow(uint32_t thread, SELF) {
  SWIFT void (*next)(uint32_t, SELF) = dlsym(RTLD_NEXT, LOCK_SLOW);
  next(thread, self);
  __tsan_acquire(self);
}

SWIFT void unlock_slow(SELF) {
  SWIFT void (*next)(SELF) = dlsym(RTLD_NEXT, UNLOCK_SLOW);
  __tsan_release(self);
  next(self);
}

// A continuation that is resumed before its task waits for it; only the tests have tasks.
//
// Whoever resumes releases the task's address, and a task that was suspended acquires it when it
// runs again. One that finds its continuation resumed already goes on at once, and acquires nothing
// (`swift_continuation_await` in `Task.cpp` of Concurrency). Whatever a task has waited for, it gives
// back the frame of the call that it made for it: so it acquires here. Only what resumes this task
// releases its address, so nothing else is taken for an order.
SWIFT void *swift_task_getCurrent(void);
SWIFT void swift_task_dealloc(void *frame);

static SWIFT void (*next_dealloc)(void *);

// Once, as every call of an asynchronous function ends with one.
__attribute__((constructor)) static void find_dealloc(void) {
  next_dealloc = dlsym(RTLD_NEXT, "swift_task_dealloc");
}

SWIFT void swift_task_dealloc(void *frame) {
  void *task = swift_task_getCurrent();
  next_dealloc(frame);
  if (task) __tsan_acquire(task);
}

// Tells the thread sanitizer of what Swift's Mutex does where two threads want it at once.
//
// The fast path of Synchronization.Mutex is compiled into the program, and the sanitizer sees its
// atomics. The slow path is in libswiftSynchronization, which is not built for the sanitizer: it
// takes and leaves the lock in the kernel (FUTEX_LOCK_PI). Without this file every contended lock
// would be reported as a race. A suppression would hide the races in what the lock guards as well.
//
// Linked into every program of a thread sanitizer build, where these definitions come before the
// library's. The names and the way of calling are those of Swift's ABI (`Mutex/LinuxImpl.swift` of
// Synchronization): methods of _MutexHandle, whose address is the lock's own.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>

void __tsan_acquire(void *address);
void __tsan_release(void *address);

#define METHOD __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *self

#define LOCK_SLOW "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK_SLOW "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

METHOD void lock_slow(uint32_t thread, SELF) __asm__(LOCK_SLOW);
METHOD void unlock_slow(SELF) __asm__(UNLOCK_SLOW);

METHOD void lock_slow(uint32_t thread, SELF) {
  METHOD void (*next)(uint32_t, SELF) = dlsym(RTLD_NEXT, LOCK_SLOW);
  next(thread, self);
  __tsan_acquire(self);
}

METHOD void unlock_slow(SELF) {
  METHOD void (*next)(SELF) = dlsym(RTLD_NEXT, UNLOCK_SLOW);
  __tsan_release(self);
  next(self);
}

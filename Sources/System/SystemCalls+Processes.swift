import Glibc

/// The calls about other processes.
extension SystemCalls {
  /// Whether another process has that number, whoever's it is: this one and its parent do not count.
  package static func isProcessAlive(_ number: Int32) -> Bool {
    if number == getpid() || number == getppid() { return false }
    return kill(number, 0) == 0 || errno != ESRCH
  }

  /// Removes a segment of System V shared memory, if the process of that number made it.
  package static func removeSharedMemory(_ number: Int32, madeBy process: Int32) {
    var status = shmid_ds()
    // Invariant: the structure is lent for the calls.
    unsafe withUnsafeMutablePointer(to: &status) { pointer in
      guard unsafe shmctl(number, IPC_STAT, pointer) == 0,
        unsafe pointer.pointee.shm_cpid == process
      else { return }
      shmctl(number, IPC_RMID, nil)
    }
  }
}

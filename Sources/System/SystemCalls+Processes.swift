import Glibc

/// The calls about other processes.
extension SystemCalls {
  /// Whether another process has that number, whoever's it is: this one and its parent do not count.
  package static func isProcessAlive(_ number: Int32) -> Bool {
    if number == getpid() || number == getppid() { return false }
    return kill(number, 0) == 0 || errno != ESRCH
  }

  /// Another process of the machine, as far as this one may see it.
  package struct RunningProcess: Sendable {
    /// The number of the user that it acts as.
    package let owner: UInt32
    /// The first 15 bytes of the name of its program.
    package let name: String
  }

  /// All processes that there are now. (proc(5))
  package static func processes() throws(Failure) -> [RunningProcess] {
    var processes: [RunningProcess] = []
    for number in try names(in: "/proc") where Int32(number) != nil {
      // One that has ended meanwhile is left out.
      guard let status = try? status(at: "/proc/" + number),
        let name = try? firstLine(of: "/proc/\(number)/comm")
      else { continue }
      processes.append(RunningProcess(owner: status.owner, name: name))
    }
    return processes
  }

  private static func firstLine(of path: String) throws(Failure) -> String {
    try InputFile(open(path, O_RDONLY, .open)).firstLine()
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

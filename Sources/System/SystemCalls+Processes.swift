import Glibc

/// The calls about other processes.
extension SystemCalls {
  /// Whether another process has that number, whoever's it is: this one and its parent do not count.
  package static func isProcessAlive(_ number: Int32) -> Bool {
    if number == getpid() || number == getppid() { return false }
    return (kill(number, 0) == 0 || errno != ESRCH) && !hasEnded(number)
  }

  /// Whether a process has ended, but was not waited for: `number (name) Z …`. (proc(5))
  private static func hasEnded(_ number: Int32) -> Bool {
    let words = (try? firstLine(of: "/proc/\(number)/stat"))?.split(separator: ") ").last
    return words?.first == "Z" || words?.first == "X"
  }

  /// Another process of the machine, as far as this one may see it.
  package struct RunningProcess: Sendable {
    /// Its number.
    package let number: Int32
    /// The number of the user that it acts as.
    package let owner: UInt32
    /// The first 15 bytes of the name of its program.
    package let name: String
  }

  /// All processes that run now. (proc(5))
  package static func processes() throws(Failure) -> [RunningProcess] {
    var processes: [RunningProcess] = []
    for number in try names(in: "/proc").compactMap({ Int32($0) }) {
      // One that has ended meanwhile is left out.
      guard !hasEnded(number), let status = try? status(at: "/proc/\(number)"),
        let name = try? firstLine(of: "/proc/\(number)/comm")
      else { continue }
      processes.append(RunningProcess(number: number, owner: status.owner, name: name))
    }
    return processes
  }

  private static func firstLine(of path: String) throws(Failure) -> String {
    try InputFile(open(path, O_RDONLY, .open)).firstLines(1)[0]
  }

  /// The paths of the files that a process and all that it has started have open, each as its own
  /// process sees it; none of one that has ended, or that this one may not look at. (proc(5))
  package static func openFiles(below process: Int32) -> [String] {
    (tree(of: process) ?? [process]).flatMap { number in
      let directory = "/proc/\(number)/fd"
      let names = (try? names(in: directory, for: .listInput)) ?? []
      return names.compactMap { linkTarget(of: directory + "/" + $0) }
    }
  }

  /// The processor time that a process and all that it has started have used, in hundredths of a
  /// second, that of processes that have ended included; nil if the system does not say. (proc(5))
  package static func processorTime(below process: Int32) -> UInt64? {
    guard let processes = tree(of: process) else { return nil }
    var sum: UInt64 = 0
    for number in processes {
      // `number (name) state …`, of which words 14 to 17 are times, in ticks of 10 ms.
      let words = (try? firstLine(of: "/proc/\(number)/stat"))?.split(separator: ") ").last?
        .split(separator: " ")
      for word in words?.dropFirst(11).prefix(4) ?? [] { sum &+= UInt64(word) ?? 0 }
    }
    return sum
  }

  /// A process, and all that it has started and that run still, as far as they may be seen; nil if
  /// the system has no lists of them.
  private static func tree(of process: Int32) -> [Int32]? {
    var processes = [process]
    var next = 0
    while next < processes.count {
      let number = processes[next]
      next += 1
      let children = try? firstLine(of: "/proc/\(number)/task/\(number)/children")
      if children == nil && next == 1 { return nil }
      processes += (children ?? "").split(separator: " ").compactMap { Int32($0) }
    }
    return processes
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

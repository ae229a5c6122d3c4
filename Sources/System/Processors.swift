import CGlibc
import Glibc

/// The processors that this process may use.
package enum Processors {
  /// How many: those that it may run on, or less if its control group is allowed less of their
  /// time, as a container mostly is. At least one.
  package static var count: Int {
    max(1, min(usable, count(ofQuota: beginning(of: quotaPath)) ?? .max))
  }

  /// The limit of the control group that a container takes for the top one; on a host, which has
  /// none there, no such file exists. (Linux, `Documentation/admin-guide/cgroup-v2.rst`, `cpu.max`)
  private static let quotaPath = "/sys/fs/cgroup/cpu.max"

  /// The first bytes of a file of the kernel's, which says that it has none; none if it does not
  /// exist.
  static func beginning(of path: String) -> [UInt8] {
    let buffer = ByteBuffer(capacity: 256)
    if let file = try? FileSource(path: path) { try? buffer.fill(from: file) }
    var bytes: [UInt8] = []
    buffer.withBytes { bytes.append($0) }
    return bytes
  }

  /// The processors that `cpu.max` comes to, rounded up: microseconds in each period of so many, or
  /// `max`, which is nil.
  package static func count(ofQuota text: [UInt8]) -> Int? {
    let words = text.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
    guard words.count == 2,
      let quota = UInt32(String(decoding: words[0], as: UTF8.self)),
      let period = UInt32(String(decoding: words[1], as: UTF8.self)), period > 0
    else { return nil }
    return (Int(quota) + Int(period) - 1) / Int(period)
  }

  /// The processors in this thread's affinity; sysconf(3) of Debian's glibc gives all that there
  /// are.
  private static var usable: Int {
    var mask = cpu_set_t()
    // Invariant: the mask is lent for the call, with its length.
    guard unsafe sched_getaffinity(0, MemoryLayout<cpu_set_t>.size, &mask) == 0 else {
      return Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    }
    // Invariant: the mask is a plain array of bits.
    return unsafe withUnsafeBytes(of: &mask) { bytes in
      unsafe bytes.reduce(0) { $0 + $1.nonzeroBitCount }
    }
  }
}

import Glibc
import System

/// A file in memory, with a path for the readers of the program.
struct MemoryFile: ~Copyable {
  private let descriptor: Int32

  var path: String { "/proc/self/fd/\(descriptor)" }

  /// A file of these bytes.
  init(_ bytes: RawSpan) {
    // glibc's module map has no memfd_create(2), so this is a file in a tmpfs that is unlinked at
    // once.
    var template = Array("/dev/shm/fuzz-XXXXXX".utf8CString)
    descriptor = unsafe mkstemp(&template)
    precondition(descriptor >= 0, "no file in memory: \(SystemCalls.describe(errno))")
    unsafe unlink(template)
    var rest = bytes
    while !rest.isEmpty {
      let count = unsafe rest.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
      precondition(count > 0, "cannot write into memory: \(SystemCalls.describe(errno))")
      rest = rest.extracting(droppingFirst: count)
    }
  }

  deinit { close(descriptor) }
}

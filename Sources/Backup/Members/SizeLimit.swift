import PostgresFormat
import Synchronization
import System

/// The most that a backup may unpack to: its tars, decompressed, with the holes of their files; of
/// directories the files that are read, and of WAL that is given with a backup the segments.
///
/// One object counts all parts of a backup, which are read one after the other.
package final class SizeLimit: Sendable {
  private let byteCount: UInt64
  /// What the parts that have been read unpack to.
  private let used = Atomic<UInt64>(0)

  /// A limit of so many bytes; nil for none.
  package init?(_ byteCount: UInt64?) {
    guard let byteCount else { return nil }
    self.byteCount = byteCount
  }

  /// Throws `.unsupported` if these bytes, and those that are counted, exceed the limit together.
  package func require(_ byteCounts: UInt64...) throws(Failure) {
    var sum = used.load(ordering: .relaxed)
    for count in byteCounts {
      let (next, overflows) = sum.addingReportingOverflow(count)
      guard !overflows, next <= byteCount else {
        throw Failure(
          .backupTooLarge,
          "the backup unpacks to more than \(byteWords(byteCount)), the limit of '--max-size'",
          hint: "If it may be that large, import it with a larger '--max-size'.")
      }
      sum = next
    }
  }

  /// Counts bytes that were within the limit.
  package func use(_ byteCount: UInt64) { used.wrappingAdd(byteCount, ordering: .relaxed) }
}

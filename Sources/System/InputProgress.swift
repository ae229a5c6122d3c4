import Synchronization

/// How much of an input has been read: what its reading thread tells the others.
///
/// One object may count several inputs that are read one after the other. Telling costs the reading
/// thread two or three stores for each read(2), of up to 1 MiB.
package final class InputProgress: Sendable {
  private let knownByteCount = Atomic<UInt64>(.max)
  private let readByteCount = Atomic<UInt64>(0)
  private let compressed = Atomic<Bool>(false)
  private let withoutPages = Atomic<Bool>(false)
  private let reading = Atomic<Bool>(false)

  /// Progress of an input of which nothing is known yet.
  package init() {}

  /// The size of a regular file, or of all files that are read of a directory; nil of a pipe.
  package var inputByteCount: UInt64? {
    let value = knownByteCount.load(ordering: .relaxed)
    return value == .max ? nil : value
  }

  /// The bytes taken from the input, compressed as they came.
  package var inputBytesRead: UInt64 { readByteCount.load(ordering: .relaxed) }

  /// Whether the input is a compressed stream; known once its first bytes were read.
  package var isCompressed: Bool { compressed.load(ordering: .relaxed) }

  /// Whether files of pages have their contents; known once the first bytes were read.
  package var givesPages: Bool { !withoutPages.load(ordering: .relaxed) }

  /// Says that of files of pages only names and sizes are given.
  package func setWithoutPages() {
    withoutPages.store(true, ordering: .relaxed)
  }

  /// Whether the reading thread is in a call that opens or reads the input, and so waits for it.
  package var isReading: Bool { reading.load(ordering: .relaxed) }

  /// Says how many bytes there are to read.
  package func setInputByteCount(_ byteCount: UInt64) {
    knownByteCount.store(byteCount, ordering: .relaxed)
  }

  /// Counts bytes that were read.
  package func addBytesRead(_ byteCount: Int) {
    readByteCount.wrappingAdd(UInt64(byteCount), ordering: .relaxed)
  }

  /// Says that the input is a compressed stream.
  package func setCompressed() {
    compressed.store(true, ordering: .relaxed)
  }

  /// Says that a call that may wait for the input begins, or has ended.
  package func setReading(_ isReading: Bool) {
    reading.store(isReading, ordering: .relaxed)
  }
}

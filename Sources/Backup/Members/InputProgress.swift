import Synchronization

/// What the reading thread reports about the input to the others.
package final class InputProgress: Sendable {
  private let knownByteCount = Atomic<UInt64>(.max)
  private let readByteCount = Atomic<UInt64>(0)
  private let compressed = Atomic<Bool>(false)

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

  func setInputByteCount(_ byteCount: UInt64) {
    knownByteCount.store(byteCount, ordering: .relaxed)
  }

  func addBytesRead(_ byteCount: Int) {
    readByteCount.wrappingAdd(UInt64(byteCount), ordering: .relaxed)
  }

  func setCompressed() {
    compressed.store(true, ordering: .relaxed)
  }
}

import Glibc

/// A source that can be read at two places at once.
package protocol SplittableSource: ByteSource {
  /// Two sources that give its pieces of `byteCount` bytes from the start on in turn, each filling as
  /// much at once; the source itself is not used any more. Nil if it cannot be read elsewhere than where
  /// it is, or if it is too short for that to pay.
  func split(intoPiecesOf byteCount: Int) -> [any ByteSource & Sendable]?
}

/// Every second piece of a file, or every one of so many.
final class StridedSource: ByteSource, @unchecked Sendable {
  // Invariant: belongs to the one thread that reads it, and is handed to it before that begins.

  private let descriptor: Descriptor
  private let subject: String
  private let progress: InputProgress
  private var offset: UInt64
  private let stride: UInt64
  /// Up to where bytes have been counted before.
  private let countedByteCount: UInt64

  init(
    _ descriptor: Descriptor, subject: String, from offset: UInt64, by stride: UInt64,
    countedByteCount: UInt64, progress: InputProgress
  ) {
    self.descriptor = descriptor
    self.subject = subject
    self.offset = offset
    self.stride = stride
    self.countedByteCount = countedByteCount
    self.progress = progress
  }

  /// Reads the next piece, which is as long as there is room.
  func fill(_ output: inout OutputRawSpan) throws(Failure) {
    var end = offset
    while true {
      let count = try unsafe FileSource.read(into: &output, subject, progress) { buffer in
        unsafe pread(descriptor.number, buffer.baseAddress, buffer.count, off_t(end))
      }
      guard let count else { break }
      end += UInt64(count)
    }
    progress.addBytesRead(Int(end - min(end, max(offset, countedByteCount))))
    offset += stride
  }
}

extension FileSource: SplittableSource {
  /// From how many bytes on a file is read at two places.
  private static let leastSplitByteCount: UInt64 = 64 << 20

  /// Splits a regular file, if it is a large one.
  package func split(intoPiecesOf byteCount: Int) -> [any ByteSource & Sendable]? {
    guard let fileByteCount = self.byteCount, fileByteCount >= Self.leastSplitByteCount else {
      return nil
    }
    return (0..<2).map { number in
      StridedSource(
        descriptor, subject: subject, from: UInt64(number * byteCount), by: UInt64(2 * byteCount),
        countedByteCount: readByteCount, progress: progress)
    }
  }
}

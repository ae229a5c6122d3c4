/// The name of a WAL segment: a timeline of Postgres and a place in the log.
///
///     TTTTTTTTHHHHHHHHLLLLLLLL    timeline, then the segment's number in two parts
///
/// The lower part counts up to the number of segments in 4 GiB (Postgres,
/// `src/include/access/xlog_internal.h`, `XLogFileName`).
public struct WALSegmentName: Hashable, Sendable {
  /// The timeline of Postgres, not of Neon, that the segment was written on.
  public let timelineID: UInt32

  /// The segment's number, counted from the beginning of the log.
  public let number: UInt64

  /// A power of two from 1 MiB to 1 GiB.
  public let segmentSize: UInt32

  /// The name of the segment that contains a position below 2^63.
  public init(timelineID: UInt32, containing position: LogSequenceNumber, segmentSize: UInt32) {
    precondition(position.rawValue < 1 << 63)
    self.timelineID = timelineID
    self.number = position.rawValue / UInt64(segmentSize)
    self.segmentSize = segmentSize
  }

  /// Reads a file name; nil for anything but 24 hexadecimal digits that a segment of this size can
  /// have, below position 2^62: so its end, and that of the next one, can be told.
  public init?(_ text: some StringProtocol, segmentSize: UInt32) {
    let digits = Array(text.utf8)
    let parts = (1 << 32) / UInt64(segmentSize)
    guard digits.count == 24, let timelineID = UInt32(hexadecimal: digits[..<8]),
      let high = UInt64(hexadecimal: digits[8..<16]), let low = UInt64(hexadecimal: digits[16...]),
      high < 1 << 30, low < parts
    else { return nil }
    self.timelineID = timelineID
    self.number = high * parts + low
    self.segmentSize = segmentSize
  }

  /// The position of the segment's first byte.
  public var start: LogSequenceNumber {
    LogSequenceNumber(rawValue: number * UInt64(segmentSize))
  }

  /// The segment after this one on the same timeline.
  var next: WALSegmentName {
    WALSegmentName(
      timelineID: timelineID, containing: start + UInt64(segmentSize), segmentSize: segmentSize)
  }
}

extension WALSegmentName: CustomStringConvertible {
  /// The file's name: 24 upper-case hexadecimal digits.
  public var description: String {
    let parts = (1 << 32) / UInt64(segmentSize)
    return [UInt64(timelineID), number / parts, number % parts].map { $0.hexadecimal(8) }.joined()
  }
}

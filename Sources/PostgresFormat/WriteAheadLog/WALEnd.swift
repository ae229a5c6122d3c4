/// Where the write-ahead log that a decoder was given ends, and what shows it.
public struct WALEnd: Equatable, Sendable {
  /// Where the next record would start: the end of the last complete one. The position where
  /// decoding began, if there is none.
  public let position: LogSequenceNumber

  /// Where the last complete record starts; nil if there is none.
  public let lastRecord: LogSequenceNumber?

  /// What shows that the log ends here.
  public let reason: Reason

  /// The record, page or byte that shows it, and the segment that it is in.
  public let place: LogSequenceNumber
  /// The segment that contains `place`.
  public let segment: WALSegmentName

  /// A later segment that was given and that begins as one that has been written.
  public internal(set) var laterSegment: WALSegmentName?

  /// Why a decoder stops; a server's replay stops for the same reasons.
  public enum Reason: Equatable, Sendable {
    /// No more bytes were given.
    case noMoreBytes
    /// Nothing was given of a segment, but a later one.
    case missingSegment
    /// A page header, or the length of a record, is zero: nothing was ever written here.
    case zeros
    /// The page has the address of another one. It is left of the segment that the file was before:
    /// of an older one, or of a later one of the timeline that the cluster left.
    case otherPage
    /// The page is of an older timeline than the one before, and left in the same way.
    case olderTimeline
    /// No record has this length.
    case recordLength
    /// The record names a resource manager that this version of Postgres does not have.
    case resourceManager
    /// The record does not name the one before it.
    case previousRecord
    /// The CRC-32C in the record's header does not match its contents.
    case checksum
    /// The page does not continue the record that the page before began, or continues one that
    /// did not begin.
    case continuation
  }

  /// Refuses an end that a later segment contradicts: a server makes a segment durable before it
  /// writes to the next (Postgres, `src/backend/access/transam/xlog.c`, `XLogWrite`).
  ///
  /// The segment is then damaged or missing, or was copied before it was full and the later one
  /// after that. The last can happen in a sound backup, if the WAL that it needs ends before: a
  /// server that replays it ends here.
  ///
  /// - Throws: `damaged`, with the segment and the position.
  public func requireNoLaterSegment() throws(FormatError) {
    guard let laterSegment else { return }
    throw FormatError(
      reason == .missingSegment ? .walMissing : nil,
      reason == .missingSegment
        ? "WAL segment '\(segment)' is missing, but the WAL continues in '\(laterSegment)'"
        : "WAL segment '\(segment)' is damaged at \(place): \(reason), but the WAL continues in "
          + "'\(laterSegment)'")
  }
}

extension WALEnd.Reason: CustomStringConvertible {
  /// What is found there, to be put after a colon.
  public var description: String {
    switch self {
    case .noMoreBytes: "the segment is incomplete"
    case .missingSegment: "the segment is missing"
    case .zeros: "zeros instead of a record"
    case .otherPage: "the page belongs to another segment"
    case .olderTimeline: "the page belongs to an older timeline than the previous page"
    case .recordLength: "no record has this length"
    case .resourceManager: "the record's resource manager does not exist"
    case .previousRecord: "the record does not follow the previous one"
    case .checksum: "the record's checksum does not match its contents"
    case .continuation: "the record is not continued on this page"
    }
  }
}

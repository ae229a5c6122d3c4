/// The history of one of Postgres's timelines: from which one it branched off, and where.
///
///     1   0/5000148   no recovery target specified
///     2   0/7000060   before 2026-01-01 00:00:00+00
///
/// A line for each timeline that it descends from, the oldest first, with the position at which the
/// next one began. (Postgres, `src/backend/access/transam/timeline.c`, `readTimeLineHistory`)
public struct TimelineHistory: Equatable, Sendable {
  /// A timeline and where its log begins to count.
  public struct Part: Equatable, Sendable {
    /// The timeline's id.
    public var timelineID: UInt32
    /// Where it branched off from the one before; 0 for the first.
    public var start: LogSequenceNumber
  }

  /// The timelines whose log leads to this one, the oldest first, itself last.
  public let parts: [Part]

  /// The name of the file in `pg_wal` that has a timeline's history.
  public static func fileName(_ timelineID: UInt32) -> String {
    timelineID.hexadecimal(8) + ".history"
  }

  /// A timeline without a history file: it descends from none.
  public init(of timelineID: UInt32) {
    parts = [Part(timelineID: timelineID, start: LogSequenceNumber(rawValue: 0))]
  }

  /// The history of timeline `timelineID` by its file.
  ///
  /// - Throws: `damaged` if a line has no id or position, if these do not rise, or if a position is not
  ///   below 2^62.
  public init(of timelineID: UInt32, decoding bytes: RawSpan) throws(FormatError) {
    var parts: [Part] = []
    var start = LogSequenceNumber(rawValue: 0)
    for line in bytes.array.split(separator: UInt8(ascii: "\n")) {
      let fields = line.split { $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: " ") }
      guard let first = fields.first, first.first != UInt8(ascii: "#") else { continue }
      guard fields.count >= 2, let id = first.positiveDecimal,
        let end = LogSequenceNumber(String(decoding: fields[1], as: UTF8.self)[...]),
        end >= start, end.rawValue < 1 << 62, id > parts.last?.timelineID ?? 0, id < timelineID
      else { throw .damaged("a line of the timeline's history is malformed: '\(escaped(line))'") }
      parts.append(Part(timelineID: id, start: start))
      start = end
    }
    self.parts = parts + [Part(timelineID: timelineID, start: start)]
  }
}

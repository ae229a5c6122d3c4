/// The contents of `neon.signal` and `zenith.signal`: where the WAL record before the backup
/// starts.
///
/// One line, `PREV LSN: X/Y`, `PREV LSN: none` or `PREV LSN: invalid`, which a pageserver writes
/// into its backups.
public enum NeonSignal: Equatable, Sendable {
  /// The record starts here.
  case previous(LogSequenceNumber)
  /// There is no record.
  case none
  /// The position is unknown.
  case invalid

  /// Where the record before the backup's LSN starts, if it is known.
  public var previousRecord: LogSequenceNumber? {
    if case .previous(let position) = self { position } else { nil }
  }

  /// Reads the file; a newline at its end is allowed.
  ///
  /// - Throws: `damaged` for anything else.
  public static func decode(_ bytes: RawSpan) throws(FormatError) -> NeonSignal {
    guard bytes.byteCount <= 64 else {
      throw .damaged("a signal file cannot have \(bytes.byteCount) bytes")
    }
    var line = bytes.array
    if line.last == UInt8(ascii: "\n") { line.removeLast() }
    guard line.starts(with: prefix.utf8) else {
      throw .damaged("the signal file does not begin with '\(prefix)'")
    }
    let value = String(decoding: line.dropFirst(prefix.utf8.count), as: UTF8.self)
    switch value {
    case "none": return .none
    case "invalid": return .invalid
    default:
      guard let position = LogSequenceNumber(value), position.rawValue != 0 else {
        throw .damaged("the signal file contains no LSN: '\(escaped(value.utf8))'")
      }
      return .previous(position)
    }
  }

  /// The file as a pageserver writes it, without a newline.
  public func encode() -> [UInt8] {
    let value =
      switch self {
      case .previous(let position): position.description
      case .none: "none"
      case .invalid: "invalid"
      }
    return Array((Self.prefix + value).utf8)
  }

  private static let prefix = "PREV LSN: "
}

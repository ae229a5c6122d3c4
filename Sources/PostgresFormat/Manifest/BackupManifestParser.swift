/// Parses a backup manifest in pieces, and returns each file as soon as it is complete.
///
/// Refuses what Postgres's own parser refuses, and some nonsense that it would accept: two paths
/// for one file, a checksum of the wrong length. Memory: the fields of one file. (Postgres,
/// `src/common/parse_manifest.c`)
public struct BackupManifestParser {
  /// The system identifier of the cluster, in manifests of version 2 (Postgres 17).
  public private(set) var systemIdentifier: UInt64?
  /// The WAL ranges so far.
  public private(set) var walRanges: [BackupManifest.WALRange] = []
  /// The SHA-256 of the manifest as stored in it, 32 bytes; nil until it has been read.
  public private(set) var checksum: [UInt8]?

  private enum Place { case start, top, files, file, walRanges, walRange, end }

  private enum Value {
    case text([UInt8])
    case number([UInt8])
  }

  /// Far more Postgres timelines than a backup can span.
  private static let walRangeLimit = 10_000

  private var scanner = JSONScanner()
  private var place = Place.start
  private var name = ""
  private var version: UInt64?
  /// The fields of the current file or range.
  private var fields: [String: Value] = [:]

  /// A parser at the start of a manifest.
  public init() {}

  /// Parses the next bytes; how they are split into pieces does not matter.
  public mutating func parse(
    _ bytes: RawSpan, file: (BackupManifest.File) throws(FormatError) -> Void
  ) throws(FormatError) {
    // The scanner is moved out so that it can call back into the rest.
    var scanner = scanner
    defer { self.scanner = scanner }
    try scanner.scan(bytes) { event throws(FormatError) in
      if let complete = try take(event) { try file(complete) }
    }
  }

  /// Checks that nothing is missing.
  public func finish() throws(FormatError) {
    guard scanner.isAtEnd else { throw .damaged("it is cut off") }
    guard version != nil else { throw .damaged("its version is missing") }
    guard checksum != nil else { throw .damaged("its own checksum is missing") }
  }

  private mutating func take(
    _ event: JSONScanner.Event
  ) throws(FormatError) -> BackupManifest.File? {
    switch (place, event) {
    case (.start, .objectStart): place = .top
    case (.top, .objectEnd): place = .end
    case (.top, .name(let text)):
      name = String(decoding: text, as: UTF8.self)
      guard version != nil || name == Self.versionName else {
        throw .damaged("it does not begin with its version")
      }
    case (.top, .number(let digits)): try takeTop(.number(digits))
    case (.top, .string(let text)): try takeTop(.text(text))
    case (.top, .arrayStart) where name == "Files": place = .files
    case (.top, .arrayStart) where name == "WAL-Ranges": place = .walRanges
    case (.files, .objectStart): begin(.file)
    case (.walRanges, .objectStart): begin(.walRange)
    case (.files, .arrayEnd), (.walRanges, .arrayEnd): place = .top
    case (.file, .name(let text)), (.walRange, .name(let text)):
      name = String(decoding: text, as: UTF8.self)
      guard Self.fieldNames.contains(name) else { throw .damaged("unknown field \(name.quoted)") }
      guard fields[name] == nil else { throw .damaged("field '\(name)' appears twice") }
    case (.file, .number(let digits)), (.walRange, .number(let digits)):
      fields[name] = .number(digits)
    case (.file, .string(let text)), (.walRange, .string(let text)):
      fields[name] = .text(text)
    case (.file, .objectEnd):
      place = .files
      return try file()
    case (.walRange, .objectEnd):
      place = .walRanges
      guard walRanges.count < Self.walRangeLimit else { throw .damaged("too many WAL ranges") }
      walRanges.append(try walRange())
    default: throw .damaged("it is not a backup manifest")
    }
    return nil
  }

  private static let versionName = "PostgreSQL-Backup-Manifest-Version"
  private static let fieldNames: Set<String> = [
    "Path", "Encoded-Path", "Size", "Last-Modified", "Checksum-Algorithm", "Checksum", "Timeline",
    "Start-LSN", "End-LSN",
  ]

  private mutating func begin(_ place: Place) {
    self.place = place
    fields.removeAll(keepingCapacity: true)
  }

  private mutating func takeTop(_ value: Value) throws(FormatError) {
    switch (name, value) {
    case (Self.versionName, .number(let digits)):
      version = try integer(digits)
      guard version == 1 || version == 2 else {
        throw FormatError(
          .manifestUnsupported,
          "unknown manifest version \(String(decoding: digits, as: UTF8.self))")
      }
    case ("System-Identifier", .number(let digits)): systemIdentifier = try integer(digits)
    case ("Manifest-Checksum", .text(let digits)):
      guard let bytes = [UInt8](hexadecimalPairs: digits), bytes.count == 32 else {
        throw .damaged("its own checksum is not a SHA-256")
      }
      checksum = bytes
    default: throw .damaged("unknown field \(name.quoted)")
    }
  }

  private func file() throws(FormatError) -> BackupManifest.File {
    let path: [UInt8]
    switch (fields["Path"], fields["Encoded-Path"]) {
    case (.text(let text), nil): path = text
    case (nil, .text(let digits)):
      guard let bytes = [UInt8](hexadecimalPairs: digits) else {
        throw .damaged("an encoded path is not hexadecimal")
      }
      path = bytes
    default: throw .damaged("a file has no path, or two")
    }
    guard !path.isEmpty, case .number(let digits) = fields["Size"] else {
      throw .damaged("file '\(escaped(path))' has no size")
    }
    var algorithm = BackupManifest.ChecksumAlgorithm.none
    if case .text(let name) = fields["Checksum-Algorithm"] {
      guard let known = BackupManifest.ChecksumAlgorithm(name) else {
        throw FormatError(
          .manifestUnsupported, "unknown checksum algorithm '\(escaped(name))'")
      }
      algorithm = known
    }
    var checksum: [UInt8]? = []
    if case .text(let digits) = fields["Checksum"] { checksum = [UInt8](hexadecimalPairs: digits) }
    guard let checksum, checksum.count == algorithm.byteCount else {
      throw .damaged("the checksum of file '\(escaped(path))' does not match its algorithm")
    }
    return BackupManifest.File(
      path: path, byteCount: try integer(digits), algorithm: algorithm, checksum: checksum)
  }

  private func walRange() throws(FormatError) -> BackupManifest.WALRange {
    guard case .number(let timeline) = fields["Timeline"],
      case .text(let start) = fields["Start-LSN"], case .text(let end) = fields["End-LSN"],
      let start = LogSequenceNumber(String(decoding: start, as: UTF8.self)),
      let end = LogSequenceNumber(String(decoding: end, as: UTF8.self)),
      let timeline = UInt32(exactly: try integer(timeline)), timeline > 0, start <= end
    else { throw .damaged("a WAL range is impossible") }
    return BackupManifest.WALRange(timeline: timeline, start: start, end: end)
  }

  private func integer(_ digits: [UInt8]) throws(FormatError) -> UInt64 {
    guard let number = UInt64(String(decoding: digits, as: UTF8.self)) else {
      throw .damaged("the number in field '\(name)' is impossible")
    }
    return number
  }
}

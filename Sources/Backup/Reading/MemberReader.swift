import LayerFormat
import PostgresFormat
import System

/// Reads members whole, those that are kept in memory, small files up to a limit together; and what
/// is left of others, for their checksum.
package struct MemberReader {
  private let source: any BackupSource
  /// Gets the contents of every small file.
  private let manifestCheck: ManifestCheck?
  private var smallFileByteCount: UInt64 = 0
  /// The bytes of holes in what was read for its checksum alone.
  private var holeByteCount: UInt64 = 0

  /// The bytes of such holes that a backup may have: to go through zeros that nobody has stored
  /// must come to an end.
  private static let holeLimit: UInt64 = 64 << 30
  private static let restBufferByteCount: UInt64 = 1 << 16

  /// A reader of the members of `source`; their bytes also go to `manifestCheck`, unless it is nil.
  package init(source: any BackupSource, manifestCheck: ManifestCheck?) {
    self.source = source
    self.manifestCheck = manifestCheck
  }

  /// The contents of a file that is kept in memory.
  ///
  /// Throws `.unsupported` if those before it have left too little of the limit.
  mutating func readSmallFile(
    _ member: BackupMember, _ path: MemberPath
  ) throws(Failure) -> [UInt8] {
    guard member.byteCount <= UInt64(Cluster.smallFileLimit) - smallFileByteCount else {
      throw Failure(
        .smallFilesTooLarge,
        "with file '\(path)' of \(member.byteCount) bytes, the small files that are kept in memory "
          + "exceed \(Cluster.smallFileLimit >> 20) MiB")
    }
    smallFileByteCount += member.byteCount
    let bytes = try readWhole(member)
    manifestCheck?.update(bytes.bytes)
    return bytes
  }

  /// The whole of a file, which who stores it has to give to the check of the manifest.
  func readWhole(_ member: BackupMember) throws(Failure) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Int(member.byteCount))
    let count = try bytes.withMutableBytes { bytes throws(Failure) in
      try source.read(into: &bytes)
    }
    precondition(count == Int(member.byteCount), "a source ends a member at its size")
    return bytes
  }

  /// Lends `body` what has not been read of the current member.
  ///
  /// Throws `.unsupported` if that has more holes than a backup may have.
  mutating func readRest(of member: BackupMember, _ body: (RawSpan) -> Void) throws(Failure) {
    guard member.holeByteCount <= Self.holeLimit - holeByteCount else {
      throw Failure(
        .tooManyHoles,
        "with \(member.subject), the holes of the files that are not stored exceed "
          + "\(Self.holeLimit >> 30) GiB",
        hint: "Exclude the file from the backup.")
    }
    holeByteCount += member.holeByteCount
    var buffer = [UInt8](
      repeating: 0, count: Int(min(member.byteCount, Self.restBufferByteCount)))
    while true {
      let count = try buffer.withMutableBytes { bytes throws(Failure) in
        try source.read(into: &bytes)
      }
      if count == 0 { return }
      try Interruption.check()  // which nobody else does in a hole
      body(buffer.bytes.extracting(0..<count))
    }
  }

  /// Reads a small file and decodes it; an error names the member.
  package mutating func decode<Value>(
    _ member: BackupMember, _ path: MemberPath, damage: ErrorCode,
    _ decode: (RawSpan) throws(FormatError) -> Value
  ) throws(Failure) -> Value {
    try self.decode(try readSmallFile(member, path), path, damage: damage, decode)
  }

  /// Decodes what was read of a file; an error names the member.
  package func decode<Value>(
    _ bytes: [UInt8], _ path: MemberPath, damage: ErrorCode,
    _ decode: (RawSpan) throws(FormatError) -> Value
  ) throws(Failure) -> Value {
    do throws(FormatError) {
      return try decode(bytes.bytes)
    } catch {
      throw Failure(error, in: "member '\(path)'", damage: damage)
    }
  }
}

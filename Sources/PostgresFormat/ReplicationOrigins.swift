/// The progress of a cluster as a logical subscriber: `pg_logical/replorigin_checkpoint`.
///
///     OFFSET SIZE MEANING                     all little-endian
///          0    4 magic, 1257DADE
///          4 16xN origin u16, 6 zero bytes, remote LSN u64
///        end    4 CRC-32C of all before it
///
/// (Postgres, `src/backend/replication/logical/origin.c`.)
public struct ReplicationOrigins: Equatable, Sendable {
  /// The progress of one origin.
  public struct Origin: Equatable, Sendable {
    /// The id of the origin.
    public var origin: UInt16
    /// The LSN on the publisher up to which changes were applied.
    public var remoteLSN: LogSequenceNumber

    /// The progress of an origin.
    public init(origin: UInt16, remoteLSN: LogSequenceNumber) {
      self.origin = origin
      self.remoteLSN = remoteLSN
    }
  }

  /// The origins in the order of the file.
  public var origins: [Origin]

  /// A file of these origins.
  public init(_ origins: [Origin]) { self.origins = origins }

  /// Decodes a whole file.
  ///
  /// - Throws: `damaged` for anything that Postgres does not write: another length or magic, a
  ///   wrong
  ///   checksum, padding that is not zero, an impossible or repeated id.
  public static func decode(_ bytes: RawSpan) throws(FormatError) -> ReplicationOrigins {
    guard bytes.byteCount >= 8, bytes.byteCount % 16 == 8 else {
      throw .damaged("a file of replication origins cannot have \(bytes.byteCount) bytes")
    }
    guard bytes.littleEndian(at: 0, as: UInt32.self) == magic else {
      throw .damaged("the magic number of the replication origins is wrong")
    }
    let end = bytes.byteCount - 4
    guard CRC32C.checksum(of: bytes.extracting(0..<end)) == bytes.littleEndian(at: end) else {
      throw .damaged("the checksum of the replication origins does not match their contents")
    }
    var origins: [Origin] = []
    var seen: Set<UInt16> = []
    for offset in stride(from: 4, to: end, by: 16) {
      let word: UInt64 = bytes.littleEndian(at: offset)
      // 0 means no origin, and 65535 marks changes that must not be replicated.
      guard (1..<0xFFFF).contains(word), seen.insert(UInt16(word)).inserted else {
        throw .damaged("replication origin \(word) is impossible or appears twice")
      }
      origins.append(
        Origin(
          origin: UInt16(word),
          remoteLSN: LogSequenceNumber(rawValue: bytes.littleEndian(at: offset + 8))))
    }
    return ReplicationOrigins(origins)
  }

  /// The file that `decode` reads.
  public func encode() -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.appendLittleEndian(Self.magic)
    for origin in origins {
      bytes.appendLittleEndian(UInt64(origin.origin))
      bytes.appendLittleEndian(origin.remoteLSN.rawValue)
    }
    bytes.appendLittleEndian(CRC32C.checksum(of: bytes.bytes))
    return bytes
  }

  private static let magic: UInt32 = 0x1257_DADE
}

/// What an import needs of the header of a page in a relation.
///
///     OFFSET SIZE MEANING                     all little-endian
///          0    4 LSN of the last change, upper half
///          4    4 LSN of the last change, lower half
///          8    2 pd_checksum: 0 where the page bears none
///         14    2 pd_upper: end of the page's free space; 0 in a page that is not in use
///
/// (Postgres, `src/include/storage/bufpage.h`.) Made for loops over every page of a backup.
@frozen
public struct PageHeader: Sendable {
  public static let pageByteCount = 8192

  /// What a page in use that bears no LSN is given, as the pages of initdb's bootstrap are.
  public static let bootstrapLSN = LogSequenceNumber(rawValue: 0x28)

  /// Where the WAL record of the page's last change ends; 0 if no record was written.
  public let lsn: LogSequenceNumber

  /// The checksum that the page bears; 0 for none.
  public let checksum: UInt16

  /// Whether the page has been initialised.
  public let isInUse: Bool

  /// Reads the header of the page that begins at `offset` of `bytes`; traps beyond their end.
  @inlinable
  public init(_ bytes: RawSpan, at offset: Int = 0) {
    // Two u32, the upper half first: one little-endian load has them the wrong way round.
    let halves: UInt64 = bytes.littleEndian(at: offset)
    lsn = LogSequenceNumber(rawValue: halves << 32 | halves >> 32)
    checksum = bytes.littleEndian(at: offset + 8)
    isInUse = bytes.littleEndian(at: offset + 14, as: UInt16.self) != 0
  }
}

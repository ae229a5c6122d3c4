/// The fields of the header of a relation page that an import needs.
///
///     OFFSET SIZE MEANING                     all little-endian
///          0    4 LSN of the last change, upper half
///          4    4 LSN of the last change, lower half
///          8    2 pd_checksum: 0 if the page has none
///         14    2 pd_upper: end of the page's free space; 0 in a page that is not in use
///
/// (Postgres, `src/include/storage/bufpage.h`.) Made for loops over every page of a backup.
@frozen
public struct PageHeader: Sendable {
  /// The length of a page in bytes.
  public static let pageByteCount = 8192

  /// The LSN that a page in use without an LSN is given, as initdb's bootstrap does.
  public static let bootstrapLSN = LogSequenceNumber(rawValue: 0x28)

  /// The end of the WAL record of the last change; 0 if no record was written.
  public let lsn: LogSequenceNumber

  /// The stored checksum; 0 for none.
  public let checksum: UInt16

  /// Whether the page has been initialised.
  public let isInUse: Bool

  /// Reads the header of the page at `offset` of `bytes`; traps if it is not within them.
  @inlinable
  public init(_ bytes: RawSpan, at offset: Int = 0) {
    // Two u32, the upper half first: one little-endian load swaps the halves.
    let halves: UInt64 = bytes.littleEndian(at: offset)
    lsn = LogSequenceNumber(rawValue: halves << 32 | halves >> 32)
    checksum = bytes.littleEndian(at: offset + 8)
    isInUse = bytes.littleEndian(at: offset + 14, as: UInt16.self) != 0
  }
}

/// How many blocks of its file a hash index has allocated, as its first page says.
///
///     OFFSET SIZE MEANING                              all little-endian
///         24    4 magic, 06440640
///         60    4 hashm_ovflpoint: the splitpoint phase up to which buckets are allocated
///         76  4 × hashm_spares: the overflow and bitmap pages up to each phase
///      8,188    2 the kind of page: 8 is the first, 0 one that is not in use
///      8,190    2 FF80, on every page of a hash index
///
/// Buckets are allocated many at a time: their last page is written past the buffers, unused, after a
/// record of it, so that the file gets its length. The first page counts them only after that. (Postgres,
/// `src/backend/access/hash/hashpage.c`, `_hash_alloc_buckets`, `_hash_expandtable`;
/// `src/include/access/hash.h`) The same in versions 14 to 17.
public struct HashIndex: Equatable, Sendable {
  /// How many blocks are allocated, from the first one on: no others are in use.
  public let allocatedBlockCount: UInt64

  private static let magic: UInt32 = 0x0644_0640
  /// Those that have their counts on the first page. (`HASH_MAX_SPLITPOINTS`)
  private static let phaseCount: UInt32 = 98
  private static let kindOffset = PageHeader.pageByteCount - 4
  private static let firstPage: UInt32 = 0xFF80_0008
  private static let unusedPage: UInt32 = 0xFF80_0000
  private static let none: UInt32 = .max

  /// Reads the first page of a relation; nil if it is no hash index.
  public init?(firstPage page: RawSpan) {
    guard page.byteCount == PageHeader.pageByteCount,
      page.littleEndian(at: Self.kindOffset, as: UInt32.self) == Self.firstPage,
      page.littleEndian(at: 24, as: UInt32.self) == Self.magic
    else { return nil }
    let phase: UInt32 = page.littleEndian(at: 60)
    guard phase < Self.phaseCount else { return nil }
    let others: UInt32 = page.littleEndian(at: 76 + 4 * Int(phase))
    allocatedBlockCount = 1 + Self.bucketCount(upTo: phase) + UInt64(others)
  }

  /// The buckets that are allocated up to a splitpoint phase: up to the ninth each one doubles them, then
  /// four together do. (`src/backend/access/hash/hashutil.c`, `_hash_get_totalbuckets`)
  private static func bucketCount(upTo phase: UInt32) -> UInt64 {
    let doubling: UInt32 = 9
    if phase <= doubling { return 1 << UInt64(phase) }
    let (doublings, quarters) = (phase - doubling - 1).quotientAndRemainder(dividingBy: 4)
    let before: UInt64 = 1 << UInt64(doubling + doublings)
    return before + before / 4 * UInt64(quarters + 1)
  }

  /// Whether a page is one of a hash index that holds nothing.
  public static func isUnused(_ page: RawSpan) -> Bool {
    let special = PageHeader.pageByteCount - 16
    return page.byteCount == PageHeader.pageByteCount
      && page.littleEndian(at: kindOffset, as: UInt32.self) == unusedPage
      && page.littleEndian(at: special, as: UInt32.self) == none  // the page before it
      && page.littleEndian(at: special + 4, as: UInt32.self) == none  // and after it
      && page.littleEndian(at: 12, as: UInt16.self) == 24  // where rows would be
      && page.littleEndian(at: 14, as: UInt16.self) == special
  }
}

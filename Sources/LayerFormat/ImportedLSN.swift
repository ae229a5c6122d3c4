import PostgresFormat

/// The LSNs of an import's layers, all of them below any cluster's own.
///
/// ```
/// 0/10  0/18  0/20 …                      0/FFFF8          import LSN … end LSN
/// ├─────┼─────┼──                            │                      │
/// chunk chunk  …  8 each, contiguous         image layers           the last L0 ends here
/// ```
///
/// None depends on the cluster, whose import LSN is not known while layers are written.
/// (Docs/format.md, LSNs)
public enum ImportedLSN {
  /// The LSN of every image layer: above the chunks, below any import LSN.
  public static let image = LogSequenceNumber(rawValue: 0xFFFF8)

  private static let firstChunk: UInt64 = 0x10
  private static let chunkStep: UInt64 = 8

  /// The LSNs of the L0 of chunk number `index`, which begin where those of the chunk before end; nil
  /// where there is no room below the image layers: 131,000 chunks are the most.
  public static func chunk(_ index: Int) -> Range<LogSequenceNumber>? {
    let start = firstChunk + chunkStep * UInt64(index)
    guard start + chunkStep <= image.rawValue else { return nil }
    return LogSequenceNumber(rawValue: start)..<LogSequenceNumber(rawValue: start + chunkStep)
  }
}

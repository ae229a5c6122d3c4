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

  /// The LSN of the image layers of a cluster that was running: its changed pages come above them.
  public static let runningImage = LogSequenceNumber(rawValue: 0x80000)

  private static let firstChunk: UInt64 = 0x10
  private static let step: UInt64 = 8

  /// The LSNs of the L0 of chunk number `index`, which begin where those of the chunk before end; nil
  /// where there is no room below the image layers: 65,000 chunks are the most, or twice that.
  public static func chunk(
    _ index: Int, below image: LogSequenceNumber
  ) -> Range<LogSequenceNumber>? {
    let start = firstChunk + step * UInt64(index)
    guard start + step <= image.rawValue else { return nil }
    return LogSequenceNumber(rawValue: start)..<LogSequenceNumber(rawValue: start + step)
  }

  /// The LSNs of the L0 number `index` of a running cluster's changed pages, after so many chunks, and
  /// the LSN of its values; nil if there is no room.
  ///
  /// The first begins where the chunks end, so that no LSN between them is in no L0.
  public static func changes(
    _ index: Int, afterChunks count: Int
  ) -> (range: Range<LogSequenceNumber>, values: LogSequenceNumber)? {
    let values = runningImage.rawValue + step * UInt64(index + 1)
    guard values + step <= image.rawValue else { return nil }
    let start = index == 0 ? firstChunk + step * UInt64(count) : values
    return (
      LogSequenceNumber(rawValue: start)..<LogSequenceNumber(rawValue: values + step),
      LogSequenceNumber(rawValue: values)
    )
  }
}

import PostgresFormat

/// The keys and LSNs that a layer file covers, which are also its name.
///
/// ```
/// image layer   <key start>-<key end>__<LSN>
/// delta layer   <key start>-<key end>__<LSN start>-<LSN end>
/// ```
///
/// Keys have 36 and LSNs 16 upper-case hexadecimal digits; both ranges are half open. (Neon,
/// `pageserver/src/tenant/storage_layer/layer_name.rs`; Docs/format.md, Names)
public struct LayerName: Hashable, Sendable {
  /// The contents of a layer, and their LSNs.
  public enum Extent: Hashable, Sendable {
    /// Every value of the key range as of one LSN.
    case image(at: LogSequenceNumber)
    /// The values and records of the LSN range.
    case delta(Range<LogSequenceNumber>)
  }

  /// The keys that the layer covers.
  public let keys: Range<Key>
  /// The contents of the layer, and their LSNs.
  public let extent: Extent

  /// A layer over these keys; neither range may be empty.
  public init(keys: Range<Key>, extent: Extent) {
    self.keys = keys
    self.extent = extent
  }

  /// An L0: a delta layer over the whole key space.
  public static func level0(_ range: Range<LogSequenceNumber>) -> LayerName {
    LayerName(keys: .minimum..<(.maximum), extent: .delta(range))
  }

  /// Whether it is a delta layer over the whole key space, which a pageserver treats as an L0.
  public var isLevel0: Bool {
    guard case .delta = extent else { return false }
    return keys.lowerBound == .minimum && keys.upperBound == .maximum
  }

  /// Whether it is an image layer.
  public var isImage: Bool {
    guard case .image = extent else { return false }
    return true
  }

  /// The LSNs that the layer covers; for an image layer, its LSN only.
  public var lsns: Range<LogSequenceNumber> {
    switch extent {
    case .image(let lsn): lsn..<(lsn + 1)
    case .delta(let range): range
    }
  }

  /// A layer from the fields of a file or its name; nil if a range is empty.
  ///
  /// Without an `lsnEnd` it is an image layer, which cannot be at the highest LSN: its range would
  /// have no end.
  init?(keyStart: Key, keyEnd: Key, lsn: LogSequenceNumber, lsnEnd: LogSequenceNumber?) {
    guard keyStart < keyEnd, lsn < lsnEnd ?? LogSequenceNumber(rawValue: .max) else { return nil }
    keys = keyStart..<keyEnd
    extent = if let lsnEnd { .delta(lsn..<lsnEnd) } else { .image(at: lsn) }
  }

  /// Reads a name without generation; nil for anything else, also for an empty range.
  public init?(_ text: String) {
    guard let separator = text.firstRange(of: "__") else { return nil }
    let keyTexts = text[..<separator.lowerBound].split(
      separator: "-", omittingEmptySubsequences: false)
    let lsnTexts = text[separator.upperBound...].split(
      separator: "-", omittingEmptySubsequences: false)
    let lsns = lsnTexts.compactMap(Self.lsn)
    guard keyTexts.count == 2, let keyStart = Key(keyTexts[0]), let keyEnd = Key(keyTexts[1]),
      (1...2).contains(lsns.count), lsns.count == lsnTexts.count
    else { return nil }
    self.init(
      keyStart: keyStart, keyEnd: keyEnd, lsn: lsns[0], lsnEnd: lsns.count == 2 ? lsns[1] : nil)
    // Lower-case digits would be a second name for the same layer.
    guard description == text else { return nil }
  }

  private static func lsn(_ text: Substring) -> LogSequenceNumber? {
    guard text.utf8.count == 16, let number = UInt64(hexadecimal: Array(text.utf8)) else {
      return nil
    }
    return LogSequenceNumber(rawValue: number)
  }

  /// The file name for a generation: the name of the layer, a dash and eight lower-case digits.
  public func fileName(generation: UInt32) -> String {
    Generation.fileName(description, generation: generation)
  }

  /// Splits a file name into the name of the layer and the generation; nil for any other name.
  public static func parse(fileName: String) -> (LayerName, generation: UInt32)? {
    guard let (stem, generation) = Generation.parse(fileName: fileName),
      let name = LayerName(String(stem))
    else { return nil }
    return (name, generation)
  }
}

extension LayerName: CustomStringConvertible {
  /// The name without a generation, as it is in the index.
  public var description: String {
    let range = keys.lowerBound.description + "-" + keys.upperBound.description + "__"
    return switch extent {
    case .image(let lsn): range + lsn.rawValue.hexadecimal(16)
    case .delta(let lsns):
      range + lsns.lowerBound.rawValue.hexadecimal(16) + "-"
        + lsns.upperBound.rawValue.hexadecimal(16)
    }
  }
}

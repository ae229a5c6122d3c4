import LayerFormat
import PostgresFormat
import System

/// A drawing of a timeline's layers: keys across, LSNs up, both in their order and not to scale.
///
/// ```
///  LSN ▲  ┌──────────────────────────────┐ ┄ disk_consistent_lsn
///      │  │ L0      ┌────────┐ ┌───────┐ │ ┄ latest_gc_cutoff_lsn
///      │  │         │ image  │ │ image │ │
///      │  ├─────────┴────────┴─┴───────┴─┤
///      │  │ L0                           │
///      │  └──────────────────────────────┘
///                    relation   relation   ► key
/// ```
///
/// Keys that only L0s cover take little room, unless there are no other layers; the stretches of
/// other layers are the wider, the more bytes lie there.
public struct LayerMap {
  /// What is written on and beside a layer.
  public struct Caption {
    /// What a browser shows when the pointer rests on the layer; lines end in `\n`.
    public var tooltip: String
    /// What is written in it: the first of these that has room.
    public var labels: [String]

    /// A caption with these texts; `labels` may be empty.
    public init(tooltip: String, labels: [String]) {
      self.tooltip = tooltip
      self.labels = labels
    }
  }

  struct Layer {
    var name: LayerName
    var kind: LayerDescription.Kind
    var byteCount: UInt64
    var caption: Caption
  }

  /// A position in the write-ahead log that the index names.
  struct Mark {
    var name: String
    var lsn: LogSequenceNumber
    /// Where its line runs: an L0 ends at one after the last position that it covers.
    var line: LogSequenceNumber
  }

  /// Lines above the drawing, the first one larger.
  let heading: [String]
  /// In the order in which they are drawn: L0s, over them image layers, over these other deltas.
  let layers: [Layer]
  /// Where image layers lie.
  let imageLSNs: Set<LogSequenceNumber>
  let marks: [Mark]
  let keys: RankScale<Key>
  let lsns: RankScale<LogSequenceNumber>

  /// Draws what `timeline` describes.
  public init(
    _ timeline: TimelineDescription, heading: [String], caption: (LayerDescription) -> Caption
  ) {
    let layers = timeline.layers.compactMap { layer in
      LayerName.parse(fileName: SystemCalls.name(of: layer.name)).map {
        Layer(name: $0.0, kind: layer.kind, byteCount: layer.byteCount, caption: caption(layer))
      }
    }
    self.heading = heading
    self.layers = LayerDescription.Kind.allCases.flatMap { kind in
      layers.filter { $0.kind == kind }
    }
    imageLSNs = Set(layers.filter { $0.kind == .image }.map(\.name.lsns.lowerBound))
    marks = Self.marks(timeline, layers)
    keys = Self.keyScale(layers)
    lsns = Self.lsnScale(layers, marks)
  }

  private static func marks(
    _ timeline: TimelineDescription, _ layers: [Layer]
  ) -> [Mark] {
    let ends = Set(layers.map(\.name.lsns.upperBound))
    return [
      ("disk_consistent_lsn", timeline.endLSN),
      ("latest_gc_cutoff_lsn", timeline.latestGCCutoffLSN),
    ].compactMap { name, text in
      guard let lsn = LogSequenceNumber(text), lsn.rawValue < .max else { return nil }
      return Mark(name: name, lsn: lsn, line: ends.contains(lsn + 1) ? lsn + 1 : lsn)
    }
  }

  // MARK: Scales

  private static let width: Double = 920
  private static let widthLimit: Double = 6000
  private static let height: Double = 640
  private static let leastHeight: Double = 240

  private static func keyScale(_ layers: [Layer]) -> RankScale<Key> {
    let narrow = layers.filter { !$0.name.isLevel0 }
    var boundaries = Set(narrow.flatMap { [$0.name.keys.lowerBound, $0.name.keys.upperBound] })
    if narrow.count < layers.count { boundaries.formUnion([.minimum, .maximum]) }
    let weights = weights(of: narrow, between: boundaries.sorted())
    let needed = Double(weights.count) * 18 + Double(boundaries.count) * 4
    return RankScale(boundaries, length: min(max(width, needed), widthLimit)) { stretch in
      guard let weight = weights[stretch.lowerBound] else {
        return .init(least: 4, share: weights.isEmpty ? 1 : 0)
      }
      return .init(least: 10, share: weight.squareRoot() + 0.01)
    }
  }

  /// The bytes that are in each stretch that layers cover, by where it begins; a layer's bytes are
  /// shared evenly among its stretches.
  private static func weights(of layers: [Layer], between boundaries: [Key]) -> [Key: Double] {
    var ranks: [Key: Int] = [:]
    for (rank, key) in boundaries.enumerated() { ranks[key] = rank }
    // What begins and ends at each boundary, so that one pass over them is enough.
    var changes = [(layers: Int, bytes: Double)](repeating: (0, 0), count: boundaries.count + 1)
    for layer in layers {
      guard let first = ranks[layer.name.keys.lowerBound],
        let end = ranks[layer.name.keys.upperBound]
      else { continue }
      let share = Double(layer.byteCount) / Double(end - first)
      changes[first] = (changes[first].layers + 1, changes[first].bytes + share)
      changes[end] = (changes[end].layers - 1, changes[end].bytes - share)
    }
    var weights: [Key: Double] = [:]
    var open = (layers: 0, bytes: 0.0)
    for (rank, key) in boundaries.enumerated() {
      open = (open.layers + changes[rank].layers, open.bytes + changes[rank].bytes)
      if open.layers > 0 { weights[key] = max(0, open.bytes) }
    }
    return weights
  }

  private static func lsnScale(
    _ layers: [Layer], _ marks: [Mark]
  ) -> RankScale<LogSequenceNumber> {
    var boundaries = Set(layers.flatMap { [$0.name.lsns.lowerBound, $0.name.lsns.upperBound] })
    boundaries.formUnion(marks.map(\.line))
    let rows = Double(max(1, boundaries.count - 1))
    let least = min(max(34, leastHeight / rows), height / rows)
    return RankScale(boundaries, length: height) { _ in .init(least: least, share: 0) }
  }
}

import LayerFormat
import PostgresFormat
import System
import Timeline

/// Finds what a pageserver reads for one key at the timeline's end: the values of the key, the
/// newest first, up to one that needs no older one or to an image layer that covers the key.
struct KeySearch {
  private let timeline: Timeline
  private let key: Key
  private var description: KeyDescription

  /// More entries are counted, not listed.
  private static let listedEntryLimit = 1000
  /// A longer value is shown in part.
  private static let shownByteLimit = 1 << 20

  init(_ timeline: Timeline, _ key: Key) {
    self.timeline = timeline
    self.key = key
    description = KeyDescription(key: key.description, meaning: key.words)
  }

  /// Looks the key up in every layer that covers it: a few index nodes each.
  consuming func run() throws(Failure) -> KeyDescription {
    let candidates = try candidates()
    description.isFound = !candidates.isEmpty
    for found in candidates {
      try Interruption.check()
      guard description.entries.count < Self.listedEntryLimit else {
        description.unlistedEntryCount += 1
        continue
      }
      let layer = timeline.layers[found.layerIndex]
      var decoder = try StoredValueDecoder(try timeline.open(layer))
      let value = try decoder.value(of: found.entry)
      if description.entries.isEmpty {
        description.bytes = Self.hexadecimal(value.bytes.prefix(Self.shownByteLimit))
      }
      description.entries.append(
        KeyDescription.Entry(
          layerNumber: found.layerIndex + 1, layerName: layer.fileName,
          lsn: found.lsn.description, isRecord: value.isRecord, offset: found.entry.offset,
          storedByteCount: value.storedByteCount, plainByteCount: value.bytes.count))
    }
    return description
  }

  private struct Candidate {
    var layerIndex: Int
    var lsn: LogSequenceNumber
    var entry: LayerEntry
  }

  /// The key's entries above the newest image layer that covers it, and that layer's own; the
  /// newest first, none after the first that stands alone.
  private func candidates() throws(Failure) -> [Candidate] {
    let owner =
      if case .shard(let shard) = timeline.layout.owner(of: key.meaning) { shard } else { 0 }
    let covering = timeline.layers.indices.filter {
      timeline.layers[$0].shard == owner && timeline.layers[$0].name.keys.contains(key)
    }
    let image = covering.filter { timeline.layers[$0].name.isImage }.max { left, right in
      timeline.layers[left].name.lsns.lowerBound < timeline.layers[right].name.lsns.lowerBound
    }
    let floor = image.map { timeline.layers[$0].name.lsns.upperBound }
    var candidates: [Candidate] = []
    for index in covering where !timeline.layers[index].name.isImage {
      try Interruption.check()
      let layer = try timeline.open(timeline.layers[index])
      var end = layer.name.lsns.upperBound
      while let entry = try layer.entry(of: key, before: end), let lsn = entry.lsn,
        lsn < end, floor.map({ lsn >= $0 }) ?? true
      {
        candidates.append(Candidate(layerIndex: index, lsn: lsn, entry: entry))
        if entry.standsAlone { break }
        end = lsn
      }
    }
    if let image {
      let layer = try timeline.open(timeline.layers[image])
      if let entry = try layer.entry(of: key) {
        candidates.append(
          Candidate(layerIndex: image, lsn: layer.name.lsns.lowerBound, entry: entry))
      }
    }
    candidates.sort { $0.lsn > $1.lsn }
    if let base = candidates.firstIndex(where: { $0.entry.standsAlone }) {
      candidates.removeSubrange((base + 1)...)
    }
    return candidates
  }

  private static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in bytes {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 0xF)])
    }
    return String(decoding: text, as: UTF8.self)
  }
}

import LayerFormat
import PostgresFormat
import System
import Timeline

/// What an index and the names in its directory tell, before any layer is opened.
///
/// (Neon, `pageserver/src/tenant/layer_map.rs` and `timeline.rs`; Docs/format.md, LSNs)
struct IndexCheck {
  private let timeline: Timeline
  private let knownNames: Set<String>
  private(set) var findings: Findings

  private var metadata: IndexPart.Metadata { timeline.index.metadata }
  private var end: LogSequenceNumber { metadata.diskConsistentLSN }

  /// Adds to `known`, which have all that there is to say of whether the files of these names are
  /// there.
  init(_ timeline: Timeline, _ known: Findings, knowing knownNames: Set<String>) {
    self.timeline = timeline
    findings = known
    self.knownNames = knownNames
    checkFiles()
    checkMetadata()
    for shard in 0..<timeline.layout.count {
      let layers = timeline.layers.filter { $0.shard == shard }
      checkShard(ShardID(shard, of: timeline.layout.count), layers)
      checkLevel0Layers(layers, upTo: timeline.ends[shard])
      if timeline.isAsImported { checkImageLayers(layers) }
    }
    for layer in timeline.layers where layer.name.isInFuture(of: timeline.ends[layer.shard]) {
      findings.add(
        .layerAfterEnd,
        "layer '\(layer.fileName)' is after the end of the timeline, \(timeline.ends[layer.shard])")
    }
  }

  private mutating func checkFiles() {
    for layer in timeline.missingLayers where !knownNames.contains(layer.fileName) {
      findings.add(.layerMissing, "layer '\(layer.fileName)' is missing")
    }
    // A pageserver leaves the indexes of former generations where they are.
    for name in timeline.unnamedFiles
    where IndexPart.parse(fileName: SystemCalls.name(of: name)) == nil && !knownNames.contains(name)
    {
      findings.add(.fileUnlisted, "'\(escaped(name.utf8))' is not listed in the index")
    }
  }

  private mutating func checkMetadata() {
    do throws(FormatError) {
      try WALLayout.requireRecordEnd(end)
    } catch {
      findings.add(
        .indexInconsistent, "disk_consistent_lsn of the index is wrong: \(error.message)")
    }
    require(metadata.latestGCCutoffLSN, "latest_gc_cutoff_lsn", upTo: end)
    require(metadata.initdbLSN, "initdb_lsn", upTo: end)
    if let previous = metadata.previousRecordLSN {
      require(previous, "prev_record_lsn", upTo: end)
      if previous == end {
        findings.add(.indexInconsistent, "prev_record_lsn of the index is its end, \(end)")
      }
    }
    if metadata.ancestorLSN.rawValue != 0 {
      findings.add(
        .indexInconsistent,
        "the index has an ancestor_lsn, \(metadata.ancestorLSN), but no ancestor")
    }
    if PostgresVersion(rawValue: metadata.postgresVersion) == nil {
      findings.add(
        .indexInconsistent, "pg_version \(metadata.postgresVersion) of the index is unknown")
    }
    if timeline.isAsImported && metadata.latestGCCutoffLSN != metadata.initdbLSN {
      findings.add(
        .indexInconsistent,
        "latest_gc_cutoff_lsn \(metadata.latestGCCutoffLSN) and initdb_lsn \(metadata.initdbLSN) of the "
          + "index differ, but nothing was written since the import")
    }
  }

  private mutating func require(
    _ lsn: LogSequenceNumber, _ field: String, upTo end: LogSequenceNumber
  ) {
    if !lsn.rawValue.isMultiple(of: 8) {
      findings.add(.indexInconsistent, "\(field) \(lsn) of the index is not a multiple of 8")
    }
    if lsn > end {
      findings.add(.indexInconsistent, "\(field) \(lsn) of the index is after the end, \(end)")
    }
  }

  /// A pageserver looks for a layer in the directory of the shard that the index says.
  private mutating func checkShard(_ shard: ShardID, _ layers: [Timeline.Layer]) {
    guard let suffix = shard.suffix else { return }
    for layer in layers where layer.metadata.shard != suffix {
      findings.add(
        .indexInconsistent,
        "the index of shard \(suffix) says that layer '\(layer.name)' is in "
          + (layer.metadata.shard.map { "shard \($0)" } ?? "no shard"))
    }
  }

  /// L0s follow each other without a gap, or compaction stops there.
  private mutating func checkLevel0Layers(
    _ layers: [Timeline.Layer], upTo end: LogSequenceNumber
  ) {
    let layers = layers.filter(\.name.isLevel0)
      .sorted { $0.name.lsns.lowerBound < $1.name.lsns.lowerBound }
    for (layer, next) in zip(layers, layers.dropFirst())
    where layer.name.lsns.upperBound != next.name.lsns.lowerBound {
      findings.add(
        .layerGap,
        "an L0 layer ends at \(layer.name.lsns.upperBound), but the next one starts at "
          + "\(next.name.lsns.lowerBound)")
    }
    if let last = layers.last?.name.lsns.upperBound, last.rawValue - 1 != end.rawValue {
      findings.add(
        .layerGap,
        "the last L0 layer ends at \(last), not right after the end of the timeline, \(end)")
    }
  }

  /// A read stops at the first image layer that covers its key, so an import's do not overlap.
  private mutating func checkImageLayers(_ layers: [Timeline.Layer]) {
    let layers = layers.filter(\.name.isImage)
    for (layer, next) in zip(layers, layers.dropFirst())
    where layer.name.keys.upperBound > next.name.keys.lowerBound {
      findings.add(
        .layersOverlap, "image layers '\(layer.fileName)' and '\(next.fileName)' overlap")
    }
  }
}

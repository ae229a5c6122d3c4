import LayerFormat
import PostgresFormat
import System
import Timeline

/// Blocks of relations that the WAL of a running cluster's backup has removed: they are in the layers
/// below, and no directory or size names them, as after a DROP or a truncation on a pageserver.
///
/// Takes keys in their order. Memory: 16 bytes a relation fork.
struct GoneBlocks {
  /// Every fork with its size, in the order of the keys.
  private let relations: [Cluster.Relation]
  private var next = 0

  /// Nil if there can be none: the timeline has no L0 above the base's layers, or a value that says
  /// what there is cannot be read, which is a finding.
  init?(_ timeline: Timeline) throws(Failure) {
    // An L0 of changed pages ends above the image layers of a running cluster, and below those of a
    // stopped one.
    let isOfRunning = timeline.layers.contains { layer in
      !layer.name.isImage && layer.name.lsns.upperBound > ImportedLSN.runningImage
        && layer.name.lsns.upperBound <= ImportedLSN.image
    }
    let isOfStopped = timeline.layers.contains { layer in
      layer.name.isImage && layer.name.lsns.lowerBound == ImportedLSN.image
    }
    guard timeline.isAsImported, isOfRunning, !isOfStopped,
      let version = PostgresVersion(rawValue: timeline.index.metadata.postgresVersion)
    else { return nil }
    var reader = KeyspaceReader(version: version)
    var isSound = true
    do throws(Failure) {
      var values = try TimelineValues(timeline, layers: timeline.layers.filter { !$0.name.isImage })
      while try values.next(
        skipping: { $0.meaning?.isPage == true },
        body: { key, value in reader.take(key, value) { _ in isSound = false } })
      {
        try Interruption.check()
      }
    } catch {
      guard error.exitCode == .damaged || error.exitCode == .unsupported else { throw error }
      return nil
    }
    relations = reader.finish { _ in isSound = false }.relations
    guard isSound else { return nil }
  }

  /// Whether the value is of a block of the base that is gone.
  mutating func contains(_ value: TimelineCursor.Value, _ meaning: KeyMeaning?) -> Bool {
    guard value.isOfBase, case .relationBlock(let id, let block) = meaning, id.fork == .main else {
      return false
    }
    while next < relations.count, relations[next].id < id { next += 1 }
    guard next < relations.count, relations[next].id == id else { return true }
    return block >= relations[next].blockCount
  }
}

extension TimelineCursor.Value {
  /// Whether it is below the changed pages of a running cluster.
  var isOfBase: Bool {
    (stored.entry.lsn ?? layer.name.lsns.lowerBound) <= ImportedLSN.runningImage
  }

  /// Whether it is a page that takes the place of one of the base.
  var replacesBase: Bool {
    guard let lsn = stored.entry.lsn else { return false }
    return lsn > ImportedLSN.runningImage && lsn < ImportedLSN.image && shadowedCount == 1
  }
}

import Backup
import LayerFormat
import PostgresFormat
import System
import Timeline

/// Every value of the last L0, written in key order.
///
/// Relation directories and sizes come from the segment table, the rest from the small files of
/// the backup. (Docs/format.md, Keys and Values)
package struct MetadataValues: Sendable {
  var contents: ClusterContents
  /// Every fork, in the order of the keys.
  var relations: [SegmentTable.Relation]
  var version: PostgresVersion
  var controlFile: [UInt8]
  var checkpoint: Checkpoint

  package init(
    contents: ClusterContents, relations: [SegmentTable.Relation], version: PostgresVersion,
    controlFile: [UInt8], checkpoint: Checkpoint
  ) {
    self.contents = contents
    self.relations = relations
    self.version = version
    self.controlFile = controlFile
    self.checkpoint = checkpoint
  }

  /// Writes each value as an image into a delta layer.
  func write(to writer: inout LayerWriter, level: Int32) throws(Failure) {
    var compressor = try PageCompressor(level: level)
    // Used again for each value: there is one for each relation.
    var image: [UInt8] = []
    var blob: [UInt8] = []
    try visit { key, value throws(Failure) in
      image.removeAll(keepingCapacity: true)
      DeltaValue.encodeImageHeader(byteCount: value.count, into: &image)
      image += value
      blob.removeAll(keepingCapacity: true)
      try compressor.appendBlob(of: image.bytes, to: &blob)
      try writer.append(blob.bytes, for: key)
    }
  }

  /// Gives every key and its value to `body`, in the order of the keys.
  package func visit(_ body: (Key, [UInt8]) throws(Failure) -> Void) throws(Failure) {
    try visitDatabaseValues(body)
    try visitSLRUValues(body)
    let transactions = contents.twoPhaseFiles.keys.sorted()
    try body(
      Key(.twoPhaseDirectory),
      DirectoryValue.encode(transactions: transactions, version: version))
    for transaction in transactions {
      try body(
        Key(.twoPhaseFile(transactionID: transaction)),
        contents.twoPhaseFiles[transaction]?.stored ?? [])
    }
    try body(Key(.controlFile), controlFile)
    try body(Key(.checkpoint), checkpoint.bytes)
    if let statistics = contents.statistics {
      try body(Key(.statisticsFile), AuxiliaryFile.encodeStatistics(statistics))
    }
    let origins = contents.replicationOrigins?.origins ?? []
    for origin in origins.sorted(by: { $0.origin < $1.origin }) {
      var value: [UInt8] = []
      value.appendBigEndian(origin.remoteLSN.rawValue)
      try body(Key(.replicationOrigin(id: origin.origin)), value)
    }
  }

  private func visitDatabaseValues(
    _ body: (Key, [UInt8]) throws(Failure) -> Void
  ) throws(Failure) {
    // The order of the keys: the shared relations, database 0, come last.
    let databaseIDs = contents.databases.keys.sorted {
      (Tablespace.id(ofDatabase: $0), $0) < (Tablespace.id(ofDatabase: $1), $1)
    }
    let databases = databaseIDs.map { id in
      DirectoryValue.Database(id: id, hasRelationMap: contents.hasRelationMap(id))
    }
    try body(Key(.databaseDirectory), DirectoryValue.encode(databases: databases))
    var start = 0
    for databaseID in databaseIDs {
      if case .some(.some(let map)) = contents.databases[databaseID] {
        try body(Key(.relationMap(databaseID: databaseID)), map)
      }
      var end = start
      while end < relations.count, relations[end].id.databaseID == databaseID { end += 1 }
      let own = relations[start..<end]
      try body(
        Key(.relationDirectory(databaseID: databaseID)),
        DirectoryValue.encode(relationCount: own.count, own.lazy.map(\.id)))
      var size: [UInt8] = []  // one for all
      for relation in own {
        size.removeAll(keepingCapacity: true)
        size.appendLittleEndian(relation.blockCount)
        try body(Key(.relationSize(relation.id)), size)
      }
      start = end
    }
    precondition(start == relations.count, "a relation's database is not in the directory")
  }

  private func visitSLRUValues(
    _ body: (Key, [UInt8]) throws(Failure) -> Void
  ) throws(Failure) {
    for kind in SLRUKind.allCases.sorted(by: { $0.rawValue < $1.rawValue }) {
      let sizes = contents.slruSegments[kind, default: [:]]
      let segments = sizes.keys.sorted()
      try body(Key(.slruDirectory(kind)), DirectoryValue.encode(segments: segments))
      for segment in segments {
        var size: [UInt8] = []
        size.appendLittleEndian(sizes[segment, default: 0])
        try body(Key(.slruSegmentSize(kind, segment: segment)), size)
      }
    }
  }
}

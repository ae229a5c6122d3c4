import LayerFormat
import PostgresFormat

/// Every value of the last L0, written in key order.
///
/// Relation directories and sizes come from the segment table, the rest from the small files of
/// the backup. (Docs/format.md, Keys and Values)
struct MetadataValues: Sendable {
  var contents: ClusterContents
  /// Every fork, in the order of the keys.
  var relations: [SegmentTable.Relation]
  var version: PostgresVersion
  var controlFile: [UInt8]
  var checkpoint: Checkpoint

  /// Writes each value as an image into a delta layer.
  func write(to writer: inout LayerWriter, level: Int32) throws(ImportError) {
    var sink = MetadataSink(writer: writer, compressor: try PageCompressor(level: level))
    try visit { key, value throws(ImportError) in try sink.append(key, value) }
    writer = sink.writer
  }

  /// Gives every key and its value to `body`, in the order of the keys.
  func visit(_ body: (Key, [UInt8]) throws(ImportError) -> Void) throws(ImportError) {
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
    _ body: (Key, [UInt8]) throws(ImportError) -> Void
  ) throws(ImportError) {
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
      for relation in own {
        try body(Key(.relationSize(relation.id)), Self.encode(size: relation.blockCount))
      }
      start = end
    }
    precondition(start == relations.count, "a relation's database is not in the directory")
  }

  private func visitSLRUValues(
    _ body: (Key, [UInt8]) throws(ImportError) -> Void
  ) throws(ImportError) {
    for kind in SLRUKind.allCases.sorted(by: { $0.rawValue < $1.rawValue }) {
      let sizes = contents.slruSegments[kind, default: [:]]
      let segments = sizes.keys.sorted()
      try body(Key(.slruDirectory(kind)), DirectoryValue.encode(segments: segments))
      for segment in segments {
        try body(
          Key(.slruSegmentSize(kind, segment: segment)),
          Self.encode(size: sizes[segment, default: 0]))
      }
    }
  }

  private static func encode(size blockCount: UInt32) -> [UInt8] {
    var value: [UInt8] = []
    value.appendLittleEndian(blockCount)
    return value
  }
}

/// Appends values to the last L0, each wrapped as an image and compressed.
private struct MetadataSink: ~Copyable {
  var writer: LayerWriter
  var compressor: PageCompressor

  init(writer: LayerWriter, compressor: consuming PageCompressor) {
    self.writer = writer
    self.compressor = compressor
  }

  mutating func append(_ key: Key, _ value: [UInt8]) throws(ImportError) {
    var wrapped: [UInt8] = []
    wrapped.reserveCapacity(DeltaValue.imageHeaderByteCount + value.count)
    DeltaValue.encodeImageHeader(byteCount: value.count, into: &wrapped)
    wrapped += value
    let blob = try compressor.blob(of: wrapped.bytes)
    try writer.append(blob.bytes, for: key)
  }
}

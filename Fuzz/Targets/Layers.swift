import LayerFormat
import PostgresFormat
import System
import Timeline

extension FuzzTarget {
  /// Reads a layer as verifications, lookups and exports do.
  func runLayer(_ bytes: RawSpan) throws {
    let contents = ShortForm.decode(bytes, blockByteCount: ShortForm.layerBlock)
    guard contents.count >= LayerSummary.byteCount else { throw FormatError.damaged("no page") }
    let summary = try LayerSummary(
      decoding: contents.bytes.extracting(0..<LayerSummary.byteCount))
    precondition(LayerName(summary.name.description) == summary.name, "a name is read as written")
    precondition(summary.encoded() == Array(contents[..<LayerSummary.byteCount]))
    let layer = try LayerFile("file", in: MemoryDirectory(contents), name: summary.name)

    // Lookups do not require the rest of the layer to be valid.
    for key in [summary.name.keys.lowerBound, summary.name.keys.upperBound] {
      if let entry = try? layer.entry(of: key) { _ = try? Self.readBlob(of: entry, in: layer) }
    }
    var reader = try LayerValueReader(layer, bufferByteCount: 1 << 14)
    var entries: [LayerEntry] = []
    while try reader.next({ stored, value throws(Failure) in
      entries.append(stored.entry)
      precondition(value.bytes.byteCount <= BlobDecoder.valueLimit)
      if value.content == .image { Self.readValue(value.bytes, of: stored.entry.key) }
    }) {}

    for entry in entries {
      guard let found = try layer.entry(of: entry.key) else {
        preconditionFailure("a key of the walk is found")
      }
      precondition(found.key == entry.key)
      try Self.readBlob(of: found, in: layer)
    }
    var scanner = try LayerScanner(layer, bufferByteCount: 1 << 14)
    while try scanner.peek() != nil { try scanner.skip() }
  }

  /// Reads what a lookup has found.
  private static func readBlob(of entry: LayerEntry, in layer: LayerFile) throws(Failure) {
    var blobs = BlobReader(layer, bufferByteCount: BlobReader.lookupBufferByteCount)
    blobs.move(to: entry.offset)
    let blob = try blobs.next(of: entry.key)
    precondition(blob.range.upperBound <= blobs.buffer.count, "a blob is in the buffer")
  }

  /// Decodes the value according to its key.
  private static func readValue(_ value: RawSpan, of key: Key) {
    guard let meaning = key.meaning else { return }
    precondition(Key(meaning) == key, "the meaning of a key gives the key")
    switch meaning {
    case .databaseDirectory: _ = try? DirectoryValue.decodeDatabases(value)
    case .relationDirectory(let databaseID):
      _ = try? DirectoryValue.decodeRelations(value, databaseID: databaseID)
    case .slruDirectory: _ = try? DirectoryValue.decodeSegments(value)
    case .twoPhaseDirectory:
      for version in [PostgresVersion.v16, .v17] {
        _ = try? DirectoryValue.decodeTransactions(value, version: version)
      }
    case .statisticsFile: _ = try? AuxiliaryFile.decodeStatistics(value)
    case .controlFile: _ = try? ControlFile(decoding: value)
    default: break
    }
  }

  func runIndex(_ bytes: RawSpan) throws(FormatError) {
    let index = try IndexPart(decoding: bytes.array)
    let again = try IndexPart(decoding: index.encoded())
    precondition(again == index, "an index is written as read")
    for (name, metadata) in index.layers {
      guard let name = LayerName(name) else { throw .damaged("'\(escaped(name.utf8))' is no name") }
      let fileName = name.fileName(generation: metadata.generation)
      precondition(!fileName.utf8.contains(UInt8(ascii: "/")), "the name of a layer is not a path")
      precondition(LayerName.parse(fileName: fileName)?.0 == name)
    }
  }
}

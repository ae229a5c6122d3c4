import PostgresFormat
import TestSupport
import Testing

@testable import LayerFormat

struct GoldenLayerTests {
  /// Goal: the summary of a real layer is read, agrees with the file name, and is written the same.
  /// Method: decode, compare with the parsed name, encode.
  @Test(arguments: GoldenLayer.names) func summary(name: String) throws {
    let layer = try GoldenLayer(name)
    let (parsed, generation) = try #require(LayerName.parse(fileName: name))
    #expect(layer.summary.name == parsed)
    #expect(parsed.fileName(generation: generation) == name)
    #expect(!parsed.isLevel0)
    #expect(layer.summary.encoded() == Array(layer.bytes[..<8192]))
    let isImage = name == GoldenLayer.imageName
    #expect(parsed.isImage == isImage)
    #expect(generation == (isImage ? 1 : 2))
    #expect(
      layer.summary.tenant.description
        == (isImage ? "eeee0000000000000000000000000025" : "aaaa0000000000000000000000000017"))
    #expect(
      layer.summary.timeline.description
        == (isImage ? "2222222222222222222222222222ee25" : "2222222222222222222222222222aa17"))
  }

  /// Goal: our builder makes the same pages as a pageserver. Method: read all keys and values from
  /// a real index, build an index from them, compare bytes and root; also with the naive model.
  @Test(arguments: GoldenLayer.names) func index(name: String) throws {
    let layer = try GoldenLayer(name)
    #expect(layer.index.nodeCount * 8192 == layer.indexBlocks.count)
    #expect(Int(layer.summary.indexRoot) == layer.index.nodeCount - 1)
    var builder = IndexTreeBuilder(ofImageLayer: layer.summary.name.isImage)
    for (key, value) in zip(layer.index.keys, layer.index.values) {
      builder.append(IndexKey(bytes: key), value: value)
    }
    #expect(builder.count == layer.index.keys.count)
    #expect(builder.finish() == layer.summary.indexRoot)
    #expect(Array(builder.pieces.joined()) == layer.indexBlocks)
    let naive = NaiveIndex(keys: layer.index.keys, values: layer.index.values)
    #expect(naive.blocks() == layer.indexBlocks)
    #expect(layer.index.levelCount == naive.levelCount)
  }

  /// Goal: blobs follow each other in the order of the index, from the first page to the padding
  /// before the index. Method: decode and encode every header of a real layer.
  @Test(arguments: GoldenLayer.names) func blobs(name: String) throws {
    let layer = try GoldenLayer(name)
    var offset = 8192
    var compressedCount = 0
    for value in layer.index.values {
      try #require(layer.offset(of: value) == offset)
      let (header, headerByteCount) = try layer.bytes.withBytes { bytes throws(FormatError) in
        try BlobHeader.decode(bytes, at: offset)
      }
      var encoded: [UInt8] = []
      header.encode(into: &encoded)
      #expect(encoded == Array(layer.bytes[offset..<offset + headerByteCount]))
      compressedCount += header.isCompressed ? 1 : 0
      offset += headerByteCount + header.byteCount
    }
    #expect(offset <= layer.indexOffset && layer.indexOffset - offset < 8192)
    let padding = layer.bytes[offset..<layer.indexOffset]
    #expect(padding.allSatisfy { $0 == 0 })
    #expect((compressedCount > 0) == layer.summary.name.isImage)
  }

  /// Goal: every key of real layers is in the layer's ranges, and has a meaning here. Method:
  /// decode each, and make it again from its meaning.
  @Test(arguments: GoldenLayer.names) func keys(name: String) throws {
    let layer = try GoldenLayer(name)
    for bytes in layer.index.keys {
      let key = bytes.withBytes { Key(decoding: $0) }
      #expect(layer.summary.name.keys.contains(key))
      let meaning = try #require(key.meaning, "\(key)")
      #expect(Key(meaning) == key)
      #expect(key.encoded == Array(bytes[..<18]))
      if bytes.count == 26 {
        #expect(
          layer.summary.name.lsns.contains(bytes.withBytes { lsn($0.bigEndian(at: 18)) }))
      }
    }
  }

  /// Goal: images and records of real delta layers are recognised. Method: all values; an image
  /// must need no older value, and has our header; the layer of images has nothing else.
  @Test(arguments: GoldenLayer.deltaNames) func deltaValues(name: String) throws {
    let values = try GoldenLayer(name).values().values
    var imageCount = 0
    for value in values {
      try #require(!value.isCompressed)
      let isImage = try value.bytes.withBytes { bytes throws(FormatError) in
        try DeltaValue.isImage(bytes)
      }
      guard isImage else { continue }
      imageCount += 1
      #expect(value.standsAlone)
      var header: [UInt8] = []
      DeltaValue.encodeImageHeader(
        byteCount: value.bytes.count - DeltaValue.imageHeaderByteCount, into: &header)
      #expect(header == Array(value.bytes[..<DeltaValue.imageHeaderByteCount]))
    }
    let holdsImagesOnly = name == GoldenLayer.deltaNames[0]
    #expect((imageCount == values.count) == holdsImagesOnly)
  }

  /// Goal: the small values of a pageserver are those in the fixture's list. Method: length and
  /// checksum of every value of the image layer that is stored plain.
  @Test func plainValues() throws {
    let listed = try Fixture.lines("clean-15.keys").map { String($0) }
    let expected = Set(listed)
    var count = 0
    for value in try GoldenLayer(GoldenLayer.imageName).values().values where !value.isCompressed {
      let meaning = try #require(value.key.meaning)
      var bytes = value.bytes
      switch meaning {
      case .checkpoint, .twoPhaseFile: continue  // differ from those of an import
      case .databaseDirectory: bytes = try sorted(databases: bytes)
      default: break
      }
      let checksum = bytes.withBytes { CRC32C.checksum(of: $0) }.hexadecimal(8)
      #expect(expected.contains("\(value.key) \(bytes.count) \(checksum)"), "\(meaning)")
      count += 1
    }
    #expect(count > 500)
  }

  private func sorted(databases bytes: [UInt8]) throws -> [UInt8] {
    let databases = try bytes.withBytes { bytes throws(FormatError) in
      try DirectoryValue.decodeDatabases(bytes)
    }
    #expect(databases.count == 6 && databases.allSatisfy(\.hasRelationMap))
    return DirectoryValue.encode(
      databases: databases.sorted { left, right in
        Key(.relationMap(databaseID: left.id)) < Key(.relationMap(databaseID: right.id))
      })
  }

  /// Goal: every key that an import must serve has a meaning. Method: from each key to its meaning
  /// and back.
  @Test func everyListedKey() throws {
    var kinds = Set<String>()
    for line in try Fixture.lines("clean-15.keys") {
      let key = try key(String(line.prefix(36)))
      let meaning = try #require(key.meaning, "\(line)")
      #expect(Key(meaning) == key)
      kinds.insert(Mirror(reflecting: meaning).children.first?.label ?? "\(meaning)")
    }
    #expect(kinds.count == 14)
  }
}

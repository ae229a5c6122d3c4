import PostgresFormat
import TestSupport
import Testing

@testable import LayerFormat

struct IndexPartTests {
  private let layer = "000000000000000000000000000000000000-030000000000000000000000000000000002"
  private let sample = """
    {"disk_consistent_lsn":"0/C84D4E0","layer_metadata":{"b":{"file_size":123,"generation":1},\
    "é/":{"file_size":18446744073709551615,"generation":4294967295,"shard":"0004"}},\
    "lineage":{},"metadata_bytes":{"ancestor_lsn":"0/0","ancestor_timeline":null,\
    "disk_consistent_lsn":"0/C84D4E0","initdb_lsn":"1/C84D468","latest_gc_cutoff_lsn":"1/C84D468",\
    "pg_version":15,"prev_record_lsn":null},"version":15}
    """

  private func decode(_ text: String) throws(FormatError) -> IndexPart {
    try IndexPart(decoding: Array(text.utf8))
  }

  /// Goal: the index of a real pageserver is read, and is the same after we wrote it. Method: every
  /// field of the golden one, then a round trip.
  @Test func golden() throws {
    let part = try IndexPart(decoding: try Fixture.bytes("golden/index_part.json-00000001"))
    #expect(part.version == 15)
    #expect(
      part.layers == [
        layer + "__0000000005057188": .init(fileSize: 9_224_192, generation: 1)
      ])
    let end = lsn(0x505_7188)
    #expect(part.diskConsistentLSN == end)
    var metadata = IndexPart.Metadata(
      importLSN: end, endLSN: end, previousRecordLSN: lsn(0), postgresVersion: 15)
    #expect(part.metadata == metadata)
    #expect(part == IndexPart(layers: part.layers, metadata: metadata))
    #expect(try IndexPart(decoding: part.encoded()) == part)
    metadata.previousRecordLSN = nil
    #expect(part.metadata != metadata)
  }

  /// Goal: an index always has the same bytes: keys sorted, nulls written, and no shard if there is
  /// none. Method: known text both ways.
  @Test func knownText() throws {
    let part = IndexPart(
      layers: [
        "é/": .init(fileSize: .max, generation: .max, shard: "0004"),
        "b": .init(fileSize: 123, generation: 1),
      ],
      metadata: .init(
        importLSN: lsn(0x1_0C84_D468), endLSN: lsn(0xC84_D4E0), previousRecordLSN: nil,
        postgresVersion: 15))
    #expect(String(decoding: part.encoded(), as: UTF8.self) == sample)
    #expect(try decode(sample) == part)
  }

  /// Goal: fields that a pageserver adds are ignored. Method: unknown fields on every level, white
  /// space.
  @Test func unknownFields() throws {
    let more = sample.replacing("\"version\":15", with: "\n \"version\" : 15, \"l2_lsn\":\"0/0\"")
      .replacing("\"generation\":1", with: "\"generation\":1,\"more\":[1,{}]")
      .replacing("\"lineage\":{}", with: "\"lineage\":{\"reparenting_history\":[\"aa\"]}")
    #expect(try decode(more) == decode(sample))
  }

  /// Goal: anything but an index of this version is refused, and the message names the field if the
  /// decoder does. Method: one change at a time to a good index.
  @Test func refusals() {
    for (old, new, code, part): (String, String, ErrorCode?, String) in [
      (
        "\"version\":15", "\"version\":14", .storageFormatUnsupported,
        "version 14 is not supported, only 15"
      ),
      ("\"version\":15", "\"version\":16,\"x\":1", .storageFormatUnsupported, "version 16"),
      ("\"version\":15", "\"version\":\"15\"", nil, "'version' of the index is not a number"),
      (",\"version\":15", "", nil, "field 'version' of the index is missing"),
      ("\"layer_metadata\"", "\"layers\"", nil, "'layer_metadata' of the index is missing"),
      ("\"file_size\":123", "\"file_size\":-1", nil, "out of range"),
      ("\"file_size\":123", "\"file_size\":1.5", nil, "out of range"),
      ("18446744073709551615", "18446744073709551616", nil, "out of range"),
      ("4294967295", "4294967296", nil, "out of range"),
      ("\"file_size\":123,", "", nil, "'file_size' of the index is missing"),
      ("\"ancestor_lsn\":\"0/0\"", "\"ancestor_lsn\":\"0\"", nil, "of the index is not valid"),
      ("\"ancestor_lsn\":\"0/0\"", "\"ancestor_lsn\":0", nil, "of the index is not a string"),
      ("\"ancestor_lsn\":\"0/0\"", "\"ancestor_lsn\":null", nil, "of the index is null"),
      (
        "{\"disk_consistent_lsn\":\"0/C84D4E0\"", "{\"disk_consistent_lsn\":\"0/1\"", nil,
        "the two 'disk_consistent_lsn' fields of the index differ"
      ),
      ("\"pg_version\":15", "\"pg_version\":\"15\"", nil, "'pg_version' of the index is not"),
      ("}}", "}", nil, "the index is not valid JSON"),
    ] {
      let changed = sample.replacing(old, with: new)
      expectRefusal(part, as: code, of: Array(changed.utf8)) { bytes throws(FormatError) in
        _ = try IndexPart(decoding: bytes.array)
      }
    }
  }

  /// Goal: bytes that are not JSON are refused without a trap. Method: some by hand, the sample cut
  /// off at every byte, with every byte changed, nested deep, and random bytes (seed 90).
  @Test func noJSON() {
    for text in [
      "", " ", "null", "[]", "15", "\"\"", "{}", "{", "}", "[[", "\0",
      String(repeating: "[", count: 100_000), String(repeating: "{\"a\":", count: 10_000),
      "{\"version\":" + String(repeating: "9", count: 1000) + "}", "{\"version\":1e400}",
    ] {
      #expect(throws: FormatError.self) { try decode(text) }
    }
    let bytes = Array(sample.utf8)
    for count in 0..<bytes.count {
      #expect(throws: FormatError.self) { try IndexPart(decoding: Array(bytes[..<count])) }
    }
    var generator = SeededGenerator(state: 90)
    var readCount = 0
    for index in bytes.indices {
      var changed = bytes
      changed[index] = UInt8(truncatingIfNeeded: generator.next())
      if let part = try? IndexPart(decoding: changed) {
        readCount += 1
        #expect((try? IndexPart(decoding: part.encoded())) == part)
      }
      #expect(throws: FormatError.self) { try IndexPart(decoding: generator.bytes(index)) }
    }
    #expect(readCount > 0 && readCount < bytes.count)
  }

  /// Goal: the name of an index file has its generation. Method: known names both ways, near
  /// misses.
  @Test func fileNames() {
    for (generation, name): (UInt32, String) in [
      (1, "index_part.json-00000001"), (0xAB, "index_part.json-000000ab"),
      (.max, "index_part.json-ffffffff"),
    ] {
      #expect(IndexPart.fileName(generation: generation) == name)
      #expect(IndexPart.parse(fileName: name) == generation)
    }
    for name in [
      "", "index_part.json", "index_part.json-", "index_part.json-1", "index_part.json-0000000A",
      "index_part.json-000000001", "index_part.json-0000001", "index_part.json-00000001.temp",
      "index_part.jsn-00000001", "xindex_part.json-00000001", "index_part.json--00000001",
      "index_part.json00000001", "index_part.json-0000000é", "index_part.json-+0000001",
    ] {
      #expect(IndexPart.parse(fileName: name) == nil, "'\(name)'")
    }
  }

  /// Goal: anything that a pageserver refuses or reads differently is refused. Method: a field and
  /// a layer twice, an escape in a name, a byte order mark, too deep, too many values; strings that
  /// look like these pass.
  @Test func strictness() throws {
    for (old, new) in [
      ("\"version\":15", "\"version\":15,\"version\":15"),
      ("\"b\":{", "\"b\":{\"file_size\":1,\"generation\":1},\"b\":{"),
      ("\"version\":", "\"v\\u0065rsion\":"), ("{\"disk", "\u{FEFF}{\"disk"),
      ("\"lineage\":{}", "\"lineage\":{\"a\":" + String(repeating: "[", count: 128) + "1"),
      ("\"lineage\":{}", "\"lineage\":{\"a\":[" + String(repeating: "1,", count: 1 << 20) + "1]}"),
      ("\"shard\":\"0004\"", "\"shard\":\"004\""), ("\"shard\":\"0004\"", "\"shard\":\"00x4\""),
      ("\"ancestor_timeline\":null", "\"ancestor_timeline\":\"aa\""),
    ] {
      let changed = sample.replacing(old, with: new)
      #expect(changed != sample)
      #expect(throws: FormatError.self, "\(new.prefix(60))") { try decode(changed) }
    }
    let harmless = sample.replacing(
      "\"lineage\":{}",
      with: #""lineage":{"a":"\"version\":{[\\","b":["version","version",{"a":{},"b":{"a":1}}]}"#)
    #expect(try decode(harmless) == (try decode(sample)))
    let deleted = try decode(sample.replacing("{\"disk", with: "{\"deleted_at\":\"x\",\"disk"))
    #expect(deleted.deletedAt == "x")
  }
}

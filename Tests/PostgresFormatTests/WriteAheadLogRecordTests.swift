import TestSupport
import Testing

@testable import PostgresFormat

/// The parts of single records.
struct WriteAheadLogRecordTests {
  typealias Writer = WriteAheadLogWriter

  /// A block reference's header: relation 1663/5/16384, block 7.
  private static func reference(
    _ id: UInt8 = 0, flags: UInt8 = 0, dataLength: Int = 0, image: [UInt8] = [],
    relation: [UInt8]? = nil
  ) -> [UInt8] {
    [id, flags] + Writer.u16(dataLength) + image
      + (relation ?? Writer.u32(1663) + Writer.u32(5) + Writer.u32(16384)) + Writer.u32(7)
  }

  private static func image(
    length: Int, hole: Int = 0, about: UInt8, holeLength: Int? = nil
  ) -> [UInt8] {
    Writer.u16(length) + Writer.u16(hole) + [about] + (holeLength.map(Writer.u16) ?? [])
  }

  private static func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }

  /// Decodes the one record of a log.
  private static func decode(
    _ data: [UInt8], version: PostgresVersion = .v16, resourceManager: UInt8 = 10, info: UInt8 = 0,
    _ body: (WALRecord) throws -> Void = { _ in }
  ) throws {
    var writer = Writer()
    writer.version = version
    writer.append(data, resourceManager: resourceManager, info: info)
    var count = 0
    _ = try WriteAheadLog(writer, from: .firstRecord).decode { record in
      count += 1
      try body(record)
    }
    try #require(count == 1)
  }

  private static func flags(
    _ data: [UInt8], version: PostgresVersion
  ) throws -> WALBlockReference.Flags {
    var found: WALBlockReference.Flags = []
    try decode(data, version: version) { found = $0.references[0].flags }
    return found
  }

  /// Goal: every form of an image, by version. Method: with and without a hole, compressed in each
  /// way, applied and for a check only.
  @Test func images() throws {
    for (version, about, length, hole, holeLength, isApplied) in [
      (.v14, 0x04, 8192, 0, nil, true), (.v14, 0x00, 8192, 0, nil, false),
      (.v14, 0x05, 8000, 100, nil, true), (.v14, 0x02, 500, 0, nil, false),
      (.v14, 0x07, 500, 100, 200, true),
      (.v15, 0x02, 8192, 0, nil, true), (.v17, 0x00, 8192, 0, nil, false),
      (.v16, 0x03, 8000, 100, nil, true), (.v15, 0x06, 500, 0, nil, true),
      (.v16, 0x0B, 500, 100, 200, true), (.v17, 0x11, 500, 100, 200, false),
      (.v17, 0x04, 1, 0, nil, false),
    ] as [(PostgresVersion, UInt8, Int, Int, Int?, Bool)] {
      let image = Self.image(length: length, hole: hole, about: about, holeLength: holeLength)
      let data = Self.reference(flags: 0x10, image: image) + Self.zeros(length)
      let flags = try Self.flags(data, version: version)
      #expect(flags == (isApplied ? [.hasImage, .imageIsApplied] : .hasImage), "\(about)")
    }
    #expect(
      try Self.flags(Self.reference(flags: 0x40) + Writer.main([]), version: .v16)
        == .initialisesPage)
  }

  /// Goal: several references, and all that may come between them. Method: 33 references, of which
  /// the later ones name no relation; origin and top transaction; data in both forms.
  @Test func manyParts() throws {
    var data = Self.reference(0, flags: 0x21, dataLength: 3)
    for id in 1...32 as ClosedRange<UInt8> {
      data += Self.reference(id, flags: 0x80 | id % 4, relation: [])
    }
    data += [253, 1, 0, 252, 9, 0, 0, 0] + [254] + Writer.u32(4) + [1, 2, 3] + [4, 5, 6, 7]
    try Self.decode(data, info: 0x73) { record in
      #expect(record.references.count == 33)
      #expect(record.references[0].fork == .freeSpaceMap)
      for index in record.references.indices {
        let reference = record.references[index]
        #expect(reference.id == index && reference.relationNumber == 16384 && reference.block == 7)
        #expect(reference.tablespaceID == 1663 && reference.databaseID == 5)
      }
      #expect(record.mainData.array == [4, 5, 6, 7])
      #expect(record.info == 0x73 && record.kind == 0x70 && record.transactionID == 700)
      #expect(record.bytes.byteCount == 24 + data.count)
    }
    try Self.decode([]) { #expect($0.references.isEmpty && $0.mainData.isEmpty) }
  }

  /// Goal: a record whose checksum is right, but whose parts are impossible, is damage. Method: each
  /// way.
  @Test func impossibleParts() throws {
    let image = { (length: Int, hole: Int, about: UInt8, holeLength: Int?) in
      Self.reference(
        flags: 0x10,
        image: Self.image(length: length, hole: hole, about: about, holeLength: holeLength))
        + Self.zeros(length)
    }
    for (data, words) in [
      ([255], "length"), ([254, 1, 0, 0], "length"), ([255, 3, 1, 2], "length"),
      ([255, 1, 1, 2], "length"), ([254] + Writer.u32(-1 & 0xFFFF_FFFF), "length"),
      ([253, 1], "length"), ([0, 0], "length"), (Self.reference().dropLast(), "length"),
      (Self.reference() + [1], "length"), (Self.reference(flags: 0x20, dataLength: 9), "length"),
      ([33, 0, 0], "unknown"), ([251], "unknown"), (Self.reference(flags: 4), "fork"),
      (Self.reference(flags: 0x20), "contradicts"),
      (Self.reference(dataLength: 1) + [0], "contradicts"),
      (Self.reference(flags: 0x80, relation: []), "names no relation"),
      (Self.reference(3) + Self.reference(3), "order"),
      (Self.reference(3) + Self.reference(2), "order"),
      ([0, 0x10, 0, 0, 1], "image"), (image(8192, 5, 3, nil), "image"),
      (image(8000, 0, 3, nil), "image"), (image(8000, 0, 2, nil), "image"),
      (image(8191, 8192, 3, nil), "image"), (image(8193, 0, 2, nil), "image"),
      (image(8192, 0, 6, nil), "image"), (image(100, 5, 6, nil), "image"),
      (image(100, 5, 7, 0), "image"), (image(100, 0, 7, 5), "image"),
      (image(100, 8190, 7, 5), "image"), (image(0, 100, 7, 60_000), "image"),
    ] as [([UInt8], String)] {
      let error = #expect(throws: FormatError.self, "\(words) \(data.prefix(30))") {
        try Self.decode(data)
      }
      #expect(error?.code == nil)
      #expect(
        error?.message.contains(
          "WAL segment '000000010000000000000003' is damaged at 0/300028: the record has the right "
            + "checksum, but ") == true)
      #expect(error?.message.contains(words) == true, "\(words): \(error?.message ?? "")")
    }
  }

  /// Goal: records that do more than change blocks. Method: each kind that the real logs lack, and
  /// the version in which a kind has another number; each is refused if it is too short.
  @Test func changes() throws {
    func change(
      _ manager: UInt8, _ info: UInt8, _ data: [UInt8], _ version: PostgresVersion = .v16
    ) throws -> WALChange? {
      var found: WALChange?
      try Self.decode(Writer.main(data), version: version, resourceManager: manager, info: info) {
        found = try $0.change()
      }
      return found
    }
    let location = Array("/srv/t w\u{1}o".utf8)
    #expect(
      try change(5, 0x00, Writer.u32(16390) + location + [0])
        == .tablespaceCreation(id: 16390, location: location))
    #expect(try change(5, 0x10, Writer.u32(16390)) == nil)
    let settings = [100, 8, 10, 5, 64].flatMap(Writer.u32)
    guard case .parameterChange(let found) = try change(0, 0x60, settings + Self.zeros(8)) else {
      Issue.record("no parameter change")
      return
    }
    #expect(found.values.map(\.value) == [100, 8, 10, 5, 64])
    #expect(found.values[3].name == "max_prepared_transactions")
    let made = WALChange.Relation(tablespaceID: 1663, databaseID: 5, relationNumber: 16390)
    let creation = [1663, 5, 16390, 0].flatMap(Writer.u32)
    #expect(try change(2, 0x10, creation) == .relationCreation(made))
    let drop = [5, 2, 1663, 16390].flatMap(Writer.u32)
    let dropped = WALChange.databaseRemoval(databaseID: 5, tablespaceIDs: [1663, 16390])
    #expect(try change(4, 0x21, drop) == dropped)
    #expect(try change(4, 0x11, drop, .v14) == dropped)
    #expect(try change(4, 0x11, drop, .v15) == nil)
    let checkpoint = try controlFile("clean-16").checkpointCopy
    #expect(try change(0, 0x00, checkpoint.bytes) == .checkpoint(checkpoint))
    #expect(try change(0, 0x10, checkpoint.bytes) == .checkpoint(checkpoint))
    #expect(try change(0, 0x20, []) == nil)
    #expect(try change(10, 0x20, []) == nil)
    for (manager, info, count) in [
      (0, 0x00, 87), (0, 0x10, 0), (0, 0x60, 19), (2, 0x10, 15), (2, 0x20, 19), (4, 0x00, 15),
      (4, 0x20, 7),
      (5, 0x00, 4),
    ] as [(UInt8, UInt8, Int)] {
      let error = #expect(throws: FormatError.self) {
        try change(manager, info, Self.zeros(count))
      }
      #expect(error?.message.contains("0/300028 is too short for its kind") == true)
    }
    #expect(throws: FormatError.self) {
      try change(4, 0x20, [5, 3, 1663, 16390].flatMap(Writer.u32))
    }
    #expect(throws: FormatError.self) {
      try change(4, 0x20, [5, -1 & 0xFFFF_FFFF].flatMap(Writer.u32))
    }
  }
}

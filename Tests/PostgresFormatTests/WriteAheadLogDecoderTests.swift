import TestSupport
import Testing

@testable import PostgresFormat

/// Decoding the WAL of real clusters under load, as it is.
struct WriteAheadLogDecoderTests {
  static let backups: [(String, PostgresVersion, UInt64)] = [
    ("online-14", .v14, 0x1F0_0028), ("online-16", .v16, 0x370_00D8),
    ("online-17", .v17, 0x280_0028),
  ]

  /// Goal: every block reference of every record. Method: line by line against those that Postgres's
  /// own `pg_walinspect` gives (14: another decoder); whole segments, single pages, and pieces of
  /// all sizes (seed 1).
  @Test(arguments: backups)
  func references(name: String, version: PostgresVersion, start: UInt64) throws {
    let log = try WriteAheadLog(fixture: name, version: version, start: start)
    let expected = try Fixture.lines(name + "/references.txt")
    var generator = SeededGenerator(state: 1)
    let random = (0..<97).map { _ in Int.random(in: 1...40, using: &generator) }
    for pages in [[128], [1], random] {
      var lines: [String] = []
      let end = try log.decode(pagesInPieces: pages) { record in
        for index in record.references.indices {
          lines.append(Self.line(record, record.references[index]))
        }
      }
      #expect(lines.count == expected.count)
      let different = zip(lines, expected).first { $0 != $1 }
      #expect(different == nil)
      #expect(end.reason == .noMoreBytes && end.laterSegment == nil)
    }
  }

  private static func line(_ record: WALRecord, _ reference: WALBlockReference) -> String {
    let flags = [.hasImage, .imageIsApplied, .initialisesPage].map {
      reference.flags.contains($0) ? "1" : "0"
    }
    let numbers = [
      reference.tablespaceID, reference.databaseID, reference.relationNumber,
      UInt32(reference.fork.rawValue), reference.block,
    ]
    return
      ([
        "\(record.start)", "\(record.resourceManager.rawValue)", record.info.hexadecimal(2),
      ] + numbers.map { "\($0)" } + flags).joined(separator: " ")
  }

  /// Goal: what records do besides changing blocks. Method: what was done to these clusters while
  /// they were backed up: `VACUUM` truncated a table, a visibility map alone was truncated, databases
  /// were copied and dropped. (File copies: 14 and 17.)
  @Test(arguments: backups)
  func changes(name: String, version: PostgresVersion, start: UInt64) throws {
    let log = try WriteAheadLog(fixture: name, version: version, start: start)
    var truncations: [WALChange.Truncation] = []
    var made: [WALChange.Relation] = []
    var dropped: [WALChange.Relation] = []
    var copies: [WALChange.DatabaseCopy] = []
    var removed: [UInt32] = []
    var checkpoints: [Checkpoint] = []
    var last: (start: LogSequenceNumber, end: LogSequenceNumber)?
    let end = try log.decode { record in
      #expect(last.map { record.start >= $0.end } ?? (record.start == lsn(start)))
      last = (record.start, record.end)
      switch try record.change() {
      case .truncation(let truncation): truncations.append(truncation)
      case .relationCreation(let relation): made.append(relation)
      case .relationRemoval(let relations): dropped += relations
      case .databaseCopy(let copy): copies.append(copy)
      case .databaseRemoval(let id, let tablespaces):
        #expect(tablespaces == [1663])
        removed.append(id)
      case .checkpoint(let checkpoint): checkpoints.append(checkpoint)
      case .tablespaceCreation, .parameterChange: Issue.record("there was none")
      case nil: break
      }
    }
    #expect(truncations[0].relationNumber == 16432 && truncations[0].block == 35)
    #expect(truncations[0].forks == [.main, .visibilityMap, .freeSpaceMap])
    #expect(truncations[1].block == 0 && truncations[1].forks == .visibilityMap)
    #expect(truncations.allSatisfy { $0.tablespaceID == 1663 && $0.databaseID == 16384 })
    let copy = WALChange.DatabaseCopy(
      databaseID: 16571, tablespaceID: 1663, sourceDatabaseID: 16385, sourceTablespaceID: 1663)
    #expect(copies == (version == .v16 ? [] : [copy]))
    #expect(made.count > 3 && dropped.count > 3)
    #expect(dropped.allSatisfy { $0.tablespaceID == 1663 && $0.relationNumber >= 2600 })
    #expect(Set(dropped.map(\.databaseID)).isSubset(of: [16384, 16385, 5, 16571]))
    // Also all relations of a database that is copied page by page.
    #expect(made.allSatisfy { $0.tablespaceID == 1663 && $0.relationNumber >= 112 })
    #expect(Set(made.map(\.databaseID)).isSubset(of: [16384, 16385, 5, 16571, 70000]))
    #expect(removed == (version == .v16 ? [16418, 70000] : [16418]))
    // Of the backup's own checkpoint at least; what it names as its start is where this began.
    #expect(checkpoints.contains { $0.redo == lsn(start) })
    #expect(end.lastRecord == last?.start && end.position == last?.end)
    // The last record is the switch that ends a backup.
    #expect(end.position.rawValue.isMultiple(of: UInt64(log.segmentSize)))
  }

  /// Goal: the first record of a log whose segments begin within one is found. Method: from each
  /// segment on, against the records known.
  @Test func firstRecord() throws {
    var log = try WriteAheadLog(fixture: "online-16", version: .v16, start: 0x370_00D8)
    let known = try log.starts().starts
    while log.segments.count > 1 {
      log.segments.removeFirst()
      log.start = .firstRecord
      let found = try log.starts().starts
      let segment = WALSegmentName(log.segments[0].name, segmentSize: log.segmentSize)!
      #expect(found == known.filter { $0 >= segment.start })
    }
  }

  /// Goal: segments before the start, and pages of its segment before it, do not matter. Method: an
  /// older segment of zeros, and zeros before the page of the start.
  @Test func beforeTheStart() throws {
    var log = try WriteAheadLog(fixture: "online-16", version: .v16, start: 0x370_00D8)
    let known = try log.starts().starts
    let later = try #require(known.first { $0.rawValue > 0x380_8000 })
    log.start = .record(later)
    log.segments[0].bytes = [UInt8](repeating: 0, count: 1 << 20)
    log.segments[1].bytes.replaceSubrange(
      8192..<0x8000, with: repeatElement(0, count: 0x8000 - 8192))
    #expect(try log.starts().starts == known.filter { $0 >= later })
  }

  /// Goal: a position where no record can start is refused. Method: in a page's header.
  @Test func impossibleStart() {
    #expect(throws: FormatError.self) {
      try WALDecoder(
        version: .v16, systemIdentifier: 1, segmentSize: 1 << 20, from: .record(lsn(0x370_0010)))
    }
  }

  /// Goal: names of segments are read as they are written, and others refused. Method: each kind.
  @Test func segmentNames() {
    for (name, size, start) in [
      ("0000000100000000000000FF", 16 << 20, 0xFF00_0000),
      ("00000002000000AB00000003", 1 << 30, 0xAB_C000_0000),
      ("000000010000000000000FFF", 1 << 20, 0xFFF0_0000),
    ] as [(String, UInt32, UInt64)] {
      let parsed = WALSegmentName(name, segmentSize: size)
      #expect(parsed?.start == lsn(start))
      #expect(parsed?.description == name)
    }
    for name in [
      "000000010000000000000100", "00000001000000000000001", "0000000100000000000000001",
      "00000001000000000000000G", "000000018000000000000000", "00000001000000000000001.",
    ] {
      #expect(WALSegmentName(name, segmentSize: 16 << 20) == nil, "\(name)")
    }
  }
}

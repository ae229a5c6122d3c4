import Testing

@testable import PostgresFormat

struct WALLayoutTests {
  /// Goal: the ends of shutdown checkpoints of real clusters. Method: compare with a pageserver
  /// that ingested their WAL.
  @Test(
    arguments: [
      ("clean-14", 0x27A_C258), ("clean-15", 0x505_7188), ("clean-16", 0x2D7_7A78),
      ("clean-17", 0x2D6_86D0), ("clean-15-checksums-wal1m", 0x384_6C80),
      ("clean-15-minimal-promoted", 0x215_AD68),
    ] as [(String, UInt64)])
  func realEnds(name: String, end: UInt64) throws {
    let file = try controlFile(name)
    #expect(
      try WALLayout.endOfCheckpointRecord(
        startingAt: file.checkPoint, segmentSize: file.walSegmentSize) == lsn(end))
  }

  /// Goal: records that cross headers, and ends at boundaries. Method: every start in two pages
  /// before and two after a boundary of pages, of segments of 1 MiB and of 16 MiB, against a model
  /// that places the record byte by byte.
  @Test(arguments: [1 << 20, 16 << 20, 64 << 20, 1 << 30] as [UInt32])
  func boundaries(segmentSize: UInt32) throws {
    let boundaries: [UInt64] = [
      UInt64(segmentSize) * 3, UInt64(segmentSize) * 16, UInt64(segmentSize) + 8192 * 5,
      UInt64(segmentSize) * 2 + (16 << 20), 1 << 32, 0x7F << 33,
    ]
    for boundary in boundaries {
      for start in stride(from: boundary - 16384, to: boundary + 16384, by: 8) {
        let expected = model(start, UInt64(segmentSize))
        if let expected {
          let end = try WALLayout.endOfCheckpointRecord(
            startingAt: lsn(start), segmentSize: segmentSize)
          #expect(end == lsn(expected), "start \(lsn(start))")
        } else {
          #expect(throws: FormatError.self, "start \(lsn(start))") {
            try WALLayout.endOfCheckpointRecord(startingAt: lsn(start), segmentSize: segmentSize)
          }
        }
      }
    }
  }

  /// Places the bytes of the record one by one outside headers; nil if a header is at the start.
  private func model(_ start: UInt64, _ segmentSize: UInt64) -> UInt64? {
    func isHeader(_ position: UInt64, _ segmentSize: UInt64) -> Bool {
      position % segmentSize < 8192
        ? position % segmentSize < 40 : position % 8192 < 24
    }
    if isHeader(start, segmentSize) { return nil }
    var position = start
    var laid = 0
    while laid < 114 {
      if !isHeader(position, segmentSize) { laid += 1 }
      position += 1
    }
    while position % 8 != 0 { position += 1 }
    if position % 8192 == 0 {
      while isHeader(position, 16 << 20) { position += 1 }
    }
    return position
  }

  /// Goal: positions where no record can be are refused, and nothing overflows. Method: each kind.
  @Test func implausiblePositions() throws {
    for position in [
      0, 8, 40, 0xF_FFF8, 0xFF_FFF8, 0x200_0000, 0x200_0020, 0x200_2000, 0x200_2010, 0x505_7111,
      0x505_7114, 1 << 63, .max, .max - 7, .max - 8191,
    ] as [UInt64] {
      let error = #expect(throws: FormatError.self, "\(position)") {
        try WALLayout.endOfCheckpointRecord(startingAt: lsn(position), segmentSize: 16 << 20)
      }
      #expect(error?.code == nil)
    }
    for position in [0, 8, 0x505_7184, 1 << 63, .max] as [UInt64] {
      #expect(throws: FormatError.self) { try WALLayout.requireRecordEnd(lsn(position)) }
    }
    try WALLayout.requireRecordEnd(lsn(0x200_2000))
    #expect(
      try WALLayout.endOfCheckpointRecord(
        startingAt: lsn((1 << 63) - 8), segmentSize: 16 << 20) > lsn(1 << 63))
  }
}

import Testing

@testable import PostgresFormat

struct ControlFileTests {
  /// A control file with some bytes changed, and the matching CRC.
  private func changed(
    _ changes: (Int, UInt32)..., of name: String = "clean-15", checksum: Bool = true
  ) throws -> [UInt8] {
    var bytes = try controlFileBytes(name)
    for (offset, value) in changes { bytes.setLittleEndian(value, at: offset) }
    if checksum {
      bytes.setLittleEndian(crc32c(Array(bytes.prefix(288))), at: 288)
    }
    return bytes
  }

  /// Goal: the control file of every supported version is read. Method: compare those of real
  /// clusters with the output of `pg_controldata`.
  @Test(
    arguments: [
      ("clean-14", .v14, 0x27A_C1E0, 16, 0),
      ("clean-15", .v15, 0x505_7110, 16, 0),
      ("clean-15-checksums-wal1m", .v15, 0x384_6C08, 1, 1),
      ("clean-15-minimal-promoted", .v15, 0x215_ACF0, 16, 1),
      ("clean-16", .v16, 0x2D7_7A00, 16, 0),
      ("clean-17", .v17, 0x2D6_8658, 16, 0),
    ] as [(String, PostgresVersion, UInt64, UInt32, UInt32)])
  func realControlFiles(
    name: String, version: PostgresVersion, checkPoint: UInt64, mebibytes: UInt32, checksums: UInt32
  ) throws {
    let file = try controlFile(name)
    try file.requireCleanShutdown()
    try file.validateLayout()
    #expect(file.version == version)
    #expect(file.checkPoint == lsn(checkPoint))
    #expect(file.checkpointCopy.redo == lsn(checkPoint))
    #expect(file.walSegmentSize == mebibytes << 20)
    #expect(file.dataChecksumVersion == checksums)
    #expect(file.systemIdentifier != 0)
    #expect(file.settings.map(\.name).first == "max_connections")
    #expect(file.settings.map(\.value) == [100, 8, 10, 10, 64] || name.contains("minimal"))
  }

  /// Goal: a pageserver's own control files pass too. Method: real ones; their checkPoint is 0.
  @Test(arguments: [
    "fullbackup-14", "fullbackup-15", "fullbackup-15-doubled-twophase-crc", "fullbackup-16",
    "fullbackup-17",
  ])
  func pageserversControlFiles(name: String) throws {
    let file = try controlFile(name)
    try file.validateLayout()
    #expect(file.state == .shutDown)
    #expect(file.checkPoint == lsn(0))
    #expect(file.normalised().changes.isEmpty)
    #expect(file.normalised().bytes == file.bytes)
  }

  /// Goal: another version is reported before the CRC is checked, as its offset differs. Method: a
  /// real control file of Postgres 18, and versions written into one of 15 without the matching
  /// CRC.
  @Test func otherVersions() throws {
    let newer = #expect(throws: FormatError.self) { try controlFile("clean-18") }
    #expect(newer?.code == .unsupportedVersion)
    #expect(newer?.message == "Postgres version 18 is not supported")
    for (version, word): (UInt32, String) in [
      (1201, "version 12 "), (1100, "version 11 "), (1002, "version 10 "), (960, "version 9.6 "),
      (1900, "unknown version"), (0x0514_0000, "big-endian"),
    ] {
      let bytes = try changed((8, version), checksum: false)
      let error = #expect(throws: FormatError.self) { try decodeControlFile(bytes) }
      #expect(error?.code == (word == "big-endian" ? .unsupportedBuild : .unsupportedVersion))
      #expect(error?.message.contains(word) == true, "\(version)")
      #expect(error?.hint != nil)
    }
    for (catalog, word): (UInt32, String) in [
      (202_007_201, "version 13 "), (202_209_060, "unknown version"),
    ] {
      let bytes = try changed((12, catalog))
      let error = #expect(throws: FormatError.self) { try decodeControlFile(bytes) }
      #expect(error?.code == .unsupportedVersion)
      #expect(error?.message.contains(word) == true, "\(catalog)")
    }
    let mixed = try changed((12, 202_209_061), of: "clean-17")
    #expect(throws: FormatError.self) { try decodeControlFile(mixed) }
  }

  /// Goal: any damage to the bytes that the CRC covers is found. Method: flip every single bit of
  /// the first 292 bytes, and try every length but the right one.
  @Test func damage() throws {
    let bytes = try controlFileBytes("clean-15")
    for bit in 0..<(292 * 8) {
      var damaged = bytes
      damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(throws: FormatError.self, "bit \(bit)") { try decodeControlFile(damaged) }
    }
    for length in [0, 1, 288, 292, 8191] {
      let error = #expect(throws: FormatError.self) {
        try decodeControlFile(Array(bytes.prefix(length)))
      }
      #expect(error?.code == nil)
    }
    #expect(throws: FormatError.self) { try decodeControlFile(bytes + [0]) }
  }

  /// Goal: only a clean shutdown passes; a standby is told from others. Method: all states.
  @Test func states() throws {
    for state in 0...8 as ClosedRange<UInt32> where state != 1 {
      let file = try decodeControlFile(try changed((16, state)))
      #expect(file.state.rawValue == state)
      let error = #expect(throws: FormatError.self) {
        try file.requireCleanShutdown()
      }
      #expect(error?.code == (state == 2 ? .standbyCluster : .uncleanShutdown))
      let words = state == 2 ? "a standby that was stopped" : "running or crashed"
      #expect(error?.message.contains(words) == true, "state \(state)")
    }
  }

  /// Goal: builds with other limits are refused. Method: change each field of the layout.
  @Test func layout() throws {
    for (offset, value): (Int, UInt32) in [
      (204, 4), (208, 1), (216, 16384), (216, 4096), (220, 65536), (220, 0), (224, 4096),
      (228, 1 << 19), (228, 1 << 31), (228, 3 << 20), (228, 0), (232, 32), (236, 16), (240, 2000),
      (244, 4096), (248, 0),
    ] {
      let file = try decodeControlFile(try changed((offset, value)))
      let error = #expect(throws: FormatError.self, "offset \(offset)") {
        try file.validateLayout()
      }
      #expect(error?.code == .unsupportedBuild)
    }
    for exponent in 20...30 as ClosedRange<UInt32> {
      try decodeControlFile(try changed((228, 1 << exponent))).validateLayout()
    }
  }

  /// Goal: the normalised file differs only in the four fields and the CRC, and lists the changes.
  /// Method: a promoted cluster with checksums, one with 1 MiB segments, and one without changes.
  @Test func normalisation() throws {
    let untouched = try controlFile("clean-15")
    #expect(untouched.normalised().bytes == untouched.bytes)
    #expect(untouched.normalised().changes.isEmpty)

    let promoted = try controlFile("clean-15-minimal-promoted")
    var expected = promoted.bytes
    for (offset, value): (Int, UInt32) in [(48, 1), (52, 1), (252, 0)] {
      expected.setLittleEndian(value, at: offset)
    }
    expected.setLittleEndian(crc32c(Array(expected.prefix(288))), at: 288)
    #expect(promoted.normalised().bytes == expected)
    #expect(promoted.normalised().changes.count == 2)

    let small = try controlFile("clean-15-checksums-wal1m").normalised()
    let reread = try decodeControlFile(small.bytes)
    #expect(reread.walSegmentSize == 16 << 20)
    #expect(reread.dataChecksumVersion == 0)
    #expect(
      small.changes.map(\.message) == [
        "data checksums turned off", "WAL segment size set from 1048576 bytes to 16 MiB",
      ])
    #expect(reread.normalised().changes.isEmpty)
  }

  /// Goal: an encoded file has the given values, and all others as before. Method: a round trip.
  @Test func encoding() throws {
    let file = try controlFile("clean-17")
    var checkpoint = file.checkpointCopy
    checkpoint.redo = lsn(0x1_0000_0028)
    let bytes = file.encoded(
      state: .inProduction, checkPoint: lsn(0x1_0000_0028), checkpointCopy: checkpoint,
      walSegmentSize: 64 << 20)
    let reread = try decodeControlFile(bytes)
    #expect(reread.state == .inProduction)
    #expect(reread.checkPoint == lsn(0x1_0000_0028))
    #expect(reread.checkpointCopy == checkpoint)
    #expect(reread.walSegmentSize == 64 << 20)
    #expect(
      reread.encoded(
        state: file.state, checkPoint: file.checkPoint, checkpointCopy: file.checkpointCopy,
        walSegmentSize: file.walSegmentSize) == file.bytes)
  }
}

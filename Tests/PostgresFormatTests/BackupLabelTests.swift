import PostgresFormat
import Testing

/// The two small files that describe a backup of a running cluster.
struct BackupLabelTests {
  private static let label = """
    START WAL LOCATION: 0/2FA2A50 (file 00000001000000000000002F)
    CHECKPOINT LOCATION: 0/2FB3E18
    BACKUP METHOD: streamed
    BACKUP FROM: primary
    START TIME: 2026-11-24 09:44:58 UTC
    LABEL: START TIMELINE: 7
    START TIMELINE: 3

    """

  /// Goal: position and timeline are read from the lines with their names. Method: a file of a
  /// server, with a label that looks like another line.
  @Test func label() throws {
    let label = try BackupLabel.decode(Array(Self.label.utf8).bytes)
    #expect(label.start == LogSequenceNumber("0/2FA2A50"))
    #expect(label.timelineID == 3)
  }

  /// Goal: without a line of its own, the timeline is that of the file. Method: the label that
  /// `pg_rewind` writes.
  @Test func labelOfRewind() throws {
    let text = """
      START WAL LOCATION: 0/2000028 (file 0000000B0000000000000002)
      CHECKPOINT LOCATION: 0/2000060
      BACKUP METHOD: pg_rewind
      BACKUP FROM: standby
      START TIME: 2026-11-24 09:44:58 UTC

      """
    let label = try BackupLabel.decode(Array(text.utf8).bytes)
    #expect(label.start == LogSequenceNumber(rawValue: 0x200_0028))
    #expect(label.timelineID == 11)
  }

  /// Goal: a label without either, or with another text instead, is damaged.
  @Test(arguments: [
    "", "START TIMELINE: 1", "START WAL LOCATION: 0/1 (file x)\nSTART TIMELINE: 0",
    "START WAL LOCATION: 01 (file x)\nSTART TIMELINE: 1", "START WAL LOCATION: 0/1\n",
  ])
  func damagedLabel(text: String) {
    let error = #expect(throws: FormatError.self) {
      try BackupLabel.decode(Array(text.utf8).bytes)
    }
    #expect(error?.code == nil)
  }

  /// Goal: oids and paths are read, and unescaped. Method: every character that Postgres escapes.
  @Test func tablespaceMap() throws {
    let bytes = Array("16384 /srv/one\n16385 /srv/t w\\\no\\\\\n4294967295 /\n".utf8)
    let map = try TablespaceMap.decode(bytes.bytes)
    #expect(
      map.locations.mapValues { String(decoding: $0, as: UTF8.self) } == [
        16384: "/srv/one", 16385: "/srv/t w\no\\", 4_294_967_295: "/",
      ])
    let nothing: [UInt8] = []
    let empty = try TablespaceMap.decode(nothing.bytes)
    #expect(empty.locations.isEmpty)
  }

  /// Goal: a line that is not an oid and a path, or is cut off, is damaged.
  @Test(arguments: ["16384", "16384 ", "x /srv", "0 /srv", "4294967296 /srv", "1 /srv\\"])
  func damagedTablespaceMap(text: String) {
    let error = #expect(throws: FormatError.self) {
      try TablespaceMap.decode(Array(text.utf8).bytes)
    }
    #expect(error?.code == nil)
  }
}

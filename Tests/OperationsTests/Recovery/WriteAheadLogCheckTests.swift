import Foundation
import TestSupport
import Testing

@testable import Operations
@testable import PostgresFormat
@testable import System

/// What of the WAL in a scratch copy is refused before a server replays it. Method: the WAL of a
/// real cluster of Postgres 16 under load, in segments of 1 MiB.
@Suite struct WriteAheadLogCheckTests {
  private static let start = LogSequenceNumber(rawValue: 0x370_00D8)

  /// The names of the segments and their contents.
  static func segments() throws -> [(name: String, bytes: [UInt8])] {
    TestTar(decoding: try Fixture.bytes("online-16/pg_wal.tar")).members
      .filter { $0.contents.count == 1 << 20 }
      .map { (String($0.name.suffix(24)), $0.contents) }
      .sorted { $0.name < $1.name }
  }

  /// The control file of the cluster, made from that of another one.
  static func controlFile(
    systemIdentifier: UInt64, checkPoint: LogSequenceNumber? = nil
  ) throws -> ControlFile {
    let file = URL(filePath: Fixture.path("postgres-format/clean-16.pg_control"))
    var bytes = [UInt8](try Data(contentsOf: file))
    bytes += [UInt8](repeating: 0, count: ControlFile.byteCount - bytes.count)
    bytes.setLittleEndian(systemIdentifier, at: ControlFile.Offset.systemIdentifier)
    if let checkPoint {
      bytes.setLittleEndian(checkPoint.rawValue, at: ControlFile.Offset.checkPoint)
    }
    bytes.setLittleEndian(start.rawValue, at: ControlFile.Offset.checkpointCopy)
    bytes.setLittleEndian(1 << 20 as UInt32, at: ControlFile.Offset.walSegmentSize)
    let checksum = CRC32C.checksum(of: bytes.bytes.extracting(0..<ControlFile.Offset.checksum))
    bytes.setLittleEndian(checksum, at: ControlFile.Offset.checksum)
    return try ControlFile(decoding: bytes.bytes)
  }

  /// What the check ends with: nil for nothing.
  private static func outcome(
    _ segments: [(name: String, bytes: [UInt8])], label: Bool = false, restoreCommand: Bool = false,
    given: Set<String> = []
  ) throws -> Failure? {
    let directory = try TemporaryDirectory(inMemory: true)
    let scratch = try ScratchDirectory(in: directory.path, keep: false)
    for (name, bytes) in segments {
      try Data(bytes).write(to: URL(filePath: scratch.data + "/pg_wal/" + name))
    }
    let control = try controlFile(systemIdentifier: segments[0].bytes.littleEndian(at: 24))
    let check = WriteAheadLogCheck(
      scratch: scratch, control: control,
      label: label ? BackupLabel(start: start, timelineID: 1) : nil,
      isArchiveRecovery: label || restoreCommand, hasRestoreCommand: restoreCommand,
      givenFiles: given)
    do {
      _ = try check.run()
      return nil
    } catch {
      return error
    }
  }

  /// Goal: sound WAL passes, also the one that begins before the start of replay, and what is no
  /// segment. Method: all of it; with an older segment of zeros, a history and a partial segment.
  @Test func sound() throws {
    let segments = try Self.segments()
    #expect(try Self.outcome(segments) == nil)
    #expect(try Self.outcome(segments, label: true) == nil)
    var more = segments
    more.append(("000000010000000000000036", [UInt8](repeating: 0, count: 1 << 20)))
    more.append(("00000002.history", Array("1\t0/3700000\tnone\n".utf8)))
    more.append(("000000010000000000000045.partial", [1]))
    more.append(("0000000A0000000000000FFF", [UInt8](repeating: 9, count: 20_000)))
    #expect(try Self.outcome(more) == nil)
  }

  /// Goal: a new tablespace is found wherever it is made. Method: the last record without block
  /// references becomes one; the segments as they are, after a missing one that a command may bring, and
  /// on a timeline that the server goes to because it has a history, but not on one without.
  @Test func newTablespace() throws {
    var segments = try Self.segments()
    var decoder = try WALDecoder(
      version: .v16, systemIdentifier: segments[0].bytes.littleEndian(at: 24),
      segmentSize: 1 << 20, from: .record(Self.start))
    var place: LogSequenceNumber?
    for (name, bytes) in segments {
      decoder.begin(try #require(WALSegmentName(name, segmentSize: 1 << 20)))
      decoder.decode(bytes.bytes) { record in
        let isOnOnePage =
          record.start.rawValue % 8192 + UInt64(record.bytes.byteCount) <= 8192
        if record.references.isEmpty, isOnOnePage, record.mainData.byteCount > 16 {
          place = record.start
        }
      }
    }
    let start = try #require(place).rawValue
    let index = try #require(
      segments.indices.first { start >> 20 == 0x37 + UInt64($0) })
    #expect(index > 5)
    let offset = Int(start % (1 << 20))
    var bytes = segments[index].bytes
    let length = Int(bytes.littleEndian(at: offset, as: UInt32.self))
    bytes[offset + 16] = 0
    bytes[offset + 17] = 5
    let dataByteCount = Int(bytes[offset + 25])
    #expect(bytes[offset + 24] == 255 && dataByteCount == length - 26)
    let location = Array("/srv/three".utf8.prefix(dataByteCount - 5)) + [0]
    bytes.replaceSubrange(offset + 30..<offset + 30 + location.count, with: location)
    let checksum = WALRecordHeader.checksum(
      of: bytes.bytes.extracting(offset..<offset + length))
    bytes.setLittleEndian(checksum, at: offset + 20)
    segments[index].bytes = bytes

    var gap = segments
    gap.remove(at: 2)
    let timeline = segments.enumerated().map { number, segment in
      number < index
        ? segment : (name: "00000002" + segment.name.dropFirst(8), bytes: segment.bytes)
    }
    let history = (
      name: "00000002.history",
      bytes: Array("1\t\(LogSequenceNumber(rawValue: UInt64(0x37 + index) << 20))\tnone\n".utf8)
    )
    for (segments, restoreCommand) in [
      (segments, false), (gap, true), (timeline + [history], false),
    ] {
      let error = try Self.outcome(segments, label: true, restoreCommand: restoreCommand)
      #expect(error?.exitCode == .unsupported)
      #expect(error?.message.hasSuffix("or later: '/srv/three'") == true, "\(error?.message ?? "")")
    }
    #expect(try Self.outcome(timeline, label: true) == nil)
  }

  /// Goal: WAL in which replay would end too early is refused by name, unless the server may still
  /// get it elsewhere, or only the backup's own is there and a label says how far it must go. Method: a
  /// changed byte in the third segment, and that segment missing.
  @Test func damage() throws {
    let segments = try Self.segments()
    var changed = segments
    changed[2].bytes[500_000] ^= 1
    var missing = segments
    missing.remove(at: 2)
    for (segments, words) in [(changed, "is damaged at 0/3"), (missing, "is missing")] {
      for (label, given) in [(false, []), (true, ["00000001000000000000003B"])] {
        let error = try Self.outcome(segments, label: label, given: Set(given))
        #expect(error?.exitCode == .damaged)
        #expect(error?.message.contains("WAL segment '000000010000000000000039' \(words)") == true)
        #expect(error?.message.contains("continues in '00000001000000000000003") == true)
        #expect(error?.hint?.contains("--wal") == true)
      }
      #expect(
        try Self.outcome(segments, label: true, given: ["000000010000000000000038"]) == nil)
      #expect(try Self.outcome(segments, label: true, restoreCommand: true) == nil)
      #expect(try Self.outcome(segments, label: true) == nil)
    }
    var foreign = segments
    foreign[2].bytes[24] ^= 1
    for label in [false, true] {
      let error = try Self.outcome(foreign, label: label)
      #expect(error?.exitCode == .damaged && error?.message.contains("belongs to system") == true)
    }
  }
}

import TestSupport
import Testing

@testable import PostgresFormat

struct HostileInputTests {
  /// Goal: bytes of any length and content end in a value or an error, never in a trap. Method:
  /// every length up to 300 of zeros, ones and random bytes (seed 4), raw and after each valid
  /// beginning.
  @Test func anyBytes() {
    var generator = SeededGenerator(state: 4)
    let beginnings: [[UInt8]] = [
      [], [0x34, 0x45, 0xF9, 0x57], [0xDE, 0xDA, 0x57, 0x12], Array("PREV LSN: ".utf8),
      Array("15".utf8),
    ]
    var refusals = 0
    var attempts = 0
    for length in 0...300 {
      for body in [
        [UInt8](repeating: 0, count: length), [UInt8](repeating: 0xFF, count: length),
        generator.bytes(length),
      ] {
        for beginning in beginnings {
          (beginning + body).withBytes { bytes in
            attempts += 6
            refusals += (try? TwoPhaseFile.decode(bytes)) == nil ? 1 : 0
            refusals += (try? ReplicationOrigins.decode(bytes)) == nil ? 1 : 0
            refusals += (try? NeonSignal.decode(bytes)) == nil ? 1 : 0
            refusals += (try? PostgresVersion(versionFile: bytes)) == nil ? 1 : 0
            refusals += (try? ControlFile(decoding: bytes)) == nil ? 1 : 0
            refusals += (try? MemberPath(bytes)) == nil ? 1 : 0
            let name = escaped(bytes.array)
            #expect(name.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F })
          }
        }
      }
    }
    #expect(refusals > attempts / 2)
    #expect(refusals < attempts)
  }

  /// Goal: a control file with a valid checksum and any contents does not trap. Method: random
  /// fields after the versions, 2000 times (seed 5), through every function.
  @Test func anyControlFile() throws {
    var generator = SeededGenerator(state: 5)
    let head = try controlFileBytes("clean-16")
    for _ in 0..<2000 {
      var bytes = Array(head.prefix(16)) + generator.bytes(272)
      bytes.appendLittleEndian(crc32c(bytes))
      bytes += [UInt8](repeating: 0, count: ControlFile.byteCount - bytes.count)
      let file = try decodeControlFile(bytes)
      _ = try? file.requireCleanShutdown()
      #expect(throws: FormatError.self) { try file.validateLayout() }
      #expect(file.settings.count == 5)
      let normalised = try decodeControlFile(file.normalised().bytes)
      #expect(normalised.normalised().changes.isEmpty)
      let prepared = (0..<4).map { _ in generator.next() }
      for end in [nil, lsn(generator.next())] {
        let stored = file.checkpointCopy.forTimeline(end: end, preparedTransactions: prepared)
        #expect(stored.timelineID == 1)
      }
      _ = try? file.checkpointCopy.requireAssigned(
        preparedTransaction: generator.next(), version: file.version)
      let size = UInt32(1) << UInt32.random(in: 20...30, using: &generator)
      _ = try? WALLayout.endOfCheckpointRecord(startingAt: file.checkPoint, segmentSize: size)
    }
  }

  /// Goal: WAL of any content ends in records and an end, or an error. Method: random pages (seed 6)
  /// after a right page header, real pages with rubbish in them, and records of random parts under
  /// a right checksum, 2000 of each.
  @Test func anyWriteAheadLog() throws {
    var generator = SeededGenerator(state: 6)
    let real = try WriteAheadLog(fixture: "online-17", version: .v17, start: 0x280_0028)
    var writer = WriteAheadLogWriter()
    writer.beginPage(remaining: 0)
    let header = writer.bytes
    var recordCount = 0
    for _ in 0..<2000 {
      for pages in [
        header + generator.bytes(300) + [UInt8](repeating: 0, count: 8192 - 340),
        header + generator.bytes(4) + [0, 0] + generator.bytes(8192 - 46),
      ] {
        var log = WriteAheadLog(writer, from: .firstRecord)
        log.segments[0].bytes = pages
        _ = try? log.decode { _ in }
      }
      var damaged = real
      damaged.segments.removeLast(real.segments.count - 1)
      damaged.segments[0].bytes.removeLast(124 * 8192)
      let offset = Int.random(in: 0..<4 * 8192 - 40, using: &generator)
      damaged.segments[0].bytes.replaceSubrange(offset..<offset + 40, with: generator.bytes(40))
      _ = try? damaged.decode { recordCount += $0.references.count }

      var parts = WriteAheadLogWriter()
      let ids: [UInt8] = [0, 1, 32, 252, 253, 254, 255]
      let count = Int.random(in: 0...120, using: &generator)
      parts.append(
        [ids.randomElement(using: &generator) ?? 0] + generator.bytes(count),
        resourceManager: UInt8.random(in: 0...5, using: &generator),
        info: UInt8.random(in: 0...15, using: &generator) << 4)
      _ = try? WriteAheadLog(parts, from: .firstRecord).decode { record in
        recordCount += 1
        _ = try record.change()
      }
    }
    #expect(recordCount > 2000)
  }
}

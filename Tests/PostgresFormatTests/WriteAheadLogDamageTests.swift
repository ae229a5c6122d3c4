import TestSupport
import Testing

@testable import PostgresFormat

/// Real WAL that is damaged, or whose files are mixed up.
struct WriteAheadLogDamageTests {
  private static func online() throws -> WriteAheadLog {
    try WriteAheadLog(fixture: "online-14", version: .v14, start: 0x1F0_0028)
  }

  /// Goal: a byte that changed is noticed if a later segment shows it, and no record is ever given
  /// out that was not written. Method: 1,000 bytes in all segments but the last, one at a time (seed
  /// 7); records come in their order up to the place, and what stops there names it. A change that
  /// stops nothing is in what no reader looks at.
  @Test func changedBytes() throws {
    let log = try Self.online()
    let known = try log.starts().starts
    let ends = try Self.ends(log)
    var generator = SeededGenerator(state: 7)
    var stops = 0
    for _ in 0..<1000 {
      let segment = Int.random(in: 0..<log.segments.count - 1, using: &generator)
      let offset = Int.random(in: 0..<1 << 20, using: &generator)
      var damaged = log
      // What comes before is the same, and takes its time.
      damaged.segments = Array(log.segments[segment...(segment + 1)])
      damaged.segments[0].bytes[offset] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      damaged.start = segment == 0 ? log.start : .firstRecord
      let place = lsn(0x1F0_0000 + UInt64(segment) << 20 + UInt64(offset))
      var starts: [LogSequenceNumber] = []
      do {
        let end = try damaged.decode { starts.append($0.start) }
        if end.segment.number == 0x1F + UInt64(segment) {
          stops += 1
          #expect(end.laterSegment?.number == end.segment.number + 1)
          let error = #expect(throws: FormatError.self) { try end.requireNoLaterSegment() }
          #expect(error?.message.contains("'\(log.segments[segment].name)' is damaged") == true)
          #expect(end.position <= place)
        }
      } catch let error as FormatError {
        stops += 1
        #expect(error.message.contains("'\(log.segments[segment].name)' is damaged at "))
      }
      if let first = starts.first, let index = known.firstIndex(of: first) {
        #expect(starts.elementsEqual(known[index...].prefix(starts.count)), "at \(place)")
        // If the changed byte is in a record, that record is not given out.
        if let hit = known.indices.last(where: { known[$0] <= place && place < ends[$0] }),
          hit >= index
        {
          #expect(starts.count <= hit - index, "at \(place)")
        }
      }
    }
    #expect(stops > 800)
  }

  /// Where the last byte of each record is, not counting those that fill up to a multiple of 8: for
  /// records of one page. Others end at their beginning here.
  private static func ends(_ log: WriteAheadLog) throws -> [LogSequenceNumber] {
    var ends: [LogSequenceNumber] = []
    _ = try log.decode { record in
      let end = record.start + UInt64(record.bytes.byteCount)
      let isOnOnePage = (end.rawValue - 1) / 8192 == record.start.rawValue / 8192
      ends.append(isOnOnePage ? end : record.start)
    }
    return ends
  }

  /// Goal: a segment that is cut short is told from the end of the log by the segment after it.
  /// Method: each segment cut after each 16th page, with those that follow and without.
  @Test func cutSegments() throws {
    let log = try Self.online()
    let known = try log.starts().starts
    for segment in log.segments.indices.dropLast() {
      for pages in stride(from: 0, to: 128, by: 16) {
        var cut = log
        cut.segments[segment].bytes.removeLast((128 - pages) * 8192)
        let name = cut.segments[segment].name
        let (starts, end) = try cut.starts()
        #expect(starts.elementsEqual(known.prefix(starts.count)) && starts.count < known.count)
        #expect(end.segment.description == name)
        #expect(end.reason == (pages == 0 ? .missingSegment : .noMoreBytes))
        let error = #expect(throws: FormatError.self) { try end.requireNoLaterSegment() }
        #expect(
          error?.message.contains(
            pages == 0 ? "WAL segment '\(name)' is missing" : "WAL segment '\(name)' is damaged")
            == true)
        cut.segments.removeLast(log.segments.count - segment - 1)
        let alone = try cut.starts()
        #expect(alone.starts == starts && alone.end.laterSegment == nil)
      }
    }
  }

  /// Goal: missing segments, and such in the wrong order or of another cluster, are named. Method:
  /// each.
  @Test func wrongSegments() throws {
    let log = try Self.online()
    var missing = log
    missing.segments.remove(at: 2)
    let (_, end) = try missing.starts()
    #expect(end.segment.description == "000000010000000000000021" && end.reason == .missingSegment)
    let error = #expect(throws: FormatError.self) { try end.requireNoLaterSegment() }
    #expect(
      error?.message
        == "WAL segment '000000010000000000000021' is missing, but the WAL continues in "
        + "'000000010000000000000022'")

    var first = log
    first.segments.removeFirst()
    let (starts, firstEnd) = try first.starts()
    #expect(firstEnd.reason == .missingSegment)
    #expect(starts.isEmpty && firstEnd.segment.description == "00000001000000000000001F")
    #expect(throws: FormatError.self) { try firstEnd.requireNoLaterSegment() }

    var swapped = log
    swapped.segments[1].bytes = log.segments[2].bytes
    swapped.segments[2].bytes = log.segments[1].bytes
    let mixed = try swapped.starts().end
    #expect(mixed.reason == .otherPage)
    let order = #expect(throws: FormatError.self) { try mixed.requireNoLaterSegment() }
    #expect(
      order?.message
        == "WAL segment '000000010000000000000020' is damaged at 0/2000000: the page belongs to "
        + "another segment, but the WAL continues in '000000010000000000000022'")

    // What is left of an older segment in a file that is used again.
    var recycled = log
    recycled.segments[3].bytes = log.segments[1].bytes
    recycled.segments.removeLast()
    let old = try recycled.starts().end
    #expect(old.reason == .otherPage && old.laterSegment == nil && old.place == lsn(0x220_0000))

    // What is left of a timeline that the cluster left, in files of the new one.
    var left = log
    for index in 1..<3 { left.segments[index].name = "0000000200000000000000\(19 + index)" }
    left.segments.removeLast(2)
    left.segments[1].bytes[3 * 8192 + 4] = 2
    left.segments[1].bytes.replaceSubrange(
      4 * 8192..<1 << 20, with: repeatElement(0, count: (1 << 20) - 4 * 8192))
    let promoted = try left.starts().end
    #expect(promoted.reason == .zeros && promoted.laterSegment == nil)

    var foreign = log
    foreign.systemIdentifier += 1
    let system = #expect(throws: FormatError.self) { try foreign.starts() }
    #expect(system?.message.contains("belongs to system \(log.systemIdentifier)") == true)
    var version = log
    version.version = .v15
    #expect(throws: FormatError.self) { try version.starts() }
  }
}

/// Decodes the write-ahead log of a cluster of Postgres 14 to 17, a piece of a segment at a time.
///
///     begin(segment)
///       decode(pages) ─► record, record, …      as many pieces as the segment is read in
///     begin(next segment)
///       …
///     finish() ─► where the log ends
///
/// A record that is on one page is lent where it is. One that is on several is put together in a
/// buffer that is used again, and that grows with the bytes that arrive, not with the length that
/// the record claims. Nothing else is allocated. Only complete records with the right checksum and
/// the right previous record are given out. (Postgres, `src/backend/access/transam/xlogreader.c`.)
///
/// **End or damage.** The log of a sound cluster ends anywhere: before zeros, before a page of the
/// segment that the file was before it was used again, within a record. A damaged log ends in the
/// same way, and a server that replays it stops there without an error. Known to be damage is what
/// no server leaves:
///
/// - a page header that is neither zeros, nor that of another page of the cluster, nor what it
///   should be. Disks do not tear 24 bytes;
/// - a record whose checksum is right, but whose parts do not add up;
/// - a record in the place of one that was broken off, if it does not say so.
///
/// Everything else is an end. `WALEnd.laterSegment` tells whether a later segment contradicts it.
/// Damage in the last segment that was written cannot be known from its bytes alone: a caller that
/// knows how far the log must go compares that with the end.
public struct WALDecoder: Sendable {
  /// Where decoding begins.
  public enum Start: Sendable {
    /// At a record, whose previous one is not known.
    case record(LogSequenceNumber)
    /// At the first record that starts in the first segment given, or after it.
    case firstRecord
  }

  private let version: PostgresVersion
  private let systemIdentifier: UInt64
  private let segmentSize: UInt32

  /// Where the next record starts, or the page header before it. While the first record is looked
  /// for, it is not before this.
  private var position: LogSequenceNumber
  private var isLookingForRecord: Bool
  private var lastRecord: LogSequenceNumber?

  /// The segment that is being given, and the first position in it that was not looked at.
  private var segment: WALSegmentName?
  private var input = LogSequenceNumber(rawValue: 0)
  /// The timeline of the last page.
  private var timelineID: UInt32 = 0

  /// The beginning of the record at `position`, if it goes on on the next page.
  private var partialRecord: [UInt8] = []
  private var partialRecordByteCount = 0
  /// The record that was broken off, which the next one has to name.
  private var overwrittenRecord: LogSequenceNumber?
  /// Those of the last record.
  private var parts = WALRecordParts()
  private var isSegmentSwitch = false

  /// Where and why decoding stopped.
  private var stop: WALEnd?
  private var damage: FormatError?

  /// - Parameters:
  ///   - systemIdentifier: the cluster's, which the first page of every segment names.
  ///   - segmentSize: the cluster's, a power of two that has been checked.
  /// - Throws: `damaged` if no record can start there.
  public init(
    version: PostgresVersion, systemIdentifier: UInt64, segmentSize: UInt32, from start: Start
  ) throws(FormatError) {
    self.version = version
    self.systemIdentifier = systemIdentifier
    self.segmentSize = segmentSize
    switch start {
    case .record(let position):
      try WALLayout.requireRecordStart(position, segmentSize: segmentSize)
      self.position = position
      isLookingForRecord = false
    case .firstRecord:
      position = LogSequenceNumber(rawValue: 0)
      isLookingForRecord = true
    }
  }

  /// Whether no more records will come. Only the first page of a later segment still matters then:
  /// it may contradict the end.
  public var hasEnded: Bool { stop != nil || damage != nil }

  /// Says which segment the next pages are of. The segments must come in their order.
  ///
  /// If the next one is missing, the log ends before it. Which file is the right one, if several
  /// timelines have one of this number, is for the caller to decide.
  public mutating func begin(_ name: WALSegmentName) {
    precondition(name.segmentSize == segmentSize)
    precondition(segment.map { $0.number < name.number } ?? true, "segments come in their order")
    if isLookingForRecord, segment == nil { position = name.start }
    let missing = max(input, position)
    if !hasEnded, missing < name.start {
      let seen = segment.flatMap { input > $0.start ? $0.number : nil }
      let segment = WALSegmentName(
        timelineID: (segment ?? name).timelineID, containing: missing, segmentSize: segmentSize)
      self.segment = segment
      end(seen == segment.number ? .noMoreBytes : .missingSegment, at: missing)
    }
    segment = name
    input = name.start
  }

  /// Decodes the next pages of the segment.
  ///
  /// - Parameters:
  ///   - pages: whole pages; of a file that ends within a page, the whole ones.
  ///   - body: is given every record that ends on them. If it throws, the decoder cannot be used
  ///     any more.
  public mutating func decode<Failure: Error>(
    _ pages: RawSpan, _ body: (WALRecord) throws(Failure) -> Void
  ) throws(Failure) {
    precondition(pages.byteCount.isMultiple(of: Self.pageSize))
    guard let segment else { preconditionFailure("pages belong to a segment") }
    precondition(
      input.rawValue + UInt64(pages.byteCount) <= segment.start.rawValue + UInt64(segmentSize))
    let start = input
    while let found = nextRecord(in: pages, startingAt: start) {
      try lend(found, in: pages, to: body)
      if found.range == nil { releasePartialRecord() }
    }
  }

  /// Where the log ends. At least one segment must have begun.
  ///
  /// - Throws: `damaged`, with the segment and the position, for what no server leaves.
  public mutating func finish() throws(FormatError) -> WALEnd {
    if stop == nil, damage == nil { end(.noMoreBytes, at: max(input, position)) }
    if let damage { throw damage }
    guard let stop else { preconditionFailure("a log ends") }
    return stop
  }
}

// MARK: Pages

extension WALDecoder {
  private static let pageSize = Int(WALLayout.pageSize)

  private struct Found {
    var start: LogSequenceNumber
    /// Where the record's bytes are among those that were given; nil if they were put together.
    var range: Range<Int>?
  }

  /// Goes on to the end of the next whole record; nil if no more end on these pages.
  private mutating func nextRecord(
    in pages: RawSpan, startingAt start: LogSequenceNumber
  ) -> Found? {
    while true {
      let offset = Int(input.rawValue - start.rawValue)
      guard offset < pages.byteCount else { return nil }
      let room = Self.pageSize - offset % Self.pageSize
      let rest = pages.extracting(offset..<offset + room)
      if room == Self.pageSize {
        if let record = enterPage(rest) { return Found(start: record) }
      } else {
        let record = input
        if let byteCount = takeRecord(rest) {
          return Found(start: record, range: offset..<offset + byteCount)
        }
      }
    }
  }

  /// Goes from the beginning of a page to the first record that starts on it, or over the page.
  ///
  /// Returns the start of a record that ends on the page and is now complete.
  private mutating func enterPage(_ page: RawSpan) -> LogSequenceNumber? {
    let start = input
    let next = start + WALLayout.pageSize
    let isFirst = start.rawValue.isMultiple(of: UInt64(segmentSize))
    input = next
    guard !hasEnded else {
      if isFirst { noteLaterSegment(by: page, at: start) }
      return nil
    }
    // What comes before the first record, or after a segment switch, is not looked at.
    let isNeeded = isFirst ? position < start + UInt64(segmentSize) : position < next
    guard isNeeded, let header = checkedHeader(of: page, at: start, isFirst), position < next
    else { return nil }
    let contents = start + UInt64(header.byteCount)
    if !partialRecord.isEmpty {
      if header.flags.contains(.overwritesRecord) {
        overwrittenRecord = position
        partialRecord.removeAll(keepingCapacity: true)
        position = contents
      } else {
        return continueRecord(page, header, at: start)
      }
    } else if isLookingForRecord {
      let skipped = header.flags.contains(.continuesRecord) ? header.remainingByteCount : 0
      position = contents + Self.aligned(UInt64(skipped))
      // The last bytes may fill the page, or those of the next ones as well: their headers tell.
      guard position < next else {
        position = next
        return nil
      }
      isLookingForRecord = false
    } else if position == start {
      guard !header.flags.contains(.continuesRecord) else {
        end(.continuation, at: start)
        return nil
      }
      position = contents
    }
    input = position
    return nil
  }

  /// Takes in what a page has of a record that began before; returns its start if it is complete.
  private mutating func continueRecord(
    _ page: RawSpan, _ header: WALPageHeader, at start: LogSequenceNumber
  ) -> LogSequenceNumber? {
    let missing = partialRecordByteCount - partialRecord.count
    guard header.flags.contains(.continuesRecord), header.remainingByteCount == missing else {
      end(.continuation, at: start)
      return nil
    }
    let hadHeader = partialRecord.count >= WALRecordHeader.byteCount
    let count = min(missing, page.byteCount - header.byteCount)
    partialRecord.append(page.extracting(header.byteCount..<header.byteCount + count))
    if !hadHeader, let reason = headerFault(partialRecord.bytes, at: position) {
      end(reason, at: position)
      return nil
    }
    guard count == missing else { return nil }
    // Taken out for the call, which changes the decoder.
    var bytes: [UInt8] = []
    swap(&bytes, &partialRecord)
    let isSound = decodeRecord(bytes.bytes, at: position)
    swap(&bytes, &partialRecord)
    guard isSound else { return nil }
    let record = position
    finishRecord(endingAt: start + UInt64(header.byteCount) + Self.aligned(UInt64(count)))
    return record
  }

  /// Takes the record that starts at the beginning of the rest of a page.
  ///
  /// Returns its length if it ends on the page; else the rest of the page is used up.
  private mutating func takeRecord(_ rest: RawSpan) -> Int? {
    let start = input
    input = start + UInt64(rest.byteCount)
    let byteCount = Int(rest.littleEndian(at: 0, as: UInt32.self))
    guard (WALRecordHeader.byteCount...WALRecordHeader.recordLimit).contains(byteCount) else {
      end(byteCount == 0 ? .zeros : .recordLength, at: start)
      return nil
    }
    if rest.byteCount >= WALRecordHeader.byteCount, let reason = headerFault(rest, at: start) {
      end(reason, at: start)
      return nil
    }
    guard byteCount <= rest.byteCount else {
      partialRecord.append(rest)
      partialRecordByteCount = byteCount
      return nil
    }
    guard decodeRecord(rest.extracting(0..<byteCount), at: start) else { return nil }
    finishRecord(endingAt: start + Self.aligned(UInt64(byteCount)))
    return byteCount
  }

  /// Moves on to the next record, which after a segment switch is in the next segment.
  private mutating func finishRecord(endingAt end: LogSequenceNumber) {
    lastRecord = position
    position = end
    input = end
    guard isSegmentSwitch else { return }
    let size = UInt64(segmentSize)
    position = LogSequenceNumber(rawValue: (end.rawValue + size - 1) & ~(size - 1))
    input = LogSequenceNumber(
      rawValue: (end.rawValue + WALLayout.pageSize - 1) & ~(WALLayout.pageSize - 1))
  }

  /// Empties the buffer; what an extraordinarily long record took is given back.
  private mutating func releasePartialRecord() {
    partialRecord.removeAll(keepingCapacity: partialRecord.capacity <= 1 << 20)
  }

  private static func aligned(_ byteCount: UInt64) -> UInt64 { (byteCount + 7) & ~7 }
}

// MARK: Records

extension WALDecoder {
  /// What is wrong with the header of a record, before its checksum can be known.
  private func headerFault(_ record: RawSpan, at start: LogSequenceNumber) -> WALEnd.Reason? {
    let header = WALRecordHeader(decoding: record)
    guard header.resourceManager.exists(in: version) else { return .resourceManager }
    let follows = lastRecord.map { header.previous == $0 } ?? (header.previous < start)
    return follows ? nil : .previousRecord
  }

  /// Lends the last record, which has been decoded.
  private func lend<Failure: Error>(
    _ found: Found, in pages: RawSpan, to body: (WALRecord) throws(Failure) -> Void
  ) throws(Failure) {
    if let range = found.range {
      try body(record(startingAt: found.start, pages.extracting(range)))
    } else {
      try body(record(startingAt: found.start, partialRecord.bytes))
    }
  }

  @_lifetime(borrow self, copy bytes)
  private func record(startingAt start: LogSequenceNumber, _ bytes: RawSpan) -> WALRecord {
    WALRecord(
      start: start, end: position, version: version, bytes: bytes,
      references: parts.references.span, mainDataByteCount: parts.mainDataByteCount)
  }

  /// Checks a whole record and reads its parts; false if the log stops here.
  private mutating func decodeRecord(_ record: RawSpan, at start: LogSequenceNumber) -> Bool {
    let header = WALRecordHeader(decoding: record)
    guard header.checksum == WALRecordHeader.checksum(of: record) else {
      end(.checksum, at: start)
      return false
    }
    if let fault = parts.decode(record, version: version) {
      fail("the record has the right checksum, but \(fault)", at: start)
      return false
    }
    let kind = header.resourceManager == .log ? header.info & WALRecordKind.mask : nil
    isSegmentSwitch = kind == WALRecordKind.Log.segmentSwitch
    if let overwrittenRecord {
      let data = record.extracting(record.byteCount - parts.mainDataByteCount..<record.byteCount)
      guard kind == WALRecordKind.Log.overwrite, data.byteCount >= 8,
        data.littleEndian(at: 0) == overwrittenRecord.rawValue
      else {
        fail("the record does not say that it replaces \(overwrittenRecord)", at: start)
        return false
      }
      self.overwrittenRecord = nil
    }
    return true
  }
}

// MARK: The end

extension WALDecoder {
  /// Checks the header of the page at `start`; nil if the log stops here.
  private mutating func checkedHeader(
    of page: RawSpan, at start: LogSequenceNumber, _ isFirst: Bool
  ) -> WALPageHeader? {
    guard let segment else { preconditionFailure("pages belong to a segment") }
    if page.extracting(0..<24).isZero {
      end(.zeros, at: start)
      return nil
    }
    let header = WALPageHeader(decoding: page)
    if header.magic != version.walPageMagic {
      fail("the page has magic number \(header.magic.hexadecimal(4))", at: start)
    } else if header.address != start {
      end(.otherPage, at: start)
    } else if !header.flags.isSubset(of: .all) || header.flags.contains(.isLong) != isFirst {
      fail("the page has flags \(header.flags.rawValue.hexadecimal(4))", at: start)
    } else if let identity = header.identity, identity != self.identity {
      fail(
        "the page belongs to system \(identity.systemIdentifier) with segments of "
          + "\(identity.segmentSize) and pages of \(identity.pageSize) bytes", at: start)
    } else if header.timelineID > segment.timelineID {
      fail("the page belongs to timeline \(header.timelineID)", at: start)
    } else if header.timelineID < timelineID {
      end(.olderTimeline, at: start)
    } else {
      timelineID = header.timelineID
      return header
    }
    return nil
  }

  private var identity: WALPageHeader.Identity {
    .init(systemIdentifier: systemIdentifier, segmentSize: segmentSize)
  }

  /// Notes if a later segment than the one in which the log ends begins as one that was written.
  private mutating func noteLaterSegment(by page: RawSpan, at start: LogSequenceNumber) {
    let header = WALPageHeader(decoding: page)
    guard header.magic == version.walPageMagic, header.address == start,
      header.identity == identity, header.timelineID >= timelineID, stop?.laterSegment == nil
    else { return }
    stop?.laterSegment = segment
  }

  private mutating func end(_ reason: WALEnd.Reason, at place: LogSequenceNumber) {
    guard let segment else { preconditionFailure("a log ends in a segment") }
    stop = WALEnd(
      position: position, lastRecord: lastRecord, reason: reason, place: place, segment: segment)
  }

  private mutating func fail(_ message: String, at place: LogSequenceNumber) {
    guard let segment else { preconditionFailure("damage is in a segment") }
    damage = .damaged("WAL segment '\(segment)' is damaged at \(place): \(message)")
  }
}

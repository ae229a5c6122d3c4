import PostgresFormat
import TestSupport

extension Provocation {
  /// Copies of a cluster that ran, without a label.
  static let copies: [Provocation] = [
    .init(.snapshotUnproved) { try await $0.recovering { try? $0.addLog() } },
    .init(.newTablespace) {
      try await $0.recovering(["--assume-snapshot"]) { try? $0.addLog(makesTablespace: true) }
    },
    .init(.tornCopy) {
      try await $0.recovering { tar in
        let name = tar.members.first { $0.name.hasPrefix("./base/5/") && !$0.contents.isEmpty }?
          .name
        try? tar.addLog(changing: name?.split(separator: "/").last.flatMap { UInt32($0) })
      }
    },
  ]
}

extension TestTar {
  /// Lets replay begin in the segment after that of the last checkpoint, with a record of a checkpoint, and
  /// before that, if it is asked for, one that changes the first page of a relation; or after it, one that
  /// makes a tablespace.
  fileprivate mutating func addLog(
    changing relation: UInt32? = nil, makesTablespace: Bool = false
  ) throws {
    let control = try ControlFile(decoding: self["global/pg_control"].contents.bytes)
    var checkpoint = control.checkpointCopy
    let size = UInt64(control.walSegmentSize)
    let start = WALLayout.recordStart(
      atOrAfter: LogSequenceNumber(rawValue: (checkpoint.redo.rawValue / size + 1) * size),
      segmentSize: control.walSegmentSize)
    var records: [UInt8] = []
    if let relation {
      let header = WALRecordHeader(
        totalByteCount: 24 + 20 + 5, previous: checkpoint.redo, info: 0, resourceManager: .heap)
      var data: [UInt8] = [0, 0, 0, 0]  // its first block reference: the main fork, without data
      for number in [1663, 5, relation, 0] as [UInt32] { data.appendLittleEndian(number) }
      records = header.record(holding: data + [255, 3, 1, 0, 0])
      records += [UInt8](repeating: 0, count: 7)
    }
    checkpoint.redo = start + UInt64(records.count)
    let header = WALRecordHeader(
      totalByteCount: UInt32(WALLayout.checkpointRecordByteCount),
      previous: relation == nil ? control.checkPoint : start, info: 0x10, resourceManager: .log)
    records += header.record(holding: [255, UInt8(Checkpoint.byteCount)] + checkpoint.bytes)
    if makesTablespace {
      records += [UInt8](repeating: 0, count: -records.count & 7)
      let data = SmallBackup.bytesOf(16400) + Array("/srv/new\0".utf8)
      let header = WALRecordHeader(
        totalByteCount: UInt32(24 + 2 + data.count), previous: checkpoint.redo, info: 0,
        resourceManager: .tablespace)
      records += header.record(holding: [255, UInt8(data.count)] + data)
    }
    var builder = WALSegmentBuilder(
      version: control.version, systemIdentifier: control.systemIdentifier)
    builder.timelineID = checkpoint.timelineID
    builder.segmentSize = control.walSegmentSize
    for segment in builder.segments(holding: records, at: start, firstPageFlags: []) {
      members.append(.init("./pg_wal/" + segment.name, contents: segment.bytes))
    }
    self["global/pg_control"].contents = control.encoded(
      state: control.state, checkPoint: checkpoint.redo, checkpointCopy: checkpoint,
      walSegmentSize: control.walSegmentSize)
  }
}

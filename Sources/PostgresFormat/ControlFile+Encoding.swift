extension ControlFile {
  /// The control file as a timeline stores it, and what was changed.
  ///
  /// Data checksums off, WAL segments of 16 MiB, Postgres timeline 1: as `pg_checksums --disable`
  /// and `pg_resetwal --wal-segsize` would do. The CRC is computed again.
  public func normalised() -> (bytes: [UInt8], changes: [Change]) {
    var changes: [Change] = []
    var checkpoint = checkpointCopy
    if dataChecksumVersion != 0 {
      changes.append(Change(.dataChecksumsOff, "data checksums turned off"))
    }
    if walSegmentSize != WALLayout.pageserverSegmentSize {
      changes.append(
        Change(
          .walSegmentSize, "WAL segment size set from \(walSegmentSize) bytes to 16 MiB"))
    }
    if checkpoint.timelineID != 1 || checkpoint.prevTimelineID != 1 {
      changes.append(
        Change(.postgresTimeline, "Postgres timeline set from \(checkpoint.timelineID) to 1"))
    }
    checkpoint.timelineID = 1
    checkpoint.prevTimelineID = 1
    var result = encoded(
      state: state, checkPoint: checkPoint, checkpointCopy: checkpoint,
      walSegmentSize: WALLayout.pageserverSegmentSize)
    result.setLittleEndian(0 as UInt32, at: Offset.dataChecksumVersion)
    Self.setChecksum(of: &result)
    return (result, changes)
  }

  /// The control file with these values in the given fields, and the matching CRC.
  public func encoded(
    state: ClusterState, checkPoint: LogSequenceNumber, checkpointCopy: Checkpoint,
    walSegmentSize: UInt32
  ) -> [UInt8] {
    var result = bytes
    result.setLittleEndian(state.rawValue, at: Offset.state)
    result.setLittleEndian(checkPoint.rawValue, at: Offset.checkPoint)
    result.replaceSubrange(
      Offset.checkpointCopy..<Offset.checkpointCopy + Checkpoint.byteCount,
      with: checkpointCopy.bytes)
    result.setLittleEndian(walSegmentSize, at: Offset.walSegmentSize)
    Self.setChecksum(of: &result)
    return result
  }

  /// The control file with these of the settings that a server must not fall below, by name, and the
  /// matching CRC.
  public func encoded(settings: [String: Int32]) -> [UInt8] {
    var result = bytes
    for (index, name) in MinimumSettings.names.enumerated() {
      guard let value = settings[name] else { continue }
      result.setLittleEndian(value, at: Offset.settings + 4 * index)
    }
    Self.setChecksum(of: &result)
    return result
  }

  /// The control file with the times of another one, and the matching CRC.
  public func encoded(withTimesOf other: ControlFile) -> [UInt8] {
    var result = bytes
    result.setLittleEndian(other.time, at: Offset.time)
    var checkpoint = checkpointCopy
    checkpoint.time = other.checkpointCopy.time
    result.replaceSubrange(
      Offset.checkpointCopy..<Offset.checkpointCopy + Checkpoint.byteCount,
      with: checkpoint.bytes)
    Self.setChecksum(of: &result)
    return result
  }

  private static func setChecksum(of bytes: inout [UInt8]) {
    let checksum = CRC32C.checksum(of: bytes.bytes.extracting(0..<Offset.checksum))
    bytes.setLittleEndian(checksum, at: Offset.checksum)
  }
}

import PostgresFormat

/// Whether a backup can be the one that a timeline was made from, judged while it is copied.
///
/// What cannot be it need not be read to its end, nor recovered:
///
/// ```
/// backup_label    at the start of most tars     the backup began after the timeline's end
/// pg_wal          before a base.tar             none of its segments is of the cluster
/// pg_control      at the end of most tars,      another system identifier
///                 early in a directory
/// ```
///
/// That a label fits proves nothing: another cluster may be behind this one.
struct BackupIdentity {
  /// The cluster's system identifier.
  let systemIdentifier: UInt64
  /// The end of the timeline. A recovery of its backup began before that, and ended there.
  let end: LogSequenceNumber

  /// Why it cannot be the backup, once that is known.
  private(set) var mismatch: Mismatch?
  /// Which clusters the WAL is of: whether any of it is of this one, and the last other one.
  private var log: (isOfCluster: Bool, other: UInt64?) = (false, nil)

  /// Why a backup cannot be the one.
  enum Mismatch: Equatable {
    /// It is of a cluster with another system identifier.
    case otherCluster(UInt64)
    /// The WAL that was given besides it is.
    case givenLogOfOtherCluster(UInt64)
    /// It began here, after the end of the timeline.
    case later(LogSequenceNumber)
  }

  /// The backup of a timeline with this system identifier and end.
  init(systemIdentifier: UInt64, end: LogSequenceNumber) {
    self.systemIdentifier = systemIdentifier
    self.end = end
  }

  /// Takes the beginning of `global/pg_control`. Whoever reads it later says what is wrong with its bytes.
  mutating func take(controlFile bytes: RawSpan) {
    guard let file = try? ControlFile(decoding: bytes), file.systemIdentifier != systemIdentifier
    else { return }
    mismatch = .otherCluster(file.systemIdentifier)
  }

  /// Takes the beginning of a WAL segment.
  mutating func take(segment bytes: RawSpan) {
    guard let found = WALSegmentName.systemIdentifier(inFirstPage: bytes) else { return }
    if found == systemIdentifier { log.isOfCluster = true } else { log.other = found }
  }

  /// Takes the backup's label.
  mutating func take(_ label: BackupLabel) {
    if label.start > end { mismatch = mismatch ?? .later(label.start) }
  }

  /// Judges the WAL, all of which has been taken. Segments of another cluster may lie beside those that
  /// count, and nothing reads them.
  ///
  /// - Parameter isGiven: whether it was given besides the backup.
  mutating func judgeLog(isGiven: Bool) {
    guard !log.isOfCluster, let other = log.other else { return }
    mismatch = isGiven ? .givenLogOfOtherCluster(other) : .otherCluster(other)
  }
}

import Pipeline
import PostgresFormat
import System

/// Compares a backup with its manifest while the backup streams, in whatever order they come.
///
/// ```
/// for each file    begin(path) ─► update(bytes) … ─► end()
/// the manifest     read(fileAt:) before all files, or between any two
///                  beginManifest() ─► updateManifest(bytes) … ─► endManifest()
/// at the end       finish(pg_control, segments)
/// ```
///
/// A manifest that is known before the files says how each is summed up. Until then CRC-32C is
/// taken, `pg_basebackup`'s default, for a manifest comes last in a tar. Where others have the
/// pages of a relation at hand, they make its CRC-32C, and it comes at the end, in a table.
/// Belongs to one thread. Memory: `ManifestTable`.
package final class ManifestCheck {
  private var table = ManifestTable()
  private var reader: ManifestReader?
  /// The path of the manifest, for messages.
  private var path = BackupManifest.fileName
  /// Whether the user named the manifest, so that it counts whatever the backup is.
  private var isGiven = false
  private var isComplete = false
  /// Why the manifest cannot be read; told at the end, when it is known whether it counts.
  private var failure: FormatError?

  private var current: (path: [UInt8], byteCount: UInt64, checksum: FileChecksum)?
  private var listsBackupLabel = false
  private var holdsBackupLabel = false
  /// The algorithm of a file that had gone by, summed up in another way, before it was listed.
  private var lateAlgorithm: BackupManifest.ChecksumAlgorithm?
  private var summary = ManifestSummary(result: .none)

  /// A check that has seen neither a manifest nor a file.
  package init() {}

  private static let backupLabel = Array("backup_label".utf8)

  /// The WAL that the manifest says the backup needs.
  package var walRanges: [BackupManifest.WALRange] { reader?.parser.walRanges ?? [] }

  /// The sizes of files that a manifest lists.
  package struct ByteCounts: Sendable {
    /// All files but the WAL.
    package fileprivate(set) var all: UInt64 = 0
    /// Those of tablespaces among them.
    package fileprivate(set) var tablespaces: UInt64 = 0
    /// The WAL that the backup needs.
    package fileprivate(set) var writeAheadLog: UInt64 = 0
  }

  private var sizes = ByteCounts()

  /// What the manifest says of the sizes of files; nil if it has not come, or cannot be read.
  package var listedByteCounts: ByteCounts? {
    guard isComplete, failure == nil else { return nil }
    var sizes = sizes
    for range in walRanges where range.start < range.end {
      let byteCount = range.end.rawValue - range.start.rawValue
      sizes.writeAheadLog = sizes.writeAheadLog.addingUpTo(byteCount)
    }
    return sizes
  }

  private static let tablespaces = Array("pg_tblspc/".utf8)

  // MARK: Files

  /// Begins the next file of the backup, by its path in the data directory.
  package func begin(_ path: MemberPath) throws(Failure) {
    current = nil
    if path.bytes == Self.backupLabel { holdsBackupLabel = true }
    guard !BackupManifest.ignores(path.bytes) else { return }
    var algorithm = BackupManifest.ChecksumAlgorithm.crc32c
    if isComplete {
      let listed = try table.entry(of: path.bytes, add: false)
      algorithm = listed.map { table.entries[$0.index].algorithm } ?? .none
    }
    current = (path.bytes, 0, FileChecksum(algorithm))
  }

  /// Whether anyone wants to see the contents of the file that has begun.
  package var wantsContents: Bool { current != nil }

  /// Takes the next bytes of the file that has begun; nothing if none has.
  package func update(_ bytes: RawSpan) {
    current?.byteCount += UInt64(bytes.byteCount)
    current?.checksum.update(bytes)
  }

  /// Leaves the file that has begun, a segment of a relation, to the table that `finish` takes.
  ///
  /// Returns false if it cannot be left, as its checksum is not a CRC-32C.
  func leaveSegment() -> Bool {
    if case .sha2 = current?.checksum { return false }
    current = nil
    return true
  }

  /// Ends the file that has begun, unless it was left.
  package func end() throws(Failure) {
    guard let (path, byteCount, checksum) = current else { return }
    current = nil
    try add(
      path,
      ManifestTable.Entry(
        byteCount: byteCount, algorithm: checksum.algorithm, checksum: checksum.value))
  }

  private func add(_ path: [UInt8], _ found: ManifestTable.Entry) throws(Failure) {
    guard let (index, _) = try table.entry(of: path, add: true) else { return }
    let entry = table.entries[index]
    if entry.isFound {
      note(.duplicate, entry)
    } else if entry.isListed {
      compare(entry, listed: entry, found: found)
      table.update(index) { $0.isFound = true }
    } else {
      table.update(index) {
        $0.take(found)
        $0.isFound = true
      }
    }
  }

  // MARK: The manifest

  /// Reads a manifest that is known before the backup: the one that the user named, or the one
  /// beside the backup.
  ///
  /// Throws if it cannot be opened or read, or something has failed `elsewhere` meanwhile; if it
  /// is damaged, only if the user named it.
  package func read(
    fileAt path: String, isGiven: Bool, failure elsewhere: FirstFailure = FirstFailure()
  ) throws(Failure) {
    self.path = path
    self.isGiven = isGiven
    // One that was named may be a FIFO, for which only the thread that reads ahead should wait.
    let file = try ReadAhead(failure: elsewhere) { () throws(Failure) in
      try FileSource(path: path, isGiven ? .named : .found)
    }
    beginManifest()
    while let buffer = try file.next() { buffer.withBytes { updateManifest($0) } }
    endManifest()
    if isGiven, let failure { throw error(failure) }
  }

  /// Whether a manifest has come, from wherever.
  package var hasManifest: Bool { reader != nil }

  /// Begins the manifest.
  package func beginManifest() { reader = ManifestReader() }

  /// Takes the next bytes of the manifest, which has begun.
  package func updateManifest(_ bytes: RawSpan) {
    guard failure == nil, var reader else { return }
    do throws(FormatError) {
      try reader.update(bytes) { file throws(FormatError) in try list(file) }
    } catch {
      failure = error
    }
    self.reader = reader
  }

  /// Ends the manifest.
  package func endManifest() {
    isComplete = true
    guard failure == nil, let reader else { return }
    do throws(FormatError) {
      try reader.finish()
    } catch {
      failure = error
    }
  }

  private func list(_ file: BackupManifest.File) throws(FormatError) {
    summary.fileCount += 1
    if file.path == Self.backupLabel { listsBackupLabel = true }
    sizes.all = sizes.all.addingUpTo(file.byteCount)
    if file.path.starts(with: Self.tablespaces) {
      sizes.tablespaces = sizes.tablespaces.addingUpTo(file.byteCount)
    }
    guard !BackupManifest.ignores(file.path) else { return }
    let index: Int
    do throws(Failure) {
      guard let place = try table.entry(of: file.path, add: true) else { return }
      index = place.index
    } catch {
      throw FormatError(error.code, error.message)
    }
    let listed = ManifestTable.Entry(
      byteCount: file.byteCount, algorithm: file.algorithm, checksum: file.checksum)
    let entry = table.entries[index]
    guard !entry.isListed else {
      throw .damaged("it lists '\(escaped(file.path))' twice")
    }
    if entry.isFound {
      compare(entry, listed: listed, found: entry)
      table.update(index) { $0.isListed = true }
    } else {
      table.update(index) {
        $0.take(listed)
        $0.isListed = true
      }
    }
  }

  // MARK: Differences

  private func compare(
    _ entry: ManifestTable.Entry, listed: ManifestTable.Entry, found: ManifestTable.Entry
  ) {
    if found.byteCount != listed.byteCount {
      note(.size, entry, expected: listed.byteCount, found: found.byteCount)
    } else if listed.algorithm != .none {
      if listed.algorithm != found.algorithm {
        lateAlgorithm = listed.algorithm
      } else if listed.fingerprint != found.fingerprint {
        note(.checksum, entry)
      }
    }
  }

  private func note(
    _ code: ManifestDifference.Code, _ entry: ManifestTable.Entry, expected: UInt64? = nil,
    found: UInt64? = nil
  ) {
    summary.note(
      ManifestDifference(
        code: code, file: table.shownPath(of: entry), expectedByteCount: expected,
        foundByteCount: found))
  }

  /// Judges the backup, which must have been seen to its end, and whose control file and, if it has
  /// one, `backup_label` these are; `segments` are those that were left.
  ///
  /// A manifest that lists `backup_label`, while the backup has none, or one of another start, is
  /// from before the cluster was started from that backup: Postgres sets the label aside and leaves
  /// the manifest. It says nothing of the files then, and counts only if the user named it. Files
  /// that are none of Postgres's may have come after the manifest as well. Throws `.damaged` if the
  /// backup is not what its manifest says, with the differences, and if the manifest itself is not as it
  /// was written; `.unsupported` if it came too late for its algorithm.
  package func finish(
    _ controlFile: ControlFile?, label: BackupLabel? = nil,
    segments: SegmentTable = SegmentTable()
  ) throws(Failure) -> ManifestSummary {
    guard let reader else { return ManifestSummary(result: .none) }
    summary.path = path
    if !isGiven, listsBackupLabel, !holdsBackupLabel || isOfOtherBackup(label) {
      return ManifestSummary(result: .outdated, path: path, fileCount: summary.fileCount)
    }
    if let failure { throw error(failure) }
    try segments.visit { segment, blockCount, checksum throws(Failure) in
      try take(segment, blockCount: blockCount, checksum: checksum)
    }
    if let lateAlgorithm {
      throw Failure(
        .manifestTooLate,
        "the manifest \(path.quoted) comes after files for which it has \(lateAlgorithm.rawValue) "
          + "checksums, so they can no longer be computed",
        hint: "Extract the manifest from the tar, and give it with '--manifest'.")
    }
    for entry in table.entries where entry.isListed != entry.isFound {
      if entry.isListed {
        note(.missing, entry)
      } else if !MemberDecision.isNotPostgres(path: table.path(of: entry)) {
        note(.unlisted, entry)
      }
    }
    try summary.requireNoDifference(from: path)
    do throws(FormatError) {
      if let controlFile { try reader.parser.requireCluster(of: controlFile) }
    } catch {
      throw self.error(error)
    }
    summary.result = .verified
    return summary
  }

  /// Whether the manifest's WAL starts elsewhere than a backup with this label does.
  private func isOfOtherBackup(_ label: BackupLabel?) -> Bool {
    guard let label, !walRanges.isEmpty else { return false }
    return !walRanges.contains { $0.start == label.start }
  }

  /// Takes a segment that was left; not one that was not.
  private func take(
    _ segment: RelationSegment, blockCount: UInt32, checksum: UInt32
  ) throws(Failure) {
    let path = Array(segment.path.utf8)
    if let place = try table.entry(of: path, add: false), table.entries[place.index].isFound {
      return
    }
    try add(
      path,
      ManifestTable.Entry(
        byteCount: UInt64(blockCount) * UInt64(PageHeader.pageByteCount), algorithm: .crc32c,
        checksum: FileChecksum.bytes(of: checksum)))
  }

  private func error(_ error: FormatError) -> Failure {
    Failure(error, in: "manifest \(path.quoted)", damage: .manifestDamaged)
  }
}

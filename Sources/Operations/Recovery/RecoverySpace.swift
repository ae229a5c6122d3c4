import Backup
import PostgresFormat
import System

/// How much room the copy of a backup takes.
///
/// A directory and a plain tar say it themselves. Of a compressed one, or one that comes through a
/// pipe, only the manifest does.
struct RecoverySpace: CustomStringConvertible {
  /// What the copy takes at the least, in bytes.
  let leastByteCount: UInt64
  /// The bytes of the backup's files as they are read, those of the WAL that is given included.
  let inputByteCount: UInt64
  /// What is not known, in words; nil if little is.
  private let unknown: String?

  /// Adds up the backup's files, and those of the WAL that is given with it; `directory` is the data
  /// directory, opened.
  ///
  /// In one pass the scratch has no pages of relations but those that the WAL changes, of which
  /// nothing is known before the WAL has been read.
  init(
    of backup: OnlineBackup, _ directory: BackupDirectory? = nil, inOnePass: Bool,
    writeAheadLog: String?, manifest: ManifestCheck?
  ) throws(Failure) {
    let (all, moved) = try backup.byteCounts(directory)
    let given = try writeAheadLog.map { path throws(Failure) in
      try OnlineBackup.byteCount(at: path)
    }
    inputByteCount = all + (given ?? 0)
    guard !inOnePass else {
      leastByteCount = given ?? manifest?.listedByteCounts?.writeAheadLog ?? 0
      unknown = "room there for the WAL and the pages that it changes"
      return
    }
    // The contents of a tablespace exist twice while they are moved.
    var sum = all + moved + (given ?? 0)
    var unknown: String?
    if case .directory = backup {
    } else if let sizes = manifest?.listedByteCounts {
      let listed = [sizes.all, sizes.tablespaces, max(sizes.writeAheadLog, given ?? 0)]
      sum = max(sum, listed.reduce(0) { $0.addingUpTo($1) })
    } else {
      for tar in backup.tars {
        switch try tarKind(of: tar, backup.origin) {
        case .plain: break
        case .compressed: unknown = unknown ?? "more than %, since the backup is compressed"
        case .pipe: unknown = "as much there as the backup takes unpacked"
        }
      }
    }
    leastByteCount = sum
    self.unknown = unknown
  }

  /// `at least 123 MiB there`.
  var description: String {
    let amount = "\(leastByteCount.addingUpTo(1 << 20 - 1) >> 20) MiB there"
    return unknown?.replacing("%", with: amount) ?? "at least \(amount)"
  }
}

import Backup
import PostgresFormat
import System

/// A backup of a running cluster on disk.
enum OnlineBackup {
  /// A tar of the data directory.
  case tar(String)
  /// What pg_basebackup writes in tar format: a directory of tars, each perhaps compressed.
  case tars(base: String, writeAheadLog: String?, tablespaces: [(id: UInt32, path: String)])
  /// A data directory.
  case directory(String)

  /// Recognises the backup at `path`.
  ///
  /// In a data directory tars are files of a user's own, whatever they are called.
  init(at path: String) throws(Failure) {
    guard path != "-", let status = try SystemCalls.status(at: path, followingLinks: true),
      status.kind == .directory
    else {
      self = .tar(path)
      return
    }
    let tars = isDataDirectory(path) ? [:] : try Self.tars(in: path)
    guard let base = tars["base"] else {
      self = .directory(path)
      return
    }
    let tablespaces = tars.compactMap { name, path in
      UInt32(name).map { (id: $0, path: path) }
    }
    self = .tars(
      base: base, writeAheadLog: tars["pg_wal"],
      tablespaces: tablespaces.sorted { $0.id < $1.id })
  }

  /// The manifest at the path that pg_basebackup uses; nil if there is none.
  func knownManifest() throws(Failure) -> String? {
    let directory: String? =
      switch self {
      case .tar(let path): path == "-" ? nil : SystemCalls.parent(of: path)
      case .tars(let base, _, _): SystemCalls.parent(of: base)
      case .directory(let path): path
      }
    guard let directory else { return nil }
    return try BackupManifest.path(in: directory)
  }

  /// Refuses what an import without recovery cannot take, as far as names and sizes tell it: the
  /// tars of pg_basebackup, and tablespaces of a data directory.
  static func requireNone(for advice: RecoveryAdvice) throws(Failure) {
    switch try Self(at: advice.backup) {
    case .tar: return
    case .tars(_, _, let tablespaces):
      // A tar that cannot be opened is refused when it is read.
      let sizes = tablespaces.map { id, path in
        describe(id, byteCount: (try? InputFile(foundAt: path).status())?.byteCount)
      }
      let more = sizes.isEmpty ? "" : " with tablespaces " + listing(sizes)
      throw advice.refusal(
        .runningCluster,
        "\(advice.backup.quoted) is a backup of a running cluster (pg_basebackup)\(more), which "
          + "cannot be imported as it is", nil)
    case .directory(let path):
      try advice.requireDirectory(path)
      let sizes = try BackupDirectory.tablespaceByteCounts(at: path).map(describe)
      guard !sizes.isEmpty else { return }
      throw advice.refusal(
        .tablespacesUnsupported,
        "the cluster has tablespaces, which Neon does not support: \(listing(sizes))", nil)
    }
  }

  private static func describe(_ id: UInt32, byteCount: UInt64?) -> String {
    byteCount.map { "\(id) (\($0 >> 20) MiB)" } ?? "\(id)"
  }

  /// The tars in a directory by their names without the suffix of the compression.
  /// (Postgres, `pg_basebackup.c`, `CreateBackupStreamer`)
  private static func tars(in directory: String) throws(Failure) -> [String: String] {
    var tars: [String: String] = [:]
    var twice: String?
    for name in try SystemCalls.names(in: directory, for: .listInput) {
      let parts = name.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, endings.contains(String(parts[1])) else { continue }
      if tars.updateValue(directory + "/" + name, forKey: String(parts[0])) != nil {
        twice = twice ?? String(parts[0])
      }
    }
    // Without a base.tar, they are no base backup's, and may have any names.
    if let twice, tars["base"] != nil {
      throw Failure(
        .duplicateFile,
        "\(directory.quoted) contains '\(escaped(twice.utf8)).tar' twice, with different compression",
        hint: "Move one of them away.")
    }
    return tars
  }

  private static let endings: Set = ["tar", "tar.gz", "tar.lz4", "tar.zst", "tar.xz"]

  /// The tars, the base first; none of a data directory.
  var tars: [String] {
    switch self {
    case .tar(let path): [path]
    case .tars(let base, let writeAheadLog, let tablespaces):
      [base] + [writeAheadLog].compactMap(\.self) + tablespaces.map(\.path)
    case .directory: []
    }
  }

  /// Whether there are tars of tablespaces.
  var hasTablespaces: Bool {
    if case .tars(_, _, let tablespaces) = self { !tablespaces.isEmpty } else { false }
  }

  /// Whether it is a tar whose size nobody knows before it has been read.
  var isPipe: Bool {
    guard case .tar(let path) = self else { return false }
    guard path != "-" else { return true }
    return (try? SystemCalls.status(at: path, followingLinks: true))?.kind == .other
  }

  /// Whether the user named its tars, or the directory that they were found in.
  var origin: InputOrigin {
    if case .tars = self { .found } else { .named }
  }

  /// Opens a data directory, with the directories that its links lead to; nil of tars.
  ///
  /// - Throws: as opening a `BackupDirectory` does, and `.usage` if tablespaces of tars are named.
  func opened(for recovery: RecoveryOptions) throws(Failure) -> BackupDirectory? {
    if case .directory(let path) = self {
      return try BackupDirectory(
        path: path, tablespaces: recovery.tablespaces,
        needsWriteAheadLog: recovery.writeAheadLog == nil)
    }
    guard recovery.tablespaces.isEmpty else {
      throw Failure(
        .optionNotApplicable,
        "'--tablespace' is for the links of a data directory, but the backup is a tar",
        hint: "Leave it out.")
    }
    return nil
  }

  /// The bytes of its files, those of its tablespaces apart; of tars what they take compressed, and
  /// nothing for one that comes through a pipe. `directory` is the data directory, opened.
  func byteCounts(
    _ directory: BackupDirectory? = nil
  ) throws(Failure) -> (all: UInt64, tablespaces: UInt64) {
    switch self {
    case .tar(let path): return (try Self.byteCount(at: path), 0)
    case .tars(_, _, let tablespaces):
      return (try Self.size(tars), try Self.size(tablespaces.map(\.path)))
    case .directory: return try directory?.byteCounts() ?? (0, 0)
    }
  }

  /// The bytes of a file that was named, or of all files below a directory; 0 for a pipe.
  static func byteCount(at path: String) throws(Failure) -> UInt64 {
    if isDirectory(path) { return try DirectoryHandle(path: path).byteCount() }
    guard path != "-", let status = try SystemCalls.status(at: path, followingLinks: true),
      status.kind == .file
    else { return 0 }
    return status.byteCount
  }

  private static func size(_ found: [String]) throws(Failure) -> UInt64 {
    var sum: UInt64 = 0
    for path in found { sum += try InputFile(foundAt: path).status().byteCount }
    return sum
  }
}

import Backup
import PostgresFormat
import System

/// What to do about a backup that Postgres has to recover first: the hint, and what the command line
/// lacks.
struct RecoveryAdvice: Sendable {
  /// The given backup.
  let backup: String
  /// Whether the place of the scratch directory has to be given as well.
  var needsScratch = false

  /// The error that ends an attempt without recovery; `version` is the cluster's, if it is known.
  ///
  /// A cluster of a version that cannot be imported is refused for that: a recovery is no help.
  func refusal(_ code: ErrorCode, _ message: String, _ version: PostgresVersion?) -> Failure {
    let (path, form) = whole
    var version = version
    if version == nil, let form {
      switch Self.version(of: form) {
      case .success(let found): version = found
      case .failure(let error):
        return Failure(error, in: path.quoted, damage: .versionFileDamaged)
      }
    }
    let number = version.map { "\($0.rawValue)" }
    var hint =
      "Let Postgres recover it, with '--recover-with' and the directory of the "
      + (number.map { "programs of Postgres \($0)." } ?? "cluster's own Postgres programs.")
    if case .tar? = form {
      hint += " If the backup does not contain its WAL, give that with '--wal'."
    }
    if needsScratch { hint += " Give '--scratch' as well, a directory for Postgres to work in." }
    let remedy = number.map { number in
      Remedy(
        backup: path == backup ? nil : path,
        options: ["--recover-with", "/usr/lib/postgresql/\(number)/bin"]
          + (needsScratch ? ["--scratch", "/var/tmp"] : []))
    }
    return Failure(code, message, hint: hint).remedied(by: remedy)
  }

  /// Throws if a directory, which is not the tars of a backup, is no data directory either. If it has
  /// one in it, the remedy has what the recovery of that takes.
  func requireDirectory(_ path: String) throws(Failure) {
    do throws(Failure) {
      try requireDataDirectory(path)
    } catch {
      guard var remedy = error.remedy, let directory = remedy.backup else { throw error }
      var options: [String]? = []
      if SystemCalls.exists(directory + "/backup_label") {
        let recovery = RecoveryAdvice(backup: directory, needsScratch: needsScratch)
          .refusal(.runningCluster, "", nil).remedy?.options
        options = recovery.map { $0 + remedy.options }
      }
      remedy.options = options ?? []
      throw error.remedied(by: options == nil ? nil : remedy)
    }
  }

  /// Which version a backup is of, nil if its beginning does not say. A pipe is not opened: what it
  /// gives, it gives once.
  static func version(of form: OnlineBackup) -> Result<PostgresVersion?, FormatError> {
    let bytes: [UInt8]?
    switch form {
    case .directory(let path):
      bytes = try? SystemCalls.contents(of: path + "/PG_VERSION", limit: 64)
    case .tar("-"): bytes = nil
    case .tar(let path), .tars(let path, _, _): bytes = versionFile(inTar: path, form.origin)
    }
    guard let bytes else { return .success(nil) }
    do throws(FormatError) {
      return .success(try PostgresVersion(versionFile: bytes.bytes))
    } catch {
      return error.code != nil ? .failure(error) : .success(nil)
    }
  }

  /// The first `PG_VERSION` of a tar at its top, or below it, if that comes early enough.
  private static func versionFile(inTar path: String, _ origin: InputOrigin) -> [UInt8]? {
    guard let status = try? SystemCalls.status(at: path, followingLinks: true),
      status.kind == .file, let tar = try? TarReader(path: path, origin)
    else { return nil }
    while tar.inputBytesRead < beginningByteCount, let member = try? tar.nextMember() {
      let names = member.name.split(separator: "/")
      // That of a database says the same.
      guard names.last == "PG_VERSION", member.kind == .file else { continue }
      var bytes = [UInt8](repeating: 0, count: 64)
      let count = try? bytes.withMutableBytes { bytes throws(Failure) in
        try tar.read(into: &bytes)
      }
      return Array(bytes[..<(count ?? 0)])
    }
    return nil
  }

  /// How much of a tar is read to find its version: less than a second.
  private static let beginningByteCount: UInt64 = 64 << 20

  /// The whole of what was given, and its form if it has one: the directory that pg_basebackup
  /// wrote, if `base.tar` in it was given.
  private var whole: (path: String, form: OnlineBackup?) {
    let directory = SystemCalls.parent(of: backup)
    if backup != "-", let form = try? OnlineBackup(at: directory), case .tars(backup, _, _) = form {
      return (directory, form)
    }
    return (backup, try? OnlineBackup(at: backup))
  }
}

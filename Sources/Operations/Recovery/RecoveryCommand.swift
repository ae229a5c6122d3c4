import Backup
import PostgresFormat
import System

/// The command for a hint that imports a backup with recovery.
struct RecoveryCommand: Sendable {
  /// The given backup.
  let backup: String
  /// The given output; nil if there is none.
  let output: String?

  /// `output` is empty if nothing is imported.
  init(backup: String, output: String = "") {
    self.backup = backup
    self.output = output.isEmpty ? nil : output
  }

  /// The hint, with the given paths; `version` is the cluster's, if it is known.
  func hint(for version: PostgresVersion?) -> String {
    let (path, form) = whole
    let number = (version ?? form.flatMap(Self.version)).map { String($0.rawValue) } ?? "VERSION"
    var words = ["import-backup", Self.word(path), "--output", output.map(Self.word) ?? "DIR"]
    words += ["--recover-with", "/usr/lib/postgresql/\(number)/bin"]
    if SystemUser.ownID == 0 { words += ["--recover-as", "postgres"] }
    var hint = "Let Postgres recover a copy of it, and import that: "
    hint += words.joined(separator: " ")
    if case .tar? = form {
      hint += " --wal WAL.tar (without --wal if the backup contains its WAL)"
    }
    return hint
  }

  /// Which version a backup is of, if its beginning says so. A pipe is not opened: what it gives,
  /// it gives once.
  private static func version(of form: OnlineBackup) -> PostgresVersion? {
    switch form {
    case .directory(let path, _):
      return try? version(decoding: SystemCalls.contents(of: path + "/PG_VERSION", limit: 64))
    case .tar("-", _): return nil
    case .tar(let path, _), .tars(let path, _, _):
      guard let status = try? SystemCalls.status(at: path, followingLinks: true),
        status.kind == .file, let tar = try? TarReader(path: path)
      else { return nil }
      while tar.inputBytesRead < beginningByteCount, let member = try? tar.nextMember() {
        guard member.name == "PG_VERSION" || member.name == "./PG_VERSION" else { continue }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = try? bytes.withMutableBytes { bytes throws(Failure) in
          try tar.read(into: &bytes)
        }
        return try? version(decoding: Array(bytes[..<(count ?? 0)]))
      }
      return nil
    }
  }

  private static func version(decoding bytes: [UInt8]) throws(FormatError) -> PostgresVersion {
    try PostgresVersion(versionFile: bytes.bytes)
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

  /// A word quoted for a shell, with control characters escaped.
  private static func word(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { byte in
      let character = Character(Unicode.Scalar(byte))
      return byte > 0x7F || character.isLetter || character.isNumber
        || "/._-+:@%=,".utf8.contains(byte)
    }
    let shown = escaped(text.utf8)
    return isPlain && !text.isEmpty ? shown : "'" + shown.replacing("'", with: #"'\''"#) + "'"
  }
}

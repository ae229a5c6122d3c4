import Backup
import PostgresFormat
import System

extension ScratchIntake {
  /// Whether there may be something to copy, or to compare, in a directory.
  static func entersDirectory(at path: MemberPath, in part: Part) -> Bool {
    switch part {
    case .dataDirectory: true
    case .writeAheadLog: false
    case .tablespace: path.components.first?.starts(with: "PG_".utf8) == true
    }
  }

  /// Begins to compare a file with the manifest; nil if its contents are not needed.
  func beginCheck(
    of member: TarMember, at path: MemberPath, in part: Part
  ) throws(Failure) -> ManifestCheck? {
    guard let manifest, member.kind == .file else { return nil }
    switch part {
    case .dataDirectory:
      try manifest.begin(path)
    case .tablespace(let id):
      try manifest.begin(Self.join(Array("pg_tblspc/\(id)".utf8)[...], path.components[...]))
    case .writeAheadLog: return nil
    }
    return manifest.wantsContents ? manifest : nil
  }
}

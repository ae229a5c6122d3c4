import Glibc
import PostgresFormat

/// Copies a plain backup, a directory, into a scratch directory; nothing of it is changed.
struct DirectoryCopy {
  /// A directory of the backup, and which part of it that is.
  struct Place {
    var path: String
    var part: ScratchIntake.Part
  }

  var intake: ScratchIntake
  private var buffer = [UInt8](repeating: 0, count: 1 << 20)

  init(_ intake: ScratchIntake) {
    self.intake = intake
  }

  /// The data directory, and what lies elsewhere: the WAL and tablespaces that links lead to.
  static func places(of directory: String) throws(ImportError) -> [Place] {
    var places = [Place(path: directory, part: .dataDirectory)]
    if try isLink(directory + "/pg_wal") {
      places.append(Place(path: directory + "/pg_wal/.", part: .writeAheadLog))
    }
    let tablespaces = directory + "/pg_tblspc"
    guard try SystemCalls.status(at: tablespaces) != nil else { return places }
    for name in try SystemCalls.names(in: tablespaces) {
      let path = tablespaces + "/" + name
      guard let id = UInt32(name), try isLink(path) else { continue }
      guard try SystemCalls.status(at: path, followingLinks: true) != nil else {
        throw ImportError(
          .damaged, "tablespace \(id) is not there: the link \(path.quoted) leads nowhere",
          hint: "Let it lead to where the backup has that tablespace.")
      }
      places.append(Place(path: path + "/.", part: .tablespace(id)))
    }
    return places
  }

  private static func isLink(_ path: String) throws(ImportError) -> Bool {
    guard let status = try SystemCalls.status(at: path) else { return false }
    return status.st_mode & S_IFMT == S_IFLNK
  }

  /// Copies all of it.
  mutating func run(_ directory: String) throws(ImportError) {
    for place in try Self.places(of: directory) {
      if case .tablespace(let id) = place.part { try intake.addTablespace(id) }
      try copy(place.path, as: "", place.part)
    }
  }

  private mutating func copy(
    _ directory: String, as prefix: String, _ part: ScratchIntake.Part
  ) throws(ImportError) {
    for name in try SystemCalls.names(in: directory) {
      try Interruption.check()
      let source = directory + "/" + name
      guard let status = try SystemCalls.status(at: source) else { continue }
      let member = TarMember(
        name: prefix.isEmpty ? name : prefix + "/" + name, kind: Self.kind(status),
        byteCount: UInt64(max(0, status.st_size)))
      guard let path = try member.path(strippingComponents: 0) else { continue }
      let target = try intake.target(of: member, at: path, in: part)
      if let check = try intake.beginCheck(of: member, at: path, in: part) {
        try SystemCalls.copy(source, to: target, buffer: &buffer) { check.update($0) }
        try check.end()
      } else if let target {
        try SystemCalls.copy(source, to: target, buffer: &buffer)
      }
      if let target { try intake.finish(target) }
      if member.kind == .directory, ScratchIntake.entersDirectory(at: path, in: part) {
        try copy(source, as: member.name, part)
      }
    }
  }

  private static func kind(_ status: stat) -> MemberKind {
    switch status.st_mode & S_IFMT {
    case S_IFREG: .file
    case S_IFDIR: .directory
    case S_IFLNK: .symbolicLink
    default: .other
    }
  }
}

import Backup
import Pipeline
import PostgresFormat
import System

/// Copies a plain backup, a directory, into a scratch directory; nothing of it is changed.
struct DirectoryCopy {
  /// A directory of the backup, and which part of it that is.
  struct Place {
    var path: String
    var part: ScratchIntake.Part
  }

  var intake: ScratchIntake
  private let progress: RunProgress?
  private let input: InputProgress
  private var buffer = [UInt8](repeating: 0, count: 1 << 20)

  /// What is read is counted in `input`.
  init(_ intake: ScratchIntake, _ progress: RunProgress?, _ input: InputProgress) {
    self.intake = intake
    self.progress = progress
    self.input = input
  }

  /// The data directory, and what is elsewhere: the WAL and tablespaces that links lead to.
  static func places(of directory: String) throws(Failure) -> [Place] {
    var places = [Place(path: directory, part: .dataDirectory)]
    if try isLink(directory + "/pg_wal") {
      places.append(Place(path: directory + "/pg_wal/.", part: .writeAheadLog))
    }
    let tablespaces = directory + "/pg_tblspc"
    guard try SystemCalls.status(at: tablespaces) != nil else { return places }
    for name in try SystemCalls.names(in: tablespaces, for: .listInput) {
      let path = tablespaces + "/" + name
      guard let id = UInt32(name), try isLink(path) else { continue }
      guard try SystemCalls.status(at: path, followingLinks: true) != nil else {
        throw Failure(
          .missingTablespace,
          "tablespace \(id) is missing: the target of the link \(path.quoted) does not exist",
          hint: "Point the link to the tablespace in the backup.")
      }
      places.append(Place(path: path + "/.", part: .tablespace(id)))
    }
    return places
  }

  /// The same, all of which must be there.
  static func existingPlaces(of directory: String) throws(Failure) -> [Place] {
    let places = try places(of: directory)
    for place in places where place.part == .writeAheadLog {
      guard try SystemCalls.status(at: place.path) == nil else { continue }
      throw Failure(
        .walMissing,
        "the WAL is missing: the target of the link \((directory + "/pg_wal").quoted) does not exist",
        hint: "Point the link to the WAL in the backup, or remove it and give the WAL with "
          + "--wal.")
    }
    return places
  }

  private static func isLink(_ path: String) throws(Failure) -> Bool {
    try SystemCalls.status(at: path)?.kind == .symbolicLink
  }

  /// Copies all of it.
  ///
  /// - Throws: `.unsupported` if a server is running in the directory, and `.damaged` if a file
  ///   vanishes meanwhile.
  mutating func run(_ directory: String) throws(Failure) {
    try ServerLock.requireNone(in: try DirectoryHandle(path: directory))
    for place in try Self.existingPlaces(of: directory) {
      if case .tablespace(let id) = place.part { try intake.addTablespace(id) }
      try copy(place.path, as: "", place.part)
    }
    // What was copied from a server's directory is of many moments.
    try ServerLock.requireNone(in: try DirectoryHandle(path: directory))
  }

  private mutating func copy(
    _ directory: String, as prefix: String, _ part: ScratchIntake.Part
  ) throws(Failure) {
    for name in try SystemCalls.names(in: directory, for: .listInput) {
      try Interruption.check()
      let source = directory + "/" + name
      let status = try SystemCalls.status(at: source)
      // A name that is not UTF-8 leads nowhere as text; Postgres has none of these.
      guard status != nil || name.unicodeScalars.contains("\u{FFFD}") else {
        throw DirectoryHandle.changed(source)
      }
      let member = BackupMember(
        name: prefix.isEmpty ? name : prefix + "/" + name, kind: status?.kind ?? .other,
        byteCount: status?.byteCount ?? 0)
      guard let path = try member.path(strippingComponents: 0) else { continue }
      progress?.note { escaped(member.name.utf8) }
      let target = try intake.target(of: member, at: path, in: part)
      if let check = try intake.beginCheck(of: member, at: path, in: part) {
        try SystemCalls.copy(source, to: target, buffer: &buffer, progress: input) {
          check.update($0)
        }
        try check.end()
      } else if let target {
        try SystemCalls.copy(source, to: target, buffer: &buffer, progress: input)
      } else if member.kind == .file {
        input.addBytesRead(Int(clamping: member.byteCount))  // left out: there is less to do
      }
      if let target { try intake.finish(target) }
      if member.kind == .directory, ScratchIntake.entersDirectory(at: path, in: part) {
        try copy(source, as: member.name, part)
      }
    }
  }
}

import PostgresFormat
import System

/// What of a data directory's files is read; of the others only names and sizes are given.
package enum DirectoryContents: Sendable {
  /// All that a timeline stores.
  case stored
  /// The same, and what is left out or refused but a manifest may list.
  case listed
  /// All files, as a backup of a running cluster needs them.
  case everything
  /// The same without files of pages, but for the small ones in `global`, for a look at what there
  /// is.
  case smallFiles

  /// Whether all files of pages are read, so that no server may run in the directory.
  var readsPages: Bool { self != .smallFiles }

  /// Whether a member is read about which this was decided.
  package func contains(_ member: BackupMember, _ decision: MemberDecision) -> Bool {
    guard member.kind == .file else { return false }
    if self == .everything { return true }
    switch decision {
    case .relationSegment(let segment):
      return readsPages || SharedCatalogs.mayInclude(segment, byteCount: member.byteCount)
    case .slruSegment: return readsPages
    case .relationMap, .versionFile, .twoPhase, .statistics, .replicationOrigins, .controlFile,
      .neonSignal, .tablespaceMap:
      return true
    case .backupLabel: return self == .listed
    case .leftOut: return self == .listed && !BackupManifest.ignores(Array(member.name.utf8))
    case .tablespace, .incremental, .directory, .unexpected, .refused: return false
    }
  }
}

/// Goes through a data directory: every name in it once, in an order that the names alone decide.
///
/// ```
/// PG_VERSION, backup_label, …      what is at the top and none of Postgres's directories
/// global/pg_control                by which most backups that cannot be imported are refused
/// pg_tblspc/…                      the same
/// base/1/PG_VERSION, …             databases by their oids;
///                                  in each directory first what are no relations, in byte order,
/// base/1/1249, 1249.1, 1249_fsm    then relations in the order of their keys
/// global/…, pg_logical/…, …        the other directories, in byte order
/// ```
///
/// Directories come before what is in them, `global` twice. Links are not followed, but for those of
/// which the directories are given: they count as directories. Memory: the names of the directories
/// that are open at one time; a relation segment takes 16 bytes.
package struct DirectoryWalk {
  /// Something that has a name in the data directory.
  package struct Found {
    /// The name, kind and size, as a tar's header would give them.
    package let member: BackupMember
    /// The name in the directory that holds it.
    package let name: DirectoryHandle.Name
    /// What the file system says of the name itself, not of what a link points to.
    package let status: FileStatus
    /// The directory that holds it.
    package let parent: DirectoryHandle
  }

  /// A directory whose names are being gone through.
  private struct Level {
    let directory: DirectoryHandle
    /// The prefix of its names, with the slash.
    let prefix: String
    var names: ArraySlice<DirectoryHandle.Name>
    var segments: ArraySlice<RelationSegment>

    mutating func next() -> DirectoryHandle.Name? {
      if let name = names.popFirst() { return name }
      return segments.popFirst().map { $0.fileName.utf8CString.dropLast() + [0] }
    }
  }

  private var levels: [Level] = []
  /// The directories in the places of links, by the paths of these.
  private let linked: [String: DirectoryHandle]
  /// Whether the control file, which comes before the rest of `global`, has had its turn.
  private var isPastControlFile = false

  /// Begins at the top, and lists the names there; `linked` are the directories that are entered in
  /// the place of links, by the paths of these.
  package init(
    of root: DirectoryHandle, linked: [String: DirectoryHandle] = [:]
  ) throws(Failure) {
    self.linked = linked
    let names = try root.names().sorted(by: Self.precedes)
    let (known, others) = Self.partition(names) { Self.isKnown($0) }
    let (early, rest) = Self.partition(known) { Self.isNamed($0, "pg_tblspc") }
    let global = known.filter { Self.isNamed($0, "global") }
    levels.append(
      Level(directory: root, prefix: "", names: (others + global + early + rest)[...], segments: [])
    )
  }

  /// The next name; nil after the last.
  ///
  /// Throws `.damaged` if a name has disappeared since its directory was listed, and `.cannotOpen`
  /// for a directory that may not be read, but for a user's own.
  package mutating func next() throws(Failure) -> Found? {
    while !levels.isEmpty {
      let level = levels[levels.count - 1]
      guard let name = levels[levels.count - 1].next() else {
        levels.removeLast()
        continue
      }
      let path = level.prefix + DirectoryHandle.text(name)
      guard let status = try level.directory.status(of: name) else {
        throw DirectoryHandle.changed(level.directory.path + "/" + DirectoryHandle.text(name))
      }
      var member = BackupMember(name: path, kind: status.kind, byteCount: 0)
      switch status.kind {
      case .file: member.byteCount = status.byteCount
      case .symbolicLink:
        if let directory = linked[path] {
          member.kind = .directory
          try enter(path + "/") { directory }
        } else {
          member.linkTarget = try level.directory.linkTarget(of: name)
        }
      case .directory:
        try enter(path + "/") { () throws(Failure) in try level.directory.openDirectory(name) }
      case .hardLink, .other: break
      }
      return Found(member: member, name: name, status: status, parent: level.directory)
    }
    return nil
  }

  /// Goes on with what is in a directory; a directory of snapshots and the like is not entered, nor
  /// what is not Postgres's at the top of a tablespace.
  private mutating func enter(
    _ prefix: String, _ open: () throws(Failure) -> DirectoryHandle
  ) throws(Failure) {
    guard Self.decision(prefix, .directory) != .leftOut(.litter, slot: nil),
      !Self.isForeignToTablespace(prefix)
    else { return }
    let directory: DirectoryHandle
    var names: [DirectoryHandle.Name]
    do throws(Failure) {
      directory = try open()
      names = try directory.names()
    } catch {
      if error.exitCode == .cannotOpen && Self.holdsUserFilesOnly(prefix) { return }
      throw error
    }
    if prefix == "global/" {
      let isAtControlFile = !isPastControlFile
      names.removeAll { Self.isNamed($0, "pg_control") != isAtControlFile }
      isPastControlFile = true
    }
    var segments: [RelationSegment] = []
    names.removeAll { name in
      let text = DirectoryHandle.text(name).utf8
      guard let segment = RelationSegment(fileName: Array(text)[...], databaseID: 0) else {
        return false
      }
      segments.append(segment)
      return true
    }
    // Databases by their oids.
    if prefix == "base/" {
      names.sort { $0.count != $1.count ? $0.count < $1.count : Self.precedes($0, $1) }
    } else {
      names.sort(by: Self.precedes)
    }
    segments.sort()
    levels.append(
      Level(directory: directory, prefix: prefix, names: names[...], segments: segments[...]))
  }

  // MARK: Names

  /// Whether a directory at the top is one that Postgres makes.
  private static func isKnown(_ name: DirectoryHandle.Name) -> Bool {
    decision(DirectoryHandle.text(name), .directory) == .directory
  }

  /// Whether the contents of a directory do not belong to Postgres, such as `lost+found`.
  private static func holdsUserFilesOnly(_ prefix: String) -> Bool {
    decision(prefix + "file", .file) == .leftOut(.userFiles, slot: nil)
  }

  /// Whether a directory is one at the top of a tablespace that Postgres does not make there:
  /// `pg_tblspc/OID/lost+found`.
  private static func isForeignToTablespace(_ prefix: String) -> Bool {
    let names = prefix.split(separator: "/")
    return names.count == 3 && names[0] == "pg_tblspc" && !names[2].hasPrefix("PG_")
  }

  private static func decision(_ path: String, _ kind: MemberKind) -> MemberDecision? {
    (try? MemberPath(Array(path.utf8).bytes)).map { MemberDecision($0, kind: kind) }
  }

  private static func isNamed(_ name: DirectoryHandle.Name, _ text: String) -> Bool {
    name.dropLast().elementsEqual(text.utf8.lazy.map(CChar.init(bitPattern:)))
  }

  /// In the order of the bytes.
  private static func precedes(_ left: DirectoryHandle.Name, _ right: DirectoryHandle.Name) -> Bool
  {
    left.lexicographicallyPrecedes(right) { UInt8(bitPattern: $0) < UInt8(bitPattern: $1) }
  }

  private static func partition(
    _ names: [DirectoryHandle.Name], _ isFirst: (DirectoryHandle.Name) -> Bool
  ) -> (first: [DirectoryHandle.Name], rest: [DirectoryHandle.Name]) {
    (names.filter(isFirst), names.filter { !isFirst($0) })
  }
}

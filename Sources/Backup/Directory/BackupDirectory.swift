import PostgresFormat
import System

/// An open data directory of a backup, with the directories that its links lead to: a tablespace's
/// `pg_tblspc/OID`, and `pg_wal`. No other link is followed.
///
/// A link is followed if `DirectoryHandle.openLinkedDirectory` allows it, or if the user has named
/// the tablespace's directory.
package struct BackupDirectory {
  /// The data directory itself.
  package let root: DirectoryHandle
  /// The directories that are read in the place of links, by the paths of the links.
  package private(set) var linked: [String: DirectoryHandle] = [:]

  /// Whether there are links of tablespaces.
  package var hasTablespaces: Bool { linked.keys.contains { $0.hasPrefix(Self.tablespaces) } }

  private static let tablespaces = "pg_tblspc"
  private static let writeAheadLog = "pg_wal"

  /// Opens the directory at `path`, and those that its links lead to.
  ///
  /// - Parameters:
  ///   - named: directories of tablespaces that the user has named.
  ///   - needsWriteAheadLog: whether a link in the place of `pg_wal` is followed.
  /// - Throws: `.cannotOpen` if a link is not to be followed, `.damaged` if it leads to no directory,
  ///   `.usage` if a tablespace was named for which there is no link.
  package init(
    path: String, tablespaces named: [UInt32: String] = [:], needsWriteAheadLog: Bool
  ) throws(Failure) {
    root = try DirectoryHandle(path: path)
    let owner = try root.status().owner
    let links = try Self.tablespaceLinks(in: root)
    for id in named.keys.sorted() where !links.contains(where: { $0.id == id }) {
      throw Failure(
        .optionNotApplicable,
        "'--tablespace' names tablespace \(id), but \(path.quoted) has no link 'pg_tblspc/\(id)'",
        hint: "Give it for the links in 'pg_tblspc' only.")
    }
    var refusals: [(id: UInt32, failure: Failure)] = []
    for link in links {
      do throws(Failure) {
        linked["\(Self.tablespaces)/\(link.id)"] =
          if let path = named[link.id] {
            try Self.open(named: path, link.id)
          } else {
            try link.open(ownedBy: owner)
          }
      } catch {
        guard error.code == .inputOfOtherUser else { throw error }
        refusals.append((link.id, error))
      }
    }
    if let first = refusals.first { throw refusal(first.failure, refusals.map(\.id)) }
    if needsWriteAheadLog { linked[Self.writeAheadLog] = try openWriteAheadLog(ownedBy: owner) }
  }

  /// The sizes of the tablespaces that links in the data directory at `path` lead to, in bytes; nil of
  /// one whose link is not followed.
  package static func tablespaceByteCounts(
    at path: String
  ) throws(Failure) -> [(id: UInt32, byteCount: UInt64?)] {
    let root = try DirectoryHandle(path: path)
    let owner = try root.status().owner
    var sizes: [(id: UInt32, byteCount: UInt64?)] = []
    for link in try tablespaceLinks(in: root) {
      do throws(Failure) {
        sizes.append((link.id, try link.open(ownedBy: owner).byteCount()))
      } catch {
        guard error.code == .inputOfOtherUser else { throw error }
        sizes.append((link.id, nil))
      }
    }
    return sizes
  }

  /// The bytes of all files, and of those in tablespaces; links are followed as for reading.
  package func byteCounts() throws(Failure) -> (all: UInt64, tablespaces: UInt64) {
    var walk = try DirectoryWalk(of: root, linked: linked)
    var sums: (all: UInt64, tablespaces: UInt64) = (0, 0)
    while let found = try walk.next() {
      sums.all &+= found.member.byteCount
      if found.member.name.hasPrefix(Self.tablespaces + "/") {
        sums.tablespaces &+= found.member.byteCount
      }
    }
    return sums
  }

  // MARK: Links

  /// A link in `pg_tblspc`.
  private struct TablespaceLink {
    let id: UInt32
    let directory: DirectoryHandle

    func open(ownedBy owner: UInt32) throws(Failure) -> DirectoryHandle {
      let name = DirectoryHandle.name("\(id)")
      do throws(Failure) {
        return try directory.openLinkedDirectory(name, ownedBy: owner)
      } catch {
        guard error.code == .missingFile else { throw error }
        throw Failure(
          .missingTablespace,
          "tablespace \(id) is missing: the target of the link "
            + "\((directory.path + "/\(id)").quoted) does not exist",
          hint: "Point the link to the tablespace in the backup, or name its directory with "
            + "'--tablespace \(id)=DIR'.")
      }
    }
  }

  /// In the order of their numbers; names that are not the number of a tablespace are none.
  private static func tablespaceLinks(
    in root: DirectoryHandle
  ) throws(Failure) -> [TablespaceLink] {
    let name = DirectoryHandle.name(tablespaces)
    guard try root.status(of: name)?.kind == .directory else { return [] }
    let directory = try root.openDirectory(name)
    var links: [TablespaceLink] = []
    for name in try directory.names() {
      let text = DirectoryHandle.text(name)
      guard let id = UInt32(text), text == "\(id)",
        try directory.status(of: name)?.kind == .symbolicLink
      else { continue }
      links.append(TablespaceLink(id: id, directory: directory))
    }
    return links.sorted { $0.id < $1.id }
  }

  private static func open(named path: String, _ id: UInt32) throws(Failure) -> DirectoryHandle {
    guard isDirectory(path) else {
      throw Failure(
        .inputNotFound, "\(path.quoted), given for tablespace \(id), is not a directory",
        hint: "Correct the path in '--tablespace \(id)=\(path)'.")
    }
    return try DirectoryHandle(path: path)
  }

  private func openWriteAheadLog(ownedBy owner: UInt32) throws(Failure) -> DirectoryHandle? {
    let name = DirectoryHandle.name(Self.writeAheadLog)
    guard try root.status(of: name)?.kind == .symbolicLink else { return nil }
    let path = root.path + "/" + Self.writeAheadLog
    do throws(Failure) {
      return try root.openLinkedDirectory(name, ownedBy: owner)
    } catch {
      switch error.code {
      case .missingFile:
        throw Failure(
          .walMissing, "the WAL is missing: the target of the link \(path.quoted) does not exist",
          hint: "Point the link to the WAL in the backup, or give the WAL with '--wal'.")
      case .inputOfOtherUser:
        let target = Self.target(of: path)
        throw Failure(
          error.code, error.message,
          hint: "If that is the backup's WAL, give it with '--wal \(target)'."
        ).remedied(by: Remedy(options: ["--wal", target]))
      default: throw error
      }
    }
  }

  /// The error of links that are not followed, with the options that have them followed.
  private func refusal(_ first: Failure, _ ids: [UInt32]) -> Failure {
    let options = ids.map { id in
      "\(id)=" + Self.target(of: root.path + "/\(Self.tablespaces)/\(id)")
    }
    let others = ids.count > 1 ? " (and \(ids.count - 1) more)" : ""
    let words = options.map { "'--tablespace \($0)'" }.joined(separator: " ")
    return Failure(
      first.code, first.message + others,
      hint: "If it is the backup's tablespace, name its directory: \(words)."
    ).remedied(by: Remedy(options: options.flatMap { ["--tablespace", $0] }))
  }

  /// Where a link leads to, as the user may name it.
  private static func target(of link: String) -> String {
    (try? SystemCalls.resolved(link)) ?? "DIR"
  }
}

import LayerFormat
import PostgresFormat
import System

/// Where the receipt of an import goes.
public enum ReceiptPlace: Equatable, Sendable {
  /// `DIR/receipts/TENANT-TIMELINE-GENERATION.json`, the generation as in the index's name.
  case standard
  /// The file at this path, in a directory that exists.
  case file(String)
}

/// How receipts are called if nobody says otherwise.
enum ReceiptName {
  /// The directory below DIR, beside `tenants`.
  static let directory = "receipts"
  /// Ends the name of the table of hashes.
  static let tableSuffix = ".sha256"

  /// The name of the receipt of a timeline.
  static func name(tenant: Identifier, timeline: Identifier, generation: UInt32) -> String {
    prefix(tenant: tenant, timeline: timeline) + generation.hexadecimal(8, uppercase: false)
      + ".json"
  }

  /// What the names of all receipts of a timeline begin with, and those of no other.
  static func prefix(tenant: Identifier, timeline: Identifier) -> String {
    "\(tenant)-\(timeline)-"
  }
}

/// The two files of a receipt: the object of the import, and the table of its files that sha256sum(1)
/// reads.
///
/// ```
/// claim      FILE.import-temp, FILE.sha256.import-temp       before the backup is read
/// write      both: write, fsync                              before an old timeline is touched
/// publish    unlink FILE; rename FILE.sha256, FILE;          after the index has its name, and is
///            fsync of their directory                        durable
/// abandon    unlink both
/// ```
///
/// So what may well fail, for lack of permission or space, fails before there is anything to lose,
/// and a receipt under its name always is that of a complete timeline. An import that is killed
/// between index and receipt leaves a timeline without one. (Docs/reliability.md)
final class ReceiptFiles {
  /// Where the object goes.
  let path: String

  private let directory: DirectoryHandle
  private let name: String
  private var tableName: String { name + ReceiptName.tableSuffix }
  private let object: OutputFile
  private let table: OutputFile
  private var isSettled = false

  /// Creates both files under temporary names.
  ///
  /// - Parameters:
  ///   - path: how messages and the receipt itself call the file.
  ///   - temporarySuffix: follows the names of both files as long as they are incomplete.
  ///   - replaces: whether files that have their names already may go.
  ///   - owner: whom the files are given to; nil for nobody else.
  /// - Throws: `.cannotCreate` if they cannot be created, or files are in the way.
  init(
    _ name: String, in directory: DirectoryHandle, path: String, temporarySuffix: String,
    replaces: Bool, owner: SystemUser?
  ) throws(Failure) {
    self.path = path
    self.directory = directory
    self.name = name
    let tableName = name + ReceiptName.tableSuffix
    for name in [name, tableName] {
      try Self.requireUsable(name, in: directory, replaces: replaces)
    }
    object = try OutputFile(
      creating: name + temporarySuffix, in: directory, mode: 0o600, owner: owner)
    do throws(Failure) {
      table = try OutputFile(
        creating: tableName + temporarySuffix, in: directory, mode: 0o600, owner: owner)
    } catch {
      try? object.unlink()
      throw error
    }
  }

  /// The files at a path that a person gave.
  convenience init(at path: String, replaces: Bool) throws(Failure) {
    // Imports of other timelines may have been given the same name.
    let number = UInt64.random(in: .min ... .max).hexadecimal(16, uppercase: false)
    try self.init(
      SystemCalls.name(of: path),
      in: try DirectoryHandle(forWritingTo: SystemCalls.parent(of: path), named: path), path: path,
      temporarySuffix: ".\(number)" + TimelineDirectory.temporarySuffix, replaces: replaces,
      owner: nil)
  }

  deinit { abandon() }

  private static func requireUsable(
    _ name: String, in directory: DirectoryHandle, replaces: Bool
  ) throws(Failure) {
    guard let status = try directory.status(of: DirectoryHandle.name(name)) else { return }
    let path = directory.path + "/" + name
    guard status.kind == .file else {
      throw Failure(.cannotCreateOutput, "cannot create \(path.quoted): it is not a regular file")
    }
    guard replaces else {
      throw Failure(
        .outputExists, "file \(path.quoted) already exists",
        hint: "Choose another name, or replace the file with '--force'.")
    }
  }

  /// Writes the object and the table of `files`, and makes both durable.
  func write(_ bytes: [UInt8], files: [FileDigest]) throws(Failure) {
    try object.write(bytes.bytes, at: 0)
    try object.makeDurable()
    try table.write(Self.table(of: files).bytes, at: 0)
    try table.makeDurable()
  }

  /// A line a file, as `sha256sum --check` reads it in the timeline's directory. (coreutils,
  /// `src/digest.c`)
  static func table(of files: [FileDigest]) -> [UInt8] {
    files.flatMap { Array("\($0.sha256)  \($0.name)\n".utf8) }
  }

  /// Removes what has the receipt's name, as it may be that of a timeline that is about to be
  /// replaced, and makes that durable.
  func removeOld() throws(Failure) {
    try removePublished()
    try directory.sync()
  }

  private func removePublished() throws(Failure) {
    try directory.remove(DirectoryHandle.name(name))
    try directory.remove(DirectoryHandle.name(tableName))
  }

  /// Gives both files their names, the object's last; the timeline at `timelinePath` is complete.
  ///
  /// If it throws, neither exists.
  func publish(timelinePath: String) throws(Failure) {
    do throws(Failure) {
      // Never an old object beside a new table.
      try directory.remove(DirectoryHandle.name(name))
      try table.rename(to: tableName)
      try object.rename(to: name)
      try directory.sync()
      isSettled = true
    } catch {
      try? removePublished()
      abandon()
      var failure = error
      failure.code = .receiptNotWritten
      failure.hint =
        "The timeline at \(timelinePath.quoted) is complete. Only its receipt is missing."
      throw failure
    }
  }

  /// Removes what has not got its name, as far as that is possible.
  func abandon() {
    guard !isSettled else { return }
    isSettled = true
    try? object.unlink()
    try? table.unlink()
  }
}

import Backup
import PostgresFormat
import System

/// Copies the WAL that is given besides a backup into a scratch directory: from a tar or a directory,
/// in which its files are at any depth, each of them plain or compressed.
///
/// A file is known by its name, and its compression by its contents: archives keep compressed
/// segments also under the names of plain ones.
struct WriteAheadLogIntake {
  /// Where the WAL is given.
  let path: String
  /// The scratch's `pg_wal`.
  let directory: String
  /// How much may be written.
  var sizeLimit: SizeLimit?
  /// The free space that is left there.
  var reserve: SpaceReserve?
  /// The files that were copied, segments and histories of timelines.
  private(set) var names: Set<String> = []

  private var hasSegment = false
  private var clues = BackupClues()
  private let progress: InputProgress
  private let buffer = ByteBuffer(capacity: 1 << 20)

  /// What is read is counted in `progress`.
  init(path: String, directory: String, progress: InputProgress = InputProgress()) {
    self.path = path
    self.progress = progress
    self.directory = directory
  }

  /// The endings of compressed files.
  private static let endings = [".gz", ".lz4", ".zst", ".xz"]
  /// The limit of a segment.
  private static let byteLimit: UInt64 = 1 << 30

  /// Copies all of it.
  ///
  /// - Throws: `.walMissing` if there is no segment, or a file appears twice.
  mutating func run() throws(Failure) {
    do throws(Failure) {
      if isDirectory(path) {
        try take(DirectoryHandle(path: path))
      } else {
        try takeTar()
      }
    } catch {
      // It would be about the backup.
      throw error.remedied(by: nil)
    }
    guard hasSegment else {
      throw Failure(
        .walMissing, "no WAL segment in \(path.quoted)",
        hint: clues.foreign("")?.hint
          ?? "Give a tar or a directory with files such as '000000010000000000000001', at any depth, "
          + "plain or compressed with gzip, lz4, zstd or xz.")
    }
  }

  private mutating func take(_ source: DirectoryHandle) throws(Failure) {
    let names = try source.names().map { name in
      (name: name, path: source.path + "/" + DirectoryHandle.text(name))
    }
    for (name, path) in names.sorted(by: { $0.path < $1.path }) {
      try Interruption.check()
      switch try source.status(of: name)?.kind {
      case .directory: try take(source.openDirectory(name))
      case .file:
        guard let target = try target(of: path) else { continue }
        try copy(
          try FileSource(source.openFound(name), progress: progress), to: target,
          subject: path.quoted)
      case .other where Self.name(of: path) != nil: throw SystemCalls.notRegular(path)
      case .symbolicLink where Self.name(of: path) != nil: throw SystemCalls.isLink(path)
      default: clues.note(path)
      }
    }
  }

  private mutating func takeTar() throws(Failure) {
    let tar = try TarReader(path: path, progress: progress)
    while let member = try tar.nextMember() {
      try Interruption.check()
      if member.kind == .symbolicLink, Self.name(of: member.name) != nil {
        throw SystemCalls.isLink(member.name)
      }
      guard member.kind == .file, let target = try target(of: member.name) else { continue }
      try copy(TarMember(tar), to: target, subject: "member \(member.name.quoted)")
    }
  }

  /// Where a file is to be copied; nil if it is no file of the WAL.
  private mutating func target(of path: String) throws(Failure) -> String? {
    guard let name = Self.name(of: path) else {
      clues.note(path)
      return nil
    }
    guard names.insert(name).inserted else {
      throw Failure(
        .duplicateFile, "WAL file '\(name)' appears twice in \(self.path.quoted)",
        hint: "Give only one of the places that it is in.")
    }
    if !name.hasSuffix(".history") { hasSegment = true }
    return directory + "/" + name
  }

  /// The name that Postgres gives the file at a path, without what archives add to it: the ending of
  /// a compression, and before that pgBackRest's hash of the contents.
  static func name(of path: String) -> String? {
    var name = path.split(separator: "/").last ?? ""
    if let ending = endings.first(where: { name.hasSuffix($0) }) { name.removeLast(ending.count) }
    if name.utf8.count == 24 + 1 + 40, name.dropFirst(24).first == "-" { name = name.prefix(24) }
    return WriteAheadLogFile.isName(String(name)) ? String(name) : nil
  }

  private func copy(
    _ source: any ByteSource, to target: String, subject: String
  ) throws(Failure) {
    let plain = try decompressed(source, subject: subject, progress: InputProgress())
    let file = try OutputFile(creating: target, mode: 0o600, reserve: reserve)
    var offset: UInt64 = 0
    while true {
      try Interruption.check()
      try buffer.fill(from: plain)
      if buffer.byteCount == 0 { break }
      guard offset + UInt64(buffer.byteCount) <= Self.byteLimit else {
        throw Failure(
          .fileTooLarge,
          "\(subject) has more than \(Self.byteLimit >> 30) GiB, the limit of a WAL segment")
      }
      try sizeLimit?.require(offset, UInt64(buffer.byteCount))
      try buffer.withBytes { bytes throws(Failure) in try file.writePages(bytes, at: offset) }
      offset += UInt64(buffer.byteCount)
    }
    sizeLimit?.use(offset)
    try file.setByteCount(offset)
    try file.close()
  }
}

/// The contents of a tar's current member.
private final class TarMember: ByteSource {
  private let tar: TarReader
  private var buffer = [UInt8](repeating: 0, count: 1 << 16)

  init(_ tar: TarReader) { self.tar = tar }

  func fill(_ output: inout OutputRawSpan) throws(Failure) {
    while !output.isFull {
      let limit = min(buffer.count, output.freeCapacity)
      let count = try buffer.withMutableBytes { bytes throws(Failure) in
        var piece = bytes._mutatingExtracting(0..<limit)
        return try tar.read(into: &piece)
      }
      if count == 0 { return }
      output.append(buffer.bytes.extracting(0..<count))
    }
  }
}

import Backup
import Pipeline
import PostgresFormat
import System

/// Copies a plain backup, a directory, into a scratch directory; nothing of it is changed.
///
/// The backup is gone through as an import goes through a data directory, by `DirectoryWalk`.
struct DirectoryCopy {
  private(set) var intake: ScratchIntake
  private let progress: RunProgress?
  private let input: InputProgress
  private var buffer = [UInt8](repeating: 0, count: 1 << 20)

  /// What is read is counted in `input`.
  init(_ intake: ScratchIntake, _ progress: RunProgress?, _ input: InputProgress) {
    self.intake = intake
    self.progress = progress
    self.input = input
  }

  /// Copies all of it, unless it turns out not to be the backup that the intake expects.
  ///
  /// - Throws: `.unsupported` if a server is running in the directory, and `.damaged` if a file
  ///   changes or vanishes meanwhile.
  mutating func run(_ directory: BackupDirectory) throws(Failure) {
    try ServerLock.requireNone(in: directory.root)
    var walk = try DirectoryWalk(of: directory.root, linked: directory.linked)
    while intake.identity?.mismatch == nil, let found = try walk.next() {
      try Interruption.check()
      try take(found)
    }
    // What was copied from a server's directory is of many moments.
    try ServerLock.requireNone(in: directory.root)
  }

  private mutating func take(_ found: DirectoryWalk.Found) throws(Failure) {
    let member = found.member
    guard let path = try member.path(strippingComponents: 0) else { return }
    try intake.sizeLimit?.require(member.byteCount)
    intake.sizeLimit?.use(member.byteCount)
    progress?.note { escaped(member.name.utf8) }
    let target = try intake.target(of: member, at: path, in: .dataDirectory)
    let check = try intake.beginCheck(of: member, at: path, in: .dataDirectory)
    if target != nil || check != nil {
      try copy(found, to: target, check)
    } else if member.kind == .file {
      input.addBytesRead(Int(clamping: member.byteCount))  // left out: there is less to do
    }
    try check?.end()
    if let target { try intake.finish(target.path) }
  }

  private mutating func copy(
    _ found: DirectoryWalk.Found, to target: ScratchIntake.Target?, _ check: ManifestCheck?
  ) throws(Failure) {
    let source = try found.parent.openFile(found.name)
    func requireUnchanged() throws(Failure) {
      guard try source.status() == found.status else {
        throw DirectoryHandle.changed(source.path)
      }
    }
    try requireUnchanged()
    let file = try target.map { target throws(Failure) in
      try intake.scratch.makeFile(target.path)
    }
    try source.copy(
      to: file, buffer: &buffer, progress: input,
      observe: check.map { check in { check.update($0) } })
    if let target, target.byteCount < found.member.byteCount {
      try file?.setByteCount(target.byteCount)
    }
    try file?.close()
    try requireUnchanged()
  }
}

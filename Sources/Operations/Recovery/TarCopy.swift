import Backup
import Pipeline
import PostgresFormat
import System

/// Unpacks a tar of a backup into a scratch directory.
struct TarCopy {
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

  /// Unpacks all of it, which is this part of the backup.
  ///
  /// - Throws: `.damaged` if a file appears twice; what the tar and the intake throw.
  mutating func run(
    _ path: String, _ origin: InputOrigin, as part: ScratchIntake.Part,
    strippingComponents count: Int = 0
  ) throws(Failure) {
    let tar = try TarReader(path: path, origin, sizeLimit: intake.sizeLimit, progress: input)
    while let member = try tar.nextMember() {
      try Interruption.check()
      progress?.note { escaped(member.name.utf8) }
      if member.name.hasPrefix("/") { intake.absoluteNameCount += 1 }
      guard let place = try member.path(strippingComponents: count) else {
        intake.noteAbove(member)
        continue
      }
      if part == .dataDirectory {
        try intake.requireOneCluster(member, at: place, strippingComponents: count)
      }
      try take(member, at: place, in: part, from: tar)
    }
  }

  private mutating func take(
    _ member: BackupMember, at place: MemberPath, in part: ScratchIntake.Part, from tar: TarReader
  ) throws(Failure) {
    let target = try intake.target(of: member, at: place, in: part)
    if let target, try SystemCalls.status(at: target) != nil {
      throw .duplicate("\(place)")
    }
    if let check = try intake.beginCheck(of: member, at: place, in: part) {
      try copy(from: tar, to: target) { check.update($0) }
      try check.end()
    } else if let manifest = intake.manifest, !manifest.hasManifest, part == .dataDirectory,
      place.bytes.elementsEqual(BackupManifest.fileName.utf8)
    {
      manifest.beginManifest()
      try copy(from: tar, to: nil) { manifest.updateManifest($0) }
      manifest.endManifest()
    } else if let target {
      try copy(from: tar, to: target)
    }
    if let target { try intake.finish(target) }
  }

  /// Copies the current member of a tar to a file, if there is one, and shows it to `observe`.
  private mutating func copy(
    from tar: TarReader, to target: String?, observe: ((RawSpan) -> Void)? = nil
  ) throws(Failure) {
    let file = try target.map { target throws(Failure) in try intake.scratch.makeFile(target) }
    var offset: UInt64 = 0
    while true {
      try Interruption.check()
      let count = try buffer.withMutableBytes { bytes throws(Failure) in
        try tar.read(into: &bytes)
      }
      if count == 0 { break }
      let bytes = buffer.bytes.extracting(0..<count)
      observe?(bytes)
      try file?.writePages(bytes, at: offset)
      offset += UInt64(count)
    }
    try file?.setByteCount(offset)
    try file?.close()
  }
}

import Backup
import Pipeline
import PostgresFormat
import System

/// Puts the files of a backup into a scratch directory.
///
/// In a recovery in one pass the pages of main forks go to batches as they are, and their files are made
/// later, if replay needs them (`SkeletonFiles`):
///
/// ```
/// base/5/16384            nothing                         pages ─► layers
/// base/5/16384_fsm, …     the file
/// global/…, pg_wal/…      the file
/// ```
struct BackupCopy {
  var intake: ScratchIntake
  private let progress: RunProgress?
  private var buffer = [UInt8](repeating: 0, count: 1 << 20)

  /// A copy into the scratch directory of `intake`.
  init(_ intake: ScratchIntake, _ progress: RunProgress?) {
    self.intake = intake
    self.progress = progress
  }

  /// Where the pages of main forks go.
  struct Pages {
    var filler: PageFiller
    /// From this size on a relation gets image layers, in bytes.
    var smallRelationSize: UInt64
  }

  /// Copies all of a source, which is this part of the backup, unless it turns out not to be the backup
  /// that the intake expects.
  ///
  /// - Throws: `.damaged` if a file appears twice, but for those whose pages go to batches; what the source
  ///   and the intake throw.
  mutating func run(
    _ source: any BackupSource, as part: ScratchIntake.Part, strippingComponents count: Int = 0,
    pages: Pages? = nil
  ) throws(Failure) {
    while intake.identity?.mismatch == nil, let member = try source.nextMember() {
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
      try take(member, at: place, in: part, from: source, pages)
    }
  }

  private mutating func take(
    _ member: BackupMember, at place: MemberPath, in part: ScratchIntake.Part,
    from source: any BackupSource, _ pages: Pages?
  ) throws(Failure) {
    let target = try intake.target(of: member, at: place, in: part)
    if let target, try SystemCalls.status(at: target.path) != nil {
      throw .duplicate("\(place)")
    }
    let check = try intake.beginCheck(of: member, at: place, in: part)
    if target != nil, let pages, part == .dataDirectory,
      case .relationSegment(let segment) = MemberDecision(place, kind: member.kind),
      segment.fork == .main, segment.databaseID != 0
    {
      let found = try MemberIntake.pages(
        of: segment, member, place, smallRelationSize: pages.smallRelationSize,
        isToBeRecovered: true)
      try pages.filler.fill(found, of: member, check)
    } else if let check {
      try copy(from: source, to: target) { check.update($0) }
      try check.end()
    } else if let manifest = intake.manifest, !manifest.hasManifest, part == .dataDirectory,
      place.bytes.elementsEqual(BackupManifest.fileName.utf8)
    {
      manifest.beginManifest()
      try copy(from: source, to: nil) { manifest.updateManifest($0) }
      manifest.endManifest()
    } else if let target {
      try copy(from: source, to: target)
    }
    if let target { try intake.finish(target.path) }
    if pages != nil, !intake.tablespaces.isEmpty { throw Recovery.needsFullCopy("has tablespaces") }
  }

  /// Copies the current member of a source to a file, if there is one, and shows it to `observe`.
  private mutating func copy(
    from source: any BackupSource, to target: ScratchIntake.Target?,
    observe: ((RawSpan) -> Void)? = nil
  ) throws(Failure) {
    let file = try target.map { target throws(Failure) in
      try intake.scratch.makeFile(target.path)
    }
    var offset: UInt64 = 0
    while true {
      try Interruption.check()
      let count = try buffer.withMutableBytes { bytes throws(Failure) in
        try source.read(into: &bytes)
      }
      if count == 0 { break }
      let bytes = buffer.bytes.extracting(0..<count)
      observe?(bytes)
      try file?.writePages(bytes, at: offset)
      offset += UInt64(count)
    }
    try file?.setByteCount(target?.byteCount ?? offset)
    try file?.close()
  }
}

import Pipeline
import PostgresFormat
import System

/// The pipeline's first stage: reads the backup once, decides about every member, and fills
/// batches with the pages.
///
/// Used by one thread at a time: by the one that makes it and asks for what came of it, and by the
/// pipeline's first stage in between.
package final class BackupReader: @unchecked Sendable {
  // Invariant: only the stage that runs it uses it until that has ended.

  private let progress: RunProgress?
  private let source: any BackupSource
  private var intake: MemberIntake
  private let manifestCheck: ManifestCheck?
  private let knownManifest: String?
  private let isManifestGiven: Bool
  private let failure: FirstFailure
  private let refusals: RefusalCollector?

  /// Opens the backup, with which a phase of `progress` begins; `counters` say in it what has been
  /// written. It does not wait for its input after a `failure` of the pipeline. With `refusals`, what
  /// is wrong with a member goes there, and the reading goes on.
  package init(
    _ options: BackupReaderOptions, phase: RunProgress.Phase, counters: ImportCounters?,
    progress: RunProgress?, failure: FirstFailure, refusals: RefusalCollector? = nil
  ) throws(Failure) {
    self.refusals = refusals
    isManifestGiven = options.manifest != nil
    self.failure = failure
    self.progress = progress
    let input = InputProgress()
    progress?.begin(phase, reading: input, counters: counters)
    var report: ReportWhileReading?
    if let refusals {
      report = { failure throws(Failure) in try refusals.take(failure) }
    }
    let known = options.checksManifest ? try options.knownManifest() : nil
    knownManifest = known
    source = try openBackup(
      options.backup, and: options.parts, options.origin,
      strippingComponents: options.stripComponents,
      bufferCount: options.inputBufferCount,
      contents: known == nil ? .stored : .listed, sizeLimit: options.sizeLimit,
      report: report, progress: input, failure: failure)
    // A directory's manifest is known; one in a tar may come last.
    let mayHaveManifest = options.checksManifest && (known != nil || !isDirectory(options.backup))
    manifestCheck = mayHaveManifest ? ManifestCheck() : nil
    intake = MemberIntake(
      source: source, stripComponents: options.stripComponents,
      recoveryRefusal: options.recoveryRefusal, smallRelationSize: options.smallRelationSize,
      manifestCheck: manifestCheck)
    intake.readsSettings = options.readsSettings
    intake.isToBeRecovered = options.isToBeRecovered
  }

  /// The length in bytes of an input that is a file or a directory.
  package var inputByteCount: UInt64? { source.inputByteCount }
  /// Whether the input is a compressed stream; false for a directory.
  package var isCompressed: Bool { source.isCompressed }

  /// What the backup held besides its pages, and its length in bytes as it was read.
  package struct Result: Sendable {
    /// What the backup held besides its pages.
    package var contents: ClusterContents
    /// The bytes read from the input, compressed as they came.
    package var inputByteCount: UInt64
    /// Whether it was read to its end, which only a reader that collects refusals may not do.
    package var isComplete = true
  }

  /// Reads to the backup's proper end, and fills the batches of `feed`.
  package func run(_ feed: BatchFeed<PageBatch>) throws(Failure) -> Result {
    if let knownManifest {
      try collecting { () throws(Failure) in
        try manifestCheck?.read(
          fileAt: knownManifest, isGiven: isManifestGiven, failure: failure)
      }
    }
    var result = Result(contents: ClusterContents(), inputByteCount: 0)
    let filler = PageFiller(source, into: feed)
    while let member = try nextMember(&result) {
      try Interruption.check()
      progress?.note { escaped(member.name.utf8) }
      if !(try collecting { () throws(Failure) in try take(member, filler) }) {
        try collecting { () throws(Failure) in try intake.passOver(member) }
      }
    }
    try collecting { () throws(Failure) in try intake.requireNoUnexpectedFiles() }
    result.contents = intake.contents
    result.inputByteCount = source.inputBytesRead
    return result
  }

  private func take(
    _ member: BackupMember, _ filler: PageFiller
  ) throws(Failure) {
    guard let pages = try intake.take(member) else { return }
    // A backup that is refused at its end is looked through for the names of its files only.
    guard refusals != nil || source.givesPages && !intake.isRefused else { return }
    try filler.fill(pages, of: member, manifestCheck)
  }

  /// The next member; nil at the end, and after an error of the source that is collected.
  private func nextMember(_ result: inout Result) throws(Failure) -> BackupMember? {
    var member: BackupMember?
    result.isComplete = try collecting { () throws(Failure) in member = try source.nextMember() }
    return member
  }

  /// Does what `body` does; false if that fails and the failure is collected, not thrown.
  @discardableResult
  private func collecting(_ body: () throws(Failure) -> Void) throws(Failure) -> Bool {
    do throws(Failure) {
      try body()
      return true
    } catch {
      guard let refusals else { throw error }
      try failure.check()  // what ends the pipeline is not about the backup
      try refusals.take(error)
      return false
    }
  }

  /// Compares the backup, which was read to its end and of which these are the segments, with its
  /// manifest; throws as `ManifestCheck` does.
  package func checkManifest(_ segments: SegmentTable) throws(Failure) -> ManifestSummary {
    let judged = try manifestCheck?.finish(intake.contents.controlFile, segments: segments)
    return judged ?? ManifestSummary(result: .none)
  }
}

import LayerFormat
import PostgresFormat

/// The pipeline's first stage: reads the backup once, decides about every member, and fills
/// batches with the pages.
///
/// Runs on a thread of its own, for it waits for the input.
actor BackupReader {
  private nonisolated let executor = BlockingExecutor(label: "import-backup.reader")
  nonisolated var unownedExecutor: UnownedSerialExecutor {
    unsafe executor.asUnownedSerialExecutor()
  }

  let plan: ImportPlan
  private let counters: ImportCounters?
  private let progress: (any ProgressReporting)?
  let tar: TarReader

  private let free: Channel<PageBatch>
  private let work: Channel<PageBatch>
  private var batch: PageBatch?
  private var batchCount = 0

  var contents = ClusterContents()
  /// The bytes of small files that are kept in memory.
  var smallFileByteCount: UInt64 = 0
  private var lastReport = ContinuousClock.now

  /// Takes empty batches from `free` and gives full ones to `work`; `counters` are told of in
  /// progress where something is written.
  init(
    plan: ImportPlan, counters: ImportCounters?, progress: (any ProgressReporting)?,
    free: Channel<PageBatch>, work: Channel<PageBatch>
  ) throws(ImportError) {
    self.plan = plan
    self.counters = counters
    self.progress = progress
    self.free = free
    self.work = work
    tar = try TarReader(path: plan.backup)
  }

  /// The length in bytes of an input that is a file.
  var inputByteCount: UInt64? { tar.inputByteCount }
  var isCompressed: Bool { tar.isCompressed }

  /// Reads to the backup's proper end, and finishes `work` then.
  func run() async throws(ImportError) -> (contents: ClusterContents, inputByteCount: UInt64) {
    while let member = try tar.nextMember() {
      try Interruption.check()
      report(member)
      if let path = try path(of: member) {
        try await take(member, path)
      } else if member.kind != .directory {
        contents.leftOut.add(
          escaped(member.name.utf8), byteCount: member.byteCount, reason: .userFiles)
      }
    }
    if let batch, !batch.isEmpty { submit(batch) }
    work.finish()
    return (contents, tar.inputBytesRead)
  }

  /// Where a member lies in the data directory; nil for the directory itself and above.
  private func path(of member: TarMember) throws(ImportError) -> MemberPath? {
    do throws(FormatError) {
      return try MemberPath(
        Array(member.name.utf8).bytes, strippingComponents: plan.stripComponents)
    } catch {
      throw ImportError(error, in: "member \(member.name.quoted)")
    }
  }

  private func report(_ member: TarMember) {
    guard let progress else { return }
    let now = ContinuousClock.now
    guard now - lastReport >= .milliseconds(100) else { return }
    lastReport = now
    progress.report(
      ImportProgress(
        inputBytesRead: tar.inputBytesRead, inputByteCount: tar.inputByteCount,
        outputBytesWritten: counters?.outputByteCount, member: escaped(member.name.utf8)))
  }

  // MARK: Pages

  /// Puts all pages of the current member into batches.
  ///
  /// `firstBlock` is the number of the file's first page; a file without pages still makes a run,
  /// for it exists.
  func readPages(
    of file: PageFile, _ member: TarMember, firstBlock: UInt32
  ) async throws(ImportError) {
    let pageCount = UInt32(member.byteCount / UInt64(PageBatch.pageByteCount))
    var done: UInt32 = 0
    repeat {
      let batch = try await openBatch()
      batch.beginRun(of: file, at: firstBlock + done)
      while done < pageCount && !batch.isFull {
        try batch.appendPage { page throws(ImportError) in
          let count = try tar.read(into: &page)
          precondition(count == page.byteCount, "the tar reader ends a member at its size")
        }
        done += 1
      }
      if done == pageCount { batch.endFile() }
    } while done < pageCount
    try Interruption.check()
  }

  /// The batch that is being filled, or the next one when that is full.
  private func openBatch() async throws(ImportError) -> PageBatch {
    if let batch {
      if !batch.isFull { return batch }
      submit(batch)
    }
    guard let next = try await free.receive() else {
      throw ImportError(.bug, "the pipeline has ended before its input")
    }
    next.reset()
    next.sequence = batchCount
    batchCount += 1
    batch = next
    return next
  }

  private func submit(_ full: PageBatch) {
    batch = nil
    work.send(full)
  }
}

import Backup
import Pipeline
import System

/// Writes the tar of an export.
final class BackupWriter {
  private let destination: FileDestination
  private var tar: TarWriter
  private let counters: ImportCounters

  /// The pages so far of the file that appears in the tar twice.
  private var copied: [UInt8] = []

  private(set) var fileCount = 0
  private(set) var pageCount: UInt64 = 0

  /// Opens the output; every member gets the time `time`, in seconds since 1970.
  init(
    _ output: OutputTarget, time: Int64, counters: ImportCounters
  ) throws(Failure) {
    destination = try FileDestination(output)
    tar = try TarWriter(destination, time: time)
    self.counters = counters
  }

  var byteCount: UInt64 { destination.byteCount }

  func add(_ members: [ExportMember]) throws(Failure) {
    try counting { () throws(Failure) in
      for member in members {
        switch member {
        case .directory(let path, let mode): try tar.addDirectory(path, mode: mode)
        case .file(let path, let contents):
          try tar.addFile(path, contents)
          fileCount += 1
        }
      }
    }
  }

  /// Counts what `body` writes.
  private func counting(_ body: () throws(Failure) -> Void) throws(Failure) {
    counters.setWriting(true)
    defer { counters.setWriting(false) }
    let before = destination.byteCount
    try body()
    counters.addOutput(destination.byteCount - before)
  }

  /// Writes the pages of the next batch.
  func write(_ batch: ExportBatch) throws(Failure) {
    try counting { () throws(Failure) in try writePages(of: batch) }
    pageCount += UInt64(batch.pageCount)
  }

  private func writePages(of batch: ExportBatch) throws(Failure) {
    let pages = batch.pages  // not copied
    var first = 0
    for run in batch.runs {
      if run.beginsFile {
        try tar.beginFile(run.file.path, byteCount: run.file.byteCount)
        fileCount += 1
      }
      let range = batch.range(of: run, from: first)
      try tar.append(pages.bytes.extracting(range))
      if run.file.copyPath != nil { copied += pages[range] }
      first += run.pageCount
      if run.endsFile, let copyPath = run.file.copyPath {
        try tar.addFile(copyPath, copied)
        copied = []
        fileCount += 1
      }
    }
  }

  /// Ends the tar and makes it durable under its name.
  func finish() throws(Failure) {
    try tar.finish()
    try destination.commit()
  }
}

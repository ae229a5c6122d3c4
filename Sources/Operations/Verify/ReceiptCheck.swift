import Backup
import Pipeline
import PostgresFormat
import Synchronization
import System
import Timeline

/// Compares the files of a directory with those that a receipt lists: all of them, and nothing else.
///
/// Each file is read once, from its start to its end, several at a time. Memory: 128 KiB a job, or 4 MiB
/// from an object store.
struct ReceiptCheck {
  /// What has come of one file.
  private enum Outcome: Sendable {
    case sound
    case missing
    case unreadable(String)
    case size(UInt64)
    case hash
  }

  private let receipt: Receipt
  private let directory: any ReadableDirectory
  private let names: [String]

  /// The names of all files that are in the directory or in the receipt: `run` says which are not in
  /// both.
  let allNames: Set<String>

  /// Lists the directory; throws `.cannotOpen` if there is none, or what it has are other files.
  init(_ receipt: Receipt, _ directory: any ReadableDirectory) throws(Failure) {
    self.receipt = receipt
    self.directory = directory
    names = try directory.names()
    let listed = Set(receipt.files.map(\.name))
    guard !listed.isDisjoint(with: names) else {
      throw Failure(
        .notATimeline,
        names.isEmpty
          ? "there is nothing in \(directory.path.quoted)"
          : "\(directory.path.quoted) has none of the files that the receipt lists",
        hint: "Check the path. \(Timeline.directoryHint)")
    }
    allNames = listed.union(names)
  }

  /// Reads every file, `jobs` at once; what is wrong is added to `findings`, in the order of the names.
  func run(
    jobs: Int, progress: RunProgress?, _ findings: inout Findings
  ) throws(Failure) {
    let outcomes = try outcomes(jobs: jobs, progress)
    for (file, outcome) in zip(receipt.files, outcomes) {
      switch outcome {
      case .sound: break
      case .missing: findings.add(.fileMissing, "'\(file.name)' is missing")
      case .unreadable(let message):
        findings.add(.fileUnreadable, "cannot compare '\(file.name)': \(message)")
      case .size(let byteCount):
        findings.add(
          .fileSize,
          "'\(file.name)' has \(byteWords(byteCount)), but the receipt says \(file.byteCount)")
      case .hash:
        findings.add(.fileHash, "the SHA-256 of '\(file.name)' is not that of the receipt")
      }
    }
    let listed = Set(receipt.files.map(\.name))
    for name in names where !listed.contains(name) {
      findings.add(.fileUnlisted, "'\(escaped(name.utf8))' is not listed in the receipt")
    }
  }

  private func outcomes(jobs: Int, _ progress: RunProgress?) throws(Failure) -> [Outcome] {
    let present = Set(names)
    let files = receipt.files
    let next = Atomic<Int>(0)
    let outcomes = Mutex([Outcome](repeating: .missing, count: files.count))
    let done = ImportCounters()
    let byteCount = files.reduce(UInt64(0)) { $0 &+ $1.byteCount }
    progress?.begin(.hashingFiles) {
      RunProgress.Amount(done: done.outputByteCount, total: byteCount)
    }
    let readAll: @Sendable () throws(Failure) -> Void = { () throws(Failure) in
      var hasher = FileHasher()
      while true {
        let index = next.add(1, ordering: .relaxed).oldValue
        guard index < files.count else { return }
        guard present.contains(files[index].name) else { continue }
        let outcome = try outcome(of: files[index], &hasher)
        outcomes.withLock { $0[index] = outcome }
        done.addOutput(files[index].byteCount)
      }
    }
    let stages = (1...jobs).dropFirst().map { Stage("hash-\($0)", readAll) }
    try StageGroup().run(stages, beside: "hash-1", readAll)
    return outcomes.withLock { $0 }
  }

  private func outcome(
    of file: FileDigest, _ hasher: inout FileHasher
  ) throws(Failure) -> Outcome {
    do throws(Failure) {
      let found = try hasher.digest(ofFileIn: directory, expected: file)
      if found.byteCount != file.byteCount { return .size(found.byteCount) }
      return found.sha256 == file.sha256 ? .sound : .hash
    } catch {
      // A file of another kind; what stops the reading is no property of the file.
      guard error.exitCode == .damaged else { throw error }
      return .unreadable(error.message)
    }
  }
}

import ObjectStore
import PostgresFormat
import System

/// How an import writes to a bucket.
package struct BucketOptions: Sendable {
  /// How the store is reached.
  package var store = StoreOptions()
  /// The directory for files that are not sent yet; nil for memory.
  package var scratch: String?
  /// How many layers are sent at once.
  package var uploadCount = 4
  /// The bytes of memory for what is read back.
  package var readMemory = 8 << 20
  /// Whether a store is good enough from which no pageserver can read.
  package var allowsAnyStore = false
  /// The generation that is written for.
  package var generation: UInt32
  /// Whether a timeline of lower generations is replaced.
  package var force: Bool
  /// Whether nobody else knows the timeline's id, so that a run that fails can remove what it sent.
  package var isOwn: Bool
  /// Whether the same backup gives the same bytes again, as a recovery does not.
  package var isRepeatable = true

  /// Those that are usual, but for these.
  package init(generation: UInt32, force: Bool, isOwn: Bool) {
    self.generation = generation
    self.force = force
    self.isOwn = isOwn
  }

  /// The option with which an import meets nothing that runs of this generation have sent.
  private var freshStart: String {
    generation < .max ? "'--generation \(generation + 1)'" : "another '--timeline-id'"
  }

  /// The error of an object that is not what this run would have put there.
  func otherContents(at url: String, isPartial: Bool) -> Failure {
    let reason =
      isRepeatable
      ? "an import of another backup, or with other options, has written it"
      : "another run has written it, with which a recovery cannot go on, as its layers have the time of its "
        + "own in them"
    let removes = generation < .max && !isPartial ? ", which removes what that run has left" : ""
    return Failure(
      .layerOfOtherRun, "\(url.quoted) exists, with other contents: \(reason)",
      hint: "Import\(isPartial ? " all shards" : "") with \(freshStart)\(removes).")
  }

  /// The error of an object that is no longer what this run has put there.
  func disturbed(_ url: String, isPartial: Bool) -> Failure {
    Failure(
      .layerOfOtherRun, "\(url.quoted) was removed or replaced since this import sent it",
      hint:
        "Another import of the same timeline runs at the same time, and layers of both may be there. When "
        + "both have ended, \(isPartial ? "import all shards" : "run one of them") again, with "
        + "\(freshStart).")
  }
}

/// Where the files of an import are until they are sent: in a directory, without names, or in memory.
struct Staging {
  private let directory: (handle: DirectoryHandle, reserve: SpaceReserve)?
  private let prefix: String

  /// Opens the directory; throws `.cannotCreate` if that is not possible.
  init(_ scratch: String?) throws(Failure) {
    prefix = "import-backup-" + UInt64.random(in: .min ... .max).hexadecimal(16, uppercase: false)
    guard let scratch else {
      directory = nil
      return
    }
    guard isDirectory(scratch) else {
      throw Failure(
        .outputNotFound,
        "scratch directory \(scratch.quoted) does not exist",
        hint: "Create it, or choose another one with '--scratch'.")
    }
    let handle = try DirectoryHandle(forWritingTo: scratch)
    try SystemCalls.requireWritable(scratch)
    directory = (handle, SpaceReserve(handle, option: "--scratch"))
  }

  func makeFile(_ name: String) throws(Failure) -> OutputFile {
    guard let (handle, reserve) = directory else {
      return try OutputFile(inMemory: prefix + "-" + name)
    }
    return try OutputFile(
      unnamed: "\(prefix)-\(name)\(TimelineDirectory.temporarySuffix)", on: handle,
      reserve: reserve)
  }
}

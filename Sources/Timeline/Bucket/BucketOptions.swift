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

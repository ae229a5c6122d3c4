import PostgresFormat
import System

/// The files of a backup and those of its manifest, each remembered once, whichever comes first.
///
/// ```
/// slots    │ 0 │ 3 │ 0 │ 1 │ 0 │ 2 │ …    by the path's hash; numbers of entries, 0 for none
/// entries  │ where the path is, state, algorithm, size, fingerprint │ …    24 bytes each
/// paths    base/5/1259base/5/1259_fsmglobal/pg_control…
/// ```
///
/// Memory: about 55 bytes a file, up to twice that while an array grows. Of a checksum the
/// fingerprint is kept: a hash of 64 bits with a key that is chosen again in each process, so that
/// no file can be made to have that of another.
struct ManifestTable {
  /// What is known of one path, from the manifest or from the backup, whichever comes first.
  package struct Entry {
    fileprivate var pathStart: UInt32 = 0
    fileprivate var pathByteCount: UInt8 = 0
    /// Whether the manifest lists the path.
    package var isListed = false
    var isFound = false
    /// The algorithm of the checksum that `fingerprint` was made from.
    package var algorithm = BackupManifest.ChecksumAlgorithm.none
    /// The length of the file in bytes.
    package var byteCount: UInt64 = 0
    var fingerprint = 0

    fileprivate init(pathStart: UInt32, pathByteCount: UInt8) {
      self.pathStart = pathStart
      self.pathByteCount = pathByteCount
    }

    /// What is known of a file, but for its path.
    package init(byteCount: UInt64, algorithm: BackupManifest.ChecksumAlgorithm, checksum: [UInt8])
    {
      self.byteCount = byteCount
      self.algorithm = algorithm
      fingerprint = checksum.hashValue
    }

    /// Takes over what is known of a file.
    package mutating func take(_ other: Self) {
      byteCount = other.byteCount
      algorithm = other.algorithm
      fingerprint = other.fingerprint
    }
  }

  /// How long a path may be to be kept as it is. Of a longer one the beginning and a hash are kept.
  static let pathLimit = 120

  /// The entries in the order in which their paths were added.
  package private(set) var entries: [Entry] = []
  private var paths: [UInt8] = []
  private var slots = [UInt32](repeating: 0, count: 16)

  /// The entry of a path, and whether it was there before.
  ///
  /// Throws if there are more paths than 4 GiB hold.
  package mutating func entry(
    of path: [UInt8], add: Bool
  ) throws(Failure) -> (index: Int, isNew: Bool)? {
    let path = Self.kept(path)
    var slot = slot(of: path.hashValue)
    while slots[slot] != 0 {
      let index = Int(slots[slot]) - 1
      if paths[range(of: entries[index])].elementsEqual(path) { return (index, false) }
      slot = (slot + 1) & (slots.count - 1)
    }
    guard add else { return nil }
    guard let start = UInt32(exactly: paths.count), entries.count < Int(UInt32.max) else {
      throw Failure(.tooManyFiles, "the backup has too many files to compare with a manifest")
    }
    slots[slot] = UInt32(entries.count + 1)
    entries.append(Entry(pathStart: start, pathByteCount: UInt8(path.count)))
    paths += path
    if entries.count * 4 > slots.count * 3 { grow() }
    return (entries.count - 1, true)
  }

  /// Changes the entry at an index of `entries`; traps if there is none.
  package mutating func update(_ index: Int, _ body: (inout Entry) -> Void) {
    body(&entries[index])
  }

  /// The path of an entry, of a long one what is kept.
  func path(of entry: Entry) -> ArraySlice<UInt8> { paths[range(of: entry)] }

  /// The path of an entry as it can be shown to a person.
  func shownPath(of entry: Entry) -> String {
    let path = path(of: entry)
    return path.count > Self.pathLimit
      ? escaped(path.dropLast(8)) + "…" : escaped(path)
  }

  private static func kept(_ path: [UInt8]) -> [UInt8] {
    guard path.count > pathLimit else { return path }
    let hash = UInt64(bitPattern: Int64(path.hashValue))
    return path.prefix(pathLimit - 7)
      + (0..<8).map { UInt8(truncatingIfNeeded: hash >> (8 * $0)) }
  }

  private func range(of entry: Entry) -> Range<Int> {
    Int(entry.pathStart)..<Int(entry.pathStart) + Int(entry.pathByteCount)
  }

  private func slot(of hash: Int) -> Int { hash & (slots.count - 1) }

  private mutating func grow() {
    slots = [UInt32](repeating: 0, count: slots.count * 2)
    for (index, entry) in entries.enumerated() {
      var slot = slot(of: Array(paths[range(of: entry)]).hashValue)
      while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
      slots[slot] = UInt32(index + 1)
    }
  }
}

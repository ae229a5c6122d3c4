/// A file of up to 1 GiB with a part of a relation fork.
///
/// The name is `<relation>[_<fork>][.<segment>]`, in `base/<database>` or, for relations that all
/// databases share, in `global` (Postgres, `src/common/relpath.c` and
/// `src/backend/storage/smgr/md.c`).
public struct RelationSegment: Hashable, Sendable {
  /// The number of blocks in a full segment.
  public static let blockCount: UInt32 = 131_072

  /// The lowest number that a relation can get once a cluster is initialised.
  /// (`src/include/access/transam.h`, `FirstNormalObjectId`)
  public static let firstUserNumber: UInt32 = 16384

  /// The oid of the database; 0 for `global`.
  public var databaseID: UInt32
  /// The relation file number.
  public var relationNumber: UInt32
  /// The fork.
  public var fork: RelationFork
  /// The number of the segment, at most `maximumSegmentNumber`, so that every block number fits.
  public var segmentNumber: UInt32

  /// A segment with these numbers.
  public init(
    databaseID: UInt32, relationNumber: UInt32, fork: RelationFork, segmentNumber: UInt32
  ) {
    self.databaseID = databaseID
    self.relationNumber = relationNumber
    self.fork = fork
    self.segmentNumber = segmentNumber
  }

  /// The segment of the last block that Postgres can number.
  ///
  /// Its last block would have the number FFFFFFFF, which is not a valid block number: a fork has
  /// at most 2^32 - 1 blocks.
  public static let maximumSegmentNumber = UInt32.max / blockCount

  /// The path of the file in the data directory.
  public var path: String {
    Self.directory(ofDatabase: databaseID) + "/" + fileName
  }

  /// The directory of the files of a database; database 0 is for the shared relations.
  public static func directory(ofDatabase databaseID: UInt32) -> String {
    databaseID == 0 ? "global" : "base/\(databaseID)"
  }

  /// The name of the file in its directory.
  public var fileName: String {
    let segment = segmentNumber == 0 ? "" : ".\(segmentNumber)"
    return "\(relationNumber)\(fork.suffix)\(segment)"
  }
}

extension RelationSegment: Comparable {
  /// The order of the files' blocks: by database, relation, fork and segment, each as a number.
  public static func < (left: Self, right: Self) -> Bool {
    (left.databaseID, left.relationNumber, left.fork.rawValue, left.segmentNumber)
      < (right.databaseID, right.relationNumber, right.fork.rawValue, right.segmentNumber)
  }
}

extension RelationSegment {
  /// The segment with this file name in this database; nil for all other names, also for those that
  /// Postgres would not write: `016384`, `16384.0`, `16384_foo`, `4294967296`.
  public init?(fileName: ArraySlice<UInt8>, databaseID: UInt32) {
    var stem = fileName
    var segmentNumber: UInt32 = 0
    if let dot = stem.firstIndex(of: UInt8(ascii: ".")) {
      guard let number = stem[(dot + 1)...].positiveDecimal, number <= Self.maximumSegmentNumber
      else { return nil }
      segmentNumber = number
      stem = stem[..<dot]
    }
    var fork = RelationFork.main
    if let underscore = stem.firstIndex(of: UInt8(ascii: "_")) {
      guard
        let named = RelationFork.allCases.first(where: { stem[underscore...].isNamed($0.suffix) })
      else { return nil }
      fork = named
      stem = stem[..<underscore]
    }
    guard let relationNumber = stem.positiveDecimal else { return nil }
    self.init(
      databaseID: databaseID, relationNumber: relationNumber, fork: fork,
      segmentNumber: segmentNumber)
  }

  /// The segment with the path `base/<database>/<name>`; nil for all other paths.
  init?(path: ArraySlice<UInt8>) {
    guard path.hasPrefix("base/"),
      let slash = path.dropFirst(5).firstIndex(of: UInt8(ascii: "/")),
      let databaseID = path[(path.startIndex + 5)..<slash].positiveDecimal
    else { return nil }
    self.init(fileName: path[(slash + 1)...], databaseID: databaseID)
  }

  /// Whether a file of this name belongs to a temporary relation: `t<n>_` and a relation's name
  /// (Postgres, `src/backend/storage/file/fd.c`, `looks_like_temp_rel_name`).
  static func isTemporary(fileName: ArraySlice<UInt8>) -> Bool {
    guard fileName.first == UInt8(ascii: "t"),
      let underscore = fileName.firstIndex(of: UInt8(ascii: "_")),
      fileName[(fileName.startIndex + 1)..<underscore].isDecimalDigits
    else { return false }
    return RelationSegment(fileName: fileName[(underscore + 1)...], databaseID: 0) != nil
  }
}

/// One of the files of pages that make up a relation.
///
/// The numbers are those of Postgres's `ForkNumber` (`src/include/common/relpath.h`), and of the
/// keys of a timeline.
public enum RelationFork: UInt8, CaseIterable, Hashable, Comparable, Sendable {
  /// `MAIN_FORKNUM`: the relation's data.
  case main = 0
  /// `FSM_FORKNUM`: how much room each page of the main fork has.
  case freeSpaceMap
  /// `VISIBILITYMAP_FORKNUM`: which pages of the main fork are visible to everyone, or frozen.
  case visibilityMap
  /// `INIT_FORKNUM`: the empty state of an unlogged relation, which is restored after a crash.
  case initialisation

  /// The part of a file name after the relation's number.
  public var suffix: String {
    switch self {
    case .main: ""
    case .freeSpaceMap: "_fsm"
    case .visibilityMap: "_vm"
    case .initialisation: "_init"
    }
  }

  /// The order of the numbers: main, free space map, visibility map, init fork.
  @inlinable
  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// One of the files of pages that make up a relation.
///
/// The numbers are those of Postgres's `ForkNumber` (`src/include/common/relpath.h`), and of the
/// keys of a timeline.
public enum RelationFork: UInt8, CaseIterable, Hashable, Comparable, Sendable {
  case main = 0
  case freeSpaceMap
  case visibilityMap
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

  @inlinable
  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

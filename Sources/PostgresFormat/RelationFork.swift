/// One of the files of pages that make up a relation.
///
/// The numbers are Postgres' `ForkNumber` (`src/include/common/relpath.h`), and a timeline's keys.
public enum RelationFork: UInt8, CaseIterable, Hashable, Comparable, Sendable {
  case main = 0
  case freeSpaceMap
  case visibilityMap
  case initialisation

  /// What follows the relation's number in a file name.
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

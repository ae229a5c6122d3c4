/// Elements that a list promises, ticked off in ascending order as they turn up.
struct Checklist<Element: Comparable & Sendable>: Sendable {
  /// What the list says of an element.
  enum Membership {
    case listed, unlisted
    /// The list cannot be read.
    case unknown
  }

  /// Sorted; nil if the list cannot be read, so that anything may turn up.
  private let expected: [Element]?
  private var next = 0

  /// A list that cannot be read.
  static var unknown: Self { Self(expected: nil) }

  private init(expected: [Element]?) { self.expected = expected }

  /// A list of these elements, in any order.
  init(_ elements: consuming [Element]) {
    elements.sort()
    expected = elements
  }

  /// Whether one element is in the list twice.
  var hasDuplicates: Bool {
    guard let expected else { return false }
    return zip(expected, expected.dropFirst()).contains { $0 == $1 }
  }

  /// Ticks an element off; those before it in the list that never turned up go to `missed`.
  mutating func take(_ element: Element, missed: (Element) -> Void) -> Membership {
    guard let expected else { return .unknown }
    while next < expected.count, expected[next] < element {
      missed(expected[next])
      next += 1
    }
    var membership = Membership.unlisted
    while next < expected.count, expected[next] == element {
      membership = .listed
      next += 1
    }
    return membership
  }

  /// Gives what is left to `missed`; the list is unknown then.
  mutating func finish(missed: (Element) -> Void) {
    for element in expected?[next...] ?? [] { missed(element) }
    self = .unknown
  }
}

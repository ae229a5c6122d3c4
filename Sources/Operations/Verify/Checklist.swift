/// Things that a list says there are, ticked off in ascending order as they turn up.
struct Checklist<Element: Comparable & Sendable>: Sendable {
  /// Sorted, each once; nil if the list cannot be read, so that anything may turn up.
  private let expected: [Element]?
  private var next = 0

  /// A list that cannot be read.
  static var unknown: Self { Self(expected: nil) }

  private init(expected: [Element]?) { self.expected = expected }

  /// A list of these; `hasDuplicates` tells whether one of them appears in it twice.
  init(_ elements: [Element], hasDuplicates: inout Bool) {
    var sorted = elements
    sorted.sort()
    hasDuplicates = zip(sorted, sorted.dropFirst()).contains { $0 == $1 }
    expected = sorted
  }

  /// Ticks an element off; earlier elements of the list that were never found go to `missed`.
  ///
  /// Returns whether it is in the list.
  mutating func take(_ element: Element, missed: (Element) -> Void) -> Bool {
    guard let expected else { return true }
    while next < expected.count, expected[next] < element {
      missed(expected[next])
      next += 1
    }
    var isListed = false
    while next < expected.count, expected[next] == element {
      isListed = true
      next += 1
    }
    return isListed
  }

  /// Gives what is left to `missed`.
  mutating func finish(missed: (Element) -> Void) {
    guard let expected else { return }
    while next < expected.count {
      missed(expected[next])
      next += 1
    }
  }
}

import Testing

@testable import System

/// Goal: a suggestion is made for a misspelled name, and for nothing else.
struct SuggestionTests {
  private let names = ["output", "tenant-id", "timeline-id", "force", "jobs", "json", "memory"]

  /// Method: words with one or two errors, and words with too many.
  @Test(
    arguments: [
      ("outptu", "output"), ("ouput", "output"), ("tenant_id", "tenant-id"),
      ("timelineid", "timeline-id"),
      ("forec", "force"), ("jsno", "json"), ("mem", nil), ("frobnicate", nil), ("", nil),
      ("x", nil),
    ] as [(String, String?)])
  func nearest(word: String, expected: String?) {
    #expect(Suggestion.nearest(to: word, among: names) == expected)
  }

  /// Method: pairs with known distances, both ways.
  @Test(arguments: [
    ("", "", 0), ("abc", "", 3), ("abc", "abc", 0), ("abc", "acb", 1), ("kitten", "sitting", 3),
    ("ab", "ba", 1), ("ca", "abc", 3),
  ])
  func distance(first: String, second: String, expected: Int) {
    #expect(Suggestion.distance(Array(first.utf8), Array(second.utf8)) == expected)
    #expect(Suggestion.distance(Array(second.utf8), Array(first.utf8)) == expected)
  }
}

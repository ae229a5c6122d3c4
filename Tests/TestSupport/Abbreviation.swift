/// The beginning of a text in one line, and how long it is where that is not all: how a test's
/// argument of any length is shown.
public func abbreviated(_ text: String, to count: Int = 60) -> String {
  let line = text.replacing("\n", with: " ")
  let length = text.utf8.count
  return line.utf8.count <= count ? line : "\(line.prefix(count))… (\(length) bytes)"
}

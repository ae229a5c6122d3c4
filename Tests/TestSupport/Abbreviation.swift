/// The beginning of a text on one line, and its length if it is cut: for long arguments of tests.
public func abbreviated(_ text: String, to count: Int = 60) -> String {
  let line = text.replacing("\n", with: " ")
  let length = text.utf8.count
  return line.utf8.count <= count ? line : "\(line.prefix(count))… (\(length) bytes)"
}

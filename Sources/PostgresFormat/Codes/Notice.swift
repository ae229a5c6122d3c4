/// Something that a verb has to say besides its result: a code for scripts, and the same in words.
public struct Notice<Code: StableCode>: Codable, Equatable, Sendable {
  /// What it is about.
  public var code: Code
  /// One line, with names and numbers: lower case, no final period.
  public var message: String

  /// A notice of this kind.
  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }
}

import FoundationEssentials
import System

/// The JSON object of a command: what all of them begin with, what the command found or did, and the
/// failure that it ends with, if it does.
struct ResultObject<Contents: Encodable>: Encodable {
  private let command: String
  private let contents: Contents
  private let failure: Failure?

  /// The object of a command that has printed nothing yet.
  init(_ command: any Command.Type, _ contents: Contents, _ failure: Failure? = nil) {
    self.command = command.name
    self.contents = contents
    self.failure = failure
  }

  private enum Key: String, CodingKey {
    case schema, command, programVersion, startTime, exitCode
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(ResultFormat.schema, forKey: .schema)
    try container.encode(command, forKey: .command)
    try container.encode(Version.number, forKey: .programVersion)
    try container.encode(ResultFormat.startTime.formatted(.iso8601), forKey: .startTime)
    try container.encode((failure?.exitCode ?? .success).rawValue, forKey: .exitCode)
    try contents.encode(to: encoder)
    if let failure { try FailureObject(error: failure).encode(to: encoder) }
  }

  /// One line of JSON, and a line feed.
  func line() throws(Failure) -> String { try SummaryOutput.json(self) + "\n" }
}

/// What the objects of all commands have in common.
enum ResultFormat {
  /// The version of their shape: it grows when a field goes or changes its meaning.
  static let schema = 2
  /// When the program was started, by the clock of the system.
  static let startTime = Date()
}

/// The contents of the object of a command that has nothing but its failure to say.
struct NoContents: Encodable {}

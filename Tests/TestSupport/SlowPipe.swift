import Foundation

/// A backup that comes through a pipe in two parts, the second one when something has happened.
public struct SlowPipe: Sendable {
  /// Where the pipe and what scripts write are; the script runs in it.
  public let directory: TemporaryDirectory

  /// Made large enough for some of it to be looked at before the rest comes.
  private static let firstPart = 3 << 20

  /// The name of the file that comes first, and that is read while the rest is waited for.
  public static let name = "log/large"

  /// The length of the whole.
  public let byteCount: Int

  /// The contents of that file.
  public static let contents = [UInt8](repeating: 1, count: 4 << 20)

  /// A pipe for the bytes of a small backup, after those of a member that is left out.
  public init(after member: [UInt8]? = nil) throws {
    directory = try TemporaryDirectory()
    let usual = TestTar([TestTar.Member(Self.name, contents: Self.contents)])
    let bytes = (member ?? usual.encoded(isComplete: false)) + SmallBackup.tiny.encoded()
    byteCount = bytes.count
    try Data(bytes).write(to: URL(filePath: directory.path + "/backup.tar"))
  }

  /// Runs the program with the pipe as its standard input and its standard error in the file
  /// `error`; `then` runs when the first part has come, and the second part comes after it.
  ///
  /// In `then`, `$program` is the program's number, and `until_seen TEXT` waits for a text in
  /// `error`. `run` is how the program is started.
  public func run(
    _ arguments: [String], then: String, run: String = #""$@" < pipe 2> error 3>&-"#,
    environment: [String: String] = [:]
  ) async throws -> ProgramRun {
    try await ProgramRun.run(
      arguments,
      script: """
        until_seen() { until grep --quiet --text -- "$1" error; do sleep 0.05; done }
        mkfifo pipe; : > error; exec 3<> pipe
        head --bytes \(Self.firstPart) backup.tar >&3 & head=$!
        \(run) & program=$!
        wait $head
        \(then)
        tail --bytes +\(Self.firstPart + 1) backup.tar >&3; exec 3>&-; wait $program
        """, environment: environment, directory: directory.path)
  }

  /// What the program wrote to standard error.
  public func error() throws -> String {
    String(decoding: try Data(contentsOf: URL(filePath: directory.path + "/error")), as: UTF8.self)
  }
}

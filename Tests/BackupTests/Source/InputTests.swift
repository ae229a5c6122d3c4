import Dispatch
import Foundation
import TestSupport
import Testing

@testable import Backup
@testable import System

/// Where the bytes come from, and what happens when they do not come.
@Suite struct InputTests {
  private func makeTar() -> [UInt8] {
    var tar = TarBuilder()
    for number in 0..<10 {
      tar.add("\(number)", contents: halfRandomBytes(number * 33_333, seed: UInt64(number)))
    }
    return tar.archive
  }

  /// Goal: a regular file gives its bytes and tells its size. Method: a tar in a file.
  @Test func regularFile() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/backup.tar"
    let tar = makeTar()
    try Data(tar).write(to: URL(filePath: path))
    let reader = try TarReader(path: path)
    #expect(reader.inputByteCount == UInt64(tar.count))
    #expect(try readAll(reader) == readAll(tar))
    #expect(reader.inputBytesRead == UInt64(tar.count))
  }

  /// Goal: a pipe that gives a few bytes at a time gives the same. Method: dd writes pieces of 100
  /// bytes, and of one, to a FIFO; plain and compressed.
  @Test(arguments: [("cat", 100), ("gzip -c", 1), ("zstd -c", 7)])
  func pipe(compress: String, pieceSize: Int) throws {
    let directory = try TemporaryDirectory()
    let tar = makeTar()
    try Data(tar).write(to: URL(filePath: directory.path + "/tar"))
    try #require(unsafe mkfifo(directory.path + "/fifo", 0o600) == 0)
    let writer = Process()
    writer.executableURL = URL(filePath: "/bin/sh")
    writer.arguments = [
      "-c",
      """
      cd '\(directory.path)' && \(compress) < tar | dd bs=\(pieceSize) of=fifo 2>/dev/null
      """,
    ]
    try writer.run()
    let reader = try TarReader(path: directory.path + "/fifo")
    #expect(reader.inputByteCount == nil)
    #expect(try readAll(reader) == readAll(tar))
    writer.waitUntilExit()
    #expect(writer.terminationStatus == 0)
  }

  /// Goal: a pipe takes in a whole buffer at once. Method: the system's size of a pipe that is opened
  /// as input, on a system that lets this user's pipes grow.
  @Test(
    .enabled("this user's pipes may not grow") {
      try withPipe { fcntl($0, 1031, 1 << 20) } > 0  // F_SETPIPE_SZ
    })
  func pipesAreWidened() throws {
    try Self.withPipe { pipe in
      try #require(fcntl(pipe, FileSource.getPipeSize) < 1 << 20)
      let source = try FileSource(path: "/dev/fd/\(pipe)")
      #expect(fcntl(pipe, FileSource.getPipeSize) == 1 << 20)
      withExtendedLifetime(source) {}
    }
  }

  /// Goal: a pipe that takes in more is left so. Method: ask for less than one holds.
  @Test func widePipesAreLeft() throws {
    try Self.withPipe { pipe in
      let size = fcntl(pipe, FileSource.getPipeSize)
      try #require(size >= 8192)
      FileSource.widenPipe(pipe, to: Int(size) / 2)
      #expect(fcntl(pipe, FileSource.getPipeSize) == size)
    }
  }

  private static func withPipe<Result>(_ body: (_ output: Int32) throws -> Result) throws -> Result
  {
    var ends: [Int32] = [0, 0]
    try #require(unsafe Glibc.pipe(&ends) == 0)
    defer { for end in ends { close(end) } }
    return try body(ends[0])
  }

  /// Goal: what cannot be opened or read is told with its path and the system's reason. Method: a
  /// missing file, one below a file, a directory, and memory that is not mapped.
  @Test func notReadable() throws {
    let directory = try TemporaryDirectory()
    try Data().write(to: URL(filePath: directory.path + "/file"))
    let cases: [(path: String, code: ExitCode, message: String)] = [
      (directory.path + "/no\nfile", .cannotOpen, "No such file or directory"),
      (directory.path + "/file/x", .cannotOpen, "Not a directory"),
      (directory.path, .cannotOpen, "Is a directory"),
      ("/proc/self/mem", .inputOutput, "Input/output error"),
    ]
    for (path, code, message) in cases {
      let error = #expect(throws: Failure.self, "\(path)") { try TarReader(path: path) }
      let verb = code == .cannotOpen ? "open" : "read"
      #expect(error?.exitCode == code)
      #expect(error?.message == "cannot \(verb) \(path.quoted): \(message)")
    }
    #expect("no\nfile\u{1B}".quoted == #"'no\nfile\u{1B}'"#)
  }

  /// Goal: a signal ends the program while it waits for its input. Method: in a process of its own,
  /// standard input is a pipe that nobody writes to, and the signal comes after a moment; the exit code
  /// is the error's.
  @Test(.timeLimit(.minutes(10))) func signalsWhileWaiting() async {
    await #expect(processExitsWith: .exitCode(ExitCode.interrupted.rawValue)) {
      waitForSignal(SIGINT)
    }
    await #expect(processExitsWith: .exitCode(ExitCode.terminated.rawValue)) {
      waitForSignal(SIGTERM)
    }
  }
}

/// Reads a pipe that gives nothing until `signal` comes; exits with the code of the error.
private func waitForSignal(_ signal: Int32) -> Never {
  Interruption.install()
  var ends: [Int32] = [0, 0]
  guard unsafe pipe(&ends) == 0, dup2(ends[0], STDIN_FILENO) == STDIN_FILENO else { exit(2) }
  DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(100)) {
    kill(getpid(), signal)
  }
  do throws(Failure) {
    _ = try TarReader(path: "-")
    exit(3)
  } catch {
    exit(error.exitCode.rawValue)
  }
}

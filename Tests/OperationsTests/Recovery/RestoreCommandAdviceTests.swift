import Foundation
import TestSupport
import Testing

@testable import Operations
@testable import System

/// Which restore command is shown to a person whose recovery lacked WAL. Method: commands that backup
/// programs write, with a data directory that has what they name and without.
@Suite struct RestoreCommandAdviceTests {
  private static let failure = Failure(.recoveryFailed, "no WAL", hint: "Give it.")

  @Test func commands() throws {
    let directory = try TemporaryDirectory(inMemory: true)
    try FileManager.default.createDirectory(
      atPath: directory.path + "/barman_wal", withIntermediateDirectories: false)
    let path = directory.path
    let cases: [(command: String, adapted: String?, withoutDirectory: String?)] = [
      ("cp barman_wal/%f %p", "cp \(path)/barman_wal/%f %p", nil),
      (#"cp "barman_wal/%f" "%p""#, #"cp "\#(path)/barman_wal/%f" "%p""#, nil),
      ("cp /archive/%f %p", "cp /archive/%f %p", "cp /archive/%f %p"),
      ("cp other/%f %p", "cp other/%f %p", "cp other/%f %p"),
      ("scp host:wal/%f %p", "scp host:wal/%f %p", "scp host:wal/%f %p"),
      (
        "pgbackrest --stanza=demo archive-get %f %p",
        "pgbackrest --stanza=demo --pg1-path=\(path) archive-get %f %p", nil
      ),
      (
        "pgbackrest --pg1-path=/data archive-get %f %p",
        "pgbackrest --pg1-path=/data archive-get %f %p",
        "pgbackrest --pg1-path=/data archive-get %f %p"
      ),
    ]
    for (command, adapted, withoutDirectory) in cases {
      for (directory, expected) in [(path, adapted), (nil, withoutDirectory)] {
        let advice = RestoreCommandAdvice(directory: directory, given: command, own: nil)
        #expect(advice.adapted(command) == expected, "\(command)")
        let failure = advice.advise(Self.failure)
        #expect((failure == Self.failure) == (expected == command), "\(command)")
        #expect(
          failure.remedy?.options
            == (expected == command ? nil : expected.map { ["--restore-command", $0] }))
      }
    }
  }

  /// Goal: a command of the backup's own is shown as it would work, but in no command line that is ready
  /// to be run, as the backup may be anybody's.
  @Test func ownCommand() {
    let advice = RestoreCommandAdvice(directory: nil, given: nil, own: "cp /archive/%f %p; rm -r ~")
    let failure = advice.advise(Self.failure.remedied(by: Remedy(options: ["--wal"])))
    #expect(failure.hint?.contains("'cp /archive/%f %p; rm -r ~'. If you trust") == true)
    #expect(failure.remedy == nil)
    let none = RestoreCommandAdvice(directory: nil, given: nil, own: nil)
    #expect(none.advise(Self.failure) == Self.failure)
  }
}

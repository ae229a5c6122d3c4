import TestSupport
import Testing

/// Runs of `attach` for the files of a storage.
extension ServiceStorage {
  /// How the result of the backup of these tests ends.
  static let ready = "is in service at LSN 0/215AD68"

  /// Runs `attach` with calls that are not waited for long.
  func attach(
    _ servers: [String], _ more: [String] = [], place: String? = nil,
    environment: [String: String] = [:]
  ) async throws -> ProgramRun {
    try await ProgramRun.run(
      ["attach", place ?? timelinePath] + servers + more, environment: environment,
      timeLimit: .seconds(300))
  }

  /// Runs `attach` again, and checks that it changes nothing.
  func requireNothingLeft(
    _ service: StandIn, _ servers: [String], place: String? = nil,
    _ location: SourceLocation = #_sourceLocation
  ) async throws {
    let (state, count) = (try service.state(of: self), try service.calls().count)
    let again = try await attach(servers, place: place)
    #expect(again.exitCode == 0, "\(again.error)", sourceLocation: location)
    #expect(again.error == "note: everything was in place already\n", sourceLocation: location)
    let calls = try service.calls().dropFirst(count)
    #expect(calls.allSatisfy { $0.isRead }, "\(calls)", sourceLocation: location)
    #expect(try service.state(of: self) == state, sourceLocation: location)
    try service.requireNoHarm("", location)
  }
}

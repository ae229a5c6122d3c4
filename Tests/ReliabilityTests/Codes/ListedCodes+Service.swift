import Foundation
import Operations
import PostgresFormat
import TestSupport

extension ListedCodes {
  /// What `attach` did and found, also before a failure.
  static let services: [ListedCodes] = [
    .init([AttachSummary.DoneCode.tenantAttached]) {
      try await $0.attaching([
        "/control/v1/tenant/T": (404, "{}"), "/debug/v1/tenant/T/import": (200, "{}"),
      ])
    },
    .init([AttachSummary.DoneCode.storageReadAgain]) {
      try await $0.attachingAlone([
        "/v1/tenant/T/timeline/L": (404, "{}"), "/v1/tenant/T/reset": (200, "{}"),
      ])
    },
    .init([AttachSummary.DoneCode.timelineMade]) { try await $0.attaching([:]) },
    .init([AttachSummary.DoneCode.callUnanswered]) {
      try await $0.attaching(
        unanswered: "/debug/v1/tenant/T/import", ["/control/v1/tenant/T": (404, "{}")])
    },
    .init([AttachSummary.InPlaceCode.tenantAttached, .timelineActive]) {
      try await $0.attaching([:])
    },
    .init([WarningCode.safekeepersNotGiven]) { try await $0.attachingAlone([:]) },
  ]
}

extension CodeScene {
  /// Takes the imported timeline to a pageserver that has the tenant attached, without safekeepers.
  fileprivate func attachingAlone(_ answers: [String: (Int, String)]) async throws -> ProgramRun {
    let attached: [String: (Int, String)] = [
      "/control/v1/node": (404, "{}"),
      "/v1/tenant/T": (200, #"{"generation":1,"state":{"slug":"Active"},"timelines":["L"]}"#),
    ]
    return try await attaching(to: "--pageserver", attached.merging(answers) { $1 })
  }
}

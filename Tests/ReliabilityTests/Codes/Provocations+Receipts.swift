import Foundation
import PostgresFormat
import TestSupport

extension Provocation {
  static let receipts: [Provocation] = [
    .init(.receiptDamaged) { try await $0.verifying(receipt: "{\"schema\": 2") },
    .init(.receiptUnsupported) {
      try await $0.verifying(receipt: #"{"schema": 3, "command": "import"}"#)
    },
    .init(.receiptNotWritten) {
      try await $0.importing(
        faults: [Fault(kind: "rename", call: .number(1), action: .error(EIO))],
        under: $0.output + "/receipts")
    },
  ]
}

extension CodeScene {
  /// Verifies by a receipt of these contents.
  fileprivate func verifying(receipt: String) async throws -> ProgramRun {
    let path = path + "/receipt.json"
    try Data(receipt.utf8).write(to: URL(filePath: path))
    return try await run(["verify", "--receipt", path])
  }
}

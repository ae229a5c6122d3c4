import LayerFormat
import ObjectStore
import PostgresFormat
import System

/// The two objects of a receipt, beside `tenants` as on disk: the import's object, and the table.
struct BucketReceipt {
  /// The key of the object.
  let key: String
  private var tableKey: String { key + ReceiptName.tableSuffix }
  /// The bytes of both, once they are known.
  var object: [UInt8] = []
  var table: [UInt8] = []

  /// Both keys.
  var keys: [String] { [key, tableKey] }

  init(tenant: Identifier, timeline: Identifier, generation: UInt32, below root: String) {
    key =
      root + ReceiptName.directory + "/"
      + ReceiptName.name(tenant: tenant, timeline: timeline, generation: generation)
  }

  /// Puts both, the object last, in the place of what is there.
  func publish(_ client: StoreClient, timelinePath: String) throws(Failure) {
    do throws(Failure) {
      for (key, bytes) in [(tableKey, table), (key, object)] {
        let body = StoredBody.bytes(bytes)
        _ = try client.put(key, body.body, sha256: body.sha256, isConditional: false)
      }
    } catch {
      throw Failure(
        .receiptNotWritten, error.message,
        hint: "The timeline at \(timelinePath.quoted) is complete. Only its receipt is missing.")
    }
  }
}

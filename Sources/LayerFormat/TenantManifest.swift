import FoundationEssentials
import PostgresFormat

/// What a service must know of a tenant before it attaches it: `tenant-manifest-<generation>.json`,
/// in the directory of each shard.
///
/// A service takes the stripe size from it, and 32768 if there is none. (Neon,
/// `pageserver/src/tenant/remote_timeline_client/manifest.rs`; Docs/format.md, Shards)
public struct TenantManifest: Equatable, Sendable {
  /// The stripe size in blocks; nil if the manifest does not say.
  public var stripeSize: UInt32?

  /// The stripe size in blocks that a service takes for a tenant without a manifest, or with one that
  /// does not say. (Docs/format.md, Shards)
  public static let stripeSizeIfUnknown: UInt32 = 32768

  /// The stripe size in blocks that a service takes from the manifest.
  public var servedStripeSize: UInt32 { stripeSize ?? Self.stripeSizeIfUnknown }

  /// The longest manifest that is read: it lists timelines that are out of service.
  public static let byteCountLimit = 16 << 20

  /// The name of the file before its generation.
  public static let filePrefix = "tenant-manifest"
  private static let fileSuffix = ".json"
  private static let version = 2

  /// A manifest with this stripe size.
  public init(stripeSize: UInt32) { self.stripeSize = stripeSize }

  /// The bytes of the file.
  public func encoded() -> [UInt8] {
    let size = stripeSize.map { "\"stripe_size\":\($0)," } ?? ""
    return Array("{\"version\":\(Self.version),\(size)\"offloaded_timelines\":[]}".utf8)
  }

  /// Reads a manifest, of which only the stripe size matters here.
  public init(decoding bytes: [UInt8]) throws(FormatError) {
    struct Fields: Decodable {
      var stripeSize: UInt32?
      enum CodingKeys: String, CodingKey { case stripeSize = "stripe_size" }
    }
    let fields = try StrictJSON(bytes, of: "the tenant manifest").decode(Fields.self)
    stripeSize = fields.stripeSize == 0 ? nil : fields.stripeSize
  }

  /// The name of the file for a generation.
  public static func fileName(generation: UInt32) -> String {
    Generation.fileName(filePrefix, generation: generation) + fileSuffix
  }

  /// The generation in the name of a manifest; nil for any other name.
  public static func parse(fileName: String) -> UInt32? {
    guard fileName.hasSuffix(fileSuffix),
      let (stem, generation) = Generation.parse(
        fileName: String(fileName.dropLast(fileSuffix.count))),
      stem == filePrefix
    else { return nil }
    return generation
  }
}

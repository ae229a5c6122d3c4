import LayerFormat
import PostgresFormat
import System

/// The files of a timeline as the receipt of its import lists them.
package struct Receipt: Sendable {
  /// The directory that the import wrote.
  package let timelinePath: String
  /// The tenant's id, as the import said it.
  package let tenantID: String
  /// The timeline's id, as the import said it.
  package let timelineID: String
  /// Every file of the timeline, by name: its layers and its index.
  package let files: [FileDigest]

  /// The receipts that are read: those of the JSON objects with this `schema`.
  private static let schema = 2
  /// The longest receipt that is read: some 150,000 layers.
  private static let byteCountLimit = 48 << 20

  private struct Version: Decodable {
    var schema: Int
    var command: String
  }

  private struct Fields: Decodable {
    var timelinePath: String
    var tenantID: String
    var timelineID: String
    var index: FileDigest
    var otherIndexes: [FileDigest]?
    var layers: [FileDigest]
  }

  /// Reads the receipt at `path`, or any other copy of an import's JSON object.
  ///
  /// Throws `.cannotOpen` if it cannot be opened, `.damaged` if it is not such an object, or lists
  /// files that no timeline has: names never become other paths. Memory: about ten times the file.
  package init(path: String) throws(Failure) {
    try requireReadable(path, option: "--receipt")
    let bytes = try SystemCalls.contents(of: path, limit: Self.byteCountLimit, followsLink: true)
    do throws(FormatError) {
      self = try Self.decode(bytes)
    } catch {
      throw Failure(error, in: "receipt \(path.quoted)", damage: .receiptDamaged)
    }
  }

  private init(_ fields: Fields) throws(FormatError) {
    guard (fields.otherIndexes?.count ?? 0) < ShardLayout.countLimit else {
      throw .damaged("it lists too many indexes")
    }
    timelinePath = fields.timelinePath
    guard let tenant = Identifier(fields.tenantID), let timeline = Identifier(fields.timelineID)
    else {
      throw .damaged("'tenantID' or 'timelineID' is not 32 hexadecimal digits")
    }
    tenantID = tenant.description
    timelineID = timeline.description
    let indexes = [fields.index] + (fields.otherIndexes ?? [])
    files = (fields.layers + indexes).sorted { $0.name < $1.name }
    // What comes before the names of a shard's files.
    let prefixes = (0..<indexes.count).map { number in
      let shard = ShardID(number, of: indexes.count)
      return indexes.count == 1
        ? "" : shard.directoryName(ofTenant: tenant) + "/timelines/\(timeline)/"
    }
    for file in fields.layers {
      guard let prefix = prefixes.first(where: { file.name.hasPrefix($0) }),
        LayerName.parse(fileName: String(file.name.dropFirst(prefix.count))) != nil
      else { throw .damaged("\(file.name.quoted) is not the name of a layer") }
    }
    for (index, prefix) in zip(indexes, prefixes) {
      guard index.name.hasPrefix(prefix),
        IndexPart.parse(fileName: String(index.name.dropFirst(prefix.count))) != nil
      else { throw .damaged("\(index.name.quoted) is not the name of an index") }
    }
    for (file, next) in zip(files, files.dropFirst()) where file.name == next.name {
      throw .damaged("\(file.name.quoted) appears twice")
    }
    for file in files where !Self.isHash(file.sha256) {
      throw .damaged("'sha256' of \(file.name.quoted) is not 64 hexadecimal digits in lower case")
    }
  }

  private static func decode(_ bytes: [UInt8]) throws(FormatError) -> Receipt {
    let json = try StrictJSON(bytes, of: "the object")
    let version = try json.decode(Version.self)
    guard version.command == "import" else {
      throw .damaged("it is of command \(version.command.quoted), not of an import")
    }
    guard version.schema == schema else {
      throw FormatError(
        .receiptUnsupported, "schema \(version.schema) is not supported, only \(schema)")
    }
    return try Receipt(try json.decode(Fields.self))
  }

  private static func isHash(_ text: String) -> Bool {
    text.utf8.count == 64
      && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
  }
}

import PostgresFormat

/// An LSN in JSON: the string exactly as Postgres writes it.
extension LogSequenceNumber: Codable {
  /// Reads an LSN that is written exactly as Postgres writes it; throws a `DecodingError`
  /// otherwise.
  public init(from decoder: any Decoder) throws {
    let field = try decoder.singleValueContainer()
    let text = try field.decode(String.self)
    guard let lsn = LogSequenceNumber(text), lsn.description == text else {
      throw DecodingError.dataCorruptedError(in: field, debugDescription: "'\(text)' is not an LSN")
    }
    self = lsn
  }

  /// Writes the LSN as a string, `0/C84D4E0`. (Neon, `libs/utils/src/lsn.rs`)
  public func encode(to encoder: any Encoder) throws {
    var field = encoder.singleValueContainer()
    try field.encode(description)
  }
}

import PostgresFormat

/// An LSN in JSON: the string exactly as Postgres writes it.
extension LogSequenceNumber: Codable {
  public init(from decoder: any Decoder) throws {
    let field = try decoder.singleValueContainer()
    let text = try field.decode(String.self)
    guard let lsn = LogSequenceNumber(text), lsn.description == text else {
      throw DecodingError.dataCorruptedError(in: field, debugDescription: "'\(text)' is not an LSN")
    }
    self = lsn
  }

  public func encode(to encoder: any Encoder) throws {
    var field = encoder.singleValueContainer()
    try field.encode(description)
  }
}

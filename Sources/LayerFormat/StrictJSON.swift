import FoundationEssentials
import PostgresFormat

/// The bytes of a JSON object from outside, which are decoded in bounded memory, or refused with the
/// field that is at fault.
package struct StrictJSON {
  private let bytes: [UInt8]
  private let subject: String

  /// Looks the bytes over; throws `.damaged` as `JSONCheck` does.
  ///
  /// - Parameters:
  ///   - subject: what messages call it: `the index`.
  ///   - mayBeArray: whether it may also be an array.
  package init(
    _ bytes: [UInt8], of subject: String, mayBeArray: Bool = false
  ) throws(FormatError) {
    try JSONCheck.check(bytes, of: subject, mayBeArray: mayBeArray)
    self.bytes = bytes
    self.subject = subject
  }

  /// Reads the fields of `type`, and passes over all others; throws `.damaged` if one is missing or
  /// of another kind.
  ///
  /// Memory: about ten times the bytes.
  package func decode<Value: Decodable>(_ type: Value.Type) throws(FormatError) -> Value {
    do {
      return try JSONDecoder().decode(type, from: Data(bytes))
    } catch let error as DecodingError {
      throw .damaged(message(of: error))
    } catch {
      throw .damaged("\(subject) is not valid JSON")
    }
  }

  /// What is wrong, with the field if it is known.
  private func message(of error: DecodingError) -> String {
    let (context, problem): (DecodingError.Context, String)
    switch error {
    case .keyNotFound(let key, _):
      return "field \(key.stringValue.quoted) of \(subject) is missing"
    case .typeMismatch(let type, let mismatch):
      let noun =
        type is any BinaryInteger.Type ? "a number" : type == String.self ? "a string" : "an object"
      (context, problem) = (mismatch, "is not \(noun)")
    case .valueNotFound(_, let missing): (context, problem) = (missing, "is null")
    case .dataCorrupted(let corrupted): (context, problem) = (corrupted, "is not valid")
    @unknown default: return "\(subject) is not valid JSON"
    }
    guard let field = context.codingPath.last else {
      return "\(subject) is not valid JSON, or a number in it is out of range"
    }
    return "field \(field.stringValue.quoted) of \(subject) \(problem)"
  }
}

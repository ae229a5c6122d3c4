import HTTP
import PostgresFormat
import System

/// Why a store did not do what it was asked for: its status, and its error in XML, if it sent one.
struct StoreProblem {
  /// What a caller decides by.
  enum Kind {
    /// No object has the key.
    case noSuchKey
    /// The object ends before the range that was asked for.
    case invalidRange
    /// It may be different when it is tried again.
    case transient
    /// The store asks for fewer requests.
    case busy
    /// The credentials are no longer valid, or are not yet known everywhere.
    case expired
    /// The condition of a conditional request does not hold.
    case conditionFailed
    /// The store does not do this at all.
    case notImplemented
    case wrongClock, wrongRegion, wrongKeys, noRights, noBucket, wrongBucketName
    case other
  }

  let kind: Kind
  /// The store's word for it: `NoSuchKey`, or the status for want of one.
  let code: String
  /// The store's own message; empty if it sent none.
  private let message: String
  /// The bucket's region, if the store says it.
  private let region: String?
  /// The time of the store's clock, if it says it.
  private let time: UTCTime?

  /// Reads an answer that is no success.
  init(_ response: HTTPResponse) {
    let error = XMLElement(document: response.body)
    code = error?["Code"]?.text ?? "status \(response.status)"
    message = error?["Message"]?.text ?? ""
    region = response["x-amz-bucket-region"] ?? error?["Region"]?.text
    time = response["Date"].flatMap(CurlLibrary.time(of:))
    kind = Self.kind(of: code, status: response.status)
  }

  /// The table of what stores answer. (AWS, "Amazon S3 error responses"; the status decides about a
  /// HEAD, which has no body, and about words that only some stores use)
  private static func kind(of code: String, status: Int) -> Kind {
    switch code {
    case "NoSuchKey": return .noSuchKey
    case "NoSuchBucket": return .noBucket
    case "InvalidBucketName": return .wrongBucketName
    case "InvalidRange": return .invalidRange
    case "RequestTimeTooSkewed", "RequestExpired": return .wrongClock
    case "PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed",
      "IllegalLocationConstraintException":
      return .wrongRegion
    case "ExpiredToken", "TokenRefreshRequired": return .expired
    case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidSecurity":
      return .wrongKeys
    case "SlowDown", "SlowDownRead", "SlowDownWrite", "ServiceUnavailable", "Throttling",
      "ThrottlingException", "RequestLimitExceeded", "TooManyRequests":
      return .busy
    case "InternalError", "RequestTimeout", "ConditionalRequestConflict", "OperationAborted":
      return .transient
    case "NotImplemented": return .notImplemented
    default: break
    }
    switch status {
    case 301, 302, 307, 308: return .wrongRegion
    case 401: return .wrongKeys
    case 403: return .noRights
    case 404: return .noSuchKey
    case 412: return .conditionFailed
    case 416: return .invalidRange
    case 501: return .notImplemented
    case 429, 503: return .busy
    case 500, 502, 504: return .transient
    default: return .other
    }
  }

  /// Whether it may be different when it is tried again.
  var mayPass: Bool { kind == .transient || kind == .busy }

  /// The error for a person; `action` says what could not be done: `read 's3://bucket/key'`.
  func failure(_ action: String, location: StoreLocation, endpoint: StoreEndpoint) -> Failure {
    let words = message.isEmpty ? code : "\(code): \(message)"
    let subject = "cannot \(action): \(escaped(words.utf8))"
    let bucket = location.bucket.quoted
    let isOfImport = ["write", "look for", "remove"].contains { action.hasPrefix($0) }
    switch kind {
    case .wrongClock:
      return Failure(
        .clockSkew, subject + Self.difference(time),
        hint: "The store refuses requests whose time is more than 15 minutes off. Set the clock of "
          + "this machine.")
    case .wrongRegion:
      let known = region.map {
        "Bucket \(bucket) is in region \($0.quoted). Give '--region \(escaped($0.utf8))'."
      }
      return Failure(
        .wrongRegion, subject + " (signed for region \(endpoint.region.quoted))",
        hint: known ?? "Give the bucket's region with '--region', and its server with "
          + "'--endpoint-url' if it is not AWS's.")
    case .wrongKeys:
      return Failure(
        .credentialsRefused, subject,
        hint: "The store does not know the access key, or the secret key does not belong to it. "
          + "Check the credentials, and AWS_PROFILE if there are several.")
    case .expired:
      return Failure(
        .credentialsRefused, subject,
        hint: "The credentials have expired. Fetch new ones, with 'aws sso login' for example.")
    case .noRights:
      return Failure(
        .storeAccessDenied, subject,
        hint: "The credentials are valid, but may not do this. Reading a timeline needs "
          + "s3:ListBucket on the bucket and s3:GetObject on its objects; writing one needs "
          + "s3:PutObject and s3:DeleteObject as well.")
    case .noBucket:
      return Failure(
        .bucketNotFound, "cannot \(action): bucket \(bucket) does not exist",
        hint:
          "Check its name, and the server, \(endpoint.scheme)://\(endpoint.host); a new bucket has to be "
          + "made first.")
    case .wrongBucketName:
      return Failure(
        .bucketNotFound, subject,
        hint:
          "The store takes no buckets of the name \(bucket). Most want 3 to 63 lower-case letters, "
          + "digits, dots and hyphens.")
    case .busy:
      return Failure(
        .storeBusy, subject,
        hint: "The store asks for fewer requests. Try again later, or with fewer "
          + (isOfImport ? "'--uploads'." : "'--jobs'."))
    case .noSuchKey, .invalidRange, .conditionFailed, .notImplemented, .transient, .other:
      return Failure(
        .storeFailed, subject, hint: "Check that the endpoint is an S3 service, and try again.")
    }
  }

  /// How far the clocks are apart.
  private static func difference(_ time: UTCTime?) -> String {
    guard let time else { return "" }
    let minutes = (UTCTime.now.seconds - time.seconds) / 60
    if minutes == 0 { return "" }
    let count = abs(minutes) == 1 ? "1 minute" : "\(abs(minutes)) minutes"
    return " (the clock here is \(count) \(minutes < 0 ? "behind" : "ahead of") the store's)"
  }
}

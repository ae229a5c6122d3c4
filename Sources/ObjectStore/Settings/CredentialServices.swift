import HTTP
import LayerFormat
import PostgresFormat
import System

/// Credentials of a role, for a token that another service has signed: STS's
/// `AssumeRoleWithWebIdentity`. (AWS, "AWS Security Token Service API Reference")
struct WebIdentity {
  private let settings: AWSSettings

  init(_ settings: AWSSettings) { self.settings = settings }

  /// Asks STS; the token's file is read each time, as others write it again.
  func credentials(tokenFile: String, role: String) throws(Failure) -> Credentials {
    let token = try readToken(tokenFile)
    let fields = [
      ("Action", "AssumeRoleWithWebIdentity"), ("Version", "2011-06-15"), ("RoleArn", role),
      ("RoleSessionName", settings["AWS_ROLE_SESSION_NAME"] ?? "import-backup"),
      ("WebIdentityToken", token.revealed),
    ]
    let form = fields.map { $0 + "=" + PercentEncoding.query($1) }.joined(separator: "&")
    let url = settings.tokenServiceURL ?? "https://sts.\(settings.region).amazonaws.com"
    let type = HTTPHeader("Content-Type", "application/x-www-form-urlencoded")
    var options = HTTPOptions()
    options.caBundle = settings.caBundle
    let service = CredentialService(name: "STS", options: options)
    let response = try service.answer(
      to: HTTPRequest(.post, url + "/", headers: [type], body: .bytes(Array(form.utf8))))
    let root = XMLElement(document: response.body)
    guard response.isSuccess,
      let given = root?["AssumeRoleWithWebIdentityResult"]?["Credentials"],
      let id = given["AccessKeyId"]?.text, let key = given["SecretAccessKey"]?.text,
      let token = given["SessionToken"]?.text
    else {
      let error = root?["Error"]
      let words = [error?["Code"]?.text, error?["Message"]?.text].compactMap { $0 }
      throw service.refusal(
        response, words: words.joined(separator: ": "),
        hint: "Check that role \(role.quoted) trusts the token in \(tokenFile.quoted).")
    }
    return Credentials(
      keyID: id, secretKey: Secret(key), sessionToken: Secret(token),
      end: given["Expiration"].flatMap { UTCTime($0.text) })
  }
}

/// Credentials from the host of a container: ECS and EKS Pod Identity. (AWS, "Container credential
/// provider")
struct ContainerCredentials {
  private let settings: AWSSettings

  init(_ settings: AWSSettings) { self.settings = settings }

  /// The hosts that may be asked without TLS: this one, and those of ECS and EKS.
  private static let plainHosts: Set<String> = [
    "localhost", "127.0.0.1", "[::1]", "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]",
  ]

  /// Asks the host; nil if the environment names none.
  func credentials() throws(Failure) -> Credentials? {
    guard let url = try url() else { return nil }
    var headers: [HTTPHeader] = []
    if let file = settings["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] {
      headers.append(HTTPHeader("Authorization", try readToken(file).revealed))
    } else if let token = settings["AWS_CONTAINER_AUTHORIZATION_TOKEN"] {
      headers.append(HTTPHeader("Authorization", token))
    }
    let service = CredentialService(name: "the container's host", options: .link(timeout: 5))
    let response = try service.answer(to: HTTPRequest(.get, url, headers: headers))
    return try service.credentials(in: response)
  }

  private func url() throws(Failure) -> String? {
    if let path = settings["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] {
      return "http://169.254.170.2" + path
    }
    guard let url = settings["AWS_CONTAINER_CREDENTIALS_FULL_URI"] else { return nil }
    if url.hasPrefix("https://") { return url }
    let rest = url.dropFirst("http://".count).prefix { !"/?#".contains($0) }
    let host =
      rest.hasPrefix("[") ? rest.prefix { $0 != "]" } + "]" : rest.prefix { $0 != ":" }
    guard url.hasPrefix("http://"), Self.plainHosts.contains(String(host)) else {
      throw Failure(
        .credentialsMissing,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI names \(url.quoted), which is not a trusted host",
        hint: "Only this machine, and the addresses of ECS and EKS, may be asked without TLS.")
    }
    return url
  }
}

/// Credentials of a virtual machine's role: instance metadata, version 2. (AWS, "Use the Instance
/// Metadata Service")
struct InstanceMetadata {
  private let settings: AWSSettings

  init(_ settings: AWSSettings) { self.settings = settings }

  private static let rolePath = "/latest/meta-data/iam/security-credentials/"

  /// Asks the service; nil if there is none, as outside a cloud, or the machine has no role.
  func credentials() throws(Failure) -> Credentials? {
    guard settings["AWS_EC2_METADATA_DISABLED"]?.lowercased() != "true" else { return nil }
    var url = settings["AWS_EC2_METADATA_SERVICE_ENDPOINT"] ?? "http://169.254.169.254"
    while url.last == "/" { url.removeLast() }
    let service = CredentialService(name: "instance metadata", options: .link(timeout: 2))
    let lifetime = HTTPHeader("X-aws-ec2-metadata-token-ttl-seconds", "21600")
    guard
      let token = try service.answerIfReachable(
        HTTPRequest(.put, url + "/latest/api/token", headers: [lifetime], body: .bytes([]))),
      token.isSuccess
    else { return nil }
    let proof = HTTPHeader("X-aws-ec2-metadata-token", String(decoding: token.body, as: UTF8.self))
    let roles = try service.answer(to: HTTPRequest(.get, url + Self.rolePath, headers: [proof]))
    guard roles.isSuccess else { return nil }
    let role = String(decoding: roles.body, as: UTF8.self).split(whereSeparator: \.isNewline).first
    guard let role else { return nil }
    let response = try service.answer(
      to: HTTPRequest(
        .get, url + Self.rolePath + PercentEncoding.path(String(role)), headers: [proof]))
    return try service.credentials(in: response)
  }
}

extension HTTPOptions {
  /// For a server on the same machine or link, which no proxy leads to.
  fileprivate static func link(timeout: Int) -> HTTPOptions {
    var options = HTTPOptions()
    options.connectTimeout = .seconds(1)
    options.timeout = .seconds(timeout)
    options.usesProxy = false
    return options
  }
}

/// A server that gives out credentials.
private struct CredentialService {
  /// What messages call it.
  let name: String
  private let client: HTTPClient

  init(name: String, options: HTTPOptions) {
    self.name = name
    client = HTTPClient(options)
  }

  /// Sends a request up to four times.
  func answer(to request: HTTPRequest) throws(Failure) -> HTTPResponse {
    var policy = RetryPolicy()
    policy.attemptLimit = 4
    var backoff = Backoff(policy)
    while true {
      switch Result(catching: { () throws(TransferError) in try client.send(request) }) {
      case .success(let response):
        guard response.status >= 500, try backoff.wait() else { return response }
      case .failure(let error):
        guard error.mayPass, try backoff.wait() else { throw error.failure }
      }
    }
  }

  /// Sends a request once; nil if nobody answers.
  func answerIfReachable(_ request: HTTPRequest) throws(Failure) -> HTTPResponse? {
    do throws(TransferError) {
      return try client.send(request)
    } catch {
      try Interruption.check()
      return nil
    }
  }

  private struct Object: Decodable {
    var keyID: String
    var secretKey: String
    var token: String
    var end: String?

    enum CodingKeys: String, CodingKey {
      case keyID = "AccessKeyId"
      case secretKey = "SecretAccessKey"
      case token = "Token"
      case end = "Expiration"
    }
  }

  /// Reads the object in an answer.
  func credentials(in response: HTTPResponse) throws(Failure) -> Credentials {
    guard response.isSuccess else {
      throw refusal(response, words: "", hint: "Check the role that this machine or container has.")
    }
    do throws(FormatError) {
      let object = try StrictJSON(response.body, of: "the answer").decode(Object.self)
      return Credentials(
        keyID: object.keyID, secretKey: Secret(object.secretKey),
        sessionToken: Secret(object.token), end: object.end.flatMap { UTCTime($0) })
    } catch {
      throw Failure(error, in: "credentials from \(name)", damage: .credentialsRefused)
    }
  }

  /// The error of an answer without credentials.
  func refusal(_ response: HTTPResponse, words: String, hint: String) -> Failure {
    let words = words.isEmpty ? "status \(response.status)" : escaped(words.utf8)
    return Failure(.credentialsRefused, "no credentials from \(name): \(words)", hint: hint)
  }
}

/// The token in a file, without white space around it.
private func readToken(_ path: String) throws(Failure) -> Secret {
  let bytes = try SystemCalls.contents(of: path, limit: 64 << 10, followsLink: true)
  return Secret(String(decoding: bytes, as: UTF8.self).trimmed)
}

import Foundation
import HTTP
import PostgresFormat
import Synchronization
import System
import TestSupport
import Testing

@testable import ObjectStore

/// Goal: settings and credentials are found where AWS's own tools find them, in their order. Method: a
/// home directory with configuration files, and variables.
@Suite struct AWSSettingsTests {
  private let home: TemporaryDirectory

  init() throws {
    home = try TemporaryDirectory()
    try FileManager.default.createDirectory(
      atPath: home.path + "/.aws", withIntermediateDirectories: true)
    try Self.config.write(toFile: home.path + "/.aws/config", atomically: false, encoding: .utf8)
    try Self.credentials.write(
      toFile: home.path + "/.aws/credentials", atomically: false, encoding: .utf8)
  }

  private static let config = """
    # a comment
    [default]
    region = eu-north-1
    aws_access_key_id = of-config
    aws_secret_access_key = of-config
    s3 =
      addressing_style = path
      region = nested
    [profile  other]
    endpoint_url = https://store.example
    ; a comment
    region=us-west-2
    [profile sso]
    sso_session = x
    [profile bare]
    output = json
    """

  private static let credentials = """
    [default]
    aws_access_key_id = of-credentials
    aws_secret_access_key = secret=with=marks
    [other]
    AWS_ACCESS_KEY_ID = other-key
    aws_secret_access_key = other-secret
    aws_session_token = other-token
    """

  private func settings(
    _ variables: [String: String] = [:], _ options: StoreOptions = StoreOptions()
  ) throws -> AWSSettings {
    let all = ["HOME": home.path, "AWS_EC2_METADATA_DISABLED": "true"].merging(variables) { $1 }
    return try AWSSettings(options) { all[$0] }
  }

  @Test func regions() throws {
    #expect(try settings().region == "eu-north-1")
    #expect(try settings(["AWS_PROFILE": "other"]).region == "us-west-2")
    #expect(try settings(["AWS_PROFILE": "bare"]).region == "us-east-1")
    #expect(try settings(["AWS_DEFAULT_REGION": "a"]).region == "a")
    #expect(try settings(["AWS_DEFAULT_REGION": "a", "AWS_REGION": "b"]).region == "b")
    #expect(try settings(["AWS_REGION": ""]).region == "eu-north-1")
    var options = StoreOptions()
    options.region = "c"
    #expect(try settings(["AWS_REGION": "b"], options).region == "c")
    #expect(throws: Failure.self) { try settings(["AWS_REGION": "a.evil.example/"]) }
  }

  @Test func endpoints() throws {
    #expect(try settings().endpointURL == nil)
    #expect(try settings(["AWS_PROFILE": "other"]).endpointURL == "https://store.example")
    #expect(try settings(["AWS_ENDPOINT_URL": "https://a"]).endpointURL == "https://a")
    let both = ["AWS_ENDPOINT_URL": "https://a", "AWS_ENDPOINT_URL_S3": "https://b"]
    #expect(try settings(both).endpointURL == "https://b")
    var options = StoreOptions()
    options.endpointURL = "https://c"
    #expect(try settings(both, options).endpointURL == "https://c")
  }

  /// Goal: no secret comes to a message by accident. Method: everything that prints.
  @Test func secretsAreHidden() {
    let credentials = Credentials(
      keyID: "id", secretKey: Secret("SECRET-KEY"), sessionToken: Secret("TOKEN-TOKEN"))
    let signature = HTTPRequest.Signature(
      keyID: "id", secretKey: credentials.secretKey, region: "r")
    for value in [credentials, signature] as [Any] {
      var dumped = ""
      dump(value, to: &dumped)
      for text in ["\(value)", String(reflecting: value), dumped] {
        #expect(!text.contains("SECRET") && !text.contains("TOKEN"), "\(text)")
      }
    }
  }

  @Test func keys() throws {
    let usual = try CredentialSource(try settings()).current()
    #expect(usual.keyID == "of-credentials")
    #expect(usual.secretKey == Secret("secret=with=marks"))
    #expect(usual.sessionToken == nil)
    let other = try CredentialSource(try settings(["AWS_PROFILE": "other"])).current()
    #expect(other.keyID == "other-key" && other.sessionToken == Secret("other-token"))
    let variables = ["AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key"]
    let given = try CredentialSource(try settings(variables)).current()
    #expect(given.keyID == "id" && given.sessionToken == nil)
    // The files of other places, and none at all.
    let config = ["AWS_SHARED_CREDENTIALS_FILE": "/nowhere"]
    #expect(try CredentialSource(try settings(config)).current().keyID == "of-config")
  }

  /// Method: each way to have no credentials, and the beginning of its message.
  @Test(arguments: [
    (["AWS_PROFILE": "bare"], "no credentials for the object store"),
    (["AWS_ACCESS_KEY_ID": "x"], "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not"),
    (["AWS_SECRET_ACCESS_KEY": "x"], "AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not"),
    (["AWS_PROFILE": "sso"], "profile 'sso' has 'sso_session', which is not supported"),
    (["AWS_PROFILE": "typo"], "there is no profile 'typo'"),
    (["AWS_WEB_IDENTITY_TOKEN_FILE": "/x"], "AWS_WEB_IDENTITY_TOKEN_FILE is set, but"),
    (
      ["AWS_PROFILE": "bare", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://evil.example/x"],
      "AWS_CONTAINER_CREDENTIALS_FULL_URI names 'http://evil.example/x'"
    ),
  ])
  func missing(variables: [String: String], message: String) {
    let error = #expect(throws: Failure.self) {
      try CredentialSource(try settings(variables)).current()
    }
    #expect(error?.code == .credentialsMissing)
    #expect(error?.message.hasPrefix(message) == true, "\(error?.message ?? "")")
    #expect(error?.hint != nil)
  }

  // MARK: Services

  private static let object = Array(
    """
    {"Code": "Success", "AccessKeyId": "role-key", "SecretAccessKey": "s", "Token": "t",
     "Expiration": "2100-01-01T00:00:00Z"}
    """.utf8)

  /// Method: a server that wants the token of the container's file.
  @Test func container() throws {
    let server = try TestServer { request in
      request.path == "/creds" && request.headers["authorization"] == "the token"
        ? .answer(status: 200, body: Self.object) : .answer(status: 403)
    }
    let token = home.path + "/token"
    try " the token\n".write(toFile: token, atomically: false, encoding: .utf8)
    var variables = [
      "AWS_PROFILE": "bare", "AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url + "/creds",
      "AWS_CONTAINER_AUTHORIZATION_TOKEN": "wrong",
    ]
    let error = #expect(throws: Failure.self) {
      try CredentialSource(try settings(variables)).current()
    }
    #expect(error?.code == .credentialsRefused)
    variables["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = token
    let found = try CredentialSource(try settings(variables)).current()
    #expect(found.keyID == "role-key" && found.sessionToken == Secret("t"))
    #expect(found.end == UTCTime("2100-01-01T00:00:00Z"))
  }

  /// Goal: credentials are fetched again before they end, and if a store says that they have. Method: a
  /// server whose first ones end in four minutes, which is too soon, and all others in an hour.
  @Test func fetchedAgain() throws {
    let count = Atomic<Int>(0)
    let server = try TestServer { _ in
      let isFirst = count.add(1, ordering: .relaxed).oldValue == 0
      let end = Date(timeIntervalSinceNow: isFirst ? 240 : 3600)
      let object = [
        "AccessKeyId": "k", "SecretAccessKey": "s", "Token": "t",
        "Expiration": ISO8601DateFormatter().string(from: end),
      ]
      return .answer(status: 200, body: Array((try? JSONEncoder().encode(object)) ?? Data()))
    }
    let source = CredentialSource(
      try settings(["AWS_PROFILE": "bare", "AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url]))
    for expected in [1, 2, 2, 2] {
      _ = try source.current()
      #expect(server.received.count == expected)
    }
    source.forget()
    _ = try source.current()
    #expect(server.received.count == 3)
  }

  /// Method: a server that hands out a token, a role's name and its credentials, each for the one
  /// before; and one that answers 404 to everything.
  @Test func instanceMetadata() throws {
    let server = try TestServer { request in
      let path = "/latest/meta-data/iam/security-credentials/"
      if request.method == "PUT" && request.path == "/latest/api/token" {
        return .answer(
          status: request.headers["x-aws-ec2-metadata-token-ttl-seconds"] == nil ? 400 : 200,
          body: Array("proof".utf8))
      }
      guard request.headers["x-aws-ec2-metadata-token"] == "proof" else {
        return .answer(status: 401)
      }
      switch request.path {
      case path: return .answer(status: 200, body: Array("the-role".utf8))
      case path + "the-role": return .answer(status: 200, body: Self.object)
      default: return .answer(status: 404)
      }
    }
    var variables = [
      "AWS_PROFILE": "bare", "AWS_EC2_METADATA_DISABLED": "",
      "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url + "/",
    ]
    #expect(try CredentialSource(try settings(variables)).current().keyID == "role-key")
    let other = try TestServer { _ in .answer(status: 404) }
    variables["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = other.url
    let error = #expect(throws: Failure.self) {
      try CredentialSource(try settings(variables)).current()
    }
    #expect(error?.code == .credentialsMissing)
  }

  /// Method: a server of STS's form; it refuses another token.
  @Test func webIdentity() throws {
    let server = try TestServer { request in
      let form = String(decoding: request.body, as: UTF8.self)
      guard form.contains("Action=AssumeRoleWithWebIdentity&"),
        form.contains("&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&"),
        form.hasSuffix("&WebIdentityToken=a.b%2B")
      else {
        let error = "<Error><Code>InvalidIdentityToken</Code><Message>no</Message></Error>"
        return .answer(status: 400, body: Array("<ErrorResponse>\(error)</ErrorResponse>".utf8))
      }
      let xml = """
        <AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
        <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>web-key</AccessKeyId>
        <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
        <Expiration>2100-01-01T00:00:00Z</Expiration></Credentials>
        </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>
        """
      return .answer(status: 200, body: Array(xml.utf8))
    }
    let token = home.path + "/token"
    let variables = [
      "AWS_WEB_IDENTITY_TOKEN_FILE": token, "AWS_ROLE_ARN": "arn:aws:iam::1:role/r",
      "AWS_ENDPOINT_URL_STS": server.url,
    ]
    try "a.b+\n".write(toFile: token, atomically: false, encoding: .utf8)
    #expect(try CredentialSource(try settings(variables)).current().keyID == "web-key")
    try "other".write(toFile: token, atomically: false, encoding: .utf8)
    let error = #expect(throws: Failure.self) {
      try CredentialSource(try settings(variables)).current()
    }
    #expect(error?.message == "no credentials from STS: InvalidIdentityToken: no")
    #expect(error?.code == .credentialsRefused)
  }
}
